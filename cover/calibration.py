"""From raw overall scores to the scale of the MOS that a model was fine-tuned on.

The curve is the one that PLCC and RMSE are measured after (:func:`cover.metrics.fit_curve`, ``logistic``), if it rises:
then it changes the scale of the scores and not their order. Those are measured on the videos that it was fitted to; a
calibration also meets scores beyond theirs, so it must not run away there.
"""

import dataclasses
import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from cover.metrics import Curve, Line, Logistic, Scores, fit_curve

_REACH = 0.5  # how far beyond the ratings the curve may lead, as a share of their range

_KINDS: dict[str, type[Line | Logistic]] = {"line": Line, "logistic": Logistic}


def calibrate(pred: Scores, mos: Scores) -> Curve | None:
    """The rising curve that takes raw overall scores to the scale of the MOS.

    Args:
        pred: (n,) raw overall scores, any real type.
        mos: (n,) mean opinion scores.

    Returns:
        The least-squares logistic; the least-squares line where that is no worse, and where the logistic's ends lie
        further beyond the ratings than half of their range: on few or noisy videos it can be an exponential, which
        makes thousands of a score that is a little larger than theirs. None where there is no rising one: the scores
        are constant or run against the MOS, there are fewer than 5 videos, or a value is not finite.

    Raises:
        ValueError: The two are not 1-D or differ in length.
    """
    curve = fit_curve(pred, mos, "logistic")
    if isinstance(curve, Logistic):
        low, high = float(np.min(mos)), float(np.max(mos))
        reach = _REACH * (high - low)
        if curve.b1 > high + reach or curve.b2 < low - reach:
            curve = fit_curve(pred, mos, "linear")
    return curve if curve is not None and _rises(curve) else None


def to_plain(curve: Curve) -> dict[str, Any]:
    """A calibration as plain data, for a checkpoint or JSON: its ``kind``, and its parameters as floats."""
    (kind,) = (kind for kind, type_ in _KINDS.items() if isinstance(curve, type_))
    return {"kind": kind, **{name: float(value) for name, value in dataclasses.asdict(curve).items()}}


def from_plain(data: object) -> Curve:
    """The calibration that :func:`to_plain` made this of.

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
    if not _rises(curve):
        raise ValueError(f"{curve} does not rise")
    return curve


def _rises(curve: Curve) -> bool:
    if isinstance(curve, Line):
        return curve.slope > 0
    return curve.b1 > curve.b2 and curve.b4 > 0
