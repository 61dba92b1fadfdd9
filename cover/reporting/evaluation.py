"""The outcome of an evaluation: files and tables."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from cover.curves import Fit
from cover.evaluation.fits.curve import fit_curve
from cover.evaluation.measures import Measures, median
from cover.evaluation.raters.study import Study
from cover.evaluation.tables.agreement import measure_all, measure_splits, standard_all
from cover.files import write_text
from cover.reporting.console import measures_table, standard_table, study_lines
from cover.reporting.plots import scatter
from cover.reporting.tables import write_table
from cover.reporting.terminal import show, where
from cover.results.names import AGREEMENT, METRICS, RATERS, RATINGS, SCATTER, SPLIT_MEASURES


def write_measures(
    folder: Path,
    table: pd.DataFrame,
    splits: Sequence[set[str]] | None,
    fit: Fit,
    resamples: int,
    title: str,
    *,
    resolving: bool = False,
) -> dict[str, Measures]:
    """Measure a table of predictions; write ``metrics.json``, ``splits.json`` and ``scatter.png``.

    Args:
        folder: The results folder.
        table: Of predictions.
        splits: The names of the videos that each split measures; None measures all at once.
        fit: The curve for PLCC and RMSE.
        resamples: Resamplings for the intervals; 0 for none.
        title: Name of the dataset, for the picture.
        resolving: Whether to compute resolving powers, where the MOS have intervals.

    Returns:
        The measures by score: of all videos, or medians over the splits.
    """
    if splits is None:
        measures = measure_all(table, fit, resamples)
    else:
        every = measure_splits(table, splits, fit)
        plain = [{name: values.as_dict() for name, values in of_split.items()} for of_split in every]
        write_text(folder / SPLIT_MEASURES, json.dumps(plain, indent=2) + "\n")
        measures = {name: median([of_split[name] for of_split in every]) for name in every[0]}
    metrics = {name: {**values.as_dict(), "of": len(table)} for name, values in measures.items()}
    if splits is None:
        for name, standard in standard_all(table, fit, resolving=resolving).items():
            metrics[name]["p1401"] = standard.as_dict()
    write_text(folder / METRICS, json.dumps(metrics, indent=2) + "\n")
    scored = table.dropna(subset=["overall"])
    curve = fit_curve(scored["overall"], scored["mos"], fit)
    half = scored.get("ci95")
    scatter(folder / SCATTER, scored["overall"], scored["mos"], curve, title, measures["overall"], half)
    return measures


def write_study(folder: Path, study: Study) -> None:
    """Write what became of the ratings of single raters.

    ``ratings.csv`` has the MOS of each video with its interval, ``raters.csv`` who was rejected and why,
    ``agreement.json`` how far the raters agree.

    Args:
        folder: The results folder.
        study: The subjective test.
    """
    for name, table in ((RATINGS, study.videos), (RATERS, study.raters)):
        write_table(folder / name, table)
    plain = {"screening": study.screening, **study.agreement.as_dict(), "sentences": study.sentences()}
    write_text(folder / AGREEMENT, json.dumps(plain, indent=2) + "\n")


def metrics_in(folder: Path) -> dict[str, dict[str, Any]]:
    """Read ``metrics.json``."""
    return json.loads((folder / METRICS).read_text(encoding="utf-8"))


def show_evaluation(
    measures: Mapping[str, Measures],
    published: Mapping[str, Any] | None,
    total: int,
    lost: tuple[int, int],
    splits: Sequence[object] | None,
    runtime: Mapping[str, float | str] | None,
    folder: Path,
    study: Study | None = None,
) -> None:
    """Show an evaluation on the terminal.

    Args:
        measures: By score.
        published: Figures to show beside them.
        total: Videos of the dataset.
        lost: How many of them are missing, and how many failed.
        splits: The splits that were measured, if any.
        runtime: What :func:`cover.scoring.runtime.measure_runtime` found, if it was asked.
        folder: The results folder.
        study: How far the raters agree, where that is known.
    """
    show(measures_table(measures, published, total, *lost))
    standards = {name: figures["p1401"] for name, figures in metrics_in(folder).items() if "p1401" in figures}
    if any(figures["rmse_star"] is not None for figures in standards.values()):
        show(standard_table(standards))
    if study is not None:
        show(study_lines(study, folder))
    if splits is not None:
        many = f"medians over {len(splits)} splits" if len(splits) > 1 else "those of one split"
        show(f"figures are {many} (splits.json)")
    if runtime is not None:
        show(
            f"30 frames of 3840x2160 on {runtime['device']}: "
            f"{runtime['decode_s']:.2f} s from file to views, {runtime['model_s']:.2f} s in the model"
        )
    show(where("results", folder))
