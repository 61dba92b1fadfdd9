"""From rows to batches of views: decoding runs in processes that can be killed, so that no file stops a batch."""

import logging
from collections import defaultdict
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import Future, TimeoutError  # noqa: A004 - an alias only from 3.11 on
from contextlib import closing
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import lightning
import torch
from pebble import ProcessExpired, ProcessPool
from torch import Tensor
from torch.utils.data import DataLoader, IterableDataset

from cover.errors import VideoError
from cover.processes import available_cpus, completed
from cover.rows import Row
from cover.video import LoadedViews, RawFormat, ViewSpec, load_views, read_draw

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Failure:
    """A file that cannot be scored, and why (one line)."""

    row: Row
    reason: str


@dataclass
class Batch:
    """Videos whose views have one shape, and files that failed while they were decoded.

    Attributes:
        rows: The B videos.
        notes: For each video, what is worth knowing about how it was read.
        views: One mapping a draw: branch -> uint8 (B, 3, T, H, W), RGB.
        failures: Files that cannot be scored.
    """

    rows: list[Row] = field(default_factory=list)
    notes: list[list[str]] = field(default_factory=list)
    views: list[dict[str, Tensor]] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)


@dataclass(frozen=True)
class Decoder:
    """Decodes files into views, in processes that import no torch.

    A file that takes longer than ``timeout`` seconds, or that brings its process down, becomes a :class:`Failure`, and
    a fresh process goes on with the next file; a ``torch.utils.data`` worker cannot be replaced like that.

    Args:
        workers: Decoding processes.
        timeout: Seconds a file may take.
        raw: Size and format of headerless ``.yuv`` files.
    """

    workers: int = 1
    timeout: float = 300
    raw: RawFormat | None = None

    def views(
        self, rows: Sequence[Row], spec: ViewSpec, *, replay: Path | None = None, in_order: bool = False
    ) -> Generator[tuple[Row, LoadedViews | Failure], None, None]:
        """Decodes every row, ahead of what is asked for.

        Args:
            rows: What to decode.
            spec: The views to make.
            replay: A folder with ``<file name>.npz`` for each file: frame numbers and crop shifts to use, not drawn.
            in_order: Whether to yield in the order of the rows; else as files finish.

        Yields:
            Each row with its views, or with why it has none.
        """
        threads = max(1, available_cpus() // self.workers)
        schedule = partial(self._schedule, spec=spec, replay=replay, threads=threads)
        with closing(completed(schedule, rows, self.workers, in_order=in_order)) as done:
            for row, future in done:
                yield row, _outcome(row, future, self.timeout)

    def _schedule(
        self, pool: ProcessPool, row: Row, spec: ViewSpec, replay: Path | None, threads: int
    ) -> "Future[LoadedViews]":
        try:
            recorded = None if replay is None else read_draw(replay / f"{row.path.name}.npz")
        except VideoError as error:
            failed: Future[LoadedViews] = Future()
            failed.set_exception(error)
            return failed
        options = {"replay": recorded, "threads": threads, "raw": self.raw}
        return pool.schedule(load_views, (row.path, spec), options, timeout=self.timeout)


class VideoDataModule(lightning.LightningDataModule):
    """Rows of a dataset, decoded into views. Across ranks each row is decoded exactly once.

    Batches come as files finish, not in the order of the rows.

    Args:
        rows: What to decode.
        spec: The views to make.
        decoder: What decodes them.
        batch_size: Videos a batch at most; only videos whose views have one shape share a batch.
        replay: A folder with ``<file name>.npz`` for each file: frame numbers and crop shifts to use, not drawn.
        wanted: Which of its rows a rank decodes, asked once they are shared out; None: all.
    """

    def __init__(
        self,
        rows: Sequence[Row],
        spec: ViewSpec,
        decoder: Decoder,
        *,
        batch_size: int = 1,
        replay: Path | None = None,
        wanted: Callable[[Row], bool] | None = None,
    ) -> None:
        super().__init__()
        self.rows = rows
        self.spec = spec
        self.decoder = decoder
        self.batch_size = batch_size
        self.replay = replay
        self.wanted = wanted

    def predict_dataloader(self) -> DataLoader:
        """Every row of this rank once."""
        rank, ranks = (self.trainer.global_rank, self.trainer.world_size) if self.trainer else (0, 1)
        share = [row for row in self.rows[rank::ranks] if self.wanted is None or self.wanted(row)]
        return DataLoader(_DecodedBatches(self, share), batch_size=None)

    def transfer_batch_to_device(self, batch: Batch, device: torch.device, dataloader_idx: int) -> Batch:
        """Moves the views, as bytes; the model normalises them on the device."""
        batch.views = super().transfer_batch_to_device(batch.views, device, dataloader_idx)
        return batch


class _DecodedBatches(IterableDataset):
    def __init__(self, source: VideoDataModule, rows: Sequence[Row]) -> None:
        self.source = source
        self.rows = rows

    def __iter__(self) -> Iterator[Batch]:
        waiting: dict[tuple[tuple[int, ...], ...], list[tuple[Row, LoadedViews]]] = defaultdict(list)
        decoded = self.source.decoder.views(self.rows, self.source.spec, replay=self.source.replay)
        for row, outcome in decoded:
            if isinstance(outcome, Failure):
                yield Batch(failures=[outcome])
                continue
            shape = tuple(view.shape for view in outcome.views[0].values())
            waiting[shape].append((row, outcome))
            if len(waiting[shape]) == self.source.batch_size:
                yield _collate(waiting.pop(shape))
        for group in waiting.values():
            yield _collate(group)


def _outcome(row: Row, future: "Future[LoadedViews]", timeout: float) -> LoadedViews | Failure:
    error = future.exception()
    if error is None:
        return future.result()
    if isinstance(error, VideoError):
        return Failure(row, str(error).removeprefix(f"{row.path}: "))
    if isinstance(error, TimeoutError):
        return Failure(row, f"decoding took longer than {timeout:g} s (decode.timeout)")
    if isinstance(error, ProcessExpired):
        return Failure(row, f"the decoder crashed (exit code {error.exitcode})")
    if isinstance(error, MemoryError):
        return Failure(row, "out of memory while decoding")
    log.error("unexpected error while decoding %s", row.path, exc_info=error)
    return Failure(row, f"unexpected {type(error).__name__}: {error}".splitlines()[0])


def _collate(group: list[tuple[Row, LoadedViews]]) -> Batch:
    loaded = [views for _, views in group]
    return Batch(
        rows=[row for row, _ in group],
        notes=[views.notes for views in loaded],
        views=[
            {branch: torch.stack([torch.from_numpy(item[branch]) for item in draws]) for branch in draws[0]}
            for draws in zip(*(views.views for views in loaded), strict=True)
        ],
    )
