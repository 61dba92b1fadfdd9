"""Work in processes that may hang or crash without harm to the rest. Imports nothing heavy: workers start with it."""

import logging
import multiprocessing
import os
import signal
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, TimeoutError, wait  # noqa: A004 - an alias only from 3.11 on
from contextlib import contextmanager
from typing import Generic, TypeVar

from pebble import ProcessExpired, ProcessPool

from cover.errors import VideoError

log = logging.getLogger(__name__)

T = TypeVar("T")
R = TypeVar("R")

_WORKER = "pebble_pool_worker"  # as pebble names its processes
_PATIENCE = 5.0  # seconds a pool has to stop
_TERMINATION = 4.0  # further ones for each process: the pool gives it three before it kills it


def available_cpus() -> int:
    """Count the CPU cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class Work(Generic[T, R]):
    """Runs of items in processes: those of one run are done by one process, one after the other.

    So a process can go on with what it has open. Iterating gives each item with its future, once that is done.

    Args:
        schedule: Gives a pool of one process the work for an item.
        runs: The runs.
        pools: Pools of one process.
        in_order: Whether to yield in the order in which items are begun; else as they finish.
    """

    def __init__(
        self,
        schedule: "Callable[[ProcessPool, T], Future[R]]",
        runs: Iterable[Sequence[T]],
        pools: Sequence[ProcessPool],
        *,
        in_order: bool,
    ) -> None:
        self._schedule = schedule
        self._waiting = iter(runs)
        self._next: deque[Sequence[T]] = deque()
        self._lanes: list[_Lane[T]] = [_Lane(pool) for pool in pools]
        self._running: dict[Future[R], tuple[T, _Lane[T]]] = {}
        self._in_order = in_order

    def push(self, runs: Iterable[Sequence[T]]) -> None:
        """Add runs, to be done before those that wait."""
        self._next.extendleft(reversed(list(runs)))

    def schedule_more(self) -> None:
        """Give processes work, ahead of what is asked for."""
        # Two items ahead keep the workers busy and bound the memory that waiting results take.
        while len(self._running) < len(self._lanes) + 2:
            lanes = sorted(self._lanes, key=lambda lane: lane.running)
            lane = next((lane for lane in lanes if lane.run or self._begin(lane)), None)
            if lane is None:
                return
            item = lane.run.popleft()
            lane.running += 1
            self._running[self._schedule(lane.pool, item)] = item, lane

    def _begin(self, lane: "_Lane[T]") -> bool:
        """Give a process the next run that holds an item; tells whether there is one."""
        while not lane.run:
            run = self._next.popleft() if self._next else next(self._waiting, None)
            if run is None:
                return False
            lane.run.extend(run)
        return True

    def __iter__(self) -> "Iterator[tuple[T, Future[R]]]":
        self.schedule_more()
        while self._running:
            awaited = [next(iter(self._running))] if self._in_order else self._running
            done = wait(awaited, return_when=FIRST_COMPLETED).done
            for future in [future for future in self._running if future in done]:
                item, lane = self._running.pop(future)
                lane.running -= 1
                yield item, future
            self.schedule_more()


class WorkHere(Generic[T, R]):
    """The same without processes: items are done when they are asked for.

    Args:
        schedule: Does the work for an item.
        runs: The runs.
    """

    def __init__(self, schedule: "Callable[[T], Future[R]]", runs: Iterable[Sequence[T]]) -> None:
        self._schedule = schedule
        self._waiting = iter(runs)
        self._next: deque[Sequence[T]] = deque()

    def push(self, runs: Iterable[Sequence[T]]) -> None:
        """Add runs, to be done before those that wait."""
        self._next.extendleft(reversed(list(runs)))

    def __iter__(self) -> "Iterator[tuple[T, Future[R]]]":
        while (run := self._next.popleft() if self._next else next(self._waiting, None)) is not None:
            for item in run:
                yield item, self._schedule(item)


class _Lane(Generic[T]):
    """A process, the rest of the run that it is at, and how many items it was given and are not taken."""

    def __init__(self, pool: ProcessPool) -> None:
        self.pool = pool
        self.run: deque[T] = deque()
        self.running = 0


@contextmanager
def completed(
    schedule: "Callable[[ProcessPool, T], Future[R]]",
    runs: Iterable[Sequence[T]],
    workers: int,
    *,
    in_order: bool = False,
) -> "Iterator[Work[T, R]]":
    """Do every item in processes, ahead of what is asked for.

    The work starts when the block is entered, and its processes are gone when it is left.

    Args:
        schedule: Gives a pool of one process the work for an item.
        runs: The items; those of one run are done by one process, one after the other.
        workers: Processes.
        in_order: Whether to yield in the order in which items are begun; else as they finish.

    Yields:
        The work: an iterator over the items, each with its result or exception, once it is there.
    """
    # "spawn": a fork of a process in which torch has started threads may never come back. Ctrl-C is for the main
    # process, which then stops the workers.
    pools = [
        ProcessPool(
            max_workers=1,
            initializer=signal.signal,
            initargs=(signal.SIGINT, signal.SIG_IGN),
            context=multiprocessing.get_context("spawn"),
        )
        for _ in range(workers)
    ]
    work = Work(schedule, runs, pools, in_order=in_order)
    try:
        work.schedule_more()
        yield work
    finally:
        _end(pools, patience=_PATIENCE + _TERMINATION * workers)


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
    if isinstance(error, MemoryError):
        return f"out of memory while {doing}"
    log.error("unexpected error while %s", doing, exc_info=error)
    return f"unexpected {type(error).__name__}: {error}".splitlines()[0]
