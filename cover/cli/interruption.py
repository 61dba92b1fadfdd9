"""Ctrl-C and SIGTERM end a command with exit code 130, whatever it is doing and however often they come."""

import atexit
import os
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

EXIT_INTERRUPTED = 130  # 128 + SIGINT, as shells report it
_PATIENCE = 2.0  # seconds in which a command tidies up; the same key pressed twice must not keep it from that


class _Interruption:
    """Handles signals: the first one interrupts; one that comes later, or as the process ends, ends it at once.

    Attributes:
        code: The exit code of a process that has nothing left to do.
        since: When the first signal came; None before.
    """

    def __init__(self) -> None:
        self.code: int | None = None
        self.since: float | None = None

    def __call__(self, number: int, frame: FrameType | None) -> None:
        # What is written is whole at every moment, and the next run removes what is left in the temporary folder.
        if self.code is not None:
            os._exit(self.code)
        now = time.monotonic()
        if self.since is None:
            self.since = now
            raise KeyboardInterrupt
        if now - self.since > _PATIENCE:
            os._exit(EXIT_INTERRUPTED)


_handle = _Interruption()


def was_interrupted() -> bool:
    """Return whether a signal has come: what is raised since then may be an error of a library that it met."""
    return _handle.since is not None


@contextmanager
def interruptible() -> Iterator[None]:
    """Run a whole process so that Ctrl-C and SIGTERM, which schedulers send, end it with exit code 130.

    An interruption that nobody catches becomes ``SystemExit``. The handlers stay: the process ends after the block.
    """
    global _handle
    handle = _handle = _Interruption()
    signal.signal(signal.SIGTERM, handle)
    if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:  # as in a background job
        signal.signal(signal.SIGINT, handle)
    atexit.register(_ignore)  # registered before all others, it is called after them
    try:
        yield
    except SystemExit as ended:
        handle.code = ended.code if isinstance(ended.code, int) else 1
        raise
    except BaseException:
        if handle.since is None:
            raise
        handle.code = EXIT_INTERRUPTED
        sys.exit(EXIT_INTERRUPTED)


def _ignore() -> None:
    """Ignore signals while the interpreter is torn down, when Python would put back the handlers that kill."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
