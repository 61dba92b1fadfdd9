"""The default results folder: named by what makes results differ, so that two runs do not take turns in one folder."""

import hashlib
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, ListConfig, OmegaConf

from cover.config.options.types import at_home
from cover.results.record import read_run_record

_PLACES = ("data.path", "data.root")  # where the videos are
_ALIKE = ("views", "segments")  # what the names of 0.6 left out


def run_folder(base: str, *, _root_: DictConfig) -> str:
    """Name the results folder of a run: ``outputs/clips-cover_lite``, ``outputs/talk.mp4-cover_lite-shots``.

    Data, model, views other than the model's own, random sampling and segments are in the name; no model is where no
    model runs. Where that folder holds results of data elsewhere, a short hash of the place is added. A folder that
    0.6 has named, which left out views and segments, is used if its run had the same ones.

    Args:
        base: The folder above it.
        _root_: The config, which OmegaConf passes.
    """
    predictions = _root_.get("predictions")
    if predictions is not None:
        several = [str(one) for one in (predictions if isinstance(predictions, ListConfig) else [predictions])]
        folder = Path(base, "-".join(Path(one).stem for one in several[:3]) or "predictions")
        record = read_run_record(folder)
        same = record is None or (record.predictions and record.path == ", ".join(several))
        return str(folder) if same else marked(folder, "|".join(str(Path(one).absolute()) for one in several))
    plain = Path(base, f"{OmegaConf.select(_root_, 'data.name')}-{OmegaConf.select(_root_, 'model.name')}")
    full = plain.with_name("-".join([plain.name, *_views(_root_), *_segments(_root_)]))
    if full != plain and not full.exists() and _is_of(plain, _root_, (*_PLACES, *_ALIKE)):
        return str(plain)
    if not full.exists() or _is_of(full, _root_, _PLACES):
        return str(full)
    return marked(full, "|".join(_places(partial(_chosen, _root_))))


def _views(config: DictConfig) -> list[str]:
    """The name of views that are not the model's own, and of random sampling."""
    names = []
    if HydraConfig.initialized():
        chosen = HydraConfig.get().runtime.choices
        if "views" in chosen and chosen["views"] != chosen.get("model"):
            names.append(str(chosen["views"]).removeprefix(f"{chosen.get('model')}_"))
    return [*names, *(["random"] if OmegaConf.select(config, "views.sampling") == "random" else [])]


def _segments(config: DictConfig) -> list[str]:
    by = OmegaConf.select(config, "segments.by")
    return [] if by is None else [by if isinstance(by, str) else f"{by:g}s"]


def _is_of(folder: Path, config: DictConfig, nodes: tuple[str, ...]) -> bool:
    """Return whether a folder may take this run's results: it has none, or those of a run alike in these nodes."""
    record = read_run_record(folder)
    if record is None:
        return nodes == _PLACES
    known = record.config  # plain data that anybody may have written: nothing in it is resolved
    if _places(partial(_plain, known)) != _places(partial(_chosen, config)):
        return False
    return all(_plain(known, node) == _chosen(config, node) for node in nodes if node not in _PLACES)


def _places(value_of: Callable[[str], Any]) -> list[str]:
    values = [value_of(node) for node in _PLACES]
    return ["" if value is None else str(Path(at_home(str(value))).absolute()) for value in values]


def _plain(known: Any, node: str) -> Any:
    """The value of an option in plain data; None where it is not there."""
    for name in node.split("."):
        known = known.get(name) if isinstance(known, Mapping) else None
    return known


def _chosen(config: DictConfig, node: str) -> Any:
    value = OmegaConf.select(config, node, throw_on_missing=False)
    return OmegaConf.to_container(value, resolve=True) if OmegaConf.is_config(value) else value


def marked(folder: Path, place: str) -> str:
    """Add a short hash of a place, such as that of the data, to the name of a folder."""
    return f"{folder}-{hashlib.sha256(place.encode('utf-8', 'surrogatepass')).hexdigest()[:6]}"
