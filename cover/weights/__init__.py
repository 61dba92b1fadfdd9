"""Weights: fetching the published ones, reading safely, loading under strict accounting, saving."""

from cover.weights.loading import (
    PRETRAINED_WEIGHTS,
    RANDOM_WEIGHTS,
    FileReport,
    LoadReport,
    load_weights,
    read_calibration,
    save_weights,
)
from cover.weights.published import PUBLISHED, SHIPPED, WeightsFile, cache_dir, fetch, sha256_of
from cover.weights.reading import read_about, read_state_dict

__all__ = [
    "PRETRAINED_WEIGHTS",
    "PUBLISHED",
    "RANDOM_WEIGHTS",
    "SHIPPED",
    "FileReport",
    "LoadReport",
    "WeightsFile",
    "cache_dir",
    "fetch",
    "load_weights",
    "read_about",
    "read_calibration",
    "read_state_dict",
    "save_weights",
    "sha256_of",
]
