"""Curves from predictions to the scale of a MOS, and the same as plain data for checkpoints."""

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

Fit: TypeAlias = Literal["logistic4", "logistic5", "cubic", "cubic_free", "linear", "rescale", "none"]
"""Kinds of curves that :mod:`cover.evaluation.fits` fits."""

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
        """Return whether a higher prediction is a higher MOS."""
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
        """Return whether a higher prediction is a higher MOS."""
        return self.b1 > self.b2 and self.b4 > 0


@dataclass(frozen=True)
class Logistic5:
    """The 5-parameter logistic: b1 * (1 / 2 - 1 / (1 + exp(b2 * (x - b3)))) + b4 * x + b5, a logistic on a line.

    Source: Sheikh, Sabir and Bovik, "A Statistical Evaluation of Recent Full Reference Image Quality Assessment
    Algorithms", IEEE TIP 15(11), 2006. It need not be monotonic.
    """

    b1: float
    b2: float
    b3: float
    b4: float
    b5: float

    def __call__(self, pred: ArrayLike) -> _Array:
        """Give the MOS expected at each prediction, float64 of the same shape."""
        from scipy.special import expit

        x = np.asarray(pred, dtype=np.float64)
        return self.b1 * (expit(self.b2 * (x - self.b3)) - 0.5) + self.b4 * x + self.b5


@dataclass(frozen=True)
class Cubic:
    """A third-order polynomial c0 + c1 t + c2 t^2 + c3 t^3 of t = (x - middle) / half, -1..1 where it was fitted.

    Attributes:
        c0: Constant term, in units of the MOS, as the other coefficients.
        c1: Coefficient of the linear term.
        c2: Coefficient of the square term.
        c3: Coefficient of the cubic term.
        middle: Of the predictions it was fitted to.
        half: Half of their range, positive.
        bounded: Whether predictions beyond that range count as its ends, as a monotonic one is monotonic only there.
    """

    c0: float
    c1: float
    c2: float
    c3: float
    middle: float
    half: float
    bounded: bool

    def __call__(self, pred: ArrayLike) -> _Array:
        """Give the MOS expected at each prediction, float64 of the same shape."""
        t = (np.asarray(pred, dtype=np.float64) - self.middle) / self.half
        t = np.clip(t, -1, 1) if self.bounded else t
        return self.c0 + t * (self.c1 + t * (self.c2 + t * self.c3))


Calibration: TypeAlias = Line | Logistic
"""A curve that a checkpoint may hold."""

Curve: TypeAlias = Calibration | Logistic5 | Cubic
"""A curve that predictions are measured after."""

_KINDS: dict[str, type[Line | Logistic]] = {"line": Line, "logistic": Logistic}


def to_plain(curve: Calibration) -> dict[str, Any]:
    """Describe a calibration as plain data, for a checkpoint or JSON: its ``kind``, and its parameters as floats."""
    (kind,) = (kind for kind, type_ in _KINDS.items() if isinstance(curve, type_))
    return {"kind": kind, **{name: float(value) for name, value in dataclasses.asdict(curve).items()}}


def from_plain(data: object) -> Calibration:
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
