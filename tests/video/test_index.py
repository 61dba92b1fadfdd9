"""Frame numbers: every container and coding structure must give exactly the frame that was asked for."""

from collections.abc import Callable
from pathlib import Path

import av
import numpy as np
import pytest

from cover.errors import VideoError
from cover.video import ViewSpec, decode, load_views, probe
from cover.video.decode import FrameDecoder
from cover.video.probe import index_video
from tests.helpers.clips import HEIGHT, WIDTH, noise_frame, numbered_frame, read_number, remux, rotate_mp4, write_clip

LENGTH = 120
X264 = {"preset": "veryfast", "bf": "3", "b-adapt": "0"}
OPEN_GOP = {"preset": "veryfast", "x264-params": "open-gop=1:keyint=24:min-keyint=24:scenecut=0:bframes=3:b-adapt=0"}
X265 = {"preset": "ultrafast", "x265-params": "log-level=error:open-gop=1:keyint=24:min-keyint=24:bframes=3:b-adapt=0"}


def _joined(path: Path) -> Path:
    """Two transport streams in one file, so that the time stamps start over."""
    halves = [np.arange(LENGTH // 2), np.arange(LENGTH // 2, LENGTH)]
    parts = [
        write_clip(path.with_name(f"{number}.ts"), map(numbered_frame, half.tolist()), options=X264, gop=24)
        for number, half in enumerate(halves)
    ]
    path.write_bytes(b"".join(part.read_bytes() for part in parts))
    return path


def _jittered(path: Path) -> Path:
    times = np.cumsum(np.random.default_rng(0).integers(5, 120, LENGTH)).tolist()
    return write_clip(path, LENGTH, times=times, options=X264, gop=24)


CLIPS: dict[str, Callable[[Path], Path]] = {
    "closed.mp4": lambda path: write_clip(path, LENGTH, options=X264, gop=24),
    "open.mp4": lambda path: write_clip(path, LENGTH, options=OPEN_GOP),
    "open.mkv": lambda path: write_clip(path, LENGTH, options=OPEN_GOP),
    "hevc.mp4": lambda path: write_clip(path, LENGTH, "libx265", options=X265),
    "hevc.mkv": lambda path: write_clip(path, LENGTH, "libx265", options=X265),
    "fragmented.mp4": lambda path: write_clip(
        path, LENGTH, options=X264, gop=24, container_options={"movflags": "frag_keyframe+empty_moov"}
    ),
    "one_gop.mp4": lambda path: write_clip(path, LENGTH, options=X264, gop=1000),
    "intra.mov": lambda path: write_clip(path, LENGTH, "mjpeg", pixel_format="yuvj422p"),
    "refresh.mp4": lambda path: write_clip(
        path, LENGTH, options={"preset": "veryfast", "x264-params": "intra-refresh=1:keyint=24"}
    ),
    "vp9.webm": lambda path: write_clip(path, LENGTH, "libvpx-vp9", gop=24, options={"deadline": "realtime"}),
    "vp8.webm": lambda path: write_clip(
        path, LENGTH, "libvpx", gop=24, options={"auto-alt-ref": "1", "lag-in-frames": "10", "deadline": "good"}
    ),
    "av1.mkv": lambda path: write_clip(
        path, LENGTH, "libsvtav1", gop=24, options={"preset": "12", "svtav1-params": "enable-stat-report=0"}
    ),
    "mpeg4.avi": lambda path: write_clip(path, LENGTH, "mpeg4", gop=24, options={"bf": "2"}),
    "mpeg4.mp4": lambda path: write_clip(path, LENGTH, "mpeg4", gop=24, options={"bf": "2"}),
    "h264.avi": lambda path: write_clip(path, LENGTH, options=X264, gop=24),
    "stream.ts": lambda path: write_clip(path, LENGTH, options=X264, gop=24),
    "joined.ts": _joined,
    "program.mpg": lambda path: write_clip(path, LENGTH, "mpeg2video", gop=24, options={"bf": "2"}),
    "bare.h264": lambda path: write_clip(path, LENGTH, options=X264, gop=24),
    "bare.hevc": lambda path: write_clip(path, LENGTH, "libx265", options=X265),
    "flash.flv": lambda path: write_clip(path, LENGTH, options=X264, gop=24),
    "variable.mp4": _jittered,
    "variable.mkv": _jittered,
    "moving.gif": lambda path: write_clip(path, LENGTH, "gif", pixel_format="rgb8"),
    "plain.y4m": lambda path: write_clip(path, LENGTH, "rawvideo", container="yuv4mpegpipe"),
    "lossless.nut": lambda path: write_clip(path, LENGTH, "ffv1", pixel_format="yuv444p", gop=12),
}


@pytest.fixture(scope="module", params=list(CLIPS))
def clip(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return CLIPS[request.param](tmp_path_factory.mktemp("clips") / request.param)


def test_counts_frames(clip: Path) -> None:
    assert probe(clip).frames == LENGTH


@pytest.mark.parametrize("threads", [0, 1])
def test_decodes_every_frame_in_order(clip: Path, threads: int) -> None:
    shown = [(index, read_number(frame)) for index, frame in decode(clip, range(LENGTH), threads=threads)]
    assert shown == [(number, number) for number in range(LENGTH)]


@pytest.mark.parametrize(
    "wanted",
    [[0], [LENGTH - 1], [5, 5, 3], [23, 24, 25], [2, 47, 97, 99], [71, 119, 70], list(range(3, LENGTH, 17))],
    ids=str,
)
def test_decodes_exactly_the_wanted_frames(clip: Path, wanted: list[int]) -> None:
    decoder = FrameDecoder(index_video(clip), wanted)
    assert [(index, read_number(frame)) for index, frame in decoder] == [(n, n) for n in sorted(set(wanted))]
    assert decoder.replaced == 0
    assert not decoder.errors
    assert decoder.corrupt == 0


@pytest.mark.parametrize("name", ["closed.mp4", "open.mkv", "hevc.mp4"])
def test_seeks_and_skips(name: str, tmp_path: Path) -> None:
    decoder = FrameDecoder(index_video(CLIPS[name](tmp_path / name)), [2, 99])
    assert len(list(decoder)) == 2
    assert decoder.decoded < 20


def test_cut_by_an_edit_list(tmp_path: Path) -> None:
    whole = write_clip(tmp_path / "whole.mp4", LENGTH, options=X264, gop=24)
    part = remux(whole, tmp_path / "part.mp4", 10, {"avoid_negative_ts": "disabled", "use_editlist": "1"})
    with av.open(str(part)) as container:
        assert any(packet.is_discard for packet in container.demux(video=0))
    frames = probe(part).frames
    assert frames == LENGTH - 10
    shown = [read_number(frame) for _, frame in decode(part, [0, 1, 40, 41, frames - 1])]
    assert shown == [10, 11, 50, 51, LENGTH - 1]


@pytest.mark.parametrize("degrees", [90, 180, 270])
def test_turns_frames_as_the_display_matrix_asks(degrees: int, tmp_path: Path) -> None:
    path = write_clip(tmp_path / "phone.mp4", 3)
    upright = [frame for _, frame in decode(path, range(3))]
    rotate_mp4(path, degrees)
    info = probe(path)
    assert info.rotation == 360 - degrees
    assert (info.height, info.width) == ((HEIGHT, WIDTH) if degrees == 180 else (WIDTH, HEIGHT))
    for (_, turned), frame in zip(decode(path, range(3)), upright, strict=True):
        np.testing.assert_array_equal(turned, np.rot90(frame, -degrees // 90))
    assert probe(path, rotate=False).width == WIDTH
    for (_, as_coded), frame in zip(decode(path, range(3), rotate=False), upright, strict=True):
        np.testing.assert_array_equal(as_coded, frame)


def test_refuses_frames_outside_the_file(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "short.mp4", 3)
    with pytest.raises(VideoError, match="there is no frame 3; it has 3"):
        list(decode(path, [0, 3]))
    with pytest.raises(VideoError, match="there is no frame -1"):
        list(decode(path, [-1]))
    assert list(decode(path, [])) == []


class TestFilesThatEndEarly:
    """A header keeps the duration of a recording whose end is lost."""

    @staticmethod
    def cut(path: Path, *, zeros: bool) -> Path:
        data = path.read_bytes()
        half = len(data) // 2
        path.write_bytes(data[:half] + bytes(len(data) - half if zeros else 0))
        return path

    @pytest.mark.parametrize("zeros", [False, True], ids=["cut", "preallocated"])
    @pytest.mark.parametrize("name", ["clip.mkv", "clip.webm", "clip.flv"])
    def test_are_noted_with_the_time_of_their_frames(self, name: str, zeros: bool, tmp_path: Path) -> None:
        codec = "libvpx-vp9" if name.endswith("webm") else "libx264"
        frames = [noise_frame(number, 64, 64) for number in range(40)]
        path = write_clip(tmp_path / name, frames, codec, rate=10, gop=5)
        whole = probe(path)
        info = probe(self.cut(path, zeros=zeros))
        assert whole.duration == pytest.approx(4, abs=0.25)
        assert info.duration == pytest.approx(info.frames / 10, abs=0.2)
        notes = load_views(path, ViewSpec()).notes
        assert any(
            f"the frames end at {info.duration:.1f} s of the {whole.duration:.1f} s" in note for note in notes
        ), notes

    @pytest.mark.parametrize(
        "name", ["clip.mp4", "clip.mkv", "clip.webm", "clip.mov", "clip.ts", "clip.avi", "clip.flv"]
    )
    def test_whole_files_have_no_note(self, name: str, tmp_path: Path) -> None:
        codec = "libvpx-vp9" if name.endswith("webm") else "libx264"
        path = write_clip(tmp_path / name, [noise_frame(number, 64, 64) for number in range(12)], codec, rate=2, gop=4)
        assert not load_views(path, ViewSpec()).notes
