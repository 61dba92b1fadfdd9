"""Score maps on disk: a file for each video."""

import hashlib
import os
from pathlib import Path, PurePath
from typing import Any

import numpy as np

from cover.errors import UsageError
from cover.files import replacing
from cover.results.names import FILENAME, MAPS
from cover.scores import VideoScore
from cover.text import printable

_LONGEST_NAME = 240  # bytes of a file name that leave room for what is added to it


def maps_file(folder: Path, name: str) -> Path:
    """Locate the score maps of a video: ``maps/<Filename>.npz`` in its results folder.

    A name that leads out of the data root, or that is too long for a file, is replaced by its digest:
    ``maps/_/<digest>.npz``.
    """
    path = PurePath(name)
    inside = not path.is_absolute() and not path.drive and ".." not in path.parts and path.parts[:1] != ("_",)
    if inside and path.parts and len(os.fsencode(path.name)) <= _LONGEST_NAME:
        return folder / MAPS / path.with_name(f"{path.name}.npz")
    digest = hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:24]
    return folder / MAPS / "_" / f"{digest}.npz"


def write_maps(folder: Path, name: str, score: VideoScore) -> None:
    """Write the score maps of a video as one compressed ``.npz`` file.

    It holds ``Filename``, and for each branch ``<branch>`` (float32 (T', h, w), higher is better, its mean is the
    score), ``<branch>_times`` (float64 (T',), seconds after the first frame) and ``<branch>_frames`` (int64 (T', n),
    numbers of the frames that a row of the map stands for).

    Raises:
        UsageError: The file cannot be written.
    """
    entries: dict[str, Any] = {FILENAME: np.array(printable(name))}
    for branch, rows in score.maps.items():
        entries |= {branch: rows, f"{branch}_times": score.times[branch], f"{branch}_frames": score.frames[branch]}
    path = maps_file(folder, name)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # An open file keeps numpy from adding .npz to the temporary name.
        with replacing(path) as partial, partial.open("wb") as file:
            np.savez_compressed(file, **entries)
    except OSError as error:
        raise UsageError(f"maps=true: cannot write {path} ({error.strerror or error})") from error
