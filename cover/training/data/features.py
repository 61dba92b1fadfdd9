"""Features of frozen backbones, and views, computed once and kept in caches."""

import dataclasses
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import lightning
import torch
from lightning.pytorch.callbacks import Callback
from rich.filesize import decimal

from cover.decoding.batches import Batch
from cover.errors import UsageError
from cover.files import append_line, csv_line, write_rows
from cover.models import COVER
from cover.parts import Part
from cover.ranks import is_main_process
from cover.results.names import ERRORS, FILENAME, REASON
from cover.rows import Failure, Row
from cover.scoring.distributed import ProgressCallback, VideoDataModule
from cover.scoring.scorer import stacked
from cover.training.data.cache import DTYPES, TensorCache, require_space, weights_digest
from cover.training.data.sets import RatedSet
from cover.training.recipe import Recipe
from cover.video import ViewSpec

log = logging.getLogger(__name__)

Caches = Mapping[str, TensorCache]


class Extraction(lightning.LightningModule):
    """Fill caches with features, or with views as they are.

    Args:
        model: Computes the features.
        features: Branch -> cache of its features.
        views: Branch -> cache of its views.
        samplings: Names in the caches of the samplings of a batch, in their order.
        mirrored: For each of them, whether it is turned left to right.
        dtype: Of the stored features.
    """

    def __init__(
        self,
        model: COVER,
        features: Caches,
        views: Caches,
        samplings: Sequence[str],
        mirrored: Sequence[bool],
        dtype: torch.dtype,
    ) -> None:
        super().__init__()
        self.model = model
        self.features = features
        self.views = views
        self.samplings = samplings
        self.mirrored = mirrored
        self.stored_as = dtype

    def predict_step(self, batch: Batch, *_: Any) -> list[tuple[Row, Failure | None]]:
        """Keep what the caches lack of each video.

        Returns:
            Each video, with why there is nothing to keep of it.
        """
        caches = {**self.features, **self.views}
        samplings = stacked(batch.loaded, self.device)
        for name, mirrored, views in zip(self.samplings, self.mirrored, samplings, strict=bool(batch.rows)):
            lacking = {b for b, cache in caches.items() if not all(cache.has(row, name) for row in batch.rows)}
            inputs = {branch: views[branch].flip(-1) if mirrored else views[branch] for branch in lacking}
            outputs = {branch: inputs[branch] for branch in lacking & self.views.keys()}
            needed = {branch: inputs[branch] for branch in lacking & self.features.keys()}
            outputs |= {
                branch: tensor.to(self.stored_as)
                for branch, tensor in self.model.features(self.model.normalize(needed)).items()
            }
            for branch, tensors in outputs.items():
                for row, tensor in zip(batch.rows, tensors, strict=True):
                    caches[branch].save(row, name, tensor)
        done: list[tuple[Row, Failure | None]] = [(row, None) for row in batch.rows]
        return [*((failure.row, failure) for failure in batch.failures), *done]


class FailureWriter(Callback):
    """List videos that cannot be read, with the reason, in a table that :func:`start_errors` made.

    Args:
        path: The table.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def on_predict_batch_end(
        self,
        trainer: lightning.Trainer,
        pl_module: lightning.LightningModule,
        outputs: Iterable[tuple[Row, Failure | None]],
        *_: Any,
    ) -> None:
        """Record the failures in a batch."""
        for _row, failure in outputs:
            if failure is not None:
                add_error(self.path, failure)


def start_errors(path: Path) -> None:
    """Write an ``errors.csv`` without errors."""
    write_rows(path, (FILENAME, REASON), ())


def add_error(path: Path, failure: Failure) -> None:
    """Add a line to a table that :func:`start_errors` made."""
    append_line(path, csv_line(failure.row.name, failure.reason))


def caches(recipe: Recipe, model: COVER, frozen: Sequence[str], kept: Sequence[str]) -> tuple[Caches, Caches]:
    """Make the caches for the features of frozen branches, and for views that are kept.

    Args:
        recipe: The recipe.
        model: The model with the weights that features are computed with.
        frozen: Branches whose features are wanted.
        kept: Branches whose views are wanted.
    """
    spec = recipe.views

    def view(branch: str) -> dict[str, Any]:
        return {
            "view": dataclasses.asdict(spec.branches[branch]),
            "rotate": spec.rotate,
            "reading": dict(recipe.caching.reading),
        }

    features = {
        branch: TensorCache(
            recipe.caching.dir,
            f"{branch}-features",
            {
                **view(branch),
                "net": recipe.net.get(branch, {}),
                "weights": weights_digest(model.backbones[branch]),
                "precision": recipe.engine.precision,
                "dtype": recipe.caching.dtype,
            },
        )
        for branch in frozen
    }
    return features, {branch: TensorCache(recipe.caching.dir, f"{branch}-views", view(branch)) for branch in kept}


def prepare(
    recipe: Recipe, model: COVER, sets: Sequence[RatedSet], features: Caches, views: Caches, folder: Path
) -> list[RatedSet]:
    """Compute what the caches lack.

    Args:
        recipe: The recipe.
        model: Computes features.
        sets: The videos.
        features: Caches of features.
        views: Caches of views.
        folder: The results folder, for ``errors.csv``.

    Returns:
        The sets without videos that cannot be read.

    Raises:
        UsageError: The disk is too full, or too few videos can be read.
    """
    every = [*features.values(), *views.values()]
    if not every:
        return list(sets)
    names = recipe.batching.sampling_names(recipe.seed)

    def lacks(row: Row, samplings: Sequence[str]) -> bool:
        return not all(cache.has(row, sampling) for cache in every for sampling in samplings)

    # Videos to validate on are needed at the centre only, the others there too.
    passes: list[tuple[ViewSpec, slice, str]] = [(recipe.views, slice(0, 1), "rows")]
    if recipe.batching.samplings:
        passes.append((recipe.random_views, slice(1, None), "train"))
    work = [(rated, getattr(rated, which), spec, place) for spec, place, which in passes for rated in sets]
    _reserve(recipe, features, views, [(row, names[place]) for _, rows, _, place in work for row in rows], lacks)
    model.eval()
    unreadable: set[tuple[str, Part]] = set()
    for rated, rows, spec, place in work:
        readable = [row for row in rows if row.footage not in unreadable]
        extraction = Extraction(
            model, features, views, names[place], recipe.batching.mirrored[place], DTYPES[recipe.caching.dtype]
        )
        _extract(recipe, extraction, rated, readable, spec, partial(lacks, samplings=names[place]), folder)
        unreadable |= {row.footage for row in readable if lacks(row, names[place])}
    return [_without(rated, unreadable) for rated in sets]


def _extract(
    recipe: Recipe,
    extraction: Extraction,
    rated: RatedSet,
    rows: Sequence[Row],
    spec: ViewSpec,
    lacks: Callable[[Row], bool],
    folder: Path,
) -> None:
    todo, progress = sum(map(lacks, rows)), recipe.engine.make_progress("preparing videos")
    trainer = recipe.engine.make_trainer(
        callbacks=[
            ProgressCallback(progress, todo),
            FailureWriter(folder / ERRORS),
        ],
        enable_checkpointing=False,
        enable_progress_bar=False,  # ours counts videos
        logger=False,
    )
    if not todo and trainer.world_size == 1:
        return
    # Ranks share out all videos, not those that they find lacking: while others fill the caches, each finds others.
    trainer.predict(
        extraction, datamodule=VideoDataModule(rows, spec, rated.decoder, wanted=lacks), return_predictions=False
    )
    trainer.strategy.barrier()  # what is lacking now no rank could read


def _reserve(
    recipe: Recipe,
    features: Caches,
    views: Caches,
    needed: Sequence[tuple[Row, Sequence[str]]],
    lacks: Callable[[Row, Sequence[str]], bool],
) -> None:
    """Make sure that the disk has room, and say how much is taken."""
    absent = [(row, samplings) for row, samplings in needed if lacks(row, samplings)]
    if not absent:
        return
    size = sum(len(samplings) for _, samplings in absent) * video_bytes(recipe, features, views)
    free = require_space(recipe.caching.dir, size)
    if is_main_process():
        log.info(
            "caching features of %d videos: up to %s in %s (%s free)",
            len({row.footage for row, _ in absent}),
            *(decimal(size), recipe.caching.dir, decimal(free)),
        )


def video_bytes(recipe: Recipe, features: Caches, views: Caches) -> int:
    """Compute the size on disk of the tensors of one sampling of a video, in bytes."""
    with torch.device("meta"), torch.no_grad():  # shapes without a computation
        model = recipe.engine.make_network()
        frames = {
            branch: torch.empty(1, 3, view.length, view.size, view.size)
            for branch, view in recipe.views.branches.items()
        }
        computed = model.features({branch: frames[branch] for branch in features})
    size = DTYPES[recipe.caching.dtype].itemsize
    return sum(tensor.numel() * size for tensor in computed.values()) + sum(frames[branch].numel() for branch in views)


def _without(rated: RatedSet, unreadable: set[tuple[str, Part]]) -> RatedSet:
    train, validation = (
        [row for row in rows if row.footage not in unreadable] for rows in (rated.train, rated.validation)
    )
    lost = len(rated.rows) - len(train) - len(validation)
    if lost:
        log.warning("%s: %d of %d videos cannot be read and are left out", rated.name, lost, len(rated.rows))
    for name, before, after in (("train", rated.train, train), ("validation", rated.validation, validation)):
        if before and len({row.mos for row in after}) < 2:
            raise UsageError(f"{rated.name}: too few videos of the {name} split can be read (errors.csv says why)")
    return dataclasses.replace(rated, train=train, validation=validation)
