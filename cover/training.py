"""The LightningModules of training: one computes features once, one trains on them or end to end."""

import math
from collections.abc import Callable, Mapping, Sequence
from fnmatch import fnmatchcase
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

from cover.cache import ClipCache
from cover.data import Batch, Failure
from cover.losses import QualityLoss
from cover.metrics import krocc, plcc, rmse, srocc
from cover.models import COVER, SCORES, branch_scores
from cover.rows import Row
from cover.training_data import ClipBatch

MONITOR = "val/score"
"""What the best epoch is chosen by: SROCC + PLCC of the overall score, of the raw or the averaged weights."""


def mark_trained(model: COVER, patterns: Sequence[str]) -> list[str]:
    """Lets only some parameters learn.

    Args:
        model: The model.
        patterns: Shell patterns over parameter names, such as ``heads.*``.

    Returns:
        The branches whose backbones have a parameter that learns.

    Raises:
        ValueError: A pattern matches no parameter; the message has it.
    """
    names = [name for name, _ in model.named_parameters()]
    for pattern in patterns:
        if not any(fnmatchcase(name, pattern) for name in names):
            raise ValueError(f"{pattern!r} matches no parameter (names begin with backbones., gates. or heads.)")
    for name, parameter in model.named_parameters():
        parameter.requires_grad_(any(fnmatchcase(name, pattern) for pattern in patterns))
    return _learning(model)


def _learning(model: COVER) -> list[str]:
    """The branches whose backbones have a parameter that learns."""
    return [name for name, backbone in model.backbones.items() if any(p.requires_grad for p in backbone.parameters())]


def warmup_cosine(warmup: float, total: int) -> Callable[[int], float]:
    """A linear rise from 0, then half a cosine down to 0.

    The official code (``train_one_dataset.py``) has the same, but for a cosine that is stretched over both stages and
    the warm-up, and so ends above 0.

    Args:
        warmup: Steps until the full rate.
        total: Steps of the whole training.

    Returns:
        From the number of a step to its share of the full rate, 0 to 1.
    """

    def share(step: int) -> float:
        if step <= warmup:
            return step / warmup if warmup else 1.0
        return 0.5 * (1 + math.cos(math.pi * (step - warmup) / max(1, total - warmup)))

    return share


class Extraction(lightning.LightningModule):
    """Fills caches with features, or with views as they are.

    Args:
        model: What computes the features.
        features: Branch -> cache of its features.
        views: Branch -> cache of its views.
        draws: What the caches call the samplings of a batch, in their order.
        mirrored: For each of them, whether it is turned left to right.
        dtype: Of the stored features.
    """

    def __init__(
        self,
        model: COVER,
        features: Mapping[str, ClipCache],
        views: Mapping[str, ClipCache],
        draws: Sequence[str],
        mirrored: Sequence[bool],
        dtype: torch.dtype,
    ) -> None:
        super().__init__()
        self.model = model
        self.features = features
        self.views = views
        self.draws = draws
        self.mirrored = mirrored
        self.stored_as = dtype

    def predict_step(self, batch: Batch, *_: Any) -> list[Row | Failure]:
        """Keeps what the caches lack of each clip.

        Returns:
            One item a file: its row, or why there is nothing to keep.
        """
        caches = {**self.features, **self.views}
        for name, mirrored, views in zip(self.draws, self.mirrored, batch.views, strict=bool(batch.rows)):
            lacking = {b for b, cache in caches.items() if not all(cache.has(row, name) for row in batch.rows)}
            inputs = {branch: views[branch].flip(-1) if mirrored else views[branch] for branch in lacking}
            outputs = {branch: inputs[branch] for branch in lacking & self.views.keys()}
            wanted = {branch: inputs[branch] for branch in lacking & self.features.keys()}
            outputs |= {
                branch: tensor.to(self.stored_as)
                for branch, tensor in self.model.features(self.model.normalize(wanted)).items()
            }
            for branch, tensors in outputs.items():
                for row, tensor in zip(batch.rows, tensors, strict=True):
                    caches[branch].save(row, name, tensor)
        return [*batch.failures, *batch.rows]


class Training(lightning.LightningModule):
    """Trains COVER, or what is left of it when frozen backbones are replaced by caches of their features.

    Lightning's own weight averaging would validate the averaged weights *instead of* the raw ones; here both are
    validated in every epoch, and a checkpoint's ``state_dict`` holds whichever was better, ready to score with. What
    resuming needs is under ``training_state``.

    Args:
        model: The model; its trained parameters are those that require a gradient.
        loss: From scores and MOS to what is minimised.
        optimizer: Makes the optimizer of parameter groups with their rates.
        lr: Rate of gates and heads.
        backbone_lr: Rate of backbones.
        warmup_epochs: Epochs in which the rates rise.
        ema_decay: Of the averaged weights; None averages none.
        sets: For each clip the name of its set and its MOS, in the order of the batches' numbers.
        own: Branch -> for each clip what rates that branch alone; validation holds it against these, not the MOS.
        auxiliary: Auxiliary columns in the batches: what each backbone that learns is to tell of a clip besides, from
            its mean features and by a linear layer that no model keeps. 0: none.
        auxiliary_weight: Of their mean squared error, which is added to the loss for each of these backbones.
        seed: Of dropout, together with epoch and rank.
        about: Plain data for the checkpoints.

    Attributes:
        predictions: After predicting, the scores of each clip by its number.
    """

    def __init__(
        self,
        model: COVER,
        loss: QualityLoss,
        optimizer: Callable[[list[dict[str, Any]]], Optimizer],
        *,
        lr: float,
        backbone_lr: float,
        warmup_epochs: float,
        ema_decay: float | None,
        sets: Sequence[tuple[str, float]],
        seed: int,
        about: Mapping[str, Any],
        own: Mapping[str, Sequence[float]] | None = None,
        auxiliary: int = 0,
        auxiliary_weight: float = 1.0,
    ) -> None:
        super().__init__()
        self.model = model
        self.loss = loss
        self.averaged = None
        if ema_decay is not None:
            self.averaged = AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn(ema_decay))
            self.averaged.requires_grad_(False).eval()
        self.auxiliary = nn.ModuleDict()
        for branch in _learning(model) if auxiliary else ():
            channels: Any = model.backbones[branch].out_channels
            self.auxiliary[branch] = nn.Linear(channels, auxiliary)
        self.auxiliary_weight = auxiliary_weight
        self.make_optimizer = optimizer
        self.rates = (lr, backbone_lr)
        self.warmup_epochs = warmup_epochs
        self.sets = sets
        self.own = own or {}
        self.seed = seed
        self.about = about
        self.best_of = "raw"
        self.predictions: dict[int, list[float]] = {}
        kinds = ("raw",) if ema_decay is None else ("raw", "ema")
        self.seen: Mapping[str, Predictions] = nn.ModuleDict({kind: Predictions() for kind in kinds})  # type: ignore[assignment]

    def weights(self, kind: str) -> COVER:
        """The model: ``raw`` as it is being trained, ``ema`` with averaged weights."""
        model: Any = self.model if kind == "raw" or self.averaged is None else self.averaged.module
        return model

    def scores(self, batch: ClipBatch, kind: str = "raw") -> Tensor:
        """Scores of a batch, float32 (B, 4) in the order of :data:`cover.models.SCORES`.

        Args:
            batch: The clips.
            kind: Which :meth:`weights`.
        """
        model = self.weights(kind)
        return _scores(model, self._features(batch, model))

    def _features(self, batch: ClipBatch, model: COVER) -> list[dict[str, Tensor]]:
        """For each group of a batch what backbones make of it: from caches, or computed."""
        return [
            {branch: tensor.float() for branch, tensor in group.features.items()}
            | model.features(model.normalize(group.views))
            for group in batch.groups
        ]

    def configure_optimizers(self) -> OptimizerLRScheduler:
        """Two groups of parameters, and the schedule of their rates, which changes at every step."""
        groups: dict[bool, list[nn.Parameter]] = {False: [], True: []}
        for name, parameter in self.model.named_parameters():
            if parameter.requires_grad:
                groups[name.startswith("backbones.")].append(parameter)
        groups[False] += self.auxiliary.parameters()
        optimizer = self.make_optimizer(
            [{"params": groups[backbone], "lr": self.rates[backbone]} for backbone in (False, True) if groups[backbone]]
        )
        total = int(self.trainer.estimated_stepping_batches)
        warmup = self.warmup_epochs * total / (self.trainer.max_epochs or 1)
        schedule = LambdaLR(optimizer, warmup_cosine(min(warmup, total / 2), total))
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    def on_train_epoch_start(self) -> None:
        """Ties dropout to seed, epoch and rank, so that a run that was interrupted goes on as if it had not been."""
        for module in self.model.modules():  # from the outside in; a dropout follows what it is part of
            if parameters := list(module.parameters()):
                module.train(any(parameter.requires_grad for parameter in parameters))
        sequence = np.random.SeedSequence([self.seed, self.current_epoch, self.global_rank])
        torch.manual_seed(int(sequence.generate_state(1, np.uint64)[0]) % 2**63)

    def training_step(self, batch: ClipBatch, *_: Any) -> Tensor:
        """The loss over the clips of all ranks: ranks and correlations are those of the global batch."""
        features = self._features(batch, self.model)
        scores, mos, own, contents = _scores(self.model, features), batch.mos, batch.own, batch.contents
        told, auxiliary = self._told(features), batch.auxiliary
        if self.trainer.world_size > 1:
            told = [self._of_all_ranks(columns) for columns in told]
            auxiliary = None if auxiliary is None else self._of_all_ranks(auxiliary)
            scores, mos = self._of_all_ranks(scores), self._of_all_ranks(mos)
            own = {branch: self._of_all_ranks(ratings) for branch, ratings in own.items()}
            contents = None if contents is None else self._of_all_ranks(contents)
        terms = self.loss(dict(zip(SCORES, scores.unbind(1), strict=True)), mos, own, contents)
        if auxiliary is not None and told:
            errors = torch.stack([functional.mse_loss(columns, auxiliary) for columns in told])
            terms["auxiliary"] = errors.detach().mean()
            terms["loss"] = terms["loss"] + self.auxiliary_weight * errors.sum()
        values = {f"train/{name}": term for name, term in terms.items()}
        self.log_dict(values, on_step=False, on_epoch=True, batch_size=len(mos))
        return terms["loss"]

    def _told(self, features: Sequence[Mapping[str, Tensor]]) -> list[Tensor]:
        """What each backbone that learns tells of auxiliary columns, float32 (B, N)."""
        return [
            torch.cat([layer(group[branch].flatten(2).mean(2)) for group in features]).float()
            for branch, layer in self.auxiliary.items()
        ]

    def optimizer_step(self, *args: Any, **kwargs: Any) -> None:
        """A step of the optimizer, which the averaged weights follow."""
        super().optimizer_step(*args, **kwargs)
        if self.averaged is not None:
            self.averaged.update_parameters(self.model)

    def validation_step(self, batch: ClipBatch, *_: Any) -> None:
        """Scores a batch with the raw and with the averaged weights."""
        for kind, seen in self.seen.items():
            seen.update(batch.clips, self.scores(batch, kind))

    def on_validation_epoch_end(self) -> None:
        """Measures the agreement of every score with the MOS, as the official code validates.

        SROCC, KROCC and PLCC are of the raw scores, RMSE after their mean and deviation are made those of the MOS. A
        branch that ratings of its own are there for is held against these. With several sets a figure is the mean over
        them.
        """
        overall = {}
        for kind, seen in self.seen.items():
            figures = self._measured(seen.take())
            self.log_dict({f"val/{kind}/{name}": value for name, value in figures.items()})
            overall[kind] = figures["overall/srocc"] + figures["overall/plcc"]
        self.best_of = max(overall, key=lambda kind: (not math.isnan(overall[kind]), overall[kind]))
        score = overall[self.best_of]
        # Undefined on clips that all score alike, and then the worst there is.
        self.log(MONITOR, -2.0 if math.isnan(score) else score, prog_bar=True)

    def predict_step(self, batch: ClipBatch, *_: Any) -> Tensor:
        """Scores of a batch with the raw weights; afterwards :attr:`predictions` has those of all clips."""
        scores = self.scores(batch)
        self.seen["raw"].update(batch.clips, scores)
        return scores

    def on_predict_epoch_end(self) -> None:
        """Gathers the scores of all ranks."""
        self.predictions = self.seen["raw"].take()

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Makes ``state_dict`` that of the better weights, with what :meth:`on_load_checkpoint` needs beside it."""
        checkpoint["training_state"] = checkpoint["state_dict"]
        better = self.weights(self.best_of).state_dict()
        checkpoint["state_dict"] = {f"model.{name}": tensor for name, tensor in better.items()}
        score = float(self.trainer.callback_metrics[MONITOR])
        checkpoint["cover"] = {**self.about, "weights": self.best_of, "score": score}

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Goes back to where training was."""
        checkpoint["state_dict"] = checkpoint["training_state"]

    def _of_all_ranks(self, tensor: Tensor) -> Tensor:
        gathered = self.all_gather(tensor, sync_grads=tensor.requires_grad)
        assert isinstance(gathered, Tensor)
        return gathered.flatten(0, 1)

    def _measured(self, predictions: Mapping[int, Sequence[float]]) -> dict[str, float]:
        """Each measure of each score, such as ``overall/srocc``: the mean over sets."""
        members: dict[str, list[int]] = {}
        for clip in predictions:
            members.setdefault(self.sets[clip][0], []).append(clip)
        figures: dict[str, list[float]] = {}
        for clips in members.values():
            mos = np.array([self.sets[clip][1] for clip in clips])
            for place, score in enumerate(SCORES):
                target = np.array([self.own[score][clip] for clip in clips]) if score in self.own else mos
                pred = np.array([predictions[clip][place] for clip in clips])
                values = {
                    "srocc": srocc(pred, target),
                    "krocc": krocc(pred, target),
                    "plcc": plcc(pred, target, "none"),
                    "rmse": rmse(pred, target, "rescale"),
                }
                for measure, value in values.items():
                    figures.setdefault(f"{score}/{measure}", []).append(value)
        return {name: float(np.mean(values)) for name, values in figures.items()}


def _scores(model: COVER, features: Sequence[Mapping[str, Tensor]]) -> Tensor:
    """Scores of a batch of what backbones make of its groups, float32 (B, 4)."""
    parts = []
    for group in features:
        scores = branch_scores(model.score_maps(group))
        parts.append(torch.stack([scores[name] for name in SCORES], dim=1))
    return torch.cat(parts).float()


class Predictions(Metric):
    """The scores of clips, of all ranks together."""

    full_state_update = False
    rows: list[Tensor]

    def __init__(self) -> None:
        super().__init__()
        self.add_state("rows", default=[], dist_reduce_fx="cat")

    def update(self, clips: Tensor, scores: Tensor) -> None:
        """Adds a batch.

        Args:
            clips: int64 (B,), numbers below 2**24, which float32 holds exactly.
            scores: float32 (B, n).
        """
        self.rows.append(torch.cat([clips[:, None].float(), scores.detach()], dim=1).flatten())

    def compute(self) -> Tensor:
        """Everything added, float32: number and scores of one clip after another."""
        return dim_zero_cat(self.rows) if len(self.rows) else torch.empty(0)

    def take(self) -> dict[int, list[float]]:
        """Scores by number, in the order of the numbers; nothing is left."""
        table = self.compute().view(-1, 1 + len(SCORES)).tolist()
        self.reset()
        return {int(clip): scores for clip, *scores in sorted(table)}
