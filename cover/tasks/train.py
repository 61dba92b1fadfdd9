"""Fine-tune on mean opinion scores: the work of ``train``."""

import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hydra.core.hydra_config import HydraConfig

from cover.config import components, training
from cover.config.compose import checked
from cover.config.record import run_record
from cover.config.schema import TrainOptions
from cover.ranks import is_main_process
from cover.results.names import CURVES, ERRORS

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
    training.check_options(options)
    try:
        from cover.reporting import evaluation
        from cover.training import run
        from cover.training.data.selection import rated_splits
    except ModuleNotFoundError as error:
        raise components.missing_extra(error, "training") from error

    components.quiet_lightning()
    if options.protocol.splits == "nested":
        from cover.tasks.adapt import adapt

        study = adapt(options, config, folder)
        _show(folder, study)
        return _complete([folder])
    recipe = training.recipe(options)
    sources = training.sources(options)
    study = next((source.study for source in sources if source.study is not None), None)
    splits = rated_splits(sources, training.selection(options), folder, strict=options.strict)
    indices = options.protocol.indices
    places = [folder if len(splits) == 1 else folder / f"split_{index}" for index in indices]
    follows_from = training.identity(options, config)
    if is_main_process():  # before other ranks start, which must not find what is to be set aside
        for place, sets in zip(places, splits, strict=True):
            run.open_run(place, run_record(options, config), follows_from, sets, resume=options.resume)
            if study is not None:
                evaluation.write_study(place, study)
    measured = [
        _train_split(options, config, recipe, follows_from["base"], sets, place, study)
        for place, sets in zip(places, splits, strict=True)
    ]
    if not is_main_process():
        return True
    if len(splits) > 1:
        from cover.reporting.training import summarize

        summarize(indices, measured, folder)
    return _complete(places)


def _complete(folders: Sequence[Path]) -> bool:
    """Whether every video could be read."""
    return all(len((folder / ERRORS).read_text(encoding="utf-8").splitlines()) <= 1 for folder in folders)


def _show(folder: Path, study: Any) -> dict[str, Any]:
    """Show the outcome of a run; gives the measures of each score on the videos that were validated on."""
    from cover.reporting import training as reporting

    results = reporting.read_figures(folder)
    seen = [option for option in HydraConfig.get().overrides.task if _SEEN.match(option)]
    program = "python infer.py" if Path(sys.argv[0]).suffix == ".py" else "cover infer"
    reporting.show_training(results, folder, program, seen, study)
    return results.measures


def _train_split(
    options: TrainOptions,
    config: dict[str, Any],
    recipe: Any,
    base: dict[str, Any],
    sets: Sequence[Any],
    folder: Path,
    study: Any,
) -> dict[str, Any]:
    """Train on one split, or continue; gives the measures of each score on the videos that were validated on."""
    from cover.reporting import training as reporting
    from cover.training import run
    from cover.training.loop.history import read_curves

    if not (folder / run.FINISHED).exists():
        logger = training.logger(options, config, folder)
        about = training.about(options, base)
        outcome = run.train_stages(recipe, lambda: components.build_model(options), sets, about, folder, logger)
        if is_main_process():
            best = {"stage": outcome.best.name, "epoch": outcome.best.epoch, "variant": outcome.best.variant}
            curves = read_curves(folder / CURVES)
            reporting.write_figures(
                folder,
                outcome.table(),
                curves,
                best,
                sets[0].name,
                options.fit,
                options.resamples,
                logger,
                outcome.gain,
            )
    if not is_main_process():
        return {}
    run.tidy(recipe, folder)
    return _show(folder, study)
