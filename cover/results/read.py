"""Results folders as others read them: one table of the videos, with what failed, what was noted and how it was run."""

import csv
import io
import json
import keyword
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd
from pandas.api.types import is_numeric_dtype

from cover.cells import is_missing, number
from cover.errors import UsageError
from cover.files import check_plain
from cover.parts import name_from_cells
from cover.results.names import (
    ERRORS,
    FACT_COLUMNS,
    FACTS,
    FACTS_TABLE,
    FILENAME,
    METRICS,
    MOS,
    NOTE,
    NOTES,
    PART,
    PREDICTED_MOS,
    PREDICTIONS,
    READ,
    REASON,
    SCORE_COLUMNS,
    SCORES_TABLE,
    TEXTS,
)
from cover.results.record import RunRecord, is_before_07, read_run_record
from cover.scores import SCORES
from cover.tables import Columns, read_table
from cover.text import from_cell, printable

_NUMBERS = {*FACTS, "mos", "predicted_mos", "percentile"} - {"codec", "lossless"}
_TRUTH = {"True": True, "False": False}
_PART = {FILENAME: "video", **PART}


@dataclass(frozen=True)
class Results:
    """The content of a results folder.

    Attributes:
        folder: Where it is.
        table: A row for each video, or part of one, with a score, by name (the index: ``Filename``, of a part with its
            ends as :meth:`cover.parts.Part.name` writes them): the four scores, ``predicted_mos`` and ``percentile``
            where there are any, ``mos`` where people rated the videos, the facts of the files
            (:data:`cover.results.names.FACTS`; NaN where unknown), and the columns of the dataset. Where there are
            parts, ``video`` is what they are parts of, and ``start`` and ``end`` are their ends in seconds (NaN: those
            of the video).
        extras: Names of the dataset's columns.
        errors: Why a video has no score, by name.
        notes: Remarks on how videos were read, by name.
        run: The record of the run; without a known one, all its fields are unknown.
        metrics: ``metrics.json`` of an evaluation; empty otherwise.
        in_parts: Whether parts of videos were scored.
    """

    folder: Path
    table: pd.DataFrame
    extras: Sequence[str]
    errors: Mapping[str, str]
    notes: Mapping[str, Sequence[str]]
    run: RunRecord = field(default_factory=RunRecord)
    metrics: Mapping[str, Any] = field(default_factory=dict)
    in_parts: bool = False

    @property
    def numbers(self) -> pd.DataFrame:
        """Numbers of every scored row: at least the scores, ``duration``, ``percentile`` and ``mos`` where known."""
        return self.table.dropna(subset=["overall"])

    @property
    def failed(self) -> int:
        """How many rows have no score."""
        return len(self.errors)

    def chunks(self) -> Iterator[pd.DataFrame]:
        """Give the scored rows of :attr:`table` in their order, as tables that fit into memory."""
        yield self.numbers

    def rows_at(self, places: Sequence[int]) -> pd.DataFrame:
        """Give some of the scored rows.

        Args:
            places: Their places in :attr:`numbers`, ascending.
        """
        return self.numbers.iloc[list(places)]

    def notes_of(self, names: Sequence[str]) -> Mapping[str, Sequence[str]]:
        """Give the notes on some rows, by name."""
        return {name: self.notes[name] for name in names if name in self.notes}


def read_folder(folder: Path) -> Results:
    """Read a results folder of ``infer`` or ``evaluate``, finished or interrupted; its ``scores.csv`` names it, too.

    Raises:
        UsageError: It is not a results folder, or a file in it cannot be read.
    """
    if folder.name in (SCORES_TABLE, PREDICTIONS) and folder.is_file():  # as reference= takes it
        folder = folder.parent
    check_plain(folder, READ)
    run = read_run_record(folder) or RunRecord()
    table = _scores(folder, run)
    in_parts = is_in_parts(table)
    facts = read_table_of(folder / FACTS_TABLE) if (folder / FACTS_TABLE).is_file() else None
    table, extras = joined(table, facts)
    notes = {str(name): list(group) for name, group in _lines(folder, NOTES, NOTE).groupby(level=0)}
    errors = {str(name): reason for name, reason in _lines(folder, ERRORS, REASON).items()}
    return Results(folder, table, extras, errors, notes, run, _metrics(folder), in_parts)


def joined(scores: pd.DataFrame, facts: pd.DataFrame | None) -> tuple[pd.DataFrame, list[str]]:
    """Join scores with the facts of the files, numbers as numbers, by name.

    Args:
        scores: With the names that the columns of :attr:`Results.table` have.
        facts: ``facts.csv`` as read; None if it does not exist.

    Returns:
        :attr:`Results.table` and :attr:`Results.extras`.
    """
    table, in_parts = scores, is_in_parts(scores)
    extras: list[str] = []
    if facts is not None:
        known, extras = _facts(facts.drop(columns=[*_PART.values()], errors="ignore") if in_parts else facts)
        table = table.join(known.drop(columns=[name for name in known if name in table]))
    for name in {*SCORES, *_NUMBERS, *(PART.values() if in_parts else ())}.intersection(table):
        table[name] = pd.to_numeric(table[name], errors="coerce").replace([math.inf, -math.inf], math.nan)
    if "lossless" in table:
        table["lossless"] = table["lossless"].map(lambda value: _TRUTH.get(str(value)))
    for name in FACTS:
        if name not in table:
            table[name] = pd.Series(None, index=table.index, dtype=object if name in ("codec", "lossless") else float)
    return table, extras


def is_in_parts(table: pd.DataFrame) -> bool:
    """Decide whether the rows of a table are parts of videos."""
    return {*_PART.values()} <= {*table}


def videos(table: pd.DataFrame) -> list[str]:
    """Give for each row of :attr:`Results.table` the video that it is, or is a part of."""
    told = table.get("video", table.index)
    return [
        str(video) if str(name).startswith(f"{video}#t=") else str(name)
        for name, video in zip(table.index, told, strict=True)
    ]


def identifier(name: str) -> str:
    """Spell the name of a column so that an expression can hold it: ``Frame rate`` -> ``Frame_rate``."""
    spelled = re.sub(r"\W+|^(?=\d)", "_", name)
    return f"{spelled}_" if keyword.iskeyword(spelled) else spelled


def _scores(folder: Path, run: RunRecord) -> pd.DataFrame:
    """The table of scores: those of the last run there, which may have been of predictions from elsewhere."""
    if not folder.is_dir():
        raise UsageError(f"{folder}: no such results folder")
    scores, predictions = folder / SCORES_TABLE, folder / PREDICTIONS
    if scores.is_file() and not (run.predictions and predictions.is_file()):
        table = read_table_of(scores).rename(columns=score_columns(folder, run))
        if predictions.is_file():
            rated = read_table_of(predictions)
            table = table.join(rated[[name for name in ("mos", "ci95") if name in rated and name not in table]])
    elif predictions.is_file():
        table = read_table_of(predictions).rename(columns={PREDICTED_MOS: "predicted_mos"})
    else:
        raise UsageError(f"{folder}: a folder without {SCORES_TABLE}; name the results folder of infer or evaluate")
    if "overall" not in table:
        raise UsageError(f"{folder}: its table has no column Overall")
    return table


def score_columns(folder: Path, run: RunRecord) -> dict[str, str]:
    """Name the columns of ``scores.csv``; before 0.7, the predicted MOS was called MOS there."""
    return {**SCORE_COLUMNS, MOS: "predicted_mos" if is_before_07(folder, run) else "mos"}


def _facts(table: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    """The facts of the files, and the names of the columns that the dataset has besides."""
    ours = {**FACT_COLUMNS, MOS: "mos"}
    taken = {*SCORES, *FACTS, *SCORE_COLUMNS.values(), "mos", "ci95"}
    others = {str(name): f"{name}_" if name in taken else str(name) for name in table if name not in ours}
    return table.rename(columns={**ours, **others}), [*others.values()]


def read_table_of(path: Path) -> pd.DataFrame:
    """Read a table of a results folder by name; names of videos are text whatever they look like.

    Raises:
        UsageError: It cannot be read.
    """
    (table,) = read_in_chunks(path)
    return table


def read_in_chunks(path: Path, rows: int | None = None, *, unique: bool = True) -> Iterator[pd.DataFrame]:
    """Read a table of a results folder, so many rows at a time; None reads all at once.

    Args:
        path: The table.
        rows: How many.
        unique: Whether a name stands for one row, of which the last one counts.

    Raises:
        UsageError: It cannot be read.
    """
    if not _is_ours(path):
        table = _by_name(_resaved(path))
        yield _last(table) if unique else table
        return
    given: set[str] = set()
    options: Any = {}
    try:
        header = pd.read_csv(path, nrows=0, encoding_errors="replace").columns
        options = {
            "encoding_errors": "replace",
            "dtype": dict.fromkeys(TEXTS.intersection(header), str),
            "keep_default_na": False,
            "na_values": {name: [""] for name in header if name not in TEXTS},
        }
        for chunk in [pd.read_csv(path, **options)] if rows is None else pd.read_csv(path, chunksize=rows, **options):
            table = _by_name(_unspelled(chunk))
            given.update(table.index)
            yield _last(table) if unique else table
    except pd.errors.ParserError as error:
        if not options:
            raise UsageError(f"{path}: its first line is damaged ({error})") from error
        table = _by_name(_unspelled(pd.read_csv(io.StringIO(_sound_lines(path)), **options)))
        table = table[~table.index.isin(given)]
        yield _last(table) if unique else table
    except (OSError, ValueError, KeyError) as error:
        raise UsageError(f"{path}: cannot be read as a table of results ({error})") from error


def _last(table: pd.DataFrame) -> pd.DataFrame:
    return table[~table.index.duplicated(keep="last")]


def _sound_lines(path: Path) -> str:
    """The lines of a damaged table that have as many cells as its header, each read for itself."""
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    count = len(next(csv.reader(lines[:1]), []))
    sound = []
    for line in lines:
        with suppress(csv.Error):
            if line.count('"') % 2 == 0 and len(next(csv.reader([line], strict=True), [])) == count:
                sound.append(line)
    return "\n".join(sound)


def _is_ours(path: Path) -> bool:
    """Return whether a table begins as this project writes it."""
    try:
        with path.open("rb") as file:
            return file.read(len(FILENAME) + 4).removeprefix(b"\xef\xbb\xbf").startswith(f"{FILENAME},".encode())
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror or error}") from error


def _resaved(path: Path) -> pd.DataFrame:
    """Read a table of results that another program has saved, with its own separator, decimal mark and encoding."""
    read = read_table(path, str(path))
    name = Columns(read.header, str(path), read.layout).find(FILENAME)
    if name is None:
        raise UsageError(f"{path}: not a table of results: it has no column {FILENAME}")
    table = pd.DataFrame([cells for _, cells in read.records], columns=read.header).rename(columns={name: FILENAME})
    for column in table.columns.difference([*TEXTS, FILENAME]):
        values = [number(cell) for cell in table[column]]
        if all(value is not None or is_missing(cell) for value, cell in zip(values, table[column], strict=True)):
            table[column] = [math.nan if value is None else value for value in values]
    return table


def _by_name(table: pd.DataFrame) -> pd.DataFrame:
    """A table by the names of its lines, which of parts have their ends; what is called like these gets ``_``."""
    if list(table.columns[:3]) != [*_PART]:
        return table.set_index(FILENAME)
    table = table.rename(columns={name: f"{name}_" for name in _PART.values()}).rename(columns=_PART)
    cells = table[[*_PART.values()]].itertuples(index=False, name=None)
    return table.set_index(pd.Index([name_from_cells(*bounds) for bounds in cells], name=FILENAME, dtype=object))


def _lines(folder: Path, name: str, column: str) -> "pd.Series[str]":
    path = folder / name
    try:
        table = pd.read_csv(path, dtype=str, keep_default_na=False, encoding_errors="replace")
    except (OSError, ValueError):
        return pd.Series(dtype=str)
    if not {FILENAME, column} <= {*table}:
        return pd.Series(dtype=str)
    return _by_name(_unspelled(table))[column]


def _unspelled(table: pd.DataFrame) -> pd.DataFrame:
    """A table whose texts are as they were before they were spelled for cells (:func:`cover.text.as_cell`)."""
    for name in table:
        if not is_numeric_dtype(table[name]):
            table[name] = table[name].map(_unspelled_cell)
    return table.rename(columns=_unspelled_cell)


def _unspelled_cell(cell: object) -> object:
    # A pandas string cannot hold the lone surrogates of a name that is not UTF-8: these stay spelled.
    return printable(from_cell(cell)) if isinstance(cell, str) else cell


def _metrics(folder: Path) -> dict[str, Any]:
    try:
        metrics = json.loads((folder / METRICS).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return metrics if isinstance(metrics, dict) else {}
