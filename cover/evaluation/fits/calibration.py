"""Calibration: the curve from overall scores to the scale of the MOS that a model was fine-tuned on.

The curve is the one that PLCC and RMSE are measured after (``logistic4`` of
:func:`cover.evaluation.fits.curve.fit_curve`), if it rises: then it changes the scale of the scores and not their
order.
Those are measured on the videos that it was fitted to; a calibration also meets scores beyond theirs, so it must not
run away there.
"""

import numpy as np
from numpy.typing import ArrayLike

from cover.curves import Calibration, Line, Logistic
from cover.evaluation.fits.curve import fit_curve

_REACH = 0.5  # how far beyond the ratings the curve may lead, as a share of their range


def calibrate(pred: ArrayLike, mos: ArrayLike) -> Calibration | None:
    """Fit the rising curve that takes overall scores to the scale of the MOS.

    Args:
        pred: (n,) overall scores, any real type.
        mos: (n,) mean opinion scores.

    Returns:
        The least-squares logistic; the least-squares line where that is no worse, and where the logistic's ends lie
        further beyond the ratings than half of their range: on few or noisy videos it can be an exponential, which
        makes thousands of a score that is a little larger than theirs. None where there is no rising one: the scores
        are constant or run against the MOS, there are fewer than 5 videos, or a value is not finite.

    Raises:
        ValueError: The two are not 1-D or differ in length.
    """
    curve = fit_curve(pred, mos, "logistic4")
    if isinstance(curve, Logistic):
        low, high = float(np.min(mos)), float(np.max(mos))
        reach = _REACH * (high - low)
        if curve.b1 > high + reach or curve.b2 < low - reach:
            curve = fit_curve(pred, mos, "linear")
    return curve if isinstance(curve, (Line, Logistic)) and curve.rises else None
