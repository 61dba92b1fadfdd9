"""Contents of videos: by a column, or guessed from names of versions of one."""

from pathlib import Path

import pytest

from cover.errors import UsageError
from cover.evaluation.splits.contents import contents, guess, shared
from cover.evaluation.splits.protocol import Protocol
from cover.rows import Row, part_of


def rows(*names: str, **extras: list[object]) -> list[Row]:
    return [
        Row(Path(name), name, float(place), {key: values[place] for key, values in extras.items()})
        for place, name in enumerate(names)
    ]


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["park_crf23.mp4", "park_crf35.mp4", "sea_crf23.mp4"], ["park", "park", "sea"]),
        (["park_1500k_h264.mp4", "park_800kbps_hevc.mp4", "sea.mp4"], ["park", "park", "sea"]),
        (["park_1080p_30fps.mp4", "park_720p.mp4", "sea-1920x1080.mp4"], ["park", "park", "sea"]),
        (["park_8s.mp4", "park.mp4", "sea.mp4"], ["park", "park", "sea"]),
        (["00-blur-1.mp4", "00-noise-2.mp4", "01-blur-1.mp4"], ["00", "00", "01"]),
        (["crf23/park.mp4", "crf35/park.mp4", "crf23/sea.mp4"], ["park", "park", "sea"]),
        (["s0_jpeg1.png", "s0_jpeg3.png", "s0_ref0.png", "s1_blur2.png"], ["s0", "s0", "s0", "s1"]),
        (["Park_Level_3.png", "Park_level_4.png", "Sea_q10.png"], ["Park", "Park", "Sea"]),
    ],
)
def test_versions_of_one_content(names: list[str], expected: list[str]) -> None:
    assert guess(names) == expected


@pytest.mark.parametrize(
    "names",
    [
        ["clip_1.mp4", "clip_2.mp4", "clip_3.mp4"],
        ["0001.jpg", "0002.jpg"],
        ["2024-01-03.mp4", "2024-01-04.mp4"],
        ["P01_01.mp4", "P01_02.mp4", "P02_01.mp4"],
        ["park_crf23.mp4", "park_crf35.mp4"],  # one content tells nothing
        ["Gaming_720P-2400.mkv", "Gaming_720P-3524.mkv"],
        ["kling_720p_001.mp4", "kling_720p_002.mp4", "sora_720p_001.mp4"],
        ["only.mp4"],
    ],
)
def test_names_that_tell_nothing(names: list[str]) -> None:
    assert guess(names) is None


def test_a_column_comes_first() -> None:
    found = contents(rows("a_crf1.mp4", "a_crf2.mp4", "b_crf1.mp4", Scene=["x", "y", "y"]))
    assert found is not None
    assert (found.keys, found.source, found.count) == (["x", "y", "y"], "column Scene", 2)
    with_gaps = contents(rows("a_crf1.mp4", "a_crf2.mp4", "b_crf1.mp4", scene=["x", "", "y"]))
    assert with_gaps is not None
    assert with_gaps.source == "names"
    assert contents(rows("a_crf1.mp4", "a_crf2.mp4", "b.mp4"), "scene") is None


def test_contents_on_both_sides() -> None:
    train, held_out = rows("park_crf1.mp4", "sea_crf1.mp4"), rows("park_crf9.mp4", "hill_crf1.mp4")
    line = shared(train, held_out)
    assert line is not None
    assert line.startswith("1 of 2 videos held out")
    assert "park_crf9.mp4 and park_crf1.mp4" in line
    assert shared(train, rows("hill_crf1.mp4", "hill_crf2.mp4")) is None


def test_a_grouped_split_needs_no_column() -> None:
    names = [f"{scene}_crf{level}.mp4" for scene in "abcde" for level in (1, 2, 3)]
    (split,) = Protocol("grouped", 1).split(rows(*names))
    assert {row.name[0] for row in split["train"]}.isdisjoint(row.name[0] for row in split["test"])
    with pytest.raises(UsageError, match=r"name the column with protocol.column=NAME"):
        Protocol("grouped", 1).split(rows("clip_1.mp4", "clip_2.mp4"))


def test_parts_of_a_video_are_one_content() -> None:
    videos = rows("talk.mp4", "walk.mp4")
    parts = [part_of(video, float(start), None) for start in range(3) for video in videos]
    found = contents(parts)
    assert found is not None
    assert (found.keys, found.source) == (["talk.mp4", "walk.mp4"] * 3, "videos")
    versions = [
        part_of(row, start, None) for row in rows("park_crf23.mp4", "park_crf40.mp4", "sea.mp4") for start in (0.0, 5.0)
    ]
    assert contents(versions).keys == ["park"] * 4 + ["sea"] * 2  # type: ignore[union-attr]
