"""A ladder of adaptations to few rated videos, and cross-validation that chooses the rung they can carry.

Each rung changes the start more than the one below, and is drawn toward the start:

===============  ======================================================================================================
``calibration``  A curve to the scale of the ratings: no score changes its place.
``weights``      Branches get weights of their own, at least 0, drawn toward equal ones (non-negative least squares).
``ridge``        The last layers of the heads change, drawn toward those of the start (ridge regression of what the
                 calibrated start leaves of the ratings on what these layers are given).
``heads``        Both layers of the heads change, by gradient descent with a penalty on leaving the start
                 (:mod:`cover.training.adapt.near`). Linear heads have no such rung: it would be ``ridge`` again.
===============  ======================================================================================================

Above them is end-to-end training, which takes hundreds of videos and is a stage of an ordinary training.

The choice is made by cross-validation inside the videos to train on, and what it is worth is measured by another one
around it (Cawley and Talbot, "On Over-fitting in Model Selection", JMLR 11, 2010). Folds keep contents together.
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from scipy.optimize import nnls
from torch import Tensor

from cover.evaluation.arrays import Array
from cover.evaluation.correlation import plcc, srocc
from cover.evaluation.fits.calibration import calibrate
from cover.evaluation.gain import Gain, gain
from cover.scores import BRANCHES
from cover.training.adapt.inputs import CONSTANT, RatedInputs

CALIBRATION, WEIGHTS, RIDGE, HEADS = "calibration", "weights", "ridge", "heads"

_LEFT_ONE_OUT = 20  # contents, or videos, up to which each is a fold of its own
_FOLDS = 10
_AGREES = 0.1  # the least correlation with the ratings at which a start is kept in the scores
_RESAMPLES = 1000


class Rung(NamedTuple):
    """A rung and how strongly it is drawn toward the start."""

    name: str
    strength: float


RUNGS = (
    Rung(CALIBRATION, math.inf),
    *(Rung(WEIGHTS, strength) for strength in (1.0, 0.1)),
    *(Rung(RIDGE, strength) for strength in (10.0, 3.0, 1.0, 0.3, 0.1)),
    Rung(HEADS, 100.0),
)
"""The ladder, from the bottom; strengths are of squared changes beside the mean squared error."""


@dataclass(frozen=True)
class HeadChange:
    """A change of the start: of each branch, centre + (score - centre) * factor + (inputs - mean) @ delta.

    Around the centres, so that changes that are fitted to different folds leave the scores where the start has them.

    Attributes:
        factors: (3,), of the branches' scores, at least 0.
        centres: (3,), scores that a factor does not change.
        deltas: Branch -> (C,), of the last layer's inputs.
        means: Branch -> (C,), inputs at which a delta changes nothing.
        heads: Parameters of the heads, from whose shift of the scores the offset is taken; None: they stay.
        offset: Constant subtracted from the shifted scores.
    """

    factors: Array
    centres: Array
    deltas: Mapping[str, Array]
    means: Mapping[str, Array]
    heads: Mapping[str, Tensor] | None = None
    offset: float = 0.0

    def overall(self, rated: RatedInputs) -> Array:
        """Overall scores after the change, (N,)."""
        values: Array = self.centres.sum() + (rated.scores - self.centres) @ self.factors
        for branch, delta in self.deltas.items():
            values = values + (rated.inputs[branch] - self.means[branch]) @ delta
        if self.heads is not None and rated.near is not None:
            values = values + rated.near.shift(self.heads) - self.offset
        return values


UNCHANGED = HeadChange(np.ones(len(BRANCHES)), np.zeros(len(BRANCHES)), {}, {})


@dataclass(frozen=True)
class Choice:
    """A rung that cross-validation chose.

    Attributes:
        rung: It.
        change: Of it, fitted to all videos that it was chosen on.
        table: For each rung ``rung, strength, srocc, plcc`` on videos that its fit did not see.
    """

    rung: Rung
    change: HeadChange
    table: Sequence[Mapping[str, object]]


@dataclass(frozen=True)
class Nested:
    """The worth of choosing and fitting, on videos that neither saw.

    Attributes:
        after: (N,) overall scores, each by a fold that did not see its content.
        before_mos: (N,) predictions of the start on the scale of the MOS, also calibrated; NaN for no rising curve.
        after_mos: (N,) those of ``after``.
        rungs: The rung of each fold.
        folds: How many there are.
        gain: Of ``after`` over the start.
    """

    after: Array
    before_mos: Array
    after_mos: Array
    rungs: Sequence[Rung]
    folds: int
    gain: Gain


def rungs_for(rated: RatedInputs) -> Sequence[Rung]:
    """List the rungs that there are: linear heads have no second layer to change."""
    return [rung for rung in RUNGS if rung.name != HEADS or rated.near is not None]


def fit_rungs(rated: RatedInputs, rungs: Sequence[Rung]) -> list[HeadChange]:
    """Fit rungs, each to all of the rated videos."""
    weights = rated.weights / rated.weights.sum()
    mean = weights @ rated.mos
    deviation = math.sqrt(weights @ (rated.mos - mean) ** 2) or 1.0
    target = (rated.mos - mean) / deviation
    overall = rated.overall - weights @ rated.overall
    spread = math.sqrt(weights @ overall**2)
    if spread <= CONSTANT:
        return [UNCHANGED] * len(rungs)
    slope = max(float(weights @ (overall * target)) / spread**2, 0.0)
    ridges = _ridge(rated, weights, target - slope * overall, [r.strength for r in rungs if r.name == RIDGE])
    changes = []
    for rung in rungs:
        if rung.name == CALIBRATION:
            changes.append(UNCHANGED)
        elif rung.name == WEIGHTS:
            changes.append(_weighted(rated, weights, target, slope, rung.strength))
        elif rung.name == HEADS:
            changes.append(_near(rated, weights, target - slope * overall, slope, rung.strength, spread))
        else:
            deltas, means = ridges.pop(0)
            # Scores keep the start's scale; where it runs against the ratings, nothing else of it is kept.
            scale = 1 / slope if slope * spread > _AGREES else spread
            factors = np.full(len(BRANCHES), slope * scale)
            scaled = {branch: scale * delta for branch, delta in deltas.items()}
            changes.append(HeadChange(factors, weights @ rated.scores, scaled, means))
    return changes


def _weighted(rated: RatedInputs, weights: Array, target: Array, slope: float, strength: float) -> HeadChange:
    """Weights of the branches, drawn toward equal ones in standard deviations of their scores."""
    centred = rated.scores - weights @ rated.scores
    spreads = np.sqrt(weights @ centred**2)
    root = np.sqrt(weights)[:, None]
    drawn = math.sqrt(strength) * np.diag(np.maximum(spreads, CONSTANT))
    factors, _ = nnls(
        np.concatenate([root * centred, drawn]),
        np.concatenate([root[:, 0] * target, drawn @ np.full(len(spreads), slope)]),
    )
    before, after = (math.sqrt(weights @ values**2) for values in (centred.sum(1), centred @ factors))
    if after <= CONSTANT * before:
        return UNCHANGED
    return HeadChange(factors * before / after, weights @ rated.scores, {}, {})


def _near(rated: RatedInputs, weights: Array, left: Array, slope: float, strength: float, spread: float) -> HeadChange:
    """Heads near the start; none where the start runs against the ratings, because nothing can be built on it."""
    if rated.near is None or slope * spread <= _AGREES:
        return UNCHANGED
    heads = rated.near.fit(left, weights, slope, strength)
    return replace(UNCHANGED, heads=heads, offset=float(weights @ rated.near.shift(heads)))


def _ridge(
    rated: RatedInputs, weights: Array, left: Array, strengths: Sequence[float]
) -> list[tuple[dict[str, Array], dict[str, Array]]]:
    """Changes of the last layers that explain what is left of the ratings, for each strength; and their inputs' means.

    Solved among the videos, which are fewer than inputs; these are standardised, and count as one between them.
    """
    means, deviations, columns = {}, {}, []
    for branch, values in rated.inputs.items():
        means[branch] = weights @ values
        spread = np.sqrt(weights @ (values - means[branch]) ** 2)
        deviations[branch] = np.where(spread > CONSTANT, spread, np.inf)
        columns.append((values - means[branch]) / deviations[branch])
    z = np.concatenate(columns, axis=1) / math.sqrt(sum(column.shape[1] for column in columns))
    root = np.sqrt(weights)[:, None]
    values, vectors = np.linalg.eigh((root * z) @ (root * z).T)
    towards = vectors.T @ (root[:, 0] * left)
    solutions = []
    for strength in strengths:
        dual = vectors @ (towards / (np.maximum(values, 0) + strength * float(values.max() or 1.0) / 10))
        together = z.T @ (root[:, 0] * dual) / math.sqrt(z.shape[1])
        deltas, start = {}, 0
        for branch, deviation in deviations.items():
            deltas[branch] = together[start : start + len(deviation)] / deviation
            start += len(deviation)
        solutions.append((deltas, means))
    return solutions


def folds_of(groups: np.ndarray, seed: int) -> list[np.ndarray]:
    """Make folds that keep groups together: one for each of up to 20, else 10 of about as many groups.

    Args:
        groups: (N,) numbers of groups.
        seed: Of the folds.

    Returns:
        For each fold (N,) whether a video is left out.
    """
    numbers, where = np.unique(groups, return_inverse=True)
    if len(numbers) <= _LEFT_ONE_OUT:
        fold = np.arange(len(numbers))
    else:
        fold = np.random.default_rng(seed).permutation(len(numbers)) % _FOLDS
    return [fold[where] == number for number in range(int(fold.max()) + 1)]


def left_out_scores(rated: RatedInputs, seed: int, rungs: Sequence[Rung]) -> Array:
    """Overall scores of each video after each rung was fitted to the folds without it, (N, rungs)."""
    scores = np.full((len(rated.mos), len(rungs)), math.nan)
    for out in folds_of(rated.groups, seed):
        for place, change in enumerate(fit_rungs(rated.some(~out), rungs)):
            scores[out, place] = change.overall(rated.some(out))
    return scores


def choose(rated: RatedInputs, seed: int) -> Choice:
    """Choose a rung by cross-validation: the best by SROCC + PLCC, if it is significantly better than the start.

    Args:
        rated: Videos of two groups at least.
        seed: Of the folds.
    """
    rungs = rungs_for(rated)
    scores = left_out_scores(rated, seed, rungs)
    figures = [(srocc(values, rated.mos), plcc(values, rated.mos, "none")) for values in scores.T]
    table = [
        {"rung": rung.name, "strength": rung.strength, "srocc": rank, "plcc": linear}
        for rung, (rank, linear) in zip(rungs, figures, strict=True)
    ]
    best = int(np.argmax([rank + linear if math.isfinite(rank + linear) else -2.0 for rank, linear in figures]))
    better = best and gain(scores[:, 0], scores[:, best], rated.mos, rated.groups.tolist(), resamples=_RESAMPLES).clear
    chosen = rungs[best] if better else rungs[0]
    (change,) = fit_rungs(rated, [chosen])
    return Choice(chosen, change, table)


def nested(
    rated: RatedInputs, seed: int, progress: Callable[[Sequence[np.ndarray]], Iterator[np.ndarray]] = iter
) -> Nested:
    """Measure what choosing and fitting is worth, by a cross-validation around both.

    Args:
        rated: Videos of three groups at least.
        seed: Of the folds.
        progress: Passes folds on, and may show that they pass.
    """
    n = len(rated.mos)
    after, before_mos, after_mos = (np.full(n, math.nan) for _ in range(3))
    rungs, folds = [], folds_of(rated.groups, seed)
    for out in progress(folds):
        fitted, left = rated.some(~out), rated.some(out)
        choice = choose(fitted, seed)
        rungs.append(choice.rung)
        after[out] = choice.change.overall(left)
        before_mos[out] = _predicted(fitted.overall, fitted.mos, left.overall)
        after_mos[out] = _predicted(choice.change.overall(fitted), fitted.mos, after[out])
    worth = gain(rated.overall, after, rated.mos, rated.groups.tolist(), resamples=_RESAMPLES)
    return Nested(after, before_mos, after_mos, rungs, len(folds), worth)


def _predicted(scores: Array, mos: Array, others: Array) -> Array:
    """Predictions for other videos on the scale of the MOS; NaN where scores do not rise with it."""
    curve = calibrate(scores, mos)
    return np.full(len(others), math.nan) if curve is None else curve(others)
