"""Fits of a curve from predictions to MOS, for PLCC, RMSE, scatter plots and calibrations.

============  =========================================================================================================
``logistic``  The published protocol (COVER's benchmark script): least squares over
              b2 + (b1 - b2) / (1 + exp(-(x - b3) / b4)).
``linear``    Least squares over slope * x + intercept.
``rescale``   The mean and standard deviation (ddof 0) of the predictions made those of the MOS, as COVER's training
              script validates (train_one_dataset.py): PLCC is that of the raw predictions, RMSE is larger than after
              ``linear``.
``none``      The predictions as they are.
============  =========================================================================================================

``logistic`` and ``linear`` may fall as well as rise, so their PLCC is never negative: SROCC tells the direction.

The logistic fit is the least-squares curve, not whatever the usual start [max MOS, min MOS, mean prediction, 0.5] leads
to, which depends on the scale of the predictions: b1 and b2 follow from b3 and b4 by linear regression, and these two
are searched on a grid over the standardised predictions and refined. b4 stays within 0.1 and 100 standard deviations of
the predictions (0.1 of the middle half's, where outliers stretch them) and b3 within 10 * b4 of them; beyond are steps,
straight lines and exponentials. A refinement that does not converge keeps the best point it saw. **Where no logistic
beats the least-squares line, the line is the fit**: PLCC and RMSE are never worse than after ``linear``.
"""

import math
from collections.abc import Callable
from typing import Literal, TypeAlias, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import minimize
from scipy.special import expit

from cover.curves import Curve, Line, Logistic

Fit: TypeAlias = Literal["logistic", "linear", "rescale", "none"]
Array: TypeAlias = NDArray[np.float64]

FITS: tuple[Fit, ...] = get_args(Fit)

_FEWEST = {"logistic": 5, "linear": 3, "rescale": 3, "none": 1}
_WIDTHS = (0.1, 100.0)  # of the logistic, in standard deviations of the predictions
_ROUNDING = 1e-14  # of a correlation
_REACH = 10.0  # how far beyond the predictions its centre may lie, in widths


def fit_curve(pred: ArrayLike, mos: ArrayLike, fit: Fit = "logistic") -> Curve | None:
    """Fit the curve that takes predictions to the scale of the MOS.

    Args:
        pred: (n,) predictions, any real type.
        mos: (n,) mean opinion scores.
        fit: One of :data:`FITS`.

    Returns:
        A :class:`Logistic` for the logistic fit unless a line is better; else a :class:`Line`. None where the fit is
        undefined: too few videos, or values that are not finite.

    Raises:
        ValueError: The two are not 1-D or differ in length, or the fit is unknown.
    """
    x, y = pairs(pred, mos)
    return fitter(x, y, fit)(x, y)


def pairs(pred: ArrayLike, mos: ArrayLike) -> tuple[Array, Array]:
    """Make float64 arrays, sorted, so that rounding and resampling do not depend on the order they came in."""
    x, y = np.asarray(pred, dtype=np.float64), np.asarray(mos, dtype=np.float64)
    if x.ndim != 1 or x.shape != y.shape:
        raise ValueError(f"predictions {x.shape} and MOS {y.shape} must be 1-D and of one length")
    order = np.lexsort((y, x))
    return x[order], y[order]


def _finite(x: Array, y: Array) -> bool:
    with np.errstate(over="ignore"):  # values whose squares overflow are as good as infinite
        return bool(np.isfinite([x @ x, y @ y]).all())


def _constant(x: Array) -> bool:
    return bool((x == x[0]).all() or x.std() == 0)  # of equal values the computed deviation may be tiny instead of 0


def correlated(x: Array, y: Array) -> bool:
    """Tell whether correlations of the two are defined."""
    return len(x) >= 2 and _finite(x, y) and not _constant(x) and not _constant(y)


def pearson(x: Array, y: Array) -> float:
    """Pearson's correlation, in a way that keeps digits; NaN for constants."""
    x, y = x - x.mean(), y - y.mean()
    lengths = np.linalg.norm(x), np.linalg.norm(y)
    # A curve can be flat to the last bit over all videos but be no constant input.
    return float(np.clip((x / lengths[0]) @ (y / lengths[1]), -1, 1)) if min(lengths) > 0 else math.nan


def _known(fit: Fit) -> Fit:
    if fit not in FITS:
        raise ValueError(f"fit={fit!r} is unknown; use one of {', '.join(FITS)}")
    return fit


def fitter(x: Array, y: Array, fit: Fit) -> Callable[[Array, Array], Curve | None]:
    """Make a function that fits a curve to these videos and, from there, to resamples of them."""
    searched = _known(fit) == "logistic" and len(x) >= _FEWEST[fit] and correlated(x, y)
    logistics = _Logistics(x, y) if searched else None

    def fitted(x: Array, y: Array) -> Curve | None:
        if len(x) < _FEWEST[fit] or not _finite(x, y):
            return None
        if fit == "none":
            return Line(1.0, 0.0)
        if not correlated(x, y):
            return Line(0.0, float(y.mean()))
        r = pearson(x, y)
        slope = float(y.std() / x.std()) * (1.0 if fit == "rescale" else r)
        line = Line(slope, float(y.mean() - slope * x.mean()))
        curve = logistics.fit(x, y, above=abs(r)) if logistics else None
        # Of two that are all but exact, the one with the larger correlation may have the larger error by rounding.
        return curve if curve and np.linalg.norm(curve(x) - y) <= np.linalg.norm(line(x) - y) else line

    return fitted


class _Logistics:
    """The logistics over some predictions, as points of a rectangle: place of the centre, logarithm of the width.

    Given a point, b1 and b2 are a linear regression on the curve's shape (variable projection; Golub and Pereyra,
    SIAM J. Numer. Anal. 10, 1973), and the curve of the smallest error is that of the largest correlation.

    Args:
        x: (n,) predictions, not all equal.
        y: (n,) MOS, not all equal.
    """

    def __init__(self, x: Array, y: Array) -> None:
        self.mean, self.std = float(x.mean()), float(x.std())
        z, y = (x - self.mean) / self.std, (y - y.mean()) / y.std()
        self.middle, self.half = float(z.max() + z.min()) / 2, float(z.max() - z.min()) / 2
        robust = float(np.subtract(*np.quantile(z, [0.75, 0.25]))) / 1.349  # 1 where predictions are normal
        narrow, wide = np.log(_WIDTHS[0] * (min(robust, 1.0) or 1.0)), np.log(_WIDTHS[1])
        self.bounds = np.array([[-1.0, narrow], [1.0, wide]])
        # At every width, centres among the predictions, at their ends and beyond; the best of each of the best widths.
        starts, values = [], []
        for log_width in np.linspace(narrow, wide, 13):
            beyond = np.exp(log_width) * np.array([1.0, 3.0, 9.0])
            centres = np.concatenate([np.quantile(z, np.linspace(0, 1, 25)), z.min() - beyond, z.max() + beyond])
            places = (centres - self.middle) / (self.half + _REACH * np.exp(log_width))
            points = np.stack([places, np.full_like(places, log_width)], axis=1)
            correlations = self._correlation(points, z, y)
            starts.append(points[correlations.argmax()])
            values.append(correlations.max())
        refined = np.stack([self._refine(starts[i], z, y, tolerance=1e-20) for i in np.argsort(values)[-4:]])
        self.best = refined[self._correlation(refined, z, y).argmax()]

    def fit(self, x: Array, y: Array, above: float) -> Logistic | None:
        """Fit the least-squares logistic; None if its correlation does not exceed ``above``.

        The search starts from the best for all videos, and what it does not improve on stays.
        """
        z, y, mean, std = (x - self.mean) / self.std, (y - y.mean()) / y.std(), float(y.mean()), float(y.std())
        point = self._refine(self.best, z, y, tolerance=1e-8)
        if self._correlation(point, z, y) <= above + _ROUNDING:
            return None
        centre, width, _ = self._at(point, z)
        shape, lowest = self._shape(point, z)
        slope = std * self._regression(shape - shape.mean(), y)
        b2 = mean + slope * float(lowest[0] - shape.mean())
        return Logistic(b2 + slope, b2, self.mean + self.std * float(centre[0]), self.std * float(width[0]))

    def _at(self, point: Array, z: Array) -> tuple[Array, Array, Array]:
        """Centre and width (..., 1) of points (..., 2), and the predictions (n,) as seen from there (..., n)."""
        place, width = point[..., :1], np.exp(point[..., 1:])
        centre = self.middle + (self.half + _REACH * width) * place
        return centre, width, (z - centre) / width

    def _shape(self, point: Array, z: Array) -> tuple[Array, Array]:
        """The curve (..., n) from ``lowest`` (..., 1) to 1 above it: 0, or -1 where most values would be near 1.

        Differences between values near 1 would lose their digits.
        """
        sign = np.where(point[..., :1] > 0, 1.0, -1.0)
        return sign * expit(sign * self._at(point, z)[2]), (sign - 1) / 2

    def _centred(self, point: Array, z: Array) -> Array:
        shape, _ = self._shape(point, z)
        return shape - shape.mean(axis=-1, keepdims=True)

    @staticmethod
    def _regression(shape: Array, y: Array) -> float:
        norm = shape @ shape
        return float(shape @ y / norm) if norm else 0.0  # a resample may lie where the curve is flat

    def _correlation(self, point: Array, z: Array, y: Array) -> Array:
        """Of the curves at points (..., 2) with ``y``, whichever way they run: (...,), 0 for flat ones."""
        shape = self._centred(point, z)
        norms = np.linalg.norm(shape, axis=-1) * np.linalg.norm(y)
        return np.abs(shape @ y) / np.where(norms == 0, np.inf, norms)

    def _error(self, point: Array, z: Array, y: Array) -> tuple[float, Array]:
        """Half the mean squared error of the curve at a point, and its gradient there."""
        shape = self._centred(point, z)
        slope = self._regression(shape, y)
        residuals = y - slope * shape
        _, width, u = self._at(point, z)
        steepness = residuals * expit(u) * expit(-u)
        change = np.array([(self.half / width[0] + _REACH) * steepness.sum(), (_REACH * point[0] + u) @ steepness])
        return float(residuals @ residuals) / (2 * len(y)), slope * change / len(y)

    def _refine(self, start: Array, z: Array, y: Array, tolerance: float) -> Array:
        width = np.exp(start[1])
        unit = np.array([width / (self.half + _REACH * width), 1.0])  # a first step of one width

        def error(steps: Array) -> tuple[float, Array]:
            value, gradient = self._error(start + unit * steps, z, y)
            return value, gradient * unit

        bounds = (self.bounds - start) / unit
        options = {"ftol": tolerance, "gtol": math.sqrt(tolerance) / 10, "maxiter": 300}
        found = minimize(error, np.zeros(2), jac=True, method="L-BFGS-B", bounds=bounds.T, options=options)
        return np.clip(start + unit * found.x, *self.bounds)
