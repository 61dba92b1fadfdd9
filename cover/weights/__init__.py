"""Weights: fetching the published ones, reading safely, loading under strict accounting, saving.

Loading and saving import torch, so they are imported when they are first asked for; the rest is there at once.
"""

from typing import TYPE_CHECKING, Any

from cover.weights.published import (
    PRETRAINED_WEIGHTS,
    PUBLISHED,
    RANDOM_WEIGHTS,
    SHIPPED,
    WeightsFile,
    cache_dir,
    sha256_of,
)
from cover.weights.reading import read_about, read_calibration, read_state_dict

if TYPE_CHECKING:
    from cover.weights.loading import load_weights, save_weights

__all__ = [
    "PRETRAINED_WEIGHTS",
    "PUBLISHED",
    "RANDOM_WEIGHTS",
    "SHIPPED",
    "WeightsFile",
    "cache_dir",
    "load_weights",
    "read_about",
    "read_calibration",
    "read_state_dict",
    "save_weights",
    "sha256_of",
]


def __getattr__(name: str) -> Any:
    if name in __all__:
        from cover.weights import loading

        return getattr(loading, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
