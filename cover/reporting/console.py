"""Tables and summaries on the terminal."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import fmean, pstdev
from typing import TYPE_CHECKING, Any

from rich.console import Group, RenderableType
from rich.table import Column, Table
from rich.text import Text

if TYPE_CHECKING:
    from cover.evaluation.measures import Measures

_FEW = 20  # videos that a summary lists one and all
_ORDER = ("srocc", "plcc", "krocc", "rmse")


def summary(
    scores: Mapping[str, Mapping[str, float]],
    errors: Mapping[str, str],
    notes: Mapping[str, Sequence[str]],
    folder: Path,
    table: Path | None = None,
) -> RenderableType:
    """Summarise a run: count, mean and spread of each score, the videos from best to worst, and where the files are.

    Args:
        scores: By video, then by score.
        errors: By video, why it has no score.
        notes: By video, remarks on how it was read.
        folder: The results folder.
        table: Where the scores are; by default ``scores.csv`` in that folder.
    """
    parts: list[RenderableType] = []
    if scores:
        names = list(next(iter(scores.values())))
        spread = Table("score", *(Column(name, justify="right") for name in ("videos", "mean", "std", "min", "max")))
        for name in names:
            values = [found[name] for found in scores.values()]
            figures = (fmean(values), pstdev(values), min(values), max(values))
            spread.add_row(name, str(len(values)), *(f"{figure:.4f}" for figure in figures))
        parts += [spread, _ranking(scores, names)]
    parts.append(Text(f"{len(scores)} scored, {len(errors)} failed" + (f", {len(notes)} with notes" if notes else "")))
    parts.append(Text(f"scores: {table or folder / 'scores.csv'}"))
    if errors:
        parts.append(Text(f"why files failed: {folder / 'errors.csv'}"))
    if notes:
        parts.append(Text(f"notes: {folder / 'notes.csv'}"))
    return Group(*parts)


def _ranking(scores: Mapping[str, Mapping[str, float]], names: Sequence[str]) -> Table:
    """List the videos from best to worst; of many, the ends: where to look first."""
    table = Table("", "file", *(Column(name, justify="right") for name in names))
    ranked = sorted(scores.items(), key=lambda item: item[1]["overall"], reverse=True)
    parts = {"best": ranked[:3], "worst": ranked[-3:]} if len(ranked) > _FEW else {"best first": ranked}
    for label, part in parts.items():
        for place, (file, found) in enumerate(part):
            # repr keeps a newline or an undecodable byte in a file name from breaking the table.
            text = Text(file if file.isprintable() else ascii(file), overflow="fold")
            table.add_row(label if place == 0 else "", text, *(f"{found[name]:.4f}" for name in names))
    return table


def agreement(
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
    table = Table("score", Column("n", justify="right"), *(Column(name.upper(), justify="right") for name in _ORDER))
    for name, values in measures.items():
        cells = []
        for measure in _ORDER:
            low, high = values.ci95.get(measure, (None, None))
            interval = "" if low is None else f"\n[{low:.4f}, {high:.4f}]"
            cells.append(Text(f"{getattr(values, measure):.4f}{interval}"))
        table.add_row(name, str(values.n), *cells)
    for name, figures in (published or {}).items():
        if name != "source":
            table.add_row(f"{name}, published", "", *(f"{figures.get(measure, 'unknown')}" for measure in _ORDER))
    lost = [f"{count} {what}" for count, what in ((missing, "missing"), (failed, "failed")) if count]
    stands = f"on {next(iter(measures.values())).n} of {total} videos" + (f" ({', '.join(lost)})" if lost else "")
    source = [Text(f"published: {published['source']}")] if published else []
    return Group(table, Text(stands), *source)
