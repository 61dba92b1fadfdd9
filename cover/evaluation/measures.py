"""All measures of one score with their intervals, and medians over splits."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike

from cover.curves import Fit
from cover.evaluation.arrays import FEWEST_CORRELATED, NORMAL_95, Array, Figures, constant, finite, pairs
from cover.evaluation.correlation import srocc_of
from cover.evaluation.fits.curve import FEWEST, fitter, known
from cover.evaluation.registry import MEASURES, resampled_statistic, within
from cover.evaluation.resampling import FEWEST_RESAMPLED, Resampling
from cover.text import counted

_FEWEST = 8
_OPPOSED = -0.3


@dataclass(frozen=True)
class Measures(Figures):
    """Agreement of one score with the MOS.

    Each measure is an attribute, too: ``srocc`` (Spearman's rank correlation of the raw predictions), ``krocc``
    (Kendall's tau-b of the raw predictions), ``plcc`` (Pearson's correlation after the fit), ``rmse`` (root mean
    squared error after the fit, on the scale of the MOS), and those that were registered.

    Attributes:
        n: Number of videos.
        values: Measure -> its value.
        ci95: Measure -> ends of its 95 % bootstrap interval; empty when none was asked for.
        undefined: Why measures or intervals are undefined, one line each.
    """

    n: int
    values: Mapping[str, float]
    ci95: dict[str, tuple[float, float]] = field(default_factory=dict)
    undefined: tuple[str, ...] = ()

    if TYPE_CHECKING:
        srocc: ClassVar[float]
        krocc: ClassVar[float]
        plcc: ClassVar[float]
        rmse: ClassVar[float]

    def __getattr__(self, name: str) -> float:
        try:
            return self.__dict__["values"][name]
        except KeyError:
            raise AttributeError(name) from None

    def as_dict(self) -> dict[str, Any]:
        """Convert to plain data for JSON, which has no NaN: undefined values are None."""
        figures = super().as_dict()
        return {"n": figures.pop("n"), **figures.pop("values"), **figures}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> "Measures":
        """Make the measures that :meth:`as_dict` converted."""
        values = {name: math.nan if data[name] is None else data[name] for name in MEASURES if name in data}
        ends = {name: [math.nan if end is None else end for end in both] for name, both in data["ci95"].items()}
        ci95 = {name: (low, high) for name, (low, high) in ends.items()}
        return cls(data["n"], values, ci95=ci95, undefined=tuple(data["undefined"]))


def measure(
    pred: ArrayLike, mos: ArrayLike, *, fit: Fit = "logistic4", resamples: int = 1000, seed: int = 0
) -> Measures:
    """Compute all measures with 95 % bootstrap intervals.

    The intervals are the 2.5th and 97.5th percentiles over ``resamples`` resamplings of n videos with replacement;
    every measure sees the same ones. The curve is fitted again to each, the logistic from where the fit to all videos
    ended. Those in which a measure is undefined (all videos alike) do not count for it; its interval is NaN where the
    measure itself is, where more than half of them do not count, below 5 videos, and around a perfect correlation,
    which all resamplings share. Of more than 2500 videos a random part is resampled
    (:mod:`cover.evaluation.resampling`).

    Args:
        pred: (n,) predictions, any real type.
        mos: (n,) mean opinion scores.
        fit: The curve for PLCC and RMSE: one of :data:`~cover.evaluation.fits.curve.FITS`.
        resamples: Resamplings for the intervals; 0 for none.
        seed: Of the resampling. The same videos have the same intervals in whatever order they come.

    Returns:
        The measures, undefined ones as NaN (see the table of :mod:`cover.evaluation.correlation`).

    Raises:
        ValueError: The two are not 1-D or differ in length, the fit is unknown, or ``resamples`` is negative.
    """
    if resamples < 0:
        raise ValueError(f"resamples={resamples} must not be negative")
    x, y = pairs(pred, mos)
    curve = fitter(x, y, fit)(x, y)
    whole = {name: agreement.function(x, y, curve) for name, agreement in MEASURES.items()}
    ci95 = _intervals(x, y, fit, whole, resamples, seed) if resamples else {}
    reasons = why_undefined(x, y, fit)
    if ci95 and not reasons and any(math.isnan(low) for low, _ in ci95.values()):
        reasons = [_no_interval(len(x))]
    return Measures(len(x), whole, ci95=ci95, undefined=tuple(reasons))


def _intervals(
    x: Array, y: Array, fit: Fit, whole: Mapping[str, float], resamples: int, seed: int
) -> dict[str, tuple[float, float]]:
    if len(x) < FEWEST_RESAMPLED or not any(map(math.isfinite, whole.values())):
        return dict.fromkeys(MEASURES, (math.nan, math.nan))
    drawn = Resampling(len(x), resamples, seed)
    sample = drawn.sample(resampled_statistic(x[drawn.places], y[drawn.places], fit))
    ends = {name: within(name, sample.interval(name, whole[name])) for name in MEASURES}
    # All resamplings of a perfect order are in perfect order, which says nothing of other videos.
    perfect = {name for name, (low, high) in ends.items() if MEASURES[name].is_correlation and low == high}
    return ends | dict.fromkeys(perfect, (math.nan, math.nan))


def why_undefined(pred: ArrayLike, mos: ArrayLike, fit: Fit) -> list[str]:
    """Say why measures are undefined, one line a reason; none where all are defined.

    Args:
        pred: (n,) predictions.
        mos: (n,) mean opinion scores.
        fit: The curve for PLCC and RMSE.

    Raises:
        ValueError: The two are not 1-D or differ in length.
    """
    x, y = pairs(pred, mos)
    fit, count = known(fit), len(x)
    if count == 0:
        return ["no video has both a score and a MOS"]
    if not finite(x, y):
        return ["a score or a MOS is not finite"]
    reasons = []
    if count < FEWEST_CORRELATED:
        reasons.append(f"{counted(count, 'video')}: correlations need {FEWEST_CORRELATED}")
    if count < FEWEST[fit]:
        need = f"PLCC and RMSE after fit={fit} need {FEWEST[fit]}; fit=none takes scores as they are"
        reasons.append(f"{counted(count, 'video')}: {need}")
    for values, what in ((x, "scores"), (y, "MOS")):
        if count >= FEWEST_CORRELATED and constant(values):
            reasons.append(f"all {count} {what} are {values[0]:g}: there is no correlation")
    return reasons


def _no_interval(count: int) -> str:
    if count < FEWEST_RESAMPLED:
        return f"{counted(count, 'video')}: intervals need {FEWEST_RESAMPLED}"
    return f"{counted(count, 'video')}: where scores and MOS agree perfectly, resampling gives no interval"


def median(splits: Sequence[Measures]) -> Measures:
    """Take the median of each measure over splits; the intervals are the 2.5th and 97.5th percentiles over them.

    Args:
        splits: At least one; a single one has no intervals.
    """
    figures = {name: np.array([split.values[name] for split in splits]) for name in MEASURES}
    ends = {name: np.nanpercentile(values, [2.5, 97.5]) for name, values in figures.items() if len(splits) > 1}
    middle = {name: float(np.median(values)) for name, values in figures.items()}
    return Measures(
        n=int(np.median([split.n for split in splits])),
        values=middle,
        ci95={name: (float(low), float(high)) for name, (low, high) in ends.items()},
        undefined=tuple(dict.fromkeys(reason for split in splits for reason in split.undefined)),
    )


def opposed(scores: Mapping[str, ArrayLike], mos: ArrayLike) -> str | None:
    """Return whether scores and ratings run against each other, which is a sign of ratings where low is good.

    Where the overall score agrees with the ratings, nothing is wrong. Otherwise the branches vote: the median of their
    correlations counts, since any one may be wrong about one kind of video.

    Args:
        scores: Score -> its values, (n,): branches, and ``overall`` where it is known. NaN stands for no score.
        mos: Ratings, (n,).

    Returns:
        One line, where Spearman's correlation is below -0.3, or further below 0 than one in forty chance orders would
        have it, which eight videos at least can tell; else None.
    """
    votes = {name: values for name, values in scores.items() if name != "overall"} or scores
    columns = np.array([np.asarray(values, dtype=np.float64) for values in (*votes.values(), mos)])
    columns = columns[:, np.isfinite(columns).all(axis=0)]
    count = columns.shape[1]
    if count < FEWEST_CORRELATED:
        return None
    if "overall" in scores:
        overall = np.asarray(scores["overall"], dtype=np.float64)
        known = np.isfinite(overall) & np.isfinite(np.asarray(mos, dtype=np.float64))
        if srocc_of(*pairs(overall[known], np.asarray(mos, dtype=np.float64)[known])) > 0:
            return None
    correlation = float(np.median([srocc_of(*pairs(values, columns[-1])) for values in columns[:-1]]))
    # Of chance orders, SROCC has the variance 1 / (n - 1) (Kendall and Gibbons, Rank Correlation Methods).
    sure = count >= _FEWEST and correlation * math.sqrt(count - 1) < -NORMAL_95
    if not sure and not correlation < _OPPOSED:
        return None
    which = "median of the branches' SROCC" if len(votes) > 1 else "SROCC"
    return (
        f"scores and ratings {'' if sure else 'seem to '}run against each other "
        f"({which}: {correlation:.2f} on {count} videos): "
        "if low ratings mean high quality (DMOS), set data.lower_is_better=true"
    )
