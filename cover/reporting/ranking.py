"""The outcome of a comparison of metrics: files, a picture, tables."""

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from cover.curves import Fit
from cover.evaluation.arrays import plain
from cover.evaluation.ranking import FEW, Metric, Ranking
from cover.evaluation.raters.study import Study
from cover.evaluation.registry import MEASURES, displayed
from cover.files import write_text
from cover.reporting.console import NumberTable, study_lines, with_ends
from cover.reporting.tables import write_table
from cover.reporting.terminal import show, where
from cover.results.names import METRICS, PAIRS, PREDICTIONS, RANKING, RANKING_PICTURE

_STANDARD_LABELS = {"rmse_star": "RMSE*", "outlier_ratio": "outlier ratio"}


def write_ranking(folder: Path, table: pd.DataFrame, ranked: Ranking, fit: Fit, study: Study | None) -> None:
    """Write ``ranking.csv``, ``pairs.csv``, ``predictions.csv``, ``metrics.json`` and ``ranking.png``.

    Args:
        folder: The results folder.
        table: What :func:`cover.evaluation.ranking.tabulate` gives.
        ranked: The comparison.
        fit: The curve that it stands on.
        study: How far the raters agree, where that is known.
    """
    for name, frame in ((PREDICTIONS, table), (RANKING, ranked.ranking()), (PAIRS, ranked.pairs)):
        write_table(folder / name, frame)
    _draw(folder / RANKING_PICTURE, ranked, study)
    metrics: dict[str, Any] = {metric.name: _figures(metric, len(table)) for metric in ranked.metrics}
    pairs = ranked.pairs.astype(object).where(ranked.pairs.notna(), None).to_dict("records")
    extra = {} if study is None else {"raters": study.agreement.as_dict()}
    figures = {"fit": fit, "criterion": ranked.criterion, "metrics": metrics, "pairs": pairs, **extra}
    write_text(folder / METRICS, json.dumps(figures, indent=2) + "\n")


def _figures(metric: Metric, total: int) -> dict[str, Any]:
    intervals = {name: list(ends) for name, ends in metric.ci95.items() if all(map(math.isfinite, ends))}
    return {
        **metric.measures.as_dict(),
        "ci95": intervals,
        "of": total,
        "low_is_good": metric.falls,
        "p1401": metric.standard.as_dict(),
        "left_out": plain(metric.left_out),
    }


def show_ranking(ranked: Ranking, fit: Fit, total: int, folder: Path, study: Study | None) -> None:
    """Show a comparison on the terminal.

    Args:
        ranked: The comparison.
        fit: The curve that it stands on.
        total: Rated videos.
        folder: The results folder.
        study: How far the raters agree, where that is known.
    """
    show(_ranking(ranked))
    n = ranked.metrics[0].measures.n
    label = _label(ranked.criterion)
    close = "; ~ not significantly different from the best" if len(ranked.metrics) > 1 else ""
    show(f"ranked by {label} after fit={fit}, on {n} of {total} videos{close}")
    if any(metric.falls for metric in ranked.metrics):
        show("- low is good: turned round")
    reasons = dict.fromkeys(reason for metric in ranked.metrics for reason in metric.measures.undefined)
    for reason in reasons:
        show(f"undefined: {reason}")
    if any(math.isfinite(value) for metric in ranked.metrics for value in metric.left_out.values()):
        show(_left_out(ranked))
        show(f"leave-one-out errors (fewer than {FEW} videos), and the increase over the fitted ones")
    if len(ranked.pairs):
        show(_pairs(ranked))
        count = len(ranked.metrics) * (len(ranked.metrics) - 1) // 2
        more = f"; pairs.csv has all {count} pairs" if count > 1 else ""
        show(f"p: of Steiger's Z and F, adjusted for the number of pairs (Holm){more}")
    if study is not None:
        show(study_lines(study, folder))
    show(where("results", folder, " (ranking.csv, pairs.csv, ranking.png)"))


def _label(name: str) -> str:
    return MEASURES[name].label if name in MEASURES else _STANDARD_LABELS[name]


def _ranking(ranked: Ranking) -> NumberTable:
    names = displayed()
    names += ["rmse_star", "outlier_ratio"] if ranked.criterion == "rmse_star" else []
    table = NumberTable(["metric", *(_label(name) for name in names)])
    alike = ranked.ranking()["like_best"].tolist()
    for place, (metric, like) in enumerate(zip(ranked.metrics, alike, strict=True), start=1):
        mark = ("~" if like and place > 1 else "") + ("-" if metric.falls else "")
        cells = (with_ends(metric.figure(name), metric.ci95.get(name), digits=3) for name in names)
        table.add(f"{place} {metric.name} {mark}".strip(), *cells)
    return table


def _left_out(ranked: Ranking) -> NumberTable:
    names = list(ranked.metrics[0].left_out)
    table = NumberTable(["left out, one by one", *(_label(name) for name in names)])
    for metric in ranked.metrics:
        gaps = {name: value - metric.figure(name) for name, value in metric.left_out.items()}
        table.add(metric.name, *(f"{metric.left_out[name]:.3f} ({gaps[name]:+.3f})" for name in names))
    return table


def _pairs(ranked: Ranking) -> NumberTable:
    measures = ["srocc", "plcc", *dict.fromkeys(["rmse", ranked.criterion])]
    table = NumberTable(["difference", *(_label(name) for name in measures)])
    best = ranked.metrics[0].name
    of_best = ranked.pairs[(ranked.pairs["a"] == best) | (ranked.pairs["b"] == best)]
    for (a, b), lines in of_best.groupby(["a", "b"], sort=False):
        by_name = lines.set_index("measure")
        cells = []
        for name in measures:
            if name not in by_name.index:
                cells.append("")
                continue
            values = by_name.loc[name, ["difference", "low", "high", "p_holm"]].to_numpy(dtype=float)
            difference, low, high, p = (float(value) for value in values)
            cells.append(
                with_ends(difference, (low, high), digits=3, sign="+") + (f"\np={p:.3f}" if math.isfinite(p) else "")
            )
        table.add(f"{a} - {b}", *cells)
    return table


def _draw(path: Path, ranked: Ranking, study: Study | None) -> None:
    """Draw each metric's SROCC, PLCC and criterion with their intervals, as PNG."""
    names = ["srocc", "plcc", ranked.criterion]
    figure = Figure(figsize=(10, 1.2 + 0.45 * len(ranked.metrics)), layout="constrained")
    every = figure.subplots(1, len(names), sharey=True)
    places = np.arange(len(ranked.metrics))[::-1]
    for axes, name in zip(every, names, strict=True):
        values = np.array([metric.figure(name) for metric in ranked.metrics])
        ends = np.array([metric.ci95.get(name, (math.nan, math.nan)) for metric in ranked.metrics])
        axes.hlines(places, ends[:, 0], ends[:, 1], color="tab:blue", linewidth=2, alpha=0.6)
        axes.plot(values, places, "o", color="tab:blue")
        axes.set(title=_label(name), ylim=(-0.6, len(places) - 0.4))
        axes.grid(alpha=0.3)
        if name == "srocc" and study is not None and math.isfinite(study.agreement.ceiling):
            axes.axvline(study.agreement.ceiling, color="gray", linestyle=":", label="ceiling")
            axes.legend(loc="lower left", fontsize="small")
    every[0].set_yticks(places, [metric.name for metric in ranked.metrics])
    figure.supxlabel("95 % bootstrap intervals", fontsize="small")
    figure.savefig(path, dpi=150)
