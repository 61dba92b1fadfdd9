"""One stage of a training: compute what its frozen parts make of the clips, then fit what learns."""

import dataclasses
import logging
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import lightning
import torch
from lightning.pytorch.callbacks import Callback, ModelCheckpoint, RichProgressBar
from lightning.pytorch.loggers import Logger
from rich.filesize import decimal
from torch import nn

from cover.cache import ClipCache, require_space, weights_digest
from cover.curves import CurveWriter, read_curves
from cover.data import VideoDataModule
from cover.errors import UsageError
from cover.models import BRANCHES, COVER, fan_in_, whiten_
from cover.report import VideoProgress
from cover.rows import Row
from cover.tasks.build import build
from cover.tasks.ratings import auxiliary_columns
from cover.tasks.scoring import is_main_process, view_spec
from cover.training import MONITOR, Extraction, Training, mark_trained
from cover.training_data import ByContent, RatedSet, TrainingData, draw_name
from cover.video import ViewSpec
from cover.weights import cache_dir
from cover.writers import FailureWriter, add_error

log = logging.getLogger(__name__)

_WHITENED = 64  # clips that whitening filters are computed of

DTYPES = {"float32": torch.float32, "float16": torch.float16}


@dataclass(frozen=True)
class StageResult:
    """What a stage came to; the model has its best weights.

    Attributes:
        name: Of the stage.
        epoch: The best one, from 1.
        weights: ``raw`` or ``ema``, whichever was better in it.
        score: What it was chosen by.
        predictions: Scores of each clip, by its place in ``data.clips``, in the order of the model's scores.
        data: What was trained on.
        trained: Names of the parameters that were trained.
    """

    name: str
    epoch: int
    weights: str
    score: float
    predictions: Mapping[int, Sequence[float]]
    data: TrainingData
    trained: frozenset[str]


def run_stage(
    options: dict[str, Any],
    name: str,
    model: COVER,
    sets: Sequence[RatedSet],
    folder: Path,
    logger: Logger | None,
    about: Mapping[str, Any],
    trained: Collection[str],
) -> StageResult:
    """Trains one stage, or goes on with it where it was interrupted.

    Args:
        options: ``configs/train.yaml`` as composed, as plain data.
        name: Of the stage, a key of ``stages``.
        model: The whole model with the weights to start from; afterwards with the stage's best.
        sets: What to train on.
        folder: Of the run.
        logger: Besides ``curves.csv``.
        about: Plain data for the checkpoints.
        trained: Names of the parameters that stages before it trained.

    Raises:
        UsageError: Options are wrong, a disk is full, or too few clips can be read.
    """
    try:
        learning = mark_trained(model, options["stages"][name]["train"])
    except ValueError as error:
        raise UsageError(f"stages.{name}.train: {error}") from error
    frozen = [branch for branch in BRANCHES if branch not in learning]
    features, views = caches(options, model, frozen, learning if options["cache"]["views"] else [])
    sets = prepare(options, model, sets, features, views, folder)
    auxiliary = auxiliary_columns(options["auxiliary"]["columns"], sets)
    data = TrainingData(
        sets,
        centered(options),
        features=features,
        views=views,
        decoded=[] if views else learning,
        batch_size=options["batch_size"],
        draws=options["augment"]["draws"],
        mirror=options["augment"]["mirror"],
        seed=options["seed"],
        by_content=None if options["by_content"]["column"] is None else ByContent(**options["by_content"]),
        auxiliary=auxiliary,
    )
    stage = folder / "stages" / name
    file = stage / "last.ckpt"
    # What a stage before this one has trained goes on from there.
    anew = [branch for branch in learning if not any(key.startswith(f"backbones.{branch}.") for key in trained)]
    if options["from_scratch"] and anew and not file.exists():
        _start_from_scratch(model, anew, data)
    resting: dict[str, nn.Module] = {branch: model.backbones.pop(branch) for branch in frozen}
    training = Training(
        model,
        build(options["loss"], "loss"),
        lambda groups: build(options["optimizer"], "optimizer", params=groups),
        lr=options["lr"],
        backbone_lr=options["lr"] * options["backbone_lr"],
        warmup_epochs=options["warmup_epochs"],
        ema_decay=options["ema_decay"],
        sets=[(rated.name, rated.rating(row)) for rated, row in zip(data.owners, data.clips, strict=True)],
        own={
            branch: [rated.rating(row, branch) for rated, row in zip(data.owners, data.clips, strict=True)]
            for branch in data.own
        },
        auxiliary=len(auxiliary),
        auxiliary_weight=options["auxiliary"]["weight"],
        seed=options["seed"],
        about=about,
    )
    earlier = [line for line in read_curves(folder / "curves.csv") if line["stage"] in _before(options, name)]
    best = ModelCheckpoint(
        stage.absolute(),
        "best",
        monitor=MONITOR,
        mode="max",
        save_on_train_epoch_end=True,
        enable_version_counter=False,
    )
    # After the best, so that what is resumed from knows of it.
    last = ModelCheckpoint(stage.absolute(), "last", save_on_train_epoch_end=True, enable_version_counter=False)
    trainer = trainer_of(
        options,
        [CurveWriter(folder / "curves.csv", name, earlier), _progress_bar(), best, last],
        max_epochs=options["stages"][name]["epochs"],
        # Adding up gradients in any order would differ in the last bits from run to run. On a GPU it costs too much.
        deterministic=options["trainer"]["accelerator"] == "cpu" or not torch.accelerator.is_available(),
        logger=logger or False,
        num_sanity_val_steps=0,
        use_distributed_sampler=False,
        reload_dataloaders_every_n_epochs=1,
        log_every_n_steps=1,
    )
    if file.exists():
        log.info("%s: going on from %s", name, file)
    trainer.fit(training, datamodule=data, ckpt_path=file if file.exists() else None)
    chosen = torch.load(stage / "best.ckpt", map_location="cpu", weights_only=True)
    model.load_state_dict({key.removeprefix("model."): value for key, value in chosen["state_dict"].items()})
    quiet = trainer_of(options, [_progress_bar()], logger=False)
    data.failures.clear()
    quiet.predict(training, datamodule=data, return_predictions=False)
    for failure in data.failures.values():  # of this rank's share of all clips, so that each is listed once
        add_error(folder / "errors.csv", failure)
    model.backbones.update(resting)
    return StageResult(
        name=name,
        epoch=chosen["epoch"] + 1,
        weights=chosen["cover"]["weights"],
        score=chosen["cover"]["score"],
        predictions=training.predictions,
        data=data,
        trained=frozenset(key for key, parameter in model.named_parameters() if parameter.requires_grad),
    )


def _start_from_scratch(model: COVER, branches: Sequence[str], data: TrainingData) -> None:
    """Draws the weights of some branches anew, their patch embeddings as filters that whiten what they will see."""
    for branch in branches:
        fan_in_(model.backbones[branch])
    seen: dict[str, list[torch.Tensor]] = {branch: [] for branch in branches}
    count = 0
    for batch in data.train_dataloader():
        for group in batch.groups:
            for branch, views in model.normalize({branch: group.views[branch] for branch in branches}).items():
                seen[branch].append(views)
        count += len(batch.clips)
        if count >= _WHITENED:
            break
    for branch, clips in seen.items():
        backbone: Any = model.backbones[branch]
        shape = clips[0].shape
        try:
            whiten_(backbone.patch_embedding, torch.cat([views for views in clips if views.shape[1:] == shape[1:]]))
        except ValueError as error:
            raise UsageError(f"from_scratch: {branch}: {error}") from error


def trainer_of(options: dict[str, Any], callbacks: list[Callback], **arguments: Any) -> lightning.Trainer:
    """Lightning's Trainer as the config says."""
    return build({"enable_model_summary": False, **arguments, **options["trainer"]}, "trainer", callbacks=callbacks)


def _progress_bar() -> RichProgressBar:
    return RichProgressBar(console_kwargs={"stderr": True})


def centered(options: dict[str, Any]) -> ViewSpec:
    """The views that training validates on.

    Raises:
        UsageError: The views are not sampled at the centre.
    """
    if options["views"]["sampling"] != "center" or options["views"]["replay"] is not None:
        raise UsageError("views.sampling: training validates on the centre; augment.draws= adds random samplings")
    return view_spec(options)


def caches(
    options: dict[str, Any], model: COVER, frozen: Sequence[str], kept: Sequence[str]
) -> tuple[dict[str, ClipCache], dict[str, ClipCache]]:
    """Caches for the features of frozen branches, and for views that are kept.

    Args:
        options: The composed config as plain data.
        model: The model with the weights that features are computed with.
        frozen: Branches whose features are wanted.
        kept: Branches whose views are wanted.

    Raises:
        UsageError: ``cache.dtype`` is unknown.
    """
    dtype = options["cache"]["dtype"]
    if dtype not in DTYPES:
        raise UsageError(f"cache.dtype={dtype}: takes one of {', '.join(DTYPES)}")
    folder = _cache_folder(options)
    spec = centered(options)

    def view(branch: str) -> dict[str, Any]:
        return {"view": dataclasses.asdict(spec.branches[branch]), "rotate": spec.rotate, "raw": _raw_layouts(options)}

    features = {
        branch: ClipCache(
            folder,
            f"{branch}-features",
            {
                **view(branch),
                "net": options["model"]["net"].get(branch, {}),
                "weights": weights_digest(model.backbones[branch]),
                "precision": options["trainer"]["precision"],
                "dtype": dtype,
            },
        )
        for branch in frozen
    }
    return features, {branch: ClipCache(folder, f"{branch}-views", view(branch)) for branch in kept}


def prepare(
    options: dict[str, Any],
    model: COVER,
    sets: Sequence[RatedSet],
    features: Mapping[str, ClipCache],
    views: Mapping[str, ClipCache],
    folder: Path,
) -> list[RatedSet]:
    """Computes what the caches lack.

    Args:
        options: The composed config as plain data.
        model: What computes features.
        sets: The clips.
        features: Caches of features.
        views: Caches of views.
        folder: Where ``errors.csv`` goes.

    Returns:
        The sets without clips that cannot be read.

    Raises:
        UsageError: The disk is too full, or too few clips can be read.
    """
    every = {**features, **views}
    if not every:
        return list(sets)
    draws, mirror = options["augment"]["draws"], options["augment"]["mirror"]
    spec = centered(options)
    mirrored = [mirror and number % 2 == 1 for number in range(draws + 1)]
    names = [draw_name(number, options["seed"], mirrored[number]) for number in range(draws + 1)]
    # What is validated on is needed at the centre only, and all else there too.
    passes: list[tuple[ViewSpec, slice, str]] = [(spec, slice(0, 1), "rows")]
    if draws:
        drawn = dataclasses.replace(spec, sampling="random", samples=draws, seed=options["seed"])
        passes.append((drawn, slice(1, None), "train"))

    def lacks(row: Row, draws: Sequence[str]) -> bool:
        return not all(cache.has(row, draw) for cache in every.values() for draw in draws)

    work = [(rated, getattr(rated, part), drawn, which) for drawn, which, part in passes for rated in sets]
    absent = [(row, which) for _, rows, _, which in work for row in rows if lacks(row, names[which])]
    if count := sum(len(names[which]) for _, which in absent):
        size = count * _clip_bytes(options, features, views)
        free = require_space(_cache_folder(options), size)
        if is_main_process():
            log.info(
                "computing what training needs of %d clips: up to %s in %s, where %s are free",
                len({row.path for row, _ in absent}),
                *(decimal(size), _cache_folder(options), decimal(free)),
            )
    model.eval()
    unreadable: set[Path] = set()
    for rated, rows, drawn, which in work:
        readable = [row for row in rows if row.path not in unreadable]
        todo = [row for row in readable if lacks(row, names[which])]
        dtype = DTYPES[options["cache"]["dtype"]]
        trainer = trainer_of(
            options,
            [VideoProgress(len(todo), "preparing clips"), FailureWriter(folder / "errors.csv")],
            enable_checkpointing=False,
            enable_progress_bar=False,  # ours counts files
            logger=False,
        )
        if not todo and trainer.world_size == 1:
            continue
        # Ranks share out all clips, not those that they find lacking: while others fill the caches, each finds others.
        wanted = partial(lacks, draws=names[which])
        trainer.predict(
            Extraction(model, features, views, names[which], mirrored[which], dtype),
            datamodule=VideoDataModule(readable, drawn, rated.decoder, wanted=wanted),
            return_predictions=False,
        )
        trainer.strategy.barrier()  # what is lacking now no rank could read
        unreadable |= {row.path for row in readable if lacks(row, names[which])}
    return [_without(rated, unreadable) for rated in sets]


def _without(rated: RatedSet, unreadable: set[Path]) -> RatedSet:
    train, validation = (
        [row for row in part if row.path not in unreadable] for part in (rated.train, rated.validation)
    )
    lost = len(rated.rows) - len(train) - len(validation)
    if lost:
        log.warning("%s: %d of %d clips cannot be read and are left out", rated.name, lost, len(rated.rows))
    for name, before, after in (("train", rated.train, train), ("validation", rated.validation, validation)):
        if before and len({row.mos for row in after}) < 2:
            raise UsageError(f"{rated.name}: too few clips of the {name} part can be read (errors.csv says why)")
    return dataclasses.replace(rated, train=train, validation=validation)


def _before(options: dict[str, Any], name: str) -> list[str]:
    stages = list(options["stages"])
    return stages[: stages.index(name)]


def _cache_folder(options: dict[str, Any]) -> Path:
    folder = options["cache"]["dir"]
    return cache_dir() / "clips" if folder is None else Path(folder)


def _raw_layouts(options: dict[str, Any]) -> dict[str, Any]:
    """How headerless files are laid out, of the datasets that may have some."""
    nodes = [options["data"], *options["also"].values()]
    return {node["name"]: node["raw"] for node in nodes if node["raw"]["width"]}


def _clip_bytes(options: dict[str, Any], features: Mapping[str, ClipCache], views: Mapping[str, ClipCache]) -> int:
    """What the tensors of one sampling of a video take on disk."""
    spec = centered(options)
    with torch.device("meta"), torch.no_grad():  # shapes without a computation
        model: COVER = build(options["model"]["net"], "model")
        frames = {
            branch: torch.empty(1, 3, view.length, view.size, view.size) for branch, view in spec.branches.items()
        }
        computed = model.features({branch: frames[branch] for branch in features})
    size = DTYPES[options["cache"]["dtype"]].itemsize
    return sum(tensor.numel() * size for tensor in computed.values()) + sum(frames[branch].numel() for branch in views)
