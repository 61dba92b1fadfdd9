"""The recipe of a training: every choice that its stages follow."""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import lightning
import torch
from torch.optim import Optimizer

from cover.training.adapt.ridge import Ridge
from cover.training.data.batches import ByContent, sampling_name
from cover.training.loop.losses import QualityLoss
from cover.video import ViewSpec

DTYPES = {"float32": torch.float32, "float16": torch.float16}


@dataclass(frozen=True)
class Stage:
    """One stage of a training.

    Attributes:
        name: Its name.
        epochs: Its length, at least 1.
        train: Shell patterns over the names of the parameters that learn; empty: none does, and the heads are fitted
            in closed form.
    """

    name: str
    epochs: int
    train: Sequence[str]


@dataclass(frozen=True)
class Recipe:
    """Every choice that the stages of a training follow.

    Attributes:
        views: The view spec, sampled at the centre, where training validates.
        net: Arguments of the network, which cached features follow from.
        stages: The stages, one after the other, each from the best weights of the one before.
        make_loss: Makes the loss.
        make_optimizer: Makes the optimizer of parameter groups with their rates.
        make_trainer: Makes Lightning's Trainer, given its callbacks and other arguments.
        make_progress: Makes a progress bar (:class:`cover.reporting.progress.VideoProgress`), given what is done.
        batch_size: Videos a step and process.
        lr: Rate of gates and heads.
        backbone_lr: Rate of backbones.
        warmup_epochs: Epochs of each stage in which the rates rise.
        ema_decay: Of averaged weights; None averages none.
        from_scratch: Whether backbones are initialised anew before the first stage that trains them.
        samplings: Random samplings in the caches beside the one at the centre.
        mirror: Whether every second of them, and by chance views that are decoded anew, are turned left to right.
        by_content: Number of videos per content placed together in a batch; None: as chance has it.
        auxiliary: Patterns of columns with auxiliary regression targets.
        auxiliary_factor: Factor of their squared error in the loss.
        by_interval: Whether a video's weight in the loss follows the interval of its MOS.
        l2_sp: Factor of the penalty on leaving the weights that a stage starts from.
        known_start: Whether the weights to start from mean something, so that training is held against them.
        require_gain: Whether trained weights must be better than these beyond chance to take their place.
        ridge: What a stage in closed form fits the heads to.
        cache: Folder of the caches.
        dtype: Of cached features, a key of :data:`DTYPES`.
        keep_views: Whether to cache decoded views for backbones that are trained.
        reading: How files are read, by the name of their dataset.
        precision: Lightning's, which cached features follow from.
        accelerator: Lightning's.
        seed: Of everything random.
    """

    views: ViewSpec
    net: Mapping[str, Any]
    stages: Sequence[Stage]
    make_loss: Callable[[], QualityLoss]
    make_optimizer: Callable[[list[dict[str, Any]]], Optimizer]
    make_trainer: Callable[..., lightning.Trainer]
    make_progress: Callable[[str], Any]
    batch_size: int
    lr: float
    backbone_lr: float
    warmup_epochs: float
    ema_decay: float | None
    from_scratch: bool
    samplings: int
    mirror: bool
    by_content: ByContent | None
    auxiliary: Sequence[str]
    auxiliary_factor: float
    by_interval: bool
    l2_sp: float
    known_start: bool
    require_gain: bool
    ridge: Ridge
    cache: Path
    dtype: str
    keep_views: bool
    reading: Mapping[str, Any]
    precision: str
    accelerator: str
    seed: int

    @property
    def mirrored(self) -> list[bool]:
        """For each cached sampling, whether it is turned left to right; the first one is at the centre."""
        return [self.mirror and number % 2 == 1 for number in range(self.samplings + 1)]

    @property
    def sampling_names(self) -> list[str]:
        """Names of the cached samplings, the one at the centre first."""
        return [sampling_name(number, self.seed, mirrored) for number, mirrored in enumerate(self.mirrored)]

    @property
    def random_views(self) -> ViewSpec:
        """The view spec of the random samplings that are cached."""
        return dataclasses.replace(self.views, sampling="random", samples=self.samplings, seed=self.seed)
