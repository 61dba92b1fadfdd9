"""The recipe of a training, made of options."""

import dataclasses
from typing import TYPE_CHECKING, Any, TypeVar

from cover.config.build.checks import centered, fits, known_start
from cover.config.build.decoding import reading_options
from cover.config.build.instantiate import instantiate
from cover.config.build.model import network
from cover.config.build.trainer import build_trainer
from cover.config.options.training import TrainOptions
from cover.config.options.types import Options
from cover.errors import UsageError
from cover.reporting.progress import VideoProgress
from cover.weights import cache_dir

if TYPE_CHECKING:
    from cover.training.loop.losses import QualityLoss
    from cover.training.recipe import Recipe

G = TypeVar("G")


def build_recipe(options: TrainOptions) -> "Recipe":
    """Make the recipe: each field of its groups is the option of the same name.

    Raises:
        UsageError: A factor of the loss, or the view spec, is wrong.
    """
    from cover.training.adapt.ridge import BranchFit, Ridge
    from cover.training.data.batches import Batching, ByContent
    from cover.training.data.cache import Caching
    from cover.training.loop.schedule import Rates
    from cover.training.recipe import Auxiliary, Engine, Recipe, Stage, Start

    _loss(options)  # before anything is read
    by_content, ridge = options.by_content, options.ridge
    nodes = [options.data, *options.also.values()]
    branches = {branch: BranchFit(fit.sets or {}, fit.scale) for branch, fit in fits(options).items()}
    return Recipe(
        views=centered(options),
        net=options.model.net,
        stages=[Stage(name, stage.epochs, stage.train) for name, stage in options.stages.items() if stage.epochs],
        rates=_group(Rates, options),
        batching=_group(
            Batching,
            options,
            options.augment,
            options.loss,
            by_content=None if by_content.column is None else ByContent(by_content.column, by_content.videos),
        ),
        auxiliary=_group(Auxiliary, options.auxiliary),
        caching=_group(
            Caching,
            options.cache,
            dir=options.cache.dir or cache_dir() / "videos",
            reading={node.name: reading_options(node) for node in nodes},
        ),
        start=_group(Start, options, known=known_start(options)),
        engine=Engine(
            make_network=lambda: network(options.model.net),
            make_loss=lambda: _loss(options),
            make_optimizer=lambda groups: instantiate(options.optimizer, "optimizer", params=groups),
            make_trainer=lambda **arguments: build_trainer(options.trainer, **arguments),
            make_progress=VideoProgress,
            precision=options.trainer["precision"],
            accelerator=options.trainer["accelerator"],
        ),
        ridge=Ridge(branches, ridge.content),
        seed=options.seed,
    )


def _group(kind: type[G], *nodes: Options, **others: Any) -> G:
    """Make a group of the recipe from the options that its fields are called like."""
    names = {field.name for field in dataclasses.fields(kind)} - others.keys()  # type: ignore[arg-type]
    named = {name: getattr(node, name) for node in nodes for name in names & type(node).model_fields.keys()}
    return kind(**named, **others)


def _loss(options: TrainOptions) -> "QualityLoss":
    """Make the loss.

    Raises:
        UsageError: A factor makes no sense.
    """
    from cover.training.loop.losses import QualityLoss

    try:
        return QualityLoss(**options.loss.model_dump(exclude={"by_interval"}))
    except ValueError as error:
        raise UsageError(f"loss: {error}") from error
