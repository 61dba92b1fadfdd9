"""Progress of long work, on stderr."""

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from types import TracebackType

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.text import Text

log = logging.getLogger(__name__)

LOG_EVERY = 30.0
"""Seconds between log lines where no terminal shows a bar."""

_SOON = 3.0  # seconds after which a log line says that work without a count is under way


@contextmanager
def working(doing: str) -> Iterator[None]:
    """Show that work without a count is under way: on a terminal at once, elsewhere by a log line if it takes long."""
    console = Console(stderr=True)
    if console.is_terminal:
        with console.status(f"{doing} ..."):
            yield
        return
    timer = threading.Timer(_SOON, log.info, ("%s ...", doing))
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


class _RateColumn(ProgressColumn):
    """Videos a second, or seconds a video where that reads better.

    Args:
        of: What is counted.
    """

    def __init__(self, of: str) -> None:
        super().__init__()
        self.of = of

    def render(self, task: Task) -> Text:
        speed = task.finished_speed or task.speed
        if not speed:
            return Text("")
        return Text(f"{speed:.2f} {self.of}s/s" if speed >= 1 else f"{1 / speed:.1f} s/{self.of}")


class _StatusColumn(ProgressColumn):
    """Says what is under way beside the count.

    Args:
        status: Says it; nothing where there is nothing to say.
    """

    def __init__(self, status: Callable[[], str]) -> None:
        super().__init__()
        self.status = status

    def render(self, task: Task) -> Text:
        return Text(self.status())


class VideoProgress:
    """A progress bar that counts videos, or parts of videos, failed ones included.

    Args:
        doing: What is done with them.
        of: What is counted: ``video`` or ``part``.

    Attributes:
        status: Says what is under way beside the count, such as ``looking for cuts: 31 %``; by default nothing.
    """

    def __init__(self, doing: str = "scoring", of: str = "video") -> None:
        self.total = self._done = 0
        self._of = of
        self._started = time.monotonic()
        self._ended = threading.Event()
        self._waiting = ExitStack()
        self.status: Callable[[], str] = lambda: ""
        self.doing = doing
        self.failed = 0
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            _RateColumn(of),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
            _StatusColumn(lambda: self.status()),
            console=Console(stderr=True),
            speed_estimate_period=600,  # a full-size video takes minutes on a CPU
        )
        self._task = self._bar.add_task(doing)

    def wait(self, doing: str) -> None:
        """Show that work is under way which the count waits for; :meth:`start` and :meth:`stop` end it."""
        self._waiting.enter_context(working(doing))

    def start(self, total: int) -> None:
        """Show the bar, for so many videos; without a terminal, log lines take its place."""
        self._waiting.close()
        self.expect(total)
        self._started = time.monotonic()
        self._bar.start()
        if not self._bar.console.is_terminal:
            threading.Thread(target=self._log, daemon=True).start()

    def expect(self, more: int) -> None:
        """Count on so many more: a video turns out to have that many further parts."""
        self.total += more
        self._bar.update(self._task, total=self.total)

    def advance(self, videos: int, failed: int = 0) -> None:
        """Count videos, of which some have failed."""
        self.failed += failed
        failures = f" ({self.failed} failed)" if self.failed else ""
        self._bar.update(self._task, description=f"{self.doing}{failures}")
        self._bar.advance(self._task, videos)
        self._done += videos

    def line(self, seconds: float) -> str:
        """Say in a line how far the work is.

        Args:
            seconds: How long it has taken.
        """
        failures = f" ({self.failed} failed)" if self.failed else ""
        far = f"{self.doing}: {self._done} of {self.total} {self._of}s{failures}"
        more = f"; {status}" if (status := self.status()) else ""
        if not self._done:
            return f"{far} after {timedelta(seconds=round(seconds))}{more}"
        rate = self._done / max(seconds, 1e-9)
        speed = f"{rate:.2f} {self._of}s/s" if rate >= 1 else f"{1 / max(rate, 1e-9):.1f} s per {self._of}"
        left = str(timedelta(seconds=round((self.total - self._done) / max(rate, 1e-9))))
        return f"{far}, {speed}, {left} left{more}"

    def stop(self) -> None:
        """Leave the bar as it is, so that what is said next starts on a line of its own."""
        self._waiting.close()
        self._ended.set()
        self._bar.stop()

    def _log(self) -> None:
        while not self._ended.wait(LOG_EVERY):
            log.info("%s", self.line(time.monotonic() - self._started))

    def __enter__(self) -> "VideoProgress":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
