"""A list of videos, or of parts of videos, in a file: a table with named columns, or text with one video a line."""

from collections.abc import Iterator, Mapping
from pathlib import Path

from cover.cells import is_missing, number
from cover.errors import UsageError
from cover.parts import WHOLE
from cover.results.names import MOS
from cover.results.record import is_before_07
from cover.rows import NO_EXTRAS, Row, part_of
from cover.tables import (
    TABLES,
    VIDEO_COLUMNS,
    Columns,
    RecordTable,
    header_of,
    read_pairs,
    read_table,
    read_text,
)

from ._listing import Listing
from ._parts import part_columns, read_part
from .labels_txt import is_labels_txt, read_labels_txt

_MOS_COLUMNS = ("mos", "score")
_LISTS = ("path", "filename", "file", "video", "name")  # headers that make a table of a .txt
_LABELS = ("path", "duration", "fps", "mos")


class Table:
    """The files that a table names, in its order, with their mean opinion scores where it has them.

    Args:
        path: The list. ``.csv``, ``.tsv``, spreadsheets (``.xlsx``, ``.ods``...), ``.parquet`` and JSON have named
            columns (:mod:`cover.tables`). Of any other file the first line shows which it is: named columns with one of
            paths, the form ``path, duration, fps, mos`` (:mod:`datasets.labels_txt`), a name and its MOS, or one path a
            line. Blank lines are passed over, and so are lines that begin with ``#`` and name no file.
        root: Folder that relative paths start from; by default the list's own.
        column: Header of the column of paths; by default the first of :data:`cover.tables.VIDEO_COLUMNS` that is there.
            Headers are found as :class:`cover.tables.Columns` says.
        mos: Header of the column of scores; by default mos or score, or no scores where there is neither. An empty cell
            stands for a video that nobody rated.
        separator: What separates columns of text; by default what the header shows.
        decimal: The decimal mark of text, ``.`` or ``,``; by default that of each column.
        sheet: Sheet of a spreadsheet, by name or by number from 0; by default the first.
        start: Header of the column of starts, by default start: seconds after the first frame, or ``HH:MM:SS.mmm``. A
            row with a start or an end is that part of the video, so that a video may have several. An empty text takes
            no column, here and for the next three.
        end: Header of the column of ends; the frame shown then is the first that does not belong to the part.
        start_frame: Header of the column of starts as numbers of frames, from 0, for rows without seconds; by default
            start_frame.
        end_frame: Header of the column of ends as frame numbers, exclusive; by default end_frame.

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
        listing = Listing(self.root)
        table = self._read(listing, column, separator, decimal, sheet)
        columns = Columns(table.header, self._what, table.layout)
        of_path = columns.find(*VIDEO_COLUMNS, wanted=column, option="data.column")
        if of_path is None:
            raise columns.lacks("data.column", *VIDEO_COLUMNS)
        of_mos = self._mos_column(columns, mos)
        if of_mos == of_path:
            of_mos = None
        named = {"start": start, "end": end, "start_frame": start_frame, "end_frame": end_frame}
        of_part = part_columns(columns, named)
        chosen = [name for name in (of_path, of_mos, *of_part.values()) if name is not None]
        if len(set(chosen)) < len(chosen):
            twice = next(name for name in chosen if chosen.count(name) > 1)
            raise UsageError(f"{self._what}: two options name the column {twice}; name another one for each")
        rows: dict[str, Row] = {}
        for where, cells in table.records:
            if name := _text(cells.pop(of_path)):
                name = listing.find(name) or name.strip()
                score = None if of_mos is None else self._number(where, of_mos, cells.pop(of_mos), table.layout)
                part = read_part(cells, of_part, f"{self._what}: {where}", table.layout) if of_part else WHOLE
                row = Row(*listing.placed(name), score, _stripped(cells) if cells else NO_EXTRAS)
                row = row if part == WHOLE else part_of(row, *part)
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
        self,
        listing: Listing,
        column: str | None,
        separator: str | None,
        decimal: str | None,
        sheet: str | int | None,
    ) -> RecordTable:
        bare = ("path", "mos")
        if self.path.suffix.lower() in TABLES:
            return read_table(self.path, self._what, separator=separator, decimal=decimal, sheet=sheet, bare=bare)
        if is_labels_txt(self.path):
            labels = read_labels_txt(self.path)
            records = [
                (label.where, dict(zip(_LABELS, (label.path, *label.fields, label.mos), strict=True)))
                for label in labels
            ]
            return RecordTable(list(_LABELS), records)
        text = read_text(self.path, self._what)
        header = header_of(text, self._what, separator)  # Excel's "Unicode text" is a table, too
        # Exact names alone: a path may hold a comma, too.
        known = {*_LISTS, *([column.strip().lower()] if column else [])}
        if len(header) > 1 and known & {name.lower() for name in header}:
            return read_table(self.path, self._what, separator=separator, decimal=decimal)
        lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
        # A file may be called #1.mp4; a comment is a line that names no file.
        paths = [line for line in lines if line.strip() and not (line.startswith("#") and listing.find(line) is None)]
        if paths and listing.find(paths[0]) is None and (pairs := read_pairs(text, *bare)) is not None:
            return pairs
        return RecordTable(["path"], [("", {"path": path}) for path in paths])

    def _mos_column(self, columns: Columns, mos: str | None) -> str | None:
        """The column of the MOS; before 0.7, ``MOS`` in a results folder was the predicted one."""
        column = columns.find(*_MOS_COLUMNS, wanted=mos, option="data.mos")
        is_predicted = mos is None and column == MOS and is_before_07(self.path.parent)
        return columns.find(*_MOS_COLUMNS[1:]) if is_predicted else column

    def _number(self, where: str, column: str, cell: object, layout: str) -> float | None:
        """A score, or None where the cell is empty."""
        if is_missing(cell):
            return None
        value = number(cell)
        if value is None:
            marks = f"; {layout}, data.decimal= the decimal mark" if layout else ""
            raise UsageError(
                f"{self._what}: {where} has {column} {cell!r}, not a number; data.mos=NAME takes another column{marks}"
            )
        return value


def _stripped(cells: dict[str, object]) -> Mapping[str, object]:
    """Cells without blanks around them."""
    return {key: cell.strip() if isinstance(cell, str) else cell for key, cell in cells.items()}


def _text(cell: object) -> str:
    """A cell as the name of a file; spreadsheets have numbers as fractions."""
    if cell is None:
        return ""
    name = str(int(cell)) if isinstance(cell, float) and cell.is_integer() else str(cell)
    return name if name.strip() else ""
