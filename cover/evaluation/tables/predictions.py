"""Tables of predictions: read, and made of scores."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd

from cover.errors import UsageError
from cover.parts import WHOLE, Part, read_bound
from cover.rows import Row, part_of
from cover.scores import SCORES
from cover.tables import read_table

_INFER_HEADER = ("Filename", "Semantic", "Technical", "Aesthetic", "Overall")  # as cover.results.store writes it
_NAMES = ("filename", "path", "file", "video", "name")


@dataclass(frozen=True)
class PredictionTable:
    """A table of predictions as read.

    Attributes:
        what: What to call it in messages.
        rows: The videos or parts that it names, in its order, without a MOS.
        names_column: The column that has their names.
        of_part: The columns of starts and ends, where it has some.
        columns: Headers by what they hold, as far as they are known.
        frame: All of it.
    """

    what: str
    rows: list[Row]
    names_column: str
    of_part: Sequence[str]
    columns: Mapping[str, str | None]
    frame: pd.DataFrame

    @property
    def names(self) -> list[str]:
        """Names of the rows."""
        return [row.name for row in self.rows]

    @property
    def present(self) -> list[str]:
        """Those of our own scores that it has."""
        return [name for name in SCORES if self.columns[name] in self.frame]

    def rated(self) -> list[Row]:
        """List its videos with their MOS; none where it has no MOS."""
        mos = self.columns["mos"]
        if mos not in self.frame:
            return []
        used = {mos, self.names_column, *self.of_part, *(self.columns[name] for name in self.present)}
        others = [column for column in self.frame if column not in used]
        return [
            replace(row, mos=record[mos], extras={str(key): record[key] for key in others})
            for row, record in zip(self.rows, self.frame.to_dict("records"), strict=True)
        ]

    def scores(self) -> dict[str, dict[str, float]]:
        """Give our own scores of each video that has an overall one."""
        present = self.present
        found = self.frame[[self.columns[name] for name in present]].to_numpy()
        overall = present.index("overall")
        return {
            name: dict(zip(present, values, strict=True))
            for name, values in zip(self.names, found.tolist(), strict=True)
            if math.isfinite(values[overall])
        }


def read_predictions(
    path: Path,
    columns: Mapping[str, str | None],
    *,
    needs_mos: bool = True,
    needs_overall: bool = False,
    separator: str | None = None,
    decimal: str | None = None,
    sheet: str | int | None = None,
) -> PredictionTable:
    """Read predictions, and MOS where there are some, from a table.

    Args:
        path: A table with a header (:mod:`cover.tables`).
        columns: Header of the columns ``path``, ``mos``, ``overall`` and the branches, in any case; branches may be
            absent. Where that of ``path`` is None, it is the first of Filename, path, file, video, name that is there,
            in any case.
        needs_mos: Whether it must have a MOS.
        needs_overall: Whether it must have an overall score.
        separator: What separates columns of text; None finds out.
        decimal: The decimal mark of text, likewise.
        sheet: Sheet of a spreadsheet, by name or by number from 0; None for the first.

    Raises:
        UsageError: The table cannot be read, lacks a column, names a video twice, or has a MOS that is no number.
    """
    what = f"predictions={path}"
    read = read_table(path, what, separator=separator, decimal=decimal, sheet=sheet)
    names_column = columns["path"] or _names_column(read.header)
    columns = _as_written(columns, read.header)
    table = pd.DataFrame([cells for _, cells in read.records], columns=read.header)
    wanted = {"path": names_column, "mos": columns["mos"], "overall": columns["overall"]}
    needed = ["path", *(["mos"] if needs_mos else []), *(["overall"] if needs_overall else [])]
    apart = "; data=table data.path=FILE (or data=ratings) has MOS apart from predictions" if needs_mos else ""
    if absent := [str(wanted[name]) for name in needed if wanted[name] not in table]:
        raise UsageError(
            f"{what}: no column {', '.join(absent)} (found: {', '.join(map(str, table)) or 'none'}); "
            f"name it with columns.path, columns.mos, columns.overall{apart}{'; ' + read.layout if read.layout else ''}"
        )
    for column in (columns["mos"], *(columns[name] for name in SCORES)):
        if column in table:
            table[column] = pd.to_numeric(table[column], errors="coerce").replace([math.inf, -math.inf], math.nan)
    videos = table[names_column].astype(str).str.strip()
    of_part, parts = _parts(table)
    rows = [part_of(Row(Path(name), name), *part) for name, part in zip(videos, parts, strict=True)]
    names = pd.Series([row.name for row in rows], index=table.index, dtype=object)
    if names.duplicated().any():
        raise UsageError(f"{what}: {names[names.duplicated()].iloc[0]!r} is there twice")
    if columns["mos"] in table and table[columns["mos"]].isna().any():
        raise UsageError(f"{what}: {names[table[columns['mos']].isna()].iloc[0]!r} has no MOS")
    return PredictionTable(what, rows, names_column, of_part, columns, table)


def prediction_table(
    rows: Sequence[Row],
    scores: Mapping[str, Mapping[str, float]],
    uncertain: tuple[np.ndarray, np.ndarray] | None = None,
) -> pd.DataFrame:
    """Tabulate Filename, mos, the scores and what a calibration makes of them, one line a row.

    Args:
        rows: The rated videos.
        scores: By video, then by score; a score that is missing is NaN in the table.
        uncertain: Half-widths of the intervals of the MOS and their standard errors
            (:func:`cover.evaluation.raters.uncertainty.uncertainties`), for the columns ``ci95`` and ``se``; None:
            unknown.

    Raises:
        UsageError: There is not one score.
    """
    shown = [name for name in (*SCORES, "predicted_mos") if any(name in values for values in scores.values())]
    if not shown:
        raise UsageError("no video could be scored: there is nothing to measure (errors.csv says why)")
    columns = {name: [scores.get(row.name, {}).get(name, math.nan) for row in rows] for name in shown}
    return rated_table(rows, uncertain, columns)


def rated_table(
    rows: Sequence[Row], uncertain: tuple[np.ndarray, np.ndarray] | None, columns: Mapping[str, Sequence[float]]
) -> pd.DataFrame:
    """Tabulate Filename, mos, and what is known of its uncertainty, before columns of scores.

    Args:
        rows: The rated videos.
        uncertain: As of :func:`prediction_table`.
        columns: Scores by name, which is none of the others'.
    """
    known = {} if uncertain is None else {"ci95": uncertain[0], "se": uncertain[1]}
    rated = {"Filename": [row.name for row in rows], "mos": [row.mos for row in rows], **known}
    assert not rated.keys() & columns.keys()
    return pd.DataFrame({**rated, **columns})


def with_parts(table: pd.DataFrame, rows: Sequence[Row], placed: Mapping[str, Part]) -> pd.DataFrame:
    """Write the names of parts as Filename, Start and End, where the rows of a table are parts.

    Args:
        table: With ``Filename`` for each row.
        rows: The rows.
        placed: Of scored parts start and end in seconds, by name; they replace numbers of frames.
    """
    if not any(row.is_part for row in rows):
        return table
    cells = [row.part.placed(placed.get(row.name)).cells() for row in rows]
    starts, ends = ([bounds[place] for bounds in cells] for place in (0, 1))
    parted = table.assign(Filename=[row.video for row in rows])
    parted.insert(1, "Start", starts)
    parted.insert(2, "End", ends)
    return parted


def score_names(table: pd.DataFrame) -> list[str]:
    """List the scores that a table of predictions has, the overall one first."""
    return [name for name in ("overall", *SCORES[:-1]) if name in table]


def _as_written(columns: Mapping[str, str | None], header: Sequence[str]) -> dict[str, str | None]:
    """Headers as the table writes them, in any case; what ``infer`` writes as MOS is a prediction, and no MOS."""
    by_lower_case = {name.strip().lower(): name for name in reversed(header)}
    ours = set(_INFER_HEADER) <= set(header)
    found = {}
    for what, name in columns.items():
        other = by_lower_case.get(str(name).lower()) if isinstance(name, str) and name not in header else None
        found[what] = name if other is None or (what == "mos" and ours) else other
    return found


def _parts(table: pd.DataFrame) -> tuple[list[str], list[Part]]:
    """The columns of starts and ends, and each row's; none where columns of these names mean something else."""
    by_lower_case = {str(name).strip().lower(): str(name) for name in reversed(list(table))}
    columns = [by_lower_case.get(name) for name in ("start", "end")]
    whole: list[Part] = [WHOLE] * len(table)
    if None in columns:
        return [], whole
    try:
        read = [[read_bound(cell) for cell in table[column]] for column in columns]
    except ValueError:
        return [], whole
    return [str(column) for column in columns], list(map(Part, *read))


def _names_column(header: Sequence[str]) -> str:
    """The column that names the videos, as the header writes it; a usual name where there is none, for the message."""
    by_lower_case = {name.strip().lower(): name for name in reversed(header)}
    return next((by_lower_case[name] for name in _NAMES if name in by_lower_case), "Filename")
