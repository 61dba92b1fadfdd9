"""Fine-tune on mean opinion scores: the work of ``train``."""

import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hydra.core.hydra_config import HydraConfig

from cover.config.build.training import TrainingPlan, training
from cover.config.compose import checked
from cover.config.options.training import TrainOptions
from cover.ranks import is_main_process
from cover.reporting.progress import working
from cover.results.names import CURVES, ERRORS

if TYPE_CHECKING:
    from cover.training.data.sets import RatedSet

_SEEN = re.compile(r"\+*(model|views)[.=]")  # options that scoring must be given too


def train(config: dict[str, Any], folder: Path) -> bool:
    """Train on the datasets that the options name, on one split or on several, one after the other.

    Args:
        config: ``configs/train.yaml`` as composed.
        folder: The results folder.

    Returns:
        Whether every video could be used; ``errors.csv`` says which could not be read.

    Raises:
        UsageError: Options, ratings or weights are wrong.
    """
    options = checked(config, TrainOptions)
    with working("importing, and reading the ratings"):
        plan = training(options, config)
        from cover.reporting import evaluation
        from cover.reporting.training import summarize
        from cover.training import run
        from cover.training.data.selection import rated_splits

    if plan.selection is None:
        from cover.tasks.adapt import adapt

        adapt(options, plan, folder)
        _show(plan, folder)
        return _complete([folder])
    splits = rated_splits(plan.sources, plan.selection, folder, strict=options.strict)
    indices = options.protocol.indices
    places = [folder if len(splits) == 1 else folder / f"split_{index}" for index in indices]
    if is_main_process():  # before other ranks start, which must not find what is to be set aside
        for place, sets in zip(places, splits, strict=True):
            run.open_run(place, plan.record, plan.follows, sets, resume=options.resume)
            if plan.study is not None:
                evaluation.write_study(place, plan.study)
    measured = [_train_split(options, plan, sets, place) for place, sets in zip(places, splits, strict=True)]
    if is_main_process() and len(splits) > 1:
        summarize(indices, measured, folder)
    return not is_main_process() or _complete(places)


def _complete(folders: Sequence[Path]) -> bool:
    """Check that every video could be read."""
    return all(len((folder / ERRORS).read_text(encoding="utf-8").splitlines()) <= 1 for folder in folders)


def _show(plan: TrainingPlan, folder: Path) -> dict[str, Any]:
    """Show the outcome of a run; gives the measures of each score on the videos that were validated on."""
    from cover.reporting.training import read_figures, show_training

    results = read_figures(folder)
    seen = [option for option in HydraConfig.get().overrides.task if _SEEN.match(option)]
    sources = HydraConfig.get().runtime.config_sources
    seen += [f"--config-dir={source.path}" for source in sources if source.provider == "command-line"]
    program = "python infer.py" if Path(sys.argv[0]).suffix == ".py" else "cover infer"
    show_training(results, folder, program, seen, plan.study)
    return results.measures


def _train_split(options: TrainOptions, plan: TrainingPlan, sets: "Sequence[RatedSet]", folder: Path) -> dict[str, Any]:
    """Train on one split, or continue; gives the measures of each score on the videos that were validated on."""
    from cover.reporting.training import write_figures
    from cover.training import run
    from cover.training.loop.history import read_curves

    if not (folder / run.FINISHED).exists():
        logger = plan.make_logger(folder)
        outcome = run.train_stages(plan.recipe, plan.make_model, sets, plan.about, folder, logger)
        if is_main_process():
            best = {"stage": outcome.best.name, "epoch": outcome.best.epoch, "variant": outcome.best.variant}
            curves, name = read_curves(folder / CURVES), sets[0].name
            table, fit, resamples = outcome.table(), options.fit, options.resamples
            write_figures(folder, table, curves, best, name, fit, resamples, logger, outcome.gain)
    if not is_main_process():
        return {}
    run.tidy(plan.recipe, folder)
    return _show(plan, folder)
