"""Videos of which parts were scored: ``videos.csv``, which sums up each video."""

import math
from array import array
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from cover.files import csv_line
from cover.parts import bound_text
from cover.results.names import SCORE_COLUMNS, VIDEO_SUM_COLUMNS
from cover.rows import Row

_QUANTILES = {"P1": 0.01, "P5": 0.05}
_TITLES = {score: column for column, score in SCORE_COLUMNS.items()}
_FACTS = 3  # duration, start and end come before the scores


@dataclass
class _Sum:
    """The known facts about the parts of one video.

    Attributes:
        parts: How many there are.
        failed: How many of them failed.
        values: Of each scored part duration, start and end (s; NaN where unknown), and scores.
    """

    parts: int = 0
    failed: int = 0
    values: "array[float]" = field(default_factory=lambda: array("d"))


class VideoSums:
    """Sum up the parts of each video, weighted by their durations."""

    def __init__(self) -> None:
        self._sums: dict[str, _Sum] = {}
        self._names: Sequence[str] = ()

    def add(self, row: Row, record: Mapping[str, Any], scores: Mapping[str, float]) -> None:
        """Add a scored part.

        Args:
            row: The part.
            record: ``part`` (start and end, s) and ``facts`` (``duration``), where known.
            scores: By name.
        """
        self._names = self._names or tuple(scores)
        known = self._sum(row)
        duration = (record.get("facts") or {}).get("duration")
        known_duration = duration if isinstance(duration, (int, float)) and duration else None
        facts = (known_duration, *(record.get("part") or (None, None)))
        known.values.extend(math.nan if fact is None else float(fact) for fact in facts)
        known.values.extend(map(scores.__getitem__, self._names))

    def add_failure(self, row: Row) -> None:
        """Add a part that failed."""
        self._sum(row).failed += 1

    def add_pending(self, row: Row) -> None:
        """Add a part that was not tried yet."""
        self._sum(row)

    def lines(self) -> Iterator[str]:
        """Give the lines of ``videos.csv``.

        Yields:
            The header; then for each video that was tried the number of its parts, those that failed, the sum of the
            durations of the scored ones in seconds, the start and end of the part with the lowest overall score, and of
            each score the weighted mean, 1st and 5th percentile (the lowest score that so much of the time does not
            exceed) and minimum.
        """
        header = [*VIDEO_SUM_COLUMNS]
        for name in self._names:
            title = _TITLES[name]
            header += [title, *(f"{title}{quantile}" for quantile in _QUANTILES), f"{title}Min"]
        yield csv_line(*header)
        for video, known in self._sums.items():
            start = [video, str(known.parts), str(known.failed)]
            if known.values:
                yield csv_line(*start, *self._figures(known.values))
            elif known.failed:
                yield csv_line(*start, *[""] * (len(header) - len(start)))

    def _figures(self, values: "array[float]") -> Iterator[str]:
        parts = np.frombuffer(values).reshape(-1, _FACTS + len(self._names))
        durations, scores = parts[:, 0], parts[:, _FACTS:]
        known = not np.isnan(durations).any()  # durations of images, and of videos of unknown rates, are not
        weights = durations if known else np.ones(len(parts))
        yield f"{weights.sum():.3f}" if known else ""
        worst = parts[int(np.argmin(scores[:, self._names.index("overall")]))]
        yield from map(bound_text, worst[1:_FACTS].tolist())
        for column in scores.T:
            yield from _summary(column, weights)

    def _sum(self, row: Row) -> _Sum:
        known = self._sums.setdefault(row.video, _Sum())
        known.parts += 1
        return known


def _summary(values: np.ndarray, weights: np.ndarray) -> Iterator[str]:
    """Weighted mean, percentiles and minimum of one score, as cells."""
    order = np.argsort(values, kind="stable")
    reached = np.cumsum(weights[order]) / weights.sum()
    places = [min(int(np.searchsorted(reached, share)), len(values) - 1) for share in _QUANTILES.values()]
    figures = (np.average(values, weights=weights), *values[order][places], values.min())
    yield from (f"{round(float(figure), 4) + 0.0:.4f}" for figure in figures)
