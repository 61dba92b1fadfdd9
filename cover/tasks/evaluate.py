"""Measure how well scores agree with people's: the work of ``evaluate``."""

import logging
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from cover.config.build.measured import Measured, RankedMetrics, measured
from cover.config.build.model import warn_of_training_videos
from cover.config.build.record import run_record
from cover.config.build.scoring import write_runtime
from cover.config.build.trainer import evaluation_log, require_logger
from cover.config.compose import checked
from cover.config.options.evaluation import EvaluateOptions
from cover.config.resolvers import names_table
from cover.errors import UsageError
from cover.evaluation.tables.predictions import prediction_table, score_names, with_parts
from cover.evaluation.tables.rated import missing_rows
from cover.ranks import is_main_process
from cover.reporting.progress import working
from cover.reporting.tables import write_predictions
from cover.results.names import ERRORS, PREDICTIONS, SCATTER
from cover.results.record import write_run_record
from cover.tasks.report import end_with_report

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
    require_logger(options.logger)
    record = run_record(options, config)
    videos = measured(options)
    if isinstance(videos, RankedMetrics):
        from cover.tasks.rank import rank

        write_run_record(folder, record)
        return rank(options, videos, folder)
    if videos.scores is None:
        from cover.tasks.scoring import score_dataset

        remedy = "strict=false measures the others" if options.strict else None
        missing = {row.name for row in missing_rows(videos.rows, folder, remedy)}
        present = [row for row in videos.rows if row.name not in missing]
        warn_of_training_videos(options.weights, present)
        store = score_dataset(options, config, present, videos.root, folder)
        if not is_main_process():
            return True
        videos = replace(videos, scores=store.scores, parts=store.parts, missing=len(missing))
    else:
        write_run_record(folder, record)
    if videos.failed and options.strict:
        raise UsageError(f"strict=true: {videos.failed} videos have no score ({folder / ERRORS} says why)")
    _measure(options, config, videos, folder)
    if options.report:
        end_with_report(folder, options.fit)
    return not (videos.missing or videos.failed)


def _measure(options: EvaluateOptions, config: Mapping[str, Any], videos: Measured, folder: Path) -> None:
    """Measure the scores of videos; write, log and show the figures."""
    from cover.evaluation.measures import opposed
    from cover.evaluation.raters.uncertainty import uncertainties
    from cover.reporting import evaluation

    rows, study, splits = videos.rows, videos.study, videos.splits
    table = prediction_table(rows, videos.scores or {}, uncertainties(rows, options.columns.model_dump()))
    for path in (folder / PREDICTIONS, *([options.output] if names_table(options.output) else [])):
        write_predictions(path, with_parts(table, rows, videos.parts))
    if study is not None:
        evaluation.write_study(folder, study)
    with working(f"measuring {len(table)} videos"):
        title, resolving = options.data.name, options.resolving_power
        measures = evaluation.write_measures(
            folder, table, splits, options.fit, options.resamples, title, resolving=resolving
        )
    if against := opposed({name: table[name] for name in score_names(table)}, table["mos"]):
        log.warning("%s: %s", options.data.name, against)
    runtime = write_runtime(options, folder) if options.benchmark else None
    figures = {**evaluation.metrics_in(folder), "runtime": runtime or {}}
    lost = videos.missing, videos.failed
    evaluation.show_evaluation(measures, options.published, len(rows), lost, splits, runtime, folder, study)
    if options.logger:
        try:
            evaluation_log(options.logger, config, folder)(figures, table, folder / SCATTER)
        except Exception as error:  # noqa: BLE001 - of a service; the results are written and shown
            log.warning("the figures could not be logged (%s); they are in %s", " ".join(str(error).split()), folder)
