"""Objects of a training made of options."""

import dataclasses
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cover.config.build.checks import check_training
from cover.config.build.datasets import rated_dataset
from cover.config.build.decoding import decoder
from cover.config.build.model import build_model, videos_trained_on, weights_checksums
from cover.config.build.recipe import build_recipe
from cover.config.build.record import run_record
from cover.config.build.trainer import build_logger, quiet_lightning
from cover.config.options.data import DataOptions
from cover.config.options.training import TargetOptions, TrainOptions
from cover.errors import UsageError
from cover.evaluation.raters.uncertainty import uncertainties
from cover.evaluation.splits.protocol import Protocol
from cover.results.record import RunRecord, read_run_record
from cover.rows import Row
from cover.weights import PRETRAINED_WEIGHTS, RANDOM_WEIGHTS

if TYPE_CHECKING:
    from lightning.pytorch.loggers import Logger

    from cover.evaluation.raters.study import Study
    from cover.models import COVER
    from cover.training.data.selection import Selection, TrainingSource
    from cover.training.recipe import Recipe

# Options that change no result, so that a run may be resumed with others.
_ANYWHERE = ("output", "resume", "logger", "decode", "trainer", "cache")


@dataclass(frozen=True)
class TrainingPlan:
    """The objects of a training, each made once.

    Attributes:
        recipe: Every choice that the stages follow.
        sources: The datasets; the first one is the one that results are about.
        selection: Which of their videos are trained on; None where all are, in a nested cross-validation.
        follows: The options and checksums that the result depends on.
        about: The description of the model that its weights carry.
        record: The description of the run in ``run.yaml``.
        make_model: Loads the model to start from.
        make_logger: Makes the logger of a results folder; None: no logger.
    """

    recipe: "Recipe"
    sources: "list[TrainingSource]"
    selection: "Selection | None"
    follows: Mapping[str, Any]
    about: Mapping[str, Any]
    record: RunRecord
    make_model: "Callable[[], COVER]"
    make_logger: "Callable[[Path], Logger | None]"

    @property
    def study(self) -> "Study | None":
        """How far raters agree, of the first dataset with ratings of single raters."""
        return next((source.study for source in self.sources if source.study is not None), None)


def training(options: TrainOptions, config: Mapping[str, Any]) -> TrainingPlan:
    """Make the objects of a training.

    Args:
        options: The options.
        config: The same options as composed.

    Raises:
        UsageError: The options do not go together, a dataset or a weight file cannot be read, or a package is missing.
    """
    check_training(options)
    quiet_lightning()
    recipe = build_recipe(options)
    sources = _sources(options)
    follows = _identity(options, config)
    return TrainingPlan(
        recipe=recipe,
        sources=sources,
        selection=None if options.protocol.splits == "nested" else _selection(options),
        follows=follows,
        about={
            "net": options.model.net,
            "views": dataclasses.asdict(recipe.views),
            "base": dict(follows["base"]),
            "trained_on": videos_trained_on(options.weights),
        },
        record=run_record(options, config),
        make_model=partial(build_model, options),
        make_logger=partial(_logger, options, config),
    )


def _sources(options: TrainOptions) -> "list[TrainingSource]":
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
        sources_found.append(TrainingSource(option, node.name, rows, decoder(options.decode, node), node.share, study))
    return sources_found


def _selection(options: TrainOptions) -> "Selection":
    """Make the selection of videos.

    Raises:
        UsageError: The dataset to validate on cannot be read or has no rating.
    """
    from cover.training.data.selection import Selection

    protocol = options.protocol
    splits = protocol.splits
    assert splits != "nested", "a nested cross-validation has no split"
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


def _identity(options: TrainOptions, config: Mapping[str, Any]) -> dict[str, Any]:
    """Collect what the result of a training follows from: options, and the weights that it starts from (``base``)."""
    options_kept = {name: value for name, value in config.items() if name not in _ANYWHERE}
    precision = {"precision": options.trainer["precision"], "dtype": options.cache.dtype}
    return {"options": {**options_kept, **precision}, "base": _base(options)}


def _logger(options: TrainOptions, config: Mapping[str, Any], folder: Path) -> "Logger | None":
    """Make the logger, if any; a run that is resumed is the same run there.

    Raises:
        UsageError: A value is not what it takes, or its package is not installed.
    """
    if not options.logger:
        return None
    wandb = options.logger["_target_"].endswith("WandbLogger")
    record = read_run_record(folder)
    known = {"id": record.training["run_id"], "resume": "allow"} if wandb and record else {}
    return build_logger(options.logger, config, folder, **known)


def _rated(node: DataOptions, option: str, targets: TargetOptions) -> "tuple[list[Row], Study | None]":
    listing = rated_dataset(node, option)
    rows = listing.rows
    if listing.lower_is_better:  # of the branches' own ratings too
        columns = {column for column in targets.model_dump().values() if column is not None}
        rows = [dataclasses.replace(row, extras={**row.extras, **_negated(row, columns)}) for row in rows]
    return rows, listing.study


def _negated(row: Row, columns: set[str]) -> dict[str, object]:
    """The extras of a row that hold a number in one of the columns, with the opposite sign."""
    negated: dict[str, object] = {}
    for column in columns & row.extras.keys():
        with suppress(ValueError):
            negated[column] = -float(str(row.extras[column]))
    return negated


def _base(options: TrainOptions) -> dict[str, str | None]:
    """The weights that training starts from, as checkpoints name them."""
    checksums = weights_checksums(options)
    if isinstance(checksums, str):
        checksums = dict.fromkeys(("weights", "clip_weights"), checksums)
    base: dict[str, str | None] = {}
    for option, checksum in checksums.items():
        value = getattr(options, option)
        named = value is None or value in (PRETRAINED_WEIGHTS, RANDOM_WEIGHTS)
        base[option] = value if named else Path(value).name
        base[f"{option}_sha256"] = checksum
    return base
