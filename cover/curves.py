"""Curves from predictions to the scale of a MOS, and the same as plain data for checkpoints."""

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

_Array: TypeAlias = NDArray[np.float64]


@dataclass(frozen=True)
class Line:
    """A straight line from predictions to MOS."""

    slope: float
    intercept: float

    def __call__(self, pred: ArrayLike) -> _Array:
        """Give the MOS expected at each prediction, float64 of the same shape."""
        return self.slope * np.asarray(pred, dtype=np.float64) + self.intercept

    @property
    def rises(self) -> bool:
        """Whether a higher prediction is a higher MOS."""
        return self.slope > 0


@dataclass(frozen=True)
class Logistic:
    """The 4-parameter logistic from predictions to MOS: b2 + (b1 - b2) / (1 + exp(-(x - b3) / b4)).

    Attributes:
        b1: Where it tends to as predictions grow, in units of the MOS; far away where the data do not level off.
        b2: Where it tends to as predictions fall.
        b3: The prediction half-way between the two.
        b4: Its width in units of the predictions, positive.
    """

    b1: float
    b2: float
    b3: float
    b4: float

    def __call__(self, pred: ArrayLike) -> _Array:
        """Give the MOS expected at each prediction, float64 of the same shape."""
        from scipy.special import expit  # most models have no calibration, and scoring need not wait for scipy

        return self.b2 + (self.b1 - self.b2) * expit((np.asarray(pred, dtype=np.float64) - self.b3) / self.b4)

    @property
    def rises(self) -> bool:
        """Whether a higher prediction is a higher MOS."""
        return self.b1 > self.b2 and self.b4 > 0


Curve: TypeAlias = Line | Logistic

_KINDS: dict[str, type[Line | Logistic]] = {"line": Line, "logistic": Logistic}


def to_plain(curve: Curve) -> dict[str, Any]:
    """Describe a calibration as plain data, for a checkpoint or JSON: its ``kind``, and its parameters as floats."""
    (kind,) = (kind for kind, type_ in _KINDS.items() if isinstance(curve, type_))
    return {"kind": kind, **{name: float(value) for name, value in dataclasses.asdict(curve).items()}}


def from_plain(data: object) -> Curve:
    """Make the calibration that :func:`to_plain` described.

    Raises:
        ValueError: It is no such data, or the curve does not rise.
    """
    kind = data.get("kind") if isinstance(data, Mapping) else None
    if not isinstance(data, Mapping) or not isinstance(kind, str) or kind not in _KINDS:
        raise ValueError(f"its kind is {kind!r:.40}, not one of {', '.join(_KINDS)}")
    names = [field.name for field in dataclasses.fields(_KINDS[kind])]
    if data.keys() != {"kind", *names}:
        raise ValueError(f"a {kind} has {', '.join(names)} and nothing else")
    if not all(isinstance(data[name], float) and math.isfinite(data[name]) for name in names):
        raise ValueError(f"the parameters of a {kind} are finite floats")
    curve = _KINDS[kind](**{name: data[name] for name in names})
    if not curve.rises:
        raise ValueError(f"{curve} does not rise")
    return curve
