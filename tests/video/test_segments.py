"""Videos cut into parts, and parts loaded in one pass: each frame in one part, the same views as one by one."""

import gc
from collections.abc import Callable, Sequence
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import av.video.frame
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cover.errors import VideoError
from cover.parts import WHOLE, FrameNumber, Part
from cover.video import LoadedViews, decode, load_parts, load_views
from cover.video.decode import FrameDecoder
from cover.video.info import VideoIndex, VideoInfo
from cover.video.parts import even_parts, in_passes, part_frames, part_seconds, shot_parts
from cover.video.probe import index_video
from tests.helpers.clips import noise_frame, write_clip
from tests.helpers.tiny import tiny_views
from tests.video.test_parts import same, variable

SPEC = tiny_views()


def index_of(pts: Sequence[int], fps: float | None = None, base: int = 1000) -> VideoIndex:
    """An index of frames shown at these thousandths of a second."""
    info = VideoInfo("mp4", "h264", 64, 64, len(pts), fps=fps)
    return VideoIndex(Path("a.mp4"), info, pts=np.array(pts), time_base=Fraction(1, base))


def steady(count: int, fps: int = 25) -> VideoIndex:
    return index_of([1000 * number // fps for number in range(count)], fps)


def frames_of(index: VideoIndex, parts: Sequence[Part]) -> list[int]:
    return [number for part in parts for number in part_frames(index, part)]


@pytest.mark.parametrize(
    ("seconds", "ends"),
    [
        (24.0, [10.0, 24.0]),
        (25.0, [10.0, 20.0, 25.0]),
        (30.0, [10.0, 20.0, 30.0]),
        (4.0, [4.0]),
        (12.0, [12.0]),
        (15.0, [10.0, 15.0]),
    ],
)
def test_a_short_last_piece_joins_the_one_before(seconds: float, ends: list[float]) -> None:
    assert [end for _, end in even_parts(steady(int(seconds * 25)), 10.0)] == ends


def test_a_piece_without_a_frame_joins_the_one_before() -> None:
    index = index_of([0, 1000, 2000, 31_000, 32_000], fps=0.2)  # a screen recording that stood still
    parts = even_parts(index, 5.0)
    assert frames_of(index, parts) == [0, 1, 2, 3, 4]
    assert parts[0] == (0.0, 30.0)


def test_images_have_no_parts_and_unknown_times_are_said() -> None:
    image = VideoIndex(Path("a.png"), VideoInfo("png", "png", 8, 8, 1, image=True))
    assert even_parts(image, 10) == shot_parts(image, [], 1, 60) == []
    with pytest.raises(VideoError, match=r"a\.yuv: its frames have no times; give their rate \(data\.fps="):
        even_parts(VideoIndex(Path("a.yuv"), VideoInfo("raw", "raw", 8, 8, 50)), 10)


@settings(max_examples=300, deadline=None)
@given(
    gaps=st.lists(st.integers(2, 900), max_size=80),
    first=st.integers(-5000, 10_000),
    seconds=st.floats(0.002, 30),
    fps=st.none() | st.floats(1, 120),
)
def test_even_parts_tile_the_video(gaps: list[int], first: int, seconds: float, fps: float | None) -> None:
    index = index_of((first + np.cumsum([0, *gaps])).tolist(), fps)
    parts = even_parts(index, seconds)
    assert frames_of(index, parts) == list(range(len(gaps) + 1))
    assert parts[0][0] == 0.0
    assert all(one[1] == other[0] for one, other in pairwise(parts))


@settings(max_examples=300, deadline=None)
@given(
    gaps=st.lists(st.integers(20, 900), min_size=1, max_size=80),
    chosen=st.sets(st.integers(1, 80), max_size=20),
    shortest=st.floats(0, 3),
    longest=st.floats(3, 20),
)
def test_shots_tile_the_video(gaps: list[int], chosen: set[int], shortest: float, longest: float) -> None:
    index = index_of(np.cumsum([0, *gaps]).tolist())
    parts = shot_parts(index, sorted(cut for cut in chosen if cut <= len(gaps)), shortest, longest)
    assert frames_of(index, parts) == list(range(len(gaps) + 1))
    lengths = [end - start for start, end in parts]
    assert max(lengths) <= longest + 1.0  # a piece without a frame may have joined
    if len(parts) > 1 and longest >= 2 * shortest:
        assert min(lengths) >= min(shortest, longest / 2) - 1.0


def test_shots_are_bounded() -> None:
    index = steady(25 * 100)
    cuts = [25 * second for second in (10, 10.2, 40, 99.5)]
    assert shot_parts(index, map(int, cuts), 1.0, 60.0) == [(0.0, 10.0), (10.0, 40.0), (40.0, 100.0)]
    assert shot_parts(index, [250], 1.0, 30.0) == [(0.0, 10.0), (10.0, 40.0), (40.0, 70.0), (70.0, 100.0)]


@pytest.mark.parametrize(
    ("start", "end", "numbers"),
    [
        (FrameNumber(10), FrameNumber(20), range(10, 20)),
        (None, FrameNumber(3), range(3)),
        (FrameNumber(40), None, range(40, 50)),
        (FrameNumber(40), FrameNumber(900), range(40, 50)),
        (FrameNumber(10), 0.6, range(10, 15)),
    ],
)
def test_parts_by_number(start: FrameNumber, end: FrameNumber, numbers: range) -> None:
    index = steady(50)
    assert part_frames(index, Part(start, end)) == numbers
    first, last = part_seconds(index, Part(start, end))
    assert first == pytest.approx(numbers.start / 25)
    assert last == pytest.approx(numbers.stop / 25)


@pytest.mark.parametrize(
    ("start", "end", "said"),
    [
        (FrameNumber(50), None, "the part starts at frame 50; the video's last frame is numbered 49"),
        (FrameNumber(9), FrameNumber(9), "the part from frame 9 to frame 9 is empty"),
        (FrameNumber(9), FrameNumber(3), "the part from frame 9 to frame 3 is empty"),
        (FrameNumber(-1), FrameNumber(3), "frame -1: a part starts and ends at 0, the first frame, or later"),
    ],
)
def test_parts_by_number_that_are_none(start: FrameNumber, end: FrameNumber, said: str) -> None:
    with pytest.raises(VideoError, match=said):
        part_frames(steady(50), Part(start, end))


def test_numbers_need_no_times() -> None:
    index = VideoIndex(Path("a.yuv"), VideoInfo("raw", "raw", 8, 8, 50))
    assert part_frames(index, Part(FrameNumber(3), FrameNumber(9))) == range(3, 9)


@given(st.lists(st.tuples(st.integers(0, 300), st.integers(1, 90)), max_size=60))
def test_parts_of_a_pass_do_not_overlap(found: list[tuple[int, int]]) -> None:
    parts = [range(start, start + length) for start, length in found]
    passes = in_passes(parts)
    assert sorted(place for places in passes for place in places) == list(range(len(parts)))
    for places in passes:
        assert all(parts[one].stop <= parts[other].start for one, other in pairwise(places))
    assert len(passes) == max((sum(number in part for part in parts) for number in range(400)), default=0)


def test_parts_that_do_not_overlap_make_one_pass() -> None:
    assert in_passes([range(20, 30), range(10), range(10, 20)]) == [[1, 2, 0]]


CLIPS: dict[str, Callable[[Path], Path]] = {
    "long groups.mp4": lambda path: write_clip(path, 120, gop=250, options={"bf": "4", "b-adapt": "0"}),
    "open groups.mp4": lambda path: write_clip(
        path, 120, "libx265", gop=20, options={"x265-params": "open-gop=1:bframes=6"}
    ),
    "rate.mkv": variable,
    "stream.ts": lambda path: write_clip(path, 100, "mpeg2video"),
    "times.avi": lambda path: write_clip(path, 100, "mpeg4"),
}


@pytest.mark.parametrize("name", CLIPS)
def test_parts_in_one_pass_are_as_one_by_one(name: str, tmp_path: Path) -> None:
    clip = CLIPS[name](tmp_path / name)
    index = index_video(clip)
    parts = [*even_parts(index, 0.8), Part(0.3, 1.7), Part(1.0, 1.04), WHOLE, Part(0.3, 1.7), Part(FrameNumber(7))]
    passes = in_passes([part_frames(index, part) for part in parts])
    assert len(passes) == 6
    asked = [[parts[place] for place in places] for places in passes]
    loaded = [found for one in asked for found in load_parts(index, one, SPEC)]
    for (start, end), found in zip([part for one in asked for part in one], loaded, strict=True):
        assert isinstance(found, LoadedViews)
        alone = load_views(clip, SPEC, start=start, end=end)
        same(found, alone)
        assert found.notes == alone.notes
        assert found.part == alone.part


def test_dense_parts_are_decoded_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clip = write_clip(tmp_path / "a.mp4", 200, gop=250)
    index = index_video(clip)
    decoders: list[FrameDecoder] = []
    begin = FrameDecoder.__init__

    def watched(self: FrameDecoder, *args: object, **options: object) -> None:
        begin(self, *args, **options)  # type: ignore[arg-type]
        decoders.append(self)

    monkeypatch.setattr(FrameDecoder, "__init__", watched)
    assert len(list(load_parts(index, even_parts(index, 0.5), SPEC))) == 16
    (decoder,) = decoders
    assert decoder.decoded <= 200


def test_a_part_that_is_none_costs_itself_only(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "a.mp4", 50)
    parts = [Part(0.5, 0.2), Part(0.0, 1.0), Part(1.0, 1.0), Part(1.0, 2.0), Part(9.0, 10.0)]
    found = list(load_parts(index_video(clip), parts, SPEC))
    assert [isinstance(one, LoadedViews) for one in found] == [False, True, False, True, False]
    assert "the video's last frame is shown at 1.960 s" in str(found[-1])


def test_damage_costs_its_parts_only(tmp_path: Path) -> None:
    """Of a film whose middle is lost, only the parts there fail or have a note; the others look as ever."""
    clip = write_clip(tmp_path / "a.mp4", [noise_frame(number, 64, 96) for number in range(150)], gop=25)
    parts = even_parts(index_video(clip), 1.0)
    whole = list(load_parts(index_video(clip), parts, SPEC))
    data = bytearray(clip.read_bytes())
    low, high = int(len(data) * 0.4), int(len(data) * 0.6)
    data[low:high] = bytes(high - low)
    clip.write_bytes(data)
    found = list(load_parts(index_video(clip), parts, SPEC))
    touched = [number for number, one in enumerate(found) if isinstance(one, VideoError) or one.notes]
    assert touched
    assert set(touched) <= {2, 3}
    assert any(isinstance(found[number], VideoError) for number in touched)
    for number in (0, 1, 4, 5):
        same(found[number], whole[number])


def test_frames_are_freed_as_soon_as_they_are_done_with(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "a.mp4", 60)
    gc.collect()
    gc.disable()
    try:
        for number, _ in decode(clip, range(60)):
            if number % 20 == 19:  # looking takes longer than decoding
                alive = sum(type(one) is av.video.frame.VideoFrame for one in gc.get_objects())
                assert alive <= 12  # the decoder gives several at a time
    finally:
        gc.enable()
