"""The parameters that learn, and their rates."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from cover.models import COVER


@dataclass(frozen=True)
class Rates:
    """How fast parameters learn, and what holds them back.

    Attributes:
        lr: Learning rate of gates and heads.
        backbone_lr: Learning rate of backbones, as a multiple of ``lr``.
        warmup_epochs: Epochs of each stage in which the rates rise.
        ema_decay: Decay of the averaged weights; None averages none.
        l2_sp: Factor of half the squared distance of the trained parameters from where they started, which is added to
            the loss (Li, Grandvalet and Davoine, "Explicit Inductive Bias for Transfer Learning", ICML 2018); 0: none.
    """

    lr: float
    backbone_lr: float
    warmup_epochs: float
    ema_decay: float | None = None
    l2_sp: float = 0.0


def mark_trained(model: COVER, patterns: Sequence[str]) -> list[str]:
    """Let only some parameters learn.

    Args:
        model: The model.
        patterns: Shell patterns over parameter names, such as ``heads.*``.

    Returns:
        The branches whose backbones have a parameter that learns.

    Raises:
        ValueError: A pattern matches no parameter; the message has it.
    """
    names = [name for name, _ in model.named_parameters()]
    if not model.gates:  # none to train; recipes name them for models that have some
        patterns = [p for p in patterns if not p.startswith("gates.")] or list(patterns)
    for pattern in patterns:
        if not any(fnmatchcase(name, pattern) for name in names):
            raise ValueError(f"{pattern!r} matches no parameter (names begin with backbones., gates. or heads.)")
    for name, parameter in model.named_parameters():
        parameter.requires_grad_(any(fnmatchcase(name, pattern) for pattern in patterns))
    return learning_branches(model)


def learning_branches(model: COVER) -> list[str]:
    """List the branches whose backbones have a parameter that learns."""
    return [name for name, backbone in model.backbones.items() if any(p.requires_grad for p in backbone.parameters())]


def warmup_cosine(warmup: float, total: int) -> Callable[[int], float]:
    """Make a schedule: a linear rise from 0, then half a cosine down to 0.

    The official code (``train_one_dataset.py``) has the same, but for a cosine that is stretched over both stages and
    the warm-up, and so ends above 0.

    Args:
        warmup: Steps until the full rate.
        total: Steps of the whole training.

    Returns:
        A function from the number of a step to its share of the full rate, 0 to 1.
    """

    def share(step: int) -> float:
        if step <= warmup:
            return step / warmup if warmup else 1.0
        return 0.5 * (1 + math.cos(math.pi * (step - warmup) / max(1, total - warmup)))

    return share
