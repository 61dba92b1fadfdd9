"""Work in processes that may hang or crash without harm to the rest. Imports nothing heavy: workers start with it."""

import logging
import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, TimeoutError, wait  # noqa: A004 - an alias only from 3.11 on
from contextlib import contextmanager
from typing import TypeVar

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


@contextmanager
def completed(
    schedule: "Callable[[ProcessPool, T], Future[R]]", todo: Iterable[T], workers: int, *, in_order: bool = False
) -> "Iterator[Iterator[tuple[T, Future[R]]]]":
    """Do every item in a pool of processes, ahead of what is asked for.

    The work starts when the block is entered, and its processes are gone when it is left.

    Args:
        schedule: Gives the pool the work for an item.
        todo: The items.
        workers: Processes.
        in_order: Whether to yield in the order of the items; else as they finish.

    Yields:
        An iterator over the items, each with its result or exception, once it is there.
    """
    # "spawn": a fork of a process in which torch has started threads may never come back. Ctrl-C is for the main
    # process, which then stops the workers.
    pool = ProcessPool(
        max_workers=workers,
        initializer=signal.signal,
        initargs=(signal.SIGINT, signal.SIG_IGN),
        context=multiprocessing.get_context("spawn"),
    )
    waiting = iter(todo)
    running: dict[Future[R], T] = {}

    def schedule_more() -> None:
        # Two items ahead keep the workers busy and bound the memory that waiting results take.
        while len(running) < workers + 2 and (item := next(waiting, None)) is not None:
            running[schedule(pool, item)] = item

    def results() -> Iterator[tuple[T, Future[R]]]:
        while running:
            awaited = [next(iter(running))] if in_order else running
            for future in wait(awaited, return_when=FIRST_COMPLETED).done:
                yield running.pop(future), future
            schedule_more()

    try:
        schedule_more()
        yield results()
    finally:
        _end(pool, patience=_PATIENCE + _TERMINATION * workers)


def _end(pool: ProcessPool, patience: float) -> None:
    """Stop a pool and wait until its processes are gone; kill those that are not in so many seconds.

    An exception that a signal raised may have come between a lock and its release. The pool's threads then wait for
    it for ever, and so would whoever waits for them.
    """
    pool.stop()
    joining = threading.Thread(target=pool.join, daemon=True)
    joining.start()
    joining.join(patience)
    if joining.is_alive():
        for process in multiprocessing.active_children():
            if process.name == _WORKER:
                process.kill()


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
