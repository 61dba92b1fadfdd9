"""Parts of videos: the same views as a file that holds just these frames, pixel for pixel."""

from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import av
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cover.errors import VideoError
from cover.parts import FrameNumber, Part
from cover.video import LoadedViews, ViewSpec, decode, load_views
from cover.video.info import VideoIndex, VideoInfo
from cover.video.parts import part_frames
from cover.video.probe import index_video
from tests.helpers.clips import noise_frame, numbered_frame, write_clip

SPEC = ViewSpec()
SPEC = replace(
    SPEC,
    semantic=replace(SPEC.semantic, fragments=5, size=64),
    technical=replace(SPEC.technical, fragments=5),
    aesthetic=replace(SPEC.aesthetic, fragments=5, size=64),
)


def cut(source: Path, numbers: range, path: Path) -> Path:
    """Copy frames losslessly, in the format that the decoder gives them in."""
    with av.open(source) as read, av.open(path, "w") as written:
        stream = written.add_stream("ffv1", rate=25)
        for number, frame in enumerate(read.decode(video=0)):
            if number in numbers:
                if number == numbers.start:
                    stream.width, stream.height, stream.pix_fmt = frame.width, frame.height, frame.format.name
                copied = av.VideoFrame.from_ndarray(frame.to_ndarray(), format=frame.format.name)
                copied.colorspace, copied.color_range = frame.colorspace, frame.color_range
                copied.pts = number - numbers.start
                written.mux(stream.encode(copied))
        written.mux(stream.encode())
    return path


def variable(path: Path) -> Path:
    times = np.cumsum([0, *np.random.default_rng(3).choice([20, 40, 41, 100, 250], 79)]).tolist()
    return write_clip(path, 80, times=times, rate=1000, gop=200)


def late(path: Path) -> Path:
    return write_clip(path, 60, times=[1800 + 20 * number for number in range(60)], rate=1000, gop=12)


HARD: dict[str, tuple[str, Callable[[Path], Path], float | None, float | None]] = {
    "starts between frames": ("a.mp4", lambda path: write_clip(path, 75), 0.53, 1.51),
    "B-frames across the cut": (
        "a.mp4",
        lambda path: write_clip(path, 90, gop=250, options={"bf": "8", "b-adapt": "0"}),
        1.0,
        2.0,
    ),
    "open groups": (
        "a.mp4",
        lambda path: write_clip(path, 90, "libx265", gop=20, options={"x265-params": "open-gop=1:bframes=6"}),
        0.92,
        2.2,
    ),
    "variable rate": ("a.mkv", variable, 1.0, 4.0),
    "first frame not at 0": ("a.mp4", late, 0.2, 0.9),
    "29.97 fps": ("a.mp4", lambda path: write_clip(path, 120, rate=Fraction(30000, 1001)), 1.001, 2.002),
    "MPEG-TS": ("a.ts", lambda path: write_clip(path, 75, "mpeg2video"), 1.0, 2.0),
    "one frame": ("a.mp4", lambda path: write_clip(path, 50), 1.0, 1.04),
    "fewer frames than are looked at": ("a.mp4", lambda path: write_clip(path, 50), 1.0, 1.12),
    "the last frames": ("a.mp4", lambda path: write_clip(path, 50), 1.5, 99.0),
    "from the start": ("a.avi", lambda path: write_clip(path, 50, "mpeg4"), None, 0.8),
}


def same(a: LoadedViews, b: LoadedViews) -> None:
    for branch, view in a.views[0].items():
        np.testing.assert_array_equal(view, b.views[0][branch])


@pytest.mark.parametrize("case", HARD)
def test_a_part_is_as_a_file_of_its_own(case: str, tmp_path: Path) -> None:
    name, make, start, end = HARD[case]
    source = make(tmp_path / name)
    index = index_video(source)
    numbers = part_frames(index, Part(start, end))
    part = load_views(source, SPEC, start=start, end=end, name="")
    same(part, load_views(cut(source, numbers, tmp_path / "cut.mkv"), SPEC, name=""))
    frames = np.stack([frame for _, frame in decode(source, numbers)])
    if len(frames) > 1:  # one frame in memory is a still image
        same(part, load_views(frames, SPEC))
    for branch, found in part.samplings[0].indices.items():
        assert set(found.tolist()) <= set(numbers)
        np.testing.assert_allclose(part.times[0][branch], index.seconds(found))


def test_a_turned_part_is_upright(tmp_path: Path) -> None:
    plain = write_clip(tmp_path / "plain.mp4", 50)
    turned = tmp_path / "turned.mp4"
    with av.open(plain) as read, av.open(turned, "w") as written:
        stream = written.add_stream_from_template(read.streams.video[0])
        stream.set_display_rotation(90) if hasattr(stream, "set_display_rotation") else pytest.skip("needs PyAV 18")
        for packet in read.demux(video=0):
            if packet.dts is not None:
                packet.stream = stream
                written.mux(packet)
    frames = np.stack([frame for _, frame in decode(turned, range(10, 20))])
    same(load_views(turned, SPEC, start=0.4, end=0.8), load_views(frames, SPEC))


def test_the_whole_is_as_without_parts(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "a.mp4", 40)
    same(load_views(clip, SPEC, start=0, end=9), load_views(clip, SPEC))
    same(load_views(clip, SPEC, start=0), load_views(clip, SPEC))


def test_parts_of_frames_in_memory(tmp_path: Path) -> None:
    frames = np.stack([numbered_frame(number) for number in range(50)])
    same(load_views(frames, SPEC, fps=25, start=0.4, end=1.2), load_views(frames[10:30], SPEC, fps=25))
    with pytest.raises(VideoError, match="its frames have no times"):
        load_views(frames, SPEC, start=1)


@pytest.mark.parametrize(
    ("start", "end", "said"),
    [
        (1.0, 1.0, "the part from 1 to 1 s is empty"),
        (1.5, 1.0, "the part from 1.5 to 1 s is empty"),
        (2.0, 3.0, "the part starts at 2 s; the video's last frame is shown at 1.960 s"),
        (0.5, 0.51, "no frame is shown from 0.5 to 0.51 s"),
        (-1.0, 1.0, "-1 s: a part starts and ends at 0, the first frame, or later"),
        (float("nan"), 1.0, "nan s: a part starts and ends at 0"),
        (0.0, float("nan"), "nan s: a part starts and ends at 0"),
        ("0:01", 1.0, "start and end take seconds, not '0:01'"),
    ],
)
def test_parts_that_are_none(tmp_path: Path, start: float, end: float, said: str) -> None:
    clip = write_clip(tmp_path / "a.mp4", 50)
    with pytest.raises(VideoError, match=said) as found:
        load_views(clip, SPEC, start=start, end=end)
    assert "a.mp4" in str(found.value)


def test_an_image_has_no_parts(tmp_path: Path) -> None:
    with pytest.raises(VideoError, match="an image has no parts"):
        load_views(numbered_frame(0)[None], SPEC, start=0.5)


@settings(max_examples=200, deadline=None)
@given(
    gaps=st.lists(st.integers(1, 500), min_size=1, max_size=60),
    cuts=st.lists(st.floats(0.001, 40), max_size=12, unique=True),
    first=st.integers(-1000, 10_000),
)
def test_parts_tile_the_video(gaps: list[int], cuts: list[float], first: int) -> None:
    pts = first + np.cumsum([0, *gaps])
    info = VideoInfo("mp4", "h264", 64, 64, len(pts))
    index = VideoIndex(Path("a.mp4"), info, pts=pts, time_base=Fraction(1, 1000))
    bounds = [None, *sorted(cuts), None]
    found: list[int] = []
    for start, end in pairwise(bounds):
        try:
            numbers = part_frames(index, Part(start, end))
        except VideoError:  # nothing is shown in it
            continue
        assert len(numbers) > 0
        found += numbers
    assert found == list(range(len(pts)))


@pytest.mark.parametrize(
    ("end", "note"),
    [
        (None, None),
        (2.0, None),
        (4.0, None),
        (4.05, None),
        (200.0, "the part is to end at 200 s, but the video ends at 4 s"),
        (FrameNumber(40), None),
        (FrameNumber(41), "the part is to end at frame 41, but the video has 40 frames"),
    ],
)
def test_an_end_after_the_end_of_the_video_is_noted(end: float | None, note: str | None, tmp_path: Path) -> None:
    path = write_clip(tmp_path / "clip.mp4", [noise_frame(number, 64, 64) for number in range(40)], rate=10)
    assert load_views(path, ViewSpec(), start=0.0, end=end).notes == ([note] if note else [])
