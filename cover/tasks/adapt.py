"""Adapt to few rated videos: the work of ``train`` with a nested cross-validation."""

from pathlib import Path

import pandas as pd

from cover.config.build.training import TrainingPlan
from cover.config.options.training import TrainOptions
from cover.results.names import RUNGS_PICTURE, SCATTER


def adapt(options: TrainOptions, plan: TrainingPlan, folder: Path) -> None:
    """Choose the strongest adaptation that the data support, unless an earlier run with these options has chosen it.

    Args:
        options: The options.
        plan: The objects of the training.
        folder: The results folder.

    Raises:
        UsageError: Ratings or weights are wrong.
    """
    from cover.reporting import adaptation as reporting
    from cover.reporting import evaluation
    from cover.reporting.training import log_figures, read_figures
    from cover.training import run
    from cover.training.adapt.adaptation import fit_adaptation
    from cover.training.data.selection import whole_set

    (source,) = plan.sources
    rated = whole_set(source, folder, strict=options.strict)
    run.open_run(folder, plan.record, plan.follows, [rated], resume=options.resume)
    if plan.study is not None:
        evaluation.write_study(folder, plan.study)
    if (folder / run.FINISHED).exists():
        return
    content, progress = options.protocol.column, reporting.folds_passing
    fitted = fit_adaptation(plan.recipe, plan.make_model, rated, plan.about, folder, content, progress)
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
    if (logger := plan.make_logger(folder)) is not None:
        log_figures(logger, read_figures(folder).measures, table, folder, (RUNGS_PICTURE, SCATTER))
