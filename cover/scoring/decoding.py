"""Decoding in processes that can be killed, so that no video stops a batch. Imports no torch: it starts before torch.

``torch.utils.data`` workers would not do: one that hangs or crashes ends the run.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from pebble import ProcessPool

from cover.errors import VideoError
from cover.processes import available_cpus, completed, failure_reason
from cover.rows import Failure, Row
from cover.video import LoadedViews, RawFormat, ViewSpec, load_views, read_sampling

Decoded = tuple[Row, LoadedViews | Failure]


@dataclass(frozen=True)
class Decoder:
    """Decode videos into views, in processes of their own.

    A video that takes longer than ``timeout`` seconds, or that brings its process down, becomes a
    :class:`~cover.rows.Failure`, and a fresh process goes on with the next one.

    Args:
        workers: Decoding processes; 0 decodes in this one, where nothing can be stopped.
        timeout: Seconds a video may take.
        raw: Size and format of headerless ``.yuv`` files.
        stream: Number of the video stream to decode, from 0; None for the longest, of those the largest.
        fps: Frame rate of folders of frames.
    """

    workers: int = 1
    timeout: float = 300
    raw: RawFormat | None = None
    stream: int | None = None
    fps: float | None = None

    def views(
        self, rows: Iterable[Row], spec: ViewSpec, *, replay: Path | None = None, in_order: bool = False
    ) -> AbstractContextManager[Iterator[Decoded]]:
        """Decode every row, ahead of what is asked for.

        Args:
            rows: The videos.
            spec: The views to make.
            replay: A folder with ``<file name>.npz`` for each video: recorded samplings to use.
            in_order: Whether to yield in the order of the rows; else as videos finish.

        Returns:
            A block in which decoding goes on. It gives an iterator over the rows, each with its views, or with why it
            has none.
        """
        if self.workers == 0:
            return self._here(rows, spec, replay)
        return self._in_processes(rows, spec, replay, in_order)

    @contextmanager
    def _in_processes(
        self, rows: Iterable[Row], spec: ViewSpec, replay: Path | None, in_order: bool
    ) -> Iterator[Iterator[Decoded]]:
        threads = max(1, available_cpus() // self.workers)
        schedule = partial(self._schedule, spec=spec, replay=replay, threads=threads)
        with completed(schedule, rows, self.workers, in_order=in_order) as done:
            yield ((row, self._outcome(row, future)) for row, future in done)

    @contextmanager
    def _here(self, rows: Iterable[Row], spec: ViewSpec, replay: Path | None) -> Iterator[Iterator[Decoded]]:
        yield ((row, self._outcome(row, self._load(row, spec, replay))) for row in rows)

    def _schedule(
        self, pool: ProcessPool, row: Row, spec: ViewSpec, replay: Path | None, threads: int
    ) -> "Future[LoadedViews]":
        try:
            recorded = None if replay is None else read_sampling(_recorded(replay, row))
        except VideoError as error:
            failed: Future[LoadedViews] = Future()
            failed.set_exception(error)
            return failed
        options = {"replay": recorded, "threads": threads, **self._reading}
        return pool.schedule(load_views, (row.path, spec), options, timeout=self.timeout)

    def _load(self, row: Row, spec: ViewSpec, replay: Path | None) -> "Future[LoadedViews]":
        future: Future[LoadedViews] = Future()
        try:
            recorded = None if replay is None else read_sampling(_recorded(replay, row))
            future.set_result(load_views(row.path, spec, replay=recorded, **self._reading))
        except Exception as error:  # noqa: BLE001 - whatever it is, it costs this video only, as in a process
            future.set_exception(error)
        return future

    @property
    def _reading(self) -> dict[str, Any]:
        return {"raw": self.raw, "stream": self.stream, "fps": self.fps}

    def _outcome(self, row: Row, future: "Future[LoadedViews]") -> LoadedViews | Failure:
        error = future.exception()
        if error is None:
            return future.result()
        limit = f"{self.timeout:g} s (decode.timeout)"
        reason = failure_reason(error, doing="decoding", worker="decoder", limit=limit)
        return Failure(row, reason.removeprefix(f"{row.path}: "))


@dataclass(frozen=True)
class Batch:
    """Videos whose views have one shape, or a video that cannot be decoded.

    Attributes:
        rows: The B videos.
        loaded: The views of each.
        failures: Videos that cannot be decoded.
    """

    rows: Sequence[Row] = ()
    loaded: Sequence[LoadedViews] = ()
    failures: Sequence[Failure] = field(default_factory=list)


def batches(decoded: Iterable[Decoded], size: int) -> Iterator[Batch]:
    """Group decoded videos by the shape of their views.

    Args:
        decoded: What :meth:`Decoder.views` gives.
        size: Videos a batch at most.

    Yields:
        Batches as they fill, failures at once, in the end what filled no batch.
    """
    waiting: dict[tuple[tuple[int, ...], ...], list[tuple[Row, LoadedViews]]] = defaultdict(list)
    for row, outcome in decoded:
        if isinstance(outcome, Failure):
            yield Batch(failures=[outcome])
            continue
        shape = tuple(view.shape for view in outcome.views[0].values())
        waiting[shape].append((row, outcome))
        if len(waiting[shape]) == size:
            yield _batch(waiting.pop(shape))
    yield from map(_batch, waiting.values())


def _batch(group: Sequence[tuple[Row, LoadedViews]]) -> Batch:
    return Batch([row for row, _ in group], [loaded for _, loaded in group])


def _recorded(replay: Path, row: Row) -> Path:
    return replay / f"{row.path.name}.npz"
