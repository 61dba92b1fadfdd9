"""Scores of several metrics, from tables and results folders, joined by the videos' names."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd

from cover.cells import is_infinite, is_missing, number
from cover.errors import UsageError
from cover.evaluation.tables.predictions import PredictionTable, read_predictions
from cover.matching import match
from cover.results.names import FILENAME, PREDICTIONS, SCORES_TABLE
from cover.rows import Row
from cover.tables import NOT_JUDGEMENTS, TEXT, header_key, header_of

_TAKEN = (FILENAME, "mos", "ci95", "se")  # names of other columns beside those of metrics
_RESULTS = (PREDICTIONS, SCORES_TABLE)  # of a results folder, the first that is there


@dataclass(frozen=True)
class Joined:
    """Several metrics on one set of videos.

    Attributes:
        rows: The rated videos.
        scores: Metric -> video -> score, of those that it has.
    """

    rows: Sequence[Row]
    scores: Mapping[str, Mapping[str, float]]


def result_table(path: Path) -> Path:
    """Give the table of predictions that a path names: itself, or that of a results folder.

    Raises:
        UsageError: It is a folder without one.
    """
    if not path.is_dir():
        return path
    table = next((path / name for name in _RESULTS if (path / name).is_file()), None)
    if table is None:
        raise UsageError(
            f"predictions={path}: a folder without {' or '.join(_RESULTS)}; name a results folder or a table"
        )
    return table


def header_in(path: Path, columns: Mapping[str, str | None], separator: str | None) -> list[str] | None:
    """Read the header of a table of text that names videos and has further columns; None of any other file.

    Args:
        path: The table.
        columns: Headers, as of :func:`~cover.evaluation.tables.predictions.read_predictions`.
        separator: What separates columns; None finds out.
    """
    if path.suffix.lower() not in TEXT or not path.is_file():
        return None
    with path.open("rb") as file:
        start = file.read(1 << 16).decode("utf-8-sig", "replace")
    header = header_of(start, f"predictions={path}", separator)
    others = [name for name in header if header_key(name) not in NOT_JUDGEMENTS and name != columns["path"]]
    return header if len(others) > 1 else None


def join(
    paths: Sequence[Path],
    columns: Mapping[str, str | None],
    rows: Sequence[Row] | None,
    metrics: Sequence[str] | None = None,
    **layout: str | int | None,
) -> Joined:
    """Read the scores of several metrics.

    Args:
        paths: Tables, or results folders.
        columns: Headers, as of :func:`~cover.evaluation.tables.predictions.read_predictions`.
        rows: The rated videos; None: the tables rate them.
        metrics: Columns that are metrics; None takes ``overall`` where a table has it, otherwise every column of
            numbers whose name is not that of something else.
        layout: How text is read: ``separator``, ``decimal``, ``sheet``.

    Raises:
        UsageError: A table cannot be read, has no score or rates a video otherwise than another one; or no video is in
            all of them.
    """
    read: Any = partial(read_predictions, columns=columns, needs_mos=False, **layout)  # type: ignore[arg-type]
    tables: list[PredictionTable] = [read(result_table(path)) for path in paths]
    labels = _labels(paths)
    if absent := [name for name in metrics or () if not any(name in table.frame for table in tables)]:
        raise UsageError(f"columns.scores: no table has a column {' or '.join(absent)}")
    if rows is None:
        rows = _rated(tables, labels, str(columns["mos"]))
    names = [row.name for row in rows]
    scores: dict[str, dict[str, float]] = {}
    for label, table in zip(labels, tables, strict=True):
        score_columns = _score_columns(table, metrics)
        matched = match(table.names, names)
        for column in score_columns:
            values = [number(cell) for cell in table.frame[column]]
            metric = label if len(score_columns) == 1 and label not in _TAKEN else f"{label}: {column}"
            scores[metric] = {
                matched[name]: value
                for name, value in zip(table.names, values, strict=True)
                if name in matched and value is not None
            }
    everywhere = set(names).intersection(*scores.values())
    if not everywhere:
        lone = next((metric for metric, values in scores.items() if not values), next(iter(scores)))
        example = next(t.names[0] for label, t in zip(labels, tables, strict=True) if lone.startswith(label))
        raise UsageError(
            f"predictions: no video is scored by all metrics and rated; {lone} has names such as "
            f"{example!r}, the ratings such as {names[0]!r}"
        )
    return Joined(rows, scores)


def _labels(paths: Sequence[Path]) -> list[str]:
    """Names of metrics: those of the files or folders, with as much of the path as makes them unique."""
    for count in range(1, 8):
        labels = ["/".join(path.absolute().with_suffix("").parts[-count:]) for path in paths]
        if len(set(labels)) == len(labels):
            return labels
    raise UsageError(f"predictions: {paths[0]} is listed twice; remove one")


def _score_columns(table: PredictionTable, metrics: Sequence[str] | None) -> list[str]:
    frame, columns = table.frame, table.columns
    listed = ", ".join(map(str, frame)) or "none"
    if metrics is not None:
        if not (score_columns := [name for name in metrics if name in frame]):
            raise UsageError(f"columns.scores: {table.what} has no column {' or '.join(metrics)} (found: {listed})")
        return score_columns
    if columns["overall"] in frame:
        return [str(columns["overall"])]
    others = {columns["mos"], table.names_column, *table.of_part}
    score_columns = [str(name) for name in frame if name not in others and _is_score(str(name), frame[name])]
    if not score_columns:
        raise UsageError(f"{table.what}: no column of scores (found: {listed}); name it with columns.scores=[NAME]")
    return score_columns


def _is_score(name: str, cells: "pd.Series[Any]") -> bool:
    if header_key(name) in NOT_JUDGEMENTS:
        return False
    there = [cell for cell in cells if not is_missing(cell)]
    return len(there) > 0 and all(number(cell) is not None or is_infinite(cell) for cell in there)


def _rated(tables: Sequence[PredictionTable], labels: Sequence[str], mos: str) -> list[Row]:
    """The rated videos of the tables that have a MOS."""
    rows: dict[str, Row] = {}
    for table in tables:
        rated = table.rated()
        names = match([row.name for row in rated], list(rows)) if rows else {}
        for row in rated:
            known = rows.setdefault(names.get(row.name, row.name), row)
            if not math.isclose(float(known.mos or 0), float(row.mos or 0), rel_tol=1e-5, abs_tol=1e-5):
                raise UsageError(f"{table.what}: {row.name} has the MOS {row.mos:g}, in another table {known.mos:g}")
    if not rows:
        raise UsageError(
            f"predictions: no table has a column {mos} ({', '.join(labels)}); name it with columns.mos=NAME, or the "
            "ratings with data=table data.path=FILE or data=ratings data.path=FILES"
        )
    return list(rows.values())
