"""A look at where training starts: do the model's scores and the ratings point the same way?"""

import logging
from collections import defaultdict
from typing import Any

import lightning
import numpy as np
from lightning.pytorch.callbacks import Callback

from cover.evaluation.measures import opposed
from cover.training.batches import VideoBatch
from cover.training.module import Training

log = logging.getLogger(__name__)

_ENOUGH = 256  # videos; after more of them the model is no longer where it started


class StartingDirection(Callback):
    """Warn after the first epoch where, at its start, high scores went with low ratings of a dataset.

    Ratings where low is good (DMOS) would teach the model to score upside down, with no other sign of it.
    """

    def __init__(self) -> None:
        self._pairs: dict[str, list[tuple[float, float]]] = defaultdict(list)

    def on_train_batch_end(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, outputs: Any, batch: VideoBatch, *_: Any
    ) -> None:
        """Keep the scores that the first batches of training had before their step."""
        assert isinstance(pl_module, Training)
        if trainer.current_epoch == 0 and sum(map(len, self._pairs.values())) < _ENOUGH:
            for video, score in zip(batch.videos.tolist(), outputs["overall"].tolist(), strict=True):
                name, mos = pl_module.sets[video]
                self._pairs[name].append((score, mos))

    def on_train_epoch_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Say what was found, once."""
        for name, pairs in self._pairs.items():
            scores, mos = np.array(pairs).T
            found = opposed(scores, mos)
            if found is not None and trainer.is_global_zero:
                log.warning("%s: %s", name, found)
        self._pairs.clear()
