"""Rows: one video of a dataset each, or one part of a video."""

import datetime
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple, Protocol


class FrameNumber(int):
    """A moment of a video given as the number of a frame, from 0, where others are in seconds."""


Moment = float | FrameNumber

Ends = tuple[Moment | None, Moment | None]
"""Start and end of a part as asked for; None is that of the video."""

Placed = tuple[str, float | None, float | None]
"""A part's video, and its start and end in seconds, where known."""

Stretch = tuple[Path, Moment | None, Moment | None]
"""A file, and start and end of the part of it that is looked at."""

_CLOCK = re.compile(r"(?:(\d+):(?=[0-5]?\d:))?(\d+):([0-5]?\d(?:[.,]\d+)?)")


@dataclass(frozen=True)
class Row:
    """One video of a dataset, or one part of a video.

    Attributes:
        path: Where the file, or the folder of frames, is.
        name: The path relative to the data root, for a part with its start and end (:func:`part_name`): unique in a
            dataset, so that all that is known of a row can be kept by it.
        mos: Mean opinion score on the dataset's own scale; None where nobody rated it.
        extras: Whatever else the annotation says (split, content, category...), by column name.
        start: Start of the part, seconds after the first frame or the number of a frame; None starts with the video.
        end: Its end, likewise, exclusive; None ends with the video.
    """

    path: Path
    name: str
    mos: float | None = None
    extras: Mapping[str, object] = field(default_factory=dict)
    start: Moment | None = None
    end: Moment | None = None

    @property
    def is_part(self) -> bool:
        """Whether this is a part of a video and not the whole."""
        return self.start is not None or self.end is not None

    @property
    def video(self) -> str:
        """``Filename`` in results: the name of the video that this is, or is a part of."""
        return self.name.removesuffix(part_name("", self.start, self.end))

    @property
    def stretch(self) -> Stretch:
        """The file and which part of it: alike for two rows that look at the same frames."""
        return self.path, self.start, self.end


def part_of(row: Row, start: Moment | None, end: Moment | None) -> Row:
    """Make the row of a part of a row's video."""
    return replace(row, name=part_name(row.video, start, end), start=start, end=end)


def part_name(video: str, start: Moment | None, end: Moment | None) -> str:
    """Name a part of a video as W3C's Media Fragments do: ``talk.mp4#t=12.000,20.500``; the whole has the video's name.

    Numbers of frames are written ``frame:120``, which is an addition of ours.
    """
    return named_part(video, *map(moment_text, (start, end)))


def named_part(video: str, start: str, end: str) -> str:
    """Do the same with start and end as :func:`moment_text` writes them."""
    return f"{video}#t={start},{end}" if start or end else video


def part_cells(row: Row, known: Sequence[float | None] = (None, None)) -> tuple[str, str, str]:
    """Give the first cells of a line about a part: ``Filename``, ``Start`` and ``End``.

    Start and end are as they were asked for, in seconds to the millisecond; empty where they were not. Numbers of
    frames are turned into seconds where these are known.

    Args:
        row: The part.
        known: Its start and end, s.
    """
    moments = [
        seconds if isinstance(asked, FrameNumber) and seconds is not None else asked
        for asked, seconds in zip((row.start, row.end), known, strict=True)
    ]
    return row.video, moment_text(moments[0]), moment_text(moments[1])


def moment_text(moment: Moment | None) -> str:
    """Write a moment as names and tables have it: seconds with three decimals, ``frame:120``, or nothing for None."""
    if moment is None:
        return ""
    return f"frame:{moment}" if isinstance(moment, FrameNumber) else f"{moment:.3f}"


def read_moment(cell: object, *, frames: bool = False) -> Moment | None:
    """Read a start or an end as tables have it; None where the cell is empty.

    Args:
        cell: Seconds, ``HH:MM:SS.mmm`` (hours may be left out), a time or duration of a spreadsheet, or
            ``frame:120``.
        frames: Whether it is the number of a frame, from 0.

    Raises:
        ValueError: It is none; the message says what it takes.
    """
    if isinstance(cell, datetime.timedelta):
        return cell.total_seconds()
    if isinstance(cell, datetime.time):
        return cell.hour * 3600 + cell.minute * 60 + cell.second + cell.microsecond / 1e6
    empty = cell is None or cell != cell  # as pandas has an empty cell: NaN alone does not equal itself
    text = "" if empty else str(cell).strip()
    if not text:
        return None
    if found := _CLOCK.fullmatch(text):
        hours, minutes, seconds = found.groups()
        return int(hours or 0) * 3600 + int(minutes) * 60 + float(seconds.replace(",", "."))
    number = text.removeprefix("frame:")
    try:
        value = float(number)
    except ValueError:
        value = math.nan
    if frames or number != text:
        if not value.is_integer():
            raise ValueError("the number of a frame, from 0")
        return FrameNumber(value)
    if not math.isfinite(value):
        raise ValueError("seconds or HH:MM:SS.mmm")
    return value


def overlap(one: Row, other: Row) -> bool:
    """Whether two rows of one file look at the same stretch of it, at least in part."""
    bounds = [bound for row in (one, other) for bound in (row.start, row.end) if bound is not None]
    if len({isinstance(bound, FrameNumber) for bound in bounds}) > 1:
        return True  # what frames lie in which seconds only the file knows
    first, last = [(row.start or 0.0, math.inf if row.end is None else row.end) for row in (one, other)]
    return first[0] < last[1] and last[0] < first[1]


class Rating(NamedTuple):
    """A rating: what one person said of one video."""

    video: str
    rater: str
    value: float


@dataclass(frozen=True)
class Failure:
    """A video that cannot be scored, and why (one line)."""

    row: Row
    reason: str


def fingerprint(path: Path) -> list[Any]:
    """Fingerprint used to detect a changed file: path, size in bytes and modification time in ns, as data for JSON.

    Of a folder of frames, their number, total size and latest time; of what is not there, the path.
    """
    try:
        status = path.stat()
        files = [file.stat() for file in path.iterdir()] if path.is_dir() else [status]
    except OSError:
        return [str(path.absolute())]
    size, time = sum(file.st_size for file in files), max((file.st_mtime_ns for file in files), default=0)
    return [str(path.absolute()), size, time, *([len(files)] if path.is_dir() else [])]


class Dataset(Protocol):
    """The interface of a dataset module.

    Attributes:
        root: The folder that the rows' names are relative to.
    """

    root: Path

    def __iter__(self) -> Iterator[Row]: ...
