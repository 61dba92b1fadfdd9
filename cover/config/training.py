"""Objects of a training made of options."""

import dataclasses
import logging
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cover.config import components
from cover.config.listing import dataset_rows
from cover.config.schema import BranchFitOptions, DataOptions, TargetOptions, TrainOptions
from cover.errors import UsageError
from cover.evaluation.raters.uncertainty import uncertainties
from cover.evaluation.splits.protocol import Protocol
from cover.evaluation.tables.rated import rated_rows
from cover.reporting.progress import VideoProgress
from cover.results.record import read_run_record
from cover.rows import Row
from cover.video import ViewSpec
from cover.weights import PRETRAINED_WEIGHTS, RANDOM_WEIGHTS, cache_dir

if TYPE_CHECKING:
    from lightning.pytorch.loggers import Logger

    from cover.evaluation.raters.study import Study
    from cover.training.data.selection import Selection, TrainingSource
    from cover.training.loop.losses import QualityLoss
    from cover.training.recipe import Recipe

log = logging.getLogger(__name__)

# Options that change no result, so that a run may be resumed with others.
_ANYWHERE = ("output", "resume", "logger", "decode", "trainer", "cache")


def check_options(options: TrainOptions) -> None:
    """Refuse what can be refused before anything is read, or torch imported.

    Raises:
        UsageError: The options do not go together.
    """
    if options.protocol.splits == "nested":
        _check_nested(options)
    elif not any(stage.epochs for stage in options.stages.values()):
        raise UsageError("stages: no stage has an epoch; set that of stages.ridge, stages.heads or stages.full")
    _check_batches(options)
    for name in ("check_val_every_n_epoch", "limit_val_batches"):
        if name in options.trainer:
            raise UsageError(f"trainer.{name}: every epoch is validated, on all videos; leave it out")
    names = [node.name for node in (options.data, *options.also.values())]
    for branch, fit in _fits(options).items():
        if unknown := set(fit.sets or ()) - set(names):
            raise UsageError(f"ridge.{branch}.sets: no dataset {min(unknown)!r} here, only {', '.join(names)}")
    components.require_logger(options.logger)
    centered(options)


def _check_nested(options: TrainOptions) -> None:
    """Refuse what the ladder has no use for."""
    if any(stage.epochs for stage in options.stages.values()):
        raise UsageError("protocol.splits=nested: no stage is trained; experiment=finetune_small sets what it takes")
    if options.also or options.validation is not None:
        raise UsageError("protocol.splits=nested: cross-validates over data= alone; leave also= and validation= out")
    if options.by_content.column is not None:
        raise UsageError("protocol.splits=nested: makes no batches; protocol.column= names the content")
    if any(options.targets.model_dump().values()):
        raise UsageError("protocol.splits=nested: adapts the overall score to the MOS; leave targets= out")
    if not known_start(options):
        raise UsageError("protocol.splits=nested: adapts a trained model; weights=random and from_scratch have none")
    if options.trainer.get("devices", 1) not in (1, "1", "auto"):
        raise UsageError("protocol.splits=nested: takes one device; leave trainer.devices out")


def _check_batches(options: TrainOptions) -> None:
    """Refuse settings in which a loss compares a video with nothing, and learns nothing without a word."""
    if not any(stage.epochs and stage.train for stage in options.stages.values()):
        return
    several = options.trainer.get("devices", 1) not in (1, "1") or options.trainer.get("num_nodes", 1) != 1
    if options.batch_size == 1 and not several:
        raise UsageError("batch_size=1: losses compare the videos of a batch; it takes 2 at least, 8 by default")
    if options.loss.within == 1 and (options.by_content.column is None or options.by_content.videos == 1):
        raise UsageError(
            "loss.within=1: losses then compare videos of one content only; by_content.column= and by_content.videos= "
            "(2 at least) bring several of them into a batch"
        )


def _fits(options: TrainOptions) -> dict[str, BranchFitOptions]:
    ridge = options.ridge
    return {"semantic": ridge.semantic, "technical": ridge.technical, "aesthetic": ridge.aesthetic}


def centered(options: TrainOptions) -> ViewSpec:
    """Make the view spec that training validates with.

    Raises:
        UsageError: The views are not sampled at the centre.
    """
    if options.views.sampling != "center" or options.views.replay or options.views.record:
        raise UsageError("views.sampling: training validates on the centre; augment.samplings= adds random ones")
    return components.view_spec(options.views)


def recipe(options: TrainOptions) -> "Recipe":
    """Make the recipe.

    Raises:
        UsageError: The loss makes no sense.
    """
    from cover.training.adapt.ridge import BranchFit, Ridge
    from cover.training.data.batches import ByContent
    from cover.training.recipe import Recipe, Stage

    loss(options)  # before anything is read
    by_content, cache = options.by_content, options.cache
    nodes = [options.data, *options.also.values()]
    return Recipe(
        views=centered(options),
        net=options.model.net,
        stages=[Stage(name, stage.epochs, stage.train) for name, stage in options.stages.items() if stage.epochs],
        make_loss=lambda: loss(options),
        make_optimizer=lambda groups: components.instantiate(options.optimizer, "optimizer", params=groups),
        make_trainer=lambda **arguments: components.build_trainer(options.trainer, **arguments),
        make_progress=VideoProgress,
        batch_size=options.batch_size,
        lr=options.lr,
        backbone_lr=options.lr * options.backbone_lr,
        warmup_epochs=options.warmup_epochs,
        ema_decay=options.ema_decay,
        from_scratch=options.from_scratch,
        samplings=options.augment.samplings,
        mirror=options.augment.mirror,
        by_content=None if by_content.column is None else ByContent(by_content.column, by_content.videos),
        auxiliary=options.auxiliary.columns,
        auxiliary_factor=options.auxiliary.factor,
        by_interval=options.loss.by_interval,
        l2_sp=options.l2_sp,
        known_start=known_start(options),
        require_gain=options.require_gain,
        ridge=Ridge(
            {branch: BranchFit(fit.sets or {}, fit.scale) for branch, fit in _fits(options).items()},
            options.ridge.content,
        ),
        cache=cache_dir() / "videos" if cache.dir is None else cache.dir,
        dtype=cache.dtype,
        keep_views=cache.views,
        reading={node.name: components.reading_options(node) for node in nodes},
        precision=options.trainer["precision"],
        accelerator=options.trainer["accelerator"],
        seed=options.seed,
    )


def known_start(options: TrainOptions) -> bool:
    """Tell whether the weights to start from mean something: whether their heads are not random."""
    return not options.from_scratch and options.weights not in (RANDOM_WEIGHTS, PRETRAINED_WEIGHTS)


def loss(options: TrainOptions) -> "QualityLoss":
    """Make the loss.

    Raises:
        UsageError: A factor makes no sense.
    """
    from cover.training.loop.losses import QualityLoss

    try:
        return QualityLoss(**options.loss.model_dump(exclude={"by_interval"}))
    except ValueError as error:
        raise UsageError(f"loss: {error}") from error


def sources(options: TrainOptions) -> "list[TrainingSource]":
    """List the datasets to train on, ``data`` first.

    Raises:
        UsageError: A dataset cannot be read, has no rating, or two have one name.
    """
    from cover.training.data.selection import TrainingSource

    nodes = {"data": options.data, **{f"also.{key}": node for key, node in options.also.items()}}
    names = [node.name for node in nodes.values()]
    for place, (option, node) in enumerate(nodes.items()):
        if node.name in names[:place]:
            raise UsageError(f"{option}.name={node.name}: there is a dataset of that name; give it another one")
    sources_found = []
    for option, node in nodes.items():
        rows, study = _rated(node, option, options.targets)
        if options.loss.by_interval and uncertainties(rows, {}) is None:
            raise UsageError(f"loss.by_interval=true: {option} has no columns ci95, or std and n")
        sources_found.append(
            TrainingSource(option, node.name, rows, components.decoder(options.decode, node), node.share, study)
        )
    return sources_found


def selection(options: TrainOptions) -> "Selection":
    """Make the selection of videos.

    Raises:
        UsageError: The dataset to validate on cannot be read or has no rating.
    """
    from cover.training.data.selection import Selection

    protocol = options.protocol
    splits = protocol.splits
    if splits == "nested":
        raise ValueError("a nested cross-validation has no split")
    return Selection(
        Protocol(splits, protocol.count, protocol.column, protocol.file),
        protocol.indices,
        protocol.train,
        protocol.validation,
        None if options.validation is None else _rated(options.validation, "validation", options.targets)[0],
        options.targets.model_dump(),
        options.by_content.column,
        options.auxiliary.columns,
    )


def identity(options: TrainOptions, config: Mapping[str, Any]) -> dict[str, Any]:
    """Collect what the result of a training follows from: options, and the weights that it starts from (``base``)."""
    options_kept = {name: value for name, value in config.items() if name not in _ANYWHERE}
    precision = {"precision": options.trainer["precision"], "dtype": options.cache.dtype}
    return {"options": {**options_kept, **precision}, "base": _base(options)}


def about(options: TrainOptions, base: Mapping[str, Any]) -> dict[str, Any]:
    """Describe the model for those who load its weights without a config."""
    return {"net": options.model.net, "views": dataclasses.asdict(centered(options)), "base": dict(base)}


def logger(options: TrainOptions, config: Mapping[str, Any], folder: Path) -> "Logger | None":
    """Make the logger, if any; a run that is resumed is the same run there.

    Raises:
        UsageError: A value is not what it takes, or its package is not installed.
    """
    if not options.logger:
        return None
    wandb = options.logger["_target_"].endswith("WandbLogger")
    record = read_run_record(folder)
    known = {"id": record.training["run_id"], "resume": "allow"} if wandb and record else {}
    made = components.build_logger(options.logger, folder, **known)
    made.log_hyperparams(dict(config))
    return made


def _rated(node: DataOptions, option: str, targets: TargetOptions) -> "tuple[list[Row], Study | None]":
    listing = dataset_rows(node, option)
    rows = listing.rows
    if listing.lower_is_better:  # of the branches' own ratings too
        columns = {column for column in targets.model_dump().values() if column is not None}
        rows = [dataclasses.replace(row, extras={**row.extras, **_negated(row, columns)}) for row in rows]
    for remark in listing.remarks:
        log.warning("%s", remark)
    return rated_rows(rows, option), listing.study


def _negated(row: Row, columns: set[str]) -> dict[str, object]:
    """Those of a row's extras that hold a number in one of the columns, with the other sign."""
    negated: dict[str, object] = {}
    for column in columns & row.extras.keys():
        with suppress(ValueError):
            negated[column] = -float(str(row.extras[column]))
    return negated


def _base(options: TrainOptions) -> dict[str, str | None]:
    """The weights that training starts from, as checkpoints name them."""
    checksums = components.weights_checksums(options)
    if isinstance(checksums, str):
        checksums = dict.fromkeys(("weights", "clip_weights"), checksums)
    base: dict[str, str | None] = {}
    for option, checksum in checksums.items():
        value = getattr(options, option)
        named = value is None or value in (PRETRAINED_WEIGHTS, RANDOM_WEIGHTS)
        base[option] = value if named else str(Path(value).absolute())
        base[f"{option}_sha256"] = checksum
    return base
