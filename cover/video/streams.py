"""The choice of a container's video stream."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import av.stream
from av.container import InputContainer
from av.video.stream import VideoStream

from cover.errors import VideoError
from cover.text import visible
from cover.video.packets import packets

_PICTURES = av.stream.Disposition.attached_pic | av.stream.Disposition.timed_thumbnails
# Streams of one recording end within some frames of each other.
_ABOUT_AS_LONG = 0.9
# Pictures with times far apart (covers, slides) are not videos, however long they take: share of the most frames.
_OF_A_VIDEO = 0.1


def numbered_stream(container: InputContainer, path: Path, number: int | None) -> VideoStream:
    """Give a video stream by number, or the likeliest as far as headers tell.

    Args:
        container: An open container.
        path: Its file, for messages.
        number: Number among the video streams, from 0 (FFmpeg's ``v:N``); None for the likeliest.

    Raises:
        VideoError: There is no such stream, or it cannot be decoded.
    """
    every = container.streams.video
    if number is None:
        videos = rivals(container)
        best = container.streams.best("video")
        chosen = next((video for video in videos if video is best), next(iter(videos), None))
    elif number < len(every):
        chosen = every[number] if every[number].codec_context is not None else None
    else:
        raise VideoError(f"{visible(path)}: data.stream={number}: it has {_of(every)}")
    if chosen is None:
        if number is None and all(stream.disposition & _PICTURES for stream in every):
            others = "only audio with cover art" if every else f"only {_contents(container)}"
            raise VideoError(f"{visible(path)}: no video stream ({others})")
        raise VideoError(f"{visible(path)}: FFmpeg has no decoder for its video codec")
    return chosen


def _of(streams: Sequence[VideoStream]) -> str:
    return "one video stream, number 0" if len(streams) == 1 else f"video streams 0 to {len(streams) - 1}"


def rivals(container: InputContainer) -> list[VideoStream]:
    """List the streams of a container that can be decoded and are no attached pictures."""
    return [
        stream
        for stream in container.streams.video
        if stream.codec_context is not None and not stream.disposition & _PICTURES
    ]


@dataclass
class _Extent:
    stream: VideoStream
    packets: int = 0
    first: float = float("inf")
    last: float = float("-inf")

    @property
    def seconds(self) -> float:
        """Time from the first to the last picture; a still has none."""
        return self.last - self.first if self.packets > 1 else 0.0

    @property
    def pixels(self) -> int:
        return (self.stream.codec_context.width or 0) * (self.stream.codec_context.height or 0)


def choose_stream(container: InputContainer, streams: list[VideoStream]) -> tuple[int, str]:
    """Choose the longest of several streams; of those about as long the largest, then FFmpeg's own choice, the first.

    What a header says of length and default is often missing or wrong (a still before the video, a preview flagged
    as default), so that the packets are read.

    Args:
        container: An open container; read to its end.
        streams: At least two of its video streams.

    Returns:
        The number of the stream among the video streams, and a note that says which it is of how many.
    """
    extents = {stream.index: _Extent(stream) for stream in streams}
    for packet in packets(container, streams, []):
        extent = extents[packet.stream.index]
        extent.packets += 1
        time = packet.pts if packet.pts is not None else packet.dts
        if time is not None and packet.time_base:
            seconds = float(time * packet.time_base)
            extent.first, extent.last = min(extent.first, seconds), max(extent.last, seconds)
    best = container.streams.best("video")
    most = max(extent.packets for extent in extents.values())
    videos = [extent for extent in extents.values() if extent.packets >= most * _OF_A_VIDEO]
    longest = max(extent.seconds for extent in videos)
    long = [extent for extent in videos if extent.seconds >= longest * _ABOUT_AS_LONG]
    chosen = max(long, key=lambda candidate: (candidate.pixels, candidate.packets > 1, candidate.stream is best))
    every = container.streams.video
    number = next(place for place, stream in enumerate(every) if stream.index == chosen.stream.index)
    size = f"{chosen.stream.codec_context.width}x{chosen.stream.codec_context.height}"
    return number, (
        f"it has {len(streams)} video streams: stream {number} of 0..{len(every) - 1} ({size}) was scored; "
        "data.stream=N takes another"
    )


def _contents(container: InputContainer) -> str:
    return " and ".join(sorted({stream.type for stream in container.streams})) or "an empty container"
