"""The uncertainty of mean opinion scores: intervals that an annotation states, or that follow from deviations."""

import logging
from collections.abc import Mapping, Sequence

import numpy as np

from cover.errors import UsageError
from cover.evaluation.arrays import Array
from cover.rows import Row
from cover.tables import header_key

log = logging.getLogger(__name__)

NAMES = {
    "ci95": ("ci95", "mosci95", "ci", "mosci"),
    "std": ("std", "mosstd", "sd", "stdev", "stddev", "mossd", "stdmos", "sdmos"),
    "n": ("n", "votes", "nvotes", "numvotes", "ratings", "nratings", "numratings", "raters", "nraters", "count"),
}
"""Headers of columns with half-widths of 95 % intervals, standard deviations and numbers of ratings, in any case."""


def half_width(std: np.ndarray | float, n: np.ndarray | float) -> Array:
    """Compute half-widths of 95 % intervals of means of n ratings, by Student's t; NaN for fewer than 2."""
    std, n = np.asarray(std, dtype=np.float64), np.asarray(n, dtype=np.float64)
    with np.errstate(invalid="ignore", divide="ignore"):
        widths: Array = _student(n) * std / np.sqrt(n)
    return widths


def _student(n: Array) -> Array:
    """The factor from standard errors of means of n values to half-widths; NaN for fewer than 2."""
    from scipy import stats  # what a table says is checked before scipy is imported

    return np.where(n > 1, stats.t.ppf(0.975, np.maximum(n - 1, 1)), np.nan)


def uncertainties(rows: Sequence[Row], columns: Mapping[str, str | None]) -> tuple[Array, Array] | None:
    """Find the uncertainty of each MOS in what a dataset says of its videos.

    Args:
        rows: The videos.
        columns: Header of the columns ``ci95``, ``std`` and ``n``; None finds one of :data:`NAMES`.

    Returns:
        Half-widths of the 95 % intervals and standard errors, (n,) each, NaN where unknown; None where no column says.

    Raises:
        UsageError: There is no column of a name that was given.
    """
    found = {what: _column(rows, what, columns.get(what)) for what in NAMES}
    n, std, half = found["n"], found["std"], found["ci95"]
    if half is None and (std is None or n is None):
        return None
    counted = np.full(len(rows), np.inf) if n is None else n  # 1.96 standard errors where nobody says of how many
    if half is None:
        assert std is not None
        half = half_width(std, counted)
    with np.errstate(invalid="ignore", divide="ignore"):
        errors = half / _student(counted)
    known = np.isfinite(half)
    if not known.any():
        return None
    if not known.all():
        lacking = rows[int(np.flatnonzero(~known)[0])].name
        message = "%d of %d MOS have no interval, such as that of %s: the figures that need all of them are left out"
        log.warning(message, int((~known).sum()), len(rows), lacking)
    return half, errors


def _column(rows: Sequence[Row], what: str, wanted: str | None) -> Array | None:
    headers = {header_key(str(name)): name for row in rows[:1] for name in reversed(list(row.extras))}
    names = NAMES[what] if wanted is None else (header_key(wanted),)
    found = next((headers[name] for name in names if name in headers), None)
    if found is None:
        if wanted is None:
            return None
        listed = ", ".join(map(str, headers.values())) or "none"
        raise UsageError(f"columns.{what}={wanted}: there is no such column (found: {listed})")
    values = np.array([_number(row.extras.get(found)) for row in rows])
    return np.where(values >= 0, values, np.nan)


def _number(cell: object) -> float:
    try:
        return float(str(cell))
    except ValueError:
        return np.nan
