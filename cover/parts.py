"""Parts of videos: a start and an end, as names and tables write them."""

import datetime
import math
import re
from typing import NamedTuple

from cover.cells import is_missing


class FrameNumber(int):
    """A start or an end given as the number of a frame, from 0, where others are in seconds."""


Bound = float | FrameNumber
"""A start or an end: seconds after the first frame, or the number of a frame."""

_CLOCK = re.compile(r"(?:(\d+):(?=[0-5]?\d:))?(\d+):([0-5]?\d(?:[.,]\d+)?)")


class Part(NamedTuple):
    """A part of a video.

    Attributes:
        start: Its start; None is the start of the video. NaN is unknown.
        end: Its end, exclusive; None is the end of the video. NaN is unknown.
    """

    start: Bound | None = None
    end: Bound | None = None

    def name(self, video: str) -> str:
        """Name this part of a video; see :func:`name_from_cells`."""
        return name_from_cells(video, *self.cells())

    def cells(self) -> tuple[str, str]:
        """Write start and end as names and tables have them: see :func:`bound_text`."""
        return bound_text(self.start), bound_text(self.end)

    def placed(self, known: "Part | None") -> "Part":
        """Replace numbers of frames by seconds, where these are known.

        Args:
            known: Start and end in seconds; None, NaN, and None in place of the part are unknown.
        """
        return Part(*(_seconds(asked, found) for asked, found in zip(self, known or WHOLE, strict=True)))

    def overlaps(self, other: "Part") -> bool:
        """Decide whether two parts of one video can have frames in common."""
        bounds = [bound for part in (self, other) for bound in part if bound is not None]
        if len({isinstance(bound, FrameNumber) for bound in bounds}) > 1:
            return True  # the file alone shows which frames lie in which seconds
        (start, end), (other_start, other_end) = ((a or 0.0, math.inf if b is None else b) for a, b in (self, other))
        return start < other_end and other_start < end


WHOLE = Part()
"""The part that is the whole video."""


def name_from_cells(video: str, start: str, end: str) -> str:
    """Name a part of a video as W3C's Media Fragments do: ``talk.mp4#t=12.000,20.500``; the whole has the video's name.

    Args:
        video: The video's name.
        start: The start as :func:`bound_text` writes it. Numbers of frames (``frame:120``) are an addition of ours.
        end: The end.
    """
    return f"{video}#t={start},{end}" if start or end else video


def bound_text(bound: Bound | None) -> str:
    """Write a start or an end: seconds with three decimals, ``frame:120``, or nothing for None and NaN."""
    if bound is None or math.isnan(bound):
        return ""
    return f"frame:{bound}" if isinstance(bound, FrameNumber) else f"{bound:.3f}"


def read_bound(cell: object, *, frames: bool = False) -> Bound | None:
    """Read a start or an end as tables have it; None where the cell is empty.

    Args:
        cell: Seconds, ``HH:MM:SS.mmm`` (hours may be left out), a time or duration of a spreadsheet, or
            ``frame:120``.
        frames: Whether it is the number of a frame, from 0.

    Raises:
        ValueError: The cell is neither; the message says what it takes.
    """
    if isinstance(cell, datetime.timedelta):
        return cell.total_seconds()
    if isinstance(cell, datetime.time):
        return cell.hour * 3600 + cell.minute * 60 + cell.second + cell.microsecond / 1e6
    if is_missing(cell):
        return None
    text = str(cell).strip()
    if clock := _CLOCK.fullmatch(text):
        hours, minutes, seconds = clock.groups()
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


def _seconds(asked: Bound | None, known: float | None) -> Bound | None:
    is_known = known is not None and not math.isnan(known)
    return known if isinstance(asked, FrameNumber) and is_known else asked
