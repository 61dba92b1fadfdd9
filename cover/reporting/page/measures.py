"""The tables of measures in a report, and how far raters agree."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cover.files import is_plain_file
from cover.results.names import AGREEMENT
from cover.scores import SCORES
from cover.text import visible

_STANDARD = {"plcc": "PLCC", "rmse": "RMSE", "rmse_star": "RMSE*", "outlier_ratio": "outlier ratio"}
_LONGEST, _MOST = 500, 10  # characters of a line on raters, and lines


def measures_table(metrics: Mapping[str, Any]) -> tuple[list[str], list[list[str]]]:
    """Labels of the measures, and the rows of their table: score, videos, and each measure with its interval."""
    if not metrics:
        return [], []
    from cover.evaluation.registry import MEASURES, displayed  # which imports scipy's optimisers

    rows = []
    for score, values in metrics.items():
        if score not in SCORES or not isinstance(values, Mapping):
            continue
        cells = [score, f"{values.get('n', 0):,} of {values.get('of', values.get('n', 0)):,}"]
        for name in displayed():
            value, ends = values.get(name), (values.get("ci95") or {}).get(name)
            text = "undefined" if value is None else f"{value:.4f}"
            cells.append(text + (f" [{ends[0]:.3f}, {ends[1]:.3f}]" if ends and None not in ends else ""))
        rows.append(cells)
    return [MEASURES[name].label for name in displayed()], rows


def standards_table(metrics: Mapping[str, Any]) -> list[list[str]]:
    """Rows of ITU-T P.1401's figures, the header first: score, and each figure with its interval; none without them."""
    rows = []
    for score, values in metrics.items():
        figures = values.get("p1401") if isinstance(values, Mapping) else None
        if score in SCORES and isinstance(figures, Mapping) and isinstance(figures.get("rmse_star"), float):
            cells = (_with_ends(figures.get(name), figures.get(f"{name}_ci95")) for name in _STANDARD)
            rows.append([score, *cells])
    return [["ITU-T P.1401", *_STANDARD.values()], *rows] if rows else []


def raters_lines(folder: Path) -> list[str]:
    """Say how far raters agree, as the terminal does; nothing where it is not known."""
    path = folder / AGREEMENT
    try:
        lines = json.loads(path.read_text(encoding="utf-8"))["sentences"] if is_plain_file(path) else []
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return []
    some = lines[:_MOST] if isinstance(lines, list) else []
    return [visible(line)[:_LONGEST] for line in some if isinstance(line, str)]


def _with_ends(value: object, ends: object) -> str:
    if not isinstance(value, float):
        return "undefined"
    known = isinstance(ends, list) and len(ends) == 2 and all(isinstance(end, float) for end in ends)
    return f"{value:.4f}" + (f" [{ends[0]:.3f}, {ends[1]:.3f}]" if known else "")  # type: ignore[index]
