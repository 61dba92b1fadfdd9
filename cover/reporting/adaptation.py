"""The outcome of an adaptation to few videos: files and pictures."""

import json
import math
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from rich.console import Console
from rich.progress import track

from cover.curves import Fit
from cover.evaluation.arrays import plain
from cover.evaluation.fits.curve import fit_curve
from cover.evaluation.gain import Gain
from cover.evaluation.measures import measure
from cover.files import write_text
from cover.reporting.plots import scatter
from cover.reporting.tables import write_predictions, write_table
from cover.results.names import METRICS, PREDICTIONS, RUNGS_PICTURE, RUNGS_TABLE, SCATTER


def folds_passing(folds: Sequence[np.ndarray]) -> Iterator[np.ndarray]:
    """Pass the folds of a cross-validation on, with a bar on stderr."""
    yield from track(folds, "cross-validating", console=Console(stderr=True))


def write_adaptation(
    folder: Path,
    table: pd.DataFrame,
    rungs: pd.DataFrame,
    gain: Gain,
    about: dict[str, object],
    best: dict[str, object],
    fit: Fit,
    resamples: int,
) -> None:
    """Write ``predictions.csv``, ``rungs.csv``, ``rungs.png``, ``scatter.png`` and ``metrics.json``.

    Args:
        folder: The results folder.
        table: What :meth:`cover.training.adapt.adaptation.Adaptation.table` gives.
        rungs: ``rung, strength, srocc, plcc``, a line a rung.
        gain: Of what folds chose over the start.
        about: Plain data on the cross-validation, for ``metrics.json``.
        best: Stage, epoch and variant of the weights.
        fit: The curve for PLCC and RMSE.
        resamples: Resamplings for the intervals; 0 for none.
    """
    write_predictions(folder / PREDICTIONS, table)
    write_table(folder / RUNGS_TABLE, rungs)
    names = {"overall": "overall", "before": "overall_before", "trained": "overall_trained"}
    measures = {
        name: measure(table[column], table["mos"], fit=fit, resamples=resamples) for name, column in names.items()
    }
    errors = {
        name: plain(float(np.sqrt(((table[f"predicted_mos_{name}"] - table["mos"]) ** 2).mean(skipna=False))))
        for name in ("before", "trained")
    }
    title = f"{table['dataset'].iloc[0]}, cross-validated"
    curve = fit_curve(table["overall"], table["mos"], fit)
    scatter(folder / SCATTER, table["overall"], table["mos"], curve, title, measures["overall"])
    _draw(folder / RUNGS_PICTURE, rungs)
    figures = {name: values.as_dict() for name, values in measures.items()}
    ladder = {**about, "rmse_predicted_mos": errors}
    text = json.dumps({**figures, "gain": gain.as_dict(), "ladder": ladder, "best": best}, indent=2)
    write_text(folder / METRICS, text + "\n")


def _draw(path: Path, rungs: pd.DataFrame) -> None:
    """Draw SROCC and PLCC of each rung on videos that its fit did not see, as PNG."""
    figure = Figure(figsize=(7, 4), layout="constrained")
    axes = figure.subplots()
    places = np.arange(len(rungs))
    for name, colour in (("srocc", "tab:blue"), ("plcc", "tab:orange")):
        axes.plot(places, rungs[name], "o-", color=colour, label=name.upper())
        axes.axhline(rungs[name].iloc[0], color=colour, linestyle=":", linewidth=1)
    labels = [
        rung if math.isinf(strength) else f"{rung}\n{strength:g}"
        for rung, strength in zip(rungs["rung"], rungs["strength"], strict=True)
    ]
    axes.set_xticks(places, labels, fontsize="small")
    axes.set(
        title="each rung on videos that it was not fitted to (dotted: the start)",
        xlabel="rung, and its pull toward the start",
    )
    axes.grid(alpha=0.3)
    axes.legend()
    figure.savefig(path, dpi=150)
