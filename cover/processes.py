"""Work in processes that may hang or crash without harm to the rest. Imports nothing heavy: workers start with it."""

import logging
import multiprocessing
import os
import signal
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, Future, TimeoutError, wait  # noqa: A004 - an alias only from 3.11 on
from contextlib import contextmanager
from multiprocessing.context import SpawnContext, SpawnProcess
from types import ModuleType
from typing import Any, Generic, TypeVar

from pebble import ProcessExpired, ProcessPool

from cover.errors import VideoError, is_full_disk

log = logging.getLogger(__name__)

T = TypeVar("T")
R = TypeVar("R")

_HAS_MASK = hasattr(signal, "pthread_sigmask")  # Windows has none
_WORKER = "pebble_pool_worker"  # as pebble names its processes
_PATIENCE = 5.0  # seconds a pool has to stop
_TERMINATION = 4.0  # further ones for each process: the pool gives it three before it kills it


def available_cpus() -> int:
    """Count the CPU cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class _Queue(Generic[T]):
    """Runs that wait, those that were pushed before the others."""

    def __init__(self, groups: Iterable[Sequence[T]]) -> None:
        self._waiting = iter(groups)
        self._pushed: deque[Sequence[T]] = deque()

    def push(self, groups: Iterable[Sequence[T]]) -> None:
        self._pushed.extendleft(reversed(list(groups)))

    def take(self) -> Sequence[T] | None:
        """The next group; None after the last."""
        return self._pushed.popleft() if self._pushed else next(self._waiting, None)


class Work(Generic[T, R]):
    """Groups of items in processes: those of one group are done by one process, one after the other.

    So a process can continue with its open video. Iterating gives each item with its future, once that is done.

    Args:
        schedule: Gives a pool of one process the work for an item.
        groups: The groups.
        workers: Processes.
        in_order: Whether to yield in the order in which items are begun; else as they finish.
    """

    def __init__(
        self,
        schedule: "Callable[[ProcessPool, T], Future[R]]",
        groups: Iterable[Sequence[T]],
        workers: int,
        *,
        in_order: bool,
    ) -> None:
        self._schedule = schedule
        self._queue = _Queue(groups)
        self._lanes: list[_Lane[T, R]] = [_Lane() for _ in range(workers)]
        self._given: dict[Future[R], tuple[T, _Lane[T, R]]] = {}  # in the order in which they were begun
        self._in_order = in_order
        self._lock = threading.RLock()
        self.closed = False

    @property
    def pools(self) -> list[ProcessPool]:
        """All pools so far."""
        return [pool for lane in self._lanes for pool in lane.pools]

    def push(self, groups: Iterable[Sequence[T]]) -> None:
        """Add groups, to be done before those that wait."""
        with self._lock:
            self._queue.push(groups)

    def schedule_more(self) -> None:
        """Give work to processes that have none, ahead of what is asked for."""
        with self._lock:
            # Two results ahead keep the processes busy and bound the memory that waiting ones take.
            for lane in self._lanes:
                if self.closed or len(self._given) >= len(self._lanes) + 2:
                    return
                if lane.future is None or lane.future.done():
                    self._go_on(lane)

    def _go_on(self, lane: "_Lane[T, R]") -> None:
        """Give a process its next item, if there is one."""
        while not lane.group:
            group = self._queue.take()
            if group is None:
                return
            lane.group.extend(group)
        item = lane.group.popleft()
        try:
            self._give(lane, item)
        except RuntimeError:  # the process ended between two items, which takes the pool with it
            self._give(lane, item, new=True)

    def _give(self, lane: "_Lane[T, R]", item: T, *, new: bool = False) -> None:
        lane.future = self._schedule(lane.pool(new=new), item)
        self._given[lane.future] = item, lane
        # As soon as it is done, whatever the main thread is at: a model may take longer than decoding.
        lane.future.add_done_callback(lambda _: self.schedule_more())

    def __iter__(self) -> "Iterator[tuple[T, Future[R]]]":
        self.schedule_more()
        while self._given:
            with self._lock:
                awaited = list(self._given)[: 1 if self._in_order else None]
            done = wait(awaited, return_when=FIRST_COMPLETED).done
            for future in [future for future in awaited if future in done]:
                with self._lock:
                    item, lane = self._given.pop(future)
                    # The process had ended before it came to the item: a new one begins it, once.
                    again = isinstance(future.exception(), BrokenExecutor) and item is not lane.again
                    if again:
                        lane.again, later = item, self._given
                        self._given = {}
                        try:
                            self._give(lane, item, new=True)
                        finally:
                            self._given |= later  # which were begun after it
                if not again:
                    self.schedule_more()
                    yield item, future
            self.schedule_more()


class _SpawnedProcess(SpawnProcess):
    """A fresh process that does not import the main module, so that a script needs no ``__main__`` guard."""

    @staticmethod
    def _Popen(process_obj: Any) -> Any:  # noqa: N802 - multiprocessing's name
        main = sys.modules["__main__"]
        sys.modules["__main__"] = ModuleType("__main__")  # without a file or a spec, there is nothing to import
        # A process inherits the signals that are blocked: Ctrl-C is for the main process also while one starts.
        blocked = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT}) if _HAS_MASK else set()
        try:
            return SpawnProcess._Popen(process_obj)
        finally:
            if _HAS_MASK:
                signal.pthread_sigmask(signal.SIG_SETMASK, blocked)
            sys.modules["__main__"] = main


class _SpawnContext(SpawnContext):
    Process = _SpawnedProcess


class _Lane(Generic[T, R]):
    """A pool of one process, what that is at, and the rest of its group."""

    def __init__(self) -> None:
        self.pools: list[ProcessPool] = []
        self.group: deque[T] = deque()
        self.future: Future[R] | None = None
        self.again: T | None = None

    def pool(self, *, new: bool = False) -> ProcessPool:
        """Give the pool; a new one if that is asked for or no pool is running."""
        if new or not self.pools:
            # "spawn": a fork of a process in which torch has started threads may never come back. Ctrl-C is for the
            # main process, which then stops the workers.
            self.pools.append(
                ProcessPool(
                    max_workers=1,
                    initializer=signal.signal,
                    initargs=(signal.SIGINT, signal.SIG_IGN),
                    context=_SpawnContext(),
                )
            )
        return self.pools[-1]


class WorkHere(Generic[T, R]):
    """The same without processes: items are done when they are asked for.

    Args:
        schedule: Does the work for an item.
        groups: The groups.
    """

    def __init__(self, schedule: "Callable[[T], Future[R]]", groups: Iterable[Sequence[T]]) -> None:
        self._schedule = schedule
        self._queue = _Queue(groups)

    def push(self, groups: Iterable[Sequence[T]]) -> None:
        """Add groups, to be done before those that wait."""
        self._queue.push(groups)

    def __iter__(self) -> "Iterator[tuple[T, Future[R]]]":
        while (group := self._queue.take()) is not None:
            for item in group:
                yield item, self._schedule(item)


@contextmanager
def completed(
    schedule: "Callable[[ProcessPool, T], Future[R]]",
    groups: Iterable[Sequence[T]],
    workers: int,
    *,
    in_order: bool = False,
) -> "Iterator[Work[T, R]]":
    """Do every item in processes, ahead of what is asked for.

    The work starts when the block is entered, and its processes are gone when it is left.

    Args:
        schedule: Gives a pool of one process the work for an item.
        groups: The items; those of one group are done by one process, one after the other.
        workers: Processes.
        in_order: Whether to yield in the order in which items are begun; else as they finish.

    Yields:
        The work: an iterator over the items, each with its result or exception, once it is there.
    """
    work = Work(schedule, groups, workers, in_order=in_order)
    try:
        work.schedule_more()
        yield work
    finally:
        work.closed = True
        _end(work.pools, patience=_PATIENCE + _TERMINATION * workers)


def _end(pools: Sequence[ProcessPool], patience: float) -> None:
    """Stop pools and wait until their processes are gone; kill those that are not in so many seconds.

    An exception that a signal raised may have come between a lock and its release. A pool's threads then wait for it
    for ever, and so would whoever waits for them.
    """
    joining = [threading.Thread(target=_stop, args=(pool,), daemon=True) for pool in pools]
    for thread in joining:
        thread.start()
    deadline = time.monotonic() + patience
    for thread in joining:
        thread.join(max(0.0, deadline - time.monotonic()))
    if any(thread.is_alive() for thread in joining):
        for process in multiprocessing.active_children():
            if process.name == _WORKER:
                process.kill()


def _stop(pool: ProcessPool) -> None:
    pool.stop()
    pool.join()


def failure_reason(error: BaseException, *, doing: str, worker: str, limit: str) -> str:
    """Say in a line why work in a process came to nothing; what nobody expected is logged with its trace.

    Args:
        error: What its future raised.
        doing: The work, such as ``decoding``.
        worker: Who did it, such as ``decoder``.
        limit: The time it had, and the option that sets that.
    """
    if isinstance(error, VideoError):
        return str(error)
    if isinstance(error, TimeoutError):
        return f"{doing} took longer than {limit}"
    if isinstance(error, ProcessExpired):
        return f"the {worker} crashed (exit code {error.exitcode})"
    if is_full_disk(error):
        return f"no room for temporary files while {doing}: make room, or set TMPDIR to a folder on another disk"
    if isinstance(error, MemoryError):
        return f"out of memory while {doing}"
    log.error("unexpected error while %s", doing, exc_info=error)
    return f"unexpected {type(error).__name__}: {error}".splitlines()[0]
