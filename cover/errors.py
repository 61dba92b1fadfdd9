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
