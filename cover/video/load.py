"""Loading a file, or frames in memory, as the views that a model takes."""

import os
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from cover.errors import VideoError
from cover.video.decode import FrameDecoder
from cover.video.info import VideoIndex, VideoInfo
from cover.video.parts import part_frames
from cover.video.probe import index_video
from cover.video.sampling import Sampling, check_sampling, choose_sampling
from cover.video.source import RawFormat, shown
from cover.video.spec import ViewSpec
from cover.video.views import ViewBuilder


class Tensor(Protocol):
    """The part of torch's tensors that tells them; torch itself is not imported here."""

    def detach(self) -> Any:
        """Give the tensor without its history."""


Source = str | os.PathLike[str] | np.ndarray | Tensor | Sequence[Any]
"""A video: a file or a folder of frames, or frames in memory."""


@dataclass
class LoadedViews:
    """The views of one video.

    Attributes:
        views: For each sampling: branch -> uint8 RGB (3, T, H, W), C-contiguous.
        info: What the file holds.
        samplings: The frames and crops that were chosen.
        times: For each sampling: branch -> float64 (T,), seconds after the first frame of the video; NaN where unknown.
        notes: What the user should know about the file although it was loaded, one line each.
    """

    views: list[dict[str, np.ndarray]]
    info: VideoInfo
    samplings: list[Sampling]
    times: list[dict[str, np.ndarray]]
    notes: list[str] = field(default_factory=list)


def load_views(
    source: Source,
    spec: ViewSpec,
    *,
    name: str | None = None,
    replay: Sampling | None = None,
    threads: int = 0,
    raw: RawFormat | None = None,
    stream: int | None = None,
    fps: float | None = None,
    start: float | None = None,
    end: float | None = None,
) -> LoadedViews:
    """Load the views of one video or image, or of a part of a video.

    The views of a part are those of a file that holds just its frames; frame numbers and times stay the video's.

    Each wanted frame is decoded and converted once, written into all views it belongs to, and dropped, so that memory
    stays that of a few frames however long the video is.

    Args:
        source: A file, a folder of frames, or RGB frames, uint8 (T, H, W, 3): an array, a torch tensor (which may be
            (T, 3, H, W) too), or a list of frames. A single frame counts as a still image.
        spec: The views wanted.
        name: What seeds random samplings; the file's base name (nothing for frames) if not given.
        replay: A recorded sampling to use; ``spec.samples`` is then of no account.
        threads: Decoder threads; 0 lets FFmpeg choose.
        raw: Layout of a headerless ``.yuv`` file; of no account for other files.
        stream: Number of the video stream to look at, from 0; None for the longest, of those the largest.
        fps: Frame rate of frames in memory or in a folder, for their times; of no account for files.
        start: Start of the part, seconds after the first frame; None starts with it.
        end: Its end, likewise: the frame shown then is the first that does not belong to it; None ends with the video.

    Returns:
        The views. Still images have one frame in every view.

    Raises:
        VideoError: If the video cannot be loaded or has no such part, or ``replay`` does not fit; in one line.
    """
    if not isinstance(source, (str, os.PathLike)):
        return _load_frames(_array(source), spec, name or "", replay, fps, start, end)
    index = index_video(Path(source), raw, spec.rotate, threads, stream, fps)
    frames = part_frames(index, start, end)
    name = Path(source).name if name is None else name
    samplings = _samplings(index.info, frames, spec, name, replay, shown(source))
    builders = [ViewBuilder(spec, sampling, index.info.height, index.info.width) for sampling in samplings]
    decoder = FrameDecoder(index, set().union(*(builder.wanted for builder in builders)), threads, spec.rotate)
    for number, frame in decoder:
        for builder in builders:
            builder.add(number, frame)
    notes = [*index.notes]
    if decoder.unknown_matrix:
        matrix = index.info.color_space or "unknown"
        notes.append(f"FFmpeg cannot convert from its colour matrix ({matrix}): converted as BT.601")
    if decoder.replaced:
        notes.append(
            f"{decoder.replaced} of {len(decoder.wanted)} frames could not be decoded; "
            "their nearest neighbours were used"
        )
    elif decoder.errors and not index.notes:
        notes.append("the file is damaged, but all the frames needed were decoded")
    elif decoder.corrupt and not index.notes:
        notes.append(f"the file is damaged: FFmpeg patched {decoder.corrupt} of {decoder.decoded} decoded frames")
    if any(builder.resized for builder in builders) and not index.files:  # which have said so
        notes.append(f"the frame size changes; all frames were resized to {index.info.width}x{index.info.height}")
    times = [_seconds(sampling, index) for sampling in samplings]
    return LoadedViews([builder.views for builder in builders], index.info, samplings, times, notes)


def _samplings(
    info: VideoInfo, frames: range, spec: ViewSpec, name: str, replay: Sampling | None, where: str
) -> list[Sampling]:
    """Choose samplings of a part as of a video of that many frames; the numbers are those in the whole video."""
    size = info.height, info.width
    if replay is not None:
        check_sampling(replay, spec, len(frames), *size, where)
        found = [replay]
    else:
        found = [
            choose_sampling(spec, len(frames), *size, name, sample, image=info.image) for sample in range(spec.samples)
        ]
    return [
        replace(one, indices={branch: numbers + frames.start for branch, numbers in one.indices.items()})
        for one in found
    ]


def _array(source: Any) -> np.ndarray:
    """Frames in memory as one array."""
    if isinstance(source, (list, tuple)):
        if any(isinstance(frame, (str, os.PathLike)) for frame in source):
            raise VideoError("frames: a list holds the frames of one video; score files one by one")
        frames = [_array(frame) for frame in source]
        if len({frame.shape for frame in frames}) != 1:
            if not frames:
                raise VideoError("frames: the list is empty")
            sizes = " and ".join(sorted({str(frame.shape) for frame in frames}))
            raise VideoError(f"frames: a list must hold frames of one shape, (H, W, 3), not {sizes}")
        return np.stack(frames)
    if hasattr(source, "detach"):  # a torch tensor; torch is not imported for it
        try:
            array: np.ndarray = source.detach().cpu().numpy()
        except (TypeError, NotImplementedError, RuntimeError):  # of types and layouts that numpy does not have
            kind = getattr(source, "dtype", "unknown")
            raise VideoError(f"frames: must be dense uint8, not a tensor of {kind} that numpy cannot take") from None
        first, last = (array.shape[-3], array.shape[-1]) if array.ndim in (3, 4) else (0, 0)
        return np.moveaxis(array, -3, -1) if first == 3 and last != 3 else array
    if isinstance(source, np.ndarray) or hasattr(source, "__array_interface__"):  # of Pillow's images, too
        return np.asarray(source)
    raise VideoError(
        f"{type(source).__name__} objects cannot be scored; "
        "give a file, a folder of frames, or frames as uint8 (T, H, W, 3)"
    )


def _load_frames(
    frames: np.ndarray,
    spec: ViewSpec,
    name: str,
    replay: Sampling | None,
    fps: float | None,
    start: float | None,
    end: float | None,
) -> LoadedViews:
    where = shown(name) if name else "frames"
    if frames.dtype != np.uint8 or frames.ndim != 4 or frames.shape[-1] != 3 or 0 in frames.shape:
        remedy = "; (frames * 255).round().astype('uint8') of 0..1" if frames.dtype.kind == "f" else ""
        raise VideoError(
            f"{where}: frames must be uint8 RGB of shape (T, H, W, 3), not {frames.dtype} {frames.shape}{remedy}"
        )
    count, height, width = frames.shape[:3]
    info = VideoInfo("array", "raw", width, height, count, fps=fps, pixel_format="rgb24", image=count == 1)
    index = VideoIndex(Path(name or "frames"), info)
    samplings = _samplings(info, part_frames(index, start, end), spec, name, replay, where)
    builders = [ViewBuilder(spec, sampling, height, width) for sampling in samplings]
    for builder in builders:
        for number in sorted(builder.wanted):
            builder.add(number, frames[number])
    times = [_seconds(sampling, index) for sampling in samplings]
    return LoadedViews([builder.views for builder in builders], info, samplings, times)


def _seconds(sampling: Sampling, index: VideoIndex) -> dict[str, np.ndarray]:
    return {branch: index.seconds(numbers) for branch, numbers in sampling.indices.items()}
