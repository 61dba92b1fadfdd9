"""Write the list of the videos that fulfil a condition, and say how many and how long they are."""

import re

import pandas as pd
from rich.console import Console

from cover.config.options.results import SelectOptions
from cover.errors import UsageError
from cover.files import write_text
from cover.parts import bound_text
from cover.reporting.tables import write_table
from cover.results.conditions import conditioned, matching
from cover.results.journal import read_locations
from cover.results.names import FILENAME, PART, SELECTED
from cover.results.read import Results, read_folder
from cover.text import visible

_NOTHING_KEPT = 1

_CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")


def select(options: SelectOptions) -> int:
    """Select videos.

    Returns:
        0, or 1 when nothing is kept.

    Raises:
        UsageError: There are no results, or the condition cannot be read.
    """
    results = read_folder(options.folder)
    warn_of_meaningless(results)
    table = conditioned(results)
    selected = results.table.loc[table.index[matching(table, options.expression, options.by).to_numpy()]]
    selected = selected.sort_values("overall", ascending=False, kind="stable")
    path = options.output or options.folder / SELECTED
    names = [str(name) for name in (selected["video"] if results.in_parts else selected.index)]
    paths = read_locations(options.folder, set(names))
    if path.suffix == ".txt":
        if results.in_parts:
            raise UsageError(f"output={path}: a list of paths cannot hold parts; name a .csv file")
        lines = [paths.get(name, name) for name in names]
        plain = [line for line in lines if not _CONTROLS.search(line)]
        if count := len(lines) - len(plain):
            remedy = "name a .csv file, which can hold them"
            message = f"WARNING: left out names with control characters: {count}; {remedy}"
            Console(stderr=True).print(message, highlight=False)
        write_text(path, "".join(f"{line}\n" for line in plain))
    elif path.suffix == ".csv":
        listed = pd.DataFrame({FILENAME: names, "path": [paths.get(name, name) for name in names]})
        if results.in_parts:
            for column, bound in PART.items():
                listed[column] = [bound_text(bound) for bound in selected[bound]]
        hidden = {"video", *PART.values()} if results.in_parts else set()
        others = [name for name in selected if name not in hidden and selected[name].notna().any()]
        write_table(path, pd.concat([listed, selected[others].reset_index(drop=True)], axis=1))
    else:
        raise UsageError(f"output={path}: takes a .csv or a .txt file")
    console = Console()
    what = "parts" if results.in_parts else "videos"
    console.print(f"kept {len(selected):,} of {len(table):,} {what}{_hours(selected, results.table)}", highlight=False)
    if results.errors:
        console.print(f"failed, without a score: {len(results.errors):,}", highlight=False)
    if options.by is not None:
        counts = table[options.by].astype(str)
        for group, total in counts.value_counts(sort=False).items():
            here = counts[table.index.isin(selected.index)]
            console.print(
                f"  {options.by}={visible(str(group))}: {int((here == group).sum()):,} of {total:,}",
                highlight=False,
                markup=False,
            )
    console.print(f"list: {path}", highlight=False, soft_wrap=True, markup=False)
    return 0 if len(selected) else _NOTHING_KEPT


def warn_of_meaningless(results: Results) -> None:
    """Say on stderr when scores mean nothing."""
    if reason := results.run.meaningless:
        Console(stderr=True).print(f"WARNING: {reason}: these scores mean nothing", highlight=False)


def _hours(selected: pd.DataFrame, table: pd.DataFrame) -> str:
    both = [pd.to_numeric(part["duration"]).sum() / 3600 for part in (selected, table)]
    unit, times = ("hours", 1) if both[1] >= 0.1 else ("minutes", 60)
    return f", {both[0] * times:.2f} of {both[1] * times:.2f} {unit}" if both[1] else ""
