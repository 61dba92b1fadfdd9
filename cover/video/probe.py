"""Probing and indexing of files: one pass over the packets, decoding no more than the first frame where possible."""

import math
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.container import InputContainer
from av.packet import Packet
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from cover.errors import VideoError
from cover.video.source import MAX_PIXELS, RAW_SUFFIX, RawFormat, check_path, open_image, open_video, shown

# Containers whose index was found to lead to the right frame; in the others a seek may land anywhere.
_SEEKABLE = {"mov,mp4,m4a,3gp,3g2,mj2", "matroska,webm"}
# These store decoding times only (or none), so that a presentation time is FFmpeg's guess.
_WITHOUT_PTS = {"avi"}
# No codec reorders frames by more than 16; a jump beyond this means that time stamps restart within the file.
_MAX_REORDER = 64
_EXIF_ROTATION = {3: 180, 4: 180, 5: 270, 6: 270, 7: 90, 8: 90}
_EXIF_ORIENTATION = 0x0112
_COLOR_SPACES = {0: "rgb", 1: "bt709", 4: "fcc", 5: "bt470bg", 6: "smpte170m", 7: "smpte240m", 9: "bt2020nc"}
_COLOR_RANGES = {1: "tv", 2: "pc"}


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
        pts: Presentation times of the frames in ascending order, or None where frames can only be counted.
        positions: Place of each frame's packet in the file, from 0.
        key_pts: Presentation times of the packets that decoding can start from, ascending.
        key_positions: Their places.
        packet_positions: Place of every packet by its presentation time.
        seekable: Whether the container's index can be trusted.
        frame_bytes: Size of a frame of a headerless file; 0 for other files.
        time_base: Seconds a unit of ``pts``.
        notes: What is wrong with the file although it can be read.
    """

    path: Path
    info: VideoInfo
    raw: RawFormat | None = None
    pts: np.ndarray | None = None
    positions: np.ndarray = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    key_pts: np.ndarray = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    key_positions: np.ndarray = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    packet_positions: dict[int, int] = field(default_factory=dict)
    seekable: bool = False
    frame_bytes: int = 0
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


def probe(path: str | Path, raw: RawFormat | None = None, rotate: bool = True) -> VideoInfo:
    """Find out what a file holds.

    The frame count comes from the packets, never from the header, which is wrong or missing in real files. Files that
    give frames no times (``.avi``, bare streams) are decoded once to count them.

    Args:
        path: The file.
        raw: Layout of a headerless ``.yuv`` file.
        rotate: Whether ``width`` and ``height`` are those after rotation.

    Returns:
        What it holds.

    Raises:
        VideoError: If it is not a video or image, or nothing in it can be decoded.
    """
    return index_video(path, raw, rotate).info


def index_video(path: str | Path, raw: RawFormat | None = None, rotate: bool = True, threads: int = 0) -> VideoIndex:
    """Find out what a file holds and where each frame is.

    Args:
        path: The file.
        raw: Layout of a headerless ``.yuv`` file.
        rotate: Whether ``width`` and ``height`` are those after rotation.
        threads: Decoder threads where frames have to be counted by decoding; 0 lets FFmpeg choose.

    Returns:
        The index.

    Raises:
        VideoError: If it is not a video or image, or nothing in it can be decoded.
    """
    path = check_path(path)
    if path.suffix.lower() != RAW_SUFFIX:
        index = _index_image(path, rotate)
        if index is not None:
            return index
    else:
        return _index_headerless(path, raw)
    with open_video(path) as (container, stream):
        scan = _scan(container, stream)
        if scan.first is None:
            raise VideoError(f"{shown(path)}: not one frame could be decoded")
        info = _video_info(container, stream, scan.first, rotate)
        time_base = stream.time_base
    if info.width * info.height > MAX_PIXELS:
        raise VideoError(f"{shown(path)}: frames are larger than the limit of {MAX_PIXELS} pixels")
    notes = ("the file is damaged or cut short",) if scan.broken else ()
    order = _presentation_order(scan) if info.container not in _WITHOUT_PTS else None
    if order is None:
        return VideoIndex(path, _counted(info, _count_frames(path, threads)), notes=notes)
    pts = np.array(scan.pts, dtype=np.int64)
    keys = np.flatnonzero(scan.key)
    keys = keys[np.argsort(pts[keys], kind="stable")]
    return VideoIndex(
        path,
        _counted(info, len(order)),
        pts=pts[order],
        positions=order,
        key_pts=pts[keys],
        key_positions=keys,
        packet_positions={int(time): place for place, time in enumerate(pts.tolist())},
        seekable=info.container in _SEEKABLE,
        time_base=time_base,
        notes=notes,
    )


def _index_image(path: Path, rotate: bool) -> VideoIndex | None:
    image = open_image(path)
    if image is None:
        return None
    with image:
        rotation = _EXIF_ROTATION.get(image.getexif().get(_EXIF_ORIENTATION, 1), 0)
        width, height = image.size
        if rotate and rotation in (90, 270):
            width, height = height, width
        name = (image.format or "image").lower()
        info = VideoInfo(name, name, width, height, 1, rotation=rotation, pixel_format=image.mode, image=True)
        # Of a phone's JPEG further pictures are previews, of which nobody asks.
        several = image.format in ("WEBP", "TIFF") and getattr(image, "n_frames", 1) > 1
        return VideoIndex(path, info, notes=("only the first of several pictures was scored",) if several else ())


def _index_headerless(path: Path, raw: RawFormat | None) -> VideoIndex:
    with open_video(path, raw) as (container, stream):
        packet = next(packets(container, stream, []), None)
        frame = next(iter(decode_packet(stream, packet, [])), None) if packet else None
        if packet is None or frame is None:
            raise VideoError(f"{shown(path)}: shorter than one frame of the size and pixel format given in data.raw")
        info = _video_info(container, stream, frame, rotate=False)
    count = path.stat().st_size // packet.size
    duration = count / info.fps if info.fps else None
    return VideoIndex(path, replace(info, frames=count, duration=duration), raw, frame_bytes=packet.size)


@dataclass
class _Scan:
    """Every packet of a stream in file order, and its first frame."""

    pts: list[int | None] = field(default_factory=list)
    key: list[bool] = field(default_factory=list)
    shown: list[bool] = field(default_factory=list)
    first: VideoFrame | None = None
    broken: bool = False


def packets(container: InputContainer, stream: VideoStream, errors: list[Exception]) -> Iterator[Packet]:
    """Packets of a stream up to its end, past damaged places where FFmpeg can resume.

    Args:
        container: An open container.
        stream: One of its streams.
        errors: Collects what went wrong.

    Yields:
        Packets that hold data.
    """
    failures = 0
    while failures < 16:
        try:
            for packet in container.demux(stream):
                # An empty packet would tell the decoder that the stream ends.
                if packet.size:
                    failures = 0
                    yield packet
        except (av.FFmpegError, OSError, IndexError) as error:
            # IndexError: PyAV meets a stream that damage made appear in the middle of the file.
            errors.append(error)
            failures += 1
        else:
            return


def decode_packet(stream: VideoStream, packet: Packet | None, errors: list[Exception]) -> list[VideoFrame]:
    """Frames that come out of a decoder for one packet (None: those still inside); damage costs that packet only.

    Args:
        stream: The stream the packet is from.
        packet: The packet.
        errors: Collects what went wrong.

    Returns:
        The frames, possibly none.
    """
    try:
        return stream.codec_context.decode(packet)
    except (av.FFmpegError, ValueError) as error:
        errors.append(error)
        return []


def _scan(container: InputContainer, stream: VideoStream) -> _Scan:
    scan = _Scan()
    stream.codec_context.thread_count = 1
    errors: list[Exception] = []
    for packet in packets(container, stream, errors):
        scan.broken |= packet.is_corrupt
        scan.pts.append(packet.pts)
        scan.key.append(packet.is_keyframe)
        scan.shown.append(not packet.is_discard)
        if scan.first is None:
            scan.first = next(iter(decode_packet(stream, packet, [])), None)
    scan.broken |= bool(errors)
    if scan.first is None:
        scan.first = next(iter(decode_packet(stream, None, [])), None)
    return scan


def rotation_of(frame: VideoFrame) -> int:
    """Counter-clockwise quarter turns that a frame's display matrix asks for, 0 to 3."""
    return round(frame.rotation / 90) % 4


def _video_info(container: InputContainer, stream: VideoStream, frame: VideoFrame, rotate: bool) -> VideoInfo:
    turns = rotation_of(frame)
    width, height = (frame.height, frame.width) if rotate and turns % 2 else (frame.width, frame.height)
    rate = stream.average_rate or stream.guessed_rate
    duration = stream.duration * stream.time_base if stream.duration and stream.time_base else None
    if duration is None and container.duration:
        duration = Fraction(container.duration, av.time_base)
    return VideoInfo(
        container=container.format.name,
        codec=stream.codec_context.name,
        width=width,
        height=height,
        frames=0,
        duration=float(duration) if duration is not None else None,
        fps=float(rate) if rate else None,
        rotation=turns * 90,
        pixel_format=frame.format.name,
        color_space=_COLOR_SPACES.get(int(frame.colorspace)),
        color_range=_COLOR_RANGES.get(int(frame.color_range)),
    )


def _counted(info: VideoInfo, frames: int) -> VideoInfo:
    duration = frames / info.fps if info.duration is None and info.fps else info.duration
    return replace(info, frames=frames, duration=duration)


def _presentation_order(scan: _Scan) -> np.ndarray | None:
    """Places of the frames' packets in the order they are shown, or None where the times cannot tell."""
    if any(time is None for time in scan.pts):
        return None
    pts = np.array(scan.pts, dtype=np.int64)
    if True not in scan.key:
        return None
    # Nothing before the first keyframe can be decoded, nor can what leads it in where the stream was cut.
    first = scan.key.index(True)
    places = np.flatnonzero((np.arange(len(pts)) >= first) & (pts >= pts[first]) & np.array(scan.shown))
    order = places[np.argsort(pts[places], kind="stable")]
    if not len(order) or len(np.unique(pts)) != len(pts):
        return None
    reordered = np.abs(np.argsort(np.argsort(pts[places])) - np.arange(len(places))).max()
    return order if reordered <= _MAX_REORDER else None


def _count_frames(path: Path, threads: int) -> int:
    errors: list[Exception] = []
    with open_video(path) as (container, stream):
        set_threads(stream, threads)
        count = sum(len(decode_packet(stream, packet, errors)) for packet in packets(container, stream, errors))
        return count + len(decode_packet(stream, None, errors))


def set_threads(stream: VideoStream, threads: int) -> None:
    """Let a decoder use threads by frame or by slice, whichever the stream allows.

    Args:
        stream: The stream, not decoded yet.
        threads: Number of threads; 0 lets FFmpeg choose.
    """
    stream.thread_type = "AUTO"
    stream.codec_context.thread_count = threads
