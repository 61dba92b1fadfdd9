"""Progress where no terminal shows a bar."""

import logging
import time

import pytest

from cover.reporting import progress
from cover.reporting.progress import VideoProgress


@pytest.mark.parametrize(
    ("done", "failed", "seconds", "line"),
    [
        (120, 0, 40, "scoring: 120 of 1000 videos, 3.00 videos/s, 0:04:53 left"),
        (0, 0, 65, "scoring: 0 of 1000 videos after 0:01:05"),
        (1, 1, 90, "scoring: 1 of 1000 videos (1 failed), 90.0 s per video, 1 day, 0:58:30 left"),
    ],
)
def test_a_line_says_how_far_the_work_is(done: int, failed: int, seconds: float, line: str) -> None:
    bar = VideoProgress()
    bar.start(1000)
    bar.advance(done, failed)
    bar.stop()
    assert bar.line(seconds) == line


@pytest.mark.parametrize(("seconds", "some"), [(0.02, True), (1e6, False)])
def test_lines_come_in_intervals_also_while_nothing_finishes(
    seconds: float, some: bool, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(progress, "LOG_EVERY", seconds)
    with caplog.at_level(logging.INFO), VideoProgress(of="part") as bar:
        bar.status = lambda: "looking for cuts: 31 %"
        bar.start(3)
        time.sleep(0.3)
    count = len(caplog.messages)
    assert some == ("scoring: 0 of 3 parts after 0:00:00; looking for cuts: 31 %" in caplog.messages)
    time.sleep(0.1)
    assert len(caplog.messages) == count, "nothing is said after the end"


def test_work_without_a_count_is_said_where_it_takes_long(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(progress, "_SOON", 0.05)
    with caplog.at_level(logging.INFO):
        with progress.working("quick"):
            pass
        bar = VideoProgress()
        bar.wait("importing")
        time.sleep(0.3)
        bar.start(1)
        bar.stop()
    assert caplog.messages == ["importing ..."]
