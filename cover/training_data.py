"""Clips to train on and to validate on: which share a batch, and what of them comes from where."""

import dataclasses
import logging
from collections import defaultdict
from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

import lightning
import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, IterableDataset

from cover.cache import ClipCache
from cover.data import Decoder, Failure
from cover.errors import UsageError
from cover.models import BRANCHES, SCORES
from cover.rows import Row
from cover.video import LoadedViews, ViewSpec

log = logging.getLogger(__name__)

CENTER = "center"


@dataclass(frozen=True)
class RatedSet:
    """What one dataset gives to a training.

    Args:
        name: Of the dataset.
        train: Rated clips to train on.
        validation: Rated clips to validate on.
        decoder: What decodes them.
        weight: How often an epoch sees each clip to train on; 0.5 takes a random half of them.
        columns: Branch -> the extra of a row that rates it alone. A branch without one is rated by the MOS.
    """

    name: str
    train: Sequence[Row]
    validation: Sequence[Row]
    decoder: Decoder
    weight: float = 1.0
    columns: Mapping[str, str] = field(default_factory=dict)

    @property
    def rows(self) -> list[Row]:
        """All clips: those to train on, then those to validate on."""
        return [*self.train, *self.validation]

    def rating(self, row: Row, score: str = "overall") -> float:
        """What a score of a clip should follow: the rating of that branch alone where there is one, else the MOS."""
        value = row.extras[self.columns[score]] if score in self.columns else row.mos
        assert isinstance(value, (int, float, str))
        return float(value)

    @cached_property
    def scales(self) -> dict[str, tuple[float, float]]:
        """For each score, mean and standard deviation of its ratings of the clips to train on."""
        ratings = {score: np.array([self.rating(row, score) for row in self.train]) for score in SCORES}
        return {score: (float(values.mean()), float(values.std())) for score, values in ratings.items()}

    def standardized(self, row: Row, score: str = "overall") -> float:
        """A rating in standard deviations from the mean of the clips to train on, so that sets are alike."""
        mean, std = self.scales[score]
        return (self.rating(row, score) - mean) / std


class Slot(NamedTuple):
    """A clip's place in a batch.

    Attributes:
        clip: Its place in :attr:`TrainingData.clips`.
        draw: Which sampling of it, as :func:`draw_name` names them.
        mirrored: Whether views that are decoded for this batch are turned left to right.
    """

    clip: int
    draw: str = CENTER
    mirrored: bool = False


@dataclass
class ClipGroup:
    """Clips whose inputs have one shape.

    Attributes:
        features: Frozen branch -> what its backbone makes of the clips, float (B, C, T', ...).
        views: Trained branch -> RGB in 0..255, uint8 (B, 3, T, H, W).
    """

    features: dict[str, Tensor] = field(default_factory=dict)
    views: dict[str, Tensor] = field(default_factory=dict)


@dataclass
class ClipBatch:
    """A batch of rated clips.

    Attributes:
        groups: The clips; those of one shape are together.
        clips: int64 (B,), the place of each in :attr:`TrainingData.clips`, in the order of the groups.
        mos: float32 (B,), their MOS in standard deviations from the mean of their set.
        own: Branch -> float32 (B,), likewise what rates it alone, for branches of which there is such a rating.
        contents: int64 (B,), number of the content of each, where batches are made by content.
        auxiliary: float32 (B, N), what auxiliary columns say of each, standardised over all clips to train on.
    """

    groups: list[ClipGroup]
    clips: Tensor
    mos: Tensor
    own: dict[str, Tensor] = field(default_factory=dict)
    contents: Tensor | None = None
    auxiliary: Tensor | None = None


class ByContent(NamedTuple):
    """Which clips come together in a batch.

    Attributes:
        column: The extra of a row whose value they share, such as their content.
        clips: How many of them come together.
    """

    column: str
    clips: int


def draw_name(number: int, seed: int, mirrored: bool) -> str:
    """What caches call a sampling of a clip: number 0 is the centre, others are random."""
    return f"random {seed} {number}{' mirrored' if mirrored else ''}" if number else CENTER


def epoch_batches(
    sizes: Sequence[int],
    weights: Sequence[float],
    batch_size: int,
    ranks: int,
    rng: np.random.Generator,
    contents: Sequence[Sequence[int]] | None = None,
    together: int = 1,
) -> list[list[int]]:
    """Which clips share a batch in one epoch.

    Every batch is of one set, since the MOS of different studies cannot be compared. Clips that fill no batch are left
    out, other ones in each epoch; a set too small for a batch makes one batch as large as it can be.

    Args:
        sizes: Clips of each set. Clips are numbered through the sets.
        weights: How often an epoch sees each clip of a set.
        batch_size: Clips a batch, over all ranks; a multiple of ``ranks``.
        ranks: Processes that share a batch evenly.
        rng: Decides the order.
        contents: For each set, which content its clips show; those of one come ``together`` at a time, in each epoch
            other ones. None: every clip comes by itself.
        together: How many of one content come one after the other, as far as there are so many.

    Returns:
        The batches in a random order.

    Raises:
        UsageError: A set has fewer clips than there are ranks.
    """
    batches: list[list[int]] = []
    start = 0
    for number, (size, weight) in enumerate(zip(sizes, weights, strict=True)):
        wanted = round(weight * size)
        length = min(batch_size, wanted // ranks * ranks)
        if length == 0:
            raise UsageError(f"{wanted} clips to train on in an epoch are too few for {ranks} processes")
        belonging = range(size) if contents is None else contents[number]
        passes = [_by_content(belonging, together, rng) for _ in range(-(-wanted // size))]
        order = (start + np.concatenate(passes))[:wanted]
        batches += [order[i : i + length].tolist() for i in range(0, wanted - length + 1, length)]
        start += size
    return [batches[i] for i in rng.permutation(len(batches))]


def _by_content(contents: Sequence[int], together: int, rng: np.random.Generator) -> np.ndarray:
    """A random order in which clips of one content come so many at a time."""
    order = rng.permutation(len(contents))
    if together == 1:
        return order
    members = defaultdict(list)
    for clip in order.tolist():
        members[contents[clip]].append(clip)
    parts = [found[i : i + together] for found in members.values() for i in range(0, len(found), together)]
    return np.concatenate([parts[i] for i in rng.permutation(len(parts))])


class TrainingData(lightning.LightningDataModule):
    """Batches of rated clips, a function of seed and epoch alone.

    What a frozen backbone makes of a clip comes from a cache, and so may the views of a trained one; else these are
    decoded anew, with other frames, crops and mirroring in each epoch. Colours, noise, blur, scale and the like are
    never changed to gain training data: they are what is judged.

    Args:
        sets: The datasets.
        spec: The views, sampled at the centre.
        features: Frozen branch -> cache of its features.
        views: Trained branch -> cache of its views; empty to decode them in every epoch.
        decoded: Trained branches whose views are decoded.
        batch_size: Clips a batch and process.
        draws: Random samplings of each clip in the caches, beside the one at the centre; training picks one of all.
        mirror: Whether to mirror: every second draw of the caches, and clips that are decoded by chance.
        seed: Of order, draws and mirroring.
        by_content: Which clips come together in batches; None: as chance has it.
        auxiliary: Extras of rows, numbers, that training batches carry too; each has to vary.

    Attributes:
        clips: All clips, those to train on first.
        owners: The set of each.
        mos: Of each, in standard deviations from the mean of its set.
        own: Branch -> what rates it alone, likewise; of branches that some set has such ratings of.
        failures: What this process could not decode, by path.
    """

    def __init__(
        self,
        sets: Sequence[RatedSet],
        spec: ViewSpec,
        *,
        features: Mapping[str, ClipCache],
        views: Mapping[str, ClipCache],
        decoded: Sequence[str],
        batch_size: int,
        draws: int,
        mirror: bool,
        seed: int,
        by_content: ByContent | None = None,
        auxiliary: Sequence[str] = (),
    ) -> None:
        super().__init__()
        self.sets = sets
        self.spec = spec
        self.features = features
        self.views = views
        self.decoded = decoded
        self.batch_size = batch_size
        self.draws = [draw_name(number, seed, mirror and number % 2 == 1) for number in range(draws + 1)]
        self.mirror = mirror
        self.seed = seed
        self.failures: dict[Path, Failure] = {}
        owned = [(rated, row) for rated in sets for row in rated.train]
        owned += [(rated, row) for rated in sets for row in rated.validation]
        self.owners = [rated for rated, _ in owned]
        self.clips = [row for _, row in owned]
        self.mos = [rated.standardized(row) for rated, row in owned]
        rated_alone = [branch for branch in BRANCHES if any(branch in rated.columns for rated in sets)]
        self.own = {branch: [rated.standardized(row, branch) for rated, row in owned] for branch in rated_alone}
        self._together = 1 if by_content is None else by_content.clips
        self._contents = None if by_content is None else [_numbered(rated.train, by_content.column) for rated in sets]
        self._numbers = torch.tensor([number for numbers in self._contents or () for number in numbers])
        self._auxiliary = _standardized_columns(self.clips[: self.trained], auxiliary) if auxiliary else None

    def contents_of(self, clips: Sequence[int]) -> Tensor | None:
        """Numbers of the contents of some clips to train on, int64 (n,), alike on every rank; None: there are none."""
        return None if self._contents is None else self._numbers[list(clips)]

    def auxiliary_of(self, clips: Sequence[int]) -> Tensor | None:
        """What auxiliary columns say of some clips to train on, float32 (n, N); None: there are none."""
        return None if self._auxiliary is None else self._auxiliary[list(clips)]

    @property
    def trained(self) -> int:
        """How many of :attr:`clips` are to train on: they come first."""
        return sum(len(rated.train) for rated in self.sets)

    def train_dataloader(self) -> DataLoader:
        """This rank's share of the batches of the current epoch."""
        rank, ranks = self._place()
        epoch = self.trainer.current_epoch if self.trainer else 0
        rng = np.random.Generator(np.random.PCG64([self.seed, epoch]))
        sizes, weights = [len(rated.train) for rated in self.sets], [rated.weight for rated in self.sets]
        batches = []
        global_size = self.batch_size * ranks
        for batch in epoch_batches(sizes, weights, global_size, ranks, rng, self._contents, self._together):
            draws, coins = rng.integers(len(self.draws), size=len(batch)), rng.integers(2, size=len(batch))
            slots = [
                Slot(clip, self.draws[draw], self.mirror and bool(coin))
                for clip, draw, coin in zip(batch, draws, coins, strict=True)
            ]
            batches.append(slots[rank::ranks])
        seed = int(rng.integers(2**62))
        return self._loader(batches, dataclasses.replace(self.spec, sampling="random", seed=seed), training=True)

    def val_dataloader(self) -> DataLoader:
        """This rank's share of the clips to validate on, each once, sampled at the centre."""
        return self._centered(range(self.trained, len(self.clips)))

    def predict_dataloader(self) -> DataLoader:
        """This rank's share of all clips, each once, sampled at the centre."""
        return self._centered(range(len(self.clips)))

    def _centered(self, clips: Sequence[int]) -> DataLoader:
        rank, ranks = self._place()
        slots = [Slot(clip) for clip in clips[rank::ranks]]
        size = self.batch_size
        return self._loader([slots[i : i + size] for i in range(0, len(slots), size)], self.spec, training=False)

    def _place(self) -> tuple[int, int]:
        return (self.trainer.global_rank, self.trainer.world_size) if self.trainer else (0, 1)

    def _loader(self, batches: list[list[Slot]], spec: ViewSpec, training: bool) -> DataLoader:
        # A generator of its own: a loader draws a number whenever it starts, from those that dropout is to have.
        return DataLoader(_ClipBatches(self, batches, spec, training), batch_size=None, generator=torch.Generator())


class _ClipBatches(IterableDataset):
    def __init__(self, source: TrainingData, batches: list[list[Slot]], spec: ViewSpec, training: bool) -> None:
        self.source = source
        self.batches = batches
        self.spec = spec
        self.training = training

    def __len__(self) -> int:
        return len(self.batches)

    def __iter__(self) -> Iterator[ClipBatch]:
        decoded = self._decoded() if self.source.decoded else {}
        try:
            for batch in self.batches:
                items = [(slot, self._item(slot, decoded)) for slot in batch]
                readable = [(slot, item) for slot, item in items if item is not None]
                if self.training and not readable:
                    names = ", ".join(self.source.clips[slot.clip].name for slot in batch)
                    raise UsageError(f"no clip of a batch could be decoded ({names}): is their disk still there?")
                if self.training:  # ranks must stay in step, so a clip that is lost is stood for by another one
                    yield self._collate([(slot, item) if item else readable[0] for slot, item in items])
                elif readable:
                    yield self._collate([(slot, item) for slot, item in readable])
        finally:
            for stream in decoded.values():
                stream.close()

    def _decoded(self) -> dict[str, Generator[tuple[Row, LoadedViews | Failure], None, None]]:
        """For each set, its clips as they come in the batches, decoded ahead."""
        rows = defaultdict(list)
        for slot in (slot for batch in self.batches for slot in batch):
            rows[self.source.owners[slot.clip].name].append(self.source.clips[slot.clip])
        decoders = {rated.name: rated.decoder for rated in self.source.sets}
        return {name: decoders[name].views(found, self.spec, in_order=True) for name, found in rows.items()}

    def _item(self, slot: Slot, decoded: Mapping[str, Iterator[tuple[Row, LoadedViews | Failure]]]) -> ClipGroup | None:
        """One clip's inputs without the batch dimension; None where it cannot be decoded."""
        source, row = self.source, self.source.clips[slot.clip]
        item = ClipGroup(
            features={branch: cache.load(row, slot.draw) for branch, cache in source.features.items()},
            views={branch: cache.load(row, slot.draw) for branch, cache in source.views.items()},
        )
        if source.decoded:
            _, loaded = next(decoded[source.owners[slot.clip].name])
            if isinstance(loaded, Failure):
                if row.path not in source.failures:
                    log.warning("%s cannot be used: %s", row.path, loaded.reason)
                source.failures[row.path] = loaded
                return None
            for branch in source.decoded:
                view = torch.from_numpy(loaded.views[0][branch])
                item.views[branch] = view.flip(-1) if slot.mirrored else view
        return item

    def _collate(self, items: Sequence[tuple[Slot, ClipGroup]]) -> ClipBatch:
        alike = defaultdict(list)
        for slot, item in items:
            inputs = {**item.features, **item.views}
            alike[tuple((branch, tuple(tensor.shape)) for branch, tensor in inputs.items())].append((slot, item))
        order = [slot.clip for group in alike.values() for slot, _ in group]
        return ClipBatch(
            groups=[
                ClipGroup(
                    features={name: torch.stack([i.features[name] for _, i in group]) for name in group[0][1].features},
                    views={name: torch.stack([i.views[name] for _, i in group]) for name in group[0][1].views},
                )
                for group in alike.values()
            ],
            clips=torch.tensor(order),
            mos=torch.tensor([self.source.mos[clip] for clip in order]),
            own={branch: torch.tensor([values[clip] for clip in order]) for branch, values in self.source.own.items()},
            contents=self.source.contents_of(order) if self.training else None,
            auxiliary=self.source.auxiliary_of(order) if self.training else None,
        )


def _numbered(rows: Sequence[Row], column: str) -> list[int]:
    """For each row the number of its value in a column."""
    numbers: dict[str, int] = {}
    return [numbers.setdefault(str(row.extras[column]), len(numbers)) for row in rows]


def _standardized_columns(rows: Sequence[Row], columns: Sequence[str]) -> Tensor:
    """Columns of numbers in standard deviations from their means, float32 (rows, columns)."""
    values = np.array([[float(str(row.extras[column])) for column in columns] for row in rows])
    return torch.from_numpy(((values - values.mean(0)) / values.std(0)).astype(np.float32))
