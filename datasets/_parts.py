"""Columns of a table that say which part of a video a row is: seconds, ``HH:MM:SS.mmm``, or numbers of frames."""

from collections.abc import Mapping

from cover.errors import UsageError
from cover.parts import Bound, FrameNumber, Part, read_bound
from cover.tables import Columns

OPTIONS = ("start", "end", "start_frame", "end_frame")
"""Names of the columns, and of the options that name others."""

DURATION = "duration"
"""Key of the column of durations, in seconds, which stand in for ends."""

_ALIASES = {
    "start": (
        "start",
        "starttime",
        "timestart",
        "startsec",
        "startsecs",
        "startseconds",
        "starts",
        "begin",
        "begintime",
    ),
    "end": ("end", "endtime", "timeend", "endsec", "endsecs", "endseconds", "ends", "stop", "stoptime", "timestop"),
    "start_frame": ("startframe", "framestart", "startframenumber", "beginframe", "firstframe"),
    "end_frame": ("endframe", "frameend", "endframenumber", "stopframe"),
}
_PAIRS = (("from", "to"), ("onset", "offset"), ("tstart", "tend"), ("t0", "t1"), ("segmentstart", "segmentend"))
"""Names that mean start and end only where both are there."""

_DURATIONS = ("duration", "durationsec", "durations", "durationseconds", "length", "lengthsec", "segmentduration")


def part_columns(columns: Columns, wanted: Mapping[str, str | None]) -> dict[str, str]:
    """Choose the columns of parts.

    Args:
        columns: Of the table.
        wanted: Option -> header; an empty text takes no column, None the option's own name.

    Returns:
        Option -> column, of those that the table has; a column of durations counts beside a start without an end.
    """
    found: dict[str, str] = {}
    for option in OPTIONS:
        if wanted[option] != "":
            column = columns.find(*_ALIASES[option], wanted=wanted[option], option=f"data.{option}")
            if column is not None:
                found[option] = column
    if not found and wanted["start"] is None and wanted["end"] is None:
        for names in _PAIRS:
            pair = [columns.find(name) for name in names]
            if None not in pair:
                found = {"start": str(pair[0]), "end": str(pair[1])}
                break
    if "start" in found and "end" not in found and wanted["end"] is None:
        column = columns.find(*_DURATIONS)
        if column is not None:
            found[DURATION] = column
    return found


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
    duration: Bound | None = None
    for option, column in columns.items():
        cell = cells.pop(column)
        try:
            bound_read = read_bound(cell, frames=option.endswith("_frame"))
        except ValueError as error:
            hint = f"; {layout}, data.decimal= the decimal mark" if layout else ""
            other = "end" if option == DURATION else option
            remedy = f"data.{other}=NAME takes another column, data.{other}= none{hint}"
            raise UsageError(f"{what} has {column} {cell!r}, not {error}; {remedy}") from None
        if option == DURATION:
            duration = bound_read
            continue
        bound = option.removesuffix("_frame")
        bounds[bound] = bound_read if bounds[bound] is None else bounds[bound]
    start, end = bounds["start"], bounds["end"]
    if end is None and duration is not None:
        if isinstance(start, FrameNumber):
            raise UsageError(f"{what}: a start in frames with a duration in seconds; give its end in frames")
        end = (start or 0.0) + duration
    return Part(start, end)
