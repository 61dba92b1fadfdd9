"""All measures of one score with their intervals, and medians over splits."""

import dataclasses
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from cover.evaluation.correlation import krocc_of, plcc_of, rmse_of, srocc_of
from cover.evaluation.fits import Array, Fit, fitter, pairs

_FEWEST, _UNLIKELY = 8, 1.96  # the latter: standard deviations
MEASURES = ("srocc", "krocc", "plcc", "rmse")


@dataclass(frozen=True)
class Measures:
    """Agreement of one score with the MOS.

    Attributes:
        n: Videos it stands on.
        srocc: Spearman's rank correlation of the raw predictions.
        krocc: Kendall's tau-b of the raw predictions.
        plcc: Pearson's correlation after the fit.
        rmse: Root mean squared error after the fit, on the scale of the MOS.
        ci95: Measure -> ends of its 95 % bootstrap interval; empty when none was asked for.
    """

    n: int
    srocc: float
    krocc: float
    plcc: float
    rmse: float
    ci95: dict[str, tuple[float, float]] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        """Convert to plain data for JSON, which has no NaN: undefined values are None."""
        values = dataclasses.asdict(self)
        intervals = {name: [_or_none(end) for end in ends] for name, ends in values.pop("ci95").items()}
        return {name: _or_none(value) for name, value in values.items()} | {"ci95": intervals}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> "Measures":
        """Make the measures that :meth:`as_dict` converted."""
        values = {name: math.nan if data[name] is None else data[name] for name in MEASURES}
        ends = {name: [math.nan if end is None else end for end in both] for name, both in data["ci95"].items()}
        return cls(data["n"], **values, ci95={name: (low, high) for name, (low, high) in ends.items()})


def measure(
    pred: ArrayLike, mos: ArrayLike, *, fit: Fit = "logistic", resamples: int = 1000, seed: int = 0
) -> Measures:
    """Compute all four measures with 95 % bootstrap intervals.

    The intervals are the 2.5th and 97.5th percentiles over ``resamples`` resamplings of n videos with replacement;
    every measure sees the same ones. The curve is fitted anew to each, the logistic from where the fit to all videos
    ended. Those in which a measure is undefined (all videos alike) do not count for it; its interval is NaN where the
    measure itself is, and where more than half of them do not count.

    Args:
        pred: (n,) predictions, any real type.
        mos: (n,) mean opinion scores.
        fit: The curve for PLCC and RMSE: one of :data:`FITS`.
        resamples: Resamplings for the intervals; 0 for none. 1000 of 1200 videos take 2 to 3 seconds.
        seed: Of the resampling. The same videos have the same intervals in whatever order they come.

    Returns:
        The measures, undefined ones as NaN (see the module's table).

    Raises:
        ValueError: The two are not 1-D or differ in length, the fit is unknown, or ``resamples`` is negative.
    """
    if resamples < 0:
        raise ValueError(f"resamples={resamples} must not be negative")
    x, y = pairs(pred, mos)
    fitted = fitter(x, y, fit)

    def values(x: Array, y: Array) -> tuple[float, float, float, float]:
        curve = fitted(x, y)
        return srocc_of(x, y), krocc_of(x, y), plcc_of(x, y, curve), rmse_of(x, y, curve)

    # Not scipy.stats.bootstrap: one degenerate resample makes its interval NaN.
    whole = values(x, y)
    rng = np.random.default_rng(seed)
    resamplings = (rng.integers(len(x), size=len(x)) for _ in range(resamples if any(map(math.isfinite, whole)) else 0))
    table = np.array([values(x[chosen], y[chosen]) for chosen in resamplings]).reshape(-1, len(MEASURES))
    ci95 = {name: _interval(whole[i], table[:, i]) for i, name in enumerate(MEASURES)} if resamples else {}
    return Measures(len(x), *whole, ci95)


def median(splits: Sequence[Measures]) -> Measures:
    """Take the median of each measure over splits; the intervals are the 2.5th and 97.5th percentiles over them.

    Args:
        splits: At least one; a single one has no intervals.
    """
    figures = {name: np.array([getattr(split, name) for split in splits]) for name in MEASURES}
    ends = {name: np.nanpercentile(values, [2.5, 97.5]) for name, values in figures.items() if len(splits) > 1}
    return Measures(
        n=int(np.median([split.n for split in splits])),
        **{name: float(np.median(values)) for name, values in figures.items()},
        ci95={name: (float(low), float(high)) for name, (low, high) in ends.items()},
    )


def _interval(value: float, found: Array) -> tuple[float, float]:
    defined = found[np.isfinite(found)]
    if not math.isfinite(value) or 2 * len(defined) < len(found):
        return math.nan, math.nan
    low, high = np.percentile(defined, [2.5, 97.5]).tolist()
    return low, high


def _or_none(value: float) -> float | None:
    return value if math.isfinite(value) else None


def opposed(scores: Mapping[str, ArrayLike], mos: ArrayLike) -> str | None:
    """Tell whether scores and ratings run against each other, which is a sign of ratings where low is good.

    The branches vote: the median of their correlations counts, since any one may be wrong about one kind of video.

    Args:
        scores: Branch -> its scores, (n,); where there is no branch, those of ``overall``. NaN stands for no score.
        mos: Ratings, (n,).

    Returns:
        One line, where Spearman's correlation is further below 0 than one in forty chance orders would have it; else
        None, as for fewer than eight videos.
    """
    votes = {name: values for name, values in scores.items() if name != "overall"} or scores
    columns = np.array([np.asarray(values, dtype=np.float64) for values in (*votes.values(), mos)])
    columns = columns[:, np.isfinite(columns).all(axis=0)]
    count = columns.shape[1]
    if count < _FEWEST:
        return None
    found = float(np.median([srocc_of(*pairs(values, columns[-1])) for values in columns[:-1]]))
    # Of chance orders, SROCC has the variance 1 / (n - 1) (Kendall and Gibbons, Rank Correlation Methods).
    if not found * math.sqrt(count - 1) < -_UNLIKELY:
        return None
    which = "median of the branches' SROCC" if len(votes) > 1 else "SROCC"
    return (
        f"scores and ratings run against each other ({which}: {found:.2f} on {count} videos): "
        "data.lower_is_better=true is for ratings where low is good (DMOS), and for no others"
    )
