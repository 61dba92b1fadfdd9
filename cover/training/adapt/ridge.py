"""Heads fitted in closed form: ridge regression of ratings on what their last, linear layer is given."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from cover.errors import UsageError
from cover.evaluation.correlation import srocc
from cover.models import COVER
from cover.scores import BRANCHES
from cover.training.adapt.inputs import CONSTANT
from cover.training.data.loader import TrainingData, numbered

log = logging.getLogger(__name__)

STRENGTHS = (0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0)
"""Penalties that :func:`fit` chooses from, beside the mean squared error, for inputs of deviation 1."""

_FOLDS = 10


@dataclass(frozen=True)
class BranchFit:
    """The closed-form fit of a branch's head.

    Attributes:
        sets: Name of a dataset -> its share in the fit; empty: all datasets alike.
        scale: Deviation that the branch's score gets over what it was fitted to, and so its weight in the sum.
    """

    sets: Mapping[str, float]
    scale: float


@dataclass(frozen=True)
class Ridge:
    """The closed-form fit of the heads.

    Attributes:
        branches: Branch -> the fit of its head.
        content: Column of the content, so that a penalty is chosen on contents that its fit did not see; None, and in
            datasets without it: videos stand for themselves.
    """

    branches: Mapping[str, BranchFit]
    content: str | None = None


@dataclass(frozen=True)
class RidgeFit:
    """A fitted linear function of inputs, float64.

    Attributes:
        mean: Of each input, (C,).
        deviation: Of each, above 0, (C,).
        weight: Of each in standard deviations, (C,); the value at the mean is 0.
        strength: The penalty that was chosen.
        srocc: Of each set, agreement with ratings of groups that a fit did not see.
    """

    mean: np.ndarray
    deviation: np.ndarray
    weight: np.ndarray
    strength: float
    srocc: Mapping[int, float]


def fit(
    inputs: np.ndarray,
    ratings: np.ndarray,
    sets: np.ndarray,
    shares: Mapping[int, float],
    groups: np.ndarray,
    seed: int,
) -> RidgeFit:
    """Fit ridge regression, its penalty chosen by cross-validation over groups.

    Minimises the mean of squared errors plus ``strength`` times the squared length of the coefficients of standardised
    inputs (Hoerl and Kennard, "Ridge regression", Technometrics 12(1), 1970). Every set has an intercept of its own, as
    ratings of different studies cannot be compared.

    Args:
        inputs: (N, C).
        ratings: (N,).
        sets: (N,), number of the set of each.
        shares: Number of a set -> its share in the mean, above 0.
        groups: (N,), numbers of what must not be on both sides of a fold.
        seed: Of the folds.

    Returns:
        The fit to all, with the strength of :data:`STRENGTHS` that ranked groups left out best.
    """
    numbers, where = np.unique(groups, return_inverse=True)
    count = min(_FOLDS, len(numbers))
    folds = (np.random.default_rng(seed).permutation(len(numbers)) % count)[where]
    left_out = np.zeros((len(inputs), len(STRENGTHS)))
    for fold in range(count if count > 1 else 0):
        fitted, left = folds != fold, folds == fold
        mean, deviation, weights = _solve(inputs[fitted], ratings[fitted], sets[fitted], shares)
        left_out[left] = (inputs[left] - mean) / deviation @ weights
    agreement = {
        number: [srocc(values, ratings[sets == number]) for values in left_out[sets == number].T] for number in shares
    }
    total = sum(share * np.nan_to_num(agreement[number], nan=-1.0) for number, share in shares.items())
    best = int(np.argmax(total))
    mean, deviation, weights = _solve(inputs, ratings, sets, shares)
    ranked = {number: float(values[best]) for number, values in agreement.items()}
    return RidgeFit(mean, deviation, weights[:, best], STRENGTHS[best], ranked)


def fit_heads(model: COVER, data: TrainingData, ridge: Ridge, seed: int) -> None:
    """Set the last layers of the heads by ridge regression on the videos to train on, each branch by itself.

    Ratings are those that training uses: of the branch alone where a dataset has them, else the MOS, in standard
    deviations of their dataset. A linear head is fitted to the features, the last layer of another head to the
    output of its first layer.

    Args:
        model: The model, whose frozen backbones' features are cached.
        data: The videos.
        ridge: The fit of each branch.
        seed: Of the folds.

    Raises:
        UsageError: There is no column of that name for the content, or but one content.
    """
    numbers = {rated.name: number for number, rated in enumerate(data.sets)}
    pooled = _pooled(model, data)
    for branch, branch_fit in ridge.branches.items():
        shares = {numbers[name]: share for name, share in (branch_fit.sets or dict.fromkeys(numbers, 1.0)).items()}
        videos = [video for video in pooled if numbers[data.owners[video].name] in shares]
        owned = [(data.owners[video], data.videos[video]) for video in videos]
        groups = np.array(numbered(row.extras.get(ridge.content or "", row.name) for _, row in owned))
        if ridge.content and not any(ridge.content in row.extras for _, row in owned):
            raise UsageError(f"ridge.content={ridge.content}: no dataset that {branch} is fitted to has such a column")
        if len(np.unique(groups)) < 2:
            raise UsageError(f"ridge: {branch} is fitted to one content, and no penalty can be chosen by others")
        solution = fit(
            np.stack([pooled[video][branch] for video in videos]).astype(np.float64),
            np.array([rated.standardized(row, branch) for rated, row in owned]),
            np.array([numbers[rated.name] for rated, _ in owned]),
            shares,
            groups,
            seed,
        )
        _set_head(model.heads[branch], solution, branch_fit.scale)
        figures = ", ".join(f"{data.sets[number].name} {value:.3f}" for number, value in solution.srocc.items())
        log.info("%s: penalty %g; SROCC on what a fit did not see: %s", branch, solution.strength, figures)


def _set_head(head: Any, solution: RidgeFit, scale: float) -> None:
    mean, deviation, weight = (
        torch.from_numpy(values) for values in (solution.mean, solution.deviation, solution.weight)
    )
    with torch.no_grad():
        if head.linear:  # its first layer standardises
            head.hidden.weight.copy_((1 / deviation).view_as(head.hidden.weight))
            head.hidden.bias.copy_(-mean / deviation)
        else:
            weight = weight / deviation
        head.score.weight.copy_((scale * weight).view_as(head.score.weight))
        head.score.bias.fill_(0.0 if head.linear else -scale * float(weight @ mean))


def _pooled(model: COVER, data: TrainingData) -> dict[int, dict[str, np.ndarray]]:
    """For each video to train on and branch, the means over time and space of what the last layer is given."""
    pooled: dict[int, dict[str, np.ndarray]] = {}
    model.eval()
    for batch in data.predict_dataloader():
        parts: dict[str, list[Tensor]] = {branch: [] for branch in BRANCHES}
        for group in batch.groups:
            with torch.no_grad():
                gated = model.gate({branch: tensor.float() for branch, tensor in group.features.items()})
                for branch, features in gated.items():
                    head: Any = model.heads[branch]
                    inputs = features if head.linear else head.inputs(features)
                    parts[branch].append(inputs.flatten(2).mean(2))
        for place, video in enumerate(batch.videos.tolist()):
            if video < data.trained:
                pooled[video] = {branch: torch.cat(parts[branch])[place].numpy() for branch in BRANCHES}
    return pooled


def _solve(
    inputs: np.ndarray, ratings: np.ndarray, sets: np.ndarray, shares: Mapping[int, float]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Means and deviations of the inputs, and weights, (C, strengths), that give values of deviation 1."""
    there = {number: share for number, share in shares.items() if (sets == number).any()}
    total = sum(there.values())
    weights = np.zeros(len(inputs))
    centered, targets, mean = inputs.copy(), ratings.astype(np.float64), np.zeros(inputs.shape[1])
    for number, share in there.items():
        of_set = sets == number
        weights[of_set] = share / total / of_set.sum()
        middle = inputs[of_set].mean(0)
        mean = mean + share / total * middle
        centered[of_set] -= middle
        targets[of_set] -= targets[of_set].mean()
    deviation = np.sqrt(weights @ centered**2)
    deviation = np.where(deviation > CONSTANT, deviation, 1.0)
    z = centered / deviation
    values, vectors = np.linalg.eigh(z.T @ (weights[:, None] * z))
    towards = vectors.T @ (z.T @ (weights * targets))
    solved = np.stack([vectors @ (towards / (np.maximum(values, 0) + strength)) for strength in STRENGTHS], axis=1)
    spread = np.sqrt(weights @ (z @ solved) ** 2)
    return mean, deviation, solved / np.maximum(spread, CONSTANT)
