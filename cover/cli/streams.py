"""Standard streams that cannot fail a run: what is printed comes after the results, which are files."""

import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from cover.text import width_of, wrapped


class LineFormatter(logging.Formatter):
    """Formats log messages for people: on a terminal, lines break between words."""

    def format(self, record: logging.LogRecord) -> str:
        """Format a message; a trace keeps its lines."""
        line = super().format(record)
        return line if record.exc_info else wrapped(line, width_of(sys.stderr))


class _Steady:
    """A text stream that drops what cannot be written, from the first time on.

    Args:
        stream: The stream; None where the process has none.
    """

    def __init__(self, stream: Any) -> None:
        self.error: OSError | None = None
        self._stream = stream

    def write(self, text: str) -> int:
        """Write text, or drop it."""
        self._attempt("write", text)
        return len(text)

    def flush(self) -> None:
        """Flush, or drop what waits."""
        self._attempt("flush")

    def isatty(self) -> bool:
        """Return whether this is a terminal."""
        return self._stream is not None and self._stream.isatty()

    def _attempt(self, method: str, *arguments: str) -> None:
        if self._stream is None or self.error is not None:
            return
        try:
            getattr(self._stream, method)(*arguments)
        except OSError as error:
            self.error = error
            # What is still in the buffer would fail again when the process ends, and change its exit code.
            with suppress(OSError, ValueError):
                nowhere = os.open(os.devnull, os.O_WRONLY)
                os.dup2(nowhere, self._stream.fileno())
                os.close(nowhere)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


@contextmanager
def steady_streams() -> Iterator[None]:
    """Keep full disks, closed pipes and encodings that lack a character from ending a command.

    Characters that a stream's encoding lacks are written escaped. On leaving, one line on stderr says what standard
    output could not take, but for a closed pipe: whoever closed it knows.
    """
    originals: tuple[Any, Any] = sys.stdout, sys.stderr
    for stream in originals:
        with suppress(AttributeError, OSError, ValueError):
            stream.reconfigure(errors="backslashreplace")
    steady = _Steady(sys.stdout), _Steady(sys.stderr)
    sys.stdout, sys.stderr = steady
    try:
        yield
    finally:
        steady[0].flush()
        error = steady[0].error
        if error is not None and not isinstance(error, BrokenPipeError):
            steady[1].write(f"warning: standard output cannot be written ({error.strerror}); results are files\n")
        steady[1].flush()
        sys.stdout, sys.stderr = originals
