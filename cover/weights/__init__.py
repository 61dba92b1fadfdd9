"""Published weights: fetching, reading safely, loading under strict accounting, saving."""

from cover.weights.loading import FileReport, LoadReport, load_weights, save_weights
from cover.weights.published import PUBLISHED, WeightsFile, cache_dir, fetch, sha256_of
from cover.weights.reading import read_state_dict

__all__ = [
    "PUBLISHED",
    "FileReport",
    "LoadReport",
    "WeightsFile",
    "cache_dir",
    "fetch",
    "load_weights",
    "read_state_dict",
    "save_weights",
    "sha256_of",
]
