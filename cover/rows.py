"""Rows: one video of a dataset each, or one part of a video."""

import os
import stat
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple, Protocol

from cover.errors import renamed
from cover.parts import WHOLE, Bound, Part

NO_EXTRAS: Mapping[str, object] = MappingProxyType({})
"""What a row has where the annotation says nothing else; shared, since there may be a million rows."""


@dataclass(frozen=True, slots=True, init=False)
class Row:
    """One video of a dataset, or one part of a video.

    A million of them take about 300 MB: nothing is kept but these fields.

    Attributes:
        location: Where the file, or the folder of frames, is: a path.
        name: The path relative to the data root, for a part with its start and end (:meth:`cover.parts.Part.name`).
            It is unique in a dataset and identifies the row in every file of a results folder.
        mos: Mean opinion score on the dataset's own scale; None where nobody rated it.
        extras: Whatever else the annotation says (split, content, category...), by column name.
        part: The part of the video; :data:`cover.parts.WHOLE` by default.
    """

    location: str
    name: str
    mos: float | None
    extras: Mapping[str, object]
    part: Part

    def __init__(
        self,
        location: str | os.PathLike[str] | None = None,
        name: str = "",
        mos: float | None = None,
        extras: Mapping[str, object] = NO_EXTRAS,
        part: Part = WHOLE,
        *,
        path: str | os.PathLike[str] | None = None,
        start: Bound | None = None,
        end: Bound | None = None,
    ) -> None:
        if path is not None:
            warnings.warn(renamed("Row(path=)", "Row(location=)"), DeprecationWarning, stacklevel=2)
            location = path
        if start is not None or end is not None:
            warnings.warn(renamed("Row(start=, end=)", "Row(part=Part(start, end))"), DeprecationWarning, stacklevel=2)
            part = Part(start, end)
        if location is None or not isinstance(part, Part):
            raise TypeError("Row takes a location, a name, a MOS, extras and a Part")
        put = object.__setattr__  # the class is frozen
        put(self, "location", os.fspath(location))
        put(self, "name", name)
        put(self, "mos", mos)
        put(self, "extras", extras)
        put(self, "part", part)

    @property
    def path(self) -> Path:
        """The location as a path."""
        return Path(self.location)

    @property
    def is_part(self) -> bool:
        """Return whether this is a part of a video and not the whole."""
        return self.part is not WHOLE and self.part != WHOLE

    @property
    def video(self) -> str:
        """``Filename`` in results: the name of the video that this is, or is a part of."""
        return self.name.removesuffix(self.part.name("")) if self.is_part else self.name

    @property
    def footage(self) -> tuple[str, Part]:
        """The location and the part: equal for two rows that look at the same frames."""
        return self.location, self.part


def part_of(row: Row, start: Bound | None = None, end: Bound | None = None) -> Row:
    """Make the row of a part of a row's video."""
    part = Part(start, end)
    return replace(row, name=part.name(row.video), part=part)


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


def fingerprint(path: str | os.PathLike[str]) -> list[Any]:
    """Fingerprint used to detect a changed file: path, size in bytes and modification time in ns, as data for JSON.

    A folder of frames has the total size, the latest time and the number of its files; a path where nothing is has the
    path alone.
    """
    # Strings, since a Path costs ten times as much, and there may be a million of them.
    location = os.fspath(path)
    if not os.path.isabs(location):  # noqa: PTH117
        location = str(Path(location).absolute())
    try:
        status = os.stat(location)  # noqa: PTH116
        if not stat.S_ISDIR(status.st_mode):
            return [location, status.st_size, status.st_mtime_ns]
        files = [file.stat() for file in Path(location).iterdir()]
    except OSError:
        return [location]
    size, time = sum(file.st_size for file in files), max((file.st_mtime_ns for file in files), default=0)
    return [location, size, time, len(files)]


class Dataset(Protocol):
    """The interface of a dataset module.

    Attributes:
        root: The folder that the rows' names are relative to.
    """

    root: Path

    def __iter__(self) -> Iterator[Row]: ...
