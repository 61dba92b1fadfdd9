"""Progress where no terminal shows a bar."""

import logging

import pytest

from cover.reporting import progress
from cover.reporting.progress import VideoProgress


@pytest.mark.parametrize(
    ("done", "failed", "seconds", "line"),
    [
        (120, 0, 40, "scoring: 120 of 1000 videos, 3.00 videos/s, 0:04:53 left"),
        (1, 1, 90, "scoring: 1 of 1000 videos (1 failed), 90.0 s per video, 1 day, 0:58:30 left"),
    ],
)
def test_a_line_says_how_far_the_work_is(done: int, failed: int, seconds: float, line: str) -> None:
    bar = VideoProgress()
    bar.start(1000)
    bar.advance(done, failed)
    bar.stop()
    assert bar.line(seconds) == line


@pytest.mark.parametrize(("seconds", "lines"), [(0.0, 3), (1e6, 0)])
def test_lines_come_in_intervals(
    seconds: float, lines: int, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(progress, "LOG_EVERY", seconds)
    with caplog.at_level(logging.INFO), VideoProgress(of="part") as bar:
        bar.start(3)
        for _ in range(3):
            bar.advance(1)
    assert len([message for message in caplog.messages if " of 3 parts" in message]) == lines
