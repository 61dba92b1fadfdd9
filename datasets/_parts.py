"""Columns of a table that say which part of a video a row is: seconds, ``HH:MM:SS.mmm``, or numbers of frames."""

from collections.abc import Callable

from cover.errors import UsageError
from cover.rows import Moment, read_moment

OPTIONS = ("start", "end", "start_frame", "end_frame")
"""Names of the columns, and of the options that name others."""


def part_columns(find: Callable[[str], str | None]) -> dict[str, str]:
    """Choose the columns of parts: those of seconds, or where there are none those of frame numbers.

    Args:
        find: Finds the column of an option, None where the table has none.

    Returns:
        Option -> column, of those that the table has.
    """
    found = {option: column for option in OPTIONS if (column := find(option)) is not None}
    seconds = {option: column for option, column in found.items() if option in ("start", "end")}
    return seconds or found


def read_part(
    cells: dict[str, object], columns: dict[str, str], what: str, layout: str = ""
) -> tuple[Moment | None, Moment | None]:
    """Take start and end out of a row's cells.

    Args:
        cells: By column; those of ``columns`` are removed.
        columns: Of :func:`part_columns`.
        what: The table and line, for messages.
        layout: How the table was read, likewise.

    Raises:
        UsageError: A cell is neither empty nor a moment.
    """
    moments: dict[str, Moment | None] = {}
    for option, column in columns.items():
        cell = cells.pop(column)
        try:
            moments[option.removesuffix("_frame")] = read_moment(cell, frames=option.endswith("_frame"))
        except ValueError as error:
            hint = f"; {layout}" if layout else ""
            raise UsageError(
                f"{what} has {column} {cell!r}, not {error}; data.{option}=NAME takes another column{hint}"
            ) from None
    return moments.get("start"), moments.get("end")
