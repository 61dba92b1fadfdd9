"""Errors that the user can mend.

Every message is one line that names the file or option and the remedy.
"""

import errno
from collections.abc import Iterator


class CoverError(Exception):
    """Base of every error this package raises on purpose."""


class UsageError(CoverError):
    """An option or the set-up is wrong; nothing was scored (exit code 2)."""


class WeightsError(UsageError):
    """Weights are missing, damaged or do not fit the model (exit code 2)."""


class VideoError(CoverError):
    """One file cannot be scored; the others of a batch can (exit code 1)."""


def is_full_disk(error: BaseException) -> bool:
    """Return whether an error says, or was caused by one that says, that there is no room left to write to."""
    return any(isinstance(cause, OSError) and cause.errno in (errno.ENOSPC, errno.EDQUOT) for cause in _chain(error))


def renamed(old: str, new: str) -> str:
    """Say that something has another name since 0.7; its old name works for two minor versions."""
    return f"{old} is called {new}; the old name goes in 0.9"


def own_words(error: BaseException) -> BaseException:
    """Find the error of ours that others have wrapped; without one, give the error itself."""
    return next((cause for cause in _chain(error) if isinstance(cause, CoverError)), error)


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """An error and what caused it, outermost first."""
    seen: set[int] = set()  # a chain may be circular
    while error is not None and id(error) not in seen:
        yield error
        seen.add(id(error))
        error = error.__cause__ or error.__context__
