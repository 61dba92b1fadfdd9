"""Adaptation to few rated videos: the ladder over cached features, cross-validated, and the weights of its choice."""

import logging
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import lightning
import numpy as np
import pandas as pd
import torch

from cover.curves import Calibration
from cover.errors import UsageError
from cover.evaluation.arrays import plain
from cover.evaluation.fits.calibration import calibrate
from cover.evaluation.splits.contents import Contents, contents
from cover.models import COVER
from cover.results.names import FILENAME
from cover.scores import BRANCHES
from cover.training.adapt.inputs import RatedInputs, rated_inputs
from cover.training.adapt.ladder import CALIBRATION, UNCHANGED, Choice, HeadChange, Nested, choose, nested
from cover.training.checkpoints import trained_on, write_weights
from cover.training.data.loader import TrainingData, numbered
from cover.training.data.sets import RatedSet
from cover.training.loop.module import RAW
from cover.training.recipe import Recipe
from cover.training.stages import START, StageResult, training_data

log = logging.getLogger(__name__)

_FEWEST_GROUPS = 4  # a fold inside a fold needs three that are not left out


@dataclass(frozen=True)
class Adaptation:
    """The outcome of the ladder.

    Attributes:
        data: The videos, as far as they can be read.
        inputs: What the ladder knew of them.
        contents: Their contents; None where each video is taken to show something else.
        choice: The rung that cross-validation over all of them chose.
        nested: What choosing is worth, on videos it did not see.
        kept: Whether the weights changed: whether the choice is above the calibration, and its worth significantly.
        curve: The calibration of the weights; None where scores do not rise with the MOS.
    """

    data: TrainingData
    inputs: RatedInputs
    contents: Contents | None
    choice: Choice
    nested: Nested
    kept: bool
    curve: Calibration | None

    @property
    def rungs(self) -> dict[str, int]:
        """How many folds chose each rung."""
        return dict(Counter(rung.name for rung in self.nested.rungs))

    @property
    def best(self) -> dict[str, Any]:
        """Describe the weights: stage, epoch and variant as of other trainings, and whether they are calibrated."""
        stage = self.choice.rung.name if self.kept else START
        return {"stage": stage, "epoch": int(self.kept), "variant": RAW, "calibrated": self.curve is not None}

    def about(self) -> dict[str, Any]:
        """Describe the cross-validation as plain data."""
        rung, known = self.choice.rung, self.contents
        return {
            "folds": self.nested.folds,
            "left_out": "videos" if known is None else "contents",
            "groups": len(np.unique(self.inputs.groups)),
            "contents_by": None if known is None else known.source,
            "rungs": self.rungs,
            "chosen": {"rung": rung.name, "strength": plain(rung.strength)},
        }

    def table(self) -> pd.DataFrame:
        """Tabulate each video with the scores of folds that did not see its content.

        Returns:
            ``Filename, split, mos, overall`` (of what was kept), ``overall_before, overall_trained``, ``predicted_mos``
            and ``predicted_mos_before``, ``content`` where it is known, ``dataset``.
        """
        rated, cross_validated = self.data.sets[0], self.nested
        columns: dict[str, Any] = {
            FILENAME: [row.name for row in rated.train],
            "split": "cross-validated",
            "mos": self.inputs.mos,
            "overall": cross_validated.after if self.kept else self.inputs.overall,
            "overall_before": self.inputs.overall,
            "overall_trained": cross_validated.after,
            "predicted_mos": cross_validated.after_mos if self.kept else cross_validated.before_mos,
            "predicted_mos_before": cross_validated.before_mos,
            "predicted_mos_trained": cross_validated.after_mos,
        }
        if self.contents is not None:
            columns["content"] = self.contents.keys
        return pd.DataFrame({**columns, "dataset": rated.name})


def fit_adaptation(
    recipe: Recipe,
    make_model: Callable[[], COVER],
    rated: RatedSet,
    about: Mapping[str, Any],
    folder: Path,
    column: str | None,
    progress: Callable[[Sequence[np.ndarray]], Iterator[np.ndarray]] = iter,
) -> Adaptation:
    """Choose a rung for all rated videos, measure what choosing is worth, and write the weights.

    Args:
        recipe: The recipe, whose stages are not used.
        make_model: Makes the model to adapt.
        rated: The videos, all of them to train on.
        about: Plain data for the weights (see :func:`~cover.training.checkpoints.write_weights`).
        folder: The results folder.
        column: Column of the content; None finds one, or guesses contents by the videos' names.
        progress: Passes folds on, and may show that they pass.

    Raises:
        UsageError: Too few videos can be read or too few contents are there, or there is no column of that name.
    """
    lightning.seed_everything(recipe.seed, verbose=False)
    model = make_model().eval()
    data = training_data(recipe, model, [rated], list(BRANCHES), [], folder)
    rows = data.sets[0].train
    known = contents(rows, column)
    if known is None and column is not None:
        raise UsageError(f"protocol.column={column}: {rated.name} has no such column, or gaps in it")
    groups = np.arange(len(rows)) if known is None else np.array(numbered(known.keys))
    if len(np.unique(groups)) < _FEWEST_GROUPS:
        raise UsageError(
            f"{rated.name}: {len(np.unique(groups))} contents (by {known.source if known else 'video'}) are too few to "
            f"cross-validate over; {_FEWEST_GROUPS} at least"
        )
    inputs = rated_inputs(model, data, groups, by_interval=recipe.batching.by_interval)
    worth = nested(inputs, recipe.seed, progress)
    choice = choose(inputs, recipe.seed)
    kept = choice.rung.name != CALIBRATION and (
        worth.gain.clear or (worth.gain.sum[0] > 0 and not recipe.start.require_gain)
    )
    change = choice.change if kept else UNCHANGED
    apply(model, change)
    curve = calibrate(change.overall(inputs), inputs.mos)
    if curve is None:
        log.warning("scores do not rise with the MOS: the checkpoint has no MOS scale")
    name = choice.rung.name if kept else START
    trained = frozenset(key for key, _ in model.named_parameters() if key.startswith("heads."))
    result = StageResult(name, int(kept), RAW, worth.gain.sum[0] if kept else 0.0, {}, data, trained)
    if kept:  # else the rows have only calibrated it
        about = {**about, "trained_on": trained_on(about, rows)}
    write_weights(model, result, curve, set(trained), about, folder)
    return Adaptation(data, inputs, known, choice, worth, kept, curve)


def apply(model: COVER, change: HeadChange) -> None:
    """Change the last layers of a model's heads as the ladder found."""
    with torch.no_grad():
        for name, value in (change.heads or {}).items():
            model.heads.get_parameter(name).copy_(value)
        if change.heads is not None:
            model.heads.get_parameter(f"{BRANCHES[0]}.score.bias").sub_(change.offset)
        for place, branch in enumerate(BRANCHES):
            layer: Any = model.heads[branch].score
            factor, centre = float(change.factors[place]), float(change.centres[place])
            layer.weight.mul_(factor)
            layer.bias.mul_(factor).add_((1 - factor) * centre)
            if branch in change.deltas:
                delta, mean = change.deltas[branch], change.means[branch]
                layer.weight.add_(torch.from_numpy(delta).view_as(layer.weight).to(layer.weight))
                layer.bias.sub_(float(delta @ mean))
