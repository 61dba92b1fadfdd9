"""Third-order polynomials from predictions to MOS, monotonic ones among them.

Source: ITU-T P.1401 (2020), 7.3.2, which asks for a mapping that is monotonic over the predictions. A polynomial that
rises over an interval has a derivative that is nowhere below 0 there. The least-squares one is the plain one if that
rises; else its derivative touches 0: at an end, at both, or inside, where it is then a square. Each of these is a
regression, and the best that rises is the answer, as the problem is convex.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from cover.curves import Cubic
from cover.evaluation.arrays import Array

_ORDER = 3
_ROUNDING = 1e-10  # of a derivative, beside the largest coefficient


def fit_cubic(x: Array, y: Array, *, monotonic: bool) -> Cubic:
    """Fit the least-squares third-order polynomial.

    Args:
        x: (n,) predictions, not all equal.
        y: (n,) MOS.
        monotonic: Whether it must not turn over the range of the predictions; it may fall as well as rise.
    """
    low, high = float(x.min()), float(x.max())
    middle, half = (low + high) / 2, (high - low) / 2
    c0, c1, c2, c3 = _coefficients(((x - middle) / half)[None], y, np.ones((1, len(x))), monotonic=monotonic)[0]
    return Cubic(float(c0), float(c1), float(c2), float(c3), middle, half, monotonic)


def fitted_cubics(x: Array, y: Array, weights: Array, *, monotonic: bool) -> Array:
    """Fit resamplings at once.

    Args:
        x: (n,) predictions, not all equal.
        y: (n,) MOS.
        weights: (B, n), how often each resampling has each video.
        monotonic: As of :func:`fit_cubic`; over the range of each resampling's own predictions.

    Returns:
        (B, n), the values of each resampling's polynomial.
    """
    seen = weights > 0
    low, high = np.where(seen, x, np.inf).min(1, keepdims=True), np.where(seen, x, -np.inf).max(1, keepdims=True)
    t = (x - (low + high) / 2) / np.where(high > low, (high - low) / 2, 1.0)
    t = np.clip(t, -1, 1) if monotonic else t
    c0, c1, c2, c3 = _coefficients(t, y, weights, monotonic=monotonic).T[..., None]
    fitted: Array = c0 + t * (c1 + t * (c2 + t * c3))
    return fitted


def _coefficients(t: Array, y: Array, weights: Array, *, monotonic: bool) -> Array:
    """Coefficients (B, 4) of the best polynomials of t (B, n)."""
    sums, products, power = [], [], weights.copy()
    for order in range(2 * _ORDER + 1):
        sums.append(power.sum(1))
        if order <= _ORDER:
            products.append(power @ y)
        power *= t
    places = np.arange(_ORDER + 1)
    moments, vectors = np.stack(sums, 1)[:, places[:, None] + places], np.stack(products, 1)
    coefficients = _solve(moments, vectors, np.eye(_ORDER + 1))
    if monotonic:
        for row in np.flatnonzero(~(_rises(coefficients) | _rises(-coefficients))):
            coefficients[row] = _solve_monotonic(moments[row], vectors[row])
    return coefficients


def _solve(moments: Array, products: Array, basis: Array) -> Array:
    """Coefficients (..., 4) of the best polynomials among the combinations of a basis (4, k)."""
    small, targets = basis.T @ moments @ basis, products @ basis
    # Of few different predictions, several polynomials are the best: the shortest is taken.
    solved = (np.linalg.pinv(small, rcond=1e-13, hermitian=True) @ targets[..., None])[..., 0]
    coefficients: Array = solved @ basis.T
    return coefficients


def _solve_monotonic(moments: Array, products: Array) -> Array:
    """The best polynomial that rises or falls, where the plain one turns."""

    def error(values: Array) -> float:
        return float(values @ moments @ values - 2 * values @ products)

    candidates = []
    for sign in (1, -1):
        targets = sign * products
        bases = [_FLAT_LEFT, _FLAT_RIGHT, _FLAT_ENDS, _CONSTANT]
        bases += [np.stack([_CONSTANT[:, 0], _touching(root)], 1) for root in _roots(moments, targets)]
        solved = [_solve(moments, targets, basis) for basis in bases]
        candidates += [sign * values for values in solved if _rises(values)]
    return min(candidates, key=error)


# Polynomials by their coefficients of 1, t, t^2, t^3, in columns: those whose derivative is 0 at -1, at 1, at both.
_CONSTANT = np.array([[1.0], [0], [0], [0]])
_FLAT_LEFT = np.array([[1.0, 0, 0], [0, 2, -3], [0, 1, 0], [0, 0, 1]])
_FLAT_RIGHT = np.array([[1.0, 0, 0], [0, -2, -3], [0, 1, 0], [0, 0, 1]])
_FLAT_ENDS = np.array([[1.0, 0], [0, 3], [0, 0], [0, -1]])


def _touching(root: float) -> Array:
    """The polynomial (t - root)^3 without its constant: its derivative touches 0 at the root."""
    return np.array([0.0, 3 * root**2, -3 * root, 1.0])


def _roots(moments: Array, products: Array) -> list[float]:
    """Roots inside -1..1 at which the error of c0 + c (t - root)^3 is stationary.

    What it explains is N(root)^2 / D(root): N the covariance of the cubic with the MOS and D its variance, which are
    polynomials of second and fourth order in the root.
    """
    count = moments[0, 0]
    centred = moments - np.outer(moments[0], moments[0]) / count
    covariance = products - moments[0] * products[0] / count
    # (t - r)^3 = t^3 - 3 r t^2 + 3 r^2 t + ..., as columns of coefficients by the power of r.
    parts = np.array([[0.0, 0, 0], [0, 0, 3], [0, -3, 0], [1, 0, 0]])
    top = np.polynomial.Polynomial(parts.T @ covariance)
    products_of = parts.T @ centred @ parts
    below = np.zeros(5)
    for i in range(3):
        for j in range(3):
            below[i + j] += products_of[i, j]
    bottom = np.polynomial.Polynomial(below)
    stationary: Any = 2 * top.deriv() * bottom - top * bottom.deriv()
    return [float(root.real) for root in stationary.roots() if abs(root.imag) < 1e-9 and -1 < root.real < 1]


def _rises(values: Array) -> NDArray[np.bool_]:
    """Return whether the derivatives of polynomials (..., 4) are nowhere below 0 on -1..1, but for rounding: (...,)."""
    b, c, d = np.moveaxis(values[..., 1:], -1, 0)
    lowest = np.minimum(b - 2 * c + 3 * d, b + 2 * c + 3 * d)
    inside = (d > 0) & (np.abs(c) < 3 * d)  # where the lowest point lies
    lowest = np.where(inside, np.minimum(lowest, b - c**2 / np.where(inside, 3 * d, 1)), lowest)
    rises: NDArray[np.bool_] = lowest >= -_ROUNDING * np.abs(values[..., 1:]).max(-1)
    return rises
