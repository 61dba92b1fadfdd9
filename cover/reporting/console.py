"""Tables and summaries on the terminal."""

import math
from collections.abc import Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.box import SIMPLE
from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.table import Table
from rich.text import Text

from cover.reporting.clock import stretch
from cover.reporting.terminal import TextLine, where
from cover.results.names import ERRORS, NOTES, RATERS, SCORES_TABLE, VIDEOS
from cover.results.overview import LISTED, Overview
from cover.text import counted, visible

if TYPE_CHECKING:
    from cover.evaluation.measures import Measures
    from cover.evaluation.raters.study import Study

_FEW_ERRORS = 5
_WORST = 10  # moments
_ENDS = 3  # of more, those listed at either end
_NAME = 20  # characters of a name that a roomy table shows in a line
_HEADER = 9  # characters of a header in a line, at least
_LEAST = 60  # columns; a narrower terminal wraps lines by itself


class NumberTable:
    """A table of names and numbers. Where there is little room, names and headers fold; numbers stay whole.

    Args:
        headers: Of the names, then of each column of numbers.
    """

    def __init__(self, headers: Sequence[str]) -> None:
        self.headers = headers
        self.rows: list[Sequence[str]] = []
        self._ends: set[int] = set()

    def add(self, *cells: str) -> None:
        """Add a row; a number may have a second line."""
        self.rows.append(cells)

    def section(self, ends: bool) -> None:
        """End a section with the row that was added last."""
        self._ends |= {len(self.rows)} if ends else set()

    def __rich_console__(self, console: Console, place: ConsoleOptions) -> RenderResult:
        """Lay the table out for the width that there is."""
        rows = [[_writable(cell, console.encoding) for cell in cells] for cells in self.rows]
        columns = list(zip(self.headers, *rows, strict=True))
        lines = [max(len(line) for cell in column for line in cell.split("\n")) for column in columns]
        needed = min(lines[0], _NAME) + sum(lines[1:])
        roomy = needed + 3 * len(lines) + 1 <= place.max_width
        whole_headers = needed + len(lines) <= place.max_width
        table = Table() if roomy else Table(box=SIMPLE, padding=0, show_edge=False)
        table.add_column(self.headers[0], overflow="fold")
        for column, line in zip(columns[1:], lines[1:], strict=True):
            whole = max((len(word) for cell in column[1:] for word in cell.split()), default=1)
            width = line if roomy or whole_headers else max(whole, _HEADER)
            table.add_column(column[0], justify="right", overflow="fold", width=width)
        for number, cells in enumerate(rows, start=1):
            table.add_row(*map(Text, cells), end_section=number in self._ends)
        yield from console.render(table, place.update_width(max(place.max_width, _LEAST)))


def _writable(text: str, encoding: str) -> str:
    """Text with escapes for what an encoding lacks, which then count as the room that they take."""
    return text.encode(encoding, "backslashreplace").decode(encoding)


def summary(overview: Overview, folder: Path, table: Path | None = None, remarks: Sequence[str] = ()) -> RenderableType:
    """Summarise a run: count, mean and spread of each score, the videos from best to worst, and where the files are.

    Where parts were scored, the worst moments of all videos take the place of the ranking.

    Args:
        overview: The run in figures.
        folder: The results folder.
        table: Where the scores are; by default ``scores.csv`` in that folder.
        remarks: On what was not scored at all, one line each.
    """
    in_parts = overview.videos is not None
    lines: list[RenderableType] = []
    if overview.scored:
        spreads = NumberTable(["score", "parts" if in_parts else "videos", "mean", "std", "min", "max"])
        for name, spread in overview.spreads.items():
            spreads.add(name, str(overview.scored), *(_shown(name, figure) for figure in spread))
        names = list(overview.spreads)
        lines += [spreads, _worst_moments(overview, names) if in_parts else _ranking(overview, names)]
    errors = overview.errors
    noted = f", {overview.noted} with notes" if overview.noted else ""
    scored = overview.scored if overview.videos is None else _of_videos(overview.scored, overview.videos)
    lines.append(TextLine(f"{scored} scored, {len(errors)} failed{noted}"))
    lines += [TextLine(f"{visible(file)}: {visible(reason)}") for file, reason in islice(errors.items(), _FEW_ERRORS)]
    if len(errors) > _FEW_ERRORS:
        lines.append(TextLine(f"and {len(errors) - _FEW_ERRORS} more"))
    lines += [TextLine(remark) for remark in remarks]
    lines.append(where("scores", table or folder / SCORES_TABLE))
    if in_parts:
        lines.append(where("scores of whole videos, weighted by duration", folder / VIDEOS))
    if errors:
        lines.append(where(f"why {'parts' if in_parts else 'files'} failed", folder / ERRORS))
    if overview.noted:
        lines.append(where("notes", folder / NOTES))
    return Group(*lines)


def _of_videos(parts: int, videos: int) -> str:
    return f"{counted(parts, 'part')} of {counted(videos, 'video')}"


def _worst_moments(overview: Overview, names: Sequence[str]) -> NumberTable:
    """List the parts with the lowest overall scores, worst first."""
    every = overview.scored <= _WORST
    table = NumberTable(["parts, worst first" if every else f"worst {_WORST} parts", *names])
    for row in overview.worst[:_WORST]:
        start, end = row.part or (None, None)
        where = row.name if start is None or end is None else f"{row.video} {stretch(float(start), float(end))}"
        table.add(visible(where), *(_shown(score, row.scores[score]) for score in names))
    return table


def _shown(name: str, value: float) -> str:
    return f"{value:.1f}" if name == "percentile" else f"{value:.4f}"


def _ranking(overview: Overview, names: Sequence[str]) -> NumberTable:
    """List the videos from best to worst; of many, the ends: where to look first."""
    many = overview.scored > LISTED
    table = NumberTable([f"best {_ENDS} and worst {_ENDS}" if many else "best first", *names])
    ends = [*overview.best[:_ENDS], *reversed(overview.worst[:_ENDS])]
    for row in ends if many else overview.best:
        table.add(visible(row.name), *(_shown(name, row.scores[name]) for name in names))
        table.section(many and len(table.rows) == _ENDS)
    return table


def measures_table(
    measures: "Mapping[str, Measures]", published: Mapping[str, Any] | None, total: int, missing: int, failed: int
) -> RenderableType:
    """Tabulate SROCC, PLCC, KROCC and RMSE of each score with their intervals, beside published figures.

    Args:
        measures: By score.
        published: ``{"source": ..., "overall": {"srocc": ..., ...}}``, or None where none are known.
        total: Videos of the dataset.
        missing: How many of them are not there.
        failed: How many of them could not be scored.
    """
    from cover.evaluation.registry import MEASURES, displayed

    columns = displayed()
    table = NumberTable(["score", "n", *(MEASURES[name].label for name in columns)])
    for name, values in measures.items():
        cells = (with_ends(values.values.get(column), values.ci95.get(column)) for column in columns)
        table.add(name, str(values.n), *cells)
    for name, figures in (published or {}).items():
        if name != "source":
            table.add(f"{name}, published", "", *(f"{figures.get(column, 'unknown')}" for column in columns))
    lost = [f"{count} {what}" for count, what in ((missing, "missing"), (failed, "failed")) if count]
    stands = f"on {next(iter(measures.values())).n} of {total} videos" + (f" ({', '.join(lost)})" if lost else "")
    source = [TextLine(f"published: {published['source']}")] if published else []
    reasons = dict.fromkeys(reason for values in measures.values() for reason in values.undefined)
    return Group(table, TextLine(stands), *(TextLine(f"undefined: {reason}") for reason in reasons), *source)


def jobs_table(lines: Sequence[Mapping[str, Any]]) -> NumberTable:
    """Tabulate the overall scores of the jobs of a multirun.

    Args:
        lines: Of every job and score: ``job, options, data, model, score, n``, and each measure by name.
    """
    from cover.evaluation.registry import MEASURES, displayed

    columns = displayed()
    table = NumberTable(["job", "n", *(MEASURES[name].label for name in columns)])
    for line in lines:
        if line["score"] == "overall":
            known = ("job", "options") if line["options"] else ("job", "data", "model")
            name = " ".join(visible(str(line[key])) for key in known if line[key] is not None)
            cells = (with_ends(line.get(key), (line.get(f"{key}_low"), line.get(f"{key}_high"))) for key in columns)
            table.add(name, str(line.get("n", "")), *cells)
    return table


def standard_table(standards: Mapping[str, Mapping[str, Any]]) -> RenderableType:
    """Tabulate the figures of P.1401 of each score.

    Args:
        standards: By score, what :meth:`cover.evaluation.p1401.Standard.as_dict` gives.
    """
    resolving = any(figures["resolving_power"] is not None for figures in standards.values())
    power = ["resolving power"] if resolving else []
    table = NumberTable(["ITU-T P.1401", "PLCC", "RMSE", "RMSE*", "outlier ratio", *power])
    for name, figures in standards.items():
        cells = [
            with_ends(figures[key], figures.get(f"{key}_ci95"))
            for key in ("plcc", "rmse", "rmse_star", "outlier_ratio")
        ]
        table.add(name, *cells, *([with_ends(figures["resolving_power"])] if resolving else []))
    return table


def with_ends(value: float | None, ends: Sequence[float | None] | None = None, digits: int = 4, sign: str = "") -> str:
    """Write a figure and, below it, its interval where it has one.

    Args:
        value: The figure; None and NaN are undefined.
        ends: Of its interval; None, or an end that is None or NaN, writes none.
        digits: Behind the point.
        sign: ``+`` writes it for positive figures, too.
    """
    text = "nan" if value is None else f"{value:{sign}.{digits}f}"
    known = [end for end in ends or () if end is not None and not math.isnan(end)]
    return f"{text}\n[{known[0]:.{digits}f}, {known[1]:.{digits}f}]" if len(known) == 2 else text


def study_lines(study: "Study", folder: Path) -> RenderableType:
    """Say how far raters agree, and where it is written who was rejected."""
    return Group(*map(TextLine, study.sentences()), where("raters", folder / RATERS))
