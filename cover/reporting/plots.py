"""Pictures of results, as PNG."""

import math
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from cover.curves import Curve
from cover.evaluation.measures import Measures

_DOTS = 20_000  # of more videos, a picture shows how many are where
_VARIANTS = {"raw": "raw weights", "ema": "averaged weights"}


def scatter(
    path: Path,
    pred: ArrayLike,
    mos: ArrayLike,
    curve: Curve | None,
    title: str,
    measures: Measures,
    ci95: ArrayLike | None = None,
) -> None:
    """Draw prediction against MOS with the fitted curve, as PNG.

    Args:
        path: Where to.
        pred: (n,) predictions.
        mos: (n,) mean opinion scores.
        curve: The curve between them; None draws none.
        title: What was measured.
        measures: Figures for the caption.
        ci95: (n,) half-widths of the intervals of the MOS, drawn as error bars; None: unknown.
    """
    x, y = np.asarray(pred, dtype=float), np.asarray(mos, dtype=float)
    figure = Figure(figsize=(6, 5), layout="constrained")  # not pyplot: no window, no state
    axes = figure.subplots()
    if len(x) > _DOTS:
        axes.hexbin(x, y, gridsize=60, bins="log", cmap="Blues", mincnt=1)
    else:
        axes.scatter(x, y, s=10, alpha=0.5, linewidths=0)
        if ci95 is not None:
            half = np.nan_to_num(np.asarray(ci95, dtype=float))
            axes.errorbar(x, y, half, fmt="none", ecolor="tab:blue", elinewidth=0.8, alpha=0.35, label="95 % interval")
            axes.legend(loc="lower right")
    if curve is not None and len(x):
        line = np.linspace(x.min(), x.max(), 200)
        axes.plot(line, curve(line), color="tab:red", linewidth=2, label="fitted curve")
        axes.legend(loc="lower right")
    axes.set(xlabel="predicted score (overall)", ylabel="MOS")
    axes.set_title(
        f"{title}, n = {measures.n}\nSROCC {measures.srocc:.4f}   PLCC {measures.plcc:.4f}   RMSE {measures.rmse:.4f}"
    )
    axes.grid(alpha=0.3)
    figure.savefig(path, dpi=150)


def draw_curves(path: Path, lines: Sequence[Mapping[str, Any]]) -> None:
    """Draw the loss, and SROCC and PLCC on the videos to validate on, over the epochs, as PNG.

    Args:
        path: Where to.
        lines: What :func:`read_curves` returns, at least one; where the start was validated, it is the first, and epoch
            0.
    """
    first = 1 - sum(line["epoch"] == 0 for line in lines)
    epochs = range(first, len(lines) + first)
    figure = Figure(figsize=(10, 4), layout="constrained")
    left, right = figure.subplots(1, 2)
    left.plot(epochs, [line.get("train/loss", math.nan) for line in lines], marker=".")
    left.set(title="training loss", xlabel="epoch")
    for measure, style in (("srocc", "-"), ("plcc", "--")):
        for kind, label in _VARIANTS.items():
            values = [line.get(f"val/{kind}/overall/{measure}", math.nan) for line in lines]
            if not all(map(math.isnan, values)):
                colour = "tab:blue" if kind == "raw" else "tab:orange"
                right.plot(epochs, values, style, marker=".", color=colour, label=f"{measure.upper()}, {label}")
        if first == 0:  # the model before training, for comparison
            start = lines[0].get(f"val/raw/overall/{measure}", math.nan)
            right.axhline(start, color="gray", linestyle=style, linewidth=1, label=f"{measure.upper()} before training")
    right.set(title="overall score against MOS, validation", xlabel="epoch")
    if right.lines:
        right.legend(fontsize="small", framealpha=0.6)
    for axes in (left, right):
        axes.grid(alpha=0.3)
        for number, (before, after) in enumerate(pairwise(lines), start=first):
            if before["stage"] != after["stage"] and before["epoch"] > 0:
                axes.axvline(number + 0.5, color="gray", linestyle=":")
    figure.savefig(path, dpi=150)
