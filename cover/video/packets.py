"""Packets and frames of a stream: reading past damage, what the packets say, and counting what a decoder gives."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import av
import numpy as np
from av.container import InputContainer
from av.packet import Packet
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

# No codec reorders frames by more than 16; a jump beyond this means that time stamps restart within the file.
_MAX_REORDER = 64
# Frames decoded to find out which come before the first keyframe; more of them are counted instead.
_MOST_LEADING = 300
# Packets whose order is looked at together: of short groups of pictures several, since what leads in an open group can
# only be decoded after the group before it, and of a long one no more than so many.
_SHORTEST_RUN, _LONGEST_GROUP = 24, 512
_LEADING_IN = 8
# Groups, and packets of each, that are looked at where a stream does not say whether it reorders.
_FIRST_GROUPS, _FIRST_PACKETS = 3, 24
# Of reordered packets, far more than one in this many has an earlier time than the one before.
_SELDOM = 16


@dataclass
class Scan:
    """The packets of a stream in file order, and the start of decoding.

    Attributes:
        pts: Presentation time of each packet.
        key: Whether decoding can start from it, as the container says.
        shown: Whether its frame is to be shown.
        first: The first frame.
        leading: Times of the frames that the decoder gives up to that of the first keyframe, None where they are
            unknown.
        head: The first packet's bytes.
        misleading: Whether frames come out of the decoder in another order than their times say.
        encrypted: Whether packets are encrypted.
        broken: Whether something in the container is damaged.
    """

    pts: list[int | None] = field(default_factory=list)
    key: list[bool] = field(default_factory=list)
    shown: list[bool] = field(default_factory=list)
    first: VideoFrame | None = None
    leading: set[int] | None = field(default_factory=set)
    head: bytes = b""
    misleading: bool = False
    encrypted: bool = False
    broken: bool = False


def packets(
    container: InputContainer, streams: VideoStream | Iterable[VideoStream], errors: list[Exception]
) -> Iterator[Packet]:
    """Packets of a stream up to its end, past damaged places where FFmpeg can resume.

    Args:
        container: An open container.
        streams: One of its streams, or several.
        errors: Collects what went wrong.

    Yields:
        Packets that hold data.
    """
    chosen = [streams] if isinstance(streams, VideoStream) else list(streams)
    failures = 0
    while failures < 16:
        try:
            for packet in container.demux(chosen):
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


def set_threads(stream: VideoStream, threads: int) -> None:
    """Let a decoder use threads by frame or by slice, whichever the stream allows.

    Args:
        stream: The stream, not decoded yet.
        threads: Number of threads; 0 lets FFmpeg choose.
    """
    stream.thread_type = "AUTO"
    stream.codec_context.thread_count = threads


def scan_packets(container: InputContainer, stream: VideoStream, *, timed: bool) -> Scan:
    """Read every packet of a stream, decoding what has to be: up to the first keyframe, and where times are in doubt.

    Args:
        container: An open container.
        stream: Its stream, not decoded yet.
        timed: Whether times count at all; else nothing is decoded to find out whether they mislead.

    Returns:
        What was found.
    """
    scan = Scan()
    stream.codec_context.thread_count = 1
    errors: list[Exception] = []
    beginning, order = _Beginning(scan), _OrderCheck(stream)
    for packet in packets(container, stream, errors):
        scan.broken |= packet.is_corrupt
        scan.encrypted |= packet.has_sidedata("encryption_info")
        scan.pts.append(packet.pts)
        scan.key.append(packet.is_keyframe)
        scan.shown.append(not packet.is_discard)
        scan.head = scan.head or bytes(packet)
        if not beginning.over:
            beginning.add(decode_packet(stream, packet, []))
        order.add(packet, checking=timed and beginning.over)
    scan.broken |= bool(errors)
    if not beginning.over:
        beginning.add(decode_packet(stream, None, []))
    order.end(checking=timed and beginning.over)
    scan.misleading = order.misleading
    return scan


class _OrderCheck:
    """A look for decoding times that are given as presentation times.

    Where a decoder reorders frames, their packets' times go up and down; in a group of pictures whose times (nearly)
    only rise, either nothing is reordered, or the times are those of decoding. The decoder shows which: such a group,
    with the next ones where it is short, is decoded, and its frames have to come out with rising times.
    """

    def __init__(self, stream: VideoStream) -> None:
        self.misleading = False
        self._stream = stream
        self._group: list[Packet] = []
        self._groups = 0

    def add(self, packet: Packet, *, checking: bool) -> None:
        if packet.is_keyframe and len(self._group) >= _SHORTEST_RUN:
            self.end(checking=checking)
        if len(self._group) < _LONGEST_GROUP:
            self._group.append(packet)

    def end(self, *, checking: bool) -> None:
        """Check a run of whole groups, if the decoder is free for it."""
        group, self._group = self._group, []
        self._groups += 1
        if checking and not self.misleading and self._is_doubtful(group):
            self._check(group)

    def _is_doubtful(self, group: Sequence[Packet]) -> bool:
        context = self._stream.codec_context
        # An H.264 stream may leave it to the decoder to find out, and then says no at first.
        reorders = context.has_b_frames or (context.name == "h264" and self._groups <= _FIRST_GROUPS)
        times = [packet.pts for packet in group if packet.pts is not None]
        falls = sum(later < earlier for earlier, later in pairwise(times))
        return bool(reorders) and len(times) == len(group) >= 3 and falls * _SELDOM < len(group)

    def _check(self, group: Sequence[Packet]) -> None:
        context = self._stream.codec_context
        unsure = not context.has_b_frames
        errors: list[Exception] = []
        context.flush_buffers()
        sent = [*(group[:_FIRST_PACKETS] if unsure else group), None]
        frames: list[VideoFrame] = []
        for place, packet in enumerate(sent):
            # What leads in an open group cannot be decoded without the group before it, which is no damage.
            frames += decode_packet(self._stream, packet, errors if place >= _LEADING_IN else [])
        context.flush_buffers()
        times = [frame.pts for frame in frames if frame.pts is not None]
        falls = sum(later < earlier for earlier, later in pairwise(times))
        damage = len(errors) + sum(frame.is_corrupt for frame in frames)  # which may put a frame or two anywhere
        self.misleading = falls > 2 * damage or (unsure and not damage and bool(context.has_b_frames))


class _Beginning:
    """The frames up to that of the first keyframe: what leads it in may decode or not, which only the decoder knows."""

    def __init__(self, scan: Scan) -> None:
        self.over = False
        self._scan, self._frames = scan, 0

    def add(self, frames: Iterable[VideoFrame]) -> None:
        scan = self._scan
        start = scan.pts[scan.key.index(True)] if True in scan.key else None
        for frame in frames:
            scan.first = scan.first or frame
            self._frames += 1
            if frame.pts is None or self._frames > _MOST_LEADING:
                scan.leading, self.over = None, True
            elif scan.leading is not None:
                scan.leading.add(frame.pts)
                self.over = start is not None and frame.pts >= start
            if self.over:
                return


def presentation_order(scan: Scan) -> np.ndarray | None:
    """Places of the frames' packets in the order they are shown, or None where the times cannot tell."""
    if any(time is None for time in scan.pts) or True not in scan.key or scan.leading is None:
        return None
    pts = np.array(scan.pts, dtype=np.int64)
    first = scan.key.index(True)
    regular = (np.arange(len(pts)) >= first) & (pts >= pts[first])
    leading = np.isin(pts, np.fromiter(scan.leading, np.int64, len(scan.leading)))
    places = np.flatnonzero((regular | leading) & np.array(scan.shown))
    order = places[np.argsort(pts[places], kind="stable")]
    if not len(order) or len(np.unique(pts)) != len(pts):
        return None
    reordered = np.abs(np.argsort(np.argsort(pts[places])) - np.arange(len(places))).max()
    return order if reordered <= _MAX_REORDER else None


def count_frames(container: InputContainer, stream: VideoStream, threads: int) -> int:
    """Count the frames that a decoder gives, by decoding all of them.

    Args:
        container: An open container.
        stream: Its stream, not decoded yet.
        threads: Decoder threads; 0 lets FFmpeg choose.
    """
    errors: list[Exception] = []
    set_threads(stream, threads)
    count = sum(len(decode_packet(stream, packet, errors)) for packet in packets(container, stream, errors))
    return count + len(decode_packet(stream, None, errors))
