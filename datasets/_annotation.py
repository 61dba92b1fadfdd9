"""Common ground of the readers of public datasets: finding the annotation, checking its rows, finding the videos."""

import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any, ClassVar

import numpy as np
from scipy.io import loadmat
from scipy.io.matlab import MatReadError

from cover.errors import UsageError
from cover.rows import Row
from cover.tables import Columns, RecordTable, header_key, number, read_table

from ._listing import Listing
from .labels_txt import Label, is_labels_txt, read_labels_txt

Annotations = Mapping[str | None, Sequence[str]]  # split -> names of files


@dataclass(frozen=True)
class AnnotatedVideo:
    """One video as an annotation states it.

    Attributes:
        where: File and line, for messages.
        path: Where the dataset keeps the video, relative to its root, with forward slashes.
        mos: Mean opinion score.
        extras: What else the annotation says of the video.
    """

    where: str
    path: str
    mos: float
    extras: Mapping[str, object] = field(default_factory=dict)


class AnnotatedDataset:
    """A public dataset: an annotation file and the videos that it names, below one folder.

    A subclass says what is particular to its dataset. Videos that are missing keep their row, with the path where they
    ought to be: which of them matter is not for a reader to judge.

    Args:
        root: Folder of the dataset.
        annotation: Its annotation file, of any form that the class reads; by default the first of ``annotations`` that
            is there.
        split: One of the keys of ``annotations``.

    Attributes:
        title: The dataset's name in the literature.
        source: Where to get it.
        mos_range: Bounds of the MOS scale.
        lower_is_better: Whether its ratings are low for good videos, as DMOS are.
        annotations: For each split the files, relative to the root, that may hold it, the dataset's own first; None
            is the key of a dataset without splits.

    Raises:
        UsageError: The folder or the annotation is not there, the annotation is malformed or holds scores that cannot
            be this dataset's, or not one of the videos is there.
    """

    title: ClassVar[str]
    source: ClassVar[str]
    mos_range: ClassVar[tuple[float, float]]
    lower_is_better: ClassVar[bool] = False
    annotations: ClassVar[Annotations]

    def __init__(self, root: str | Path, annotation: str | Path | None = None, split: str | None = None) -> None:
        if split not in self.annotations:
            splits = ", ".join("null" if name is None else name for name in self.annotations)
            raise UsageError(f"data.split={split}: {self.title} takes {splits}")
        self.root = Path(root)
        self.split = split
        if not self.root.is_dir():
            raise UsageError(f"data.root={root}: no such folder; it takes the folder of {self.title} ({self.source})")
        self.annotation = self._find_annotation() if annotation is None else Path(annotation)
        # A .txt file is one even where its first line is malformed, which is then what there is to say.
        if self.annotation.suffix.lower() == ".txt" or is_labels_txt(self.annotation):
            ratings = self._from_labels(read_labels_txt(self.annotation))
        else:
            ratings = list(self._from_native(self.annotation))
        self._check(ratings)
        self._rows = self._locate(ratings)

    def __iter__(self) -> Iterator[Row]:
        return iter(self._rows)

    def __len__(self) -> int:
        return len(self._rows)

    def _from_native(self, path: Path) -> Iterator[AnnotatedVideo]:
        """Reads the dataset's own annotation; yields the rows of ``self.split``."""
        raise NotImplementedError

    def _from_labels(self, labels: list[Label]) -> list[AnnotatedVideo]:
        """Takes rows from a text file in which the numbers are duration and frame rate."""
        ratings = []
        for label in labels:
            extras = {name: value for name, value in zip(("duration", "fps"), label.fields, strict=True) if value > 0}
            ratings.append(AnnotatedVideo(label.where, label.path, label.mos, {**self._about(label.path), **extras}))
        return ratings

    def _about(self, path: str) -> dict[str, object]:
        """Read off the name of a video, for ``extras``."""
        return {}

    def _candidates(self, path: str) -> Iterator[str]:
        """Names under which copies of the dataset keep a video, relative to the root, most likely first."""
        yield path
        yield PurePosixPath(path).name

    def _find_annotation(self) -> Path:
        names = self.annotations[self.split]
        annotation = next((self.root / name for name in names if (self.root / name).is_file()), None)
        if annotation is None:
            raise UsageError(
                f"data.root={self.root}: no annotation of {self.title} in it; expected {' or '.join(names)} there, or "
                f"data.annotation=FILE; get it from {self.source}"
            )
        return annotation

    def _check(self, ratings: list[AnnotatedVideo]) -> None:
        low, high = self.mos_range
        if not ratings:
            raise UsageError(f"{self.annotation}: it rates no video{f' of split {self.split}' if self.split else ''}")
        for rating in ratings:
            video = PurePosixPath(rating.path)
            if video.is_absolute() or ".." in video.parts:
                raise UsageError(f"{rating.where}: {rating.path} is not a path below the dataset's folder")
            if not low <= rating.mos <= high:  # NaN is no number within them either
                raise UsageError(f"{rating.where}: MOS {rating.mos:g} is outside {low:g}..{high:g} of {self.title}")
        # Five-point scores fit within a scale of a hundred, where no whole dataset stays below 5.
        if high > 5 and len(ratings) > 1 and all(1 <= rating.mos <= 5 for rating in ratings):
            raise UsageError(
                f"{self.annotation}: every MOS is within 1..5, but {self.title} is rated on {low:g}..{high:g}"
            )

    def _locate(self, ratings: list[AnnotatedVideo]) -> list[Row]:
        listing = Listing(self.root, fold_case=True)
        rows: dict[str, Row] = {}
        lines: dict[str, str] = {}
        any_there = False
        for rating in ratings:
            file = next(filter(None, map(listing.find, self._candidates(rating.path))), None)
            name = file or rating.path
            if name in rows:
                raise UsageError(f"{rating.where}: {name} is rated already ({lines[name]})")
            any_there = any_there or file is not None
            lines[name] = rating.where
            rows[name] = Row(self.root / name, name, rating.mos, rating.extras)
        if not any_there:
            places = " or ".join(dict.fromkeys(self._candidates(ratings[0].path)))
            raise UsageError(
                f"data.root={self.root}: none of the {len(rows)} files that {self.annotation.name} names is there; "
                f"expected such as {places}; get them from {self.source}"
            )
        return list(rows.values())


class Record:
    """A row of a table, whose columns are found as :class:`cover.tables.Columns` says."""

    def __init__(self, where: str, values: Mapping[str, str]) -> None:
        self.where = where
        cells = {name: value.strip() for name, value in values.items()}
        self._values = {header_key(name): cells[name] for name in reversed(cells)} | cells

    def text(self, column: str) -> str:
        """The cell, stripped.

        Raises:
            UsageError: It is empty.
        """
        value = self._cell(column) or ""
        if not value:
            raise UsageError(f"{self.where}: {column} is empty")
        return value

    def number(self, column: str) -> float:
        """The cell as a number.

        Raises:
            UsageError: It is not a number.
        """
        text = self.text(column)
        try:
            return float(text)  # whether it can be a MOS, its dataset decides
        except ValueError:
            raise UsageError(f"{self.where}: {column} is {text!r}, not a number") from None

    def numbers(self, **columns: str) -> dict[str, object]:
        """The named columns that exist and hold a finite number: ``numbers(fps="framerate")``."""
        values: dict[str, object] = {}
        for name, column in columns.items():
            value = number(self._cell(column))
            if value is not None:
                values[name] = value
        return values

    def __contains__(self, column: str) -> bool:
        return self._cell(column) is not None

    def _cell(self, column: str) -> str | None:
        return self._values.get(column, self._values.get(header_key(column)))


def read_csv(path: Path, required: Sequence[str]) -> list[Record]:
    """Reads a table with a header; rows without a single value are passed over.

    Args:
        path: The file.
        required: Columns that it must have.

    Raises:
        UsageError: The file cannot be read, lacks a column, or a row has more fields than the header.
    """
    return records_of(path, read_table(path, str(path)), required)


def records_of(path: Path, table: RecordTable, required: Sequence[str]) -> list[Record]:
    """Makes the rows of a table records.

    Raises:
        UsageError: It lacks a column.
    """
    check_columns(path, table.header, required)
    return [
        Record(f"{path}, {where}", {name: "" if cell is None else str(cell) for name, cell in cells.items()})
        for where, cells in table.records
    ]


def check_columns(path: Path, header: Sequence[str], required: Sequence[str]) -> None:
    """Makes sure that a table has the columns of a dataset's annotation.

    Raises:
        UsageError: One is missing; the message shows those found.
    """
    columns = Columns(header, str(path))
    if missing := [column for column in required if columns.find(column) is None]:
        raise columns.lacks("", *missing, more="; is it this dataset's annotation?")


def is_matlab(path: Path) -> bool:
    """Return whether a file begins as MATLAB's do.

    Raises:
        UsageError: It cannot be read.
    """
    return read_start(path, 6) == b"MATLAB"


def read_start(path: Path, count: int) -> bytes:
    """The first bytes of a file, which tell its format.

    Raises:
        UsageError: It cannot be read.
    """
    try:
        with path.open("rb") as file:
            return file.read(count)
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror or error}") from error


def read_matlab(path: Path) -> dict[str, Any]:
    """Reads a MATLAB file; structs become dicts, cells and columns flat arrays. Of version 7.3 (HDF5), no structs.

    Raises:
        UsageError: It is damaged, or h5py is missing for version 7.3.
    """
    try:
        return loadmat(path, simplify_cells=True)
    except NotImplementedError:
        return _read_hdf5(path)
    except (OSError, ValueError, TypeError, KeyError, IndexError, EOFError, MatReadError, zlib.error) as error:
        raise UsageError(f"{path}: not a readable MATLAB file ({error})") from error


def _read_hdf5(path: Path) -> dict[str, Any]:
    try:
        import h5py
    except ImportError as error:
        raise UsageError(
            f"{path}: MATLAB 7.3 files need h5py: pip install 'cover-vqa[datasets]', or save it with -v7 in MATLAB"
        ) from error
    try:
        with h5py.File(path) as file:
            variables = {name: node for name, node in file.items() if isinstance(node, h5py.Dataset)}
            return {name: _hdf5_array(file, node) for name, node in variables.items()}
    except (OSError, ValueError, TypeError, KeyError, RuntimeError) as error:
        raise UsageError(f"{path}: not a readable MATLAB file ({error})") from error


def _hdf5_array(file: Any, node: Any) -> np.ndarray:
    """A variable, flat; the cells of a cell array are texts or numbers of their own, stored as UTF-16."""
    values = np.asarray(node).ravel(order="F")
    if values.dtype != object:
        return values
    cells = [np.asarray(file[reference]).ravel(order="F") for reference in values]
    return np.array(["".join(map(chr, cell)) if cell.dtype == np.uint16 else cell[0] for cell in cells])
