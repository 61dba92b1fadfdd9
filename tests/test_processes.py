import multiprocessing
import os
import time
from concurrent.futures import Future
from pathlib import Path

import pytest

from cover import processes
from cover.processes import completed


@pytest.mark.slow
def test_a_lock_that_an_interruption_left_held_does_not_keep_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    """A signal's exception may come between a lock and its release; the pool's threads then never end by themselves."""
    monkeypatch.setattr(processes, "_PATIENCE", 1.0)
    monkeypatch.setattr(processes, "_TERMINATION", 0.0)
    futures: list[Future[int]] = []

    def schedule(pool: "processes.ProcessPool", item: int) -> "Future[int]":
        futures.append(pool.schedule(os.getpid))
        return futures[-1]

    def interrupted() -> None:
        with completed(schedule, [[1]], workers=1):
            futures[0]._condition.acquire()
            time.sleep(3)  # the worker has answered, and whoever takes the answer waits for the lock
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    ended = [child for child in multiprocessing.active_children() if child.name == "pebble_pool_worker"]
    for child in ended:
        child.join(5)
    assert not any(child.is_alive() for child in ended)


def test_processes_are_gone_when_the_block_is_left(tmp_path: Path) -> None:
    with completed(lambda pool, item: pool.schedule(os.getpid), [range(3)], workers=1) as done:
        pids = {future.result() for _, future in done}
    assert pids
    assert not any(Path(f"/proc/{pid}").exists() for pid in pids)
