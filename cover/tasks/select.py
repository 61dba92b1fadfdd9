"""Write the list of the videos that fulfil a condition, and say how many and how long they are."""

import re

import pandas as pd

from cover.config.options.results import SelectOptions
from cover.errors import UsageError
from cover.files import write_text
from cover.parts import bound_text
from cover.reporting.tables import write_table
from cover.reporting.terminal import show, where
from cover.results.conditions import conditioned, matching
from cover.results.journal import read_locations
from cover.results.names import FILENAME, PART, SELECTED
from cover.results.read import Results, read_folder
from cover.text import visible

_NOTHING_KEPT = 1

_UNITS = (("hours", 3600), ("minutes", 60), ("s", 1))
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
    path = options.output or results.folder / SELECTED
    names = [str(name) for name in (selected["video"] if results.in_parts else selected.index)]
    paths = read_locations(results.folder, set(names))
    if path.suffix == ".txt":
        if results.in_parts:
            raise UsageError(f"output={path}: a list of paths cannot hold parts; name a .csv file")
        lines = [paths.get(name, name) for name in names]
        plain = [line for line in lines if not _CONTROLS.search(line)]
        if count := len(lines) - len(plain):
            remedy = "name a .csv file, which can hold them"
            message = f"WARNING: left out names with control characters: {count}; {remedy}"
            show(message, stderr=True)
        write_text(path, "".join(f"{line}\n" for line in plain))
    elif path.suffix == ".csv":
        # A pandas string cannot hold the path of a name that is not UTF-8.
        where_ = pd.Series([paths.get(name, name) for name in names], dtype=object)
        listed = pd.DataFrame({FILENAME: names, "path": where_})
        if results.in_parts:
            for column, bound in PART.items():
                listed[column] = [bound_text(bound) for bound in selected[bound]]
        hidden = {"video", *PART.values()} if results.in_parts else set()
        others = [name for name in selected if name not in hidden and selected[name].notna().any()]
        write_table(path, pd.concat([listed, selected[others].reset_index(drop=True)], axis=1))
    else:
        raise UsageError(f"output={path}: takes a .csv or a .txt file")
    what = "parts" if results.in_parts else "videos"
    show(f"kept {len(selected):,} of {len(table):,} {what}{_hours(selected, results.table)}")
    if results.errors:
        show(f"failed, without a score: {len(results.errors):,}")
    if options.by is not None:
        counts = table[options.by].astype(str)
        for group, total in counts.value_counts(sort=False).items():
            here = counts[table.index.isin(selected.index)]
            show(f"  {options.by}={visible(str(group))}: {int((here == group).sum()):,} of {total:,}")
    show(where("list", path))
    return 0 if len(selected) else _NOTHING_KEPT


def warn_of_meaningless(results: Results) -> None:
    """Say on stderr when scores mean nothing."""
    if reason := results.run.meaningless:
        show(f"WARNING: {reason}: these scores mean nothing", stderr=True)


def _hours(selected: pd.DataFrame, table: pd.DataFrame) -> str:
    some, every = (pd.to_numeric(part["duration"]).sum() for part in (selected, table))
    unit, seconds = next((unit, size) for unit, size in _UNITS if every >= 2 * size or size == 1)
    return f", {some / seconds:.1f} of {every / seconds:.1f} {unit}" if every else ""
