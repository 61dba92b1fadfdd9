"""COVER: blind (no-reference) video quality assessment in three dimensions.

The two names below are loaded on first use, so that decoding workers, which import only :mod:`cover.video`,
never pay for importing torch.
"""

from typing import Any

__all__ = ["load_model", "score"]
__version__ = "0.7.0"


def __getattr__(name: str) -> Any:
    if name in __all__:
        from cover import api

        return getattr(api, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
