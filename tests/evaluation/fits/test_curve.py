"""Third-order polynomials and five-parameter logistics: the least-squares ones, and monotonic where they must be."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import optimize

from cover.curves import Cubic, Line, Logistic5
from cover.evaluation.correlation import plcc, rmse
from cover.evaluation.fits.cubics import fit_cubic
from cover.evaluation.fits.curve import fit_curve, known


def noisy(seed: int, shape: str, count: int = 40) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    x = np.sort(rng.normal(size=count))
    shapes = {"rises": np.tanh(2 * x), "falls": -(x**3), "turns": (x - 0.3) ** 2, "waves": np.sin(2 * x), "none": 0 * x}
    return x, shapes[shape] + rng.normal(0, 0.3, count)


def numerical(x: np.ndarray, y: np.ndarray) -> float:
    """The least squares of a monotonic third-order polynomial, by a general solver on a grid of slopes."""
    t = (x - (x.min() + x.max()) / 2) / ((x.max() - x.min()) / 2)
    powers, grid = t[:, None] ** np.arange(4), np.linspace(-1, 1, 801)
    slopes = np.stack([0 * grid, 1 + 0 * grid, 2 * grid, 3 * grid**2], axis=1)
    best = np.inf
    for sign in (1, -1):
        found = optimize.minimize(
            lambda c, sign=sign: ((powers @ c - sign * y) ** 2).sum(),
            [sign * y.mean(), 0.1, 0, 0],
            jac=lambda c, sign=sign: 2 * powers.T @ (powers @ c - sign * y),
            constraints=optimize.LinearConstraint(slopes, 0, np.inf),
            method="SLSQP",
            options={"maxiter": 500, "ftol": 1e-14},
        )
        best = min(best, float(found.fun))
    return best


class TestCubic:
    @pytest.mark.parametrize("shape", ["rises", "falls", "turns", "waves", "none"])
    @pytest.mark.parametrize("seed", range(3))
    def test_no_monotonic_one_is_better(self, seed: int, shape: str) -> None:
        x, y = noisy(seed, shape)
        curve = fit_cubic(x, y, monotonic=True)
        slopes = np.diff(curve(np.linspace(x.min(), x.max(), 1000)))
        assert (slopes >= -1e-9).all() or (slopes <= 1e-9).all()
        assert ((curve(x) - y) ** 2).sum() <= numerical(x, y) * (1 + 1e-3)

    @pytest.mark.parametrize("seed", range(3))
    def test_without_the_constraint_it_is_numpys(self, seed: int) -> None:
        x, y = noisy(seed, "waves")
        expected = np.polynomial.Polynomial.fit(x, y, 3)(x)
        np.testing.assert_allclose(fit_cubic(x, y, monotonic=False)(x), expected, atol=1e-9)

    def test_where_the_plain_one_rises_both_are_one(self) -> None:
        rng = np.random.default_rng(0)
        x = np.sort(rng.normal(size=40))
        y = x + 0.1 * x**3 + rng.normal(0, 0.05, 40)
        plain, monotonic = (fit_cubic(x, y, monotonic=constraint) for constraint in (False, True))
        assert plain(x) == pytest.approx(monotonic(x))

    def test_a_constraint_costs_correlation(self) -> None:
        x, y = noisy(0, "waves")
        assert plcc(x, y, "cubic_free") > plcc(x, y, "cubic") + 0.1
        assert rmse(x, y, "linear") >= rmse(x, y, "cubic") > rmse(x, y, "cubic_free")

    def test_beyond_the_predictions_it_stays_at_its_ends(self) -> None:
        x, y = noisy(0, "rises")
        curve = fit_curve(x, y, "cubic")
        assert isinstance(curve, Cubic)
        assert curve([x.min() - 9, x.max() + 9]) == pytest.approx(curve([x.min(), x.max()]))

    @settings(max_examples=50, deadline=None)
    @given(pairs=st.lists(st.tuples(st.integers(0, 3), st.integers(0, 4)), min_size=5, max_size=12))
    def test_any_ties(self, pairs: list[tuple[int, int]]) -> None:
        x, y = np.array(pairs, dtype=float).T
        assert rmse(x, y, "cubic") <= y.std() + 1e-9


class TestFiveParameters:
    def test_a_logistic_on_a_line_is_found(self) -> None:
        x = np.linspace(-3, 3, 60)
        y = 2 * (0.5 - 1 / (1 + np.exp(3 * (x - 0.5)))) + 0.4 * x + 3
        curve = fit_curve(x, y, "logistic5")
        assert isinstance(curve, Logistic5)
        found = (curve.b1, curve.b2, curve.b3, curve.b4, curve.b5)
        assert found == pytest.approx((2, 3, 0.5, 0.4, 3), abs=1e-3)

    @pytest.mark.parametrize("seed", range(4))
    def test_it_is_no_worse_than_four_parameters_or_a_line(self, seed: int) -> None:
        x, y = noisy(seed, "rises")
        assert rmse(x, y, "logistic5") <= rmse(x, y, "linear") + 1e-12
        assert rmse(x, y, "logistic5") <= rmse(x, y, "logistic4") * 1.01

    def test_a_line_stays_a_line(self) -> None:
        x = np.linspace(0, 1, 20)
        assert isinstance(fit_curve(x, 2 * x + 1, "logistic5"), Line)


def test_an_earlier_name() -> None:
    with pytest.warns(DeprecationWarning, match=r"fit=logistic is called fit=logistic4; the old name goes in 0\.9"):
        assert known("logistic") == "logistic4"
