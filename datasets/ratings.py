"""Ratings of single raters: what subjective tests and crowd platforms give, before anybody has taken a mean."""

import glob
import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase
from pathlib import Path

from cover.errors import UsageError
from cover.rows import Rating, Row
from cover.tables import (
    NOT_JUDGEMENTS,
    PARQUET,
    SPREADSHEETS,
    TEXT,
    VIDEO_COLUMNS,
    Columns,
    RecordTable,
    TableLine,
    header_key,
    number,
    read_table,
)

from ._listing import Listing

RATER = (
    *("subjectno", "subjectnumber", "participantno", "participantnumber", "raterno", "observerno"),
    *("participantid", "participant", "raterid", "rater", "subjectid", "subject", "observerid", "observer", "workerid"),
    *("worker", "userid", "user", "annotatorid", "annotator", "assessorid", "assessor", "viewerid", "viewer", "tester"),
)
RATING = ("rating", "score", "vote", "opinion", "opinionscore", "acr", "value", "response", "answer", "quality", "os")
_LIKE_RATING = re.compile(r"rating|score|opinion|\bvote", re.IGNORECASE)
_TABLES = {*TEXT, *SPREADSHEETS, PARQUET, ".txt"}


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
        self._extras: dict[str, dict[str, object]] = {}
        self.remarks: list[str] = []
        seen: dict[object, Path] = {}
        given: dict[tuple[str, str], list[float]] = defaultdict(list)
        for file in files:
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
        if rating is None:
            yield from self._read_wide(file, columns, table.header, records, video)
            return
        rater = self._column(columns, "rater", RATER)
        others = [name for name in table.header if name not in (video, rater, rating)]
        if rater is None:
            names = [name for _, cells in records if (name := _text(cells[video]))]
            if len(set(names)) < len(names):  # not one rater's, then
                several = f"; {max(names, key=names.count)} is rated several times"
                raise columns.lacks("ratings.rater", *RATER, of="the rater", more=several)
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
        raters = [name for name in header if name != video and self._is_rater(name, records)]
        if self._raters is None and (like := [name for name in raters if _LIKE_RATING.search(name)]):
            more = "; or ratings.raters=PATTERN, if its columns are raters"
            raise columns.lacks("ratings.rating", like[0], of="the rating", more=more)
        if not raters:
            raise columns.lacks(
                "ratings.rating", *RATING, of="the rating", more="; mean opinion scores are read by data=table"
            )
        some = ", ".join(raters[:3]) + (", ..." if len(raters) > 3 else "")
        self.remarks.append(f"{file}: read as a column for each of {len(raters)} raters ({some})")
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

    def _is_rater(self, name: str, records: Sequence[TableLine]) -> bool:
        if self._raters is not None:
            return fnmatchcase(name, self._raters)
        cells = [cell for _, record in records if (cell := _text(record[name]))]
        # A cell that is not a number is an error of its own, in what is a column of ratings otherwise.
        numbers = sum(number(cell) is not None for cell in cells)
        return header_key(name) not in NOT_JUDGEMENTS and 2 * numbers > len(cells)

    def _name(self, text: str, extras: dict[str, object]) -> str:
        """The name of a video as the others have it, and what is alike in all that is said of it."""
        if text not in self._names:
            self._names[text] = self._listing.find(text) or text
        name = self._names[text]
        if name not in self._extras:
            self._extras[name] = dict(extras)
        else:
            known = self._extras[name]
            for key in [key for key in known if extras.get(key) != known[key]]:
                del known[key]
        return name

    def _number(self, file: Path, where: str, column: str, cell: object) -> float | None:
        """A rating, or None where the cell is empty."""
        text = _text(cell)
        value = number(text)
        if text and value is None:
            raise UsageError(
                f"data={file}: {where} has {column} {cell!r}, not a number; ratings.rating=NAME takes another column"
            )
        return value


def _files(path: Path) -> list[Path]:
    if path.is_dir():
        files = sorted(file for file in path.iterdir() if file.suffix.lower() in _TABLES and file.is_file())
    elif path.exists():
        files = [path]
    else:
        files = sorted(Path(name) for name in glob.glob(str(path), recursive=True))  # noqa: PTH207
    if not files:
        raise UsageError(f"data.path={path}: no table there; it takes a file, a folder or a glob of tables of ratings")
    stems = [stem for stem, count in Counter(file.stem for file in files).items() if count > 1]
    if stems and len({file.parent for file in files}) == 1:
        raise UsageError(f"data.path={path}: {stems[0]} is there with two suffixes; leave one of them")
    return files


def _text(cell: object) -> str:
    if cell is None:
        return ""
    return str(int(cell)) if isinstance(cell, float) and cell.is_integer() else str(cell).strip()
