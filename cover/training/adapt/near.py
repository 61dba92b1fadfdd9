"""Heads fitted by gradient descent near the start: the rung of the ladder above ridge regression."""

import math
from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn import functional

PLACES = 4
"""Places of a video's features that heads are fitted to, evenly spaced over time and space."""

_STEPS = 40
_STEP = 0.03  # of Adam, beside the root mean square of a tensor


class NearHeads:
    """The heads of a model over a few places of each video's features.

    Args:
        heads: Branch -> its head, which is not changed.
        places: Branch -> (N, C, K), gated features at K places of each video.
    """

    def __init__(self, heads: Mapping[str, nn.Module], places: Mapping[str, Tensor]) -> None:
        self.heads = heads
        self.places = places
        self.start = {
            f"{branch}.{name}": value.detach().clone()
            for branch, head in heads.items()
            for name, value in head.named_parameters()
        }

    def some(self, chosen: np.ndarray) -> "NearHeads":
        """Take some of the videos, by places or by whether each is wanted."""
        index = torch.from_numpy(np.flatnonzero(chosen) if chosen.dtype == bool else chosen)
        return NearHeads(self.heads, {branch: values[index] for branch, values in self.places.items()})

    def overall(self, parameters: Mapping[str, Tensor]) -> Tensor:
        """Overall scores over the places, (N,)."""
        parts = []
        for branch, head in self.heads.items():
            own = {name.partition(".")[2]: value for name, value in parameters.items() if name.startswith(f"{branch}.")}
            parts.append(functional_call(head, own, (self.places[branch][..., None, None],)).flatten(1).mean(1))
        return torch.stack(parts).sum(0)

    def shift(self, parameters: Mapping[str, Tensor]) -> np.ndarray:
        """How far parameters move the overall scores from where the start has them, float64 (N,)."""
        with torch.no_grad():
            moved: np.ndarray = (self.overall(parameters) - self.overall(self.start)).double().numpy()
        return moved

    def fit(self, left: np.ndarray, weights: np.ndarray, slope: float, strength: float) -> dict[str, Tensor]:
        """Fit the heads to what the calibrated start leaves of the ratings.

        Minimises the mean squared error plus ``strength`` times the squared change of each tensor beside its size
        (L2-SP: Li, Grandvalet and Davoine, ICML 2018), by so many steps of Adam on all videos at once; no dropout, so
        that the same videos give the same heads.

        Args:
            left: (N,) what is left of the standardised ratings.
            weights: (N,), summing to 1.
            slope: Of the standardised ratings over the scores.
            strength: Of the pull toward the start.

        Returns:
            The parameters, by branch and name.
        """
        moving = {name: value.clone().requires_grad_() for name, value in self.start.items()}
        sizes = {name: max(float(value.square().mean().sqrt()), 1e-3) for name, value in self.start.items()}
        adam = torch.optim.Adam([{"params": [value], "lr": _STEP * sizes[name]} for name, value in moving.items()])
        target, shares = (torch.from_numpy(values).float() for values in (left, weights))
        with torch.no_grad():
            before = self.overall(self.start)
        for step in range(_STEPS):
            for group, size in zip(adam.param_groups, sizes.values(), strict=True):
                group["lr"] = _STEP * size * 0.5 * (1 + math.cos(math.pi * step / _STEPS))
            adam.zero_grad()
            shift = self.overall(moving) - before
            shift = shift - (shares * shift).sum()
            error = (shares * (target - slope * shift).square()).sum()
            changes = [
                functional.mse_loss(value, self.start[name]) / sizes[name] ** 2 for name, value in moving.items()
            ]
            (error + strength * torch.stack(changes).sum()).backward()
            adam.step()
        return {name: value.detach() for name, value in moving.items()}
