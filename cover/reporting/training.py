"""The outcome of a training: files, tables and pictures."""

import json
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from cover.curves import Fit
from cover.evaluation.fits.curve import fit_curve
from cover.evaluation.gain import Gain
from cover.evaluation.measures import MEASURES, Measures, measure, median
from cover.evaluation.raters.study import Study
from cover.evaluation.tables.predictions import score_names
from cover.files import write_text
from cover.reporting.console import measures_table, study_lines
from cover.reporting.plots import draw_curves, scatter
from cover.reporting.tables import write_predictions, write_table
from cover.reporting.terminal import show, where
from cover.results.names import BEST, CURVES_PICTURE, METRICS, PREDICTIONS, RUNGS_PICTURE, SCATTER, SUMMARY

_FEW = 30  # videos to validate on, below which a word is said of the epoch that they chose
_VARIANTS = {"raw": "", "ema": ", averaged weights"}


def write_figures(
    folder: Path,
    table: pd.DataFrame,
    curves: Sequence[Mapping[str, Any]],
    best: Mapping[str, Any],
    dataset: str,
    fit: Fit,
    resamples: int,
    logger: Any = None,
    gain: Gain | None = None,
) -> None:
    """Write everything that people look at, computed from the best weights.

    Args:
        folder: The results folder.
        table: What :meth:`cover.training.run.TrainingOutcome.table` gives.
        curves: Lines of ``curves.csv``.
        best: Stage, epoch and variant of the best weights.
        dataset: The one that is measured, on its validation split.
        fit: The curve for PLCC and RMSE.
        resamples: Resamplings for the intervals; 0 for none.
        logger: One of Lightning's, if any.
        gain: How much better what was trained agrees with the MOS than the start; None where that means nothing.
    """
    write_predictions(folder / PREDICTIONS, table)
    held_out = table[(table["split"] == "validation") & (table["dataset"] == dataset)]
    targets = {name: f"{name}_rated" if f"{name}_rated" in table else "mos" for name in score_names(table)}
    measures = {
        name: measure(held_out[name], held_out[target], fit=fit, resamples=resamples)
        for name, target in targets.items()
    }
    fitted = fit_curve(held_out["overall"], held_out["mos"], fit)
    title = f"{dataset}, validation"
    scatter(folder / SCATTER, held_out["overall"], held_out["mos"], fitted, title, measures["overall"])
    draw_curves(folder / CURVES_PICTURE, curves)
    if logger is not None:
        log_figures(logger, measures, table, folder, (CURVES_PICTURE, SCATTER))
    figures: dict[str, Any] = {name: values.as_dict() for name, values in measures.items()}
    compared: dict[str, Any] = {}
    if gain is not None:
        for name in ("before", "trained"):
            measured = measure(held_out[f"overall_{name}"], held_out["mos"], fit=fit, resamples=resamples)
            compared[name] = measured.as_dict()
        compared["gain"] = gain.as_dict()
    plain = {**figures, **compared, "best": {**best, "calibrated": "predicted_mos" in table}}
    write_text(folder / METRICS, json.dumps(plain, indent=2) + "\n")  # last: all is there


@dataclass(frozen=True)
class TrainingFigures:
    """The figures of a finished run, on videos that were not trained on.

    Attributes:
        measures: Of each score by the best weights.
        best: Stage, epoch and variant of these, and whether they are calibrated.
        before: Of the overall score before training; None where the start means nothing.
        trained: Figures of the overall score after training, kept or not, in the same form.
        gain: How much better ``trained`` is, in the same form.
        ladder: Of an adaptation to few videos: how it was cross-validated and which rung was chosen; None of others.
    """

    measures: dict[str, Measures]
    best: dict[str, Any]
    before: Measures | None
    trained: Measures | None
    gain: Gain | None
    ladder: dict[str, Any] | None = None

    @property
    def kept(self) -> bool:
        """Return whether the best weights were trained."""
        return self.best["epoch"] != 0

    def rows(self) -> dict[str, Measures]:
        """Give what a table shows: the overall score before training and after it, then each branch."""
        if self.before is None or self.trained is None:
            return self.measures
        after = "overall, after" if self.kept else "overall, trained (not kept)"
        branches = {name: values for name, values in self.measures.items() if name != "overall"}
        return {"overall, before": self.before, after: self.trained, **branches}

    def verdict(self) -> str | None:
        """Say in one line whether training helped; None where nothing is known of the start."""
        if self.gain is None:
            return None
        apart = "contents" if self.gain.by == "content" else "videos"
        figures = f"{self.gain.sentence()} ({self.gain.level:.0%} intervals, resampling {apart})"
        if self.gain.clear and self.kept:
            return f"training helped: {figures}"
        if self.kept:
            return (
                f"training made no clear difference: {figures}; best.ckpt is the best epoch, as require_gain=false asks"
            )
        worse = "made it worse" if self.gain.worse else "did not help here"
        scale = (
            " with a calibration to your scale"
            if self.best["calibrated"]
            else ", whose scores do not rise with the MOS"
        )
        return f"training {worse}: {figures}; best.ckpt is the start{scale}"


def _ladder_lines(ladder: Mapping[str, Any], was_kept: bool) -> list[str]:
    """Say how an adaptation to few videos was chosen and measured."""
    by = f" (by {ladder['contents_by']})" if ladder["contents_by"] else ""
    rungs = _chosen(ladder["rungs"], ladder["folds"])
    errors = {
        name: "unknown" if value is None else f"{value:.3f}" for name, value in ladder["rmse_predicted_mos"].items()
    }
    chosen = ladder["chosen"]["rung"] + ("" if was_kept or ladder["chosen"]["rung"] == "calibration" else " (not kept)")
    return [
        f"nested cross-validation: {ladder['folds']} folds over {ladder['groups']} {ladder['left_out']}{by}; "
        f"{rungs}; all videos together: {chosen}",
        f"RMSE of predicted MOS, calibrated without their fold: {errors['before']} before, {errors['trained']} after",
    ]


def _chosen(rungs: Mapping[str, int], folds: int) -> str:
    """Say how many folds chose which rung."""
    if len(rungs) == 1:
        return f"all {folds} folds chose {next(iter(rungs))}"
    return ", ".join(f"{count} of {folds} folds chose {name}" for name, count in rungs.items())


def read_figures(folder: Path) -> TrainingFigures:
    """Read the figures of a finished run."""
    figures = json.loads((folder / METRICS).read_text(encoding="utf-8"))
    best, gain, ladder = figures.pop("best"), figures.pop("gain", None), figures.pop("ladder", None)
    before, trained = (
        Measures.from_dict(of_score) if (of_score := figures.pop(name, None)) else None
        for name in ("before", "trained")
    )
    measures = {name: Measures.from_dict(values) for name, values in figures.items()}
    return TrainingFigures(measures, best, before, trained, None if gain is None else Gain.from_dict(gain), ladder)


def show_training(
    results: TrainingFigures, folder: Path, program: str, overrides: Sequence[str], study: Study | None = None
) -> None:
    """Show the outcome of a run, where it is, and the command that uses it.

    Args:
        results: The figures.
        folder: The results folder.
        program: The command that scores.
        overrides: Options that it must be given too.
        study: How far the raters agree, where that is known.
    """
    best = results.best
    count = next(iter(results.measures.values())).n
    show(measures_table(results.rows(), None, count, 0, 0))
    if results.ladder is not None:
        show(*_ladder_lines(results.ladder, results.kept))
        _close(results, folder, program, overrides, study, RUNGS_PICTURE)
        return
    chosen = f"epoch {best['epoch']} of {best['stage']}{_VARIANTS[best['variant']]}" if results.kept else "the start"
    show(f"on videos that were not trained on; best: {chosen}")
    if results.kept and count < _FEW:
        show(f"the epoch is the best of {count} videos, which flatters the figures")
    _close(results, folder, program, overrides, study, CURVES_PICTURE)


def _close(
    results: TrainingFigures,
    folder: Path,
    program: str,
    overrides: Sequence[str],
    study: Study | None,
    picture: str,
) -> None:
    """Say whether training helped, where everything is, and the command that uses it."""
    if verdict := results.verdict():
        show(verdict)
    if study is not None:
        show(study_lines(study, folder))
    show(where("results", folder, f" ({picture}, scatter.png, predictions.csv)"))
    command = shlex.join([*program.split(), "data=mydir", f"weights={folder / BEST}", *overrides])
    show(where("use it", command))


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
    write_table(folder / SUMMARY, table)
    medians = {score: median([split[score] for split in splits]) for score in splits[0]}
    count = next(iter(medians.values())).n
    show(measures_table(medians, None, count, 0, 0))
    show(f"medians over {len(splits)} splits; in brackets the 2.5th and 97.5th percentiles over them")
    show(where("results", folder / SUMMARY, " and a folder for each split"))


def log_figures(
    logger: Any, measures: Mapping[str, Measures], table: pd.DataFrame, folder: Path, pictures: Sequence[str]
) -> None:
    """Log the figures of a finished run, and what W&B can show beside them.

    Args:
        logger: One of Lightning's.
        measures: By score.
        table: Of predictions.
        folder: The results folder.
        pictures: Names of pictures there.
    """
    logger.log_metrics({f"best/{name}/{m}": getattr(values, m) for name, values in measures.items() for m in MEASURES})
    if hasattr(logger, "log_table"):  # W&B can show more than figures
        logger.log_table("predictions", dataframe=table)
        logger.log_image("pictures", [str(folder / name) for name in pictures])
        logger.experiment.finish()
    logger.finalize("success")
