"""Tables as people have them: text of any encoding and separator, spreadsheets, Parquet, JSON.

Cells stay as they are written. Columns are found by one rule (:class:`Columns`), numbers and missing cells by one
(:mod:`cover.cells`). A table of a million rows is read line by line each time it is iterated over; only its text is
kept.
"""

import csv
import json
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cover.cells import is_missing, number
from cover.errors import UsageError
from cover.matching import without_suffix
from cover.text import from_cell, printable

if TYPE_CHECKING:
    import pandas as pd

SPREADSHEETS = frozenset((".ods", ".xls", ".xlsb", ".xlsm", ".xlsx"))
PARQUET = ".parquet"
TEXT = {".csv": ",", ".tsv": "\t"}
"""Suffixes of text with named columns, and what separates these when nothing else is known."""

JSON = frozenset((".json", ".jsonl", ".ndjson"))
TABLES = frozenset((*TEXT, *SPREADSHEETS, PARQUET, *JSON))
"""Suffixes of files with named columns."""

_SEPARATORS = (",", ";", "\t", "|")
_NAMES = {"\t": "tab", " ": "blank"}
_SPREADSHEET_MAGIC = (b"PK\x03\x04", b"\xd0\xcf\x11\xe0")
VIDEO_COLUMNS = (
    *("path", "filename", "file", "filepath", "video", "videoname", "videofile", "videopath", "videourl", "clip"),
    *("stimulus", "pvs", "name", "videoid", "image", "imagename", "imagepath", "url"),
)
"""Usual headers of the column that names the videos, most likely first."""

SPREAD_COLUMNS = {
    "ci95": ("ci95", "mosci95", "ci", "mosci"),
    "std": ("std", "mosstd", "sd", "stdev", "stddev", "mossd", "stdmos", "sdmos"),
    "n": ("n", "votes", "nvotes", "numvotes", "ratings", "nratings", "numratings", "raters", "nraters", "count"),
}
"""Usual headers of half-widths of 95 % intervals of a MOS, standard deviations and numbers of ratings."""

NOT_JUDGEMENTS = frozenset(
    {
        *("mos", "mean", "dmos", "predictedmos", "percentile", "se", "index", "videoindex", "id", "unnamed0", "split"),
        *("age", "year", "session", "order", "trial", "time", "timestamp", "responsetime", "responsetimeseconds"),
        *("content", "scene", "source", "reference", "duration", "fps", "framerate", "frames", "width", "height"),
        *("bitrate", "level", "crf", "qp", "size"),
        *(name for names in SPREAD_COLUMNS.values() for name in names),
    }
)
"""Headers of columns of numbers that are neither ratings of one person nor scores of a metric, as header keys."""

_LINE = re.compile(r"[^\r\n]*(?:\r\n|\r|\n|$)")
_BY_NAME = {"tab": "\t", "\\t": "\t", "blank": " ", "comma": ",", "semicolon": ";"}
_WITH_COMMA = re.compile(r"[+-]?\d*,\d+(?:[eE][+-]?\d+)?")
_WHOLE = re.compile(r"[+-]?\d+")
_IN_THOUSANDS = re.compile(r"[+-]?\d{1,3}(?:,\d{3})+")
_THOUSANDS = re.compile(r"(?<=\d)\.(?=\d{3}(?:\D|$))")


TableLine = tuple[str, dict[str, object]]
"""Where a row is in its table (``line 3``), and its cells by column; None or an empty text where one is empty."""


@dataclass(frozen=True)
class RecordTable:
    """A table as read.

    Attributes:
        header: Names of the columns, without blanks around them.
        records: The rows; iterating again reads them again.
        layout: How text was read, for messages; nothing for other formats.
    """

    header: list[str]
    records: Iterable[TableLine]
    layout: str = ""


class _Again:
    """Rows that are read again whenever they are iterated over."""

    def __init__(self, read: Callable[[], Iterator[TableLine]]) -> None:
        self._read = read

    def __iter__(self) -> Iterator[TableLine]:
        return self._read()


class Columns:
    """Columns of a table by name, by one rule for all tables.

    A name that is there as written is that column. Otherwise case, blanks, underscores and punctuation do not matter.
    Of several usual names, the first that is there counts; of several columns that fit it, the leftmost.

    Args:
        header: Names of the columns.
        what: What to call the table in messages.
        layout: How it was read, for messages.
    """

    def __init__(self, header: Sequence[str], what: str = "", layout: str = "") -> None:
        self._header = [str(name) for name in header]
        self._by_key = {key: name for name in reversed(self._header) if (key := header_key(name))}
        self._what = what
        self._layout = layout

    def find(self, *usual: str, wanted: str | None = None, option: str = "", of: str = "") -> str | None:
        """Find a column.

        Args:
            usual: Usual names, most likely first.
            wanted: A name that was asked for instead.
            option: The option that asks for it, for messages.
            of: What it holds, such as ``the raters``, for messages.

        Returns:
            The column as the header writes it; None where none of the usual ones is there.

        Raises:
            UsageError: The column that was asked for is not there, or several have its name.
        """
        column = self._column(usual if wanted is None else (wanted,))
        if column is None and wanted is not None:
            raise self.lacks(option, wanted, of=of)
        if column is not None and (count := self._header.count(column)) > 1:
            raise UsageError(f"{self._what}: {count} columns are called {column}; rename all but one")
        return column

    def lacks(self, option: str, *names: str, of: str = "", more: str = "") -> UsageError:
        """Say that a column is missing, and what is there.

        Args:
            option: The option that names another column.
            names: Names that it may have.
            of: What it holds.
            more: What else to say, from its own separator on.
        """
        header = printable(", ".join(name for name in self._header if name))[:200] or "none"
        some = [*names[:5], *(["..."] if len(names) > 5 else [])]
        remedy = f"; name it with {option}=NAME" if option else ""
        layout = f"; {self._layout}" if self._layout else ""
        missing = f"of {of} ({', '.join(some)}; found: {header})" if of else f"{' or '.join(some)} (found: {header})"
        return UsageError(f"{self._what}: no column {missing}{remedy}{more}{layout}")

    def _column(self, names: Sequence[str]) -> str | None:
        for name in names:
            if name and name in self._header:
                return name
            if (column := self._by_key.get(header_key(name))) is not None:
                return column
        return None


def read_table(
    path: Path,
    what: str,
    *,
    separator: str | None = None,
    decimal: str | None = None,
    sheet: str | int | None = None,
    bare: tuple[str, str] | None = None,
) -> RecordTable:
    """Read a table, of the kind that its suffix says: a spreadsheet, Parquet, JSON, or text.

    Args:
        path: The file.
        what: What to call it in messages, such as ``data=ratings.csv``.
        separator: What separates the columns of text; None finds out from the header.
        decimal: The decimal mark of text; with None, a column that holds nothing but numbers with commas is read so.
        sheet: Sheet of a spreadsheet, by name or by number from 0; None for the first.
        bare: Names for the columns of text that has no header, only a name and a number in each line.

    Raises:
        UsageError: The file cannot be read, a package is missing for it, or a row does not fit the header.
    """
    suffix = path.suffix.lower()
    if suffix in SPREADSHEETS:
        table = read_spreadsheet(path, what, sheet)
        return table if decimal == "." else _with_points(table, "", every=decimal == ",")
    if suffix == PARQUET:
        return _read_parquet(path, what)
    if suffix in JSON:
        return _read_json(read_text(path, what), what, bare[1] if bare else "value")
    if _is_spreadsheet(path, what):
        raise UsageError(f"{what}: a spreadsheet by its content; give it its own suffix (.xlsx, .ods, .xls)")
    text = read_text(path, what)
    if bare is not None and (pairs := read_pairs(text, *bare)) is not None:
        return pairs
    return _read_text(text, what, TEXT.get(suffix, ","), separator, decimal)


def read_pairs(text: str, name: str, value: str) -> RecordTable | None:
    """Read text without a header whose lines are a name and a number, in either order.

    Commas, semicolons, tabs, bars or blanks separate the two. Blanks count only where names have a suffix or numbers
    a decimal point, because a name such as ``clip 1`` may hold blanks.

    Args:
        text: All of it.
        name: What to call the column of names.
        value: What to call the column of numbers.

    Returns:
        The table, or None if a line has another form.
    """
    lines = [(place, line.strip()) for place, line in enumerate(text.splitlines(), start=1)]
    lines = [(place, line) for place, line in lines if line and not line.startswith("#")]
    for mark in (*_SEPARATORS, None):
        for last in (True, False):
            cells = [_pair(line, mark, last) for _, line in lines]
            if cells and None not in cells:
                records: list[TableLine] = [
                    (f"line {place}", dict(zip((name, value), pair, strict=True)))
                    for (place, _), pair in zip(lines, cells, strict=True)
                    if pair is not None
                ]
                return RecordTable([name, value], records, "read as lines of a name and a number, without a header")
    return None


def _pair(line: str, mark: str | None, number_is_last: bool) -> tuple[str, str] | None:
    """A line cut into a name and a number; None if it is not that."""
    cells = line.rsplit(mark, 1) if number_is_last else line.split(mark, 1)
    if len(cells) != 2:
        return None
    name, value = map(str.strip, cells if number_is_last else reversed(cells))
    name = name.strip('"')
    if number(value) is None and not is_missing(value):
        return None
    if not name or number(name) is not None or header_key(name) in VIDEO_COLUMNS:
        return None
    # A second separator is the sign of a table with more columns.
    if mark is not None and mark in name:
        return None
    return (name, value) if mark is not None or without_suffix(name) != name or "." in value else None


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
        UsageError: The separator is not one character.
    """
    place, _, mark = _start(text, what, ",", separator)
    return _names(next(csv.reader(_lines(text, place), delimiter=mark), []))


def _lines(text: str, place: int) -> Iterator[str]:
    """The lines of text from a place on, with their ends."""
    return (match[0] for match in _LINE.finditer(text, place) if match[0])


def _start(text: str, what: str, usual: str, separator: str | None) -> tuple[int, int, str]:
    """The start of a table's header, the number of lines before it, and the separator of columns."""
    mark = _mark(separator, what)
    place = skipped = 0
    header = ""
    for line in _lines(text, 0):
        hint = re.fullmatch(r"sep=(.)\s*", line)  # Excel's own
        if line.strip() and hint is None:
            header = line
            break
        mark = mark or (hint[1] if hint else None)
        place, skipped = place + len(line), skipped + 1
    return place, skipped, mark or _separator(header, usual)


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
    place, skipped, mark = _start(text, what, usual, separator)
    layout = f"read as separated by {_NAMES.get(mark, repr(mark))}; data.separator= sets another"

    spelled = "'" in text or "\\u" in text  # cells of our own tables

    def read() -> Iterator[TableLine]:
        reader = csv.reader(_lines(text, place), delimiter=mark, strict=True)
        try:
            next(reader, None)
            for cells in reader:
                where = f"line {reader.line_num + skipped}"
                if len(cells) > len(header) and any(map(str.strip, cells[len(header) :])):
                    raise UsageError(f"{what}, {where}: more fields than the header has ({layout})")
                if any(map(str.strip, cells)):
                    cells = [*map(from_cell, cells)] if spelled else cells
                    padded = cells if len(cells) >= len(header) else [*cells, *[""] * (len(header) - len(cells))]
                    yield where, {name: cell for name, cell in zip(header, padded, strict=False) if name}
        except csv.Error as error:
            raise UsageError(f"{what}, line {reader.line_num + skipped}: not a readable table ({error})") from error

    try:
        header = _names(next(csv.reader(_lines(text, place), delimiter=mark, strict=True), []))
    except csv.Error as error:
        raise UsageError(f"{what}, line {skipped + 1}: not a readable table ({error})") from error
    table = RecordTable(header, _Again(read), layout)
    # Without a comma in a cell there is nothing to look for.
    if decimal == "." or (decimal is None and ("," not in text or (mark == "," and '"' not in text))):
        return table
    return _with_points(table, mark, every=decimal == ",")


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


def _with_points(table: RecordTable, separator: str, *, every: bool) -> RecordTable:
    """Write decimal commas as points: in columns that hold nothing but such numbers, or wherever there is one."""
    chosen = set(table.header) if every else _columns_with_commas(table, separator)
    if not chosen:
        return table

    def read() -> Iterator[TableLine]:
        for where, cells in table.records:
            yield where, {name: _point(cell) if name in chosen else cell for name, cell in cells.items()}

    return replace(table, records=_Again(read))


def _columns_with_commas(table: RecordTable, separator: str) -> set[str]:
    """The columns that hold nothing but numbers, some of them with commas."""
    left = set(table.header)
    with_comma: set[str] = set()
    not_thousands: set[str] = set()
    for _, cells in table.records:
        for name in list(left):
            cell = cells.get(name)
            text = cell.strip() if isinstance(cell, str) else ""
            if is_missing(text):
                continue
            if _WITH_COMMA.fullmatch(text):
                with_comma.add(name)
                if not _IN_THOUSANDS.fullmatch(text):
                    not_thousands.add(name)
            elif not _WHOLE.fullmatch(text):
                left.discard(name)
    # 1,200 may be twelve hundred where it is the comma that separates columns.
    return left & with_comma & (not_thousands if separator == "," else left)


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
            chosen = names[0] if sheet is None else str(sheet)
            chosen = chosen if chosen in names or chosen not in numbers else names[int(chosen)]
            known = chosen in names
            frame = pd.read_excel(book, sheet_name=chosen, dtype=object) if known else None
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
    layout = f"read from sheet {chosen} of {', '.join(names)}, whose first row is the header; data.sheet= sets another"
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


def _read_json(text: str, what: str, value: str) -> RecordTable:
    """Read JSON: a list of objects or of names, an object with a key for each video, or an object in each line."""
    if not text.strip():
        raise UsageError(f"{what}: the file is empty")
    document = _parsed(text)
    if document is not None:
        return _of_items(_items(document, what, value), what)
    items: list[tuple[str, Any]] = []
    for place, line in enumerate(text.splitlines(), start=1):
        if line.strip():
            items.append((f"line {place}", _parsed(line)))
            if items[-1][1] is None:
                raise UsageError(f"{what}, line {place}: not readable as JSON")
    return _of_items(items, what)


def _parsed(text: str) -> Any:
    """The value that text is as JSON; None if it is not JSON, or is nested too deeply to be a table."""
    with suppress(ValueError, RecursionError):
        return json.loads(text)
    return None


def _items(document: Any, what: str, value: str) -> list[tuple[str, Any]]:
    """The videos of a JSON document, with their places."""
    if isinstance(document, list):
        return [(f"item {place}", item) for place, item in enumerate(document, start=1)]
    if isinstance(document, dict) and document:
        if Columns(list(document)).find(*VIDEO_COLUMNS) is not None:
            return [("item 1", document)]
        lists = [item for item in document.values() if isinstance(item, list) and item and isinstance(item[0], dict)]
        if len(lists) == 1:
            return _items(lists[0], what, value)
        if all(isinstance(item, dict) for item in document.values()):
            return [(f"item {name[:80]!r}", {"path": name, **item}) for name, item in document.items()]
        if all(number(item) is not None or is_missing(item) for item in document.values()):
            return [(f"item {name[:80]!r}", {"path": name, value: item}) for name, item in document.items()]
    raise UsageError(f"{what}: its JSON is no list of videos; a list of objects is, or an object in each line")


def _of_items(items: Sequence[tuple[str, Any]], what: str) -> RecordTable:
    """A table of JSON objects; a name alone is a path, and lists in cells stay JSON."""
    records: list[TableLine] = []
    for where, item in items:
        cells = {"path": item} if isinstance(item, str) else item
        if not isinstance(cells, dict):
            raise UsageError(f"{what}, {where}: {json.dumps(item)[:80]} is neither an object nor a name")
        flat = {k.strip(): json.dumps(v) if isinstance(v, (list, dict)) else v for k, v in cells.items()}
        records.append((where, flat))
    header = list(dict.fromkeys(name for _, cells in records for name in cells))
    return RecordTable(header, [(where, {name: cells.get(name) for name in header}) for where, cells in records])


def _of_frame(frame: "pd.DataFrame", first: int) -> RecordTable:
    """A table of a data frame, whose first row has the number ``first`` for people."""
    frame = frame.rename(columns=lambda name: str(name).strip()).astype(object).where(frame.notna().to_numpy(), None)
    header = list(map(str, frame.columns))

    def read() -> Iterator[TableLine]:
        for row, cells in zip(frame.index, frame.itertuples(index=False, name=None), strict=True):
            yield f"row {row + first}", dict(zip(header, cells, strict=True))

    return RecordTable(header, _Again(read))
