import multiprocessing
import os
import time
from concurrent.futures import Future
from pathlib import Path

import pytest
from pebble import ProcessExpired

from cover import processes
from cover.processes import completed
from tests.helpers.workers import ending


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


def test_a_run_stays_in_one_process() -> None:
    runs = [[(run, item) for item in range(4)] for run in range(3)]
    with completed(lambda pool, item: pool.schedule(os.getpid), runs, workers=2) as done:
        found = [(item, future.result()) for item, future in done]
    assert sorted(item for item, _ in found) == [item for run in runs for item in run]
    for run in range(3):
        assert [item[1] for item, _ in found if item[0] == run] == [0, 1, 2, 3]
        assert len({pid for item, pid in found if item[0] == run}) == 1


def test_what_follows_from_a_result_comes_before_what_waits() -> None:
    begun: list[str] = []

    def schedule(pool: "processes.ProcessPool", item: str) -> "Future[int]":
        begun.append(item)
        return pool.schedule(os.getpid)

    waiting = iter([["first"], *([f"waiting {number}"] for number in range(20))])
    with completed(schedule, waiting, workers=1) as work:
        for item, _ in work:
            if item == "first":
                work.push([["second", "third"]])
    assert {"second", "third"} < set(begun)
    assert begun.index("third") < 6  # three are under way at most
    assert len(begun) == 23


def test_here_is_as_in_processes() -> None:
    def do(item: int) -> "Future[int]":
        future: Future[int] = Future()
        future.set_result(item * item)
        return future

    work = processes.WorkHere(do, [[1, 2], [], [3]])
    found = []
    for item, future in work:
        found.append((item, future.result()))
        if item == 1:
            work.push([[10]])
    assert found == [(1, 1), (2, 4), (10, 100), (3, 9)]


@pytest.mark.parametrize("delay", [0.0, 0.05, 0.4])
def test_a_process_that_ends_between_two_items_is_replaced(delay: float) -> None:
    """As a library's own threads may bring it down: no item is lost, and nothing waits for ever."""
    with completed(lambda pool, item: pool.schedule(ending, (item, delay), timeout=20), [range(6)], workers=1) as done:
        found = {}
        for item, future in done:
            found[item] = future.exception() or future.result()
            time.sleep(0.15)
    assert set(found) == set(range(6))
    lost = [item for item, outcome in found.items() if outcome != item]
    assert all(isinstance(found[item], ProcessExpired) for item in lost)
    assert len(lost) <= 3  # an item is lost where its process ended during it, and none twice in a row
    assert not {item + 1 for item in lost} & set(lost)


def test_the_order_is_kept_where_processes_end() -> None:
    def schedule(pool: "processes.ProcessPool", item: int) -> "Future[int]":
        return pool.schedule(ending, (item, 0.05), timeout=20)

    with completed(schedule, [[item] for item in range(12)], workers=2, in_order=True) as done:
        found = []
        for item, _ in done:
            found.append(item)
            time.sleep(0.1)
    assert found == list(range(12))


def test_no_process_idles_while_items_wait() -> None:
    """A short item does not stand behind a long one."""
    times = [0.05, 0.05, 3.0, 0.05, 0.05, 0.05, 0.05]
    started = time.monotonic()
    ends = {}
    runs = [[number] for number in range(len(times))]
    with completed(lambda pool, item: pool.schedule(time.sleep, (times[item],)), runs, workers=2) as done:
        for item, _ in done:
            ends[item] = time.monotonic() - started
    assert max(end for item, end in ends.items() if item != 2) < ends[2]
