"""Screening of raters: by BT.500, by P.913, and recovery by maximum likelihood."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np

from cover.errors import UsageError
from cover.evaluation.arrays import NORMAL_95, Array
from cover.rows import Rating
from cover.text import counted

Screening: TypeAlias = Literal["none", "bt500", "p913", "mle"]

_PRIOR = 4.0  # ratings that a rater's variance is drawn to the panel's by
_ROUNDS, _SETTLED = 1000, 1e-9
_FEWEST_RATERS = 2
_FEWEST_RATINGS = 3  # that a correlation is computed of


@dataclass(frozen=True)
class Likelihood:
    """The most likely qualities, by a model in which every rater has a bias and an inconsistency.

    Attributes:
        quality: (videos,).
        ci95: (videos,), half-widths of their 95 % intervals.
        bias: (raters,).
        inconsistency: (raters,), standard deviation of each one's ratings.
    """

    quality: Array
    ci95: Array
    bias: Array
    inconsistency: Array


_CODES = (-1, -9, -99, -999, -9999, 99, 999, 9999)  # which tables write for missing ratings
_SHORTEST = 4.0  # of a scale: from 1 to 5


def screened(values: Array, method: Screening, threshold: float) -> list[str]:
    """Screen raters.

    Args:
        values: (videos, raters), NaN where there is no rating.
        method: ``none`` and ``mle`` reject nobody.
        threshold: Of ``p913``.

    Returns:
        For each rater the reason for rejecting them; empty for those who are kept.
    """
    if method == "bt500":
        return bt500(values)
    if method == "p913":
        return p913(values, threshold)
    return [""] * values.shape[1]


def bt500(values: Array) -> list[str]:
    """Screen raters by ITU-R BT.500-15, annex 1 to part 1, A1-2.3.1.

    A rating is beyond the limits where it is 2 standard deviations (of the video's ratings, with n - 1) from their
    mean, or sqrt(20) where their kurtosis is not between 2 and 4. Rejected is who has more than 5 % of his ratings
    beyond, and about as many above as below: |P - Q| / (P + Q) < 0.3. With a dozen raters no rating can be sqrt(20)
    deviations away, so that a spammer may well pass; ``p913`` and ``mle`` find them.

    Args:
        values: (videos, raters), NaN where there is no rating.

    Returns:
        For each rater the reason, or nothing.
    """
    counts = np.isfinite(values).sum(1, keepdims=True)
    with np.errstate(invalid="ignore", divide="ignore"):
        centred = values - np.nansum(values, 1, keepdims=True) / counts
        second = np.nansum(centred**2, 1, keepdims=True) / counts
        kurtosis = np.nansum(centred**4, 1, keepdims=True) / counts / second**2
        deviation = np.sqrt(second * counts / (counts - 1))
    normal = (kurtosis >= 2) & (kurtosis <= 4)
    limit = np.where(normal, 2.0, math.sqrt(20)) * deviation
    told = np.isfinite(centred) & (deviation > 0)
    above, below = ((told & (sign * centred >= limit)).sum(0) for sign in (1, -1))
    reasons = []
    for p, q, n in zip(above.tolist(), below.tolist(), np.isfinite(values).sum(0).tolist(), strict=True):
        rejected = p + q > 0.05 * n and abs(p - q) < 0.3 * (p + q)
        reasons.append(f"{p} ratings of {n} above the limits and {q} below (BT.500)" if rejected else "")
    return reasons


def p913(values: Array, threshold: float = 0.75) -> list[str]:
    """Screen raters by their correlation with the MOS, as ITU-T P.913 (2021), 11.4 and P.910 have it.

    Of the raters below the threshold the worst is rejected, the MOS of the others is computed, and so on. The
    recommendation's second correlation, over test conditions, needs to know these and is not computed.

    Args:
        values: (videos, raters), NaN where there is no rating. Who has rated fewer than 3 videos is kept.
        threshold: The least correlation; 0.75 is the recommendation's for video.

    Returns:
        For each rater the reason, or nothing. Two raters at least are kept.
    """
    reasons = [""] * values.shape[1]
    while True:
        left = [rater for rater, reason in enumerate(reasons) if not reason]
        with np.errstate(invalid="ignore", divide="ignore"):
            mos = np.nansum(values[:, left], 1) / np.isfinite(values[:, left]).sum(1)
        correlations = {rater: _correlation(values[:, rater], mos) for rater in left}
        judged = {rater: r for rater, r in correlations.items() if r is not None}
        worst = min(judged, key=lambda rater: judged[rater], default=None)
        if worst is None or judged[worst] >= threshold or len(left) <= _FEWEST_RATERS:
            return reasons
        column = values[np.isfinite(values[:, worst]), worst]
        alike = f", all {len(column)} ratings are {column[0]:g}" if np.ptp(column) == 0 else ""
        reasons[worst] = f"correlation with the MOS {judged[worst]:.2f}, below {threshold:g}{alike} (P.913)"


def _correlation(column: Array, mos: Array) -> float | None:
    """Correlation of a rater with the MOS: 0 for ratings that are all alike; None where it says nothing."""
    rated = np.isfinite(column) & np.isfinite(mos)
    if rated.sum() < _FEWEST_RATINGS or np.ptp(mos[rated]) == 0:
        return None
    return float(np.corrcoef(column[rated], mos[rated])[0, 1]) if np.ptp(column[rated]) > 0 else 0.0


def most_likely(values: Array) -> Likelihood:
    """Recover qualities from ratings of biased and inconsistent raters by maximum likelihood.

    A rating is the quality of the video, plus the rater's bias, plus noise of the rater's deviation (Li et al., "A
    Simple Model for Subject Behavior in Subjective Experiments", Electronic Imaging 2020; ITU-T P.910 (2022), annex E),
    solved in turns as there. Of few videos that likelihood has no maximum: it grows without bound as the qualities
    become those of one rater, whose deviation becomes 0. So each variance is drawn to that of the panel, as if it had
    come with four ratings more, which many videos outweigh.

    Args:
        values: (videos, raters), NaN where there is no rating.

    Raises:
        UsageError: There is a single rater.
    """
    if values.shape[1] < _FEWEST_RATERS:
        raise UsageError("ratings.screening=mle: one rater cannot be told from the videos; use none")
    rated = np.isfinite(values)
    given = np.where(rated, values, 0.0)
    of_video, of_rater = rated.sum(1), rated.sum(0)
    quality = given.sum(1) / np.maximum(of_video, 1)
    panel = _panel_variance(given, rated, quality)
    for _ in range(_ROUNDS):
        before = quality
        bias = np.where(rated, given - quality[:, None], 0).sum(0) / np.maximum(of_rater, 1)
        bias = bias - (of_rater * bias).sum() / of_rater.sum()
        noise = np.where(rated, given - quality[:, None] - bias, 0)
        variance = ((noise**2).sum(0) + _PRIOR * panel) / (of_rater + _PRIOR)
        weights = rated / variance
        quality = (weights * (given - bias)).sum(1) / np.maximum(weights.sum(1), 1e-300)
        if np.abs(quality - before).max() < _SETTLED:
            break
    half = NORMAL_95 / np.sqrt(np.maximum(weights.sum(1), 1e-300))
    return Likelihood(quality, half, bias, np.sqrt(variance))


def _panel_variance(given: Array, rated: np.ndarray, quality: Array) -> float:
    """Variance of the noise of all raters alike, after biases; at least that of rounding to a thousandth."""
    left = np.where(rated, given - quality[:, None], 0)
    left = np.where(rated, left - left.sum(0) / np.maximum(rated.sum(0), 1), 0)
    freedom = rated.sum() - sum(rated.shape) + 1
    return max(float((left**2).sum()) / max(int(freedom), 1), 1e-6)


def refuse_codes(ratings: Sequence[Rating], values: Array) -> None:
    """Refuse numbers that stand for missing ratings in many tables, where they lie outside all other ratings.

    Args:
        ratings: All of them.
        values: The same, NaN where there is no rating.

    Raises:
        UsageError: There is one; the message names it.
    """
    given = values[np.isfinite(values)]
    rest = given[~np.isin(given, _CODES)]
    if not len(rest):
        return
    low, high = float(rest.min()), float(rest.max())
    room = max(high - low, _SHORTEST)
    for code in _CODES:
        # A scale may have the next whole number, too; 99 is a rating where others are near 90.
        if code in given and (code <= low - 2 or code > high + 5 * room):
            example = next(rating for rating in ratings if rating.value == code)
            count = int((given == code).sum())
            raise UsageError(
                f"{example.rater} rated {example.video} {code:g}, and all other ratings are {low:g} to {high:g}: "
                f"if {code:g} means that there is no rating ({counted(count, 'cell')}), leave these cells empty; else "
                f"name the scale with ratings.scale=[LOW,HIGH]"
            )
