"""Columns of a table that say which part of a video a row is: seconds, ``HH:MM:SS.mmm``, or numbers of frames."""

from collections.abc import Mapping

from cover.errors import UsageError
from cover.parts import Bound, Part, read_bound
from cover.tables import Columns

OPTIONS = ("start", "end", "start_frame", "end_frame")
"""Names of the columns, and of the options that name others."""


def part_columns(columns: Columns, wanted: Mapping[str, str | None]) -> dict[str, str]:
    """Choose the columns of parts.

    Args:
        columns: Of the table.
        wanted: Option -> header; an empty text takes no column, None the option's own name.

    Returns:
        Option -> column, of those that the table has.
    """
    names = {
        option: None if wanted[option] == "" else columns.find(option, wanted=wanted[option], option=f"data.{option}")
        for option in OPTIONS
    }
    return {option: column for option, column in names.items() if column is not None}


def read_part(cells: dict[str, object], columns: dict[str, str], what: str, layout: str = "") -> Part:
    """Take start and end out of a row's cells: seconds, or where these are empty numbers of frames.

    Args:
        cells: By column; those of ``columns`` are removed.
        columns: Of :func:`part_columns`.
        what: The table and line, for messages.
        layout: How the table was read, for messages.

    Raises:
        UsageError: A cell is neither empty nor a moment.
    """
    bounds: dict[str, Bound | None] = {"start": None, "end": None}
    for option, column in columns.items():
        cell = cells.pop(column)
        try:
            bound_read = read_bound(cell, frames=option.endswith("_frame"))
        except ValueError as error:
            hint = f"; {layout}, data.decimal= the decimal mark" if layout else ""
            remedy = f"data.{option}=NAME takes another column, data.{option}= none{hint}"
            raise UsageError(f"{what} has {column} {cell!r}, not {error}; {remedy}") from None
        bound = option.removesuffix("_frame")
        bounds[bound] = bound_read if bounds[bound] is None else bounds[bound]
    return Part(bounds["start"], bounds["end"])
