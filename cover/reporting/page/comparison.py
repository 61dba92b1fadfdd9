"""The comparison of two runs: on the terminal, as CSV and as one HTML page."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
from rich.console import Console
from rich.text import Text

from cover.files import write_text
from cover.reporting.console import NumberTable, with_ends
from cover.reporting.page.pictures import Shelf, middle_picture
from cover.reporting.page.render import plain_numbers, render, visible
from cover.reporting.tables import write_table
from cover.results.evidence import EvidenceFile
from cover.results.pairs import ScoreChange, change, paired, setting_differences, unlike
from cover.results.read import FACTS, Results
from cover.scores import SCORES

_FILES = "comparison_files"
_ROOM = 6_500_000  # bytes of pictures in the page
_ORDER = ("overall", *(name for name in SCORES if name != "overall"))
_COMPARED = ("model", "weights", "clip_weights", "views", "trainer", "data", "decode")
_SHOWN = 8


@dataclass(frozen=True)
class RunComparison:
    """Run B held against run A.

    Attributes:
        a: Run A.
        b: Run B.
        pairs: A row a pair: ``a`` and ``b`` (names), ``unlike`` (what else differs, as text), and for each score
            ``<score>_a``, ``<score>_b`` and ``<score>`` (B less A); pairs that differ otherwise come first, then the
            largest changes of overall.
        changes: Of each score.
        settings: What differs between the runs: option, in A, in B.
    """

    a: Results
    b: Results
    pairs: pd.DataFrame
    changes: Sequence[ScoreChange]
    settings: Sequence[tuple[str, str, str]]

    @property
    def overall(self) -> ScoreChange:
        """The change of the overall score."""
        return self.changes[0]


def compare_results(a: Results, b: Results, resamples: int) -> RunComparison:
    """Hold run B against run A, video by video.

    Args:
        a: Run A.
        b: Run B.
        resamples: Bootstrap resamplings of the means.
    """
    pairs = paired(a.table.dropna(subset=["overall"]), b.table.dropna(subset=["overall"]))
    left, right = a.table.loc[pairs["a"]], b.table.loc[pairs["b"]]
    scores = [name for name in _ORDER if name in left and name in right]
    for name in scores:
        pairs[f"{name}_a"], pairs[f"{name}_b"] = left[name].to_numpy(), right[name].to_numpy()
        pairs[name] = pairs[f"{name}_b"] - pairs[f"{name}_a"]
    facts = [part[list(FACTS)].to_dict("records") for part in (left, right)]
    pairs["unlike"] = ["; ".join(unlike(old, new)) for old, new in zip(*facts, strict=True)]
    order = pairs.assign(alike=pairs["unlike"] == "", size=-pairs["overall"].abs()).sort_values(["alike", "size"])
    changes = []
    for name in scores:
        both = pairs[[f"{name}_a", f"{name}_b"]].dropna().to_numpy()
        changes.append(change(name, both[:, 0], both[:, 1], resamples))
    records = [_record(results) for results in (a, b)]
    return RunComparison(a, b, pairs.loc[order.index], changes, setting_differences(*records))


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
    write_table(folder / "comparison.csv", table)
    shelf = Shelf(folder / _FILES, _ROOM)
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
        "files": _FILES,
    }
    page = render(
        "comparison",
        data,
        title=f"{found.b.folder.resolve().name} against {found.a.folder.resolve().name}",
        found=found,
        rows=[_row(one) for one in found.changes],
        answer=answer(found),
        alone=_alone(found),
        meaningless=[reason for reason in (found.a.meaningless, found.b.meaningless) if reason],
        settings=[tuple(map(visible, line)) for line in found.settings],
        swamped=int((found.pairs["unlike"] != "").sum()),
    )
    write_text(folder / "comparison.html", page)
    return folder / "comparison.html"


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


def _record(results: Results) -> Mapping[str, Any]:
    kept = {name: results.config[name] for name in _COMPARED if name in results.config}
    return {**kept, "weights_sha256": results.run.get("weights_sha256"), "versions": results.run.get("versions")}


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
