"""Coding of frames in memory: near-lossless clips to keep, lossy ones to watch, damaged streams."""

import io
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from fractions import Fraction

import av
import numpy as np
from av.packet import Packet
from av.video.codeccontext import VideoCodecContext
from av.video.stream import VideoStream

STORE_ENCODER = "libx264"
# x264 gives the same bytes again with one thread only, and without mbtree, which reads memory that nobody has set.
_X264 = {"threads": "1", "mbtree": "0"}
# What is added on top of a distortion stays invisible.
_STORE_OPTIONS = {"crf": "12", "preset": "superfast", **_X264}

# Encoder -> its decoder, and options that make it single-threaded and fast.
_CODECS: Mapping[str, tuple[str, Mapping[str, str]]] = {
    "libx264": ("h264", {"preset": "veryfast", **_X264}),
    "libx265": (
        "hevc",
        {"preset": "superfast", "x265-params": "log-level=none:pools=none:frame-threads=1:wpp=0"},
    ),
    "libvpx-vp9": ("vp9", {"deadline": "realtime", "cpu-used": "7", "threads": "1", "lag-in-frames": "0"}),
    "mpeg4": ("mpeg4", {"threads": "1"}),
    "mpeg2video": ("mpeg2video", {"threads": "1"}),
    "mjpeg": ("mjpeg", {"threads": "1"}),
}
_CONSTANT_QUALITY = {"libx264", "libx265", "libvpx-vp9"}  # takes crf; the others a quantiser
_FULL_RANGE = {"mjpeg"}
_RATE = 25  # frames a second that rate control is told of
_START_CODE = re.compile(b"\x00\x00\x01")


def has_encoder(name: str) -> bool:
    """Return whether the installed PyAV can encode with FFmpeg's encoder of that name."""
    try:
        av.Codec(name, "w")
    except ValueError:
        return False
    return True


def store(frames: Sequence[np.ndarray] | np.ndarray, rate: Fraction) -> bytes:
    """Encode a visually lossless clip: H.264 at CRF 12, yuv420p, in MP4.

    Args:
        frames: RGB, uint8 (T, H, W, 3), of even height and width.
        rate: Frames per second.

    Returns:
        The file. The same frames give the same bytes.
    """
    file = io.BytesIO()
    with av.open(file, "w", format="mp4") as output:
        stream = output.add_stream(STORE_ENCODER, rate=rate, options=dict(_STORE_OPTIONS))
        assert isinstance(stream, VideoStream)
        stream.height, stream.width = frames[0].shape[:2]
        stream.pix_fmt = "yuv420p"
        for frame in _video_frames(frames, "yuv420p"):
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
    return file.getvalue()


def transcode(frames: np.ndarray, encoder: str, quality: float) -> np.ndarray:
    """Code and decode frames with a lossy codec at a constant quality.

    Args:
        frames: RGB, uint8 (T, H, W, 3), of even height and width.
        encoder: FFmpeg's name of an encoder (``libx264``, ``libx265``, ``libvpx-vp9``, ``mpeg4``, ``mpeg2video``,
            ``mjpeg``).
        quality: CRF of the first three, quantiser of the others.

    Returns:
        RGB, uint8 (T, H, W, 3).
    """
    return decoded(encoded(frames, encoder, _quality_options(encoder, quality)), encoder, frames)


def transcode_at_rate(frames: np.ndarray, encoder: str, reference: float, share: float) -> np.ndarray:
    """Code and decode frames with a lossy codec at a bitrate, by the rate control of streaming (a buffer of a second).

    Args:
        frames: RGB, uint8 (T, H, W, 3), of even height and width.
        encoder: FFmpeg's name of an encoder with CRF.
        reference: The CRF that says how many bits this content needs.
        share: The bitrate as a share of what the content takes at that CRF.

    Returns:
        RGB, uint8 (T, H, W, 3).
    """
    size = sum(packet.size for packet in encoded(frames, encoder, _quality_options(encoder, reference)))
    bits = max(1000, round(size * 8 * _RATE / len(frames) * share))
    return decoded(encoded(frames, encoder, {"maxrate": str(bits), "bufsize": str(bits)}, bits), encoder, frames)


def encoded(frames: np.ndarray, encoder: str, options: Mapping[str, str], bit_rate: int = 0) -> list[Packet]:
    """Encodes frames without a container; headers are in the stream."""
    context = av.CodecContext.create(encoder, "w")
    assert isinstance(context, VideoCodecContext)
    context.height, context.width = frames.shape[1:3]
    context.pix_fmt = "yuvj420p" if encoder in _FULL_RANGE else "yuv420p"
    context.framerate, context.time_base = Fraction(_RATE), Fraction(1, _RATE)
    context.bit_rate = bit_rate
    context.options = {**_CODECS[encoder][1], **options}
    packets = [packet for frame in _video_frames(frames, context.pix_fmt) for packet in context.encode(frame)]
    return [*packets, *context.encode(None)]


def decoded(packets: Iterable[Packet], encoder: str, frames: np.ndarray) -> np.ndarray:
    """Decodes as many frames as were encoded; one that does not come is a repetition of the one before it.

    Args:
        packets: As :func:`encoded` gave them, or damaged.
        encoder: What they come from.
        frames: What was encoded: for shape, and for a start that does not come.

    Returns:
        RGB, uint8 (T, H, W, 3).
    """
    context = av.CodecContext.create(_CODECS[encoder][0], "r")
    assert isinstance(context, VideoCodecContext)
    context.thread_count = 1  # with more, what is made up for damaged parts depends on timing
    by_number: dict[int, np.ndarray] = {}
    for packet in [*packets, None]:
        try:
            pictures = context.decode(packet)
        except av.FFmpegError:  # a damaged packet costs its picture
            continue
        for picture in pictures:
            if picture.pts is not None and (picture.height, picture.width) == frames.shape[1:3]:
                by_number[picture.pts] = picture.to_ndarray(format="rgb24")
    result = np.empty_like(frames)
    last = frames[0]
    for number in range(len(frames)):
        last = result[number] = by_number.get(number, last)
    return result


def lose_slices(packets: Sequence[Packet], encoder: str, share: float, rng: np.random.Generator) -> list[Packet]:
    """Takes slices out of a stream or overwrites their ends, as a bad channel does; the first picture is spared.

    Which slices are hit at a low share are hit at a higher one too.

    Args:
        packets: One a picture, of H.264 (Annex B) or MPEG-2.
        encoder: ``libx264`` or ``mpeg2video``.
        share: Of all slices, above 0; at least one in the first third of the clip is hit.
        rng: Chooses the slices.

    Returns:
        The packets with what is left in them.
    """
    parts = [_units(bytes(packet)) for packet in packets]
    slices = [
        (number, place)
        for number, units in enumerate(parts)
        for place, unit in enumerate(units)
        if number and _is_slice(unit, encoder)
    ]
    order = rng.permutation(len(slices)).tolist()
    early = next((k for k in order if slices[k][0] * 3 <= len(packets)), order[0])
    order.remove(early)
    order.insert(0, early)
    damages = rng.random(len(slices)) < 0.5
    seeds = rng.integers(2**32, size=len(slices))
    for k in order[: max(1, round(share * len(slices)))]:
        number, place = slices[k]
        unit = parts[number][place]
        keep = 8 + len(unit) // 4
        if damages[k] and keep < len(unit):
            # Without zeros, so that no start code appears in what is overwritten.
            noise = np.random.default_rng(seeds[k]).integers(1, 256, len(unit) - keep, dtype=np.uint8)
            parts[number][place] = unit[:keep] + noise.tobytes()
        else:
            parts[number][place] = b""
    damaged = []
    for packet, units in zip(packets, parts, strict=True):
        if data := b"".join(units):
            copy = Packet(data)
            copy.pts, copy.dts, copy.time_base = packet.pts, packet.dts, packet.time_base
            damaged.append(copy)
    return damaged


def _video_frames(frames: Iterable[np.ndarray], pixel_format: str) -> Iterator[av.VideoFrame]:
    for number, rgb in enumerate(frames):
        frame = av.VideoFrame.from_ndarray(rgb, format="rgb24").reformat(format=pixel_format)
        frame.pts = number
        yield frame


def _quality_options(encoder: str, quality: float) -> dict[str, str]:
    if encoder in _CONSTANT_QUALITY:
        return {"crf": f"{quality:g}"}
    return {"qmin": f"{quality:g}", "qmax": f"{quality:g}"}


def _units(data: bytes) -> list[bytes]:
    """A stream cut in front of every start code."""
    cuts = [match.start() for match in _START_CODE.finditer(data)]
    # A fourth byte 0 in front of a start code belongs to it.
    cuts = [cut - 1 if cut and data[cut - 1] == 0 else cut for cut in cuts]
    return [data[start:end] for start, end in zip([0, *cuts], [*cuts, len(data)], strict=True) if end > start]


def _is_slice(unit: bytes, encoder: str) -> bool:
    code = unit.lstrip(b"\x00")[1:2]
    if not code:
        return False
    if encoder == "mpeg2video":
        return 0x01 <= code[0] <= 0xAF  # ISO/IEC 13818-2, table 6-1
    return code[0] & 0x1F in (1, 5)  # ISO/IEC 14496-10, table 7-1
