"""Measure how well scores agree with people's: the work of ``evaluate.py``."""

import json
import logging
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from hydra.core.hydra_config import HydraConfig
from lightning.pytorch.loggers import Logger, WandbLogger
from omegaconf import DictConfig
from rich.console import Console

from cover.errors import UsageError
from cover.metrics import FITS, Measures, fit_curve, measure, median
from cover.models import SCORES
from cover.report import agreement, scatter
from cover.rows import Row
from cover.tasks.build import build, plain
from cover.tasks.cli import EXIT_OK, EXIT_SOME_FAILED
from cover.tasks.protocol import measured_parts
from cover.tasks.runtime import measure_runtime
from cover.tasks.scoring import build_model, dataset_rows, is_main_process, score_rows, view_spec, write_run_record
from cover.writers import write_text

log = logging.getLogger(__name__)


def evaluate(cfg: DictConfig) -> int:
    """Scores a dataset, or reads predictions, and measures the agreement with the MOS.

    Args:
        cfg: ``configs/evaluate.yaml`` as composed.

    Returns:
        0 when every video of the dataset counts, 1 when some are missing or failed.

    Raises:
        UsageError: Options, data or weights are wrong, or with ``strict=true`` a video is missing or failed.
    """
    options = plain(cfg)
    if options["fit"] not in FITS:
        raise UsageError(f"fit={options['fit']}: takes one of {', '.join(FITS)}")
    if not isinstance(options["resamples"], int) or options["resamples"] < 0:
        raise UsageError(f"resamples={options['resamples']}: takes a whole number, 0 for no intervals")
    folder = Path(HydraConfig.get().runtime.output_dir)
    if options["predictions"] is not None:
        rows, scores = read_predictions(Path(options["predictions"]), options["columns"])
        parts = measured_parts(rows, options["protocol"])
        missing: list[Row] = []
        write_run_record(folder, options)
    else:
        rows, root = dataset_rows(options["data"])
        rows = _rated(rows)
        parts = measured_parts(rows, options["protocol"])  # before hours of scoring, should it not fit
        missing = [row for row in rows if not row.path.exists()]
        _account(missing, rows, folder, strict=options["strict"])
        store = score_rows(options, [row for row in rows if row.path.exists()], root, folder)
        if not is_main_process():
            return EXIT_OK
        scores = store.scores
    failed = len(rows) - len(missing) - len(scores)
    if failed and options["strict"]:
        raise UsageError(f"strict=true: {failed} videos have no score ({folder / 'errors.csv'} says why)")

    table = _table(rows, scores)
    table.to_csv(folder / "predictions.csv", index=False, float_format="%.6f", errors="backslashreplace")
    measures = _measures(options, parts, table, folder)
    metrics = {name: {**values.as_dict(), "of": len(rows)} for name, values in measures.items()}
    write_text(folder / "metrics.json", json.dumps(metrics, indent=2) + "\n")
    picture = folder / "scatter.png"
    overall = table.dropna(subset=["overall"])
    curve = fit_curve(overall["overall"], overall["mos"], options["fit"])
    scatter(picture, overall["overall"], overall["mos"], curve, options["data"]["name"], measures["overall"])
    runtime = _runtime(options) if options["benchmark"] else {}
    if runtime:
        write_text(folder / "runtime.json", json.dumps(runtime, indent=2) + "\n")
    if options["logger"]:
        _log(build(options["logger"], "logger"), options, {**metrics, "runtime": runtime}, table, picture)

    console = Console()
    console.print(agreement(measures, options["published"], len(rows), len(missing), failed))
    if parts is not None:
        console.print(f"figures are medians over {len(parts)} splits, each measured on its test part (splits.json)")
    if runtime:
        console.print(
            f"30 frames of 3840x2160 on {runtime['device']}: "
            f"{runtime['decode_s']:.2f} s from file to views, {runtime['model_s']:.2f} s in the model"
        )
    console.print(f"results: {folder}", highlight=False)
    return EXIT_SOME_FAILED if missing or failed else EXIT_OK


def read_predictions(path: Path, columns: Mapping[str, str]) -> tuple[list[Row], dict[str, dict[str, float]]]:
    """Predictions and MOS from a table.

    Args:
        path: A CSV with a header.
        columns: Header of the columns ``path``, ``mos``, ``overall`` and the branches; branches may be absent.

    Returns:
        One row a video, its other columns in ``extras``; and the scores by name, as far as the table has them.

    Raises:
        UsageError: The table cannot be read, lacks a column, names a video twice, or has a MOS that is no number.
    """
    try:
        table = pd.read_csv(path, dtype={columns["path"]: str})
    except (OSError, ValueError) as error:
        raise UsageError(f"predictions={path}: {str(error).splitlines()[0]}") from error
    needed = [columns[name] for name in ("path", "mos", "overall")]
    if absent := [name for name in needed if name not in table]:
        raise UsageError(
            f"predictions={path}: no column {', '.join(absent)} (found: {', '.join(map(str, table))}); "
            "name it with columns.path, columns.mos, columns.overall"
        )
    present = [name for name in SCORES if columns[name] in table]
    for column in (columns["mos"], *(columns[name] for name in present)):
        table[column] = pd.to_numeric(table[column], errors="coerce").replace([math.inf, -math.inf], math.nan)
    names = table[columns["path"]]
    if names.duplicated().any():
        raise UsageError(f"predictions={path}: {names[names.duplicated()].iloc[0]!r} is there twice")
    if table[columns["mos"]].isna().any():
        raise UsageError(f"predictions={path}: {names[table[columns['mos']].isna()].iloc[0]!r} has no MOS")
    others = [column for column in table if column not in {columns[name] for name in (*present, "path", "mos")}]
    rows: list[Row] = []
    scores: dict[str, dict[str, float]] = {}
    for name, record in zip(names, table.to_dict("records"), strict=True):
        rows.append(Row(Path(name), name, record[columns["mos"]], {str(key): record[key] for key in others}))
        if math.isfinite(record[columns["overall"]]):
            scores[name] = {score: record[columns[score]] for score in present}
    return rows, scores


def _rated(rows: Sequence[Row]) -> list[Row]:
    rated = [row for row in rows if row.mos is not None and math.isfinite(row.mos)]
    if not rated:
        raise UsageError("data: no video of this dataset has a MOS (for a table, name its column with data.mos)")
    if len(rated) < len(rows):
        log.warning("%d of %d videos have no MOS and are left out", len(rows) - len(rated), len(rows))
    return rated


def _account(missing: Sequence[Row], rows: Sequence[Row], folder: Path, *, strict: bool) -> None:
    """Names the missing videos in ``missing.csv``."""
    if is_main_process():
        names = pd.DataFrame({"Filename": [row.name for row in missing]})
        names.to_csv(folder / "missing.csv", index=False, errors="backslashreplace")
    if not missing:
        return
    message = f"{len(missing)} of {len(rows)} videos are missing, such as {missing[0].path} (missing.csv names them)"
    if strict:
        raise UsageError(f"strict=true: {message}")
    if len(missing) == len(rows):
        raise UsageError(f"data: all {message}")
    log.warning("%s", message)


def _table(rows: Sequence[Row], scores: Mapping[str, Mapping[str, float]]) -> pd.DataFrame:
    """path, mos, the scores and what a calibration makes of them, one line a row; NaN where there is no score."""
    present = [name for name in SCORES if any(name in values for values in scores.values())]
    if not present:
        raise UsageError("no video could be scored: there is nothing to measure (errors.csv says why)")
    shown = {name: name for name in present}
    if any("mos" in values for values in scores.values()):
        shown["mos_predicted"] = "mos"
    columns = {name: [scores.get(row.name, {}).get(key, math.nan) for row in rows] for name, key in shown.items()}
    return pd.DataFrame({"path": [row.name for row in rows], "mos": [row.mos for row in rows], **columns})


def _measures(
    options: dict[str, Any], parts: Sequence[set[str]] | None, table: pd.DataFrame, folder: Path
) -> dict[str, Measures]:
    """Each score's agreement: on all videos, or the median over the test parts of the protocol's splits."""
    names = [name for name in ("overall", *SCORES[:-1]) if name in table]

    def measured(name: str, videos: pd.DataFrame, resamples: int) -> Measures:
        scored = videos.dropna(subset=[name])
        return measure(scored[name], scored["mos"], fit=options["fit"], resamples=resamples)

    if parts is None:
        return {name: measured(name, table, options["resamples"]) for name in names}
    subsets = [table[table["path"].isin(part)] for part in parts]
    every = {name: [measured(name, subset, 0) for subset in subsets] for name in names}
    splits = [{name: every[name][index].as_dict() for name in names} for index in range(len(parts))]
    write_text(folder / "splits.json", json.dumps(splits, indent=2) + "\n")
    return {name: median(values) for name, values in every.items()}


def _runtime(options: dict[str, Any]) -> dict[str, float | str]:
    device = torch.device("cuda" if options["trainer"]["accelerator"] != "cpu" and torch.cuda.is_available() else "cpu")
    return measure_runtime(build_model(options), view_spec(options), device)


def _log(
    logger: Logger,
    options: dict[str, Any],
    metrics: Mapping[str, Mapping[str, Any]],
    table: pd.DataFrame,
    picture: Path,
) -> None:
    """Everything to the logger: figures to any, the table and the picture to W&B, which can show them."""
    figures = {
        f"{group}/{name}": value
        for group, values in metrics.items()
        for name, value in values.items()
        if isinstance(value, (int, float))
    }
    logger.log_hyperparams(options)
    logger.log_metrics(figures)
    if isinstance(logger, WandbLogger):
        logger.log_table("predictions", dataframe=table)
        logger.log_image("scatter", [str(picture)])
        logger.experiment.finish()
    logger.save()
    logger.finalize("success")
