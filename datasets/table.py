"""A list of videos, or of parts of videos, in a file: a table with named columns, or text with one video a line."""

import math
import os
from collections.abc import Iterator
from pathlib import Path

from cover.errors import UsageError
from cover.rows import Row, part_of
from cover.tables import PARQUET, SPREADSHEETS, TEXT, RecordTable, header_of, read_table, read_text
from cover.text import printable

from ._listing import Listing
from ._parts import OPTIONS, part_columns, read_part
from .labels_txt import is_labels_txt, read_labels_txt

_PATH_COLUMNS = ("path", "filename", "file", "video", "name")
_MOS_COLUMNS = ("mos", "score")
_LABELS = ("path", "duration", "fps", "mos")


class Table:
    """The files that a table names, in its order, with their mean opinion scores where it has them.

    Args:
        path: The list. ``.csv``, ``.tsv``, spreadsheets (``.xlsx``, ``.ods``...) and ``.parquet`` have named columns
            (:mod:`cover.tables`). Of any other file the first line tells which it is: named columns with one of paths,
            the form ``path, duration, fps, mos`` (:mod:`datasets.labels_txt`), or one path a line, where blank lines
            and lines that begin with ``#`` are passed over.
        root: Folder that relative paths start from; by default the list's own.
        column: Header of the column of paths; by default the first of path, filename, file, video, name that is there,
            in any case.
        mos: Header of the column of scores; by default mos or score, in any case, or no scores where there is neither.
            An empty cell stands for a video that nobody rated.
        separator: What separates columns of text; by default what the header shows.
        decimal: The decimal mark of text, ``.`` or ``,``; by default that of each column.
        sheet: Sheet of a spreadsheet, by name or by number from 0; by default the first.
        start: Header of the column of starts, by default start in any case: seconds after the first frame, or
            ``HH:MM:SS.mmm``. A row with a start or an end is that part of the video, so that a video may have several.
            An empty text takes no column, here and for the next three.
        end: Header of the column of ends, likewise; the frame shown then is the first that does not belong to the part.
        start_frame: Header of the column of starts as numbers of frames, from 0, for rows without seconds; by default
            start_frame.
        end_frame: Header of the column of ends, likewise, exclusive; by default end_frame.

    A name that is not there as written is looked for as :class:`datasets._listing.Listing` says. The other columns
    become each row's ``extras``. A file or part that is listed twice is one row.

    Raises:
        UsageError: The list cannot be read, names nothing, lacks a column (the message shows those found), a score is
            no number, or one file has two.
    """

    def __init__(
        self,
        path: str | Path,
        root: str | Path | None = None,
        column: str | None = None,
        mos: str | None = None,
        separator: str | None = None,
        decimal: str | None = None,
        sheet: str | int | None = None,
        start: str | None = None,
        end: str | None = None,
        start_frame: str | None = None,
        end_frame: str | None = None,
    ) -> None:
        self.path = Path(path)
        self.root = Path(root) if root is not None else self.path.parent
        self._what = f"data={self.path}"
        table = self._read(column, separator, decimal, sheet)
        of_path = self._find(table, "column", column, _PATH_COLUMNS)
        if of_path is None:
            raise self._lacks(table, "column", " or ".join(_PATH_COLUMNS))
        of_mos = self._find(table, "mos", mos, _MOS_COLUMNS)
        if of_mos == of_path:
            of_mos = None
        named = {"start": start, "end": end, "start_frame": start_frame, "end_frame": end_frame}
        of_part = part_columns(lambda option: self._find(table, option, named[option], (option,)))
        listing = Listing(self.root)
        rows: dict[str, Row] = {}
        for where, cells in table.records:
            if name := _text(cells.pop(of_path)):
                name = listing.find(name) or name.strip()
                score = None if of_mos is None else self._number(where, of_mos, cells.pop(of_mos), table.layout)
                part = read_part(cells, of_part, f"{self._what}: {where}", table.layout)
                extras = {key: cell.strip() if isinstance(cell, str) else cell for key, cell in cells.items()}
                row = part_of(Row(self.root / name, self._relative(name), score, extras), *part)
                if rows.setdefault(row.name, row).mos != score:
                    raise UsageError(f"{self._what}: {where} gives {row.name} another MOS than a line before it")
        if not rows:
            raise UsageError(f"{self._what}: the list names no file")
        self._rows = list(rows.values())

    def __iter__(self) -> Iterator[Row]:
        return iter(self._rows)

    def __len__(self) -> int:
        return len(self._rows)

    def _read(
        self, column: str | None, separator: str | None, decimal: str | None, sheet: str | int | None
    ) -> RecordTable:
        if self.path.suffix.lower() in {*TEXT, *SPREADSHEETS, PARQUET}:
            return read_table(self.path, self._what, separator=separator, decimal=decimal, sheet=sheet)
        if is_labels_txt(self.path):
            labels = read_labels_txt(self.path)
            records = [
                (label.where, dict(zip(_LABELS, (label.path, *label.fields, label.mos), strict=True)))
                for label in labels
            ]
            return RecordTable(list(_LABELS), records)
        text = read_text(self.path, self._what)
        header = header_of(text, self._what, separator)  # Excel's "Unicode text" is a table, too
        known = {*_PATH_COLUMNS, *([column.strip().lower()] if column else [])}
        if len(header) > 1 and known & {name.lower() for name in header}:
            return read_table(self.path, self._what, separator=separator, decimal=decimal)
        lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
        names = [line for line in lines if line.strip() and not line.startswith("#")]
        return RecordTable(["path"], [("", {"path": line}) for line in names])

    def _find(self, table: RecordTable, option: str, wanted: str | None, usual: tuple[str, ...]) -> str | None:
        """A column as the header writes it: the one that is wanted, or the first of the usual ones."""
        if wanted == "" and option in OPTIONS:  # a column of that name holds something else
            return None
        by_lower_case = {name.lower(): name for name in reversed(table.header)}
        names = usual if wanted is None else (wanted.strip().lower(),)
        found = next((by_lower_case[name] for name in names if name in by_lower_case), None)
        if found is None and wanted is not None:
            raise self._lacks(table, option, wanted)
        if found is not None and table.header.count(found) > 1:
            raise UsageError(
                f"{self._what}: {table.header.count(found)} columns are called {found}; rename all but one"
            )
        return found

    def _lacks(self, table: RecordTable, option: str, names: str) -> UsageError:
        found = printable(", ".join(table.header))[:200] or "none"
        layout = f"; {table.layout}" if table.layout else ""
        return UsageError(f"{self._what}: no column {names} (found: {found}); name it with data.{option}=NAME{layout}")

    def _number(self, where: str, column: str, cell: object, layout: str) -> float | None:
        """A score, or None where the cell is empty."""
        if cell is None or not str(cell).strip():
            return None
        try:
            value = float(str(cell))
        except ValueError:
            value = math.nan
        if not math.isfinite(value):
            marks = f"; {layout}, data.decimal= the decimal mark" if layout else ""
            raise UsageError(
                f"{self._what}: {where} has {column} {cell!r}, not a number; data.mos=NAME takes another column{marks}"
            )
        return value

    def _relative(self, name: str) -> str:
        """``name`` as seen from the root; one outside the root keeps the form it was given in."""
        inside = os.path.relpath(self.root / name, self.root)
        return name if inside.startswith(os.pardir) else inside


def _text(cell: object) -> str:
    """A cell as the name of a file; spreadsheets have numbers as fractions."""
    if cell is None:
        return ""
    name = str(int(cell)) if isinstance(cell, float) and cell.is_integer() else str(cell)
    return name if name.strip() else ""
