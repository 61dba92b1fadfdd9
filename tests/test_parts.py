"""Parts: their names, and bounds as tables have them."""

import datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cover.parts import Bound, FrameNumber, Part, bound_text, read_bound
from cover.rows import Row, part_of

MOMENTS = st.none() | st.floats(0, 1e6).map(lambda value: round(value, 3)) | st.integers(0, 10**7).map(FrameNumber)


@pytest.mark.parametrize(
    ("cell", "moment"),
    [
        ("12.5", 12.5),
        (" 7 ", 7.0),
        (3, 3.0),
        (0.0, 0.0),
        ("1:02", 62.0),
        ("00:01:02.25", 62.25),
        ("1:00:00", 3600.0),
        ("90:00", 5400.0),
        ("0:00:01,5", 1.5),  # as subtitles write it
        (datetime.time(0, 1, 2, 500_000), 62.5),
        (datetime.timedelta(minutes=2), 120.0),
        ("", None),
        (None, None),
        (float("nan"), None),
    ],
)
def test_moments_of_tables(cell: object, moment: float | None) -> None:
    assert read_bound(cell) == moment


@pytest.mark.parametrize(
    "cell", ["soon", "2024-05-01", "1:2:3:4", "inf", "12s", "1:75", "1:60:00", "-0:05", "frame:1.5", "frame:x"]
)
def test_what_is_no_moment(cell: str) -> None:
    with pytest.raises(ValueError, match=r"seconds or HH:MM:SS|number of a frame"):
        read_bound(cell)


@pytest.mark.parametrize(("cell", "number"), [("120", 120), (120.0, 120), ("frame:7", 7)])
def test_numbers_of_frames(cell: object, number: int) -> None:
    found = read_bound(cell, frames=True)
    assert found == number
    assert isinstance(found, FrameNumber)


@given(MOMENTS)
def test_a_moment_is_read_as_it_is_written(moment: Bound | None) -> None:
    found = read_bound(bound_text(moment))
    assert found == moment
    assert isinstance(found, FrameNumber) == isinstance(moment, FrameNumber)


@given(st.text(min_size=1), MOMENTS, MOMENTS)
def test_a_part_knows_its_video(video: str, start: Bound | None, end: Bound | None) -> None:
    part = part_of(Row(Path("a.mp4"), video), start, end)
    assert part.video == video
    assert part.is_part == (part.name != video)
    assert part_of(part, None, None) == Row(Path("a.mp4"), video)


def test_names_are_media_fragments() -> None:
    assert Part(12.0, 20.5).name("a.mp4") == "a.mp4#t=12.000,20.500"
    assert Part(None, 3.0).name("a.mp4") == "a.mp4#t=,3.000"
    assert Part(FrameNumber(3)).name("a.mp4") == "a.mp4#t=frame:3,"
    assert Part().name("a.mp4") == "a.mp4"


@pytest.mark.parametrize(
    ("one", "other", "do"),
    [
        ((0.0, 2.0), (2.0, 4.0), False),
        ((0.0, 2.0), (1.9, 4.0), True),
        ((None, None), (5.0, 6.0), True),
        ((None, 5.0), (5.0, None), False),
        ((FrameNumber(0), FrameNumber(9)), (FrameNumber(9), None), False),
        ((FrameNumber(0), FrameNumber(9)), (20.0, 30.0), True),  # the file alone knows
    ],
)
def test_parts_that_overlap(one: tuple[Bound, Bound], other: tuple[Bound, Bound], do: bool) -> None:
    assert Part(*one).overlaps(Part(*other)) is do
    assert Part(*other).overlaps(Part(*one)) is do
