"""Check a run against a condition, for continuous integration: exit code 3 when it is not met."""

import math

from cover.config.options.results import GateOptions
from cover.reporting.terminal import show
from cover.results.conditions import Figure, conditioned, conditions_hold, figures_of, grouped
from cover.results.read import read_folder
from cover.tasks.select import warn_of_meaningless
from cover.text import visible

NOT_MET = 3
_NAMED = 5


def gate(options: GateOptions) -> int:
    """Check a condition.

    Returns:
        0 when it holds, else 3.

    Raises:
        UsageError: There are no results, or the condition cannot be read.
    """
    results = read_folder(options.folder)
    warn_of_meaningless(results)
    table = conditioned(results)
    outcomes = conditions_hold(table, options.expression, options.by)
    parts = dict(grouped(table, options.by))
    for name, holds in outcomes.items():
        where = "" if options.by is None else f" ({options.by}={visible(name)})"
        said = f"{'holds' if holds else 'DOES NOT HOLD'}: {options.expression}{where}"
        show(said)
        for figure in figures_of(parts[name], options.expression):
            show(f"  {_line(figure, len(parts[name]))}")
    what = "parts" if results.in_parts else "videos"
    show(f"{len(table):,} {what} scored, {len(results.errors):,} failed")
    if options.strict and results.errors:
        show("strict=true: the failed videos fail the gate")
        return NOT_MET
    return 0 if outcomes and all(outcomes.values()) else NOT_MET


def _line(figure: Figure, count: int) -> str:
    """Say the value of a figure, and which videos it is about."""
    value = "unknown" if math.isnan(figure.value) else f"{figure.value:.4g}"
    if not figure.videos:
        return f"{figure.text} = {value}"
    some = ", ".join(visible(name) for name in figure.videos[:_NAMED])
    more = ", ..." if len(figure.videos) > _NAMED else ""
    fails = "fails for " if figure.failing else ""
    return f"{figure.text} = {value} ({fails}{len(figure.videos):,} of {count:,}: {some}{more})"
