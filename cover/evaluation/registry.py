"""Measures of agreement: the one place where a measure is declared. Everything else iterates over :data:`MEASURES`."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from cover.curves import Curve, Fit
from cover.evaluation.arrays import Array
from cover.evaluation.correlation import krocc_of, plcc_of, rmse_of, srocc_of
from cover.evaluation.fits.curve import degrees, known
from cover.evaluation.resampling import Ranks, Resamples, Statistic, correlation, fitted, kendall


@dataclass(frozen=True)
class Measure:
    """A measure of agreement.

    Attributes:
        name: Its name in files and logs, a Python name.
        label: Its heading in tables.
        function: From predictions (n,), MOS (n,), both float64, and the fitted curve (None without one) to the
            value; NaN where it is undefined.
        resampled: The same for many resamplings: to values (B,), for the bootstrap intervals.
        range: Least and greatest value, at which intervals end.
        needs_fit: Whether it depends on the curve from predictions to MOS.
    """

    name: str
    label: str
    function: Callable[[Array, Array, Curve | None], float]
    resampled: Callable[[Resamples], Array]
    range: tuple[float, float] = (-1.0, 1.0)
    needs_fit: bool = False

    @property
    def is_correlation(self) -> bool:
        """Return whether it lies between -1 and 1, whatever the scale of the MOS."""
        return self.range == (-1.0, 1.0)


def _plcc(resamples: Resamples) -> Array:
    raw = correlation(resamples.weights, resamples.x, resamples.y)
    if not resamples.is_curve:
        return raw
    plcc = np.abs(correlation(resamples.weights, resamples.fitted, resamples.y))
    return np.where(np.isfinite(raw), plcc, math.nan)


def _srocc(resamples: Resamples) -> Array:
    weights = resamples.weights
    return correlation(weights, resamples.ranks_x.of(weights), resamples.ranks_y.of(weights))


def _rmse(resamples: Resamples) -> Array:
    weights = resamples.weights
    return np.sqrt((weights * (resamples.fitted - resamples.y) ** 2).sum(1) / weights.sum(1))


MEASURES: dict[str, Measure] = {
    measure.name: measure
    for measure in (
        Measure("srocc", "SROCC", lambda x, y, _: srocc_of(x, y), _srocc),
        Measure("krocc", "KROCC", lambda x, y, _: krocc_of(x, y), kendall),
        Measure("plcc", "PLCC", plcc_of, _plcc, needs_fit=True),
        Measure("rmse", "RMSE", rmse_of, _rmse, (0.0, math.inf), needs_fit=True),
    )
}
"""Every measure by name, in the order of files."""

_FIRST = ("srocc", "plcc", "krocc", "rmse")
_STANDARD_RANGES = {"rmse_star": (0.0, math.inf), "outlier_ratio": (0.0, 1.0)}


def displayed() -> list[str]:
    """List the names of the measures in the order of tables: SROCC and PLCC first, added ones last."""
    return [*_FIRST, *(name for name in MEASURES if name not in _FIRST)]


def register(measure: Measure) -> None:
    """Add a measure of your own; from then on all tables, files and logs have it.

    Raises:
        ValueError: There is a measure of that name, or the name is not a Python name.
    """
    if measure.name in MEASURES or not measure.name.isidentifier():
        raise ValueError(
            f"measure {measure.name!r}: take another name, of letters, digits and _ (not {', '.join(MEASURES)})"
        )
    MEASURES[measure.name] = measure


def within(name: str, ends: tuple[float, float]) -> tuple[float, float]:
    """Keep the ends of an interval within the values that a measure can have; NaN stay."""
    limits = MEASURES[name].range if name in MEASURES else _STANDARD_RANGES.get(name, (-1.0, 1.0))
    low, high = np.clip(ends, *limits).tolist()
    return low, high


def resampled_statistic(x: Array, y: Array, fit: Fit, ci95: Array | None = None) -> Statistic:
    """Make a function that computes every measure of many resamplings, and RMSE* and outlier ratio.

    Args:
        x: (n,) predictions.
        y: (n,) MOS.
        fit: The curve, which is fitted to each resampling.
        ci95: (n,) half-widths of the intervals of the MOS; None leaves out RMSE* and outlier ratio.
    """
    ranks_x, ranks_y = Ranks(x), Ranks(y)
    signs = (np.sign(x[:, None] - x) * np.sign(y[:, None] - y)).astype(np.float32)
    curve, is_curve = fitted(x, y, fit), known(fit) not in ("none", "rescale")

    def values(weights: Array) -> dict[str, Array]:
        resamples = Resamples(x, y, weights, ranks_x, ranks_y, signs, curve(weights), is_curve)
        statistics = {name: measure.resampled(resamples) for name, measure in MEASURES.items()}
        if ci95 is not None:
            missed = np.abs(resamples.fitted - y)
            freedom = weights.shape[1] - degrees(fit)
            squares = (weights * np.maximum(missed - ci95, 0) ** 2).sum(1)
            statistics["rmse_star"] = np.sqrt(squares / freedom) if freedom > 0 else np.full(len(weights), math.nan)
            statistics["outlier_ratio"] = (weights * (missed > ci95)).sum(1) / weights.sum(1)
        return statistics

    return values
