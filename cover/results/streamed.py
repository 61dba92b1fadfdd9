"""Results folders with very many rows, for readers that keep a sample of them in memory."""

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

from cover.errors import UsageError
from cover.files import check_plain
from cover.results.names import ERRORS, FACTS_TABLE, NOTE, NOTES, PREDICTIONS, READ, REASON, SCORES_TABLE
from cover.results.read import Results, is_in_parts, joined, read_folder, read_in_chunks, score_columns, videos
from cover.results.record import RunRecord, read_run_record
from cover.scores import SCORES

MANY = 100_000
"""Rows up to which a folder is read at once."""

_CHUNK = 50_000
_ERRORS_KEPT = 2_000
_NUMBERS = (*SCORES, "duration", "percentile", "mos")


@dataclass(frozen=True)
class StreamedResults(Results):
    """The content of a results folder that is read from disk whenever it is asked for.

    In memory are seven numbers a row (:attr:`numbers`), and what :meth:`rows_at` gives.

    Attributes:
        table: The first rows.
        errors: The first errors.
        notes: Empty; see :meth:`notes_of`.
    """

    every_number: pd.DataFrame = field(default_factory=pd.DataFrame)
    failures: int = 0

    @property
    def numbers(self) -> pd.DataFrame:
        """Numbers of every scored row."""
        return self.every_number

    @property
    def failed(self) -> int:
        """How many rows have no score."""
        return self.failures

    def chunks(self) -> Iterator[pd.DataFrame]:
        """Give the scored rows in their order, as tables that fit into memory."""
        return (table for table, _ in _chunks(self.folder, self.run))

    def rows_at(self, places: Sequence[int]) -> pd.DataFrame:
        """Give some of the scored rows, whose places are ascending."""
        sought, begin, pieces = np.asarray(places), 0, []
        for table in self.chunks():
            here = sought[(sought >= begin) & (sought < begin + len(table))] - begin
            pieces.append(table.iloc[here])
            begin += len(table)
        return pd.concat(pieces)

    def notes_of(self, names: Sequence[str]) -> Mapping[str, Sequence[str]]:
        """Give the notes on some rows, by name."""
        sought = set(names)
        notes: dict[str, list[str]] = {}
        for table in _texts(self.folder / NOTES, NOTE):
            for name, note in table[table.index.isin(sought)].items():
                notes.setdefault(str(name), []).append(str(note))
        return notes


def read_results_of_any_size(folder: Path) -> Results:
    """Read a results folder: with very many rows, what does not fit into memory is left on disk.

    Raises:
        UsageError: There are no results, or a file cannot be read.
    """
    check_plain(folder, READ)
    run = read_run_record(folder) or RunRecord()
    scores = folder / SCORES_TABLE
    if run.predictions or (folder / PREDICTIONS).is_file() or not scores.is_file() or not _is_long(scores):
        return read_folder(folder)
    numbers, first = [], pd.DataFrame()
    extras: list[str] = []
    try:
        for table, extras in _chunks(folder, run):  # noqa: B007 - those of the last chunk are those of all
            first = table if first.empty else first
            numbers.append(table[[name for name in _NUMBERS if name in table]].reset_index(drop=True))
    except _OutOfOrderError:
        return read_folder(folder)
    errors: dict[str, str] = {}
    failures = 0
    for reasons in _texts(folder / ERRORS, REASON):
        failures += len(reasons)
        some = reasons.head(_ERRORS_KEPT - len(errors))
        errors |= {str(name): str(reason) for name, reason in some.items()}
    return StreamedResults(
        folder,
        first,
        extras,
        errors,
        {},
        run,
        in_parts=_has_parts(scores),
        every_number=pd.concat(numbers, ignore_index=True).astype(float),
        failures=failures,
    )


def count_videos(results: Results) -> int:
    """Count the videos whose parts were scored."""
    return len({video for table in results.chunks() for video in videos(table)})


def _is_long(path: Path) -> bool:
    with path.open("rb") as file:
        return next(itertools.islice(file, MANY + 1, None), None) is not None


def _has_parts(scores: Path) -> bool:
    return is_in_parts(next(read_in_chunks(scores, 1)))


def _texts(path: Path, column: str) -> "Iterator[pd.Series[str]]":
    """One column of a table of texts, piece by piece; nothing where there is no such table."""
    if not path.is_file() or not path.stat().st_size:
        return
    for table in read_in_chunks(path, _CHUNK, unique=False):
        if column in table:
            yield table[column]


class _OutOfOrderError(Exception):
    """Facts stand far from their scores: a person has sorted one of the tables."""


def _chunks(folder: Path, run: RunRecord) -> Iterator[tuple[pd.DataFrame, list[str]]]:
    """The scored rows with their facts, and the dataset's columns.

    Raises:
        UsageError: A table cannot be read.
        _OutOfOrderError: The two tables have their rows in different orders.
    """
    names = score_columns(folder, run)
    has_facts = (folder / FACTS_TABLE).is_file()
    facts: Iterator[pd.DataFrame] = read_in_chunks(folder / FACTS_TABLE, _CHUNK) if has_facts else iter(())
    waiting = next(facts, None)  # facts of rows that are still to come: ranks may have written in another order
    lacking = 0
    for scores in read_in_chunks(folder / SCORES_TABLE, _CHUNK):
        scored = scores.rename(columns=names)
        if "overall" not in scored:
            raise UsageError(f"{folder}: its table has no column Overall")
        while waiting is not None and len(waiting) < 3 * _CHUNK and not scored.index.isin(waiting.index).all():
            following = next(facts, None)
            if following is None:
                break
            waiting = pd.concat([waiting, following])
        table, extras = joined(scored, waiting)
        if waiting is not None:
            lacking += int((~scored.index.isin(waiting.index)).sum())
            waiting = waiting[~waiting.index.isin(scored.index)]
        yield table.dropna(subset=["overall"]), extras
    if lacking and waiting is not None and (len(waiting) or next(facts, None) is not None):
        raise _OutOfOrderError
