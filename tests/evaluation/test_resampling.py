"""Intervals by counts: those of the plain bootstrap, whatever the data, and of a part for many videos."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cover.curves import Fit
from cover.evaluation import resampling
from cover.evaluation.correlation import krocc, plcc, rmse, srocc
from cover.evaluation.fits.curve import FITS
from cover.evaluation.measures import MEASURES, measure
from cover.evaluation.registry import resampled_statistic
from cover.evaluation.resampling import counts, resampled


def plain(x: np.ndarray, y: np.ndarray, weights: np.ndarray, fit: Fit) -> dict[str, np.ndarray]:
    """Measures of each resampling, one after the other, of videos as often as they were drawn."""
    found = []
    for row in weights.astype(int):
        some = np.repeat(np.arange(len(x)), row)
        pred, mos = x[some], y[some]
        found.append([srocc(pred, mos), krocc(pred, mos), plcc(pred, mos, fit), rmse(pred, mos, fit)])
    return dict(zip(MEASURES, np.array(found).T, strict=True))


@pytest.mark.parametrize("fit", FITS)
def test_counts_give_what_copies_give(fit: Fit) -> None:
    rng = np.random.default_rng(1)
    x = rng.integers(0, 25, 60).astype(float)  # with ties
    y = np.round(3 + np.tanh((x - 12) / 6) + rng.normal(0, 0.4, 60), 1)
    weights = counts(60, 25, seed=3)
    found, expected = resampled(resampled_statistic(x, y, fit), weights), plain(x, y, weights, fit)
    for name in MEASURES:
        # A logistic on a line has several valleys; from scratch another one may be found.
        atol = 1e-10 if name in ("srocc", "krocc") else 0.05 if fit == "logistic5" else 2e-4
        np.testing.assert_allclose(found[name], expected[name], atol=atol, err_msg=name)


@settings(max_examples=60, deadline=None)
@given(
    pairs=st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), min_size=5, max_size=15),
    seed=st.integers(0, 2**20),
)
def test_ranks_with_any_ties(pairs: list[tuple[int, int]], seed: int) -> None:
    x, y = np.array(pairs, dtype=float).T
    weights = counts(len(x), 8, seed)
    found, expected = resampled(resampled_statistic(x, y, "linear"), weights), plain(x, y, weights, "linear")
    for name in ("srocc", "krocc"):
        np.testing.assert_allclose(found[name], expected[name], atol=1e-9)


@pytest.mark.parametrize("fit", ["logistic4", "cubic"])
def test_a_part_stands_for_many_videos(fit: Fit, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(2)
    x = rng.normal(size=6000)
    y = 3 + np.tanh(x) + rng.normal(0, 0.5, 6000)
    some = measure(x, y, fit=fit, resamples=400)
    monkeypatch.setattr(resampling, "LARGEST", 6000)
    every = measure(x, y, fit=fit, resamples=400)
    for name in MEASURES:
        assert getattr(some, name) == getattr(every, name)
        width, expected = (high - low for low, high in (some.ci95[name], every.ci95[name]))
        assert width == pytest.approx(expected, rel=0.2)
        assert some.ci95[name] == pytest.approx(every.ci95[name], abs=0.35 * expected)


def test_intervals_hold_the_truth_as_often_as_they_say() -> None:
    """95 % of the intervals of PLCC, of the line, on samples of a known population."""
    rng = np.random.default_rng(0)
    held = 0
    for _ in range(150):
        x = rng.normal(size=80)
        low, high = measure(x, 0.6 * x + 0.8 * rng.normal(size=80), fit="linear", resamples=200).ci95["plcc"]
        held += low < 0.6 < high
    assert held / 150 == pytest.approx(0.95, abs=0.05)


@pytest.mark.parametrize(
    ("pred", "mos", "words"),
    [
        ([], [], "no video"),
        ([1.0, 2.0], [1.0, 2.0], "2 videos: correlations need 3"),
        ([1.0, 2.0, 3.0], [1.0, 3.0, 2.0], "3 videos: PLCC and RMSE after fit=logistic4 need 5"),
        ([2.0] * 6, [1.0, 2, 3, 4, 5, 6], "all 6 scores are 2"),
        ([1.0, 2, 3, 4, 5, 6], [3.0] * 6, "all 6 MOS are 3"),
        ([1.0, 2, 3, math.nan, 5, 6], [1.0, 2, 3, 4, 5, 6], "not finite"),
        ([1.0, 2, 3, 4, 5, 6], [1.0, 2, 3, 4, 5, 6], "agree perfectly"),
    ],
)
def test_what_is_undefined_is_explained(pred: list[float], mos: list[float], words: str) -> None:
    found = measure(pred, mos, resamples=20)
    assert any(words in line for line in found.undefined)


def test_two_videos_have_no_perfect_correlation() -> None:
    found = measure([1, 2], [3, 4], fit="none", resamples=100)
    assert math.isnan(found.srocc)
    assert all(math.isnan(end) for end in found.ci95["srocc"])


def test_what_is_defined_needs_no_words() -> None:
    rng = np.random.default_rng(0)
    assert measure(rng.normal(size=30), rng.normal(size=30), resamples=50).undefined == ()
