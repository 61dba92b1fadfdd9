"""Bootstrap intervals of agreement: many resamplings at once, as counts of how often each has every video.

Sets of more than :data:`LARGEST` videos are resampled within a random part of that many: the spread of a measure over
samples of n videos falls with the square root of n, so deviations there are scaled by the root of the part's share
(Politis and Romano, "Large Sample Confidence Regions Based on Subsamples", Annals of Statistics 22, 1994).
"""

import math
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import numpy as np

from cover.curves import Fit
from cover.evaluation.arrays import Array, correlated, finite
from cover.evaluation.fits.cubics import fitted_cubics
from cover.evaluation.fits.curve import FEWEST, known
from cover.evaluation.fits.logistics import Logistics
from cover.processes import available_cpus

LARGEST = 2500
"""Maximum number of videos to resample; larger sets are subsampled to this size."""

FEWEST_RESAMPLED = 5
"""Videos below which there is no interval: their resamplings have hardly more than two different ones."""

_CHUNK = 2**19  # values of a matrix of counts that are worked on at once
Statistic = Callable[[Array], Mapping[str, Array]]
"""From counts (B, n) to values of each measure, (B,)."""


def counts(videos: int, resamples: int, seed: int) -> Array:
    """Draw resamplings of so many videos with replacement: how often each has every video, float64 (B, n)."""
    rng = np.random.default_rng(seed)
    drawn = np.zeros((resamples, videos))
    for row in drawn:
        row += np.bincount(rng.integers(videos, size=videos), minlength=videos)
    return drawn


class Resampling:
    """Resamplings of some videos, the same for whatever is measured of them.

    Args:
        videos: How many there are.
        resamples: How many resamplings, at least 1.
        seed: Of the draws.
        groups: (n,) numbers of groups that are drawn as wholes; None: each video by itself.

    Attributes:
        places: The videos that are resampled, in order: all of them, or those that stand for more than :data:`LARGEST`.
        counts: How often each resampling has each of these, (B, len(places)).
        share: Their share of all videos.
    """

    def __init__(self, videos: int, resamples: int, seed: int, groups: np.ndarray | None = None) -> None:
        self.places = np.arange(videos)
        if groups is not None:
            self.counts = counts(int(groups.max()) + 1, resamples, seed)[:, groups]
        else:
            if videos > LARGEST:
                self.places = np.sort(np.random.default_rng(seed).choice(videos, LARGEST, replace=False))
            self.counts = counts(len(self.places), resamples, seed)
        self.share = len(self.places) / videos

    def sample(self, statistic: Statistic) -> "Sample":
        """Measure each resampling.

        Args:
            statistic: From counts of the videos at :attr:`places` to values of each measure.
        """
        whole = statistic(np.ones((1, len(self.places)))) if self.share < 1 else {}
        centre = {name: float(values[0]) for name, values in whole.items()}
        return Sample(resampled(statistic, self.counts), centre, self.share)


@dataclass(frozen=True)
class Sample:
    """Measures of resamplings.

    Attributes:
        found: Measure -> its values, (B,).
        centre: Measure -> that of the part that was resampled; empty where it is no part.
        share: The part's share of all videos.
    """

    found: Mapping[str, Array]
    centre: Mapping[str, float] = field(default_factory=dict)
    share: float = 1.0

    def __sub__(self, other: "Sample") -> "Sample":
        """Give the differences to another sample of the same resamplings."""
        differences = {name: values - other.found[name] for name, values in self.found.items()}
        return Sample(
            differences, {name: value - other.centre[name] for name, value in self.centre.items()}, self.share
        )

    def interval(self, name: str, value: float, level: float = 0.95) -> tuple[float, float]:
        """Give the interval of a measure with a value on all videos; NaN where it was not sampled or is undefined."""
        if name not in self.found:
            return math.nan, math.nan
        low, high = interval(value, self.found[name], level)
        if self.centre:
            low, high = (value + math.sqrt(self.share) * (end - self.centre[name]) for end in (low, high))
        return low, high


def resampled(statistic: Statistic, weights: Array) -> dict[str, Array]:
    """Compute measures of many resamplings, on all cores.

    Args:
        statistic: From counts to the values of each measure.
        weights: (B, n) counts.

    Returns:
        Measure -> its values, (B,).
    """
    rows = max(1, _CHUNK // weights.shape[1])
    chunks = [weights[start : start + rows] for start in range(0, len(weights), rows)]
    with ThreadPoolExecutor(available_cpus()) as pool:  # NumPy lets go of the interpreter's lock
        pieces = list(pool.map(statistic, chunks))
    return {name: np.concatenate([values[name] for values in pieces]) for name in pieces[0]}


def interval(value: float, values: Array, level: float = 0.95) -> tuple[float, float]:
    """Give the percentiles over resamplings between which a level of them lies: the 2.5th and 97.5th.

    Args:
        value: The measure of all videos.
        values: (B,), of resamplings; those in which it is undefined are NaN and do not count.
        level: Of the interval.

    Returns:
        The ends; NaN where the measure is undefined, and where more than half of the resamplings do not count.
    """
    defined = values[np.isfinite(values)]
    if not math.isfinite(value) or 2 * len(defined) < len(values) or not len(defined):
        return math.nan, math.nan
    low, high = np.percentile(defined, [50 - 50 * level, 50 + 50 * level]).tolist()
    return low, high


@dataclass(frozen=True)
class Resamples:
    """Predictions and MOS in many resamplings, with what measures of them share.

    Attributes:
        x: (n,) predictions.
        y: (n,) MOS.
        weights: (B, n), how often each resampling has each video.
        ranks_x: Mean ranks of the predictions.
        ranks_y: Mean ranks of the MOS.
        signs: (n, n) products of the signs of differences, of predictions and MOS.
        fitted: (B, n) values of the curve that is fitted to each resampling.
        is_curve: Whether the curve may change Pearson's correlation; otherwise it is that of the predictions.
    """

    x: Array
    y: Array
    weights: Array
    ranks_x: "Ranks"
    ranks_y: "Ranks"
    signs: np.ndarray
    fitted: Array
    is_curve: bool


def fitted(x: Array, y: Array, fit: Fit) -> Callable[[Array], Array]:
    """Make a function from counts (B, n) to the values (B, n) of the curve that is fitted to each resampling."""
    fit = known(fit)
    if len(x) < FEWEST[fit] or not finite(x, y):
        return lambda weights: np.full(weights.shape, math.nan)
    if fit == "none":
        return lambda weights: np.broadcast_to(x, weights.shape)
    if not correlated(x, y):
        return lambda weights: np.broadcast_to((weights @ y / weights.sum(1))[:, None], weights.shape)
    if fit.startswith("cubic"):
        return lambda weights: fitted_cubics(x, y, weights, monotonic=fit == "cubic")
    order = np.argsort(x, kind="stable")
    logistics = Logistics(x[order], y[order], on_line=fit == "logistic5") if fit.startswith("logistic") else None

    def values(weights: Array) -> Array:
        line = _lines(weights, x, y, rescaled=fit == "rescale")
        if logistics is None:
            return line
        curve = logistics.fitted(x, y, weights)
        better = (weights * (curve - y) ** 2).sum(1) <= (weights * (line - y) ** 2).sum(1)
        return np.where(better[:, None], curve, line)

    return values


def correlation(weights: Array, x: Array, y: Array) -> Array:
    """Pearson's correlation of each resampling, (B,); NaN for constants.

    Args:
        weights: (B, n).
        x: Values, (n,) or (B, n).
        y: Other values, (n,) or (B, n).
    """
    total = weights.sum(1, keepdims=True)
    x = x - (weights * x).sum(1, keepdims=True) / total
    y = y - (weights * y).sum(1, keepdims=True) / total
    wx = weights * x
    covariance, variances = (wx * y).sum(1), (wx * x).sum(1) * (weights * y * y).sum(1)
    # Of equal values the deviations are rounding.
    tiny = 1e-24 * (weights * (x.max(1) - x.min(1))[:, None] ** 2).sum(1) * (weights * y * y).sum(1)
    with np.errstate(invalid="ignore", divide="ignore"):
        correlations = np.where(variances > tiny, covariance / np.sqrt(variances), math.nan)
    return np.clip(correlations, -1, 1)


def _lines(weights: Array, x: Array, y: Array, *, rescaled: bool) -> Array:
    total = weights.sum(1)
    mean_x, mean_y = weights @ x / total, weights @ y / total
    centred_x, centred_y = x - mean_x[:, None], y - mean_y[:, None]
    xx, yy = (weights * centred_x**2).sum(1), (weights * centred_y**2).sum(1)
    xy = (weights * centred_x * centred_y).sum(1)
    alike = xx <= 1e-24 * total * float(np.ptp(x)) ** 2
    slopes = np.where(alike, 0.0, (np.sqrt(xx * yy) if rescaled else xy) / np.where(alike, 1.0, xx))
    return mean_y[:, None] + slopes[:, None] * centred_x


def mean_ranks(values: Array) -> Callable[[Array], Array]:
    """Make a function from counts (B, n) to the mean ranks (B, n) of values (n,) within each resampling."""
    return Ranks(values).of


class Ranks:
    """Mean ranks of values within each resampling of them."""

    def __init__(self, values: Array) -> None:
        self.order = np.argsort(values, kind="stable")
        distinct, self.places = np.unique(values, return_inverse=True)
        self.starts = np.searchsorted(values[self.order], distinct)

    def groups(self, weights: Array) -> Array:
        """How often each resampling has each distinct value, (B, G)."""
        return np.add.reduceat(weights[:, self.order], self.starts, axis=1)

    def of(self, weights: Array) -> Array:
        """The rank of each video, (B, n)."""
        sizes = self.groups(weights)
        ranks: Array = (np.cumsum(sizes, axis=1) - (sizes - 1) / 2)[:, self.places]
        return ranks


def kendall(resamples: Resamples) -> Array:
    """Kendall's tau-b of each resampling, (B,); NaN for constants."""
    weights, signs, x, y = resamples.weights, resamples.signs, resamples.ranks_x, resamples.ranks_y
    # Sums of as many signs as there are videos are exact in single precision, their sum needs double.
    concordance = ((weights.astype(np.float32) @ signs).astype(np.float64) * weights).sum(1) / 2
    total = weights.sum(1)
    pairs = total * (total - 1) / 2
    apart = [pairs - (sizes * (sizes - 1)).sum(1) / 2 for sizes in (x.groups(weights), y.groups(weights))]
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(np.minimum(*apart) > 0, concordance / np.sqrt(apart[0] * apart[1]), math.nan)
