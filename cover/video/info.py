"""The facts about a video and the place of each of its frames."""

import math
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cached_property
from pathlib import Path

import numpy as np

from cover.video.orientation import UPRIGHT, Orientation
from cover.video.source import RawFormat


@dataclass(frozen=True)
class VideoInfo:
    """The content of a file.

    Attributes:
        container: FFmpeg's name of the container, or Pillow's of the image format.
        codec: Name of the video codec.
        width: Width as displayed, px (after the rotation, where it is applied).
        height: Height as displayed, px.
        frames: Number of frames.
        duration: Seconds, where known.
        fps: Mean frames per second, where known.
        rotation: Degrees counter-clockwise that the file asks for: 0, 90, 180 or 270.
        mirrored: Whether it asks to be mirrored left to right before that, as front cameras do.
        pixel_format: FFmpeg's name of the pixel format, or Pillow's mode.
        color_space: Matrix the stream is tagged with, where it is.
        color_range: ``tv`` or ``pc``, where tagged.
        image: Whether this is a still image.
    """

    container: str
    codec: str
    width: int
    height: int
    frames: int
    duration: float | None = None
    fps: float | None = None
    rotation: int = 0
    mirrored: bool = False
    pixel_format: str | None = None
    color_space: str | None = None
    color_range: str | None = None
    image: bool = False


@dataclass(frozen=True, eq=False)
class VideoIndex:
    """A file's frames and where they are.

    Attributes:
        path: The file.
        info: What it holds.
        raw: Layout of a headerless file.
        stream: Number among the container's video streams, from 0.
        pts: Presentation times of the frames in ascending order, or None where they are unknown.
        orientation: How the frames are shown that do not say so themselves.
        counted: Whether the frames are numbered as the decoder gives them, since the times do not tell which is which.
        positions: Place of each frame's packet in the file, from 0.
        key_pts: Presentation times of the packets that decoding can start from, ascending.
        key_positions: Their places.
        packet_positions: Place of every packet by its presentation time.
        seekable: Whether the container's index can be trusted.
        frame_bytes: Size of a frame of a headerless file; 0 for other files.
        files: The frames of a folder, one image each, in order; empty for files.
        time_base: Seconds a unit of ``pts``.
        notes: What is wrong with the file although it can be read.
    """

    path: Path
    info: VideoInfo
    raw: RawFormat | None = None
    stream: int | None = None
    pts: np.ndarray | None = None
    counted: bool = False
    orientation: Orientation = UPRIGHT
    positions: np.ndarray = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    key_pts: np.ndarray = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    key_positions: np.ndarray = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    packet_positions: dict[int, int] = field(default_factory=dict)
    seekable: bool = False
    frame_bytes: int = 0
    files: tuple[Path, ...] = ()
    time_base: Fraction | None = None
    notes: tuple[str, ...] = ()

    def seconds(self, numbers: np.ndarray) -> np.ndarray:
        """Give the times at which frames are shown.

        Args:
            numbers: Frame numbers, int of any shape.

        Returns:
            Seconds after the first frame, float64 of the same shape: from presentation times where the file has them,
            else from the frame rate; NaN where that is unknown.
        """
        if self.info.image:
            return np.zeros(numbers.shape)
        if self.pts is not None and self.time_base is not None:
            return (self.pts[numbers] - self.pts[0]) * float(self.time_base)
        return numbers / (self.info.fps or math.nan)

    @cached_property
    def times(self) -> np.ndarray:
        """Times of all frames, float64, seconds after the first one; NaN where unknown."""
        return self.seconds(np.arange(self.info.frames))

    @property
    def end(self) -> float:
        """The time at which the last frame goes, seconds after the first frame; NaN where unknown.

        A frame is shown as long as frames are on average, whatever length the container states for other streams.
        """
        last = float(self.seconds(np.array(self.info.frames - 1)))
        if self.info.fps:
            return last + 1 / self.info.fps
        return last + (last / (self.info.frames - 1) if self.info.frames > 1 else math.nan)
