"""One stage of a training: cache features of frozen backbones, then train the rest."""

import logging
import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch.callbacks import ModelCheckpoint, RichProgressBar
from lightning.pytorch.loggers import Logger
from torch import nn

from cover.errors import UsageError
from cover.models import COVER, fan_in_, whiten_
from cover.ranks import is_main_process
from cover.results.names import BEST, CURVES, ERRORS, LAST
from cover.scores import BRANCHES, SCORES
from cover.training.adapt.ridge import fit_heads
from cover.training.data.features import add_error, caches, prepare
from cover.training.data.loader import TrainingData
from cover.training.data.selection import auxiliary_columns
from cover.training.data.sets import RatedSet
from cover.training.loop.direction import StartingDirection
from cover.training.loop.history import CurveWriter, curve_line, read_curves, write_curves
from cover.training.loop.module import MONITOR, RAW, Training
from cover.training.loop.schedule import mark_trained
from cover.training.loop.whole import WholeCheckpoints
from cover.training.recipe import Recipe, Stage

log = logging.getLogger(__name__)

START = "start"
"""Name of the stage, in results, that is the model before any training."""

_WHITENED = 64  # videos that whitening filters are computed of


@dataclass(frozen=True)
class StageResult:
    """The outcome of a stage; the model has its best weights.

    Attributes:
        name: Of the stage.
        epoch: The best one, from 1; 0 of the start.
        variant: ``raw`` or ``ema`` weights, whichever were better in it.
        score: The value that it was chosen by.
        predictions: Scores of each video, by its place in ``data.videos``, in the order of the model's scores.
        data: The videos it was trained on.
        trained: Names of the parameters that were trained.
    """

    name: str
    epoch: int
    variant: str
    score: float
    predictions: Mapping[int, Sequence[float]]
    data: TrainingData
    trained: frozenset[str]

    @property
    def overall(self) -> dict[tuple[str, str], float]:
        """The overall score of each video, by its set and name."""
        place, data = SCORES.index("overall"), self.data
        return {
            (data.owners[video].name, data.videos[video].name): float(scores[place])
            for video, scores in self.predictions.items()
        }


def run_stage(
    recipe: Recipe,
    stage: Stage,
    model: COVER,
    sets: Sequence[RatedSet],
    folder: Path,
    logger: Logger | None,
    about: Mapping[str, Any],
    trained: Collection[str],
) -> StageResult:
    """Train one stage, or continue it where it was interrupted.

    Args:
        recipe: The recipe.
        stage: One of its stages.
        model: The whole model with the weights to start from; afterwards with the stage's best.
        sets: The videos.
        folder: The results folder of the run.
        logger: Besides ``curves.csv``.
        about: Plain data for the checkpoints.
        trained: Names of the parameters that stages before it trained.

    Raises:
        UsageError: Options are wrong, a disk is full, or too few videos can be read.
    """
    with _marked(stage):
        learning = mark_trained(model, stage.train)
    frozen = [branch for branch in BRANCHES if branch not in learning]
    data = training_data(recipe, model, sets, frozen, learning, folder)
    place = folder / "stages" / stage.name
    # Layers that an earlier stage has trained continue from there.
    again = [branch for branch in learning if not any(key.startswith(f"backbones.{branch}.") for key in trained)]
    if recipe.start.from_scratch and again and not (place / LAST).exists():
        _start_from_scratch(model, again, data)
    if not stage.train and not (place / LAST).exists():
        fit_heads(model, data, recipe.ridge, recipe.seed)
    resting: dict[str, nn.Module] = {branch: model.backbones.pop(branch) for branch in frozen}
    training = _module(recipe, model, data, about)
    if stage.train:
        _fit(recipe, stage, training, data, folder, logger)
    else:
        _measure(recipe, stage, training, data, folder)
    chosen = torch.load(place / BEST, map_location="cpu", weights_only=True)
    model.load_state_dict({key.removeprefix("model."): value for key, value in chosen["state_dict"].items()})
    _predict(recipe, training, data, folder)
    model.backbones.update(resting)
    return StageResult(
        name=stage.name,
        epoch=chosen["epoch"] + 1,
        variant=chosen["cover"]["variant"],
        score=chosen["cover"]["score"],
        predictions=training.predictions,
        data=data,
        trained=frozenset(
            key
            for key, parameter in model.named_parameters()
            if parameter.requires_grad or (not stage.train and key.startswith("heads."))
        ),
    )


def run_start(
    recipe: Recipe, model: COVER, sets: Sequence[RatedSet], folder: Path, about: Mapping[str, Any]
) -> StageResult:
    """Validate the model before any training: epoch 0, the baseline of the training.

    Args:
        recipe: The recipe.
        model: The whole model with the weights to start from.
        sets: The videos.
        folder: The results folder of the run.
        about: Plain data for the checkpoints.

    Raises:
        UsageError: As of :func:`run_stage`.
    """
    stage = recipe.stages[0]
    with _marked(stage):
        learning = mark_trained(model, stage.train)
    frozen = [branch for branch in BRANCHES if branch not in learning]
    data = training_data(recipe, model, sets, frozen, learning, folder)
    resting: dict[str, nn.Module] = {branch: model.backbones.pop(branch) for branch in frozen}
    training = _module(recipe, model, data, about)
    _predict(recipe, training, data, folder)
    model.backbones.update(resting)
    held_out = {video: scores for video, scores in training.predictions.items() if video >= data.trained}
    figures = training.measured(held_out)
    score = figures["overall/srocc"] + figures["overall/plcc"]
    score = -2.0 if math.isnan(score) else score
    if is_main_process() and not read_curves(folder / CURVES):
        metrics = {f"val/raw/{name}": value for name, value in figures.items()} | {MONITOR: score}
        write_curves(folder / CURVES, [curve_line(START, 0, 0.0, metrics)])
    trained = frozenset(key for key, _ in model.named_parameters() if key.startswith(("gates.", "heads.")))
    return StageResult(START, 0, RAW, score, training.predictions, data, trained)


@contextmanager
def _marked(stage: Stage) -> Iterator[None]:
    """Name the stage where a pattern of it matches nothing."""
    try:
        yield
    except ValueError as error:
        raise UsageError(f"stages.{stage.name}.train: {error}") from error


def _predict(recipe: Recipe, training: Training, data: TrainingData, folder: Path) -> None:
    """Score all videos; ``training.predictions`` has the scores afterwards, ``errors.csv`` what could not be read."""
    quiet = recipe.engine.make_trainer(callbacks=[_progress_bar()], plugins=[WholeCheckpoints()], logger=False)
    data.failures.clear()
    quiet.predict(training, datamodule=data, return_predictions=False)
    for failure in data.failures.values():  # of this rank's share of all videos, so that each is listed once
        add_error(folder / ERRORS, failure)


def training_data(
    recipe: Recipe,
    model: COVER,
    sets: Sequence[RatedSet],
    frozen: Sequence[str],
    learning: Sequence[str],
    folder: Path,
) -> TrainingData:
    """Fill the caches, and make batches of the videos that can be read.

    Args:
        recipe: The recipe.
        model: Computes features.
        sets: The videos.
        frozen: Branches whose features are cached.
        learning: Branches whose views are wanted.
        folder: The results folder, for ``errors.csv``.

    Raises:
        UsageError: A disk is full, or too few videos can be read.
    """
    features, views = caches(recipe, model, frozen, learning if recipe.caching.views else [])
    sets = prepare(recipe, model, sets, features, views, folder)
    return TrainingData(
        sets,
        recipe.views,
        features=features,
        views=views,
        decoded=[] if views else learning,
        batching=recipe.batching,
        seed=recipe.seed,
        auxiliary=auxiliary_columns(recipe.auxiliary.columns, sets),
    )


def _module(recipe: Recipe, model: COVER, data: TrainingData, about: Mapping[str, Any]) -> Training:
    owned = list(zip(data.owners, data.videos, strict=True))
    return Training(
        model,
        recipe.engine.make_loss(),
        recipe.engine.make_optimizer,
        recipe.rates,
        sets=[(rated.name, rated.rating(row)) for rated, row in owned],
        own={branch: [rated.rating(row, branch) for rated, row in owned] for branch in data.own},
        auxiliary=data.auxiliary_count,
        auxiliary_factor=recipe.auxiliary.factor,
        seed=recipe.seed,
        about=about,
    )


def _fit(
    recipe: Recipe, stage: Stage, training: Training, data: TrainingData, folder: Path, logger: Logger | None
) -> None:
    """Fit, from the last checkpoint where there is one; leaves ``best.ckpt`` and ``last.ckpt``."""
    place = (folder / "stages" / stage.name).absolute()
    before, earlier = _earlier(recipe, stage, folder)
    best = ModelCheckpoint(
        place, "best", monitor=MONITOR, mode="max", save_on_train_epoch_end=True, enable_version_counter=False
    )
    # After the best, so that what is resumed from knows of it.
    last = ModelCheckpoint(place, "last", save_on_train_epoch_end=True, enable_version_counter=False)
    direction = [] if before else [StartingDirection()]
    trainer = recipe.engine.make_trainer(
        callbacks=[CurveWriter(folder / CURVES, stage.name, earlier), _progress_bar(), best, last, *direction],
        max_epochs=stage.epochs,
        # Adding up gradients in any order would differ in the last bits from run to run. On a GPU it costs too much.
        deterministic=recipe.engine.accelerator == "cpu" or not torch.accelerator.is_available(),
        plugins=[WholeCheckpoints()],
        logger=logger or False,
        num_sanity_val_steps=0,
        use_distributed_sampler=False,
        reload_dataloaders_every_n_epochs=1,
        log_every_n_steps=1,
    )
    file = place / LAST
    if file.exists():
        log.info("%s: resuming from %s", stage.name, file)
    trainer.fit(training, datamodule=data, ckpt_path=file if file.exists() else None)


def _earlier(recipe: Recipe, stage: Stage, folder: Path) -> tuple[list[str], list[dict[str, Any]]]:
    """The names of the stages before one, and their lines of curves."""
    names = [known.name for known in recipe.stages]
    before = names[: names.index(stage.name)]
    return before, [line for line in read_curves(folder / CURVES) if line["stage"] in (START, *before)]


def _measure(recipe: Recipe, stage: Stage, training: Training, data: TrainingData, folder: Path) -> None:
    """Validate heads that were fitted in closed form; leaves a line of curves, ``best.ckpt`` and ``last.ckpt``."""
    place = (folder / "stages" / stage.name).absolute()
    if (place / LAST).exists():
        return
    _, earlier = _earlier(recipe, stage, folder)
    trainer = recipe.engine.make_trainer(callbacks=[_progress_bar()], plugins=[WholeCheckpoints()], logger=False)
    trainer.validate(training, datamodule=data, verbose=False)
    if trainer.is_global_zero:
        write_curves(folder / CURVES, [*earlier, curve_line(stage.name, 1, 0.0, trainer.callback_metrics)])
    for name in (BEST, LAST):
        trainer.save_checkpoint(place / name)


def _start_from_scratch(model: COVER, branches: Sequence[str], data: TrainingData) -> None:
    """Initialise some branches again, their patch embeddings as filters that whiten what they will see."""
    for branch in branches:
        if branch in model.custom:
            raise UsageError(f"from_scratch: the {branch} branch is a backbone of your own; initialise it in its class")
        library = getattr(model.backbones[branch], "library", None)
        if library is not None:
            raise UsageError(
                f"from_scratch: {branch}: backbones of {library} start from pretrained weights and cannot be trained "
                "from scratch"
            )
        fan_in_(model.backbones[branch])
    seen: dict[str, list[torch.Tensor]] = {branch: [] for branch in branches}
    count = 0
    for batch in data.train_dataloader():
        for group in batch.groups:
            for branch, views in model.normalize({branch: group.views[branch] for branch in branches}).items():
                seen[branch].append(views)
        count += len(batch.videos)
        if count >= _WHITENED:
            break
    for branch, branch_seen in seen.items():
        backbone: Any = model.backbones[branch]
        shape = branch_seen[0].shape
        try:
            whiten_(
                backbone.patch_embedding, torch.cat([views for views in branch_seen if views.shape[1:] == shape[1:]])
            )
        except ValueError as error:
            raise UsageError(f"from_scratch: {branch}: {error}") from error


def _progress_bar() -> RichProgressBar:
    return RichProgressBar(console_kwargs={"stderr": True})
