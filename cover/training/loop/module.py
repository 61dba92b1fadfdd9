"""The LightningModule of training."""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import lightning
import numpy as np
import torch
from lightning.pytorch.utilities.types import OptimizerLRScheduler
from torch import Tensor, nn
from torch.nn import functional
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from torchmetrics import Metric
from torchmetrics.utilities import dim_zero_cat

from cover.curves import Fit
from cover.evaluation.arrays import pairs
from cover.evaluation.fits.curve import fit_curve
from cover.evaluation.registry import MEASURES
from cover.models import COVER, branch_scores
from cover.scores import SCORES
from cover.training.data.batches import VideoBatch
from cover.training.loop.losses import QualityLoss
from cover.training.loop.schedule import Rates, learning_branches, warmup_cosine

MONITOR = "val/score"
"""The criterion of the best epoch: SROCC + PLCC of the overall score, of the raw or the averaged weights."""

RAW, EMA = "raw", "ema"
"""Variants of the weights: as they are being trained, and averaged."""


class Training(lightning.LightningModule):
    """Train COVER, or what is left of it when frozen backbones are replaced by caches of their features.

    Lightning's own weight averaging would validate the averaged weights *instead of* the raw ones; here both are
    validated in every epoch, and a checkpoint's ``state_dict`` holds whichever was better, ready to score with. What
    resuming needs is under ``training_state``.

    Args:
        model: The model; its trained parameters are those that require a gradient.
        loss: From scores and MOS to what is minimised.
        optimizer: Makes the optimizer of parameter groups with their rates.
        rates: Learning rates, averaging and the penalty on distance.
        sets: For each video the name of its set and its MOS, in the order of the batches' numbers.
        own: Branch -> for each video the rating of that branch alone; validation compares scores with it, not the MOS.
        auxiliary: Number of auxiliary regression targets in the batches. Each trainable backbone predicts them from its
            mean features by a linear layer that no model keeps. 0: none.
        auxiliary_factor: Factor of their mean squared error, which is added to the loss for each of these backbones.
        seed: Of dropout, together with epoch and rank.
        about: Plain data for the checkpoints.

    Attributes:
        predictions: After predicting, the scores of each video by its number.
    """

    def __init__(
        self,
        model: COVER,
        loss: QualityLoss,
        optimizer: Callable[[list[dict[str, Any]]], Optimizer],
        rates: Rates,
        *,
        sets: Sequence[tuple[str, float]],
        seed: int,
        about: Mapping[str, Any],
        own: Mapping[str, Sequence[float]] | None = None,
        auxiliary: int = 0,
        auxiliary_factor: float = 1.0,
    ) -> None:
        super().__init__()
        self.model = model
        self.loss = loss
        self.averaged = None
        if rates.ema_decay is not None:
            self.averaged = AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn(rates.ema_decay))
            self.averaged.requires_grad_(False).eval()
        self.auxiliary = nn.ModuleDict()
        for branch in learning_branches(model) if auxiliary else ():
            channels: Any = model.backbones[branch].out_channels
            self.auxiliary[branch] = nn.Linear(channels, auxiliary)
        self.auxiliary_factor = auxiliary_factor
        trained = model.named_parameters() if rates.l2_sp else ()
        self._start = {name: value.detach().clone() for name, value in trained if value.requires_grad}
        self.make_optimizer = optimizer
        self.rates = rates
        self.sets = sets
        self.own = own or {}
        self.seed = seed
        self.about = about
        self.best_of = RAW
        self.predictions: dict[int, list[float]] = {}
        variants = (RAW,) if rates.ema_decay is None else (RAW, EMA)
        self.seen: Mapping[str, Predictions] = nn.ModuleDict({name: Predictions() for name in variants})  # type: ignore[assignment]

    def variant(self, name: str) -> COVER:
        """Give the model: ``raw`` as it is being trained, ``ema`` with averaged weights."""
        model: Any = self.model if name == RAW or self.averaged is None else self.averaged.module
        return model

    def scores(self, batch: VideoBatch, variant: str = RAW) -> Tensor:
        """Score a batch, float32 (B, 4) in the order of :data:`cover.scores.SCORES`.

        Args:
            batch: The videos.
            variant: Of the weights (see :meth:`variant`).
        """
        model = self.variant(variant)
        return _scores(model, self._features(batch, model))

    def _features(self, batch: VideoBatch, model: COVER) -> list[dict[str, Tensor]]:
        """Features of each group of a batch: from caches, or computed."""
        return [
            {branch: tensor.float() for branch, tensor in group.features.items()}
            | model.features(model.normalize(group.views))
            for group in batch.groups
        ]

    def configure_optimizers(self) -> OptimizerLRScheduler:
        """Make two groups of parameters, and the schedule of their rates, which changes at every step."""
        groups: dict[bool, list[nn.Parameter]] = {False: [], True: []}
        for name, parameter in self.model.named_parameters():
            if parameter.requires_grad:
                groups[name.startswith("backbones.")].append(parameter)
        groups[False] += self.auxiliary.parameters()
        rates = {False: self.rates.lr, True: self.rates.lr * self.rates.backbone_lr}
        optimizer = self.make_optimizer(
            [{"params": groups[backbone], "lr": rate} for backbone, rate in rates.items() if groups[backbone]]
        )
        total = int(self.trainer.estimated_stepping_batches)
        warmup = self.rates.warmup_epochs * total / (self.trainer.max_epochs or 1)
        schedule = LambdaLR(optimizer, warmup_cosine(min(warmup, total / 2), total))
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    def on_train_epoch_start(self) -> None:
        """Tie dropout to seed, epoch and rank, so that an interrupted run ends with the same weights."""
        for module in self.model.modules():  # from the outside in; a dropout follows what it is part of
            if parameters := list(module.parameters()):
                module.train(any(parameter.requires_grad for parameter in parameters))
        sequence = np.random.SeedSequence([self.seed, self.current_epoch, self.global_rank])
        torch.manual_seed(int(sequence.generate_state(1, np.uint64)[0]) % 2**63)

    def training_step(self, batch: VideoBatch, *_: Any) -> Tensor:
        """Compute the loss over the videos of all ranks: ranks and correlations are those of the global batch."""
        features = self._features(batch, self.model)
        scores, mos, own, contents = _scores(self.model, features), batch.mos, batch.own, batch.contents
        weights = batch.certainties
        predicted, auxiliary = self._auxiliary(features), batch.auxiliary
        if self.trainer.world_size > 1:
            predicted = [self._of_all_ranks(columns) for columns in predicted]
            auxiliary = None if auxiliary is None else self._of_all_ranks(auxiliary)
            scores, mos = self._of_all_ranks(scores), self._of_all_ranks(mos)
            own = {branch: self._of_all_ranks(ratings) for branch, ratings in own.items()}
            contents = None if contents is None else self._of_all_ranks(contents)
            weights = None if weights is None else self._of_all_ranks(weights)
        terms = self.loss(dict(zip(SCORES, scores.unbind(1), strict=True)), mos, own, contents, weights)
        if auxiliary is not None and predicted:
            errors = torch.stack([functional.mse_loss(columns, auxiliary) for columns in predicted])
            terms["auxiliary"] = errors.detach().mean()
            terms["loss"] = terms["loss"] + self.auxiliary_factor * errors.sum()
        if self._start:
            terms["l2_sp"] = self._distance()
            terms["loss"] = terms["loss"] + self.rates.l2_sp * terms["l2_sp"]
        values = {f"train/{name}": term.detach() for name, term in terms.items()}
        self.log_dict(values, on_step=False, on_epoch=True, batch_size=len(mos))
        return terms["loss"]

    def _distance(self) -> Tensor:
        """Half the squared distance of what is trained from where this stage started."""
        parts = []
        for name, value in self.model.named_parameters():
            if name in self._start:
                self._start[name] = start = self._start[name].to(value.device)
                parts.append((value - start).square().sum())
        return torch.stack(parts).sum() / 2

    def _auxiliary(self, features: Sequence[Mapping[str, Tensor]]) -> list[Tensor]:
        """Auxiliary predictions of each trainable backbone, float32 (B, N)."""
        return [
            torch.cat([layer(group[branch].flatten(2).mean(2)) for group in features]).float()
            for branch, layer in self.auxiliary.items()
        ]

    def optimizer_step(self, *args: Any, **kwargs: Any) -> None:
        """Take a step of the optimizer, which the averaged weights follow."""
        super().optimizer_step(*args, **kwargs)
        if self.averaged is not None:
            self.averaged.update_parameters(self.model)

    def validation_step(self, batch: VideoBatch, *_: Any) -> None:
        """Score a batch with the raw and with the averaged weights."""
        for variant, seen in self.seen.items():
            seen.update(batch.videos, self.scores(batch, variant))

    def on_validation_epoch_end(self) -> None:
        """Measure the agreement of every score with the MOS, as the official code validates.

        SROCC, KROCC and PLCC are of the raw scores, RMSE after their mean and deviation are made those of the MOS. A
        branch that has ratings of its own is compared with these. With several sets a figure is the mean over
        them.
        """
        overall = {}
        for variant, seen in self.seen.items():
            figures = self.measured(seen.take())
            self.log_dict({f"val/{variant}/{name}": value for name, value in figures.items()})
            overall[variant] = figures["overall/srocc"] + figures["overall/plcc"]
        self.best_of = max(overall, key=lambda variant: (not math.isnan(overall[variant]), overall[variant]))
        score = overall[self.best_of]
        # Undefined on videos that all score alike, and then the worst there is.
        self.log(MONITOR, -2.0 if math.isnan(score) else score, prog_bar=True)

    def predict_step(self, batch: VideoBatch, *_: Any) -> Tensor:
        """Score a batch with the raw weights; afterwards :attr:`predictions` has those of all videos."""
        scores = self.scores(batch)
        self.seen[RAW].update(batch.videos, scores)
        return scores

    def on_predict_epoch_end(self) -> None:
        """Gather the scores of all ranks."""
        self.predictions = self.seen[RAW].take()

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Make ``state_dict`` that of the better weights, with what :meth:`on_load_checkpoint` needs beside it."""
        checkpoint["training_state"] = checkpoint["state_dict"]
        better = self.variant(self.best_of).state_dict()
        checkpoint["state_dict"] = {f"model.{name}": tensor for name, tensor in better.items()}
        score = float(self.trainer.callback_metrics[MONITOR])
        checkpoint["cover"] = {**self.about, "variant": self.best_of, "score": score}

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Go back to where training was."""
        checkpoint["state_dict"] = checkpoint["training_state"]

    def _of_all_ranks(self, tensor: Tensor) -> Tensor:
        gathered = self.all_gather(tensor, sync_grads=tensor.requires_grad)
        assert isinstance(gathered, Tensor)
        return gathered.flatten(0, 1)

    def measured(self, predictions: Mapping[int, Sequence[float]]) -> dict[str, float]:
        """Compute each measure of each score, such as ``overall/srocc``: the mean over sets.

        Args:
            predictions: Scores of each video by its number.
        """
        members: dict[str, list[int]] = {}
        for video in predictions:
            members.setdefault(self.sets[video][0], []).append(video)
        figures: dict[str, list[float]] = {}
        for videos in members.values():
            mos = np.array([self.sets[video][1] for video in videos])
            for place, score in enumerate(SCORES):
                target = np.array([self.own[score][video] for video in videos]) if score in self.own else mos
                pred = np.array([predictions[video][place] for video in videos])
                x, y = pairs(pred, target)
                for name, measure in MEASURES.items():
                    # Quick fits, since every epoch is measured; errors need the scale of the MOS.
                    fit: Fit = "none" if measure.is_correlation else "rescale"
                    curve = fit_curve(x, y, fit) if measure.needs_fit else None
                    figures.setdefault(f"{score}/{name}", []).append(measure.function(x, y, curve))
        return {name: float(np.mean(values)) for name, values in figures.items()}


def _scores(model: COVER, features: Sequence[Mapping[str, Tensor]]) -> Tensor:
    """Scores of a batch from the features of its groups, float32 (B, 4)."""
    parts = []
    for group in features:
        scores = branch_scores(model.score_maps(group))
        parts.append(torch.stack([scores[name] for name in SCORES], dim=1))
    return torch.cat(parts).float()


class Predictions(Metric):
    """The scores of videos, of all ranks together."""

    full_state_update = False
    rows: list[Tensor]

    def __init__(self) -> None:
        super().__init__()
        self.add_state("rows", default=[], dist_reduce_fx="cat")

    def update(self, videos: Tensor, scores: Tensor) -> None:
        """Add a batch.

        Args:
            videos: int64 (B,), numbers below 2**24, which float32 holds exactly.
            scores: float32 (B, n).
        """
        self.rows.append(torch.cat([videos[:, None].float(), scores.detach()], dim=1).flatten())

    def compute(self) -> Tensor:
        """Give everything added, float32: number and scores of one video after another."""
        return dim_zero_cat(self.rows) if len(self.rows) else torch.empty(0)

    def take(self) -> dict[int, list[float]]:
        """Take the scores by number, in the order of the numbers; nothing is left."""
        table = self.compute().view(-1, 1 + len(SCORES)).tolist()
        self.reset()
        return {int(video): scores for video, *scores in sorted(table)}
