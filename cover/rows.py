"""Rows: one video of a dataset each."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple, Protocol


@dataclass(frozen=True)
class Row:
    """One video of a dataset.

    Attributes:
        path: Where the file, or the folder of frames, is.
        name: ``Filename`` in results: the path relative to the data root, unique in a dataset.
        mos: Mean opinion score on the dataset's own scale; None where nobody rated it.
        extras: Whatever else the annotation says (split, content, category...), by column name.
    """

    path: Path
    name: str
    mos: float | None = None
    extras: Mapping[str, object] = field(default_factory=dict)


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
