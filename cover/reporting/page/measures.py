"""The table of measures in a report."""

from collections.abc import Mapping
from typing import Any

from cover.scores import SCORES


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
