"""The comparison of two runs: on the terminal, as CSV and as one HTML page."""

import math
from pathlib import Path
from typing import Any

from cover.files import write_text
from cover.reporting.console import NumberTable, with_ends
from cover.reporting.page.pictures import Shelf, middle_picture
from cover.reporting.page.render import plain_numbers, render
from cover.reporting.tables import write_table
from cover.reporting.terminal import show, where
from cover.results.evidence import EvidenceFile
from cover.results.names import COMPARISON, COMPARISON_FILES, COMPARISON_PAGE, FILENAME
from cover.results.pairs import RunComparison, ScoreChange
from cover.text import visible

_ROOM = 6_500_000  # bytes of pictures in the page
_SHOWN = 8


def write_run_comparison(folder: Path, comparison: RunComparison) -> Path:
    """Write ``comparison.csv`` and ``comparison.html``.

    Returns:
        The page.
    """
    scores = [change.score for change in comparison.changes]
    columns = [f"{name}{end}" for name in scores for end in ("_a", "_b", "")]
    table = comparison.pairs.rename(columns={"a": FILENAME, "b": "Filename_b"})[
        [FILENAME, "Filename_b", *columns, "unlike"]
    ]
    write_table(folder / COMPARISON, table)
    changes = [_row(change) for change in comparison.changes]
    shelf = Shelf(folder / COMPARISON_FILES, _ROOM)
    _shelve(comparison, shelf)
    data: dict[str, Any] = {
        "names": [visible(str(name)) for name in comparison.pairs["a"]],
        "others": [
            visible(str(name)) if name != other else None
            for name, other in zip(comparison.pairs["b"], comparison.pairs["a"], strict=True)
        ],
        "unlike": [visible(text) for text in comparison.pairs["unlike"]],
        "scores": {
            name: {end or "change": plain_numbers(comparison.pairs[f"{name}{end}"]) for end in ("_a", "_b", "")}
            for name in scores
        },
        "changes": changes,
        "pictures": shelf.inside,
        "beside": shelf.beside,
        "files": COMPARISON_FILES,
    }
    page = render(
        "comparison",
        data,
        title=f"{comparison.b.folder.resolve().name} against {comparison.a.folder.resolve().name}",
        comparison=comparison,
        rows=changes,
        answer=answer(comparison),
        alone=_alone(comparison),
        meaningless=[reason for reason in (comparison.a.run.meaningless, comparison.b.run.meaningless) if reason],
        settings=[tuple(map(visible, line)) for line in comparison.settings],
        swamped=comparison.swamped,
    )
    write_text(folder / COMPARISON_PAGE, page)
    return folder / COMPARISON_PAGE


def answer(comparison: RunComparison) -> str:
    """Say in a sentence whether B is better."""
    change = comparison.overall
    if change.reason:
        return f"Indeterminate: {change.reason}."
    return (
        f"B scores {change.verdict} by {abs(change.mean):.4f} overall on average "
        f"(95 % interval {change.low:+.4f} to {change.high:+.4f}, {change.n} pairs)."
    )


def show_runs(comparison: RunComparison, page: Path) -> None:
    """Show a comparison on the terminal."""
    table = NumberTable(["B - A", "pairs", "mean, 95 %", "p", "higher", "lower", "B is"])
    for change in comparison.changes:
        row = _row(change)
        figure = with_ends(change.mean, (change.low, change.high), sign="+")
        table.add(
            change.score,
            *(str(cell) for cell in (change.n, figure, row["p"], change.wins, change.losses, change.verdict)),
        )
    show(table)
    if swamped := comparison.swamped:
        show(f"{swamped} of {len(comparison.pairs)} pairs differ otherwise, which can swamp the scores:")
    largest = NumberTable(["largest changes first", "A", "B", "change", "differs by"])
    for _, pair in comparison.pairs.head(_SHOWN).iterrows():
        cells = [f"{pair['overall_a']:.4f}", f"{pair['overall_b']:.4f}", f"{pair['overall']:+.4f}", pair["unlike"]]
        largest.add(visible(str(pair["a"])), *cells)
    show(largest, *_alone(comparison))
    # That the runs have other data is known; the page lists it.
    if settings := [name for name, *_ in comparison.settings if not name.startswith("data.")]:
        names = ", ".join(settings[:_SHOWN])
        show(f"the runs differ in: {names}")
    show(answer(comparison), where("comparison", page, " (and comparison.csv)"))


def _alone(comparison: RunComparison) -> list[str]:
    counts = {
        "A": len(comparison.a.table) - len(comparison.pairs),
        "B": len(comparison.b.table) - len(comparison.pairs),
    }
    lines = [f"{count:,} videos are in {run} only" for run, count in counts.items() if count]
    failed = {"A": comparison.a.errors, "B": comparison.b.errors}
    return lines + [f"{len(errors):,} videos failed in {run}" for run, errors in failed.items() if errors]


def _row(change: ScoreChange) -> dict[str, Any]:
    known = math.isfinite(change.low)
    return {
        "score": change.score,
        "n": change.n,
        "mean": f"{change.mean:+.4f}" if change.n else "",
        "interval": f"{change.low:+.4f} to {change.high:+.4f}" if known else "",
        "ends": [change.low, change.mean, change.high] if known else None,
        "p": f"{change.p:.2g}" if math.isfinite(change.p) else "",
        "wins": change.wins,
        "losses": change.losses,
        "verdict": change.verdict,
        "reason": change.reason,
    }


def _shelve(comparison: RunComparison, shelf: Shelf) -> None:
    """Put both pictures of a pair before those of the next."""
    evidence = {kind: EvidenceFile(results.folder) for kind, results in (("a", comparison.a), ("b", comparison.b))}
    for number, names in enumerate(zip(comparison.pairs["a"], comparison.pairs["b"], strict=True)):
        for kind, name in zip("ab", map(str, names), strict=True):
            if name in evidence[kind] and (picture := middle_picture(evidence[kind][name])):
                shelf.put(kind, number, picture, ".webp")
