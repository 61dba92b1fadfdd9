"""Loading a file, or frames in memory, as the views that a model takes."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from cover.errors import VideoError
from cover.parts import Part
from cover.text import visible
from cover.video.info import VideoIndex, VideoInfo
from cover.video.loaded import LoadedViews, part_samplings, sampling_times
from cover.video.parts import part_frames, part_seconds
from cover.video.passes import load_parts
from cover.video.probe import index_video
from cover.video.sampling import Sampling
from cover.video.source import MAX_IMAGE_BYTES, RawFormat
from cover.video.spec import ViewSpec
from cover.video.views import ViewBuilder


class Tensor(Protocol):
    """The method by which torch's tensors are recognised; torch itself is not imported here."""

    def detach(self) -> Any:
        """Give the tensor without its history."""


VideoSource = str | os.PathLike[str] | np.ndarray | Tensor | Sequence[Any]
"""A video: a file or a folder of frames, or frames in memory."""


def load_views(
    source: VideoSource,
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
    max_image_bytes: int = MAX_IMAGE_BYTES,
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
        replay: A recorded sampling to use; ``spec.samples`` is then ignored.
        threads: Decoder threads; 0 lets FFmpeg choose.
        raw: Layout of a headerless ``.yuv`` file; ignored for other files.
        stream: Number of the video stream to look at, from 0; None for the longest, of those the largest.
        fps: Frame rate of frames in memory or in a folder, for their times; ignored for files.
        start: Start of the part, seconds after the first frame; None starts with it.
        end: End of the part, seconds after the first frame, exclusive; None ends with the video.
        max_image_bytes: Largest still image that is decoded, in bytes of its pixels.

    Returns:
        The views. Still images have one frame in every view.

    Raises:
        VideoError: If the video cannot be loaded or has no such part, or ``replay`` does not fit; in one line.
    """
    if not isinstance(source, (str, os.PathLike)):
        return _load_frames(_array(source), spec, name or "", replay, fps, Part(start, end))
    index = index_video(Path(source), raw, spec.rotate, threads, stream, fps, max_image_bytes)
    (loaded,) = load_parts(index, [Part(start, end)], spec, name=name, replay=replay, threads=threads)
    if isinstance(loaded, VideoError):
        raise loaded
    return loaded


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
    part: Part,
) -> LoadedViews:
    where = visible(name) if name else "frames"
    if frames.dtype != np.uint8 or frames.ndim != 4 or frames.shape[-1] != 3 or 0 in frames.shape:
        remedy = "; (frames * 255).round().astype('uint8') of 0..1" if frames.dtype.kind == "f" else ""
        remedy = "; of one picture give picture[None]" if frames.dtype == np.uint8 and frames.ndim == 3 else remedy
        raise VideoError(
            f"{where}: frames must be uint8 RGB of shape (T, H, W, 3), not {frames.dtype} {frames.shape}{remedy}"
        )
    count, height, width = frames.shape[:3]
    info = VideoInfo("array", "raw", width, height, count, fps=fps, pixel_format="rgb24", image=count == 1)
    index = VideoIndex(Path(name or "frames"), info)
    samplings = part_samplings(info, part_frames(index, part), spec, name, replay, where)
    builders = [ViewBuilder(spec, sampling, height, width) for sampling in samplings]
    for builder in builders:
        for number in sorted(builder.wanted):
            builder.add(number, frames[number])
    times = [sampling_times(sampling, index) for sampling in samplings]
    views = [builder.views for builder in builders]
    return LoadedViews(views, info, samplings, times, part=part_seconds(index, part))
