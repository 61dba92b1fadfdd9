"""The DataModule of training: batches of rated videos, whose tensors come from caches or from decoders."""

import dataclasses
import logging
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack

import lightning
import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, IterableDataset

from cover.decoding.decoder import Decoded
from cover.errors import UsageError
from cover.parts import Part
from cover.rows import Failure, Row
from cover.scores import BRANCHES
from cover.training.data.batches import Batching, Slot, VideoBatch, VideoGroup, epoch_batches
from cover.training.data.cache import TensorCache
from cover.training.data.sets import RatedSet
from cover.video import ViewSpec

log = logging.getLogger(__name__)


class TrainingData(lightning.LightningDataModule):
    """Batches of rated videos, a function of seed and epoch alone.

    Features of a frozen backbone come from a cache, and so may the views of a trained one; else these are
    decoded again, with other frames, crops and mirroring in each epoch. Colours, noise, blur, scale and the like are
    never changed to gain training data: they are what is judged.

    Args:
        sets: The datasets.
        spec: The views, sampled at the centre.
        features: Frozen branch -> cache of its features.
        views: Trained branch -> cache of its views; empty to decode them in every epoch.
        decoded: Trained branches whose views are decoded.
        batching: How batches are made.
        seed: Of order, samplings and mirroring.
        auxiliary: Extras of rows that are auxiliary regression targets; each has to vary.

    Attributes:
        videos: All videos, those to train on first.
        owners: The set of each.
        mos: Of each, in standard deviations from the mean of its set.
        own: Branch -> the ratings of this branch alone, for branches that some set has such ratings of.
        failures: Videos that this process could not decode, by file and part.
        auxiliary_count: Number of auxiliary regression targets.
    """

    def __init__(
        self,
        sets: Sequence[RatedSet],
        spec: ViewSpec,
        *,
        features: Mapping[str, TensorCache],
        views: Mapping[str, TensorCache],
        decoded: Sequence[str],
        batching: Batching,
        seed: int,
        auxiliary: Sequence[str] = (),
    ) -> None:
        super().__init__()
        self.sets = sets
        self.spec = spec
        self.features = features
        self.views = views
        self.decoded = decoded
        self.batching = batching
        self.samplings = batching.sampling_names(seed)
        self.seed = seed
        self.failures: dict[tuple[str, Part], Failure] = {}
        owned = [(rated, row) for rated in sets for row in rated.train]
        owned += [(rated, row) for rated in sets for row in rated.validation]
        self.owners = [rated for rated, _ in owned]
        self.videos = [row for _, row in owned]
        self.mos = [rated.standardized(row) for rated, row in owned]
        rated_alone = [branch for branch in BRANCHES if any(branch in rated.columns for rated in sets)]
        self.own = {branch: [rated.standardized(row, branch) for rated, row in owned] for branch in rated_alone}
        by_content = batching.by_content
        self._together = 1 if by_content is None else by_content.videos
        self._contents = (
            None
            if by_content is None
            else [numbered(row.extras[by_content.column] for row in rated.train) for rated in sets]
        )
        self._numbers = torch.tensor([number for numbers in self._contents or () for number in numbers])
        self._certainties: Tensor | None = None
        if batching.by_interval:
            certain = [(rated.certainties or {}).get(row.name, 1.0) for rated, row in owned]
            self._certainties = torch.tensor(certain, dtype=torch.float32)
        self.auxiliary_count = len(auxiliary)
        self._auxiliary = _standardized_columns(self.videos[: self.trained], auxiliary) if auxiliary else None

    def contents_of(self, videos: Sequence[int]) -> Tensor | None:
        """Numbers of the contents of some videos to train on, int64 (n,), alike on all ranks; None without contents."""
        return None if self._contents is None else self._numbers[list(videos)]

    def auxiliary_of(self, videos: Sequence[int]) -> Tensor | None:
        """Give the auxiliary targets of some videos to train on, float32 (n, N); None without targets."""
        return None if self._auxiliary is None else self._auxiliary[list(videos)]

    def certainties_of(self, videos: Sequence[int]) -> Tensor | None:
        """Give the weights of some videos in the loss, float32 (n,); None: all weigh alike."""
        return None if self._certainties is None else self._certainties[list(videos)]

    @property
    def trained(self) -> int:
        """The number of :attr:`videos` to train on: they come first."""
        return sum(len(rated.train) for rated in self.sets)

    def train_dataloader(self) -> DataLoader:
        """The batches of the current epoch that this rank takes."""
        rank, ranks = self._place()
        epoch = self.trainer.current_epoch if self.trainer else 0
        rng = np.random.Generator(np.random.PCG64([self.seed, epoch]))
        sizes, shares = [len(rated.train) for rated in self.sets], [rated.share for rated in self.sets]
        batches = []
        global_size = self.batching.batch_size * ranks
        for batch in epoch_batches(sizes, shares, global_size, ranks, rng, self._contents, self._together):
            chosen, coins = rng.integers(len(self.samplings), size=len(batch)), rng.integers(2, size=len(batch))
            slots = [
                Slot(video, self.samplings[sampling], self.batching.mirror and bool(coin))
                for video, sampling, coin in zip(batch, chosen, coins, strict=True)
            ]
            batches.append(slots[rank::ranks])
        seed = int(rng.integers(2**62))
        return self._loader(batches, dataclasses.replace(self.spec, sampling="random", seed=seed), training=True)

    def val_dataloader(self) -> DataLoader:
        """The videos to validate on that this rank takes, each once, sampled at the centre."""
        return self._centered(range(self.trained, len(self.videos)))

    def predict_dataloader(self) -> DataLoader:
        """The videos that this rank takes of all, each once, sampled at the centre."""
        return self._centered(range(len(self.videos)))

    def some_dataloader(self, count: int) -> DataLoader:
        """The videos that this rank takes of so many at most, evenly spaced among all, sampled at the centre."""
        return self._centered(range(0, len(self.videos), -(-len(self.videos) // count)))

    def _centered(self, videos: Sequence[int]) -> DataLoader:
        rank, ranks = self._place()
        slots = [Slot(video) for video in videos[rank::ranks]]
        size = self.batching.batch_size
        return self._loader([slots[i : i + size] for i in range(0, len(slots), size)], self.spec, training=False)

    def _place(self) -> tuple[int, int]:
        return (self.trainer.global_rank, self.trainer.world_size) if self.trainer else (0, 1)

    def _loader(self, batches: list[list[Slot]], spec: ViewSpec, training: bool) -> DataLoader:
        # A generator of its own: a loader draws a number whenever it starts, from those that dropout is to have.
        return DataLoader(_VideoBatches(self, batches, spec, training), batch_size=None, generator=torch.Generator())


class _VideoBatches(IterableDataset):
    def __init__(self, source: TrainingData, batches: list[list[Slot]], spec: ViewSpec, training: bool) -> None:
        self.source = source
        self.batches = batches
        self.spec = spec
        self.training = training

    def __len__(self) -> int:
        return len(self.batches)

    def __iter__(self) -> Iterator[VideoBatch]:
        with ExitStack() as stack:
            decoded = self._decoded(stack) if self.source.decoded else {}
            for batch in self.batches:
                items = [(slot, self._item(slot, decoded)) for slot in batch]
                readable = [(slot, item) for slot, item in items if item is not None]
                if self.training and not readable:
                    names = ", ".join(self.source.videos[slot.video].name for slot in batch)
                    raise UsageError(
                        f"no video of a batch could be decoded ({names}); check that the storage is still mounted"
                    )
                if self.training:  # ranks must stay in step, so another video takes the place of one that is lost
                    yield self._collate([(slot, item) if item else readable[0] for slot, item in items])
                elif readable:
                    yield self._collate(readable)

    def _decoded(self, stack: ExitStack) -> dict[str, Iterator[Decoded]]:
        """For each set, its videos as they come in the batches, decoded ahead."""
        rows = defaultdict(list)
        for slot in (slot for batch in self.batches for slot in batch):
            rows[self.source.owners[slot.video].name].append(self.source.videos[slot.video])
        decoders = {rated.name: rated.decoder for rated in self.source.sets}
        return {
            name: stack.enter_context(decoders[name].views(of_set, self.spec, in_order=True))
            for name, of_set in rows.items()
        }

    def _item(self, slot: Slot, decoded: Mapping[str, Iterator[Decoded]]) -> VideoGroup | None:
        """One video's inputs without the batch dimension; None where it cannot be decoded."""
        source, row = self.source, self.source.videos[slot.video]
        item = VideoGroup(
            features={branch: cache.load(row, slot.sampling) for branch, cache in source.features.items()},
            views={branch: cache.load(row, slot.sampling) for branch, cache in source.views.items()},
        )
        if source.decoded:
            _, loaded = next(decoded[source.owners[slot.video].name])
            if isinstance(loaded, Failure):
                if row.footage not in source.failures:
                    where = row.part.name(row.location)
                    log.warning("%s cannot be used: %s", where, loaded.reason)
                source.failures[row.footage] = loaded
                return None
            for branch in source.decoded:
                view = torch.from_numpy(loaded.views[0][branch])
                item.views[branch] = view.flip(-1) if slot.mirrored else view
        return item

    def _collate(self, items: Sequence[tuple[Slot, VideoGroup]]) -> VideoBatch:
        alike = defaultdict(list)
        for slot, item in items:
            inputs = {**item.features, **item.views}
            alike[tuple((branch, tuple(tensor.shape)) for branch, tensor in inputs.items())].append((slot, item))
        order = [slot.video for group in alike.values() for slot, _ in group]
        return VideoBatch(
            groups=[
                VideoGroup(
                    features={name: torch.stack([i.features[name] for _, i in group]) for name in group[0][1].features},
                    views={name: torch.stack([i.views[name] for _, i in group]) for name in group[0][1].views},
                )
                for group in alike.values()
            ],
            videos=torch.tensor(order),
            mos=torch.tensor([self.source.mos[video] for video in order]),
            own={
                branch: torch.tensor([values[video] for video in order]) for branch, values in self.source.own.items()
            },
            contents=self.source.contents_of(order) if self.training else None,
            auxiliary=self.source.auxiliary_of(order) if self.training else None,
            certainties=self.source.certainties_of(order) if self.training else None,
        )


def numbered(values: Iterable[object]) -> list[int]:
    """Number values by their text, in the order in which they first come; equal ones get one number."""
    numbers: dict[str, int] = {}
    return [numbers.setdefault(str(value), len(numbers)) for value in values]


def _standardized_columns(rows: Sequence[Row], columns: Sequence[str]) -> Tensor:
    """Columns of numbers in standard deviations from their means, float32 (rows, columns)."""
    values = np.array([[float(str(row.extras[column])) for column in columns] for row in rows])
    return torch.from_numpy(((values - values.mean(0)) / values.std(0)).astype(np.float32))
