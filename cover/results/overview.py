"""A run in figures: how many videos, the spread of each score, and the videos at either end."""

import math
from array import array
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from cover.parts import Part
from cover.rows import Row
from cover.scores import SCORES

LISTED = 20
"""Rows that an overview names at either end."""


class Spread(NamedTuple):
    """The spread of one score over the scored rows."""

    mean: float
    std: float
    low: float
    high: float


class Ranked(NamedTuple):
    """One scored row.

    Attributes:
        name: Its name.
        video: Name of its video.
        part: Start and end in seconds, where known; None for a whole video.
        scores: By name.
    """

    name: str
    video: str
    part: Part | None
    scores: Mapping[str, float]


@dataclass(frozen=True)
class Overview:
    """A run in figures.

    Attributes:
        scored: Rows with a score.
        noted: Scored rows with notes.
        videos: Where parts were scored: videos with a score; None otherwise.
        spreads: By score.
        best: The rows with the highest overall scores, best first; up to :data:`LISTED`.
        worst: The rows with the lowest, worst first.
        errors: Why rows have no score, by name.
    """

    scored: int
    noted: int = 0
    videos: int | None = None
    spreads: Mapping[str, Spread] = field(default_factory=dict)
    best: Sequence[Ranked] = ()
    worst: Sequence[Ranked] = ()
    errors: Mapping[str, str] = field(default_factory=dict)


class ScoreTally:
    """Scores of a run, one number a row and score.

    Args:
        in_parts: Whether rows are parts of videos.
    """

    def __init__(self, *, in_parts: bool = False) -> None:
        self._numbers = array("q")
        self._names: tuple[str, ...] = ()
        self._values = array("d")
        self._videos: set[str] | None = set() if in_parts else None
        self._noted = 0

    def add(self, number: int, row: Row, scores: Mapping[str, float], *, noted: bool) -> None:
        """Count a scored row.

        Args:
            number: Its place among the rows, ascending.
            row: The row.
            scores: By name.
            noted: Whether there are notes on it.
        """
        self._numbers.append(number)
        self._names = self._names or tuple(scores)
        self._values.extend(map(scores.__getitem__, self._names))
        self._noted += noted
        if self._videos is not None:
            self._videos.add(row.video)

    def overview(
        self, rows: Sequence[Row], part_of: Callable[[Row], Part | None], errors: Mapping[str, str]
    ) -> Overview:
        """Sum up what was counted.

        Args:
            rows: The rows that numbers are places in.
            part_of: Gives start and end of a part in seconds; None for a whole video.
            errors: Why rows have no score, by name.
        """
        columns = np.frombuffer(self._values).reshape(-1, len(self._names) or 1).T
        values = dict(zip(self._names, columns, strict=True)) if self._names else {}
        overall = values.get(SCORES[-1], np.zeros(0))
        order = np.argsort(-overall, kind="stable")

        def ranked(place: int) -> Ranked:
            row = rows[self._numbers[place]]
            return Ranked(
                row.name, row.video, part_of(row), {name: float(column[place]) for name, column in values.items()}
            )

        lowest = np.argsort(overall, kind="stable")[:LISTED] if self._videos is not None else order[::-1][:LISTED]
        return Overview(
            len(overall),
            self._noted,
            None if self._videos is None else len(self._videos),
            {name: _spread(column) for name, column in values.items()},
            [ranked(place) for place in order[:LISTED]],
            [ranked(place) for place in lowest],
            errors,
        )


def _spread(values: np.ndarray) -> Spread:
    return Spread(math.fsum(values) / len(values), float(values.std()), float(values.min()), float(values.max()))
