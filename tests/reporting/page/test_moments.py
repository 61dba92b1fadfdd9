"""When and where a video is weak, in figures and in words."""

import dataclasses
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cover import load_model
from cover.reporting.clock import clock
from cover.reporting.page.moments import extreme, place, timeline, weak_stretches
from cover.scores import BRANCHES
from cover.scoring.scorer import Scorer
from tests.helpers.clips import faulty_clip

MOMENTS = 24


def maps_of(curves: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    return {branch: np.repeat(curve, 49).reshape(-1, 7, 7).astype(np.float32) for branch, curve in curves.items()}


def line_of(curves: Mapping[str, np.ndarray], seconds: float = 10.0):
    count = len(curves["aesthetic"])
    times = {branch: (np.arange(count) + 0.5) * seconds / count for branch in BRANCHES}
    frames = {branch: np.arange(count) * 10 for branch in BRANCHES}
    return timeline(maps_of(curves), times, frames, seconds)


def steady(count: int = 20, noise: float = 0.01) -> dict[str, np.ndarray]:
    random = np.random.default_rng(0)
    return {branch: 0.3 + noise * random.normal(size=count) for branch in BRANCHES}


def test_a_dip_is_a_stretch_with_its_depth_and_frame() -> None:
    curves = steady()
    curves["technical"][4:8] -= [0.5, 0.9, 0.7, 0.5]
    (found,) = weak_stretches(line_of(curves), {})
    assert found.branch == "technical"
    assert (found.start, found.end) == pytest.approx((2.0, 4.0))
    assert found.time == pytest.approx(2.75)
    assert found.frame == 50
    assert found.below == pytest.approx(0.9, abs=0.03)


def test_stretches_reach_the_ends_of_the_video() -> None:
    curves = steady()
    curves["semantic"][:2] -= 1
    curves["aesthetic"][-2:] -= 1
    found = {stretch.branch: stretch for stretch in weak_stretches(line_of(curves), {})}
    assert found["semantic"].start == 0
    assert found["aesthetic"].end == 10


def test_a_fault_that_lasts_does_not_hide_itself() -> None:
    curves = steady()
    curves["technical"][:8] -= 1
    (found,) = weak_stretches(line_of(curves), {})
    assert (found.start, found.end) == pytest.approx((0, 4))


def test_small_drops_are_not_worth_a_look() -> None:
    curves = steady(noise=1e-4)
    curves["semantic"][5] -= 0.05
    curves["technical"][5] -= 0.2
    assert [stretch.branch for stretch in weak_stretches(line_of(curves), {})] == ["technical"]
    assert weak_stretches(line_of(curves), {"technical": 0.5}) == []


@pytest.mark.parametrize("count", [1, 2, 3])
def test_too_few_moments_have_no_stretches(count: int) -> None:
    curves = steady(count)
    curves["technical"][0] -= 5
    assert weak_stretches(line_of(curves), {}) == []


def test_unknown_times_have_no_stretches() -> None:
    curves = steady()
    curves["technical"][3] -= 5
    unknown = {branch: np.full(20, np.nan) for branch in BRANCHES}
    frames = {branch: np.arange(20) for branch in BRANCHES}
    assert weak_stretches(timeline(maps_of(curves), unknown, frames), {}) == []


def test_branches_of_other_times_share_one_axis() -> None:
    maps = {"semantic": np.zeros((4, 1, 1)), "technical": np.ones((8, 7, 7)), "aesthetic": np.ones((2, 7, 7))}
    times = {branch: np.linspace(0, 6, len(rows)) for branch, rows in maps.items()}
    frames = {branch: np.arange(len(rows)) for branch, rows in maps.items()}
    line = timeline(maps, times, frames)
    assert {name: len(curve) for name, curve in line.curves.items()} == dict.fromkeys([*BRANCHES, "overall"], 2)
    assert line.curves["overall"] == pytest.approx([2, 2])


def test_the_worst_moment_in_words() -> None:
    curves = steady()
    curves["technical"][14] -= 1
    line, maps = line_of(curves), maps_of(curves)
    maps["technical"][14, 6, 0] = -5
    worst = extreme(line, maps)
    assert worst.words() == "0:07, technical, lower left"
    assert worst.row == 14


@pytest.mark.parametrize(
    ("cell", "words"),
    [((0, 0), "upper left"), ((0, 3), "upper"), ((3, 3), "centre"), ((3, 6), "right"), ((6, 6), "lower right")],
)
def test_places_of_a_frame(cell: tuple[int, int], words: str) -> None:
    cells = np.zeros((7, 7))
    cells[cell] = 1
    assert place(cells) == words
    assert place(np.zeros((7, 7))) == ""


@pytest.mark.parametrize(("seconds", "shown"), [(7.9, "0:07"), (61, "1:01"), (3723, "1:02:03")])
def test_times_as_players_show_them(seconds: float, shown: str) -> None:
    assert clock(seconds) == shown


@settings(max_examples=60, deadline=None)
@given(st.lists(st.floats(-100, 100, width=32), min_size=1, max_size=40), st.floats(0.1, 1e4))
def test_stretches_lie_in_the_video_and_in_order(values: list[float], seconds: float) -> None:
    curves = {branch: np.array(values) for branch in BRANCHES}
    line = line_of(curves, seconds)
    found = weak_stretches(line, {})
    for stretch in found:
        assert 0 <= stretch.start < stretch.end <= seconds * (1 + 1e-9)
        assert stretch.start <= stretch.time <= stretch.end
        assert stretch.below > 0


@pytest.mark.slow
def test_a_second_of_blur_and_half_a_second_near_black_are_found(tmp_path: Path) -> None:
    """Four seconds of a real scene, at as many moments as quality over time asks for."""
    clip = faulty_clip(tmp_path / "faults.mp4")
    model = load_model("cover_lite")
    dense = {branch: dataclasses.replace(getattr(model.views, branch), fragments=MOMENTS) for branch in BRANCHES}
    score = Scorer(model, dataclasses.replace(model.views, **dense)).score(clip)
    frames = {branch: numbers[:, 0] for branch, numbers in score.frames.items()}
    found = weak_stretches(timeline(score.maps, score.times, frames, score.info.duration), {})
    spacing = 4 / MOMENTS
    for start, end in ((1.0, 2.0), (3.2, 3.68)):
        assert any(abs(one.start - start) <= spacing and abs(one.end - end) <= spacing for one in found)
    faulty = [(1 - spacing, 2 + spacing), (3.2 - spacing, 3.68 + spacing)]
    assert all(any(low <= one.start and one.end <= high for low, high in faulty) for one in found)
