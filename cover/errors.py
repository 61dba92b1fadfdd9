"""Errors that the user can mend.

Every message is one line that names the file or option and the remedy.
"""


class CoverError(Exception):
    """Base of every error this package raises on purpose."""


class UsageError(CoverError):
    """An option or the set-up is wrong; nothing was scored (exit code 2)."""


class WeightsError(UsageError):
    """Weights are missing, damaged or do not fit the model (exit code 2)."""


class VideoError(CoverError):
    """One file cannot be scored; the others of a batch can (exit code 1)."""


def renamed(old: str, new: str) -> str:
    """Say that something has another name since 0.7; its old name works for two minor versions."""
    return f"{old} is called {new}; the old name goes in 0.9"


def own_words(error: BaseException) -> BaseException:
    """Find the error of ours that others have wrapped; without one, give the error itself."""
    seen: set[int] = set()  # a chain may be circular
    inner: BaseException | None = error
    while inner is not None and id(inner) not in seen:
        if isinstance(inner, CoverError):
            return inner
        seen.add(id(inner))
        inner = inner.__cause__ or inner.__context__
    return error
