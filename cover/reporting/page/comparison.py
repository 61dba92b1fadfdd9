"""The comparison of two runs: on the terminal, as CSV and as one HTML page."""

import math
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.text import Text

from cover.files import write_text
from cover.reporting.console import NumberTable, with_ends
from cover.reporting.page.pictures import Shelf, middle_picture
from cover.reporting.page.render import plain_numbers, render
from cover.reporting.tables import write_table
from cover.results.evidence import EvidenceFile
from cover.results.names import COMPARISON, COMPARISON_FILES, COMPARISON_PAGE
from cover.results.pairs import RunComparison, ScoreChange
from cover.text import visible

_ROOM = 6_500_000  # bytes of pictures in the page
_SHOWN = 8


def write_run_comparison(folder: Path, found: RunComparison) -> Path:
    """Write ``comparison.csv`` and ``comparison.html``.

    Returns:
        The page.
    """
    scores = [one.score for one in found.changes]
    columns = [f"{name}{end}" for name in scores for end in ("_a", "_b", "")]
    table = found.pairs.rename(columns={"a": "Filename", "b": "Filename_b"})[
        ["Filename", "Filename_b", *columns, "unlike"]
    ]
    write_table(folder / COMPARISON, table)
    shelf = Shelf(folder / COMPARISON_FILES, _ROOM)
    _shelve(found, shelf)
    data: dict[str, Any] = {
        "names": [visible(str(name)) for name in found.pairs["a"]],
        "others": [
            visible(str(name)) if name != other else None
            for name, other in zip(found.pairs["b"], found.pairs["a"], strict=True)
        ],
        "unlike": [visible(text) for text in found.pairs["unlike"]],
        "scores": {
            name: {end or "change": plain_numbers(found.pairs[f"{name}{end}"]) for end in ("_a", "_b", "")}
            for name in scores
        },
        "changes": [_row(one) for one in found.changes],
        "pictures": shelf.inside,
        "beside": shelf.beside,
        "files": COMPARISON_FILES,
    }
    page = render(
        "comparison",
        data,
        title=f"{found.b.folder.resolve().name} against {found.a.folder.resolve().name}",
        found=found,
        rows=[_row(one) for one in found.changes],
        answer=answer(found),
        alone=_alone(found),
        meaningless=[reason for reason in (found.a.run.meaningless, found.b.run.meaningless) if reason],
        settings=[tuple(map(visible, line)) for line in found.settings],
        swamped=int((found.pairs["unlike"] != "").sum()),
    )
    write_text(folder / COMPARISON_PAGE, page)
    return folder / COMPARISON_PAGE


def answer(found: RunComparison) -> str:
    """Say in a sentence whether B is better."""
    one = found.overall
    if one.reason:
        return f"Indeterminate: {one.reason}."
    return (
        f"B scores {one.verdict} by {abs(one.mean):.4f} overall on average "
        f"(95 % interval {one.low:+.4f} to {one.high:+.4f}, {one.n} pairs)."
    )


def show_runs(found: RunComparison, page: Path) -> None:
    """Show a comparison on the terminal."""
    console = Console()
    table = NumberTable(["B less A", "pairs", "mean, 95 %", "p", "higher", "lower", "B is"])
    for one in found.changes:
        row = _row(one)
        figure = with_ends(one.mean, (one.low, one.high), sign="+")
        table.add(one.score, *(str(cell) for cell in (one.n, figure, row["p"], one.wins, one.losses, one.verdict)))
    console.print(table)
    if swamped := int((found.pairs["unlike"] != "").sum()):
        console.print(
            f"{swamped} of {len(found.pairs)} pairs differ otherwise, which can swamp the scores:", highlight=False
        )
    largest = NumberTable(["largest changes first", "A", "B", "change", "differs by"])
    for _, pair in found.pairs.head(_SHOWN).iterrows():
        cells = [f"{pair['overall_a']:.4f}", f"{pair['overall_b']:.4f}", f"{pair['overall']:+.4f}", pair["unlike"]]
        largest.add(visible(str(pair["a"])), *cells)
    console.print(largest)
    for line in _alone(found):
        console.print(line, highlight=False)
    if found.settings:
        shown = ", ".join(name for name, *_ in found.settings[:_SHOWN])
        console.print(Text(f"the runs differ in: {shown}"))
    console.print(answer(found), highlight=False)
    console.print(f"comparison: {page} (and comparison.csv)", highlight=False, soft_wrap=True, markup=False)


def _alone(found: RunComparison) -> list[str]:
    counts = {"A": len(found.a.table) - len(found.pairs), "B": len(found.b.table) - len(found.pairs)}
    lines = [f"{count:,} videos are in {run} only" for run, count in counts.items() if count]
    failed = {"A": found.a.errors, "B": found.b.errors}
    return lines + [f"{len(errors):,} videos failed in {run}" for run, errors in failed.items() if errors]


def _row(one: ScoreChange) -> dict[str, Any]:
    known = math.isfinite(one.low)
    return {
        "score": one.score,
        "n": one.n,
        "mean": f"{one.mean:+.4f}" if one.n else "",
        "interval": f"{one.low:+.4f} to {one.high:+.4f}" if known else "",
        "ends": [one.low, one.mean, one.high] if known else None,
        "p": f"{one.p:.2g}" if math.isfinite(one.p) else "",
        "wins": one.wins,
        "losses": one.losses,
        "verdict": one.verdict,
        "reason": one.reason,
    }


def _shelve(found: RunComparison, shelf: Shelf) -> None:
    """Put both pictures of a pair before those of the next."""
    evidence = {kind: EvidenceFile(results.folder) for kind, results in (("a", found.a), ("b", found.b))}
    for number, names in enumerate(zip(found.pairs["a"], found.pairs["b"], strict=True)):
        for kind, name in zip("ab", map(str, names), strict=True):
            if name in evidence[kind] and (picture := middle_picture(evidence[kind][name])):
                shelf.put(kind, number, picture, ".webp")
