"""Cells of tables: which are missing, and which are numbers. One rule for every table that is read."""

import math
import re

_MISSING = frozenset(
    {
        *("", "-", "--", "\u2013", "\u2014", ".", "..", "...", "?", "na", "n/a", "n.a.", "n.a", "<na>", "nan", "nat"),
        *("none", "null", "(null)", "\\n", "nil", "missing"),
        *("#n/a", "#na", "#value!", "#div/0!", "#num!", "#null!", "#ref!", "#name?"),  # of spreadsheets
    }
)
_WRAPPED = re.compile(
    r"(?:(?:np|numpy|torch)\.)?(?:tensor|array|float\d*)?[\[(](.*?)(?:,\s*(?:dtype|device|grad_fn)=.*)?[\])]"
)
_NUMBER = re.compile(r"[+-]?(?:\d+(?:_\d+)*\.?\d*|\.\d+)(?:[eE][+-]?\d+)?")


def is_missing(cell: object) -> bool:
    """Return whether a cell has no value: empty, NaN, or a mark such as ``NA``, ``null`` or ``-`` in any case."""
    if cell is None:
        return True
    if isinstance(cell, float):
        return math.isnan(cell)
    return isinstance(cell, str) and cell.strip().lower() in _MISSING


def is_infinite(cell: object) -> bool:
    """Return whether a cell says infinity, as a metric that fails may do; such a video has no score."""
    return str(cell).strip().lower().lstrip("+-") in ("inf", "infinity")


def number(cell: object) -> float | None:
    """Read a cell as a number; None if it is missing or is not a finite number.

    Text may have blanks and brackets around a single number, and the wrappers that Python prints: ``[0.85]``,
    ``tensor(0.85)``, ``np.float32(0.85)``. A percentage is a fraction: ``85%`` is 0.85.
    """
    if not isinstance(cell, str):
        try:
            value = float(str(cell))
        except ValueError:
            return None
        return value if math.isfinite(value) else None
    text = cell.strip()
    while (wrapped := _WRAPPED.fullmatch(text)) is not None:
        text = wrapped[1].strip()
    percent = text.endswith("%")
    text = text.removesuffix("%").rstrip() if percent else text
    if _NUMBER.fullmatch(text) is None:
        return None
    value = float(text) / 100 if percent else float(text)
    return value if math.isfinite(value) else None
