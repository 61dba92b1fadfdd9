"""From raw scores to a MOS scale: the curve rises, follows either scale, and survives being stored."""

import json
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from cover.curves import Curve, Line, Logistic, from_plain, to_plain
from cover.evaluation.fits.calibration import calibrate

WIDE = np.linspace(-20, 20, 401)


def data(seed: int, n: int = 60, noise: float = 0.3) -> tuple[np.ndarray, np.ndarray]:
    """Scores, and ratings that level off at both ends of a 1 to 5 scale."""
    rng = np.random.default_rng(seed)
    pred = rng.normal(0.2, 1.0, n)
    return pred, 1 + 4 / (1 + np.exp(-2 * pred)) + rng.normal(0, noise, n)


def test_ratings_are_met() -> None:
    pred, mos = data(0, noise=0)
    curve = calibrate(pred, mos)
    assert curve is not None
    np.testing.assert_allclose(curve(pred), mos, atol=1e-4)


@given(st.integers(0, 10**6), st.integers(5, 60), st.floats(0, 5))
@settings(deadline=None, max_examples=60)
def test_the_order_of_scores_stays(seed: int, n: int, noise: float) -> None:
    curve = calibrate(*data(seed, n, noise))
    assume(curve is not None)
    assert curve is not None
    assert (np.diff(curve(WIDE)) >= 0).all()
    assert curve(WIDE[-1]) > curve(WIDE[0])


@given(st.integers(0, 10**6), st.integers(5, 60), st.floats(0, 5))
@settings(deadline=None, max_examples=60)
def test_a_score_beyond_all_others_does_not_explode(seed: int, n: int, noise: float) -> None:
    pred, mos = data(seed, n, noise)
    curve = calibrate(pred, mos)
    assume(curve is not None)
    assert curve is not None
    beyond = curve(pred.max() + pred.std())
    assert beyond <= mos.max() + np.ptp(mos)


def test_an_exponential_gives_way_to_a_line() -> None:
    pred = np.linspace(0, 1, 20)
    mos = 1.75 + 0.01 * np.exp(9 * pred) / np.exp(4)
    assert isinstance(calibrate(pred, mos), Line)


@given(
    st.integers(0, 10**6),
    st.floats(0.01, 100),
    st.floats(-100, 100),
    st.floats(0.01, 100),
    st.floats(-100, 100),
)
@settings(deadline=None, max_examples=40)
def test_neither_scale_matters(seed: int, slope: float, shift: float, mos_slope: float, mos_shift: float) -> None:
    pred, mos = data(seed)
    plain, moved = calibrate(pred, mos), calibrate(slope * pred + shift, mos_slope * mos + mos_shift)
    assert plain is not None
    assert moved is not None
    np.testing.assert_allclose((moved(slope * pred + shift) - mos_shift) / mos_slope, plain(pred), atol=2e-3)


REVERSED = tuple(a * b for a, b in zip(data(1), (-1, 1), strict=True))


@pytest.mark.parametrize(
    ("pred", "mos"),
    [
        REVERSED,
        (np.ones(9), np.arange(9)),
        (np.arange(9), np.ones(9)),
        (np.arange(4), np.arange(4)),
        ([], []),
        ([*range(8), math.nan], np.arange(9)),
        (np.arange(9), [*range(8), math.inf]),
    ],
    ids=["reversed", "constant scores", "constant MOS", "four videos", "none", "a score that is NaN", "infinite MOS"],
)
def test_where_there_is_no_rising_curve(pred: Any, mos: Any) -> None:
    assert calibrate(pred, mos) is None


finite = st.floats(-1e6, 1e6)
positive = st.floats(1e-6, 1e6)
lines = st.builds(Line, positive, finite)
logistics = st.builds(
    lambda b2, rise, b3, b4: Logistic(b2 + rise, b2, b3, b4), finite, st.floats(1, 1e6), finite, positive
)


@given(lines | logistics)
def test_stored_as_plain_data(curve: Curve) -> None:
    stored = json.loads(json.dumps(to_plain(curve)))
    assert from_plain(stored) == curve


LINE = {"kind": "line", "slope": 2.0, "intercept": 1.0}
LOGISTIC = {"kind": "logistic", "b1": 5.0, "b2": 1.0, "b3": 0.0, "b4": 1.0}


@pytest.mark.parametrize(
    ("stored", "message"),
    [
        (None, "kind is None"),
        ([LINE], "kind is None"),
        ({}, "kind is None"),
        (LINE | {"kind": "cubic"}, "kind is 'cubic', not one of line, logistic"),
        (LINE | {"kind": ["line"]}, "kind is"),
        (LINE | {"kind": "logistic"}, "a logistic has b1, b2, b3, b4 and nothing else"),
        (LINE | {"more": 1.0}, "a line has slope, intercept and nothing else"),
        (LINE | {"slope": "2"}, "finite floats"),
        (LINE | {"slope": None}, "finite floats"),
        (LINE | {"intercept": math.nan}, "finite floats"),
        (LINE | {"slope": -2.0}, "does not rise"),
        (LOGISTIC | {"b1": 1.0}, "does not rise"),
        (LOGISTIC | {"b4": -1.0}, "does not rise"),
    ],
)
def test_what_is_no_calibration(stored: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        from_plain(stored)
