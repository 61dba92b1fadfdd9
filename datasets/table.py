"""A list of videos in a file: a table with named columns (.csv, .tsv, .parquet), or text with one video a line."""

import csv
import math
import os
from collections.abc import Iterator
from pathlib import Path

import pandas as pd

from cover.errors import UsageError
from cover.rows import Row

from .labels_txt import is_labels_txt, read_labels_txt

_PATH_COLUMNS = ("path", "filename", "file", "video", "name")
_MOS_COLUMNS = ("mos", "score")
_PARQUET = ".parquet"
_DELIMITERS = {".csv": ",", ".tsv": "\t"}
_LABELS = ("path", "duration", "fps", "mos")
_Record = tuple[str, dict[str, object]]


class Table:
    """The files that a table names, in its order, with their mean opinion scores where it has them.

    Args:
        path: The list. ``.csv``, ``.tsv`` and ``.parquet`` (which needs pyarrow) have named columns. Any other file is
            either of the form ``path, duration, fps, mos`` (:mod:`datasets.labels_txt`), which its first line tells, or
            has one path a line, where blank lines and lines that begin with ``#`` are passed over.
        root: Folder that relative paths start from; by default the list's own.
        column: Header of the column of paths; by default the first of path, filename, file, video, name that is there,
            in any case.
        mos: Header of the column of scores; by default mos or score, in any case, or no scores where there is neither.
            An empty cell stands for a video that nobody rated.

    The other columns become each row's ``extras``. A file listed twice is one row.

    Raises:
        UsageError: The list cannot be read, names nothing, lacks a column (the message shows those found), a score is
            no number, or one file has two.
    """

    def __init__(
        self, path: str | Path, root: str | Path | None = None, column: str | None = None, mos: str | None = None
    ) -> None:
        self.path = Path(path)
        self.root = Path(root) if root is not None else self.path.parent
        header, records = self._read()
        of_path = self._find(header, "column", column, _PATH_COLUMNS)
        if of_path is None:
            raise self._lacks(header, "column", " or ".join(_PATH_COLUMNS))
        of_mos = self._find(header, "mos", mos, _MOS_COLUMNS)
        if of_mos == of_path:
            of_mos = None
        rows: dict[str, Row] = {}
        for where, cells in records:
            if name := str(cells.pop(of_path) or ""):
                score = None if of_mos is None else self._number(where, of_mos, cells.pop(of_mos))
                row = Row(self.root / name, self._relative(name), score, cells)
                if rows.setdefault(row.name, row).mos != score:
                    raise UsageError(f"data={self.path}: {where} gives {row.name} another MOS than a line before it")
        if not rows:
            raise UsageError(f"data={self.path}: the list names no file")
        self._rows = list(rows.values())

    def __iter__(self) -> Iterator[Row]:
        return iter(self._rows)

    def __len__(self) -> int:
        return len(self._rows)

    def _read(self) -> tuple[list[str], list[_Record]]:
        """The columns, and for each row where it is and its cells."""
        suffix = self.path.suffix.lower()
        try:
            if suffix == _PARQUET:
                return self._read_parquet()
            if suffix not in _DELIMITERS and is_labels_txt(self.path):
                labels = read_labels_txt(self.path)
                records = [
                    (label.where, dict(zip(_LABELS, (label.path, *label.fields, label.mos), strict=True)))
                    for label in labels
                ]
                return list(_LABELS), records
            # Python writes the bytes of a name that is no UTF-8 as lone surrogates, and so do lists made with it.
            with self.path.open(newline="", encoding="utf-8-sig", errors="surrogateescape") as file:
                if suffix in _DELIMITERS:
                    return self._read_text(csv.DictReader(file, delimiter=_DELIMITERS[suffix], strict=True))
                lines = (line.rstrip("\r\n") for line in file)
                return ["path"], [("", {"path": line}) for line in lines if line.strip() and not line.startswith("#")]
        except OSError as error:
            raise UsageError(f"data={self.path}: {error.strerror or error}") from error
        except csv.Error as error:
            raise UsageError(f"data={self.path}: not a readable table ({error})") from error

    def _read_text(self, table: "csv.DictReader[str]") -> tuple[list[str], list[_Record]]:
        records: list[_Record] = []
        for cells in table:
            where = f"line {table.line_num}"
            # Under the key None are fields beyond the header.
            if any({None: [], **cells}[None]):
                raise UsageError(f"data={self.path}: {where} has more fields than the header")
            records.append((where, {name: cell for name, cell in cells.items() if name is not None}))
        return list(table.fieldnames or []), records

    def _read_parquet(self) -> tuple[list[str], list[_Record]]:
        try:
            table = pd.read_parquet(self.path)
        except ImportError as error:
            raise UsageError(
                f"data={self.path}: reading it needs pyarrow: pip install 'cover-vqa[datasets]', or take CSV"
            ) from error
        except ValueError as error:
            raise UsageError(f"data={self.path}: not a readable table ({error})") from error
        table = table.rename(columns=str).astype(object).where(table.notna(), None)
        records = enumerate(table.to_dict("records"), start=1)
        return list(table.columns), [
            (f"row {number}", {str(name): cell for name, cell in cells.items()}) for number, cells in records
        ]

    def _find(self, header: list[str], option: str, wanted: str | None, usual: tuple[str, ...]) -> str | None:
        """A column as the header writes it: the one that is wanted, or the first of the usual ones."""
        by_lower_case = {name.strip().lower(): name for name in reversed(header)}
        names = usual if wanted is None else (wanted.strip().lower(),)
        found = next((by_lower_case[name] for name in names if name in by_lower_case), None)
        if found is None and wanted is not None:
            raise self._lacks(header, option, wanted)
        return found

    def _lacks(self, header: list[str], option: str, names: str) -> UsageError:
        found = ", ".join(header) or "none"
        return UsageError(f"data={self.path}: no column {names} (found: {found}); name it with data.{option}=NAME")

    def _number(self, where: str, column: str, cell: object) -> float | None:
        """A score, or None where the cell is empty."""
        if cell is None or not str(cell).strip():
            return None
        try:
            value = float(str(cell))
        except ValueError:
            value = math.nan
        if not math.isfinite(value):
            raise UsageError(
                f"data={self.path}: {where} has {column} {cell!r}, not a number; data.mos=NAME takes another column"
            )
        return value

    def _relative(self, name: str) -> str:
        """``name`` as seen from the root; one outside the root keeps the form it was given in."""
        inside = os.path.relpath(self.root / name, self.root)
        return name if inside.startswith(os.pardir) else inside
