"""Two runs on the same videos: paired differences of scores, and whether they are more than chance."""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats

from cover.matching import without_suffix
from cover.results.names import FACTS
from cover.results.read import Results, videos
from cover.scores import SCORES

FEWEST_PAIRS = 8
"""Pairs below which nothing is concluded."""

_BATCH = 10_000_000  # numbers drawn at once
_TOLERANCE = 5e-5  # scores are compared as tables show them, to four decimals
_ALIKE = {"duration": 0.02, "fps": 0.01}  # relative differences that do not count
_SHAPE = ("width", "height")
_ORDER = ("overall", *(name for name in SCORES if name != "overall"))


@dataclass(frozen=True)
class ScoreChange:
    """Change of one score from run A to run B.

    Attributes:
        score: Its name.
        n: Pairs.
        mean: Mean of B - A.
        low: Lower end of its 95 % bootstrap interval; NaN where there are too few pairs for one.
        high: The upper end.
        p: Of Wilcoxon's signed-rank test, two-sided; NaN where it is undefined.
        wins: Pairs in which B is higher.
        losses: Pairs in which B is lower.
        reason: Why nothing can be concluded; empty where something can.
    """

    score: str
    n: int
    mean: float
    low: float
    high: float
    p: float
    wins: int
    losses: int
    reason: str = ""

    @property
    def verdict(self) -> str:
        """``higher``, ``lower``, or ``indeterminate``."""
        if self.reason:
            return "indeterminate"
        return "higher" if self.mean > 0 else "lower"

    def below(self, limit: float) -> bool:
        """Return whether the mean change is significantly below a limit: all of its interval is."""
        return self.n >= FEWEST_PAIRS and self.high < limit


def paired(a: pd.DataFrame, b: pd.DataFrame) -> pd.DataFrame:
    """Pair the videos of two runs by name, and the rest by the name without its suffix.

    Args:
        a: A row for each video, by name.
        b: Those of the other run.

    Returns:
        ``a`` and ``b``: the names in either run, one row a pair, in the order of A.
    """
    common = a.index.intersection(b.index)
    before, after = (_by_stem(part.drop(index=common)) for part in (a, b))
    partner = {name: name for name in common} | {name: after[stem] for stem, name in before.items() if stem in after}
    return pd.DataFrame([(name, partner[name]) for name in a.index if name in partner], columns=["a", "b"])


def change(score: str, a: np.ndarray, b: np.ndarray, resamples: int = 9999, seed: int = 0) -> ScoreChange:
    """Measure the change of a score.

    Args:
        score: Its name.
        a: (n,) scores in run A.
        b: (n,) scores of the same videos in run B.
        resamples: Bootstrap resamplings of the mean.
        seed: Of these.
    """
    difference = np.asarray(b, dtype=float) - np.asarray(a, dtype=float)
    difference = np.where(np.abs(difference) < _TOLERANCE, 0.0, difference)
    n = len(difference)
    low = high = p = math.nan
    if n >= 2:
        resampled = stats.bootstrap(
            (difference,),
            np.mean,
            n_resamples=resamples,
            batch=max(1, _BATCH // n),
            method="percentile",
            rng=np.random.default_rng(seed),
        )
        low, high = (float(end) for end in resampled.confidence_interval)
        if difference.any():
            p = float(stats.wilcoxon(difference).pvalue)
    reason = ""
    if n < FEWEST_PAIRS:
        reason = f"{n} pairs are too few (fewer than {FEWEST_PAIRS})"
    elif low <= 0 <= high:
        reason = "the interval holds zero"
    wins, losses = int((difference > 0).sum()), int((difference < 0).sum())
    return ScoreChange(score, n, float(difference.mean()) if n else math.nan, low, high, p, wins, losses, reason)


def unlike(a: Mapping[str, object], b: Mapping[str, object]) -> list[str]:
    """Name what else differs between two videos of a pair: such differences can swamp what is compared.

    Args:
        a: Facts of the file in run A (:data:`cover.results.names.FACTS`).
        b: In run B.

    Returns:
        Such as ``size 480x270 -> 960x540``; unknown facts differ from nothing.
    """
    differences = []
    sizes = [[_number(facts.get(name)) for name in _SHAPE] for facts in (a, b)]
    if not any(math.isnan(side) for size in sizes for side in size) and sizes[0] != sizes[1]:
        differences.append("size " + " -> ".join(f"{size[0]:.0f}x{size[1]:.0f}" for size in sizes))
    for name, tolerance in _ALIKE.items():
        before, after = _number(a.get(name)), _number(b.get(name))
        if abs(before - after) > tolerance * max(abs(before), abs(after)):
            differences.append(f"{'frame rate' if name == 'fps' else 'length'} {before:g} -> {after:g}")
    for name in ("codec", "lossless"):
        old, new = a.get(name), b.get(name)
        if all(isinstance(value, bool) or (isinstance(value, str) and value) for value in (old, new)) and old != new:
            differences.append(f"{name} {old} -> {new}")
    return differences


def setting_differences(a: Mapping[str, object], b: Mapping[str, object]) -> list[tuple[str, str, str]]:
    """List what two nested records differ by: path, value in A, value in B."""
    flat = [dict(_flat(record)) for record in (a, b)]
    names = sorted(set(flat[0]) | set(flat[1]))
    values = [(name, str(flat[0].get(name, "(none)")), str(flat[1].get(name, "(none)"))) for name in names]
    return [(name, old, new) for name, old, new in values if old != new]


@dataclass(frozen=True)
class RunComparison:
    """Two runs on the same videos, video by video.

    Attributes:
        a: Run A.
        b: Run B.
        pairs: A row a pair: ``a`` and ``b`` (names), ``unlike`` (what else differs, as text), and for each score
            ``<score>_a``, ``<score>_b`` and ``<score>`` (B - A); pairs that differ otherwise come first, then the
            largest changes of overall.
        changes: Of each score.
        settings: What differs between the runs: option, in A, in B.
    """

    a: Results
    b: Results
    pairs: pd.DataFrame
    changes: Sequence[ScoreChange]
    settings: Sequence[tuple[str, str, str]]

    @property
    def overall(self) -> ScoreChange:
        """The change of the overall score."""
        return self.changes[0]

    @property
    def swamped(self) -> int:
        """How many pairs differ otherwise, which can swamp what is compared."""
        return int((self.pairs["unlike"] != "").sum())


def compare_results(a: Results, b: Results, resamples: int) -> RunComparison:
    """Compare two runs, video by video.

    Args:
        a: Run A.
        b: Run B.
        resamples: Bootstrap resamplings of the means.
    """
    pairs = paired(a.numbers, b.numbers)
    left, right = a.table.loc[pairs["a"]], b.table.loc[pairs["b"]]
    scores = [name for name in _ORDER if name in left and name in right]
    for name in scores:
        pairs[f"{name}_a"], pairs[f"{name}_b"] = left[name].to_numpy(), right[name].to_numpy()
        pairs[name] = pairs[f"{name}_b"] - pairs[f"{name}_a"]
    facts = [part[list(FACTS)].to_dict("records") for part in (left, right)]
    pairs["unlike"] = ["; ".join(unlike(old, new)) for old, new in zip(*facts, strict=True)]
    order = pairs.assign(alike=pairs["unlike"] == "", size=-pairs["overall"].abs()).sort_values(["alike", "size"])
    changes = []
    for name in scores:
        both = pairs[[f"{name}_a", f"{name}_b"]].dropna().to_numpy()
        changes.append(change(name, both[:, 0], both[:, 1], resamples))
    records = [results.run.settings() for results in (a, b)]
    return RunComparison(a, b, pairs.loc[order.index], changes, setting_differences(*records))


def _flat(record: object, prefix: str = "") -> Sequence[tuple[str, object]]:
    if not isinstance(record, Mapping):
        return [(prefix, record)]
    pairs: list[tuple[str, object]] = []
    for name, value in record.items():
        pairs += _flat(value, f"{prefix}.{name}" if prefix else str(name))
    return pairs


def _number(value: object) -> float:
    return float(value) if isinstance(value, (int, float, np.number)) else math.nan


def _by_stem(part: pd.DataFrame) -> dict[str, str]:
    """Names by what is before their suffix, of parts with their ends, where only one has it."""
    stems = [
        without_suffix(video) + str(name).removeprefix(video)
        for name, video in zip(part.index, videos(part), strict=True)
    ]
    counts = Counter(stems)
    return {stem: str(name) for stem, name in zip(stems, part.index, strict=True) if counts[stem] == 1}
