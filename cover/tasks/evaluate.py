"""Measure how well scores agree with people's: the work of ``evaluate``."""

import json
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from cover.config import components
from cover.config.compose import checked
from cover.config.listing import dataset_rows, high_is_good
from cover.config.predicted import comparing, prediction_paths, rated_apart
from cover.config.record import run_record
from cover.config.resolvers import names_table
from cover.config.schema import EvaluateOptions
from cover.errors import UsageError
from cover.evaluation.splits.protocol import Protocol
from cover.evaluation.splits.splits import write_split
from cover.evaluation.tables.joined import match, result_table
from cover.evaluation.tables.predictions import prediction_table, read_predictions, score_names, with_parts
from cover.evaluation.tables.rated import rated_rows, write_missing
from cover.files import write_text
from cover.parts import Part
from cover.ranks import is_main_process
from cover.reporting.loggers import log_evaluation, write_csv_log
from cover.reporting.progress import working
from cover.reporting.tables import write_predictions
from cover.results.names import ERRORS, PREDICTIONS, RUNTIME, SCATTER
from cover.results.record import write_run_record
from cover.rows import Row
from cover.tasks.report import end_with_report

if TYPE_CHECKING:
    from cover.evaluation.raters.study import Study

log = logging.getLogger(__name__)


def evaluate(config: dict[str, Any], folder: Path) -> bool:
    """Score a dataset, or read predictions, and measure the agreement with the MOS.

    Args:
        config: ``configs/evaluate.yaml`` as composed.
        folder: The results folder.

    Returns:
        Whether every video of the dataset counts; else some are missing or failed.

    Raises:
        UsageError: Options, data or weights are wrong, or with ``strict=true`` a video is missing or failed.
    """
    options = checked(config, EvaluateOptions)
    components.require_logger(options.logger)
    if comparing(options):
        from cover.tasks.rank import rank

        return rank(options, config, folder)
    missing: list[Row] = []
    placed: Mapping[str, Part] = {}
    study = None
    if options.predictions is not None:
        rows, scores, study = _from_table(options)
        splits = _measured_splits(rows, options)
        write_run_record(folder, run_record(options, config))
    else:
        from cover.tasks.scoring import score_rows

        listing = dataset_rows(options.data)
        rows, root, study = rated_rows(listing.rows), listing.root, listing.study
        for remark in listing.remarks:
            log.warning("%s", remark)
        splits = _measured_splits(rows, options)  # before hours of scoring, should it not fit
        missing = _missing(rows, folder, strict=options.strict)
        gone = {row.name for row in missing}
        store = score_rows(options, config, [row for row in rows if row.name not in gone], root, folder)
        if not is_main_process():
            return True
        scores, placed = store.scores, store.parts
    failed = len(rows) - len(missing) - len(scores)
    if failed and options.strict:
        raise UsageError(f"strict=true: {failed} videos have no score ({folder / ERRORS} says why)")

    from cover.evaluation.measures import opposed
    from cover.evaluation.raters.uncertainty import uncertainties
    from cover.reporting import evaluation

    table = prediction_table(rows, scores, uncertainties(rows, options.columns.model_dump()))
    for path in (folder / PREDICTIONS, *([options.output] if names_table(options.output) else [])):
        write_predictions(path, with_parts(table, rows, placed))
    if study is not None:
        evaluation.write_study(folder, study)
    with working(f"measuring {len(table)} videos"):
        measures = evaluation.write_measures(
            folder, table, splits, options.fit, options.resamples, options.data.name, resolving=options.resolving_power
        )
    if against := opposed({name: table[name] for name in score_names(table)}, table["mos"]):
        log.warning("%s: %s", options.data.name, against)
    runtime = _runtime(options, folder) if options.benchmark else None
    if options.logger:
        _log(options.logger, config, {**evaluation.metrics_in(folder), "runtime": runtime or {}}, table, folder)
    evaluation.show_evaluation(
        measures, options.published, len(rows), (len(missing), failed), splits, runtime, folder, study
    )
    if options.report:
        end_with_report(folder, options.fit)
    return not (missing or failed)


def _from_table(options: EvaluateOptions) -> "tuple[list[Row], dict[str, dict[str, float]], Study | None]":
    """The rated videos and their scores, of a table of predictions and, where it has no MOS, of a dataset."""
    (path,) = prediction_paths(options)
    rated, study = rated_apart(options)
    table = read_predictions(
        result_table(path),
        options.columns.model_dump(),
        needs_mos=rated is None,
        needs_overall=True,
        separator=options.data.separator,
        decimal=options.data.decimal,
        sheet=options.data.sheet,
    )
    scores = table.scores()
    if rated is None:
        return high_is_good(table.rated(), lower_is_better=bool(options.data.lower_is_better)), scores, None
    names = match(list(scores), [row.name for row in rated])
    if not names:
        raise UsageError(
            f"{table.what}: none of its videos is rated; it has names such as {table.names[0]!r}, the ratings such as "
            f"{rated[0].name!r}"
        )
    return rated, {names[name]: values for name, values in scores.items() if name in names}, study


def _measured_splits(rows: Sequence[Row], options: EvaluateOptions) -> list[set[str]] | None:
    """The names of the videos that each split measures; None where all are measured at once."""
    values = options.protocol
    if values.splits == "full":
        return None
    protocol = Protocol(values.splits, values.count, values.column, values.file)
    splits = protocol.split(rows)
    if values.write is not None and is_main_process():
        for index, split in enumerate(splits):
            write_split(values.write / f"split_{index}.csv", split)
    return [{row.name for row in protocol.chosen(split, values.split, "split")} for split in splits]


def _missing(rows: Sequence[Row], folder: Path, *, strict: bool) -> list[Row]:
    """Name the videos that are not there in ``missing.csv``."""
    missing = [row for row in rows if not row.path.exists()]
    if is_main_process():
        write_missing(folder, missing)
    if missing:
        message = (
            f"{len(missing)} of {len(rows)} videos are missing, such as {missing[0].path} (missing.csv names them)"
        )
        if strict:
            raise UsageError(f"strict=true: {message}")
        if len(missing) == len(rows):
            raise UsageError(f"data: all {message}")
        log.warning("%s", message)
    return missing


def _runtime(options: EvaluateOptions, folder: Path) -> dict[str, float | str]:
    """Time the model, as the paper and the AIS 2024 challenge do."""
    from cover.scoring.local import device_of
    from cover.scoring.runtime import measure_runtime
    from cover.scoring.scorer import Scorer

    device = device_of("cpu" if options.trainer["accelerator"] == "cpu" else "auto")
    scorer = Scorer(components.build_model(options).to(device).eval(), components.view_spec(options.views))
    runtime = measure_runtime(scorer)
    write_text(folder / RUNTIME, json.dumps(runtime, indent=2) + "\n")
    return runtime


def _log(
    logger: Mapping[str, Any], config: Mapping[str, Any], metrics: Mapping[str, Any], table: pd.DataFrame, folder: Path
) -> None:
    if logger["_target_"].endswith(".CSVLogger"):  # the default: not worth importing Lightning for
        return write_csv_log(folder / logger["version"], config, metrics)
    return log_evaluation(components.build_logger(logger, folder), config, metrics, table, folder / SCATTER)
