"""Tables as people have them: text of any encoding and separator, spreadsheets, Parquet.

Cells stay as they are written; what a number is, the reader of a column knows.
"""

import csv
import io
import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from cover.errors import UsageError

if TYPE_CHECKING:
    import pandas as pd

SPREADSHEETS = frozenset((".ods", ".xls", ".xlsb", ".xlsm", ".xlsx"))
PARQUET = ".parquet"
TEXT = {".csv": ",", ".tsv": "\t"}
"""Suffixes of text with named columns, and what separates these when nothing else is known."""

_SEPARATORS = (",", ";", "\t", "|")
_NAMES = {"\t": "tab", " ": "blank"}
_SPREADSHEET_MAGIC = (b"PK\x03\x04", b"\xd0\xcf\x11\xe0")
_BY_NAME = {"tab": "\t", "\\t": "\t", "blank": " ", "comma": ",", "semicolon": ";"}
_WITH_COMMA = re.compile(r"[+-]?\d*,\d+(?:[eE][+-]?\d+)?")
_WHOLE = re.compile(r"[+-]?\d+")
_IN_THOUSANDS = re.compile(r"[+-]?\d{1,3}(?:,\d{3})+")
_MISSING = {"", "-", "na", "n/a", "nan", "none", "null"}
_THOUSANDS = re.compile(r"(?<=\d)\.(?=\d{3}(?:\D|$))")


@dataclass(frozen=True)
class RecordTable:
    """A table as read.

    Attributes:
        header: Names of the columns, without blanks around them.
        records: For each row where it is (``line 3``), and its cells by column; None or an empty text where one is
            empty.
        layout: How text was read, for messages; nothing for other formats.
        separator: What separates the columns of text.
    """

    header: list[str]
    records: list[tuple[str, dict[str, object]]]
    layout: str = ""
    separator: str = ""


def read_table(
    path: Path, what: str, *, separator: str | None = None, decimal: str | None = None, sheet: str | int | None = None
) -> RecordTable:
    """Read a table, of the kind that its suffix says: a spreadsheet, Parquet, or text.

    Args:
        path: The file.
        what: What to call it in messages, such as ``data=ratings.csv``.
        separator: What separates the columns of text; None finds out from the header.
        decimal: The decimal mark of text; with None, a column that holds nothing but numbers with commas is read so.
        sheet: Sheet of a spreadsheet, by name or by number from 0; None for the first.

    Raises:
        UsageError: The file cannot be read, a package is missing for it, or a row does not fit the header.
    """
    suffix = path.suffix.lower()
    if suffix in SPREADSHEETS:
        table = read_spreadsheet(path, what, sheet)
        return table if decimal == "." else _with_points(table, every=decimal == ",")
    if suffix == PARQUET:
        return _read_parquet(path, what)
    if _is_spreadsheet(path, what):
        raise UsageError(f"{what}: a spreadsheet by its content; give it its own suffix (.xlsx, .ods, .xls)")
    return _read_text(read_text(path, what), what, TEXT.get(suffix, ","), separator, decimal)


def read_text(path: Path, what: str) -> str:
    """Read text as UTF-8, or as UTF-16 where it is that (Excel's "Unicode text").

    Python writes the bytes of a name that is no UTF-8 as lone surrogates, and so they are read here.

    Raises:
        UsageError: The file cannot be read.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise UsageError(f"{what}: {error.strerror or error}") from error
    encoding = "utf-8-sig"
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        encoding = "utf-16"
    else:  # of UTF-16 without a mark, every second byte of Latin letters is 0
        for order, high, low in (("le", data[1:200:2], data[:200:2]), ("be", data[:200:2], data[1:200:2])):
            if high.count(0) * 2 > len(high) and not low.count(0):
                encoding = f"utf-16-{order}"
    with suppress(UnicodeDecodeError):
        return data.decode(encoding, "surrogateescape" if encoding == "utf-8-sig" else "strict")
    return data.decode("utf-8-sig", "surrogateescape")  # whatever it is, its reader will say what it lacks


def header_key(name: str) -> str:
    """Give the name of a column as compared where case, blanks and underscores do not matter."""
    return re.sub(r"[\W_]+", "", name).casefold()


def header_of(text: str, what: str, separator: str | None = None) -> list[str]:
    """Read the names of columns that text has as a table, and no more of it.

    Args:
        text: All of it.
        what: What to call its file in messages.
        separator: What separates the columns; None finds out.

    Raises:
        UsageError: The separator is none.
    """
    lines, first, mark = _start(text, what, ",", separator)
    return _names(next(csv.reader(lines[first:], delimiter=mark), []))


def _start(text: str, what: str, usual: str, separator: str | None) -> tuple[list[str], int, str]:
    """The lines of text, the number of the one that is the header, and what separates the columns."""
    mark = _mark(separator, what)
    lines = text.splitlines(keepends=True)
    first = next((place for place, line in enumerate(lines) if line.strip()), 0)
    if lines and (named := re.fullmatch(r"sep=(.)\s*", lines[first])):  # Excel's own hint
        mark, first = mark or named[1], first + 1
    return lines, first, mark or _separator(lines[first] if first < len(lines) else "", usual)


def _names(cells: Sequence[str]) -> list[str]:
    return [western(cell.strip()) for cell in cells]


def _mark(separator: str | None, what: str) -> str | None:
    """A separator as one character, which some have a name for; None where it is to be found."""
    mark = None if separator is None else _BY_NAME.get(separator, separator)
    if mark is not None and (len(mark) != 1 or mark in '\r\n"'):
        raise UsageError(f"{what}: data.separator={separator}: takes one character, or tab")
    return mark


def _read_text(text: str, what: str, usual: str, separator: str | None, decimal: str | None) -> RecordTable:
    if not text.strip():
        raise UsageError(f"{what}: the file is empty")
    lines, first, found = _start(text, what, usual, separator)
    layout = f"read as separated by {_NAMES.get(found, repr(found))}; data.separator= sets another"
    reader = csv.reader(io.StringIO("".join(lines[first:]), newline=""), delimiter=found, strict=True)
    try:
        header = _names(next(reader, []))
        records = list(_records(reader, header, what, layout, first))
    except csv.Error as error:
        raise UsageError(f"{what}, line {reader.line_num + first}: not a readable table ({error})") from error
    table = RecordTable(header, records, layout, found)
    return table if decimal == "." else _with_points(table, every=decimal == ",")


def _records(
    reader: Iterator[list[str]], header: Sequence[str], what: str, layout: str, skipped: int
) -> Iterator[tuple[str, dict[str, object]]]:
    for cells in reader:
        where = f"line {reader.line_num + skipped}"  # type: ignore[attr-defined]
        if any(cell.strip() for cell in cells[len(header) :]):
            raise UsageError(f"{what}, {where}: more fields than the header has ({layout})")
        if any(cell.strip() for cell in cells):
            padded = [*cells, *[""] * (len(header) - len(cells))]
            yield where, {name: cell for name, cell in zip(header, padded, strict=False) if name}


def _is_spreadsheet(path: Path, what: str) -> bool:
    try:
        with path.open("rb") as file:
            return file.read(4) in _SPREADSHEET_MAGIC
    except OSError as error:
        raise UsageError(f"{what}: {error.strerror or error}") from error


def western(text: str) -> str:
    """Read text whose bytes are no UTF-8 (lone surrogates) in the code page of Western Windows; other text stays."""
    raw = text.encode("utf-8", "surrogateescape")
    return raw.decode("cp1252", "replace") if any("\udc80" <= mark <= "\udcff" for mark in text) else text


def _separator(header: str, usual: str) -> str:
    """The separator that cuts a header into most columns; in doubt the usual one."""
    counts = {mark: len(next(csv.reader([header], delimiter=mark), [])) for mark in (usual, *_SEPARATORS)}
    return max(counts, key=lambda mark: counts[mark])


def _with_points(table: RecordTable, *, every: bool) -> RecordTable:
    """Write decimal commas as points: in columns that hold nothing but such numbers, or wherever there is one."""
    chosen = table.header if every else [name for name in table.header if _has_commas(table, name)]
    if not chosen:
        return table
    records = [
        (where, {name: _point(cell) if name in chosen else cell for name, cell in cells.items()})
        for where, cells in table.records
    ]
    return replace(table, records=records)


def _has_commas(table: RecordTable, name: str) -> bool:
    cells = [cell.strip() for _, cells in table.records if isinstance(cell := cells.get(name), str)]
    numbers = [cell for cell in cells if cell.lower() not in _MISSING]
    if not numbers or not all(_WITH_COMMA.fullmatch(text) or _WHOLE.fullmatch(text) for text in numbers):
        return False
    commas = [text for text in numbers if "," in text]
    # 1,200 may be twelve hundred where it is the comma that separates columns.
    return bool(commas) and not (table.separator == "," and all(_IN_THOUSANDS.fullmatch(text) for text in commas))


def _point(cell: object) -> object:
    text = _THOUSANDS.sub("", cell.strip()) if isinstance(cell, str) else ""
    return text.replace(",", ".") if _WITH_COMMA.fullmatch(text) else cell


def read_spreadsheet(path: Path, what: str, sheet: str | int | None = None) -> RecordTable:
    """Read a sheet of a spreadsheet, whatever the suffix of its file; see :func:`read_table`.

    Raises:
        UsageError: The file cannot be read, has no such sheet, or python-calamine is missing.
    """
    import pandas as pd

    try:
        with pd.ExcelFile(path, engine="calamine") as book:
            names = list(map(str, book.sheet_names))
            numbers = [str(number) for number in range(len(names))]
            wanted = names[0] if sheet is None else str(sheet)
            wanted = wanted if wanted in names or wanted not in numbers else names[int(wanted)]
            known = wanted in names
            frame = pd.read_excel(book, sheet_name=wanted, dtype=object) if known else None
    except ImportError as error:
        raise UsageError(
            f"{what}: reading it needs python-calamine: pip install 'cover-vqa[datasets]', or save it as CSV"
        ) from error
    except OSError as error:
        raise UsageError(f"{what}: {error.strerror or error}") from error
    except Exception as error:
        remedy = "" if _is_spreadsheet(path, what) else "; text has the suffix .csv, .tsv or .txt"
        reason = " ".join(str(error).split())
        raise UsageError(f"{what}: not a readable spreadsheet ({reason}){remedy}") from error
    if frame is None:
        raise UsageError(f"{what}: data.sheet={sheet}: its sheets are {', '.join(names)}")
    layout = f"read from sheet {wanted} of {', '.join(names)}, whose first row is the header; data.sheet= sets another"
    return replace(_of_frame(frame.dropna(how="all"), first=2), layout=layout)


def _read_parquet(path: Path, what: str) -> RecordTable:
    import pandas as pd

    try:
        frame = pd.read_parquet(path)
    except ImportError as error:
        raise UsageError(f"{what}: reading it needs pyarrow: pip install 'cover-vqa[datasets]', or take CSV") from error
    except OSError as error:
        raise UsageError(f"{what}: {error.strerror or error}") from error
    except ValueError as error:
        raise UsageError(f"{what}: not a readable table ({error})") from error
    return _of_frame(frame, first=1)


def _of_frame(frame: "pd.DataFrame", first: int) -> RecordTable:
    """A table of a data frame, whose first row has the number ``first`` for people."""
    frame = frame.rename(columns=lambda name: str(name).strip()).astype(object).where(frame.notna().to_numpy(), None)
    records = [
        (f"row {number + first}", {str(name): cell for name, cell in zip(frame.columns, cells, strict=True)})
        for number, cells in zip(frame.index, frame.itertuples(index=False, name=None), strict=True)
    ]
    return RecordTable(list(map(str, frame.columns)), records)
