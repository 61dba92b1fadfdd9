"""The recipe of a training: every choice that its stages follow."""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import lightning
from torch.optim import Optimizer

from cover.models import COVER
from cover.training.adapt.ridge import Ridge
from cover.training.data.batches import Batching
from cover.training.data.cache import Caching
from cover.training.loop.losses import QualityLoss
from cover.training.loop.schedule import Rates
from cover.video import ViewSpec


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
class Auxiliary:
    """Auxiliary regression targets.

    Attributes:
        columns: Shell patterns over the names of the columns that hold them; empty: none.
        factor: Factor of their squared error in the loss.
    """

    columns: Sequence[str]
    factor: float


@dataclass(frozen=True)
class Start:
    """The model that training starts from.

    Attributes:
        from_scratch: Whether backbones are initialised again before the first stage that trains them.
        known: Whether its scores mean something, so that trained weights are compared with it.
        require_gain: Whether trained weights replace it only when they are significantly better.
    """

    from_scratch: bool
    known: bool
    require_gain: bool


@dataclass(frozen=True)
class Engine:
    """The objects that a stage runs with.

    Attributes:
        make_network: Makes the network without weights.
        make_loss: Makes the loss.
        make_optimizer: Makes the optimizer of parameter groups with their rates.
        make_trainer: Makes Lightning's Trainer, given its callbacks and other arguments.
        make_progress: Makes a progress bar (:class:`cover.reporting.progress.VideoProgress`), given what is done.
        precision: Lightning's precision, which cached features depend on.
        accelerator: Lightning's accelerator.
    """

    make_network: Callable[[], COVER]
    make_loss: Callable[[], QualityLoss]
    make_optimizer: Callable[[list[dict[str, Any]]], Optimizer]
    make_trainer: Callable[..., lightning.Trainer]
    make_progress: Callable[[str], Any]
    precision: str
    accelerator: str


@dataclass(frozen=True)
class Recipe:
    """Every choice that the stages of a training follow.

    Attributes:
        views: The view spec, sampled at the centre, where training validates.
        net: Arguments of the network, which cached features depend on.
        stages: The stages, one after the other, each from the best weights of the one before.
        rates: Learning rates, averaging and the penalty on distance.
        batching: Batches and random samplings.
        auxiliary: Auxiliary regression targets.
        caching: Caches of features and views.
        start: The model that training starts from.
        engine: Loss, optimizer and Trainer.
        ridge: What a stage in closed form fits the heads to.
        seed: Of everything random.
    """

    views: ViewSpec
    net: Mapping[str, Any]
    stages: Sequence[Stage]
    rates: Rates
    batching: Batching
    auxiliary: Auxiliary
    caching: Caching
    start: Start
    engine: Engine
    ridge: Ridge
    seed: int

    @property
    def random_views(self) -> ViewSpec:
        """The view spec of the random samplings that are cached."""
        return dataclasses.replace(self.views, sampling="random", samples=self.batching.samplings, seed=self.seed)
