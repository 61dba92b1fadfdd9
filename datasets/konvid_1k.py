"""KoNViD-1k: 1200 videos of 8 s sampled from YFCC100M, rated by crowd workers.

Hosu et al., "The Konstanz natural video database (KoNViD-1k)", QoMEX 2017.
"""

import re
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any, ClassVar

import numpy as np

from cover.errors import UsageError

from ._annotation import AnnotatedDataset, AnnotatedVideo, Annotations, Record, is_matlab, read_csv, read_matlab

_FOLDER = "KoNViD_1k_videos"
_MATLAB_NAMES = ("flickr_ids", "flickr_id", "video_names", "video_name", "video_list", "names")
_MATLAB_SCORES = ("mos", "MOS", "scores")
_LONG = ("original", "cut")  # how the 8 s were taken: 646 and 554 of the 1200


class KoNViD1k(AnnotatedDataset):
    """KoNViD-1k, keyed by Flickr id.

    Reads ``KoNViD_1k_attributes.csv`` (columns flickr_id, file_name, MOS, ...; complete copy in lorenzowu/SIONR),
    ``KoNViD_1k_mos.csv`` or ``KONVID_1K_metadata.csv`` of vztu/BVQA_Benchmark (flickr_id, mos, width, height,
    framerate, ...), MATLAB files with a list of names and one of scores (``KoNViD_1k_mos.mat``;
    ``KoNViD-1kinfo.mat`` of lidq/VSFA has video_names and scores), and text files. Videos are ``<flickr_id>.mp4`` or,
    as in the attributes, ``<flickr_id>_{original,cut}_centercrop_960x540_8s.mp4``.

    Known: the attributes' MOS are rounded to 4 digits, and differ by up to 5e-5 from the text files' in 62 rows. They
    are sorted by MOS: shuffle before splitting. There is no official split. All videos are 960x540 and some have an
    audio track.
    """

    title = "KoNViD-1k"
    source = "https://database.mmsp-kn.de/konvid-1k-database.html"
    mos_range = (1, 5)
    annotations: ClassVar[Annotations] = {
        None: (
            "KoNViD_1k_metadata/KoNViD_1k_attributes.csv",
            "KoNViD_1k_attributes.csv",
            "KoNViD_1k_metadata/KoNViD_1k_mos.csv",
            "KoNViD_1k_mos.csv",
            "KONVID_1K_metadata.csv",
            "KoNViD_1k_metadata/KoNViD_1k_mos.mat",
            "KoNViD_1k_mos.mat",
            "KoNViD-1kinfo.mat",
            "labels.txt",
        )
    }

    def _from_native(self, path: Path) -> Iterator[AnnotatedVideo]:
        if is_matlab(path):
            yield from self._from_matlab(path)
            return
        for record in read_csv(path, ["flickr_id", "MOS"]):
            flickr_id = record.text("flickr_id").removesuffix(".0")
            name = record.text("file_name") if "file_name" in record else f"{flickr_id}.mp4"
            extras = record.numbers(fps="framerate", width="width", height="height")
            yield AnnotatedVideo(
                record.where, f"{_FOLDER}/{name}", record.number("MOS"), {"flickr_id": flickr_id, **extras}
            )

    def _from_matlab(self, path: Path) -> Iterator[AnnotatedVideo]:
        variables: dict[str, Any] = {}
        for name, value in read_matlab(path).items():  # a struct stands for its fields
            variables |= value if isinstance(value, dict) else {name: value}
        names, scores = (
            next((np.atleast_1d(variables[name]) for name in known if name in variables), None)
            for known in (_MATLAB_NAMES, _MATLAB_SCORES)
        )
        if names is None or scores is None or len(names) != len(scores):
            header = ", ".join(name for name in variables if not name.startswith("__")) or "none"
            raise UsageError(
                f"{path}: no variables {' or '.join(_MATLAB_NAMES)} and {' or '.join(_MATLAB_SCORES)} of one length "
                f"(found: {header}); is it this dataset's annotation?"
            )
        for place, (name, score) in enumerate(zip(names, scores, strict=True), start=1):
            where = f"{path}, entry {place}"
            cells = {"name": str(name) if isinstance(name, str) else f"{float(name):.0f}", "score": str(score)}
            record = Record(where, cells)
            text = record.text("name")
            if text == "nan":
                raise UsageError(f"{where}: the video has no name")
            video = text if PurePosixPath(text).suffix else f"{text}.mp4"
            yield AnnotatedVideo(where, f"{_FOLDER}/{video}", record.number("score"), self._about(video))

    def _about(self, path: str) -> dict[str, object]:
        match = _flickr_id(path)
        return {"flickr_id": match} if match else {}

    def _candidates(self, path: str) -> Iterator[str]:
        names = [PurePosixPath(path).name]
        if flickr_id := _flickr_id(path):
            names += [f"{flickr_id}.mp4", *(f"{flickr_id}_{cut}_centercrop_960x540_8s.mp4" for cut in _LONG)]
        yield path
        for name in names:
            yield f"{_FOLDER}/{name}"
            yield name


def _flickr_id(path: str) -> str | None:
    match = re.match(r"\d+(?=[._])", PurePosixPath(path).name)
    return match[0] if match else None
