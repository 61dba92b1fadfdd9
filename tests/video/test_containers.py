"""Frame n shows n in whatever FFmpeg can write: every codec in every container, and remuxes with times that mislead."""

import contextlib
from collections.abc import Callable, Iterator
from fractions import Fraction
from functools import cache
from pathlib import Path

import av
import numpy as np
import pytest

from cover.errors import VideoError
from cover.video import decode, load_views
from cover.video.decode import FrameDecoder
from cover.video.probe import index_video
from cover.video.spec import ViewSpec
from tests.helpers.clips import numbered_frame, read_number, write_clip

COUNT = 60
X264 = {"preset": "veryfast", "bf": "3", "b-adapt": "0"}
X265 = {"preset": "ultrafast", "x265-params": "log-level=error:keyint=24:min-keyint=24:bframes=3:b-adapt=0"}
# Encoders that write frames in another order than they are shown.
REORDERING: dict[str, dict[str, str]] = {
    "libx264": X264,
    "libx265": X265,
    "mpeg4": {"bf": "2"},
    "mpeg2video": {"bf": "2"},
    "mpeg1video": {"bf": "2"},
}
CONTAINERS = {
    "mp4": "mp4",
    "mov": "mov",
    "mkv": "matroska",
    "avi": "avi",
    "flv": "flv",
    "asf": "asf",
    "ts": "mpegts",
    "mpg": "mpeg",
    "vob": "vob",
    "mxf": "mxf",
    "nut": "nut",
    "3gp": "3gp",
    "wtv": "wtv",
    "f4v": "f4v",
    "m2ts": "mpegts",
    "webm": "webm",
    "ogv": "ogv",
    "ivf": "ivf",
    "gif": "gif",
    "y4m": "yuv4mpegpipe",
    "rm": "rm",
    "dv": "dv",
    "h264": "h264",
    "hevc": "hevc",
    "m1v": "mpeg1video",
    "m2v": "mpeg2video",
    "mjpeg": "mjpeg",
    "obu": "obu",
    "h261": "h261",
    "h263": "h263",
    "m4v": "m4v",
    "wmv": "asf",
    "3g2": "3g2",
    "apng": "apng",
}
# Encoders of devices, of single pictures that no container holds as video, and of fewer colours than the numbers need.
NOT_SWEPT = ("_amf", "_nvenc", "_qsv", "_v4l2m2m", "null", "wrapped_avframe", "a64", "xface", "alias_pix")
OPTIONS = {
    **REORDERING,
    "libsvtav1": {"preset": "12", "svtav1-params": "enable-stat-report=0"},
    "libvpx": {"deadline": "realtime"},
    "libvpx-vp9": {"deadline": "realtime"},
    "dvvideo": {},
}


class _CannotWriteError(Exception):
    pass


def write(path: Path, codec: str, container: str) -> Path:
    """A numbered clip of the codec, or an error where FFmpeg cannot write it."""
    formats = av.Codec(codec, "w").video_formats or []
    names = [known.name for known in formats]
    pixel_format = next((name for name in ("yuv420p", "yuvj420p", "yuv422p", "rgb24") if name in names), None)
    height, width = (480, 720) if codec == "dvvideo" else (144, 176)
    pixel_format = "yuv411p" if codec == "dvvideo" else pixel_format or (names[0] if names else "yuv420p")
    frames = (numbered_frame(number, height, width) for number in range(COUNT))
    rate = Fraction(30000, 1001) if codec == "dvvideo" else 25
    try:
        return write_clip(
            path,
            frames,
            codec,
            container=container,
            pixel_format=pixel_format,
            rate=rate,
            gop=24,
            options={"strict": "-2", **OPTIONS.get(codec, {})},
            container_options={"strict": "-2"},
        )
    except (av.FFmpegError, ValueError, OverflowError, RuntimeError) as error:
        raise _CannotWriteError(str(error)) from error


def remuxed(source: Path, target: Path, container: str, change: Callable[[av.Packet, int], None]) -> Path:
    """Copy the packets of a clip, with other times."""
    try:
        with av.open(str(source)) as opened, av.open(str(target), "w", format=container) as output:
            stream = opened.streams.video[0]
            copied = output.add_stream_from_template(stream)
            step = 1 / (stream.average_rate or 25) / (stream.time_base or 1)
            for place, packet in enumerate(packet for packet in opened.demux(stream) if packet.size):
                change(packet, int(place * step))
                packet.stream = copied
                output.mux(packet)
    except (av.FFmpegError, ValueError) as error:
        raise _CannotWriteError(str(error)) from error
    return target


def decoding_times(packet: av.Packet, time: int) -> None:
    """What ``-fflags +genpts -c copy`` makes of AVI, and some recorders write."""
    packet.pts = packet.dts = time


def numbers(path: Path, wanted: list[int]) -> list[int]:
    return [read_number(frame) for _, frame in decode(path, wanted)]


def ffmpeg_order(path: Path) -> list[int]:
    with av.open(str(path)) as container:
        frames = container.decode(video=0)
        return [read_number(frame.to_ndarray(format="rgb24")) for frame in frames]


def check(path: Path, expected: list[int]) -> None:
    """In order, apart, and backwards."""
    index = index_video(path)
    assert index.info.frames == len(expected)
    assert numbers(path, list(range(len(expected)))) == expected
    last = len(expected) - 1
    for wanted in ([0], [last], [last // 2, last - 1], *([number] for number in range(last, 0, -max(last // 6, 1)))):
        decoder = FrameDecoder(index, wanted)
        assert [read_number(frame) for _, frame in decoder] == [expected[number] for number in sorted(wanted)]
        assert not decoder.replaced


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("containers")


@cache
def clip(folder: Path, codec: str, suffix: str) -> Path:
    return write(folder / f"{codec}.{suffix}", codec, CONTAINERS[suffix])


# What FFmpeg writes of them, and reads back.
WRITTEN = {
    "libx264": ("mp4", "mov", "mkv", "avi", "ts", "mxf", "flv", "asf", "nut", "wtv"),
    "libx265": ("mp4", "mov", "mkv", "ts", "flv", "nut"),
    "mpeg4": ("mp4", "mov", "mkv", "avi", "ts", "asf", "nut", "wtv"),
    "mpeg2video": ("mp4", "mov", "mkv", "avi", "ts", "mpg", "vob", "mxf", "asf", "nut", "wtv"),
    "mpeg1video": ("mkv", "avi", "ts", "mpg", "asf", "nut", "wtv"),
}
REORDERED = [(codec, suffix) for codec, suffixes in WRITTEN.items() for suffix in suffixes]


@pytest.mark.parametrize(("codec", "suffix"), REORDERED)
class TestFramesThatAreReordered:
    def test_as_encoded(self, codec: str, suffix: str, folder: Path) -> None:
        check(clip(folder, codec, suffix), list(range(COUNT)))

    def test_with_decoding_times_for_presentation_times(self, codec: str, suffix: str, folder: Path) -> None:
        # Which headers a stream carries within depends on where it comes from.
        source = clip(folder, codec, "ts" if suffix in ("avi", "asf", "ts", "wtv") else "mkv")
        try:
            path = remuxed(source, folder / f"remuxed_{codec}.{suffix}", CONTAINERS[suffix], decoding_times)
        except _CannotWriteError as error:
            pytest.skip(f"this FFmpeg does not write it: {error}")
        check(path, list(range(COUNT)))
        assert not load_views(path, ViewSpec()).notes


def late(packet: av.Packet, time: int) -> None:
    """Decoding times of a recorder, whose clock jumps now and then."""
    decoding_times(packet, time)
    step = packet.duration or 1
    if time // step in (20, 41):
        packet.pts += step + step // 2
        packet.dts = packet.pts - 2 * step


def in_part(packet: av.Packet, time: int) -> None:
    """Right times at first, decoding times later: two recordings in one file."""
    if time // (packet.duration or 1) >= COUNT // 2:
        decoding_times(packet, time)


@pytest.mark.parametrize("suffix", ["mkv", "nut"])
@pytest.mark.parametrize("change", [late, in_part])
def test_times_that_mislead_now_and_then(
    change: Callable[[av.Packet, int], None], suffix: str, folder: Path, tmp_path: Path
) -> None:
    options = {**X264, "x264-params": "keyint=30:min-keyint=30:scenecut=0"}
    source = write_clip(tmp_path / "source.mkv", COUNT, options=options)
    path = remuxed(source, tmp_path / f"misleading.{suffix}", CONTAINERS[suffix], change)
    check(path, list(range(COUNT)))
    assert not load_views(path, ViewSpec()).notes


@pytest.mark.parametrize("length", [2, 3, 5])
@pytest.mark.parametrize("codec", ["libx264", "mpeg2video", "mpeg4"])
def test_short_open_groups_with_decoding_times(codec: str, length: int, tmp_path: Path) -> None:
    x264 = {
        "preset": "veryfast",
        "x264-params": f"open-gop=1:keyint={length}:min-keyint=1:bframes={min(length - 1, 2)}:b-adapt=0",
    }
    options = x264 if codec == "libx264" else {"bf": str(min(length - 1, 2))}
    source = write_clip(tmp_path / "source.mkv", COUNT, codec, gop=length, options=options)
    path = remuxed(source, tmp_path / "misleading.mkv", "matroska", decoding_times)
    assert ffmpeg_order(path) == list(range(COUNT))
    check(path, list(range(COUNT)))


def test_a_stream_without_reordering_keeps_its_index(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "plain.mp4", COUNT, options={"preset": "veryfast", "bf": "0"}, gop=24)
    assert not index_video(path).counted
    check(path, list(range(COUNT)))


def test_times_that_rise_are_those_of_the_frames(folder: Path) -> None:
    source = clip(folder, "libx264", "mp4")
    path = remuxed(source, folder / "times.mkv", "matroska", decoding_times)
    index = index_video(path)
    assert index.counted
    np.testing.assert_allclose(index.seconds(np.array([0, 25, 50])), [0, 1, 2], atol=0.002)


def test_leading_pictures_that_decode_are_shown(folder: Path) -> None:
    options = {
        "preset": "ultrafast",
        "x265-params": "log-level=error:keyint=20:min-keyint=20:bframes=3:b-adapt=0:radl=3:open-gop=0",
    }
    whole = write_clip(folder / "radl.ts", COUNT, "libx265", options=options)
    with av.open(str(whole)) as opened, av.open(str(folder / "cut.ts"), "w") as output:
        stream = opened.streams.video[0]
        copied = output.add_stream_from_template(stream)
        packets = [packet for packet in opened.demux(stream) if packet.size]
        keys = [place for place, packet in enumerate(packets) if packet.is_keyframe]
        for packet in packets[keys[1] :]:
            packet.stream = copied
            output.mux(packet)
    expected = ffmpeg_order(folder / "cut.ts")
    assert expected[0] < 20  # pictures before the keyframe
    check(folder / "cut.ts", expected)


def sweep(folder: Path) -> Iterator[tuple[str, str, str]]:
    """Codec, container and what is wrong (nothing: all is right) of each pair that FFmpeg writes and reads back."""
    for codec in sorted(av.codecs_available):
        try:
            if av.Codec(codec, "w").type != "video" or any(part in codec for part in NOT_SWEPT):
                continue
        except (ValueError, av.FFmpegError):
            continue
        for suffix in CONTAINERS:
            path = folder / f"clip.{suffix}"
            with contextlib.suppress(_CannotWriteError, av.FFmpegError, IndexError, ValueError):
                expected = ffmpeg_order(write(path, codec, CONTAINERS[suffix]))
                if len(expected) > 1:  # else a picture, or nothing that could be read
                    yield codec, suffix, problem(path, expected)


def problem(path: Path, expected: list[int]) -> str:
    try:
        check(path, expected)
    except (AssertionError, VideoError) as error:
        return " ".join(str(error).split())[:200]
    return ""


@pytest.mark.full
def test_every_codec_in_every_container(tmp_path: Path) -> None:
    """In order, apart and backwards, frames are those that FFmpeg gives from the start; shown with ``-s``."""
    found = list(sweep(tmp_path))
    for codec, suffix, wrong in found:
        print(f"{codec:12} {suffix:6} {wrong or 'right'}")
    print(f"{len(found)} pairs, {sum(not wrong for *_, wrong in found)} right")
    assert len(found) >= 100
    assert not [(codec, suffix) for codec, suffix, wrong in found if wrong]
