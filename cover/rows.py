"""Rows: one video of a dataset each, or one part of a video."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple, Protocol


class FrameNumber(int):
    """A moment of a video given as the number of a frame, from 0, where others are in seconds."""


Moment = float | FrameNumber


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
    def stretch(self) -> tuple[Path, Moment | None, Moment | None]:
        """The file and which part of it: alike for two rows that look at the same frames."""
        return self.path, self.start, self.end


def part_of(row: Row, start: Moment | None, end: Moment | None) -> Row:
    """Make the row of a part of a row's video."""
    return replace(row, name=part_name(row.video, start, end), start=start, end=end)


def part_name(video: str, start: Moment | None, end: Moment | None) -> str:
    """Name a part of a video as W3C's Media Fragments do: ``talk.mp4#t=12.000,20.500``; the whole has the video's name.

    Numbers of frames are written ``frame:120``, which is an addition of ours.
    """
    ends = ["" if moment is None else moment_text(moment) for moment in (start, end)]
    return f"{video}#t={','.join(ends)}" if any(ends) else video


def moment_text(moment: Moment) -> str:
    """Write a moment as names and tables have it: seconds with three decimals, or ``frame:120``."""
    return f"frame:{moment}" if isinstance(moment, FrameNumber) else f"{moment:.3f}"


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
