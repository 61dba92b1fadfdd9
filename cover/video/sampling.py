"""Samplings: one choice of frames and crops of a video, made at the centre or at random, written and read.

Source: ``UnifiedFrameSampler`` and ``get_spatial_fragments`` of the official code (github.com/taco-group/COVER,
``cover/datasets/cover_datasets.py``), but for two things: random ones are seeded, and the crops of an enlarged frame
follow the enlarged frame's grid.
"""

import hashlib
import os
import zipfile
from dataclasses import dataclass
from pathlib import Path, PurePath

import numpy as np

from cover.errors import VideoError
from cover.scores import BRANCHES
from cover.text import visible
from cover.video.resize import enlarged_size
from cover.video.spec import FragmentView, FrameSampling, ViewSpec


@dataclass(frozen=True, eq=False)
class Sampling:
    """One choice of frames and crops of one video.

    Attributes:
        indices: Frame numbers of each branch in view order, int64 of shape (T,).
        offsets_h: Row shift of the crop inside each cell of the fragment grid, px, int64 of shape (grid, grid).
        offsets_w: Column shift, of the same shape.
    """

    indices: dict[str, np.ndarray]
    offsets_h: np.ndarray
    offsets_w: np.ndarray


def choose_sampling(
    spec: ViewSpec, frames: int, height: int, width: int, name: str = "", sample: int = 0, image: bool = False
) -> Sampling:
    """Choose the frames and crops of one video.

    A random sampling depends on ``spec``, ``name``, ``sample`` and the video's size and length only: neither the
    order of a batch nor the worker that happens to load the file changes a score.

    Args:
        spec: The views wanted.
        frames: Number of frames of the video, at least 1. Short videos wrap around.
        height: Height of a frame in px, at least 1.
        width: Width of a frame in px, at least 1.
        name: Base name of the file.
        sample: Which of several samplings, from 0.
        image: Whether the source is a still image: every view then has one frame.

    Returns:
        The sampling.
    """
    rng = _generator(spec.seed, sample, name) if spec.sampling == "random" else None
    indices = {
        branch: np.zeros(1, dtype=np.int64) if image else _frame_indices(view, frames, rng)
        for branch, view in spec.branches.items()
    }
    offsets_h, offsets_w = (
        _shifts(limit, (spec.technical.grid, spec.technical.grid), rng)
        for limit in offset_limits(spec.technical, height, width)
    )
    return Sampling(indices, offsets_h, offsets_w)


def _generator(seed: int, sample: int, name: str) -> np.random.Generator:
    # Lone surrogates stand for the bytes of a name that is not valid UTF-8; they must hash like any other name.
    digest = hashlib.sha256(name.encode("utf-8", "surrogatepass")).digest()
    # PCG64 by name: numpy may choose another default one day.
    return np.random.Generator(np.random.PCG64([seed, sample, int.from_bytes(digest[:8], "little")]))


def _shifts(limit: int, shape: tuple[int, ...], rng: np.random.Generator | None) -> np.ndarray:
    """Integers of [0, limit), or their middle where nothing is random; 0 where the range is empty."""
    if limit <= 0:
        return np.zeros(shape, dtype=np.int64)
    if rng is None:
        return np.full(shape, limit // 2, dtype=np.int64)
    return rng.integers(0, limit, size=shape, dtype=np.int64)


def _frame_indices(view: FrameSampling, frames: int, rng: np.random.Generator | None) -> np.ndarray:
    length = frames // view.fragments
    shifts = _shifts(length - view.frames * view.interval, (view.fragments,), rng)
    starts = np.arange(view.fragments) * length + shifts
    return ((starts[:, None] + np.arange(view.frames) * view.interval).reshape(-1) % frames).astype(np.int64)


def offset_limits(view: FragmentView, height: int, width: int) -> tuple[int, int]:
    """Exclusive upper bounds of the row and column shifts of a crop inside its cell (0 or less: no shift).

    Args:
        view: The fragment view.
        height: Height of the original frame in px.
        width: Width of the original frame in px.

    Returns:
        The two bounds, for the enlarged frame where the frame is enlarged.
    """
    height, width = enlarged_size(height, width, view.size, view.fragment)
    return height // view.grid - view.fragment, width // view.grid - view.fragment


def check_sampling(sampling: Sampling, spec: ViewSpec, frames: int, height: int, width: int, where: str) -> None:
    """Refuse a sampling that does not fit a video, such as a replayed one of another file.

    Args:
        sampling: The sampling.
        spec: The views it is meant for.
        frames: Number of frames of the video.
        height: Height of a frame in px.
        width: Width of a frame in px.
        where: Name of the video, for the message.

    Raises:
        VideoError: If a branch is missing, a frame number or a crop lies outside the video.
    """
    for branch in spec.branches:
        indices = sampling.indices.get(branch)
        if indices is None or indices.ndim != 1 or not len(indices):
            raise VideoError(f"{where}: the replayed sampling has no frame numbers for the {branch} view")
        if indices.min() < 0 or indices.max() >= frames:
            outside = indices[(indices < 0) | (indices >= frames)][0]
            raise VideoError(f"{where}: the replayed sampling asks for frame {outside} of a video of {frames} frames")
    shape = (spec.technical.grid, spec.technical.grid)
    limits = offset_limits(spec.technical, height, width)
    for axis, offsets, limit in zip(("row", "column"), (sampling.offsets_h, sampling.offsets_w), limits, strict=True):
        if offsets.shape != shape:
            raise VideoError(f"{where}: the replayed {axis} shifts have shape {offsets.shape}, the view needs {shape}")
        if offsets.min() < 0 or offsets.max() > max(limit, 0):
            raise VideoError(f"{where}: a replayed {axis} shift lies outside its cell of a {width}x{height} frame")


def read_sampling(path: str | os.PathLike[str]) -> Sampling:
    """Read a recorded sampling.

    Args:
        path: An ``.npz`` file with ``semantic_indices``, ``technical_indices``, ``aesthetic_indices`` (T,) and
            ``offsets_h``, ``offsets_w`` of shape (grid, grid, 1) or (grid, grid). Other entries are ignored.

    Returns:
        The sampling.

    Raises:
        VideoError: If the file cannot be read or lacks an entry.
    """
    try:
        with np.load(path, allow_pickle=False) as stored:
            indices = {branch: stored[f"{branch}_indices"].astype(np.int64).reshape(-1) for branch in BRANCHES}
            offsets_h, offsets_w = (_square(stored[key].astype(np.int64)) for key in ("offsets_h", "offsets_w"))
    except FileNotFoundError:
        raise VideoError(f"{visible(path)}: no such recorded sampling") from None
    except KeyError as error:
        raise VideoError(f"{visible(path)}: not a recorded sampling: {error.args[0]}") from None
    except (OSError, ValueError, EOFError, TypeError, zipfile.BadZipFile):
        raise VideoError(
            f"{visible(path)}: not a recorded sampling (an .npz file of frame numbers and shifts)"
        ) from None
    return Sampling(indices, offsets_h, offsets_w)


def _square(offsets: np.ndarray) -> np.ndarray:
    """Drop the trailing time axis of the official layout."""
    return offsets[..., 0] if offsets.ndim == 3 and offsets.shape[-1] == 1 else offsets


def sampling_file(folder: Path, name: str) -> Path:
    """Locate the recorded sampling of a video: ``DIR/<Filename>.npz``.

    A name that leads out of the data root is replaced by its last part.

    Args:
        folder: Where samplings are recorded.
        name: The video's name in results.
    """
    path = PurePath(name)
    outside = path.is_absolute() or path.drive or ".." in path.parts
    return folder / f"{path.name if outside else path}.npz"


def write_sampling(path: str | os.PathLike[str], sampling: Sampling) -> None:
    """Record a sampling in the layout :func:`read_sampling` reads.

    Args:
        path: The ``.npz`` file to write.
        sampling: The sampling.
    """
    entries = {f"{branch}_indices": indices for branch, indices in sampling.indices.items()}
    # An open file keeps numpy from adding .npz to a name that lacks it.
    with Path(path).open("wb") as file:
        np.savez(file, offsets_h=sampling.offsets_h[..., None], offsets_w=sampling.offsets_w[..., None], **entries)  # type: ignore[arg-type]
