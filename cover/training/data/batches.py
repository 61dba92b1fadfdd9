"""Batches of rated videos: their content, and which videos share one."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from torch import Tensor

from cover.errors import UsageError

CENTER = "center"


class Slot(NamedTuple):
    """A video's place in a batch.

    Attributes:
        video: Its place in :attr:`TrainingData.videos`.
        sampling: Which sampling of it, as :func:`sampling_name` names them.
        mirrored: Whether views that are decoded for this batch are turned left to right.
    """

    video: int
    sampling: str = CENTER
    mirrored: bool = False


@dataclass
class VideoGroup:
    """Videos whose inputs have one shape.

    Attributes:
        features: Frozen branch -> features of the videos by its backbone, float (B, C, T', ...).
        views: Trained branch -> RGB in 0..255, uint8 (B, 3, T, H, W).
    """

    features: dict[str, Tensor] = field(default_factory=dict)
    views: dict[str, Tensor] = field(default_factory=dict)


@dataclass
class VideoBatch:
    """A batch of rated videos.

    Attributes:
        groups: The videos; those of one shape are together.
        videos: int64 (B,), the place of each in :attr:`TrainingData.videos`, in the order of the groups.
        mos: float32 (B,), their MOS in standard deviations from the mean of their set.
        own: Branch -> float32 (B,), the ratings of this branch alone, for branches that have such ratings.
        contents: int64 (B,), number of the content of each, where batches are made by content.
        auxiliary: float32 (B, N), what auxiliary columns say of each, standardised over all videos to train on.
        certainties: float32 (B,), of each in the loss, by how certain its MOS is; None: all alike.
    """

    groups: list[VideoGroup]
    videos: Tensor
    mos: Tensor
    own: dict[str, Tensor] = field(default_factory=dict)
    contents: Tensor | None = None
    auxiliary: Tensor | None = None
    certainties: Tensor | None = None


class ByContent(NamedTuple):
    """A rule by which videos come together in a batch.

    Attributes:
        column: The extra of a row whose value they share, such as their content.
        videos: How many of them come together.
    """

    column: str
    videos: int


@dataclass(frozen=True)
class Batching:
    """How batches are made of videos.

    Attributes:
        batch_size: Videos per batch and process.
        samplings: Random samplings of each video in the caches beside the one at the centre; training picks any.
        mirror: Whether every second cached sampling, and half of the views decoded for a batch, are mirrored.
        by_content: Number of videos per content placed together in a batch; None: in random order.
        by_interval: Whether a video's weight in the loss depends on the interval of its MOS.
    """

    batch_size: int
    samplings: int
    mirror: bool
    by_content: ByContent | None = None
    by_interval: bool = False

    @property
    def mirrored(self) -> list[bool]:
        """For each cached sampling, whether it is mirrored; the first one is at the centre."""
        return [self.mirror and number % 2 == 1 for number in range(self.samplings + 1)]

    def sampling_names(self, seed: int) -> list[str]:
        """Names of the cached samplings of a seed, the one at the centre first."""
        return [sampling_name(number, seed, mirrored) for number, mirrored in enumerate(self.mirrored)]


def sampling_name(number: int, seed: int, mirrored: bool) -> str:
    """Name a sampling of a video in caches: number 0 is the centre, others are random."""
    return f"random {seed} {number}{' mirrored' if mirrored else ''}" if number else CENTER


def epoch_batches(
    sizes: Sequence[int],
    shares: Sequence[float],
    batch_size: int,
    ranks: int,
    rng: np.random.Generator,
    contents: Sequence[Sequence[int]] | None = None,
    together: int = 1,
) -> list[list[int]]:
    """Choose which videos share a batch in one epoch.

    Every batch is of one set, since the MOS of different studies cannot be compared. Videos that fill no batch are left
    out, other ones in each epoch; a set too small for a batch makes one batch as large as it can be.

    Args:
        sizes: Videos of each set. Videos are numbered through the sets.
        shares: How often an epoch sees each video of a set.
        batch_size: Videos a batch, over all ranks; a multiple of ``ranks``.
        ranks: Processes that share a batch evenly.
        rng: Decides the order.
        contents: For each set, which content its videos show; those of one come ``together`` at a time, in each epoch
            other ones. None: every video comes by itself.
        together: How many of one content come one after the other, as far as there are so many.

    Returns:
        The batches in a random order.

    Raises:
        UsageError: A set has fewer videos than there are ranks.
    """
    batches: list[list[int]] = []
    start = 0
    for number, (size, share) in enumerate(zip(sizes, shares, strict=True)):
        target = round(share * size)
        length = min(batch_size, target // ranks * ranks)
        if length == 0:
            raise UsageError(f"{target} videos to train on in an epoch are too few for {ranks} processes")
        if length == 1:
            raise UsageError(
                f"batches of one video ({target} to train on in an epoch): losses compare the videos of a batch, and "
                "need 2 at least (batch_size=, share=)"
            )
        belonging = range(size) if contents is None else contents[number]
        passes = [_by_content(belonging, together, rng) for _ in range(-(-target // size))]
        order = (start + np.concatenate(passes))[:target]
        batches += [order[i : i + length].tolist() for i in range(0, target - length + 1, length)]
        start += size
    return [batches[i] for i in rng.permutation(len(batches))]


def _by_content(contents: Sequence[int], together: int, rng: np.random.Generator) -> np.ndarray:
    """Order videos at random, those of one content so many at a time."""
    order = rng.permutation(len(contents))
    if together == 1:
        return order
    members = defaultdict(list)
    for video in order.tolist():
        members[contents[video]].append(video)
    groups = [slots[i : i + together] for slots in members.values() for i in range(0, len(slots), together)]
    return np.concatenate([groups[i] for i in rng.permutation(len(groups))])
