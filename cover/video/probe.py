"""Probing and indexing of files: one pass over the packets, decoding no more than the first frame where possible."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.container import InputContainer
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from cover.errors import VideoError
from cover.text import visible
from cover.video.frames import index_frames
from cover.video.images import image_info, orientation_in_jpeg
from cover.video.info import VideoIndex, VideoInfo
from cover.video.orientation import UPRIGHT, Orientation, orientation_of
from cover.video.packets import Scan, count_frames, decode_packet, packets, presentation_order, scan_packets
from cover.video.source import (
    MAX_IMAGE_BYTES,
    MAX_PIXELS,
    RAW_SUFFIX,
    RawFormat,
    check_claim,
    check_path,
    open_container,
)
from cover.video.streams import choose_stream, numbered_stream, rivals

# Containers whose index was found to lead to the right frame; in the others a seek may land anywhere.
_SEEKABLE = {"mov,mp4,m4a,3gp,3g2,mj2", "matroska,webm"}
# These store decoding times only (or none), so that a presentation time is FFmpeg's guess.
_UNNOTICED, _UNNOTICED_SHARE = 0.5, 0.05  # s, and share of the duration: a shorter gap at the end is usual
_WITHOUT_PTS = {"avi"}
_COLOR_SPACES = {
    0: "rgb",
    1: "bt709",
    4: "fcc",
    5: "bt470bg",
    6: "smpte170m",
    7: "smpte240m",
    8: "ycgco",
    9: "bt2020nc",
    10: "bt2020c",
    11: "smpte2085",
    12: "chroma-derived-nc",
    13: "chroma-derived-c",
    14: "ictcp",
    15: "ipt-c2",
    16: "ycgco-re",
    17: "ycgco-ro",
}
_HDR = {16: "PQ", 18: "HLG"}
_COLOR_RANGES = {1: "tv", 2: "pc"}


def probe(path: str | Path, raw: RawFormat | None = None, rotate: bool = True, stream: int | None = None) -> VideoInfo:
    """Find out what a file holds.

    The frame count comes from the packets, never from the header, which is wrong or missing in real files. Files whose
    times do not tell the order of the frames are decoded once to count them: ``.avi`` and bare streams have none, and
    some recorders and remuxers write decoding times instead.

    Args:
        path: The file, or a folder of frames.
        raw: Layout of a headerless ``.yuv`` file.
        rotate: Whether ``width`` and ``height`` are those after rotation.
        stream: Number of the video stream, from 0; None for the longest, of those the largest.

    Returns:
        What it holds.

    Raises:
        VideoError: If it is not a video or image, or nothing in it can be decoded.
    """
    return index_video(path, raw, rotate, stream=stream).info


def index_video(
    path: str | Path,
    raw: RawFormat | None = None,
    rotate: bool = True,
    threads: int = 0,
    stream: int | None = None,
    fps: float | None = None,
    max_image_bytes: int = MAX_IMAGE_BYTES,
) -> VideoIndex:
    """Find out what a file holds and where each frame is.

    Args:
        path: The file, or a folder of frames.
        raw: Layout of a headerless ``.yuv`` file.
        rotate: Whether ``width`` and ``height`` are those after rotation.
        threads: Decoder threads where frames have to be counted by decoding; 0 lets FFmpeg choose.
        stream: Number of the video stream, from 0; None for the longest, of those the largest.
        fps: Frame rate of a folder of frames; ignored for files.
        max_image_bytes: Largest still image, decoded.

    Returns:
        The index.

    Raises:
        VideoError: If it is not a video or image, or nothing in it can be decoded.
    """
    if Path(path).is_dir():
        return index_frames(Path(path), fps, rotate, max_image_bytes)
    path = check_path(path)
    if path.suffix.lower() == RAW_SUFFIX:
        return _index_headerless(path, raw)
    index = _index_image(path, rotate, max_image_bytes)
    if index is not None:
        return index
    with open_video(path, stream=stream) as (container, video):
        several = rivals(container)
        if stream is None and len(several) > 1:
            stream, note = choose_stream(container, several)
        else:
            return _index_video(path, container, video, rotate, threads)
    index = index_video(path, rotate=rotate, threads=threads, stream=stream)
    return replace(index, notes=(note, *index.notes))


@contextmanager
def open_video(
    path: Path, raw: RawFormat | None = None, stream: int | None = None
) -> Iterator[tuple[InputContainer, VideoStream]]:
    """Open one stream of a video; see :func:`cover.video.source.open_container`.

    Args:
        path: A regular file.
        raw: Layout of the frames; used for ``.yuv`` files only.
        stream: Its number, from 0; None for the likeliest.

    Yields:
        The container and the stream.

    Raises:
        VideoError: If the file is no video or has no such stream.
    """
    with open_container(path, raw) as container:
        yield container, numbered_stream(container, path, stream)


def _index_image(path: Path, rotate: bool, max_image_bytes: int) -> VideoIndex | None:
    image = image_info(path, max_image_bytes)
    if image is None:
        return None
    height, width = (image.orientation if rotate else UPRIGHT).size(image.height, image.width)
    info = VideoInfo(
        image.format,
        image.format,
        width,
        height,
        1,
        rotation=image.orientation.turns * 90,
        mirrored=image.orientation.mirrored,
        pixel_format=image.mode,
        image=True,
    )
    return VideoIndex(path, info, notes=("only the first of several pictures was scored",) if image.several else ())


def _index_video(path: Path, container: InputContainer, stream: VideoStream, rotate: bool, threads: int) -> VideoIndex:
    check_claim(path, stream.codec_context.width, stream.codec_context.height)
    timed = container.format.name not in _WITHOUT_PTS
    scan = scan_packets(container, stream, timed=timed)
    number = list(container.streams.video).index(stream)
    if scan.encrypted:  # of which some frames may come out, as noise
        raise VideoError(f"{visible(path)}: encrypted; decrypt it first")
    if scan.first is None:
        raise VideoError(f"{visible(path)}: not one frame could be decoded")
    orientation = _orientation(scan, stream)
    info = _video_info(container, stream, scan.first, orientation, rotate)
    if info.width * info.height > MAX_PIXELS:
        raise VideoError(f"{visible(path)}: frames are larger than the limit of {MAX_PIXELS} pixels")
    notes = _notes(scan, stream)
    order = presentation_order(scan) if timed else None
    pts = np.array([] if order is None else scan.pts, dtype=np.int64)  # some are None where there is no order
    times = None if order is None else pts[order]
    if order is None or scan.misleading:
        with open_video(path, stream=number) as opened:
            count = count_frames(*opened, threads)
        times = times if times is not None and len(times) == count else None
        index = VideoIndex(
            path,
            _counted(info, count),
            stream=number,
            pts=times,
            counted=True,
            orientation=orientation,
            time_base=stream.time_base,
            notes=notes,
        )
        return _ended_early(index, container)
    keys = np.flatnonzero(scan.key)
    keys = keys[np.argsort(pts[keys], kind="stable")]
    index = VideoIndex(
        path,
        _counted(info, len(order)),
        stream=number,
        pts=times,
        positions=order,
        key_pts=pts[keys],
        key_positions=keys,
        packet_positions={int(time): place for place, time in enumerate(pts.tolist())},
        orientation=orientation,
        seekable=info.container in _SEEKABLE,
        time_base=stream.time_base,
        notes=notes,
    )
    return _ended_early(index, container)


def _ended_early(index: VideoIndex, container: InputContainer) -> VideoIndex:
    """Compare the end of the frames with the duration in the header, which a file that is cut short keeps.

    Returns:
        The index; with the duration of the frames and a note where they end long before the promised end.
    """
    info = index.info
    if info.duration is None or not info.fps or index.pts is None or not len(index.pts) or index.time_base is None:
        return index
    start = (container.start_time or 0) / av.time_base  # counts in a duration of the container
    longest = max(1 / info.fps, float(np.diff(index.times).max(initial=0.0)))
    # The last frame of a slide show may stay for as long as another one did.
    if info.duration - index.end <= max(_UNNOTICED, _UNNOTICED_SHARE * info.duration, 2 * longest, start):
        return index
    note = f"the frames end at {index.end:.1f} s of the {info.duration:.1f} s that the header promises"
    return replace(index, info=replace(info, duration=index.end), notes=(*index.notes, note))


def _orientation(scan: Scan, stream: VideoStream) -> Orientation:
    assert scan.first is not None
    orientation = orientation_of(scan.first)
    if orientation is not None:
        return orientation
    # PyAV cannot list side data of a kind that it does not know, such as the EXIF of Motion JPEG.
    if stream.codec_context.name == "mjpeg":
        return orientation_in_jpeg(scan.head)
    return Orientation(round(scan.first.rotation / 90) % 4)


def _notes(scan: Scan, stream: VideoStream) -> tuple[str, ...]:
    assert scan.first is not None
    notes = ["the file is damaged or cut short"] if scan.broken else []
    # The container's tag counts where the stream itself has none.
    curve = next((curve for curve in (scan.first.color_trc, stream.codec_context.color_trc) if curve in _HDR), None)
    if curve is not None:
        notes.append(f"HDR ({_HDR[curve]}) was scored as it is stored, without tone mapping")
    return tuple(notes)


def _index_headerless(path: Path, raw: RawFormat | None) -> VideoIndex:
    with open_video(path, raw) as (container, stream):
        packet = next(packets(container, stream, []), None)
        frame = next(iter(decode_packet(stream, packet, [])), None) if packet else None
        if packet is None or frame is None:
            raise VideoError(f"{visible(path)}: shorter than one frame of the size and pixel format given in data.raw")
        info = _video_info(container, stream, frame, UPRIGHT, rotate=False)
    count = path.stat().st_size // packet.size
    duration = count / info.fps if info.fps else None
    return VideoIndex(path, replace(info, frames=count, duration=duration), raw, frame_bytes=packet.size)


def _video_info(
    container: InputContainer, stream: VideoStream, frame: VideoFrame, orientation: Orientation, rotate: bool
) -> VideoInfo:
    height, width = (orientation if rotate else UPRIGHT).size(frame.height, frame.width)
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
        rotation=orientation.turns * 90,
        mirrored=orientation.mirrored,
        pixel_format=frame.format.name,
        color_space=_COLOR_SPACES.get(int(frame.colorspace)),
        color_range=_COLOR_RANGES.get(int(frame.color_range)),
    )


def _counted(info: VideoInfo, frames: int) -> VideoInfo:
    duration = frames / info.fps if info.duration is None and info.fps else info.duration
    return replace(info, frames=frames, duration=duration)
