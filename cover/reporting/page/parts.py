"""Parts of videos in a report: where each is in its video, for the charts that lay them out over time."""

import math
from typing import Any

import pandas as pd

from cover.reporting.clock import stretch
from cover.reporting.page.render import plain_numbers
from cover.results.read import Results, videos
from cover.text import visible

_SHOWN = 40  # videos whose parts are laid out over time


def starts(table: pd.DataFrame) -> list[float]:
    """Give the start of each row in its video, seconds after the first frame; 0 of whole videos."""
    told = pd.to_numeric(table["start"], errors="coerce").fillna(0.0) if "start" in table else [0.0] * len(table)
    return [
        float(start) if video != str(name) else 0.0
        for name, video, start in zip(table.index, videos(table), told, strict=True)
    ]


def labels(table: pd.DataFrame) -> list[str]:
    """Name each row for people: ``talk.mp4 0:10-0:20``."""
    durations = pd.to_numeric(table["duration"])
    rows = zip(map(str, table.index), videos(table), starts(table), durations, strict=True)
    return [
        visible(name)
        if name == video or math.isnan(duration)
        else f"{visible(video)} {stretch(start, start + duration)}"
        for name, video, start, duration in rows
    ]


def part_data(table: pd.DataFrame, results: Results) -> dict[str, Any] | None:
    """Gather what the page needs to lay parts out over time; None where whole videos were scored.

    Args:
        table: The rows that the page lists.
        results: The folder's content.

    Returns:
        ``videos`` (their names), for each row ``of`` (the number of its video), ``start``, ``end`` (s); ``rows``, the
        numbers of the videos to be laid out: those with more than one part, the one with the worst part first; and
        ``several``, how many of these there are.
    """
    if not results.in_parts:
        return None
    names = videos(table)
    known = list(dict.fromkeys(names))
    codes = {name: number for number, name in enumerate(known)}
    start = pd.Series(starts(table), index=table.index)
    overall = table["overall"].groupby(pd.Series(names, index=table.index))
    several = overall.min()[overall.size() > 1].sort_values()
    return {
        "videos": [visible(name) for name in known],
        "of": [codes[name] for name in names],
        "start": plain_numbers(start),
        "end": plain_numbers(start + pd.to_numeric(table["duration"])),
        "rows": [codes[str(name)] for name in several.index[:_SHOWN]],
        "several": len(several),
    }
