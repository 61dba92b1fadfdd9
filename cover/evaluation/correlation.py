"""Agreement of predictions with mean opinion scores: SROCC, KROCC, PLCC, RMSE.

SROCC and KROCC look at the raw predictions, PLCC and RMSE at predictions that a curve has taken to the scale of the MOS
(``fit``: :mod:`cover.evaluation.fits.curve`).

Input that has no answer has a defined one. Everything is computed in double precision, whatever comes in, and does not
depend on the order of the videos.

==============================  =================  ====================================================================
Input                           SROCC and KROCC    PLCC and RMSE
==============================  =================  ====================================================================
ties                            mean ranks, tau-b  as any other values
constant predictions            NaN                PLCC NaN; RMSE with every fit that of the mean MOS, so its standard
                                                   deviation (``none``: as it is)
constant MOS                    NaN                PLCC NaN; RMSE 0 (``none``: as it is)
NaN or infinity anywhere        NaN                NaN
too few videos                  NaN for n < 3      NaN for no more than the fit has parameters: ``logistic5`` needs 6,
                                                   ``logistic4`` and cubics 5, ``linear`` and ``rescale`` 3, ``none`` 3
                                                   for PLCC and 1 for RMSE
lengths differ, not 1-D         ValueError         ValueError
==============================  =================  ====================================================================
"""

import math

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats
from scipy.special import expit

from cover.curves import Curve, Fit, Line, Logistic
from cover.evaluation.arrays import Array, correlated, pairs, pearson
from cover.evaluation.fits.curve import fit_curve


def srocc(pred: ArrayLike, mos: ArrayLike) -> float:
    """Spearman's rank correlation, -1 to 1.

    Args:
        pred: (n,) predictions, any real type.
        mos: (n,) mean opinion scores.

    Returns:
        The correlation; NaN where it is undefined (see the module's table).

    Raises:
        ValueError: The two are not 1-D or differ in length.
    """
    x, y = pairs(pred, mos)
    return srocc_of(x, y)


def krocc(pred: ArrayLike, mos: ArrayLike) -> float:
    """Kendall's rank correlation (tau-b), -1 to 1. Arguments, result and errors are those of :func:`srocc`."""
    x, y = pairs(pred, mos)
    return krocc_of(x, y)


def plcc(pred: ArrayLike, mos: ArrayLike, fit: Fit = "logistic4") -> float:
    """Pearson's linear correlation of the fitted predictions with the MOS, -1 to 1.

    Args:
        pred: (n,) predictions, any real type.
        mos: (n,) mean opinion scores.
        fit: The curve between them: one of :data:`FITS`.

    Returns:
        The correlation; NaN where it is undefined (see the module's table).

    Raises:
        ValueError: The two are not 1-D or differ in length, or the fit is unknown.
    """
    x, y = pairs(pred, mos)
    return plcc_of(x, y, fit_curve(x, y, fit))


def rmse(pred: ArrayLike, mos: ArrayLike, fit: Fit = "logistic4") -> float:
    """Root mean squared error of the fitted predictions, on the scale of the MOS. Otherwise as :func:`plcc`."""
    x, y = pairs(pred, mos)
    return rmse_of(x, y, fit_curve(x, y, fit))


def srocc_of(x: Array, y: Array) -> float:
    """:func:`srocc` of what :func:`~cover.evaluation.fits.curve.pairs` gives."""
    return pearson(stats.rankdata(x), stats.rankdata(y)) if correlated(x, y) else math.nan


def krocc_of(x: Array, y: Array) -> float:
    """:func:`krocc` of what :func:`~cover.evaluation.fits.curve.pairs` gives."""
    return float(stats.kendalltau(x, y).statistic) if correlated(x, y) else math.nan


def plcc_of(x: Array, y: Array, curve: Curve | None) -> float:
    """:func:`plcc` of such pairs, after a curve that is already fitted."""
    if curve is None or not correlated(x, y):
        return math.nan
    # Of the curve's shape, not of its values: where it is nearly flat, those differ by rounding alone.
    if isinstance(curve, Line):
        return float(np.sign(curve.slope)) * pearson(x, y)
    if isinstance(curve, Logistic):
        return float(np.sign(curve.b1 - curve.b2)) * pearson(expit((x - curve.b3) / curve.b4), y)
    return pearson(curve(x), y)


def rmse_of(x: Array, y: Array, curve: Curve | None) -> float:
    """:func:`rmse` of such pairs, after a curve that is already fitted."""
    return math.nan if curve is None else float(np.sqrt(np.mean((curve(x) - y) ** 2)))
