"""Two runs on the same videos: differences, their chance, and what swamps them."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from cover.results.pairs import change, paired, setting_differences, unlike


def test_a_change_with_its_interval_and_test() -> None:
    random = np.random.default_rng(0)
    a = random.normal(size=40)
    b = a + 0.2 + random.normal(0, 0.1, 40)
    found = change("overall", a, b)
    assert found.mean == pytest.approx((b - a).mean())
    half = 1.96 * (b - a).std(ddof=1) / np.sqrt(40)
    assert (found.low, found.high) == pytest.approx((found.mean - half, found.mean + half), abs=0.01)
    assert found.p == pytest.approx(stats.wilcoxon(b - a).pvalue)
    assert (found.wins, found.losses) == (int((b > a).sum()), int((b < a).sum()))
    assert found.verdict == "higher"
    assert change("overall", b, a).verdict == "lower"
    assert change("overall", b, a).below(-0.1)
    assert not change("overall", b, a).below(-0.2)


@pytest.mark.parametrize("n", [0, 1, 2, 7])
def test_few_pairs_conclude_nothing(n: int) -> None:
    found = change("overall", np.zeros(n), np.full(n, -1.0) + np.arange(n) * 1e-3)
    assert found.verdict == "indeterminate"
    assert "too few" in found.reason
    assert not found.below(-0.05)


def test_an_interval_that_holds_zero_concludes_nothing() -> None:
    b = np.array([-1.0, 1.0] * 10)
    found = change("overall", np.zeros(20), b)
    assert (found.verdict, found.reason) == ("indeterminate", "the interval holds zero")


def test_equal_runs() -> None:
    found = change("overall", np.ones(20), np.ones(20) + 1e-6)
    assert (found.mean, found.wins, found.losses) == (0, 0, 0)
    assert np.isnan(found.p)
    assert found.verdict == "indeterminate"


def test_pairs_by_name_and_else_by_the_name_without_suffix() -> None:
    def named(*names: str) -> pd.DataFrame:
        return pd.DataFrame(index=list(names))

    assert paired(named("a", "b", "c"), named("c", "a")).to_numpy().tolist() == [["a", "a"], ["c", "c"]]
    assert paired(named("x/a.mp4", "b.mp4"), named("x/a.mkv", "a.mkv")).to_numpy().tolist() == [["x/a.mp4", "x/a.mkv"]]
    assert paired(named("a"), named("b")).empty
    assert paired(named("x.mp4", "x.mov", "y.mp4"), named("x.webm", "y.webm")).to_numpy().tolist() == [
        ["y.mp4", "y.webm"]
    ]


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({}, []),
        ({"width": 960, "height": 540}, ["size 640x360 -> 960x540"]),
        ({"fps": 50.0}, ["frame rate 25 -> 50"]),
        ({"fps": 25.1, "duration": 6.05}, []),
        ({"duration": 5.0}, ["length 6 -> 5"]),
        ({"codec": "hevc"}, ["codec h264 -> hevc"]),
        ({"codec": "ffv1", "lossless": "True"}, ["codec h264 -> ffv1", "lossless False -> True"]),
        ({"width": float("nan"), "codec": None, "fps": None}, []),
        ({"bitrate": 99.0, "bits_per_pixel": 1.0}, []),
    ],
)
def test_what_else_differs_between_two_videos(changed: dict[str, object], said: list[str]) -> None:
    before = {"width": 640, "height": 360, "fps": 25.0, "duration": 6.0, "codec": "h264", "lossless": "False"}
    assert unlike(before, {**before, **changed}) == said


def test_what_differs_between_two_records() -> None:
    a = {"views": {"seed": 0, "sampling": "center"}, "weights": "a"}
    b = {"views": {"seed": 1, "sampling": "center"}, "model": {"name": "cover"}, "weights": "a"}
    assert setting_differences(a, b) == [("model.name", "(none)", "cover"), ("views.seed", "0", "1")]
