"""Paired bootstrap of two scores of the same videos: how much better one agrees with the MOS."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from cover.evaluation.arrays import Array, Figures
from cover.evaluation.correlation import plcc, srocc
from cover.evaluation.resampling import (
    FEWEST_RESAMPLED,
    Resampling,
    Sample,
    Statistic,
    correlation,
    mean_ranks,
)

_LEAST = 0.01  # of SROCC + PLCC; a smaller gain is not worth a change
_WIDEST = 2.0
_NAMES = ("srocc", "plcc", "sum")


@dataclass(frozen=True)
class Gain(Figures):
    """How much better a score agrees with the MOS than another.

    Attributes:
        srocc: Difference of SROCC, with the ends of its interval; NaN where undefined.
        plcc: The gain in PLCC, of the scores as they are.
        sum: The gain in SROCC + PLCC, by which epochs are chosen.
        by: What was resampled: ``content``, or ``video``.
        n: Videos.
        level: Of the intervals.
    """

    srocc: tuple[float, float, float]
    plcc: tuple[float, float, float]
    sum: tuple[float, float, float]
    by: str
    n: int
    level: float = 0.95

    @property
    def clear(self) -> bool:
        """Return whether the gain is significant: 0.01 or more of SROCC + PLCC, with an interval above 0."""
        return self.sum[1] > 0 and self.sum[0] >= _LEAST

    @property
    def worse(self) -> bool:
        """Return whether the interval of SROCC + PLCC lies below 0."""
        return self.sum[2] < 0 and self.sum[0] <= -_LEAST

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> "Gain":
        """Make the gain that :meth:`as_dict` converted."""
        figures = {name: [math.nan if value is None else float(value) for value in data[name]] for name in _NAMES}
        rank, linear, both = ((triple[0], triple[1], triple[2]) for triple in figures.values())
        return cls(rank, linear, both, by=data["by"], n=data["n"], level=data["level"])

    def sentence(self) -> str:
        """Describe it: ``SROCC +0.04 [0.01, 0.07], PLCC ..., their sum ...``; the sum is what decides."""
        parts = []
        for name, (value, low, high) in (("SROCC", self.srocc), ("PLCC", self.plcc), ("their sum", self.sum)):
            # As wide as all values that a correlation can have: these videos say nothing.
            known = math.isfinite(low) and high - low < _WIDEST
            ends = f" [{low:.2f}, {high:.2f}]" if known else " (no interval)"
            parts.append(f"{name} {value:+.2f}{ends}")
        return ", ".join(parts)


def gain(
    before: ArrayLike,
    after: ArrayLike,
    mos: ArrayLike,
    groups: Sequence[object] | None = None,
    *,
    level: float = 0.95,
    resamples: int = 1000,
    seed: int = 0,
) -> Gain:
    """Measure how much better a score agrees with the MOS than another.

    Args:
        before: (n,) one score.
        after: (n,) the other.
        mos: (n,) mean opinion scores.
        groups: Content of each video, which are resampled as wholes where there are 5 of them at least; None: unknown.
        level: Of the intervals; a higher one where the better score was chosen among several on the same videos.
        resamples: How many resamplings, at least 1.
        seed: Of the resampling.
    """
    scores = [np.asarray(values, dtype=np.float64) for values in (before, after)]
    y = np.asarray(mos, dtype=np.float64)
    whole = [(srocc(x, y), plcc(x, y, "none")) for x in scores]
    differences = [whole[1][place] - whole[0][place] for place in (0, 1)]
    differences.append(sum(differences))
    numbers = None if groups is None else np.unique([str(group) for group in groups], return_inverse=True)[1]
    by_content = numbers is not None and FEWEST_RESAMPLED <= numbers.max(initial=0) + 1 < len(y)
    if len(y) < FEWEST_RESAMPLED or not all(map(math.isfinite, differences)):
        ends = [(math.nan, math.nan)] * len(_NAMES)
    else:
        sample = _sample(scores, y, numbers if by_content else None, resamples, seed)
        ends = [sample.interval(name, value, level) for name, value in zip(_NAMES, differences, strict=True)]
    rank, linear, both = ((value, *between) for value, between in zip(differences, ends, strict=True))
    return Gain(rank, linear, both, "content" if by_content else "video", len(y), level)


def _sample(scores: Sequence[Array], y: Array, groups: np.ndarray | None, resamples: int, seed: int) -> Sample:
    """Differences between two scores in each resampling."""
    drawn = Resampling(len(y), resamples, seed, groups)
    some = drawn.places
    y_some, ranks_y = y[some], mean_ranks(y[some])

    def of(x: Array) -> Statistic:
        ranks_x = mean_ranks(x)

        def values(weights: Array) -> dict[str, Array]:
            rank, linear = correlation(weights, ranks_x(weights), ranks_y(weights)), correlation(weights, x, y_some)
            return {"srocc": rank, "plcc": linear, "sum": rank + linear}

        return values

    before, after = (drawn.sample(of(x[some])) for x in scores)
    return after - before
