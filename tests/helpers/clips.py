"""Clips made for tests: frames that carry their number in a row of black and white blocks, which survives coding."""

import struct
from collections.abc import Iterable, Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from matplotlib import cbook
from PIL import Image, ImageFilter

BITS = 12
BLOCK = 16
WIDTH, HEIGHT = BITS * BLOCK, 64


def numbered_frame(number: int, height: int = HEIGHT, width: int = WIDTH) -> np.ndarray:
    """RGB frame, uint8 (height, width, 3), whose upper half shows ``number`` in binary over a moving gradient."""
    rows, columns = np.mgrid[:height, :width]
    frame = np.stack([(rows * 2 + number * 3) % 200, (columns + number) % 200, (rows + columns) % 200], axis=-1)
    block = width // BITS
    for bit in range(BITS):
        frame[: height // 2, bit * block : (bit + 1) * block] = 235 if number >> bit & 1 else 20
    return frame.astype(np.uint8)


def read_number(frame: np.ndarray) -> int:
    """The number that a decoded frame of :func:`numbered_frame` shows."""
    height, width = frame.shape[:2]
    block = width // BITS
    inner = frame[height // 8 : height * 3 // 8, : block * BITS].mean(axis=(0, 2)).reshape(BITS, block)
    return int(((inner[:, block // 4 : -block // 4].mean(axis=1) > 128) << np.arange(BITS)).sum())


def noise_frame(seed: int, height: int, width: int) -> np.ndarray:
    """Random RGB frame, uint8 (height, width, 3)."""
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def write_clip(
    path: Path,
    frames: Iterable[np.ndarray] | int = 30,
    codec: str = "libx264",
    *,
    container: str | None = None,
    pixel_format: str = "yuv420p",
    rate: int | Fraction = 25,
    gop: int | None = None,
    times: Sequence[int] | None = None,
    options: dict[str, str] | None = None,
    container_options: dict[str, str] | None = None,
    audio: bool = False,
) -> Path:
    """Encode a clip.

    Args:
        path: File to write; its suffix chooses the container unless ``container`` does.
        frames: RGB frames, or how many numbered ones.
        codec: FFmpeg's name of the encoder.
        container: FFmpeg's name of the muxer.
        pixel_format: Format the frames are encoded in.
        rate: Frames per second.
        gop: Keyframe interval.
        times: Presentation times in milliseconds, for a variable frame rate.
        options: Encoder options.
        container_options: Muxer options.
        audio: Whether to add a second of silence.
    """
    if isinstance(frames, int):
        frames = (numbered_frame(number) for number in range(frames))
    with av.open(str(path), "w", format=container, options=container_options or {}) as output:
        stream = None
        sound = output.add_stream("aac", rate=16000) if audio else None
        for number, rgb in enumerate(frames):
            if stream is None:
                stream = output.add_stream(codec, rate=rate, options=options or {})
                stream.height, stream.width = rgb.shape[:2]
                stream.pix_fmt = pixel_format
                if times is not None:
                    stream.codec_context.time_base = Fraction(1, 1000)
                if gop is not None:
                    stream.codec_context.gop_size = gop
            frame = av.VideoFrame.from_ndarray(rgb, format="rgb24").reformat(format=pixel_format)
            frame.pts = number if times is None else times[number]
            frame.time_base = Fraction(1, rate) if times is None else Fraction(1, 1000)
            output.mux(stream.encode(frame))
        if stream is not None:
            output.mux(stream.encode(None))
        if sound is not None:
            _mux_silence(output, sound)
    return path


def write_audio(path: Path, codec: str = "aac", cover: bytes | None = None, container: str | None = None) -> Path:
    """A second of silence, with a picture attached if ``cover`` (JPEG) is given."""
    with av.open(str(path), "w", format=container) as output:
        sound = output.add_stream(codec, rate=16000)
        picture = None
        if cover is not None:
            picture = output.add_stream("mjpeg", rate=1)
            picture.width = picture.height = 64
            picture.pix_fmt = "yuvj420p"
            # PyAV 17 takes the number, 18 the flag.
            flag = av.stream.Disposition.attached_pic
            picture.disposition = flag if av.__version__ >= "18" else flag.value
        _mux_silence(output, sound)
        if picture is not None and cover is not None:
            packet = av.Packet(cover)
            packet.stream = picture
            packet.pts = packet.dts = 0
            packet.time_base = Fraction(1, 1)
            packet.is_keyframe = True
            output.mux(packet)
    return path


def _mux_silence(output: av.container.OutputContainer, sound: av.AudioStream) -> None:
    for start in range(0, 16000, 1000):
        silence = av.AudioFrame.from_ndarray(np.zeros((1, 1000), dtype=np.float32), format="fltp", layout="mono")
        silence.sample_rate, silence.pts, silence.time_base = 16000, start, Fraction(1, 16000)
        output.mux(sound.encode(silence))
    output.mux(sound.encode(None))


def remux(source: Path, target: Path, first: int, options: dict[str, str]) -> Path:
    """Copy packets so that packet ``first`` in display order becomes time 0, as a lossless cut does (edit list)."""
    with av.open(str(source)) as opened, av.open(str(target), "w", options=options) as output:
        stream = opened.streams.video[0]
        copied = output.add_stream_from_template(stream)
        packets = [packet for packet in opened.demux(stream) if packet.size]
        zero = sorted(packet.pts for packet in packets)[first]
        for packet in packets:
            packet.pts -= zero
            packet.dts -= zero
            packet.stream = copied
            output.mux(packet)
    return target


def rotate_mp4(path: Path, degrees: int) -> None:
    """Set the display matrix of an MP4 file: it is to be shown turned by ``degrees`` clockwise."""
    cosine, sine = {0: (1, 0), 90: (0, 1), 180: (-1, 0), 270: (0, -1)}[degrees]
    one = 1 << 16
    matrix = struct.pack(">9i", cosine * one, sine * one, 0, -sine * one, cosine * one, 0, 0, 0, 1 << 30)
    data = bytearray(path.read_bytes())
    start = data.index(b"tkhd") + 44
    data[start : start + 36] = matrix
    path.write_bytes(data)


def damage(path: Path, start: float, count: int = 300, seed: int = 0) -> Path:
    """Overwrite ``count`` bytes with noise, from a place given as a fraction of the file's length."""
    data = bytearray(path.read_bytes())
    place = int(len(data) * start)
    data[place : place + count] = np.random.default_rng(seed).bytes(count)
    path.write_bytes(data)
    return path


def cut(path: Path, fraction: float = 0.5) -> Path:
    """Keep the first part of a file."""
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * fraction)])
    return path


def faulty_clip(path: Path, photo: Path | None = None) -> Path:
    """Encode four seconds of a scene: strong blur from 1.0 to 2.0 s, near black from 3.2 to 3.68 s.

    Args:
        path: File to write.
        photo: The scene; by default the photo that comes with matplotlib.
    """
    scene = Image.open(photo or cbook.get_sample_data("grace_hopper.jpg", asfileobj=False)).convert("RGB")
    scene = scene.resize((384, round(384 * scene.height / scene.width)))

    def shown(number: int) -> np.ndarray:
        frame = scene.crop((number % 25, 60, 320 + number % 25, 240))
        if 25 <= number < 50:
            frame = frame.filter(ImageFilter.GaussianBlur(6))
        if 80 <= number < 92:
            frame = frame.point(lambda value: value * 0.06)
        return np.asarray(frame)

    return write_clip(path, [shown(number) for number in range(100)], options={"crf": "20"})
