"""Hold several metrics against each other on the same videos: ``evaluate`` with several predictions."""

import logging
from pathlib import Path
from typing import Any

from cover.config.listing import high_is_good
from cover.config.predicted import prediction_paths, rated_apart
from cover.config.record import run_record
from cover.config.schema import EvaluateOptions
from cover.errors import UsageError
from cover.evaluation.tables.joined import join
from cover.reporting.progress import working
from cover.results.names import FILENAME
from cover.results.record import write_run_record

log = logging.getLogger(__name__)


def rank(options: EvaluateOptions, config: dict[str, Any], folder: Path) -> bool:
    """Rank metrics, and write and show the ranking.

    Args:
        options: The options.
        config: The same as composed, for ``run.yaml``.
        folder: The results folder.

    Returns:
        Whether every rated video has a score of every metric.

    Raises:
        UsageError: A table cannot be read, or the tables have no video in common.
    """
    if options.protocol.splits != "full":
        raise UsageError("protocol.splits: several metrics are compared on all videos; leave it out")
    rated, study = rated_apart(options)
    data = options.data
    layout = {"separator": data.separator, "decimal": data.decimal, "sheet": data.sheet}
    joined = join(prediction_paths(options), options.columns.model_dump(), rated, options.columns.scores, **layout)
    rows = joined.rows if rated is not None else high_is_good(joined.rows, lower_is_better=bool(data.lower_is_better))
    write_run_record(folder, run_record(options, config))

    from cover.evaluation.ranking import rank_metrics, tabulate
    from cover.evaluation.raters.uncertainty import uncertainties
    from cover.reporting import evaluation, ranking

    table = tabulate(rows, joined.scores, uncertainties(rows, options.columns.model_dump()))
    metrics = list(joined.scores)
    complete = table.dropna(subset=metrics)
    if len(complete) < len(table):
        lone = table[table[metrics].isna().any(axis=1)].iloc[0]
        lacking = ", ".join(name for name in metrics if lone[name] != lone[name])
        message = "%d of %d rated videos have a score of every metric: these are compared (%s has none of %s)"
        log.warning(message, len(complete), len(table), lone[FILENAME], lacking)
    if study is not None:
        evaluation.write_study(folder, study)
    with working(f"ranking {len(metrics)} metrics on {len(complete)} videos"):
        ranked = rank_metrics(complete, metrics, options.fit, options.resamples, resolving=options.resolving_power)
    ranking.write_ranking(folder, table, ranked, options.fit, study)
    ranking.show_ranking(ranked, options.fit, len(table), folder, study)
    return len(complete) == len(table)
