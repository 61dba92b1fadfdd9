"""The LightningModule: models on batches of views."""

import math
from dataclasses import dataclass
from typing import Any

import lightning
import torch

from cover.data import Batch, Failure
from cover.models import COVER, branch_scores
from cover.rows import Row


@dataclass(frozen=True)
class Scored:
    """A scored video: ``scores`` maps semantic, technical, aesthetic and overall to their values."""

    row: Row
    scores: dict[str, float]
    notes: list[str]


class CoverModule(lightning.LightningModule):
    """COVER for Lightning's Trainer.

    Args:
        model: The network; its weights are loaded already.
    """

    def __init__(self, model: COVER) -> None:
        super().__init__()
        self.model = model

    def predict_step(self, batch: Batch, *_: Any) -> list[Scored | Failure]:
        """Scores every video of the batch; several draws of a video are averaged.

        Returns:
            One item a file: its scores, or why it has none.
        """
        results: list[Scored | Failure] = list(batch.failures)
        if not batch.rows:
            return results
        draws = [branch_scores(self.model(self.model.normalize(views))) for views in batch.views]
        means = {name: torch.stack([draw[name] for draw in draws]).double().mean(0).tolist() for name in draws[0]}
        for index, (row, notes) in enumerate(zip(batch.rows, batch.notes, strict=True)):
            scores = {name: values[index] for name, values in means.items()}
            if all(map(math.isfinite, scores.values())):
                results.append(Scored(row, scores, notes))
            else:
                results.append(Failure(row, "the model's score is not a finite number; try trainer.precision=32-true"))
        return results
