"""Weak stretches of a video: when, by which branch, and how far a score falls below the video's own median."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from cover.reporting.clock import clock
from cover.scores import BRANCHES

_DEVIATIONS = 4.0  # of what a score changes by from one moment to the next: a larger drop is not chance
_LEAST = 0.1  # in scores, whose spreads between videos are some tenths
_SHARE = 0.5  # of the spread between videos: a drop that is less is not worth a look
_ROWS = ("upper", "", "lower")
_COLUMNS = ("left", "", "right")


@dataclass(frozen=True)
class Stretch:
    """A weak stretch of a video.

    Attributes:
        start: Its start, seconds after the first frame.
        end: Its end, seconds after the first frame.
        branch: Which score is low: a branch.
        below: How far its lowest value is below the video's median of that branch.
        time: When that value is reached, s.
        frame: Number of the frame that shows it.
    """

    start: float
    end: float
    branch: str
    below: float
    time: float
    frame: int


@dataclass(frozen=True)
class Moment:
    """One moment of a video.

    Attributes:
        row: Its place among the rows of the maps.
        time: Seconds after the first frame; NaN where unknown.
        branch: The branch that departs most from its median there.
        where: The worst or the best place of the frame in words; empty where the branch does not tell places apart.
    """

    row: int
    time: float
    branch: str
    where: str

    def words(self) -> str:
        """Say it: ``0:07, technical, lower left``."""
        parts = [] if math.isnan(self.time) else [clock(self.time)]
        return ", ".join([*parts, self.branch, *([self.where] if self.where else [])])


@dataclass(frozen=True)
class Timeline:
    """Scores of one video over time, all on one axis.

    Attributes:
        times: Ascending, float64 (n,), seconds after the first frame; NaN where unknown.
        curves: Branch, and ``overall`` -> float64 (n,), the mean of the map's row.
        frames: int64 (n,), a frame at each time.
        duration: Seconds; NaN where unknown.
        start: Of a part in its video, s.
    """

    times: np.ndarray
    curves: Mapping[str, np.ndarray]
    frames: np.ndarray
    duration: float
    start: float = 0.0


def timeline(
    maps: Mapping[str, np.ndarray],
    times: Mapping[str, np.ndarray],
    frames: Mapping[str, np.ndarray],
    duration: float | None = None,
    start: float = 0.0,
) -> Timeline:
    """Average maps over space, and put all branches on the times of the aesthetic one.

    Args:
        maps: Branch -> score map, (T', h, w).
        times: Branch -> (T',), s.
        frames: Branch -> (T',), a frame number for each row.
        duration: Of the video or part, s, where known.
        start: Of the part in its video, s.
    """
    axis = times["aesthetic"]
    curves = {branch: _on_axis(maps[branch].mean(axis=(1, 2), dtype=float), times[branch], axis) for branch in BRANCHES}
    curves["overall"] = np.sum(list(curves.values()), axis=0)
    return Timeline(axis, curves, frames["aesthetic"], math.nan if duration is None else duration, start)


def weak_stretches(line: Timeline, spreads: Mapping[str, float]) -> list[Stretch]:
    """Find the stretches in which a branch falls clearly below the video's own median, worst first.

    Clearly is four robust deviations of the noise, taken from differences between neighbouring moments (the median of
    their sizes, scaled as for a normal distribution) so that a fault that lasts does not hide itself, and at least 0.1
    and half the spread between videos. A stretch reaches half way to the sound moments beside it. With fewer than four
    moments a video has no stretches.

    Args:
        line: The scores over time; nothing is found where times are unknown.
        spreads: Branch -> standard deviation of the score between videos; a branch that is missing has no least drop.
    """
    count = len(line.times)
    if count < 4 or np.isnan(line.times).any():
        return []
    stretches: list[Stretch] = []
    for branch in BRANCHES:
        curve = line.curves[branch]
        drop = np.median(curve) - curve
        noise = 1.4826 / math.sqrt(2) * float(np.median(np.abs(np.diff(curve))))
        weak = drop > max(_DEVIATIONS * noise, _SHARE * spreads.get(branch, 0.0), _LEAST)
        stretches += _runs(line, branch, drop, weak)
    return sorted(stretches, key=lambda stretch: -stretch.below / (spreads.get(stretch.branch) or 1))


def extreme(line: Timeline, maps: Mapping[str, np.ndarray], *, best: bool = False) -> Moment:
    """Find the worst or the best moment of a video, by the overall score, and what makes it so.

    Args:
        line: The scores over time.
        maps: Branch -> score map, (T', h, w).
        best: Whether the best one is asked for.
    """
    sign = 1 if best else -1
    row = int(np.argmax(sign * line.curves["overall"]))
    departures = {name: sign * (line.curves[name][row] - np.median(line.curves[name])) for name in BRANCHES}
    # With one moment nothing departs, and scores of branches have no common scale.
    branch = max(departures, key=lambda name: departures[name]) if len(line.times) > 1 else "technical"
    cells = maps[branch][_row_of(maps[branch], row, len(line.times))]
    time = float(line.times[row]) if len(line.times) > 1 else math.nan  # one moment stands for the whole
    return Moment(row, time, branch, place(sign * cells))


def place(cells: np.ndarray) -> str:
    """Name the highest cell of an (h, w) map in words, such as ``lower left``; empty where all are alike."""
    if np.ptp(cells) < 1e-6:
        return ""
    row, column = np.unravel_index(int(np.argmax(cells)), cells.shape)
    vertical = _ROWS[min(2, int(3 * (row + 0.5) / cells.shape[0]))]
    horizontal = _COLUMNS[min(2, int(3 * (column + 0.5) / cells.shape[1]))]
    return " ".join(word for word in (vertical, horizontal) if word) or "centre"


def rows_on_axis(rows: np.ndarray, count: int) -> np.ndarray:
    """Take for each of ``count`` moments the row of a map that is nearest to it: (count, h, w)."""
    return rows[[_row_of(rows, moment, count) for moment in range(count)]]


def _row_of(rows: np.ndarray, moment: int, count: int) -> int:
    return min(len(rows) - 1, int((moment + 0.5) * len(rows) / count))


def _on_axis(curve: np.ndarray, times: np.ndarray, axis: np.ndarray) -> np.ndarray:
    if len(curve) == len(axis) and np.allclose(times, axis, equal_nan=True):
        return curve
    if np.isnan(times).any() or np.isnan(axis).any():
        return curve[[_row_of(curve, moment, len(axis)) for moment in range(len(axis))]]
    return np.interp(axis, times, curve)


def _runs(line: Timeline, branch: str, drop: np.ndarray, weak: np.ndarray) -> Sequence[Stretch]:
    middles = (line.times[1:] + line.times[:-1]) / 2
    end = line.times[-1] + (line.times[-1] - middles[-1])
    bounds = np.concatenate(
        [[line.start], middles, [end if math.isnan(line.duration) else max(line.start + line.duration, line.times[-1])]]
    )
    edges = np.flatnonzero(np.diff(np.concatenate([[0], weak.astype(int), [0]])))
    stretches = []
    for first, after in edges.reshape(-1, 2):
        lowest = first + int(np.argmax(drop[first:after]))
        time, frame = float(line.times[lowest]), int(line.frames[lowest])
        stretches.append(Stretch(float(bounds[first]), float(bounds[after]), branch, float(drop[lowest]), time, frame))
    return stretches
