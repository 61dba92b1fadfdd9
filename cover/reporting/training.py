"""The outcome of a training: files, tables and pictures."""

import json
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
from rich.console import Console

from cover.evaluation.fits import Fit, fit_curve
from cover.evaluation.measures import MEASURES, Measures, measure, median
from cover.evaluation.predictions import score_names
from cover.files import write_text
from cover.reporting.console import agreement
from cover.reporting.plots import draw_curves, scatter

_METRICS = "metrics.json"
_VARIANTS = {"raw": "", "ema": ", averaged weights"}


def write_results(
    folder: Path,
    table: pd.DataFrame,
    curves: Sequence[Mapping[str, Any]],
    best: Mapping[str, Any],
    dataset: str,
    fit: Fit,
    resamples: int,
    logger: Any = None,
) -> None:
    """Write everything that people look at, computed from the best weights.

    Args:
        folder: The results folder.
        table: What :meth:`cover.training.run.Outcome.table` gives.
        curves: Lines of ``curves.csv``.
        best: Stage, epoch and variant of the best weights.
        dataset: The one that is measured, on its validation split.
        fit: The curve for PLCC and RMSE.
        resamples: Resamplings for the intervals; 0 for none.
        logger: One of Lightning's, if any.
    """
    text = table.to_csv(index=False, float_format="%.6f", lineterminator="\n")
    write_text(folder / "predictions.csv", text)
    held_out = table[(table["split"] == "validation") & (table["dataset"] == dataset)]
    targets = {name: f"{name}_rated" if f"{name}_rated" in table else "mos" for name in score_names(table)}
    measures = {
        name: measure(held_out[name], held_out[target], fit=fit, resamples=resamples)
        for name, target in targets.items()
    }
    fitted = fit_curve(held_out["overall"], held_out["mos"], fit)
    title = f"{dataset}, validation"
    scatter(folder / "scatter.png", held_out["overall"], held_out["mos"], fitted, title, measures["overall"])
    draw_curves(folder / "curves.png", curves)
    if logger is not None:
        _log(logger, measures, table, folder)
    figures = {name: values.as_dict() for name, values in measures.items()}
    write_text(folder / _METRICS, json.dumps({**figures, "best": dict(best)}, indent=2) + "\n")  # last: all is there


def read_results(folder: Path) -> tuple[dict[str, Measures], dict[str, Any]]:
    """Read the measures of a finished run, and stage, epoch and variant of its best weights."""
    figures = json.loads((folder / _METRICS).read_text(encoding="utf-8"))
    best = figures.pop("best")
    return {name: Measures.from_dict(values) for name, values in figures.items()}, best


def show(
    measures: Mapping[str, Measures], best: Mapping[str, Any], folder: Path, program: str, overrides: Sequence[str]
) -> None:
    """Show the outcome of a run, where it is, and the command that uses it.

    Args:
        measures: By score.
        best: Stage, epoch and variant of the best weights.
        folder: The results folder.
        program: The command that scores.
        overrides: Options that it must be given too.
    """
    console = Console()
    count = next(iter(measures.values())).n
    console.print(agreement(measures, None, count, 0, 0))
    variant = _VARIANTS[best["variant"]]
    console.print(f"on videos that were not trained on; best epoch: {best['epoch']} of {best['stage']}{variant}")
    console.print(f"results: {folder} (curves.png, scatter.png, predictions.csv)", highlight=False, soft_wrap=True)
    command = shlex.join([*program.split(), "data=mydir", f"weights={folder / 'best.ckpt'}", *overrides])
    console.print(f"use it: {command}", highlight=False, soft_wrap=True)


def summarize(indices: Sequence[int], splits: Sequence[Mapping[str, Measures]], folder: Path) -> None:
    """Write ``summary.csv`` with a line a split and score, and show their medians."""
    lines = [
        {"split": index, "score": score, **{name: getattr(values, name) for name in ("n", *MEASURES)}}
        for index, split in zip(indices, splits, strict=True)
        for score, values in split.items()
    ]
    table = pd.DataFrame(lines)
    measures = table.groupby("score", sort=False)[list(MEASURES)]
    for name, figures in (("median", measures.median()), ("std", measures.std(ddof=0))):
        table = pd.concat([table, figures.reset_index().assign(split=name)], ignore_index=True)
    write_text(folder / "summary.csv", table.to_csv(index=False, float_format="%.6f", lineterminator="\n"))
    medians = {score: median([split[score] for split in splits]) for score in splits[0]}
    count = next(iter(medians.values())).n
    console = Console()
    console.print(agreement(medians, None, count, 0, 0))
    console.print(f"medians over {len(splits)} splits; in brackets the 2.5th and 97.5th percentiles over them")
    console.print(f"results: {folder / 'summary.csv'} and a folder for each split", highlight=False, soft_wrap=True)


def _log(logger: Any, measures: Mapping[str, Measures], table: pd.DataFrame, folder: Path) -> None:
    logger.log_metrics({f"best/{name}/{m}": getattr(values, m) for name, values in measures.items() for m in MEASURES})
    if hasattr(logger, "log_table"):  # W&B can show more than figures
        logger.log_table("predictions", dataframe=table)
        logger.log_image("pictures", [str(folder / "curves.png"), str(folder / "scatter.png")])
        logger.experiment.finish()
    logger.finalize("success")
