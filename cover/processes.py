"""Work in processes that may hang or crash without harm to the rest. Imports nothing heavy: workers start with it."""

import multiprocessing
import os
import signal
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import FIRST_COMPLETED, Future, wait
from typing import TypeVar

from pebble import ProcessPool

T = TypeVar("T")
R = TypeVar("R")


def available_cpus() -> int:
    """CPU cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def completed(
    schedule: "Callable[[ProcessPool, T], Future[R]]", todo: Iterable[T], workers: int, *, in_order: bool = False
) -> "Generator[tuple[T, Future[R]], None, None]":
    """Does every item in a pool of processes, ahead of what is asked for.

    Args:
        schedule: Gives the pool the work for an item.
        todo: The items.
        workers: Processes.
        in_order: Whether to yield in the order of the items; else as they finish.

    Yields:
        Each item with its result or exception, once it is there.
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
    try:
        while True:
            # Two items ahead keep the workers busy and bound the memory that waiting results take.
            while len(running) < workers + 2 and (item := next(waiting, None)) is not None:
                running[schedule(pool, item)] = item
            if not running:
                break
            awaited = [next(iter(running))] if in_order else running
            for future in wait(awaited, return_when=FIRST_COMPLETED).done:
                yield running.pop(future), future
    finally:
        pool.stop()
        pool.join()
