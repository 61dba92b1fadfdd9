"""COVER: blind (no-reference) video quality assessment in three dimensions.

The names below are loaded on first use, so that decoding processes, which import only :mod:`cover.video`, never pay for
importing torch.
"""

from importlib import import_module
from typing import Any

_HOMES = {
    **dict.fromkeys(("load_model", "score", "score_many", "read_results"), "cover.api"),
    **dict.fromkeys(("UsageError", "VideoError", "WeightsError"), "cover.errors"),
    "VideoScore": "cover.scores",
    "read_reference": "cover.results.reference",
}

__all__ = [
    "UsageError",
    "VideoError",
    "VideoScore",
    "WeightsError",
    "load_model",
    "read_reference",
    "read_results",
    "score",
    "score_many",
]
__version__ = "0.7.0"


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
