"""Adapt to few rated videos: the work of ``train`` with a nested cross-validation."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from cover.config import components, training
from cover.config.record import run_record
from cover.config.schema import TrainOptions
from cover.results.names import RUNGS_PICTURE, SCATTER

if TYPE_CHECKING:
    from cover.evaluation.raters.study import Study


def adapt(options: TrainOptions, config: dict[str, Any], folder: Path) -> "Study | None":
    """Choose what the data can carry, or show what an earlier run with these options chose.

    Args:
        options: The options.
        config: The same as composed, for ``run.yaml``.
        folder: The results folder.

    Returns:
        How far the raters agree; None where that is unknown.

    Raises:
        UsageError: Options, ratings or weights are wrong.
    """
    from cover.reporting import adaptation as reporting
    from cover.reporting import evaluation
    from cover.reporting.training import log_figures, read_figures
    from cover.training import run
    from cover.training.adapt.adaptation import fit_adaptation
    from cover.training.data.selection import whole_set

    (source,) = training.sources(options)
    rated = whole_set(source, folder, strict=options.strict)
    follows_from = training.identity(options, config)
    run.open_run(folder, run_record(options, config), follows_from, [rated], resume=options.resume)
    if source.study is not None:
        evaluation.write_study(folder, source.study)
    if not (folder / run.FINISHED).exists():
        about = training.about(options, follows_from["base"])
        recipe = training.recipe(options)
        fitted = fit_adaptation(
            recipe,
            lambda: components.build_model(options),
            rated,
            about,
            folder,
            options.protocol.column,
            reporting.folds_passing,
        )
        table = fitted.table()
        reporting.write_adaptation(
            folder,
            table,
            pd.DataFrame(fitted.choice.table),
            fitted.nested.gain,
            fitted.about(),
            fitted.best,
            options.fit,
            options.resamples,
        )
        if (logger := training.logger(options, config, folder)) is not None:
            log_figures(logger, read_figures(folder).measures, table, folder, (RUNGS_PICTURE, SCATTER))
    return source.study
