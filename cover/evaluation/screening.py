"""Screening of raters: by BT.500, by P.913, and recovery by maximum likelihood."""

import contextlib
import io
import math
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, TypeAlias

import numpy as np

from cover.errors import UsageError
from cover.evaluation.arrays import Array

Screening: TypeAlias = Literal["none", "bt500", "p913", "mle"]

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
        kept = [rater for rater, reason in enumerate(reasons) if not reason]
        with np.errstate(invalid="ignore", divide="ignore"):
            mos = np.nansum(values[:, kept], 1) / np.isfinite(values[:, kept]).sum(1)
        found = {rater: _correlation(values[:, rater], mos) for rater in kept}
        judged = {rater: r for rater, r in found.items() if r is not None}
        worst = min(judged, key=lambda rater: judged[rater], default=None)
        if worst is None or judged[worst] >= threshold or len(kept) <= _FEWEST_RATERS:
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
    solved in turns by the authors' package ``sureal``.

    Args:
        values: (videos, raters), NaN where there is no rating.

    Raises:
        UsageError: There is a single rater, a video or a rater has no rating, or no finite solution.
        ModuleNotFoundError: ``sureal`` is not installed.
    """
    if values.shape[1] < _FEWEST_RATERS:
        raise UsageError("ratings.screening=mle: one rater cannot be told from the videos; use none")
    from sureal.dataset_reader import RawDatasetReader
    from sureal.subjective_model import SubjectMLEModelProjectionSolver

    class Dataset:
        dataset_name, yuv_fmt, width, height = "ratings", "yuv420p", 1, 1
        ref_videos: ClassVar[list[dict[str, Any]]] = [{"content_id": 0, "content_name": "all", "path": "all"}]
        dis_videos: ClassVar[list[dict[str, Any]]] = [
            {"content_id": 0, "asset_id": number, "path": str(number), "os": list(map(float, line))}
            for number, line in enumerate(values)
        ]

    with contextlib.redirect_stdout(io.StringIO()), np.errstate(all="ignore"):  # it counts its rounds there
        found = SubjectMLEModelProjectionSolver(RawDatasetReader(Dataset)).run_modeling()
    quality, half, bias, spread = (
        np.asarray(found[name], dtype=np.float64)
        for name in ("quality_scores", "quality_scores_ci95", "observer_bias", "observer_inconsistency")
    )
    if not np.isfinite(quality).all() or not np.isfinite(half).all():
        raise UsageError(
            "ratings.screening=mle: there is no most likely solution, as one rater agrees with it exactly; use p913"
        )
    return Likelihood(quality, half[0], bias, spread)
