"""Losses of predictions against mean opinion scores: correlation, ranking, squared error.

Source: COVER (He et al., CVPRW 2024; github.com/taco-group/COVER at 7373bee, ``train_one_dataset.py``), which has its
correlation and ranking losses from DOVER and FAST-VQA. Two differences: standard deviations are bounded from below, so
that predictions which are all the same have gradients of a sensible size, and a batch of one video has a loss.

Losses of a batch are no averages over its videos, so the batch matters: losses of parts of it cannot be averaged.
"""

import math
from collections.abc import Callable, Mapping
from typing import TypeAlias

import torch
from torch import Tensor, nn
from torch.nn import functional

from cover.scores import BRANCHES, SCORES

_Loss: TypeAlias = Callable[[Tensor, Tensor, Tensor | None], Tensor]

# What a standard deviation is at least: far below that of a batch's scores, far above their rounding errors.
_SMALLEST_STD = 1e-4


def plcc_loss(pred: Tensor, target: Tensor, weights: Tensor | None = None) -> Tensor:
    """Correlation loss: the distance from the target in anything but offset and scale.

    With p and y the standardised predictions and target (biased standard deviations) and r = mean(p * y) their
    correlation, it is the mean of mean((p - y)^2) / 4 and mean((r * p - y)^2) / 4, which is (1 - r)(3 + r) / 8: 0 for
    r = 1, 0.375 for r = 0, 0.5 for r = -1.

    Standard deviations s are taken as sqrt(s^2 + 1e-4^2), so that this is differentiable everywhere. Affine changes of
    the predictions with positive slope change nothing as long as s is well above 1e-4; the gradient grows as the
    predictions shrink, up to where s is 1e-4.

    =====================  ======  ========================================================
    Input                  Value   Gradient
    =====================  ======  ========================================================
    constant predictions   0.25    towards the order of the target
    constant target        0.125   about 0: nothing to learn
    both, or one video     0       0
    =====================  ======  ========================================================

    Args:
        pred: (B,) predictions, float. Half precision is computed in float32.
        target: (B,) what they should correlate with.
        weights: (B,) of each video in all means, positive; None: all alike.

    Returns:
        Scalar in [0, 0.5], of the predictions' dtype but at least float32.

    Raises:
        ValueError: The two are not 1-D and of one length of at least 1.
    """
    pred, target = _pair(pred, target)
    p, y = _standardized(pred, weights), _standardized(target, weights)
    r = _mean(p * y, weights)
    return (_mean((p - y).square(), weights) / 4 + _mean((r * p - y).square(), weights) / 4) / 2


def rank_loss(pred: Tensor, target: Tensor, weights: Tensor | None = None) -> Tensor:
    """Ranking loss: the distance between predictions of pairs that are in the wrong order.

    With v_ij = relu((p_i - p_j) * sign(y_j - y_i)), it is the mean of v over the B * (B - 1) ordered pairs of different
    videos, divided by 1 + max(v). Pairs with equal targets do not count against it, whatever their predictions.

    The gradient goes through the maximum too, as in the official code: this is the gradient of the value returned.
    Where predictions are far apart compared to 1, the loss is then about that of v / max(v), so that it cannot be
    lowered by shrinking all of them; the price is that the worst pair alone may be driven further apart, if that
    makes the others look small. The correlation loss beside it prevents that.

    Args:
        pred: (B,) predictions, float. Half precision is computed in float32.
        target: (B,) values that give the right order.
        weights: (B,) of each video, positive; a pair weighs as much as the product of its two. None: all alike.

    Returns:
        Scalar in [0, 1), of the predictions' dtype but at least float32; 0 (and no gradient) for the right order, for
        predictions or a target that are constant, and for one video.

    Raises:
        ValueError: The two are not 1-D and of one length of at least 1.
    """
    pred, target = _pair(pred, target)
    violations = functional.relu((pred[:, None] - pred) * torch.sign(target - target[:, None]))
    if weights is None:
        pairs = max(len(pred) * (len(pred) - 1), 1)
        return violations.sum() / pairs / (1 + violations.max())
    shares = weights[:, None] * weights * (1 - torch.eye(len(pred), device=pred.device))
    total = shares.sum().clamp(min=torch.finfo(pred.dtype).tiny)
    return (violations * shares).sum() / total / (1 + violations.max())


def mse_loss(pred: Tensor, target: Tensor, weights: Tensor | None = None) -> Tensor:
    """Mean squared error between predictions and target, both as they are.

    Args:
        pred: (B,) predictions, float. Half precision is computed in float32.
        target: (B,) what they should be.
        weights: (B,) of each video in the mean, positive; None: all alike.

    Returns:
        Scalar of at least 0, of the predictions' dtype but at least float32.

    Raises:
        ValueError: The two are not 1-D and of one length of at least 1.
    """
    pred, target = _pair(pred, target)
    return _mean((pred - target).square(), weights)


class QualityLoss(nn.Module):
    """The sum of the losses, each times a factor, of the branches' scores against the MOS or a rating of their own.

    The loss is the sum over scores s and terms t of ``scores[s]`` * factor of t * t(prediction of s, MOS). The defaults
    are the published ones: every branch by itself follows the MOS, and their sum, ``overall``, is not looked at.

    Args:
        plcc: Factor of :func:`plcc_loss`.
        rank: Factor of :func:`rank_loss`.
        mse: Factor of :func:`mse_loss`.
        scores: Factor of each score by name, one of :data:`cover.scores.SCORES`; 0 for those not named.
        within: Share of each term, from 0 to 1, that compares videos of one content only: the mean over contents, each
            by its videos. The rest compares all videos of a batch.

    Raises:
        ValueError: A name is unknown, a factor is negative or not finite, ``within`` is no share, or nothing is left to
            minimise.
    """

    def __init__(
        self,
        plcc: float = 1.0,
        rank: float = 0.3,
        mse: float = 0.0,
        scores: Mapping[str, float] | None = None,
        within: float = 0.0,
    ) -> None:
        super().__init__()
        if not 0 <= within <= 1:
            raise ValueError(f"within={within}: takes a share from 0 to 1")
        self.within = within
        terms = {"plcc": plcc, "rank": rank, "mse": mse}
        scores = dict.fromkeys(BRANCHES, 1.0) if scores is None else scores
        for name in scores:
            if name not in SCORES:
                raise ValueError(f"scores.{name}: there is no such score; use {', '.join(SCORES)}")
        self.terms = _positive(terms, "")
        self.scores = _positive(scores, "scores.")
        if not self.terms:
            raise ValueError("plcc, rank and mse are all 0: no loss is left")
        if not self.scores:
            raise ValueError(f"scores are all 0: give one of {', '.join(SCORES)} a factor")

    def forward(
        self,
        pred: Mapping[str, Tensor],
        target: Tensor,
        own: Mapping[str, Tensor] | None = None,
        contents: Tensor | None = None,
        weights: Tensor | None = None,
    ) -> dict[str, Tensor]:
        """Compare scores with the MOS.

        Args:
            pred: Score -> (B,) predictions, as :func:`cover.models.branch_scores` returns them. Only those with a
                factor are read.
            target: (B,) MOS. Correlation and ranking do not depend on its scale; the squared error takes it as it is
                and is meant for MOS standardised over the training set (not over the batch).
            own: Score -> (B,) ratings of that score alone, which stand in for the MOS; None or empty without any.
            contents: (B,) number of the content of each video, for ``within``; None: all are one.
            weights: (B,) of each video, positive; None: all alike.

        Returns:
            ``loss``, the scalar to minimise, and every term that has a factor by name (``plcc/technical``), without it
            and without gradient, for the log.

        Raises:
            ValueError: A score and the MOS are not 1-D and of one length of at least 1.
        """
        targets = {**dict.fromkeys(self.scores, target), **(own or {})}
        values = {
            (term, score): self._compared(_LOSSES[term], pred[score], targets[score], contents, weights)
            for score in self.scores
            for term in self.terms
        }
        weighted = [self.scores[score] * self.terms[term] * value for (term, score), value in values.items()]
        parts = {f"{term}/{score}": value.detach() for (term, score), value in values.items()}
        return {"loss": torch.stack(weighted).sum(), **parts}

    def _compared(
        self, loss: _Loss, pred: Tensor, target: Tensor, contents: Tensor | None, weights: Tensor | None
    ) -> Tensor:
        """A loss over all videos, or over those of each content, or of both their shares."""
        if contents is None or self.within == 0:
            return loss(pred, target, weights)
        parts = []
        for content in contents.unique():
            mine = contents == content
            some = None if weights is None else weights[mine]
            parts.append(mine.float().mean() * loss(pred[mine], target[mine], some))
        within = torch.stack(parts).sum()
        return within if self.within == 1 else self.within * within + (1 - self.within) * loss(pred, target, weights)


_LOSSES: dict[str, _Loss] = {"plcc": plcc_loss, "rank": rank_loss, "mse": mse_loss}


def _positive(factors: Mapping[str, float], prefix: str) -> dict[str, float]:
    for name, factor in factors.items():
        if not (math.isfinite(factor) and factor >= 0):
            raise ValueError(f"{prefix}{name}={factor}: a factor is a finite number of at least 0")
    return {name: float(factor) for name, factor in factors.items() if factor > 0}


def _pair(pred: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
    """Both in the predictions' precision, which is at least float32."""
    if pred.ndim != 1 or pred.shape != target.shape or len(pred) == 0:
        raise ValueError(
            f"predictions {tuple(pred.shape)} and MOS {tuple(target.shape)} must be 1-D and of one length of at least 1"
        )
    if pred.dtype != torch.float64:
        pred = pred.float()
    return pred, target.to(pred.dtype)


def _mean(values: Tensor, weights: Tensor | None) -> Tensor:
    return values.mean() if weights is None else (weights * values).sum() / weights.sum()


def _standardized(values: Tensor, weights: Tensor | None) -> Tensor:
    centred = values - _mean(values, weights)
    return centred / (_mean(centred.square(), weights) + _SMALLEST_STD**2).sqrt()
