"""Subjective tests: from ratings of single raters to mean opinion scores, and how far the raters agree.

Screening rejects raters; it is a choice that changes a study, so none is the default, and what was rejected, and why,
is part of the result. See :mod:`cover.evaluation.raters.screening`.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from cover.errors import UsageError
from cover.evaluation.arrays import Array, Figures
from cover.evaluation.correlation import srocc
from cover.evaluation.raters.screening import Screening, most_likely, refuse_codes, screened
from cover.evaluation.raters.uncertainty import half_width
from cover.results.names import FILENAME
from cover.rows import Rating
from cover.text import counted, visible

_UNLIKE = 0.75  # correlation of a rater with the MOS; the threshold of p913
_HALVES = 200  # random halves of the raters
_SCALES = ((1, 5), (0, 5), (1, 7), (1, 9), (0, 10), (1, 11), (0, 100))
_SETTLED, _ROUNDS = 1e-12, 10_000


@dataclass(frozen=True)
class Panel:
    """Ratings as a matrix.

    Attributes:
        videos: Names.
        raters: Names.
        values: float64 (videos, raters), NaN where somebody did not rate a video.
    """

    videos: list[str]
    raters: list[str]
    values: Array

    @classmethod
    def of(cls, ratings: Sequence[Rating]) -> "Panel":
        """Arrange ratings, of which there is one for a rater and video, in the order in which names first come."""
        videos = {name: place for place, name in enumerate(dict.fromkeys(rating.video for rating in ratings))}
        raters = {name: place for place, name in enumerate(dict.fromkeys(rating.rater for rating in ratings))}
        values = np.full((len(videos), len(raters)), math.nan)
        for rating in ratings:
            values[videos[rating.video], raters[rating.rater]] = rating.value
        return cls(list(videos), list(raters), values)


@dataclass(frozen=True)
class RaterAgreement(Figures):
    """How far raters agree; NaN where that is undefined, as for a single one.

    Attributes:
        raters: How many there are.
        ratings: How many they gave.
        per_video: Ratings of a video, the mean.
        icc: ICC(2,1): share of the variance of a single rating that videos explain (Shrout and Fleiss, Psychological
            Bulletin 86(2), 1979), by variance components where ratings are missing (Henderson's method 3).
        icc_mean: ICC(2,k): the same of the mean of as many ratings as a video has: the reliability of the MOS.
        sos_alpha: SOS parameter: variances are alpha (x - low)(high - x) at MOS x (Hossfeld et al., "SOS: The MOS is
            not enough!", QoMEX 2011).
        scale: Ends of the rating scale that it stands on.
        split_half: SROCC between the MOS of random halves of the raters, the median over 200.
        split_half_ci95: The 2.5th and 97.5th percentiles over them.
        whole: The split-half SROCC stepped up to the whole panel (Spearman and Brown): about what another panel as
            large would reach; NaN where halves do not agree.
        ceiling: Its square root: about what scores without any error would reach, which is as far as a model can go.
    """

    raters: int
    ratings: int
    per_video: float
    icc: float
    icc_mean: float
    sos_alpha: float
    scale: tuple[float, float]
    split_half: float
    split_half_ci95: tuple[float, float]
    whole: float
    ceiling: float


@dataclass(frozen=True)
class Study:
    """A subjective test, evaluated.

    Attributes:
        videos: ``Filename, mos, std, n, ci95``, one line a video; std with n - 1, ci95 the half-width of the 95 %
            interval by Student's t. Videos that no rater is left for are missing.
        raters: ``rater, n, correlation, bias, kept, reason``, and ``inconsistency`` where it was estimated; the
            correlation is that with the MOS of all kept, the bias the mean distance from it.
        agreement: Of the raters that are kept.
        screening: What was asked for.
    """

    videos: pd.DataFrame
    raters: pd.DataFrame
    agreement: RaterAgreement
    screening: str

    def sentences(self) -> list[str]:
        """Describe the raters and their agreement, one line each."""
        agreed = self.agreement
        rejected = self.raters[~self.raters["kept"]]
        line = (
            f"{counted(agreed.raters, 'rater')}, {counted(agreed.ratings, 'rating')}, {agreed.per_video:.1f} per video"
        )
        if len(rejected):
            names = ", ".join(map(str, rejected["rater"][:3])) + (", ..." if len(rejected) > 3 else "")
            line += f"; {len(rejected)} rejected by {self.screening}: {names}"
        lines = [line]
        if agreed.raters < 2:
            return [*lines, "one rater: how far raters agree is unknown, and MOS have no interval"]
        low, high = agreed.split_half_ci95
        lines.append(
            f"reliability (ICC): {agreed.icc:.2f} for one rater, {agreed.icc_mean:.2f} for the mean of "
            f"{agreed.per_video:.3g}; SOS alpha {agreed.sos_alpha:.2f} on {agreed.scale[0]:g}..{agreed.scale[1]:g}"
        )
        lines.append(
            f"split-half SROCC {agreed.split_half:.2f} [{low:.2f}, {high:.2f}]; a second panel of this size would "
            f"reach about {agreed.whole:.2f}; ceiling for a perfect metric about {agreed.ceiling:.2f}"
        )
        least = self.raters.loc[[self.raters["correlation"].fillna(1).idxmin()]].iloc[0]
        if self.screening == "none" and least["correlation"] < _UNLIKE:
            lines.append(
                f"{visible(str(least['rater']))} agrees least with the MOS (correlation {least['correlation']:.2f}); "
                "ratings.screening=p913 rejects such raters"
            )
        return lines


def evaluate_ratings(
    ratings: Sequence[Rating],
    screening: Screening = "none",
    *,
    threshold: float = 0.75,
    scale: tuple[float, float] | None = None,
) -> Study:
    """Evaluate a subjective test.

    Args:
        ratings: One for a rater and video at most.
        screening: ``none``; ``bt500`` and ``p913`` reject raters; ``mle`` rejects nobody, but weighs raters by how
            consistent they are and takes their bias off.
        threshold: Of ``p913``: the correlation below which a rater is rejected.
        scale: Ends of the rating scale; None takes the smallest usual one that holds all ratings.

    Raises:
        UsageError: A rating is outside the scale, or screening needs more raters or a package that is not there.
    """
    panel = Panel.of(ratings)
    if scale is None:
        refuse_codes(ratings, panel.values)
    low, high = scale or _scale(panel.values)
    if np.nanmin(panel.values) < low or np.nanmax(panel.values) > high:
        worst = max(ratings, key=lambda rating: abs(rating.value - (low + high) / 2))
        raise UsageError(
            f"ratings.scale: {worst.rater} rated {worst.video} {worst.value:g}, outside {low:g}..{high:g}; "
            "correct it, or name the scale with ratings.scale=[LOW,HIGH]"
        )
    reasons = screened(panel.values, screening, threshold)
    accepted = np.array([not reason for reason in reasons])
    values = panel.values[:, accepted]
    counts = np.isfinite(values).sum(1)
    there = counts > 0
    mos, std = _mean(values[there]), _std(values[there])
    half = half_width(std, counts[there])
    raters: dict[str, Any] = {"rater": panel.raters, "n": np.isfinite(panel.values).sum(0)}
    if screening == "mle":
        fitted = most_likely(panel.values)
        mos, half, raters["inconsistency"] = fitted.quality[there], fitted.ci95[there], fitted.inconsistency
    raters |= _against(panel.values[there], mos)
    frame = pd.DataFrame({**raters, "kept": accepted, "reason": reasons})
    videos = pd.DataFrame(
        {
            FILENAME: [name for name, rated in zip(panel.videos, there, strict=True) if rated],
            "mos": mos,
            "std": std,
            "n": counts[there],
            "ci95": half,
        }
    )
    return Study(videos, frame, _agreement(values[there], (float(low), float(high))), screening)


def _against(values: Array, mos: Array) -> dict[str, list[float]]:
    """Correlation of each rater with the MOS, and the mean distance from it."""
    columns: dict[str, list[float]] = {"correlation": [], "bias": []}
    for column in values.T:
        rated = np.isfinite(column)
        varied = rated.sum() > 2 and np.ptp(column[rated]) > 0 and np.ptp(mos[rated]) > 0
        r = float(np.corrcoef(column[rated], mos[rated])[0, 1]) if varied else math.nan
        columns["correlation"].append(r)
        columns["bias"].append(float(np.mean(column[rated] - mos[rated])) if rated.any() else math.nan)
    return columns


def _scale(values: Array) -> tuple[float, float]:
    low, high = float(np.nanmin(values)), float(np.nanmax(values))
    return next(((a, b) for a, b in _SCALES if a <= low and high <= b), (low, high))


def _mean(values: Array) -> Array:
    means: Array = np.nansum(values, 1) / np.isfinite(values).sum(1)
    return means


def _std(values: Array) -> Array:
    count = np.isfinite(values).sum(1)
    squares = np.nansum((values - _mean(values)[:, None]) ** 2, 1)
    return np.where(count > 1, np.sqrt(squares / np.maximum(count - 1, 1)), np.nan)


def _agreement(values: Array, scale: tuple[float, float]) -> RaterAgreement:
    counts = np.isfinite(values).sum(1)
    per_video = float(counts.mean()) if len(counts) else math.nan
    icc, icc_mean = intraclass(values)
    half, ends = split_half(values)
    whole = 2 * half / (1 + half) if half > 0 else math.nan
    return RaterAgreement(
        values.shape[1],
        int(counts.sum()),
        per_video,
        icc,
        icc_mean,
        sos_alpha(values, scale),
        scale,
        half,
        ends,
        whole,
        math.sqrt(whole),
    )


def intraclass(values: Array) -> tuple[float, float]:
    """Compute ICC(2,1), and ICC(2,k) with k the harmonic mean of the ratings of a video.

    Args:
        values: (videos, raters), NaN where there is no rating.

    Returns:
        The two, at most 1; NaN with fewer than two videos or raters, and where all ratings are alike.
    """
    rated = np.isfinite(values)
    videos, raters = np.nonzero(rated)
    n, v, r = len(videos), len(np.unique(videos)), len(np.unique(raters))
    if v < 2 or r < 2 or n - v - r + 1 < 1:
        return math.nan, math.nan
    y = values[rated]
    total = y - y.mean()
    both = _residual_squares(total, videos, raters)
    error = both / (n - v - r + 1)
    # What videos explain beyond raters, and raters beyond videos; (n - r) / (v - 1) ratings stand behind a video.
    of_videos = (_within(total, raters) - both - (v - 1) * error) / (n - r)
    of_raters = (_within(total, videos) - both - (r - 1) * error) / (n - v)
    of_videos, of_raters = max(of_videos, 0.0), max(of_raters, 0.0)
    whole = of_videos + of_raters + error
    if whole <= 0:
        return math.nan, math.nan
    k = v / float((1 / np.bincount(videos)[np.unique(videos)]).sum())
    return of_videos / whole, of_videos / (of_videos + (of_raters + error) / k) if of_videos else 0.0


def _within(y: Array, groups: np.ndarray) -> float:
    """Squares of what is left of values after the mean of each group."""
    counts = np.bincount(groups)
    means = np.bincount(groups, y) / np.maximum(counts, 1)
    return float(((y - means[groups]) ** 2).sum())


def _residual_squares(y: Array, videos: np.ndarray, raters: np.ndarray) -> float:
    """Squares of what is left after an effect of each video and each rater, which are found in turns."""
    left, before = y, math.inf
    for _ in range(_ROUNDS):
        for groups in (videos, raters):
            left = left - (np.bincount(groups, left) / np.maximum(np.bincount(groups), 1))[groups]
        squares = float(left @ left)
        if before - squares <= _SETTLED * float(y @ y):
            break
        before = squares
    return squares


def sos_alpha(values: Array, scale: tuple[float, float]) -> float:
    """Compute the SOS parameter: least squares of the variances of videos over (mos - low)(high - mos).

    Args:
        values: (videos, raters), NaN where there is no rating.
        scale: Ends of the rating scale.
    """
    several = np.isfinite(values).sum(1) > 1
    mos, variances = _mean(values[several]), _std(values[several]) ** 2
    room = (mos - scale[0]) * (scale[1] - mos)
    return float(variances @ room / (room @ room)) if several.any() and room @ room > 0 else math.nan


def split_half(values: Array, seed: int = 0) -> tuple[float, tuple[float, float]]:
    """Compute SROCC between the MOS of random halves of the raters.

    Args:
        values: (videos, raters), NaN where there is no rating. A video counts where both halves have rated it.
        seed: Of the halves.

    Returns:
        The median over 200 halves, and the 2.5th and 97.5th percentiles; NaN for a single rater.
    """
    rng, correlations = np.random.default_rng(seed), []
    raters = values.shape[1]
    for _ in range(_HALVES if raters > 1 else 0):
        order = rng.permutation(raters)
        halves = [values[:, chosen] for chosen in (order[: raters // 2], order[raters // 2 :])]
        both = np.isfinite(halves[0]).any(1) & np.isfinite(halves[1]).any(1)
        correlations.append(srocc(*(_mean(half[both]) for half in halves)))
    defined = [value for value in correlations if math.isfinite(value)]
    if not defined:
        return math.nan, (math.nan, math.nan)
    low, middle, high = np.percentile(defined, [2.5, 50, 97.5]).tolist()
    return middle, (low, high)
