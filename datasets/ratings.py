"""Ratings of single raters: what subjective tests and crowd platforms give, before anybody has taken a mean."""

import glob
import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase
from pathlib import Path

from cover.cells import is_missing, number
from cover.errors import UsageError
from cover.matching import is_address, last_part, local_name
from cover.rows import Rating, Row
from cover.tables import (
    TABLES,
    VIDEO_COLUMNS,
    Columns,
    RecordTable,
    TableLine,
    read_table,
)
from cover.text import counted

from ._listing import Listing
from ._raters import RaterColumns, rater_columns

RATER = (
    *("subjectno", "subjectnumber", "participantno", "participantnumber", "raterno", "observerno"),
    *("participantid", "participant", "raterid", "rater", "subjectid", "subject", "observerid", "observer", "workerid"),
    *("worker", "userid", "user", "annotatorid", "annotator", "assessorid", "assessor", "viewerid", "viewer", "tester"),
)
RATING = ("rating", "score", "vote", "opinion", "opinionscore", "acr", "value", "response", "answer", "quality", "os")
_NO_RATING = frozenset(
    (
        *("time", "times", "timestamp", "rt", "ms", "latency", "duration", "seconds", "sec", "date", "index", "id"),
        *("key", "order", "number", "no", "nr", "count", "trial", "session", "connection", "screen", "name", "type"),
        "label",
    )
)
"""Words in headers of times, numbers and set-ups, such as ``response time``, that have a word of a rating, too."""

_EMPTY = 1000  # bytes; a larger file is not looked at for blanks alone
_LIKE_RATING = re.compile(r"rating|score|opinion|\bvote", re.IGNORECASE)
_TABLES = {*TABLES, ".txt"}


class Ratings:
    """Ratings of single raters, of one file or of several that are joined.

    A table is long (a row for each rater and video) or wide (a row for each video, a column for each rater). Where a
    long one has no column of raters, its file stands for one. Headers are found in any case, with or without blanks and
    underscores. The mean opinion scores are not computed here: :mod:`cover.evaluation.raters.study` does, which can
    screen raters.

    Args:
        path: A table, a glob, or a folder of tables.
        root: Folder that relative paths of videos start from; by default that of the (first) table.
        video: Header of the videos; by default the first of :data:`cover.tables.VIDEO_COLUMNS` that is there.
        rater: Header of the raters; by default one of :data:`RATER`.
        rating: Header of the ratings; by default one of :data:`RATING`.
        raters: Pattern of the headers that are raters of a wide table; by default every column of numbers that has no
            name of something else.
        separator: What separates columns of text; by default what the header shows.
        decimal: The decimal mark of text; by default that of each column.
        sheet: Sheet of a spreadsheet, by name or by number from 0; by default the first.
        screening: How raters are screened (:func:`cover.evaluation.raters.study.evaluate_ratings`).
        threshold: The least correlation of a rater with the MOS, for ``p913``.
        scale: Ends of the rating scale; by default the smallest usual one that holds all ratings.

    Attributes:
        root: The folder that names are relative to.
        screening: The last three, as arguments of that function.
        ratings: Every rating; the mean of those that a rater gave one video.
        remarks: What was joined, and what was there twice, one line each.

    Raises:
        UsageError: There is no table, one cannot be read or lacks a column, or a rating is no number.
    """

    def __init__(
        self,
        path: str | Path,
        root: str | Path | None = None,
        video: str | None = None,
        rater: str | None = None,
        rating: str | None = None,
        raters: str | None = None,
        separator: str | None = None,
        decimal: str | None = None,
        sheet: str | int | None = None,
        screening: str = "none",
        threshold: float = 0.75,
        scale: Sequence[float] | None = None,
    ) -> None:
        files = _files(Path(path))
        self.screening = {"screening": screening, "threshold": threshold, "scale": scale}
        self.root = Path(root) if root is not None else files[0].parent
        self._wanted = {"video": video, "rater": rater, "rating": rating}
        self._raters = raters
        self._listing = Listing(self.root)
        self._names: dict[str, str] = {}
        self._addresses: dict[str, str] = {}
        self._extras: dict[str, dict[str, object]] = {}
        self.remarks: list[str] = []
        seen: dict[object, Path] = {}
        given: dict[tuple[str, str], list[float]] = defaultdict(list)
        for file in files:
            if len(files) > 1 and _is_empty(file):
                self.remarks.append(f"{file}: an empty table; it is left out")
                continue
            table = read_table(file, f"data={file}", separator=separator, decimal=decimal, sheet=sheet)
            of_file = list(self._read(file, table))
            # The same ratings, or, where its name is the rater's, the same bytes.
            twin = min(seen.setdefault(frozenset(of_file), file), seen.setdefault(file.read_bytes(), file))
            if twin is not file and of_file:
                self.remarks.append(f"{file}: the same ratings as {twin}; they count once")
                continue
            for rating_given in of_file:
                given[rating_given.video, rating_given.rater].append(rating_given.value)
        if not given:
            raise UsageError(f"data={path}: there is no rating in it")
        self.ratings = [Rating(video, rater, sum(values) / len(values)) for (video, rater), values in given.items()]
        self._say_repeated(given)

    def __iter__(self) -> Iterator[Row]:
        for name in dict.fromkeys(rating.video for rating in self.ratings):
            yield Row(self.root / name, name, None, self._extras[name])

    def __len__(self) -> int:
        return len({rating.video for rating in self.ratings})

    def _say_repeated(self, given: dict[tuple[str, str], list[float]]) -> None:
        repeated = {pair: len(values) for pair, values in given.items() if len(values) > 1}
        if repeated:
            (video, rater), times = next(iter(repeated.items()))
            more = f" (and {len(repeated) - 1} more like it)" if len(repeated) > 1 else ""
            self.remarks.append(f"{rater} rated {video} {times} times{more}: the mean of them counts")

    def _read(self, file: Path, table: RecordTable) -> Iterator[Rating]:
        columns = Columns(table.header, f"data={file}", table.layout)
        video = self._column(columns, "video", VIDEO_COLUMNS)
        rating = self._column(columns, "rating", RATING)
        if video is None:
            raise columns.lacks("ratings.video", *VIDEO_COLUMNS, of="the video")
        records = list(table.records)
        rater = self._column(columns, "rater", RATER)
        if rating is None and rater is not None and self._raters is None:
            others = [name for name in table.header if name not in (video, rater)]
            rating = self._unusual_rating(file, columns, others)
        if rating is None:
            yield from self._read_wide(file, columns, table.header, records, video)
            return
        others = [name for name in table.header if name not in (video, rater, rating)]
        if rater is None:
            _require_single(columns, records, video, "is rated several times")  # else it is not one rater's
        for where, cells in records:
            name = _text(cells[video])
            value = self._number(file, where, rating, cells[rating])
            if name and value is not None:
                by = file.stem if rater is None else _text(cells[rater])
                if not by:
                    raise UsageError(f"data={file}: {where} has no {rater}")
                yield Rating(self._name(name, {key: cells[key] for key in others}), by, value)

    def _read_wide(
        self, file: Path, columns: Columns, header: Sequence[str], records: Sequence[TableLine], video: str
    ) -> Iterator[Rating]:
        found = self._rater_columns(file, [name for name in header if name != video], records)
        raters = found.raters
        if self._raters is None and (like := [name for name in raters if _LIKE_RATING.search(name)]):
            more = "; or ratings.raters=PATTERN, if its columns are raters"
            raise columns.lacks("ratings.rating", like[0], of="the rating", more=more)
        if not raters:
            raise columns.lacks(
                "ratings.rating", *RATING, of="the rating", more="; mean opinion scores are read by data=table"
            )
        if self._raters is None:
            _require_single(columns, records, video, "stands in several rows, so each row is one rating")
        some = ", ".join(raters[:3]) + (", ..." if len(raters) > 3 else "")
        left_out = f"; no raters: {', '.join(found.left_out)}" if found.left_out else ""
        self.remarks.append(f"{file}: {counted(len(raters), 'rater')}, one per column ({some}){left_out}")
        others = [name for name in header if name not in (video, *raters)]
        for where, cells in records:
            if not (name := _text(cells[video])):
                continue
            name = self._name(name, {key: cells[key] for key in others})
            for rater in raters:
                if (value := self._number(file, where, rater, cells[rater])) is not None:
                    yield Rating(name, rater, value)

    def _column(self, columns: Columns, what: str, usual: Sequence[str]) -> str | None:
        return columns.find(*usual, wanted=self._wanted[what], option=f"ratings.{what}", of=f"the {what}")

    def _rater_columns(self, file: Path, names: Sequence[str], records: Sequence[TableLine]) -> RaterColumns:
        if self._raters is not None:
            raters = [name for name in names if fnmatchcase(name, self._raters)]
            if not raters:
                raise UsageError(f"data={file}: ratings.raters={self._raters} fits no column ({', '.join(names)})")
            return RaterColumns(raters, [])
        return rater_columns(names, records, f"data={file}")

    def _unusual_rating(self, file: Path, columns: Columns, names: Sequence[str]) -> str:
        """The rating of a long table whose header is not a usual one: the only column with such a word in its name."""
        usual = set(RATING)
        words = {name: {*map(str.lower, re.findall(r"[A-Za-z]+", name))} for name in names}
        like = [name for name in names if usual & words[name] and not words[name] & _NO_RATING]
        if len(like) != 1:
            more = "; a table with a column of raters has one rating in each row"
            raise columns.lacks("ratings.rating", *RATING, of="the rating", more=more)
        self.remarks.append(
            f"{file}: the ratings are read from column {like[0]}; ratings.rating=NAME takes another one"
        )
        return like[0]

    def _name(self, text: str, extras: dict[str, object]) -> str:
        """The name of a video as the others have it, and what is alike in all that is said of it."""
        if text not in self._names:
            self._names[text] = self._listing.find(text) or self._placed(text)
        name = self._names[text]
        if name not in self._extras:
            self._extras[name] = dict(extras)
        else:
            known = self._extras[name]
            for key in [key for key in known if extras.get(key) != known[key]]:
                del known[key]
        return name

    def _placed(self, text: str) -> str:
        """The name of a video that is not there: of an address the last part.

        Raises:
            UsageError: Two addresses end in one name, so that their videos cannot be told apart.
        """
        if not is_address(text):
            return text
        name, whole = last_part(text), local_name(text)
        if self._addresses.setdefault(name, whole) != whole:
            raise UsageError(
                f"data: {whole} and {self._addresses[name]} have one name; give the videos different names"
            )
        return name or text

    def _number(self, file: Path, where: str, column: str, cell: object) -> float | None:
        """A rating, or None where the cell is empty."""
        value = number(cell)
        if value is None and not is_missing(cell):
            raise UsageError(
                f"data={file}: {where} has {column} {cell!r}, not a number; leave the cell empty or write NA where "
                "there is no rating, or name the columns with ratings.rating=NAME or ratings.raters=PATTERN"
            )
        return value


def _require_single(columns: Columns, records: Sequence[TableLine], video: str, found: str) -> None:
    """Ask for the column of the raters where a video stands in several rows."""
    names = [name for _, cells in records if (name := _text(cells[video]))]
    if len(set(names)) < len(names):
        more = f"; {max(names, key=names.count)} {found}"
        raise columns.lacks("ratings.rater", *RATER, of="the rater", more=more)


def _files(path: Path) -> list[Path]:
    if path.is_dir():
        files = sorted(file for file in path.iterdir() if _is_table(file))
    elif path.exists():
        files = [path]
    else:
        files = sorted(Path(name) for name in glob.glob(str(path), recursive=True))  # noqa: PTH207
        files = [file for file in files if not _is_passed_over(file)]
    if not files:
        raise UsageError(f"data.path={path}: no table there; it takes a file, a folder or a glob of tables of ratings")
    stems = [stem for stem, count in Counter(file.stem for file in files).items() if count > 1]
    if stems and len({file.parent for file in files}) == 1:
        raise UsageError(f"data.path={path}: {stems[0]} is there with two suffixes; leave one of them")
    return files


def _is_table(file: Path) -> bool:
    return file.suffix.lower() in _TABLES and not _is_passed_over(file) and file.is_file()


def _is_passed_over(file: Path) -> bool:
    """Return whether a file is hidden, or the lock of a spreadsheet that is open."""
    return file.name.startswith((".", "~$"))


def _is_empty(file: Path) -> bool:
    try:
        return file.stat().st_size < _EMPTY and not file.read_bytes().strip(b"\xef\xbb\xbf\xff\xfe\0 \t\r\n")
    except OSError:
        return False


def _text(cell: object) -> str:
    if cell is None:
        return ""
    return str(int(cell)) if isinstance(cell, float) and cell.is_integer() else str(cell).strip()
