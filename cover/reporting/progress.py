"""Progress of long work, on stderr."""

from collections.abc import Iterator
from contextlib import contextmanager
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


@contextmanager
def working(doing: str) -> Iterator[None]:
    """Show on a terminal that work without a count is under way."""
    with Console(stderr=True).status(f"{doing} ..."):
        yield


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


class VideoProgress:
    """A progress bar that counts videos, or parts of videos, failed ones included.

    Args:
        doing: What is done with them.
        of: What is counted: ``video`` or ``part``.
    """

    def __init__(self, doing: str = "scoring", of: str = "video") -> None:
        self.total = 0
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
            console=Console(stderr=True),
            speed_estimate_period=600,  # a full-size video takes minutes on a CPU
        )
        self._task = self._bar.add_task(doing)

    def start(self, total: int) -> None:
        """Show the bar, for so many videos."""
        self.expect(total)
        self._bar.start()

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

    def stop(self) -> None:
        """Leave the bar as it is, so that what is said next starts on a line of its own."""
        self._bar.stop()

    def __enter__(self) -> "VideoProgress":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
