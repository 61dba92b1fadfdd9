"""The search for least-squares logistics, on all videos and, from there, on resamplings of them."""

import math

import numpy as np
from scipy.optimize import minimize
from scipy.special import expit

from cover.curves import Logistic, Logistic5
from cover.evaluation.arrays import Array

_WIDTHS = (0.1, 100.0)  # of the logistic, in standard deviations of the predictions
_ROUNDING = 1e-14  # of a correlation
_REACH = 10.0  # how far beyond the predictions its centre may lie, in widths
_SEARCHED = 5000  # videos that the grid is searched on: it finds the valley, and all videos its bottom
_STEPS, _SETTLED = 40, 1e-11  # of a resampling's refinement: how many, and the relative gain that ends it


class Logistics:
    """The logistics over some predictions, as points of a rectangle: place of the centre, logarithm of the width.

    Given a point, the other parameters are a linear regression on the curve's shape (variable projection; Golub and
    Pereyra, SIAM J. Numer. Anal. 10, 1973), and the curve of the smallest error is that of the largest correlation.
    The points are searched on a grid over the standardised predictions and refined. The width stays within 0.1 and 100
    standard deviations of the predictions (0.1 of the middle half's, where outliers stretch them) and the centre within
    10 widths of them; beyond are steps, straight lines and exponentials. A refinement that does not converge keeps the
    best point it saw.

    Args:
        x: (n,) predictions, sorted, not all equal.
        y: (n,) MOS, not all equal.
        on_line: Whether the curve is a logistic on a line, as the 5-parameter one: then a line is taken from both the
            shape and the MOS before they are compared.
    """

    def __init__(self, x: Array, y: Array, *, on_line: bool = False) -> None:
        self.on_line = on_line
        self.mean, self.std = float(x.mean()), float(x.std())
        z, y = (x - self.mean) / self.std, (y - y.mean()) / y.std()
        self.middle, self.half = float(z.max() + z.min()) / 2, float(z.max() - z.min()) / 2
        robust = float(np.subtract(*np.quantile(z, [0.75, 0.25]))) / 1.349  # 1 where predictions are normal
        narrow, wide = np.log(_WIDTHS[0] * (min(robust, 1.0) or 1.0)), np.log(_WIDTHS[1])
        self.bounds = np.array([[-1.0, narrow], [1.0, wide]])
        some = np.unique(np.linspace(0, len(z) - 1, min(len(z), _SEARCHED)).astype(int))
        few, few_y = z[some], y[some]
        # At every width, centres among the predictions, at their ends and beyond; the best of each of the best widths.
        starts, values = [], []
        for log_width in np.linspace(narrow, wide, 13):
            beyond = np.exp(log_width) * np.array([1.0, 3.0, 9.0])
            centres = np.concatenate([np.quantile(z, np.linspace(0, 1, 25)), z.min() - beyond, z.max() + beyond])
            places = (centres - self.middle) / (self.half + _REACH * np.exp(log_width))
            points = np.stack([places, np.full_like(places, log_width)], axis=1)
            correlations = self._correlation(points, few, few_y)
            starts.append(points[correlations.argmax()])
            values.append(correlations.max())
        if len(few) < len(z):
            candidates = np.stack(
                [self._refine(starts[i], few, few_y, tolerance=1e-12) for i in np.argsort(values)[-4:]]
            )
            finalists = [candidates[self._correlation(candidates, few, few_y).argmax()]]
        else:
            finalists = [starts[i] for i in np.argsort(values)[-4:]]
        refined = np.stack([self._refine(start, z, y, tolerance=1e-20) for start in finalists])
        self.best = refined[self._correlation(refined, z, y).argmax()]

    def fit(self, x: Array, y: Array, above: float) -> Logistic | Logistic5 | None:
        """Fit the least-squares logistic; None if its correlation does not exceed ``above``, that of the line.

        The search starts from the best for all videos, and what it does not improve on stays.
        """
        z, y, mean, std = (x - self.mean) / self.std, (y - y.mean()) / y.std(), float(y.mean()), float(y.std())
        point = self._refine(self.best, z, y, tolerance=1e-8)
        if self._correlation(point, z, y) <= (0 if self.on_line else above) + _ROUNDING:
            return None
        places, widths, _ = self._at(point, z)
        shape, lowest = self._shape(point, z)
        slope = std * self._regression(self._reduced(shape, z), self._reduced(y, z))
        centre, width = self.mean + self.std * float(places[0]), self.std * float(widths[0])
        if self.on_line:
            rest = mean + std * y - slope * shape
            b4 = float((rest - rest.mean()) @ (x - x.mean())) / float((x - x.mean()) @ (x - x.mean()))
            b5 = float(rest.mean() - b4 * x.mean() + slope * (0.5 + lowest[0]))
            return Logistic5(slope, 1 / width, centre, b4, b5)
        b2 = mean + slope * float(lowest[0] - shape.mean())
        return Logistic(b2 + slope, b2, centre, width)

    def fitted(self, x: Array, y: Array, weights: Array) -> Array:
        """Fit resamplings at once.

        Args:
            x: (n,) predictions.
            y: (n,) MOS.
            weights: (B, n), how often each resampling has each video; n in all.

        Returns:
            (B, n), the values of each resampling's logistic, standardised for none: NaN where it is flat.
        """
        z = (x - self.mean) / self.std
        points = np.tile(self.best, (len(weights), 1))
        active = np.arange(len(weights))
        damping = np.full(len(weights), 1e-3)
        errors, steps = self._weighted_step(points, damping, z, y, weights)
        for _ in range(_STEPS):
            tried = np.clip(points[active] + steps, *self.bounds)
            lower = damping[active] / 10
            new, following = self._weighted_step(tried, lower, z, y, weights[active])
            better = new < errors[active]
            gain = np.where(better, errors[active] - new, 0.0)
            done = (better & (gain <= _SETTLED * errors[active])) | (~better & (damping[active] > 1e3))
            taken = active[better]
            points[taken], errors[taken], damping[taken] = tried[better], new[better], lower[better]
            damping[active[~better]] *= 20
            if not better.all():  # a shorter step from where they are
                stayed = active[~better]
                following[~better] = self._weighted_step(points[stayed], damping[stayed], z, y, weights[stayed])[1]
            active, steps = active[~done], following[~done]
            if not len(active):
                break
        shape, _ = self._shape(points, z)
        values = self._weighted_reduced(shape, z, weights)
        target = self._weighted_reduced(np.broadcast_to(y, shape.shape), z, weights)
        norms = (weights * values**2).sum(1)
        slopes = (weights * values * target).sum(1) / np.where(norms > 0, norms, np.inf)
        means = weights @ y / weights.sum(1)
        residuals = target - slopes[:, None] * values
        # What the line and the mean give is in the rest: fitted = y - residual.
        fitted: Array = y - residuals
        fitted[norms <= 0] = means[norms <= 0, None]
        return fitted

    def _weighted_step(self, points: Array, damping: Array, z: Array, y: Array, weights: Array) -> tuple[Array, Array]:
        """Squared errors at points (B, 2), and the steps from there (Levenberg and Marquardt; Kaufman's gradient)."""
        shape = self._weighted_reduced(self._shape(points, z)[0], z, weights)
        target = self._weighted_reduced(np.broadcast_to(y, shape.shape), z, weights)
        norms = (weights * shape**2).sum(1)
        norms = np.where(norms > 0, norms, np.inf)
        slopes = (weights * shape * target).sum(1) / norms
        residuals = target - slopes[:, None] * shape
        _, width, u = self._at(points, z)
        steep = slopes[:, None] * expit(u) * expit(-u)
        changes = []
        for rate in (-(self.half / width + _REACH), -(_REACH * points[:, :1] + u)):
            change = self._weighted_reduced(steep * rate, z, weights)
            changes.append(change - ((weights * change * shape).sum(1) / norms)[:, None] * shape)
        weighted = [weights * change for change in changes]
        (aa, ab), (_, bb) = [[(weighted_change * other).sum(1) for other in changes] for weighted_change in weighted]
        ga, gb = ((weighted_change * residuals).sum(1) for weighted_change in weighted)
        aa, bb = aa * (1 + damping) + 1e-300, bb * (1 + damping) + 1e-300
        determinant = np.maximum(aa * bb - ab**2, 1e-300)
        steps = np.stack([(bb * ga - ab * gb) / determinant, (aa * gb - ab * ga) / determinant], axis=1)
        return (weights * residuals**2).sum(1), np.clip(np.nan_to_num(steps), -2, 2)

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

    def _reduced(self, values: Array, z: Array) -> Array:
        """Values (..., n) without their mean and, for a logistic on a line, without their line over ``z``."""
        values = values - values.mean(axis=-1, keepdims=True)
        if self.on_line:
            z = z - z.mean()
            values = values - (values @ z / (z @ z))[..., None] * z
        return values

    def _weighted_reduced(self, values: Array, z: Array, weights: Array) -> Array:
        """The same of resamplings: values (B, n), weights (B, n)."""
        total = weights.sum(1)
        values = values - ((weights * values).sum(1) / total)[:, None]
        if self.on_line:
            centred = z - (weights @ z / total)[:, None]
            norms = (weights * centred**2).sum(1)
            slopes = (weights * centred * values).sum(1) / np.where(norms > 0, norms, np.inf)
            values = values - slopes[:, None] * centred
        return values

    @staticmethod
    def _regression(shape: Array, y: Array) -> float:
        norm = shape @ shape
        return float(shape @ y / norm) if norm else 0.0  # a resample may lie where the curve is flat

    def _correlation(self, point: Array, z: Array, y: Array) -> Array:
        """Of the curves at points (..., 2) with ``y``, whichever way they run: (...,), 0 for flat ones."""
        shape, y = self._reduced(self._shape(point, z)[0], z), self._reduced(y, z)
        norms = np.linalg.norm(shape, axis=-1) * np.linalg.norm(y)
        correlations: Array = np.abs(shape @ y) / np.where(norms == 0, np.inf, norms)
        return correlations

    def _error(self, point: Array, z: Array, y: Array) -> tuple[float, Array]:
        """Half the mean squared error of the curve at a point, and its gradient there; ``y`` is reduced."""
        shape = self._reduced(self._shape(point, z)[0], z)
        slope = self._regression(shape, y)
        residuals = y - slope * shape
        _, width, u = self._at(point, z)
        steepness = residuals * expit(u) * expit(-u)
        change = np.array([(self.half / width[0] + _REACH) * steepness.sum(), (_REACH * point[0] + u) @ steepness])
        return float(residuals @ residuals) / (2 * len(y)), slope * change / len(y)

    def _refine(self, start: Array, z: Array, y: Array, tolerance: float) -> Array:
        y = self._reduced(y, z)
        width = np.exp(start[1])
        unit = np.array([width / (self.half + _REACH * width), 1.0])  # a first step of one width

        def error(steps: Array) -> tuple[float, Array]:
            value, gradient = self._error(start + unit * steps, z, y)
            return value, gradient * unit

        bounds = (self.bounds - start) / unit
        options = {"ftol": tolerance, "gtol": math.sqrt(tolerance) / 10, "maxiter": 300}
        minimum = minimize(error, np.zeros(2), jac=True, method="L-BFGS-B", bounds=bounds.T, options=options)
        return np.clip(start + unit * minimum.x, *self.bounds)
