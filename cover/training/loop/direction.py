"""A look at where training starts: do the model's scores and the ratings point the same way?"""

import logging
from collections import defaultdict

import lightning
import numpy as np
import torch
from lightning.pytorch.callbacks import Callback

from cover.evaluation.measures import opposed
from cover.scores import SCORES
from cover.training.data.loader import TrainingData
from cover.training.loop.module import Training

log = logging.getLogger(__name__)

_ENOUGH = 256  # videos


class StartingDirection(Callback):
    """Warn where the model, before it learns anything, gives high scores to the low ratings of a dataset.

    Ratings where low is good (DMOS) would teach it to score upside down, with no other sign of it. Some videos of each
    dataset are scored for this, evenly spaced; a training that is resumed has had its warning.
    """

    def on_train_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Score some videos and compare the scores with their ratings."""
        data = getattr(trainer, "datamodule", None)
        if trainer.ckpt_path is not None:
            return
        assert isinstance(pl_module, Training)
        assert isinstance(data, TrainingData)
        seen: dict[str, list[tuple[list[float], float]]] = defaultdict(list)
        pl_module.model.eval()  # every epoch sets it to training again
        with torch.no_grad(), trainer.precision_plugin.forward_context():
            for batch in data.some_dataloader(_ENOUGH):
                scores = pl_module.scores(trainer.strategy.batch_to_device(batch))
                for video, values in zip(batch.videos.tolist(), scores.tolist(), strict=True):
                    name, mos = pl_module.sets[video]
                    seen[name].append((values, mos))
        for name, pairs_seen in seen.items():
            columns = np.array([values for values, _ in pairs_seen]).T
            against = opposed(dict(zip(SCORES, columns, strict=True)), [mos for _, mos in pairs_seen])
            if against is not None and trainer.is_global_zero:
                log.warning("%s: %s", name, against)
