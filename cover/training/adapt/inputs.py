"""Scores and last layers' inputs of some rated videos: all that an adaptation is fitted to."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from cover.evaluation.arrays import Array
from cover.models import COVER
from cover.scores import BRANCHES
from cover.training.adapt.near import PLACES, NearHeads
from cover.training.data.loader import TrainingData

CONSTANT = 1e-6
"""A deviation below which an input says nothing."""


@dataclass(frozen=True)
class RatedInputs:
    """All that the ladder knows of some rated videos.

    Attributes:
        scores: (N, 3), those of the start's branches.
        inputs: Branch -> (N, C), means of what its last layer is given.
        mos: (N,).
        groups: (N,), numbers of contents; each video its own where these are unknown.
        weights: (N,), of each video, of mean 1.
        near: The heads, for the rung that changes both of their layers; None where they are linear.
    """

    scores: Array
    inputs: Mapping[str, Array]
    mos: Array
    groups: np.ndarray
    weights: Array
    near: NearHeads | None = None

    @property
    def overall(self) -> Array:
        """Overall scores of the start, (N,)."""
        sums: Array = self.scores.sum(1)
        return sums

    def some(self, chosen: np.ndarray) -> "RatedInputs":
        """Take some of the videos."""
        inputs = {branch: values[chosen] for branch, values in self.inputs.items()}
        near = None if self.near is None else self.near.some(chosen)
        return RatedInputs(
            self.scores[chosen], inputs, self.mos[chosen], self.groups[chosen], self.weights[chosen], near
        )


def rated_inputs(model: COVER, data: TrainingData, groups: np.ndarray, *, by_interval: bool) -> RatedInputs:
    """Compute scores, and means of what the last layers are given, from cached features."""
    count = data.trained
    scores = np.full((count, len(BRANCHES)), math.nan)
    inputs: dict[str, np.ndarray] = {}
    heads: dict[str, Any] = {branch: model.heads[branch] for branch in BRANCHES}
    places: dict[str, dict[int, torch.Tensor]] = {branch: {} for branch in BRANCHES}
    for batch in data.predict_dataloader():
        done = 0
        for group in batch.groups:
            with torch.no_grad():
                gated = model.gate({branch: tensor.float() for branch, tensor in group.features.items()})
                for place, branch in enumerate(BRANCHES):
                    head = heads[branch]
                    given = head.inputs(gated[branch])
                    means = given.flatten(2).mean(2).double().numpy()
                    videos = batch.videos[done : done + len(means)].numpy()
                    scores[videos, place] = head.score(given).flatten(1).mean(1).double().numpy()
                    if not head.linear:
                        places[branch].update(zip(videos.tolist(), _some_places(gated[branch]), strict=True))
                    inputs.setdefault(branch, np.full((count, means.shape[1]), math.nan))[videos] = means
                done += len(videos)
    rated = data.sets[0]
    mos = np.array([rated.rating(row) for row in rated.train])
    weights = np.ones(count)
    if by_interval:
        weights = np.array([(rated.certainties or {}).get(row.name, 1.0) for row in rated.train])
    near = None
    if not any(head.linear for head in heads.values()):
        stacked = {
            branch: torch.stack([of_video[video] for video in range(count)]) for branch, of_video in places.items()
        }
        near = NearHeads(heads, stacked)
    return RatedInputs(scores, inputs, mos, groups, weights / weights.mean(), near)


def _some_places(features: torch.Tensor) -> torch.Tensor:
    """Features (B, C, T', h, w) at a few places, float32 (B, C, K), evenly spaced over time and space."""
    flat = features.flatten(2)
    return flat[..., torch.linspace(0, flat.shape[2] - 1, PLACES).round().long()].float().clone()
