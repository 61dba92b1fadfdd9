"""How well predictions agree with mean opinion scores: SROCC, KROCC, PLCC, RMSE.

SROCC and KROCC look at the raw predictions. PLCC and RMSE look at them after a curve has been fitted that takes them to
the scale of the MOS (``fit``):

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
too few videos                  NaN for n < 2      NaN for no more than the fit has parameters: ``logistic`` needs 5,
                                                   ``linear`` and ``rescale`` 3, ``none`` 2 for PLCC and 1 for RMSE
lengths differ, not 1-D         ValueError         ValueError
==============================  =================  ====================================================================
"""

import dataclasses
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias, get_args

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from scipy import stats
from scipy.optimize import minimize
from scipy.special import expit
from torch import Tensor
from torchmetrics import Metric
from torchmetrics.utilities import dim_zero_cat

Fit: TypeAlias = Literal["logistic", "linear", "rescale", "none"]
Scores: TypeAlias = ArrayLike | Tensor
_Array: TypeAlias = NDArray[np.float64]

FITS: tuple[Fit, ...] = get_args(Fit)
MEASURES = ("srocc", "krocc", "plcc", "rmse")

_FEWEST = {"logistic": 5, "linear": 3, "rescale": 3, "none": 1}
_WIDTHS = (0.1, 100.0)  # of the logistic, in standard deviations of the predictions
_REACH = 10.0  # how far beyond the predictions its centre may lie, in widths


@dataclass(frozen=True)
class Line:
    """A straight line from predictions to MOS."""

    slope: float
    intercept: float

    def __call__(self, pred: Scores) -> _Array:
        """The MOS expected at each prediction, float64 of the same shape."""
        return self.slope * _double(pred) + self.intercept


@dataclass(frozen=True)
class Logistic:
    """The 4-parameter logistic from predictions to MOS.

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

    def __call__(self, pred: Scores) -> _Array:
        """The MOS expected at each prediction, float64 of the same shape."""
        return self.b2 + (self.b1 - self.b2) * expit((_double(pred) - self.b3) / self.b4)


Curve: TypeAlias = Line | Logistic


@dataclass(frozen=True)
class Measures:
    """Agreement of one score with the MOS.

    Attributes:
        n: Videos it stands on.
        srocc: Spearman's rank correlation of the raw predictions.
        krocc: Kendall's tau-b of the raw predictions.
        plcc: Pearson's correlation after the fit.
        rmse: Root mean squared error after the fit, on the scale of the MOS.
        ci95: Measure -> ends of its 95 % bootstrap interval; empty when none was asked for.
    """

    n: int
    srocc: float
    krocc: float
    plcc: float
    rmse: float
    ci95: dict[str, tuple[float, float]] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        """The same as plain data for JSON, which has no NaN: undefined values are None."""
        values = dataclasses.asdict(self)
        intervals = {name: [_or_none(end) for end in ends] for name, ends in values.pop("ci95").items()}
        return {name: _or_none(value) for name, value in values.items()} | {"ci95": intervals}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> "Measures":
        """The measures that :meth:`as_dict` made this of."""
        values = {name: math.nan if data[name] is None else data[name] for name in MEASURES}
        ends = {name: [math.nan if end is None else end for end in both] for name, both in data["ci95"].items()}
        return cls(data["n"], **values, ci95={name: (low, high) for name, (low, high) in ends.items()})


def srocc(pred: Scores, mos: Scores) -> float:
    """Spearman's rank correlation, -1 to 1.

    Args:
        pred: (n,) predictions, any real type.
        mos: (n,) mean opinion scores.

    Returns:
        The correlation; NaN where it is undefined (see the module's table).

    Raises:
        ValueError: The two are not 1-D or differ in length.
    """
    x, y = _pairs(pred, mos)
    return _srocc(x, y)


def krocc(pred: Scores, mos: Scores) -> float:
    """Kendall's rank correlation (tau-b), -1 to 1. Arguments, result and errors are those of :func:`srocc`."""
    x, y = _pairs(pred, mos)
    return _krocc(x, y)


def plcc(pred: Scores, mos: Scores, fit: Fit = "logistic") -> float:
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
    x, y = _pairs(pred, mos)
    return _plcc(x, y, fit_curve(x, y, fit))


def rmse(pred: Scores, mos: Scores, fit: Fit = "logistic") -> float:
    """Root mean squared error of the fitted predictions, on the scale of the MOS. Otherwise as :func:`plcc`."""
    x, y = _pairs(pred, mos)
    return _rmse(x, y, fit_curve(x, y, fit))


def fit_curve(pred: Scores, mos: Scores, fit: Fit = "logistic") -> Curve | None:
    """The curve that takes predictions to the scale of the MOS, for PLCC, RMSE and the scatter plot.

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
    x, y = _pairs(pred, mos)
    return _fitter(x, y, fit)(x, y)


def measure(pred: Scores, mos: Scores, *, fit: Fit = "logistic", resamples: int = 1000, seed: int = 0) -> Measures:
    """All four measures with 95 % bootstrap intervals.

    The intervals are the 2.5th and 97.5th percentiles over ``resamples`` draws of n videos with replacement; every
    measure sees the same draws. The curve is fitted anew to each draw, the logistic from where the fit to all videos
    ended. Draws in which a measure is undefined (all videos alike) do not count for it; its interval is NaN where the
    measure itself is, and where more than half of the draws do not count.

    Args:
        pred: (n,) predictions, any real type.
        mos: (n,) mean opinion scores.
        fit: The curve for PLCC and RMSE: one of :data:`FITS`.
        resamples: Draws for the intervals; 0 for none. 1000 draws of 1200 videos take 2 to 3 seconds.
        seed: Of the draws. The same videos have the same intervals in whatever order they come.

    Returns:
        The measures, undefined ones as NaN (see the module's table).

    Raises:
        ValueError: The two are not 1-D or differ in length, the fit is unknown, or ``resamples`` is negative.
    """
    if resamples < 0:
        raise ValueError(f"resamples={resamples} must not be negative")
    x, y = _pairs(pred, mos)
    fitter = _fitter(x, y, fit)

    def values(x: _Array, y: _Array) -> tuple[float, float, float, float]:
        curve = fitter(x, y)
        return _srocc(x, y), _krocc(x, y), _plcc(x, y, curve), _rmse(x, y, curve)

    # Not scipy.stats.bootstrap: one degenerate draw makes its interval NaN.
    whole = values(x, y)
    rng = np.random.default_rng(seed)
    draws = (rng.integers(len(x), size=len(x)) for _ in range(resamples if any(map(math.isfinite, whole)) else 0))
    table = np.array([values(x[chosen], y[chosen]) for chosen in draws]).reshape(-1, len(MEASURES))
    ci95 = {name: _interval(whole[i], table[:, i]) for i, name in enumerate(MEASURES)} if resamples else {}
    return Measures(len(x), *whole, ci95)


def median(splits: Sequence[Measures]) -> Measures:
    """The median of each measure over splits; the intervals are the 2.5th and 97.5th percentiles over them.

    Args:
        splits: At least one; a single one has no intervals.
    """
    figures = {name: np.array([getattr(split, name) for split in splits]) for name in MEASURES}
    ends = {name: np.nanpercentile(values, [2.5, 97.5]) for name, values in figures.items() if len(splits) > 1}
    return Measures(
        n=int(np.median([split.n for split in splits])),
        **{name: float(np.median(values)) for name, values in figures.items()},
        ci95={name: (float(low), float(high)) for name, (low, high) in ends.items()},
    )


class _Agreement(Metric):
    """Keeps every prediction and MOS, over ranks too, until they are asked for.

    torchmetrics' own rank correlations work in single precision and bias the result by an epsilon, so these use the
    functions above.
    """

    is_differentiable = False
    full_state_update = False
    preds: list[Tensor]
    target: list[Tensor]

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.add_state("preds", default=[], dist_reduce_fx="cat")
        self.add_state("target", default=[], dist_reduce_fx="cat")

    @property
    def dtype(self) -> torch.dtype:
        """Of the states, whatever the module around is cast to: what a rank that saw no video sends to the others."""
        return torch.float64

    def update(self, preds: Tensor, target: Tensor) -> None:
        """Adds a batch.

        Args:
            preds: (B,) predictions.
            target: (B,) mean opinion scores.

        Raises:
            ValueError: The shapes differ or are not (B,).
        """
        if preds.ndim != 1 or preds.shape != target.shape:
            raise ValueError(f"preds {tuple(preds.shape)} and target {tuple(target.shape)} must both be (B,)")
        self.preds.append(_storable(preds))
        self.target.append(_storable(target))

    def compute(self) -> Tensor:
        """The measure over everything added, a float64 scalar on the CPU; NaN where it is undefined."""
        if not len(self.preds):
            return torch.tensor(torch.nan, dtype=torch.float64)
        return torch.tensor(self._measure(dim_zero_cat(self.preds), dim_zero_cat(self.target)), dtype=torch.float64)

    def _measure(self, pred: Scores, mos: Scores) -> float:
        raise NotImplementedError


class SROCC(_Agreement):
    """:func:`srocc` as a metric. Keyword arguments are those of :class:`torchmetrics.Metric`."""

    higher_is_better = True

    def _measure(self, pred: Scores, mos: Scores) -> float:
        return srocc(pred, mos)


class KROCC(_Agreement):
    """:func:`krocc` as a metric. Keyword arguments are those of :class:`torchmetrics.Metric`."""

    higher_is_better = True

    def _measure(self, pred: Scores, mos: Scores) -> float:
        return krocc(pred, mos)


class _AfterFit(_Agreement):
    """A measure after a curve has been fitted."""

    def __init__(self, fit: Fit = "logistic", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.fit = _known(fit)


class PLCC(_AfterFit):
    """:func:`plcc` as a metric.

    Args:
        fit: The curve between predictions and MOS: one of :data:`FITS`.
        kwargs: Those of :class:`torchmetrics.Metric`.
    """

    higher_is_better = True

    def _measure(self, pred: Scores, mos: Scores) -> float:
        return plcc(pred, mos, self.fit)


class RMSE(_AfterFit):
    """:func:`rmse` as a metric.

    Args:
        fit: The curve between predictions and MOS: one of :data:`FITS`.
        kwargs: Those of :class:`torchmetrics.Metric`.
    """

    higher_is_better = False

    def _measure(self, pred: Scores, mos: Scores) -> float:
        return rmse(pred, mos, self.fit)


def _known(fit: Fit) -> Fit:
    if fit not in FITS:
        raise ValueError(f"fit={fit!r} is unknown; use one of {', '.join(FITS)}")
    return fit


def _storable(values: Tensor) -> Tensor:
    values = values.detach()
    return (values.cpu() if values.device.type == "mps" else values).double()  # Apple's GPUs have no float64


def _double(values: Scores) -> _Array:
    return np.asarray(_storable(values).cpu() if isinstance(values, Tensor) else values, dtype=np.float64)


def _pairs(pred: Scores, mos: Scores) -> tuple[_Array, _Array]:
    """Both as float64, in an order of their own, so that rounding and draws do not depend on the one they came in."""
    x, y = _double(pred), _double(mos)
    if x.ndim != 1 or x.shape != y.shape:
        raise ValueError(f"predictions {x.shape} and MOS {y.shape} must be 1-D and of one length")
    order = np.lexsort((y, x))
    return x[order], y[order]


def _finite(x: _Array, y: _Array) -> bool:
    with np.errstate(over="ignore"):  # values whose squares overflow are as good as infinite
        return bool(np.isfinite([x @ x, y @ y]).all())


def _constant(x: _Array) -> bool:
    return bool((x == x[0]).all() or x.std() == 0)  # of equal values the computed deviation may be tiny instead of 0


def _correlated(x: _Array, y: _Array) -> bool:
    """Whether correlations of the two are defined."""
    return len(x) >= 2 and _finite(x, y) and not _constant(x) and not _constant(y)


def _pearson(x: _Array, y: _Array) -> float:
    x, y = x - x.mean(), y - y.mean()
    lengths = np.linalg.norm(x), np.linalg.norm(y)
    # A curve can be flat to the last bit over all videos but be no constant input.
    return float(np.clip((x / lengths[0]) @ (y / lengths[1]), -1, 1)) if min(lengths) > 0 else math.nan


def _srocc(x: _Array, y: _Array) -> float:
    return _pearson(stats.rankdata(x), stats.rankdata(y)) if _correlated(x, y) else math.nan


def _krocc(x: _Array, y: _Array) -> float:
    return float(stats.kendalltau(x, y).statistic) if _correlated(x, y) else math.nan


def _plcc(x: _Array, y: _Array, curve: Curve | None) -> float:
    if curve is None or not _correlated(x, y):
        return math.nan
    # Of the curve's shape, not of its values: where it is nearly flat, those differ by rounding alone.
    if isinstance(curve, Line):
        return float(np.sign(curve.slope)) * _pearson(x, y)
    return float(np.sign(curve.b1 - curve.b2)) * _pearson(expit((x - curve.b3) / curve.b4), y)


def _rmse(x: _Array, y: _Array, curve: Curve | None) -> float:
    return math.nan if curve is None else float(np.sqrt(np.mean((curve(x) - y) ** 2)))


def _interval(value: float, draws: _Array) -> tuple[float, float]:
    defined = draws[np.isfinite(draws)]
    if not math.isfinite(value) or 2 * len(defined) < len(draws):
        return math.nan, math.nan
    low, high = np.percentile(defined, [2.5, 97.5]).tolist()
    return low, high


def _or_none(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _fitter(x: _Array, y: _Array, fit: Fit) -> Callable[[_Array, _Array], Curve | None]:
    """What fits a curve to these videos, and from there to draws of them."""
    searched = _known(fit) == "logistic" and len(x) >= _FEWEST[fit] and _correlated(x, y)
    logistics = _Logistics(x, y) if searched else None

    def fitted(x: _Array, y: _Array) -> Curve | None:
        if len(x) < _FEWEST[fit] or not _finite(x, y):
            return None
        if fit == "none":
            return Line(1.0, 0.0)
        if not _correlated(x, y):
            return Line(0.0, float(y.mean()))
        r = _pearson(x, y)
        if logistics and (curve := logistics.fit(x, y, above=abs(r))):
            return curve
        slope = float(y.std() / x.std()) * (1.0 if fit == "rescale" else r)
        return Line(slope, float(y.mean() - slope * x.mean()))

    return fitted


class _Logistics:
    """The logistics over some predictions, as points of a rectangle: place of the centre, logarithm of the width.

    Given a point, b1 and b2 are a linear regression on the curve's shape (variable projection; Golub and Pereyra,
    SIAM J. Numer. Anal. 10, 1973), and the curve of the smallest error is that of the largest correlation.

    Args:
        x: (n,) predictions, not all equal.
        y: (n,) MOS, not all equal.
    """

    def __init__(self, x: _Array, y: _Array) -> None:
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

    def fit(self, x: _Array, y: _Array, above: float) -> Logistic | None:
        """The least-squares logistic for these videos or a draw of them; None where it correlates no better than that.

        The search starts from the best for all videos, and what it does not improve on stays.
        """
        z, y, mean, std = (x - self.mean) / self.std, (y - y.mean()) / y.std(), float(y.mean()), float(y.std())
        point = self._refine(self.best, z, y, tolerance=1e-8)
        if self._correlation(point, z, y) <= above:
            return None
        centre, width, _ = self._at(point, z)
        shape, lowest = self._shape(point, z)
        slope = std * self._regression(shape - shape.mean(), y)
        b2 = mean + slope * float(lowest[0] - shape.mean())
        return Logistic(b2 + slope, b2, self.mean + self.std * float(centre[0]), self.std * float(width[0]))

    def _at(self, point: _Array, z: _Array) -> tuple[_Array, _Array, _Array]:
        """Centre and width (..., 1) of points (..., 2), and the predictions (n,) as seen from there (..., n)."""
        place, width = point[..., :1], np.exp(point[..., 1:])
        centre = self.middle + (self.half + _REACH * width) * place
        return centre, width, (z - centre) / width

    def _shape(self, point: _Array, z: _Array) -> tuple[_Array, _Array]:
        """The curve (..., n) from ``lowest`` (..., 1) to 1 above it: 0, or -1 where most values would be near 1.

        Differences between values near 1 would lose their digits.
        """
        sign = np.where(point[..., :1] > 0, 1.0, -1.0)
        return sign * expit(sign * self._at(point, z)[2]), (sign - 1) / 2

    def _centred(self, point: _Array, z: _Array) -> _Array:
        shape, _ = self._shape(point, z)
        return shape - shape.mean(axis=-1, keepdims=True)

    @staticmethod
    def _regression(shape: _Array, y: _Array) -> float:
        norm = shape @ shape
        return float(shape @ y / norm) if norm else 0.0  # a draw may lie where the curve is flat

    def _correlation(self, point: _Array, z: _Array, y: _Array) -> _Array:
        """Of the curves at points (..., 2) with ``y``, whichever way they run: (...,), 0 for flat ones."""
        shape = self._centred(point, z)
        norms = np.linalg.norm(shape, axis=-1) * np.linalg.norm(y)
        return np.abs(shape @ y) / np.where(norms == 0, np.inf, norms)

    def _error(self, point: _Array, z: _Array, y: _Array) -> tuple[float, _Array]:
        """Half the mean squared error of the curve at a point, and its gradient there."""
        shape = self._centred(point, z)
        slope = self._regression(shape, y)
        residuals = y - slope * shape
        _, width, u = self._at(point, z)
        steepness = residuals * expit(u) * expit(-u)
        change = np.array([(self.half / width[0] + _REACH) * steepness.sum(), (_REACH * point[0] + u) @ steepness])
        return float(residuals @ residuals) / (2 * len(y)), slope * change / len(y)

    def _refine(self, start: _Array, z: _Array, y: _Array, tolerance: float) -> _Array:
        width = np.exp(start[1])
        unit = np.array([width / (self.half + _REACH * width), 1.0])  # a first step of one width

        def error(steps: _Array) -> tuple[float, _Array]:
            value, gradient = self._error(start + unit * steps, z, y)
            return value, gradient * unit

        bounds = (self.bounds - start) / unit
        options = {"ftol": tolerance, "gtol": math.sqrt(tolerance) / 10, "maxiter": 300}
        found = minimize(error, np.zeros(2), jac=True, method="L-BFGS-B", bounds=bounds.T, options=options)
        return np.clip(start + unit * found.x, *self.bounds)
