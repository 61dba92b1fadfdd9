"""The uncertainty of mean opinion scores: intervals that an annotation states, or that follow from deviations."""

import logging
from collections.abc import Mapping, Sequence

import numpy as np

from cover.evaluation.arrays import Array
from cover.rows import Row
from cover.tables import SPREAD_COLUMNS, Columns, number

log = logging.getLogger(__name__)


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
        columns: Header of the columns ``ci95``, ``std`` and ``n``; None finds a usual one
            (:data:`cover.tables.SPREAD_COLUMNS`).

    Returns:
        Half-widths of the 95 % intervals and standard errors, (n,) each, NaN where unknown; None where no column says.

    Raises:
        UsageError: There is no column of a name that was given.
    """
    columns_found = {what: _column(rows, what, columns.get(what)) for what in SPREAD_COLUMNS}
    n, std, half = columns_found["n"], columns_found["std"], columns_found["ci95"]
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
    columns = Columns(list(rows[0].extras) if rows else [], "the rated videos")
    column = columns.find(*SPREAD_COLUMNS[what], wanted=wanted, option=f"columns.{what}")
    if column is None:
        return None
    values = [number(row.extras.get(column)) for row in rows]
    return np.array([np.nan if value is None or value < 0 else value for value in values])
