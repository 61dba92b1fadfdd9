"""Tables of predictions: read, and made of scores."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd

from cover.errors import UsageError
from cover.rows import Row
from cover.tables import read_table

_SCORES = ("semantic", "technical", "aesthetic", "overall")  # as in cover.models, which imports torch
_NAMES = ("filename", "path", "file", "video", "name")


def read_predictions(
    path: Path,
    columns: Mapping[str, str | None],
    *,
    separator: str | None = None,
    decimal: str | None = None,
    sheet: str | int | None = None,
) -> tuple[list[Row], dict[str, dict[str, float]]]:
    """Read predictions and MOS from a table.

    Args:
        path: A table with a header (:mod:`cover.tables`).
        columns: Header of the columns ``path``, ``mos``, ``overall`` and the branches; branches may be absent. Where
            that of ``path`` is None, it is the first of Filename, path, file, video, name that is there, in any case.
        separator: What separates columns of text; None finds out.
        decimal: The decimal mark of text, likewise.
        sheet: Sheet of a spreadsheet, by name or by number from 0; None for the first.

    Returns:
        One row a video, its other columns in ``extras``; and the scores by name, as far as the table has them.

    Raises:
        UsageError: The table cannot be read, lacks a column, names a video twice, or has a MOS that is no number.
    """
    what = f"predictions={path}"
    read = read_table(path, what, separator=separator, decimal=decimal, sheet=sheet)
    columns = {**columns, "path": columns["path"] or _names_column(read.header)}
    table = pd.DataFrame([cells for _, cells in read.records], columns=read.header)
    needed = [str(columns[name]) for name in ("path", "mos", "overall")]
    if absent := [name for name in needed if name not in table]:
        raise UsageError(
            f"{what}: no column {', '.join(absent)} (found: {', '.join(map(str, table)) or 'none'}); "
            f"name it with columns.path, columns.mos, columns.overall{'; ' + read.layout if read.layout else ''}"
        )
    present = [name for name in _SCORES if columns[name] in table]
    for column in (columns["mos"], *(columns[name] for name in present)):
        table[column] = pd.to_numeric(table[column], errors="coerce").replace([math.inf, -math.inf], math.nan)
    names = table[columns["path"]].astype(str).str.strip()
    if names.duplicated().any():
        raise UsageError(f"{what}: {names[names.duplicated()].iloc[0]!r} is there twice")
    if table[columns["mos"]].isna().any():
        raise UsageError(f"{what}: {names[table[columns['mos']].isna()].iloc[0]!r} has no MOS")
    others = [column for column in table if column not in {columns[name] for name in (*present, "path", "mos")}]
    rows: list[Row] = []
    scores: dict[str, dict[str, float]] = {}
    for name, record in zip(names, table.to_dict("records"), strict=True):
        rows.append(Row(Path(name), name, record[columns["mos"]], {str(key): record[key] for key in others}))
        if math.isfinite(record[columns["overall"]]):
            scores[name] = {score: record[columns[score]] for score in present}
    return rows, scores


def prediction_table(rows: Sequence[Row], scores: Mapping[str, Mapping[str, float]]) -> pd.DataFrame:
    """Tabulate Filename, mos, the scores and what a calibration makes of them, one line a row.

    Args:
        rows: The rated videos.
        scores: By video, then by score; a score that is missing is NaN in the table.

    Raises:
        UsageError: There is not one score.
    """
    shown = [name for name in (*_SCORES, "predicted_mos") if any(name in values for values in scores.values())]
    if not shown:
        raise UsageError("no video could be scored: there is nothing to measure (errors.csv says why)")
    columns = {name: [scores.get(row.name, {}).get(name, math.nan) for row in rows] for name in shown}
    return pd.DataFrame({"Filename": [row.name for row in rows], "mos": [row.mos for row in rows], **columns})


def score_names(table: pd.DataFrame) -> list[str]:
    """List the scores that a table of predictions has, the overall one first."""
    return [name for name in ("overall", *_SCORES[:-1]) if name in table]


def _names_column(header: Sequence[str]) -> str:
    """The column that names the videos, as the header writes it; a usual name where there is none, for the message."""
    by_lower_case = {name.strip().lower(): name for name in reversed(header)}
    return next((by_lower_case[name] for name in _NAMES if name in by_lower_case), "Filename")
