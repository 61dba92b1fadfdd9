"""Predictions and MOS as arrays, and when they have a correlation."""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array: TypeAlias = NDArray[np.float64]

NORMAL_95 = 1.96
"""Standard deviations to either side that hold 95 % of a normal distribution, as the ITU writes it."""

FEWEST_CORRELATED = 3
"""Videos below which no correlation is defined: two are always in one order or in the other."""


def pairs(pred: ArrayLike, mos: ArrayLike) -> tuple[Array, Array]:
    """Make float64 arrays, sorted, so that rounding and resampling do not depend on the order they came in."""
    x, y = np.asarray(pred, dtype=np.float64), np.asarray(mos, dtype=np.float64)
    if x.ndim != 1 or x.shape != y.shape:
        raise ValueError(f"predictions {x.shape} and MOS {y.shape} must be 1-D and of one length")
    order = np.lexsort((y, x))
    return x[order], y[order]


def finite(x: Array, y: Array) -> bool:
    """Return whether all values are finite, and their squares."""
    with np.errstate(over="ignore"):  # values whose squares overflow are as good as infinite
        return bool(np.isfinite([x @ x, y @ y]).all())


def constant(x: Array) -> bool:
    """Return whether all values are one."""
    return bool((x == x[0]).all() or x.std() == 0)  # of equal values the computed deviation may be tiny instead of 0


def correlated(x: Array, y: Array) -> bool:
    """Return whether correlations of the two are defined."""
    return len(x) >= FEWEST_CORRELATED and finite(x, y) and not constant(x) and not constant(y)


def pearson(x: Array, y: Array) -> float:
    """Pearson's correlation, in a way that keeps digits; NaN for constants."""
    x, y = x - x.mean(), y - y.mean()
    lengths = np.linalg.norm(x), np.linalg.norm(y)
    # A curve can be flat to the last bit over all videos but be no constant input.
    return float(np.clip((x / lengths[0]) @ (y / lengths[1]), -1, 1)) if min(lengths) > 0 else math.nan


@dataclass(frozen=True)
class Figures:
    """Figures with names: the base of all that goes into ``metrics.json`` and its like."""

    def as_dict(self) -> dict[str, Any]:
        """Convert to plain data for JSON, which has no NaN: undefined values are None."""
        figures: dict[str, Any] = plain(asdict(self))
        return figures


def plain(value: Any) -> Any:
    """Convert figures to data for JSON, which has no NaN: undefined and infinite values are None, tuples lists."""
    if isinstance(value, Mapping):
        return {name: plain(inner) for name, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(inner) for inner in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
