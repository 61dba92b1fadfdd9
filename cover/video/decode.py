"""Decoding just the frames that are wanted, in presentation order."""

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path
from typing import NamedTuple

import av
import numpy as np
from av.packet import Packet
from av.video.frame import PictureType, VideoFrame
from av.video.stream import VideoStream

from cover.errors import VideoError
from cover.text import visible
from cover.video.frames import read_frame
from cover.video.images import read_image
from cover.video.info import VideoIndex
from cover.video.orientation import orientation_of
from cover.video.packets import decode_packet, packets, set_threads
from cover.video.probe import index_video, open_video
from cover.video.source import RawFormat

# Fewer packets than this are decoded rather than jumped over: a seek empties and refills the decoder's pipeline.
_SEEK_GAP = 16
# FFmpeg's AVCOL_SPC_UNSPECIFIED, for which it takes BT.601.
_UNSPECIFIED = 2
# Decoders that look at ``skip_frame`` again for each packet; others (dav1d) fix it when they start.
_SKIPPING = {"h264", "hevc"}


def decode(
    path: str | Path,
    indices: Iterable[int],
    *,
    threads: int = 0,
    rotate: bool = True,
    raw: RawFormat | None = None,
    stream: int | None = None,
) -> Iterator[tuple[int, np.ndarray]]:
    """Decode some frames of a file.

    Only what the wanted frames need is decoded: seeks where the container's index is reliable, no non-reference frames
    that nobody asked for. Frames are FFmpeg's default conversion to RGB, which equals decord's for 8-bit video of
    even height.

    Args:
        path: A video, an image or a folder of frames.
        indices: Frame numbers in any order; duplicates count once.
        threads: Decoder threads; 0 lets FFmpeg choose.
        rotate: Whether to turn frames as the file asks.
        raw: Layout of a headerless ``.yuv`` file.
        stream: Number of the video stream, from 0; None for the longest, of those the largest.

    Yields:
        Frame number and RGB frame, uint8 (H, W, 3), by ascending number, each once. A frame that cannot be decoded is
        replaced by the nearest one that can.

    Raises:
        VideoError: If the file cannot be read, a number is outside it, or more than half of the wanted frames are lost.
    """
    decoder = FrameDecoder(index_video(path, raw, rotate, threads, stream), indices, threads, rotate)
    yield from decoder
    if decoder.replaced * 2 > len(decoder.wanted):
        raise VideoError(f"{visible(path)}: {decoder.replaced} of {len(decoder.wanted)} frames could not be decoded")


class Tally(NamedTuple):
    """The events of a decoder so far: frames that came out, wanted ones replaced, patched ones, complaints."""

    decoded: int = 0
    replaced: int = 0
    corrupt: int = 0
    complaints: int = 0


class FrameDecoder:
    """Iterates over wanted frames of an indexed file and counts what happened; see :func:`decode`.

    Args:
        index: The file's index.
        wanted: Frame numbers.
        threads: Decoder threads; 0 lets FFmpeg choose.
        rotate: Whether to turn frames as the file asks.

    Attributes:
        wanted: Distinct frame numbers, ascending.
        decoded: Frames that came out of the decoder.
        replaced: Wanted frames that could not be decoded.
        corrupt: Frames that came out although parts of them are made up (FFmpeg conceals damage).
        errors: What the demuxer and the decoder complained of.
        unknown_matrix: Whether frames were converted as BT.601, since FFmpeg cannot convert from their own matrix.

    Raises:
        VideoError: If a frame number is outside the file.
    """

    def __init__(self, index: VideoIndex, numbers: Iterable[int], threads: int = 0, rotate: bool = True) -> None:
        self.wanted = sorted(set(numbers))
        self.decoded = 0
        self.replaced = 0
        self.corrupt = 0
        self.errors: list[Exception] = []
        self.unknown_matrix = False
        self._index, self._threads, self._rotate = index, threads, rotate
        for number in self.wanted[:1] + self.wanted[-1:]:
            if not 0 <= number < index.info.frames:
                there = f"there is no frame {number}; it has {index.info.frames}" if index.info.frames else "no frames"
                raise VideoError(f"{visible(index.path)}: {there}")
        self._pending: deque[int] = deque()

    def __iter__(self) -> Iterator[tuple[int, np.ndarray]]:
        self._pending = deque(self.wanted)
        if self._index.files:
            yield from self._pictures()
        elif self._index.info.image:
            yield from self._image()
        elif self._index.frame_bytes:
            yield from self._headerless()
        else:
            yield from self._seeking() if self._index.seekable else ()
            # What seeking was not sure of, or everything.
            yield from self._from_the_start() if self._pending else ()

    @property
    def tally(self) -> Tally:
        """The counts so far."""
        return Tally(self.decoded, self.replaced, self.corrupt, len(self.errors))

    def _image(self) -> Iterator[tuple[int, np.ndarray]]:
        if self._pending:
            self.decoded = 1
            yield 0, read_image(self._index.path, rotate=self._rotate)

    def _pictures(self) -> Iterator[tuple[int, np.ndarray]]:
        for number in self.wanted:
            number_read, picture = read_frame(self._index, number, self._rotate)
            self.decoded += 1
            self.replaced += number_read != number
            yield number, picture

    def _rgb(self, frame: VideoFrame) -> np.ndarray:
        try:
            rgb = frame.to_ndarray(format="rgb24")
        except (av.FFmpegError, ValueError):
            rgb = self._rgb_of_unknown_matrix(frame)
        if not self._rotate:
            return rgb
        turned = orientation_of(frame)
        return (self._index.orientation if turned is None else turned)(rgb)

    def _rgb_of_unknown_matrix(self, frame: VideoFrame) -> np.ndarray:
        """Convert as though the frame had no tag: FFmpeg's converter refuses YCgCo, ICtCp and their like."""
        frame.colorspace = _UNSPECIFIED
        try:
            rgb = frame.to_ndarray(format="rgb24")
        except (av.FFmpegError, ValueError) as error:
            raise VideoError(
                f"{visible(self._index.path)}: {frame.format.name} frames cannot be converted to RGB: {error}"
            ) from None
        self.unknown_matrix = True
        return rgb

    def _headerless(self) -> Iterator[tuple[int, np.ndarray]]:
        """Frames of one size without anything between them: each is where it must be."""
        index = self._index
        with open_video(index.path, index.raw) as (_, stream), index.path.open("rb") as file:
            for number in self.wanted:
                file.seek(number * index.frame_bytes)
                packet = Packet(file.read(index.frame_bytes))
                yield from ((number, self._rgb(frame)) for frame in self._output(stream, packet))

    def _from_the_start(self) -> Iterator[tuple[int, np.ndarray]]:
        index = self._index
        with open_video(index.path, index.raw, index.stream) as (container, stream):
            set_threads(stream, self._threads)
            source = packets(container, stream, self.errors)
            if index.counted:
                every = chain(source, [None])
                frames = enumerate(frame for packet in every for frame in self._output(stream, packet))
                yield from self._match(frames, self.wanted[-1], patient=True)
            else:
                segment = _segment(index, None, list(self._pending))
                yield from self._match(self._run(stream, source, 0, segment), self.wanted[-1], patient=True)

    def _seeking(self) -> Iterator[tuple[int, np.ndarray]]:
        """Decode from keyframe to keyframe; stops early, leaving frames pending, where the index proves wrong."""
        index = self._index
        with open_video(index.path, index.raw, index.stream) as (container, stream):
            set_threads(stream, self._threads)
            for segment in _plan(index, self.wanted):
                place: int | None = 0
                if segment.key is not None:
                    try:
                        container.seek(int(index.key_pts[segment.key]), stream=stream)
                    except av.FFmpegError:
                        return
                source = packets(container, stream, self.errors)
                first = next(source, None)
                if first is None:
                    return
                if segment.key is not None:
                    place = index.packet_positions.get(first.pts) if first.pts is not None else None
                    if place is None or place > index.key_positions[segment.key]:
                        return
                frames = self._run(stream, chain([first], source), place or 0, segment)
                yield from self._match(frames, segment.last, patient=False)
                if self._pending and self._pending[0] <= segment.last:
                    return

    def _run(
        self, stream: VideoStream, source: Iterable[Packet], place: int, segment: "_Seek"
    ) -> Iterator[tuple[int, VideoFrame]]:
        """Decode a segment's packets, the first of which is packet number ``place`` of the file."""
        index = self._index
        assert index.pts is not None
        start = None if segment.key is None else int(index.key_pts[segment.key])
        for packet in chain(islice(source, segment.end + 1 - place), [None]):
            if packet is not None and stream.codec_context.name in _SKIPPING:
                stream.codec_context.skip_frame = "DEFAULT" if place in segment.places else "NONREF"
            for frame in self._output(stream, packet):
                if frame.pts is None or (start is not None and frame.pts < start):
                    continue  # leads in an open group of pictures: its references were jumped over
                if frame.pts == start and not (frame.key_frame or frame.pict_type == PictureType.I):
                    return  # the container calls a frame a keyframe, but it is not one
                number = int(np.searchsorted(index.pts, frame.pts))
                if number < len(index.pts) and index.pts[number] == frame.pts:
                    yield number, frame
            place += 1

    def _output(self, stream: VideoStream, packet: Packet | None) -> list[VideoFrame]:
        frames = decode_packet(stream, packet, self.errors)
        self.decoded += len(frames)
        return frames

    def _match(
        self, frames: Iterable[tuple[int, VideoFrame]], last: int, patient: bool
    ) -> Iterator[tuple[int, np.ndarray]]:
        """Pick the pending frames up to number ``last`` from decoded ones.

        One that does not come is replaced by its nearest neighbour, which is kept as the decoder gave it (not yet RGB).
        Without patience that is done only where the decoder complained; otherwise this stops, leaving it pending.
        """
        complaints = len(self.errors)
        before: tuple[int, VideoFrame] | None = None
        for number, frame in frames:
            self.corrupt += frame.is_corrupt
            while self._pending and self._pending[0] < number and self._pending[0] <= last:
                if not patient and len(self.errors) == complaints:
                    return
                lost = self._pending.popleft()
                self.replaced += 1
                yield lost, self._rgb(before[1] if before and lost - before[0] <= number - lost else frame)
            if self._pending and self._pending[0] == number:
                self._pending.popleft()
                yield number, self._rgb(frame)
            if not self._pending or self._pending[0] > last:
                return
            before = number, frame
        if before is None or (not patient and len(self.errors) == complaints):
            if patient:
                raise VideoError(f"{visible(self._index.path)}: not one of the wanted frames could be decoded")
            return
        while self._pending and self._pending[0] <= last:
            self.replaced += 1
            yield self._pending.popleft(), self._rgb(before[1])


@dataclass(frozen=True)
class _Seek:
    """A run of packets decoded without a seek in between.

    Attributes:
        key: Number of the keyframe to seek to, or None to start where the file starts.
        last: Highest wanted frame number.
        places: Places of the wanted frames' packets.
        end: The highest of them.
    """

    key: int | None
    last: int
    places: frozenset[int]
    end: int


def _segment(index: VideoIndex, key: int | None, numbers: list[int]) -> _Seek:
    places = frozenset(index.positions[numbers].tolist())
    return _Seek(key, numbers[-1], places, max(places))


def _plan(index: VideoIndex, frame_numbers: list[int]) -> list[_Seek]:
    """Cut the wanted frames into segments worth a seek.

    A frame is decoded from the last keyframe shown no later than itself; this is right for the leading frames of an
    open group of pictures too, which are stored after a keyframe but refer to what comes before it.
    """
    assert index.pts is not None
    groups: list[tuple[int | None, list[int]]] = []
    end = 0
    for number in frame_numbers:
        place = int(index.positions[number])
        key = int(np.searchsorted(index.key_pts, index.pts[number], side="right")) - 1
        while key > 0 and index.key_positions[key] > place:
            key -= 1
        # Frames shown before the first keyframe can only be reached from the start.
        if key >= 0 and index.key_positions[key] - end > _SEEK_GAP:
            groups.append((key, [number]))
        elif groups:
            groups[-1][1].append(number)
        else:
            groups.append((None, [number]))
        end = max(end, place)
    return [_segment(index, key, numbers) for key, numbers in groups]
