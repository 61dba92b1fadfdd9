"""The figures of ITU-T P.1401, which take the uncertainty of the ratings into account, and its tests.

Source: ITU-T P.1401 (01/2020), "Methods, metrics and procedures for statistical evaluation, qualification and
comparison of objective quality prediction models", 7.5 to 7.7; resolving power: ITU-T J.149 (03/2004), 4.3. With e the
errors of the fitted predictions, ci95 the half-widths of the intervals of the MOS, N the videos and d the parameters of
the fit (1 for none):

=================  ====================================================================================================
RMSE               sqrt(sum(e^2) / (N - 1)), where the field's has N; its interval by the chi-square distribution
RMSE*              sqrt(sum(max(0, |e| - ci95)^2) / (N - d)): only what lies beyond the interval of a MOS is an error
outlier ratio      share of the videos with |e| > ci95; its interval 1.96 standard deviations of a proportion, the exact
                   one (Clopper and Pearson) where none or all are outliers
PLCC               interval by Fisher's z: atanh(r) +- 1.96 / sqrt(N - 3), Student's t for fewer than 30 videos
resolving power    the least difference of two fitted predictions at which two MOS differ, in the right direction, with
                   a probability of 0.95
=================  ====================================================================================================
"""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

from cover.curves import Fit
from cover.evaluation.arrays import NORMAL_95, Array, Figures, correlated, pearson
from cover.evaluation.correlation import plcc_of
from cover.evaluation.fits.curve import degrees, fitter

_FEW = 30  # videos, below which it takes Student's t
_CONFIDENCE = 0.95
_BINS = 19  # of differences between predictions: each a tenth of their range wide, and half a bin apart
_PAIRED = 1500  # videos whose pairs resolving power looks at: a million of them


@dataclass(frozen=True)
class Standard(Figures):
    """The figures of P.1401 for one score; NaN where undefined, as without intervals of the MOS.

    Attributes:
        n: Videos.
        parameters: Degrees of freedom that the fit takes from RMSE*.
        plcc: Pearson's correlation after the fit.
        plcc_ci95: Ends of its interval by Fisher's z.
        rmse: With N - 1 degrees of freedom.
        rmse_ci95: Ends of its interval by the chi-square distribution.
        rmse_star: Epsilon-insensitive RMSE, with N - d degrees of freedom.
        outlier_ratio: Share of the errors beyond the interval of the MOS, 0 to 1.
        outlier_ratio_ci95: Ends of its interval.
        resolving_power: In units of the MOS; infinite where no difference of predictions is enough.
    """

    n: int
    parameters: int
    plcc: float
    plcc_ci95: tuple[float, float]
    rmse: float
    rmse_ci95: tuple[float, float]
    rmse_star: float = math.nan
    outlier_ratio: float = math.nan
    outlier_ratio_ci95: tuple[float, float] = (math.nan, math.nan)
    resolving_power: float = math.nan


def standard(
    pred: ArrayLike,
    mos: ArrayLike,
    ci95: ArrayLike | None = None,
    *,
    fit: Fit = "cubic",
    errors: ArrayLike | None = None,
) -> Standard:
    """Compute the figures of P.1401.

    Args:
        pred: (n,) predictions.
        mos: (n,) mean opinion scores.
        ci95: (n,) half-widths of their 95 % intervals; None: unknown.
        fit: The curve; the recommendation's is ``cubic``.
        errors: (n,) standard errors of the MOS, for the resolving power; None leaves it out.
    """
    x, y = np.asarray(pred, dtype=np.float64), np.asarray(mos, dtype=np.float64)
    order = np.lexsort((y, x))
    x, y = x[order], y[order]
    count, parameters = len(x), degrees(fit)
    curve = fitter(x, y, fit)(x, y)
    if curve is None or count <= parameters:
        nothing = (math.nan, math.nan)
        return Standard(count, parameters, math.nan, nothing, math.nan, nothing)
    fitted = curve(x)
    r, error = plcc_of(x, y, curve), rmse_1(fitted - y)
    beyond: dict[str, Any] = {}
    if ci95 is not None:
        half = np.asarray(ci95, dtype=np.float64)[order]
        ratio = outlier_ratio(fitted - y, half)
        beyond = {
            "rmse_star": rmse_star(fitted - y, half, parameters),
            "outlier_ratio": ratio,
            "outlier_ratio_ci95": outlier_interval(ratio, count),
        }
    if errors is not None:
        beyond["resolving_power"] = resolving_power(fitted, y, np.asarray(errors, dtype=np.float64)[order])
    return Standard(count, parameters, r, fisher_interval(r, count), error, rmse_interval(error, count), **beyond)


def rmse_1(errors: Array) -> float:
    """Compute RMSE with N - 1 degrees of freedom (P.1401, 7.5.1); NaN for fewer than 2."""
    return float(np.sqrt((errors**2).sum() / (len(errors) - 1))) if len(errors) > 1 else math.nan


def rmse_interval(rmse: float, count: int) -> tuple[float, float]:
    """Give the 95 % interval of an RMSE with N - 1 degrees of freedom, by the chi-square distribution."""
    if not math.isfinite(rmse) or count < 2:
        return math.nan, math.nan
    high, low = stats.chi2.ppf([0.025, 0.975], count - 1)
    return rmse * math.sqrt((count - 1) / low), rmse * math.sqrt((count - 1) / high)


def rmse_star(errors: Array, ci95: Array, parameters: int) -> float:
    """Compute RMSE* (P.1401, 7.7); NaN where there are no more videos than parameters."""
    beyond = np.maximum(np.abs(errors) - ci95, 0)
    return float(np.sqrt((beyond**2).sum() / (len(errors) - parameters))) if len(errors) > parameters else math.nan


def outlier_ratio(errors: Array, ci95: Array) -> float:
    """Compute the share of errors beyond the interval of their MOS (P.1401, 7.5.2.2)."""
    return float(np.mean(np.abs(errors) > ci95)) if np.isfinite(ci95).all() else math.nan


def outlier_interval(ratio: float, count: int) -> tuple[float, float]:
    """Give the 95 % interval of an outlier ratio."""
    if not math.isfinite(ratio):
        return math.nan, math.nan
    if ratio in (0.0, 1.0):  # of which the normal one has no width
        exact = stats.binomtest(round(ratio * count), count).proportion_ci(_CONFIDENCE, "exact")
        return float(exact.low), float(exact.high)
    spread = NORMAL_95 * math.sqrt(ratio * (1 - ratio) / count)
    return max(0.0, ratio - spread), min(1.0, ratio + spread)


def fisher_interval(r: float, count: int) -> tuple[float, float]:
    """Give the 95 % interval of Pearson's correlation by Fisher's z (P.1401, 7.5.3); NaN for fewer than 4 videos."""
    if not math.isfinite(r) or count < 4 or abs(r) >= 1:
        return math.nan, math.nan
    wide = NORMAL_95 if count >= _FEW else float(stats.t.ppf(0.975, count - 1))
    spread = wide / math.sqrt(count - 3)
    return math.tanh(math.atanh(r) - spread), math.tanh(math.atanh(r) + spread)


def steiger(r_a: float, r_b: float, r_ab: float, count: int) -> tuple[float, float]:
    """Test whether two correlations with the same ratings differ.

    Source: Steiger, "Tests for comparing elements of a correlation matrix", Psychological Bulletin 87(2), 1980,
    equations 3, 10 and 14 (Z2*, with the mean correlation).

    Args:
        r_a: Correlation of one metric with the ratings.
        r_b: That of another.
        r_ab: That of the two metrics.
        count: Videos, at least 4.

    Returns:
        Z, and its two-sided p; NaN where undefined.
    """
    if count < 4 or not all(math.isfinite(r) and abs(r) < 1 for r in (r_a, r_b)):
        return math.nan, math.nan
    mean = (r_a + r_b) / 2
    covariance = r_ab * (1 - 2 * mean**2) - mean**2 * (1 - 2 * mean**2 - r_ab**2) / 2
    between = covariance / (1 - mean**2) ** 2
    if between >= 1:
        return math.nan, math.nan
    z = (math.atanh(r_a) - math.atanh(r_b)) * math.sqrt((count - 3) / (2 - 2 * between))
    return z, float(2 * stats.norm.sf(abs(z)))


def rmse_test(a: float, b: float, freedom: int) -> tuple[float, float]:
    """Test whether two RMSE, or RMSE*, differ: F = (larger / smaller)^2 (P.1401, 7.6.4 and 7.7).

    Args:
        a: One of them.
        b: The other.
        freedom: Degrees of freedom of each: N - 1 of RMSE, N - d of RMSE*.

    Returns:
        F, and the p of so large a ratio, which the recommendation compares with 0.05; NaN where undefined.
    """
    small, large = min(a, b), max(a, b)
    if not math.isfinite(small + large) or freedom < 1:
        return math.nan, math.nan
    if small == large:
        return 1.0, 1.0
    if small == 0:
        return math.inf, 0.0
    ratio = (large / small) ** 2
    return ratio, float(stats.f.sf(ratio, freedom, freedom))


def outlier_test(a: float, b: float, count: int) -> tuple[float, float]:
    """Test whether two outlier ratios on as many videos differ, as two proportions (P.1401, 7.6.2).

    Returns:
        z, and its two-sided p; NaN where undefined.
    """
    pooled = (a + b) / 2
    if not math.isfinite(pooled) or not 0 < pooled < 1:
        return math.nan, math.nan
    z = (a - b) / math.sqrt(2 * pooled * (1 - pooled) / count)
    return z, float(2 * stats.norm.sf(abs(z)))


def resolving_power(fitted: ArrayLike, mos: ArrayLike, errors: ArrayLike) -> float:
    """Compute the least difference of predictions that separates two videos with 95 % confidence (J.149, 4.3).

    Of every pair the probability that the one with the higher prediction has the higher MOS follows from their MOS and
    standard errors. Its means over the pairs of 19 bins of differences, each a tenth of the range wide and half a bin
    from the next, form a curve; the answer is where it reaches 0.95 and stays there, between the middles of two bins.

    Args:
        fitted: (n,) predictions on the scale of the MOS.
        mos: (n,) mean opinion scores.
        errors: (n,) their standard errors.

    Returns:
        The difference, in units of the MOS; infinite where the curve does not stay there, NaN where it is undefined.
    """
    x, y, se = (np.asarray(values, dtype=np.float64) for values in (fitted, mos, errors))
    if len(x) > _PAIRED:
        chosen = np.sort(np.random.default_rng(0).choice(len(x), _PAIRED, replace=False))
        x, y, se = x[chosen], y[chosen], se[chosen]
    width = float(np.ptp(x)) if len(x) else 0.0
    if not width > 0 or not np.isfinite(se).all():
        return math.nan
    first, second = np.triu_indices(len(x), 1)
    apart = x[first] - x[second]
    spread = np.sqrt(se[first] ** 2 + se[second] ** 2)
    gap = np.sign(apart) * (y[first] - y[second])
    with np.errstate(divide="ignore", invalid="ignore"):
        sure = np.where(spread > 0, stats.norm.cdf(gap / spread), (np.sign(gap) + 1) / 2)
    middles, means = [], []
    for number in range(_BINS):
        low = number * width / (_BINS + 1)
        inside = (np.abs(apart) >= low) & (np.abs(apart) <= low + 2 * width / (_BINS + 1)) & (apart != 0)
        if inside.any():
            middles.append(low + width / (_BINS + 1))
            means.append(float(sure[inside].mean()))
    below = [place for place, mean in enumerate(means) if mean < _CONFIDENCE]
    if not means:
        return math.nan
    if not below:
        return middles[0]
    last = below[-1]
    if last == len(means) - 1:
        return math.inf
    share = (_CONFIDENCE - means[last]) / (means[last + 1] - means[last])
    return middles[last] + share * (middles[last + 1] - middles[last])


def left_out(pred: ArrayLike, mos: ArrayLike, fit: Fit) -> Array:
    """Compute the error of each video after a curve that is fitted to the others (leave-one-out), (n,).

    NaN for all where the others are too few for the fit.
    """
    x, y = np.asarray(pred, dtype=np.float64), np.asarray(mos, dtype=np.float64)
    errors = np.full(len(x), math.nan)
    order = np.lexsort((y, x))
    refit = fitter(x[order], y[order], fit)  # a search that starts from where that over all videos ended
    for place in range(len(x)):
        others = order[order != place]
        curve = refit(x[others], y[others])
        if curve is None:
            break
        errors[place] = curve(x[place]) - y[place]
    return errors


def common(x: Array, y: Array) -> float:
    """Pearson's correlation of two metrics' predictions; NaN where undefined."""
    return pearson(x, y) if correlated(x, y) else math.nan
