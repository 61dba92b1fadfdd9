"""Fits of a curve from predictions to MOS, for PLCC, RMSE, scatter plots and calibrations.

==============  =======================================================================================================
``logistic4``   The published protocol (COVER's benchmark script): least squares over
                b2 + (b1 - b2) / (1 + exp(-(x - b3) / b4)). ``logistic`` is its earlier name.
``logistic5``   A logistic on a line (Sheikh et al., IEEE TIP 2006), which need not be monotonic.
``cubic``       The third-order polynomial of ITU-T P.1401 (2020), 7.3.2: least squares among those that are monotonic
                over the predictions.
``cubic_free``  The same without that constraint, as many compute it: its PLCC may flatter.
``linear``      Least squares over slope * x + intercept.
``rescale``     The mean and standard deviation (ddof 0) of the predictions made those of the MOS, as COVER's training
                script validates (train_one_dataset.py): PLCC is that of the raw predictions, RMSE is larger than after
                ``linear``.
``none``        The predictions as they are.
==============  =======================================================================================================

All but ``rescale`` and ``none`` may fall as well as rise, so their PLCC is never negative: SROCC shows the direction.

The logistic fits are least-squares curves, not whatever the usual start [max MOS, min MOS, mean prediction, 0.5] leads
to, which depends on the scale of the predictions (:mod:`cover.evaluation.fits.logistics`). **Where no logistic beats
the least-squares line, the line is the fit**: PLCC and RMSE are never worse than after ``linear``.
"""

import warnings
from collections.abc import Callable
from typing import get_args

import numpy as np
from numpy.typing import ArrayLike

from cover.curves import Curve, Fit, Line
from cover.errors import renamed
from cover.evaluation.arrays import Array, correlated, finite, pairs, pearson
from cover.evaluation.fits.cubics import fit_cubic
from cover.evaluation.fits.logistics import Logistics

FITS: tuple[Fit, ...] = get_args(Fit)
PARAMETERS = {"logistic4": 4, "logistic5": 5, "cubic": 4, "cubic_free": 4, "linear": 2, "rescale": 2, "none": 0}
"""How many parameters each fit has, which are the degrees of freedom that it takes from its errors."""

FEWEST = {fit: count + 1 for fit, count in PARAMETERS.items()}
"""The fewest videos that each fit is defined on."""


def fit_curve(pred: ArrayLike, mos: ArrayLike, fit: Fit = "logistic4") -> Curve | None:
    """Fit the curve that takes predictions to the scale of the MOS.

    Args:
        pred: (n,) predictions, any real type.
        mos: (n,) mean opinion scores.
        fit: One of :data:`FITS`.

    Returns:
        The curve, a line where no logistic is better. None where the fit is undefined: too few videos, or values that
        are not finite.

    Raises:
        ValueError: The two are not 1-D or differ in length, or the fit is unknown.
    """
    x, y = pairs(pred, mos)
    return fitter(x, y, fit)(x, y)


def known(fit: str) -> Fit:
    """Give the fit of a name.

    Raises:
        ValueError: No fit has this name.
    """
    if fit == "logistic":
        warnings.warn(renamed("fit=logistic", "fit=logistic4"), DeprecationWarning, stacklevel=2)
        return "logistic4"
    if fit not in FITS:
        raise ValueError(f"fit={fit!r} is unknown; use one of {', '.join(FITS)}")
    return fit


def degrees(fit: str) -> int:
    """Give the degrees of freedom that a fit takes from RMSE*: its parameters, or 1 for none."""
    return max(1, PARAMETERS[known(fit)])


def fitter(x: Array, y: Array, fit: Fit) -> Callable[[Array, Array], Curve | None]:
    """Make a function that fits a curve to these videos and, from there, to resamples of them."""
    fit = known(fit)
    searched = fit.startswith("logistic") and len(x) >= FEWEST[fit] and correlated(x, y)
    logistics = Logistics(x, y, on_line=fit == "logistic5") if searched else None

    def fitted(x: Array, y: Array) -> Curve | None:
        if len(x) < FEWEST[fit] or not finite(x, y):
            return None
        if fit == "none":
            return Line(1.0, 0.0)
        if not correlated(x, y):
            return Line(0.0, float(y.mean()))
        if fit.startswith("cubic"):
            return fit_cubic(x, y, monotonic=fit == "cubic")
        r = pearson(x, y)
        slope = float(y.std() / x.std()) * (1.0 if fit == "rescale" else r)
        line = Line(slope, float(y.mean() - slope * x.mean()))
        curve = logistics.fit(x, y, above=abs(r)) if logistics else None
        # Of two that are all but exact, the one with the larger correlation may have the larger error by rounding.
        return curve if curve and np.linalg.norm(curve(x) - y) <= np.linalg.norm(line(x) - y) else line

    return fitted
