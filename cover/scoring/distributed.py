"""Scoring on several devices: Lightning's Trainer, each rank with its share of the videos, through the same scorer."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import lightning
import torch
from lightning.pytorch.callbacks import BasePredictionWriter, Callback
from torch.utils.data import DataLoader, IterableDataset

from cover.decoding.batches import Batch, batches
from cover.decoding.decoder import Decoder, Planned, unheard
from cover.results.store import ResultStore
from cover.rows import Failure, Row
from cover.scoring.local import ScoredRow, outcomes
from cover.scoring.scorer import Scorer
from cover.video import ViewSpec

if TYPE_CHECKING:
    from cover.scoring.run import Progress, ScoringRun


def score_on_devices(run: "ScoringRun", pending: Sequence[Row], planned: Planned, progress: "Progress") -> None:
    """Score rows into the store of a run with Lightning's Trainer.

    Args:
        run: The run.
        pending: The rows to score.
        planned: Told the parts of each video that is cut into parts.
        progress: Counts the rows of rank 0.

    Raises:
        UsageError: The options or weights are wrong.
    """
    trainer = run.make_trainer(
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,  # ours counts videos
        callbacks=[ProgressCallback(progress, len(pending)), ScoreWriter(run.store)],
    )
    data = VideoDataModule(
        pending,
        run.views,
        run.decoder,
        batch_size=run.batch_size,
        replay=run.replay,
        record=run.record,
        planned=planned,
    )
    module = CoverModule(Scorer(run.make_model(), run.views), thumbnails=run.thumbnails)
    trainer.predict(module, datamodule=data, return_predictions=False)


class CoverModule(lightning.LightningModule):
    """A scorer for Lightning's Trainer.

    Args:
        scorer: With a model whose weights are loaded; Lightning moves it to the device.
        thumbnails: Whether to keep small pictures of the frames looked at.
    """

    def __init__(self, scorer: Scorer, *, thumbnails: bool = False) -> None:
        super().__init__()
        self.thumbnails = thumbnails
        self.scorer = scorer
        self.model = scorer.model

    def predict_step(self, batch: Batch, *_: Any) -> list[ScoredRow]:
        """Score a batch: each video with its score, or with why it has none."""
        return outcomes(self.scorer, batch, thumbnails=self.thumbnails)


class VideoDataModule(lightning.LightningDataModule):
    """Decoded batches of a dataset. Across ranks each row is decoded exactly once.

    Batches come as videos finish, not in the order of the rows.

    Args:
        rows: The videos.
        spec: The views to make.
        decoder: Decodes them.
        batch_size: Videos a batch at most; only videos whose views have one shape share a batch.
        replay: A folder with ``<file name>.npz`` for each video: recorded samplings to use.
        record: A folder to record them in.
        wanted: Which of its rows a rank decodes, asked once they are shared out; None: all.
        planned: Told of each video that is cut into parts, on the rank that decodes it.
    """

    def __init__(
        self,
        rows: Sequence[Row],
        spec: ViewSpec,
        decoder: Decoder,
        *,
        batch_size: int = 1,
        replay: Path | None = None,
        record: Path | None = None,
        wanted: Callable[[Row], bool] | None = None,
        planned: Planned = unheard,
    ) -> None:
        super().__init__()
        self.rows = rows
        self.spec = spec
        self.decoder = decoder
        self.batch_size = batch_size
        self.replay = replay
        self.record = record
        self.wanted = wanted
        self.planned = planned

    def predict_dataloader(self) -> DataLoader:
        """Every row of this rank once."""
        rank, ranks = (self.trainer.global_rank, self.trainer.world_size) if self.trainer else (0, 1)
        share = [row for row in shared_out(self.rows, rank, ranks) if self.wanted is None or self.wanted(row)]
        return DataLoader(_DecodedBatches(self, share), batch_size=None)

    def transfer_batch_to_device(self, batch: Batch, device: torch.device, dataloader_idx: int) -> Batch:
        """Leave the views where they are: whoever uses them moves what it needs, as bytes."""
        return batch


def shared_out(rows: Sequence[Row], rank: int, ranks: int) -> Sequence[Row]:
    """Share rows out among ranks in turn; where there are parts, in stretches, so that few ranks decode one film."""
    if not any(row.is_part for row in rows):
        return rows[rank::ranks]
    together: dict[Path, list[Row]] = {}
    for row in rows:
        together.setdefault(row.path, []).append(row)
    every = [row for parts in together.values() for row in parts]
    return every[rank * len(every) // ranks : (rank + 1) * len(every) // ranks]


class _DecodedBatches(IterableDataset):
    def __init__(self, source: VideoDataModule, rows: Sequence[Row]) -> None:
        self.source = source
        self.rows = rows

    def __iter__(self) -> Iterator[Batch]:
        source = self.source
        decoder, spec = source.decoder, source.spec
        with decoder.views(
            self.rows, spec, replay=source.replay, record=source.record, planned=source.planned
        ) as decoded:
            yield from batches(decoded, source.batch_size)


class ScoreWriter(BasePredictionWriter):
    """Hand each outcome to a :class:`~cover.results.store.ResultStore` as soon as it is there."""

    def __init__(self, store: ResultStore) -> None:
        super().__init__(write_interval="batch")
        self.store = store

    def write_on_batch_end(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, prediction: Iterable[ScoredRow], *_: Any
    ) -> None:
        """Record every video of the batch."""
        for row, outcome in prediction:
            self.store.add(row, outcome)

    def on_predict_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Wait for the other ranks, whose last lines the final tables need."""
        trainer.strategy.barrier()


class ProgressCallback(Callback):
    """Show on rank 0 how far prediction has come, with the videos that failed.

    Args:
        progress: The bar, such as :class:`cover.reporting.progress.VideoProgress`, not started.
        total: Videos of this run, over all ranks.
    """

    def __init__(self, progress: Any, total: int) -> None:
        self.progress = progress
        self.total = total

    def on_predict_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Start the bar on rank 0, which has its own share of the videos to show."""
        if trainer.is_global_zero:
            self.progress.start(len(range(0, self.total, trainer.world_size)))

    def on_predict_batch_end(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, outputs: Sequence[Any], *_: Any
    ) -> None:
        """Count the videos of a batch."""
        self.progress.advance(len(outputs), sum(_failed(output) for output in outputs))

    def on_predict_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Stop the bar."""
        self.progress.stop()

    def on_exception(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, _: BaseException) -> None:
        """Stop the bar, so that what is said next starts on a line of its own."""
        self.progress.stop()


def _failed(outcome: ScoredRow) -> bool:
    return isinstance(outcome[1], Failure)
