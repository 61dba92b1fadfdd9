"""Scoring on one device: a plain loop over batches, without Lightning."""

from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

import torch

from cover.decoding.batches import Batch
from cover.errors import UsageError
from cover.models import COVER
from cover.rows import Failure, Row
from cover.scores import VideoScore
from cover.scoring.scorer import Scorer

ScoredRow = tuple[Row, VideoScore | Failure]

_AUTOCAST = {"16-mixed": torch.float16, "bf16-mixed": torch.bfloat16}


def device_of(accelerator: str) -> torch.device:
    """Choose the device that an accelerator stands for.

    Args:
        accelerator: As Lightning names it: ``auto`` (a GPU where there is one), ``cpu``, ``gpu``, ``cuda`` or ``mps``.

    Raises:
        UsageError: There is no such device here.
    """
    gpus = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if accelerator in ("auto", "gpu"):
        name_found = next((name for name, there in gpus.items() if there), "cpu" if accelerator == "auto" else None)
    else:
        name_found = accelerator if gpus.get(accelerator, accelerator == "cpu") else None
    if name_found is None:
        raise UsageError(f"trainer.accelerator={accelerator}: there is no such device here; use trainer=cpu")
    return torch.device(name_found)


@dataclass(frozen=True)
class LocalEngine:
    """Score batches on one device.

    Args:
        device: Where the model runs.
        precision: ``32-true``, ``16-mixed`` or ``bf16-mixed``, as Lightning names them.
    """

    device: torch.device
    precision: str = "32-true"

    def place(self, model: COVER) -> COVER:
        """Move a model to the device, ready to score."""
        return model.to(self.device).eval()

    def run(self, scorer: Scorer, batches: Iterable[Batch], *, thumbnails: bool = False) -> Iterator[ScoredRow]:
        """Score every batch.

        Args:
            scorer: With a model that :meth:`place` has moved.
            batches: Decoded videos.
            thumbnails: Whether to keep small pictures of the frames looked at.

        Yields:
            Each video with its score, or with why it has none.
        """
        for batch in batches:
            with self._autocast():
                scored = outcomes(scorer, batch, thumbnails=thumbnails)
            yield from scored

    def _autocast(self) -> AbstractContextManager[object]:
        dtype = _AUTOCAST.get(self.precision)
        return nullcontext() if dtype is None else torch.autocast(self.device.type, dtype)


def outcomes(scorer: Scorer, batch: Batch, *, thumbnails: bool = False) -> list[ScoredRow]:
    """Score a batch: each video with its score, or with why it has none."""
    scored: list[ScoredRow] = [(failure.row, failure) for failure in batch.failures]
    if batch.rows:
        for row, score in zip(batch.rows, scorer.score_batch(batch.loaded, thumbnails=thumbnails), strict=True):
            scored.append((row, score if isinstance(score, VideoScore) else Failure(row, str(score))))
    return scored
