"""Tables of predictions: read, and made of scores."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from cover.cells import is_infinite, is_missing, number
from cover.errors import UsageError
from cover.parts import WHOLE, Part, read_bound
from cover.results.names import FILENAME, MOS, PART
from cover.results.record import is_before_07
from cover.rows import Row, part_of
from cover.scores import SCORES
from cover.tables import VIDEO_COLUMNS, Columns, read_table

_FEWEST = 5  # videos: of fewer, a MOS may follow Overall exactly by chance
_DECIMALS = 4  # of scores in a table


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
        suspicious: Whether the MOS was found by default, and not named.
    """

    what: str
    rows: list[Row]
    names_column: str
    of_part: Sequence[str]
    columns: Mapping[str, str | None]
    frame: pd.DataFrame
    suspicious: bool = False

    @property
    def names(self) -> list[str]:
        """Names of the rows."""
        return [row.name for row in self.rows]

    @property
    def present(self) -> list[str]:
        """The columns of our own scores that the table has."""
        return [name for name in SCORES if self.columns[name] in self.frame]

    def rated(self) -> list[Row]:
        """List its videos with their MOS; none where it has no MOS.

        Raises:
            UsageError: The MOS is a strictly monotone function of the overall score, so that a model predicted it.
        """
        mos, overall = self.columns["mos"], self.columns["overall"]
        if mos not in self.frame:
            return []
        if self.suspicious and mos != "mos" and overall in self.frame:
            _refuse_predicted(self.what, str(mos), self.frame[overall], self.frame[mos])
        used = {mos, self.names_column, *self.of_part, *(self.columns[name] for name in self.present)}
        others = [column for column in self.frame if column not in used]
        return [
            replace(row, mos=record[mos], extras={str(key): record[key] for key in others})
            for row, record in zip(self.rows, self.frame.to_dict("records"), strict=True)
        ]

    def scores(self) -> dict[str, dict[str, float]]:
        """Give our own scores of each video that has an overall one."""
        present = self.present
        values_of = self.frame[[self.columns[name] for name in present]].to_numpy()
        overall = present.index("overall")
        return {
            name: dict(zip(present, values, strict=True))
            for name, values in zip(self.names, values_of.tolist(), strict=True)
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
        columns: Header of the columns ``path``, ``mos``, ``overall`` and the branches, found as
            :class:`cover.tables.Columns` says; branches may be absent. Where that of ``path`` is None, it is the first
            of :data:`cover.tables.VIDEO_COLUMNS` that is there.
        needs_mos: Whether it must have a MOS.
        needs_overall: Whether it must have an overall score.
        separator: What separates columns of text; None finds out.
        decimal: The decimal mark of text; None finds out.
        sheet: Sheet of a spreadsheet, by name or by number from 0; None for the first.

    Raises:
        UsageError: The table cannot be read, lacks a column, names a video twice, or has a MOS that is not a number or
            not what people said.
    """
    what = f"predictions={path}"
    bare = (columns["path"] or "path", columns["overall"] or "overall")
    read = read_table(path, what, separator=separator, decimal=decimal, sheet=sheet, bare=bare)
    header = Columns(read.header, what, read.layout)
    by_default = columns["mos"] == "mos"
    columns = {name: _as_written(header, columns[name]) for name in ("path", "mos", *SCORES)}
    names_column = columns["path"] or header.find(*VIDEO_COLUMNS) or FILENAME
    if by_default and columns["mos"] == MOS and is_before_07(path.parent):
        if needs_mos:
            remedy = "give the ratings with data=table data.path=FILE, or name their column with columns.mos=NAME"
            raise UsageError(f"{what}: its MOS is what a version before 0.7 predicted; {remedy}")
        columns["mos"] = None
    records = list(read.records)
    places = [where for where, _ in records]
    table = pd.DataFrame([cells for _, cells in records], columns=read.header)
    headers = {"path": names_column, "mos": columns["mos"], "overall": columns["overall"]}
    needed = ["path", *(["mos"] if needs_mos else []), *(["overall"] if needs_overall else [])]
    apart = "; data=table data.path=FILE (or data=ratings) has MOS apart from predictions" if needs_mos else ""
    if absent := [str(headers[name]) for name in needed if headers[name] not in table]:
        raise header.lacks("", *absent, more=f"; name it with columns.path, columns.mos, columns.overall{apart}")
    for column in (columns["mos"], *(columns[name] for name in SCORES)):
        if column in table:
            table[column] = _numbers(table[column], str(column), places, what)
    videos = table[names_column].astype(str).str.strip()
    of_part, parts = _parts(table)
    rows = [part_of(Row(Path(name), name), *part) for name, part in zip(videos, parts, strict=True)]
    names = pd.Series([row.name for row in rows], index=table.index, dtype=object)
    if names.duplicated().any():
        raise UsageError(f"{what}: {names[names.duplicated()].iloc[0]!r} is listed twice; remove one")
    if columns["mos"] in table and table[columns["mos"]].isna().any():
        raise UsageError(f"{what}: {names[table[columns['mos']].isna()].iloc[0]!r} has no MOS")
    return PredictionTable(what, rows, names_column, of_part, columns, table, suspicious=by_default)


def prediction_table(
    rows: Sequence[Row],
    scores: Mapping[str, Mapping[str, float]],
    uncertain: tuple[np.ndarray, np.ndarray] | None = None,
) -> pd.DataFrame:
    """Tabulate Filename, mos, the scores and the calibrated scores, one line a row.

    Args:
        rows: The rated videos.
        scores: By video, then by score; a score that is missing is NaN in the table.
        uncertain: Half-widths of the intervals of the MOS and their standard errors
            (:func:`cover.evaluation.raters.uncertainty.uncertainties`), for the columns ``ci95`` and ``se``; None:
            unknown.

    Raises:
        UsageError: There is not one score.
    """
    names = [name for name in (*SCORES, "predicted_mos") if any(name in values for values in scores.values())]
    if not names:
        raise UsageError("no video could be scored: there is nothing to measure (errors.csv says why)")
    columns = {name: [scores.get(row.name, {}).get(name, math.nan) for row in rows] for name in names}
    return rated_table(rows, uncertain, columns)


def rated_table(
    rows: Sequence[Row], uncertain: tuple[np.ndarray, np.ndarray] | None, columns: Mapping[str, Sequence[float]]
) -> pd.DataFrame:
    """Tabulate Filename, mos, and what is known of its uncertainty, before columns of scores.

    Args:
        rows: The rated videos.
        uncertain: As of :func:`prediction_table`.
        columns: Scores by names that no other column has.
    """
    known = {} if uncertain is None else {"ci95": uncertain[0], "se": uncertain[1]}
    rated = {FILENAME: [row.name for row in rows], "mos": [row.mos for row in rows], **known}
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


def _numbers(cells: "pd.Series[Any]", column: str, places: Sequence[str], what: str) -> list[float]:
    """The cells of a column as numbers; NaN where they are missing.

    Raises:
        UsageError: A cell is neither a number nor missing.
    """
    values = []
    for cell, place in zip(cells, places, strict=True):
        value = number(cell)
        if value is None and not is_missing(cell) and not is_infinite(cell):
            raise UsageError(f"{what}: {place} has {column} {str(cell)[:80]!r}, not a number")
        values.append(math.nan if value is None else value)
    return values


def _as_written(header: Columns, column: str | None) -> str | None:
    """A column as the header writes it; as it is, for messages, where it is not there."""
    return None if column is None else header.find(column) or column


def _refuse_predicted(what: str, column: str, overall: "pd.Series[float]", mos: "pd.Series[float]") -> None:
    """Refuse a MOS that rises or falls strictly with overall, as far as tables of four decimals show.

    Raises:
        UsageError: It does.
    """
    scored = pd.DataFrame({"overall": overall, "mos": mos}).dropna().round(_DECIMALS)
    if len(scored) < _FEWEST or scored["mos"].nunique() < _FEWEST:
        return
    for rising in (True, False):
        ordered = scored.sort_values(["overall", "mos"], ascending=[True, rising])
        steps = ordered.diff().dropna() * (1 if rising else -1)
        # Rounding makes close values equal; whatever is further apart has to move.
        apart = steps["overall"].abs() > 2 * 10**-_DECIMALS
        if (steps["mos"] >= 0).all() and (steps["mos"][apart] > 0).all():
            raise UsageError(
                f"{what}: {column} is a strictly monotone function of the overall score, so a model predicted it; "
                f"columns.mos={column} takes it all the same"
            )


def _parts(table: pd.DataFrame) -> tuple[list[str], list[Part]]:
    """The columns of starts and ends, and each row's; none where columns of these names mean something else."""
    header = Columns([str(name) for name in table])
    columns = [header.find(name) for name in PART]
    whole = [WHOLE] * len(table)
    if None in columns:
        return [], whole
    try:
        bounds = [[read_bound(cell) for cell in table[column]] for column in columns]
    except ValueError:
        return [], whole
    return [str(column) for column in columns], list(map(Part, *bounds))
