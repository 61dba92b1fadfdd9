"""Rank several metrics on the same videos: ``evaluate`` with several predictions."""

import logging
from pathlib import Path

from cover.config.build.measured import RankedMetrics
from cover.config.options.evaluation import EvaluateOptions
from cover.reporting.progress import working
from cover.results.names import FILENAME

log = logging.getLogger(__name__)


def rank(options: EvaluateOptions, videos: RankedMetrics, folder: Path) -> bool:
    """Rank metrics, and write and show the ranking.

    Args:
        options: The options.
        videos: The rated videos and their scores by every metric.
        folder: The results folder.

    Returns:
        Whether every rated video has a score of every metric.
    """
    from cover.evaluation.ranking import rank_metrics, tabulate
    from cover.evaluation.raters.uncertainty import uncertainties
    from cover.reporting import evaluation, ranking

    rows, scores, study = videos.joined.rows, videos.joined.scores, videos.study
    table = tabulate(rows, scores, uncertainties(rows, options.columns.model_dump()))
    metrics = list(scores)
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
