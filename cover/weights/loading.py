"""Filling a model from weight files with every name accounted for, and saving it."""

import logging
import os
import re
from collections.abc import Callable, Collection
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import safetensors.torch
import torch
from torch import Tensor, nn

from cover.errors import WeightsError
from cover.weights.keys import CLIP_RULES, CLIP_UNUSED, COVER_RULES, COVER_UNUSED, IMAGE_TOWER, rename
from cover.weights.published import PUBLISHED, fetch, sha256_of
from cover.weights.reading import read_state_dict

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class FileReport:
    """One file that weights were taken from.

    Args:
        path: The file.
        bytes: Its size.
        extra: Names in it that the model has no use for, but for those known to be of no use.
    """

    path: Path
    bytes: int
    extra: tuple[str, ...]

    @cached_property
    def sha256(self) -> str:
        """Hex digest of the whole file, read when it is first asked for: about a second a gigabyte."""
        return sha256_of(self.path)


@dataclass(frozen=True)
class LoadReport:
    """Where a model's weights came from, one entry a file in the order they were read."""

    files: tuple[FileReport, ...]


def load_weights(
    model: nn.Module,
    weights: str | Path | None = None,
    clip_weights: str | Path | None = None,
    cache: Path | None = None,
) -> LoadReport:
    """Fill a model from COVER.pth and a CLIP file, or from one checkpoint of ours.

    Tensors take the model's own dtypes and device (the CPU where it is built on ``torch.device("meta")``), and are
    copies: the files may change afterwards.

    Args:
        model: The model to fill, with the names of :class:`cover.models.COVER`.
        weights: COVER.pth or a checkpoint of ours; the published COVER.pth unless given.
        clip_weights: CLIP ViT-L/14, read unless ``weights`` has an image tower; the published one unless given.
        cache: Folder for published files; :func:`cover.weights.cache_dir` unless given.

    Returns:
        What was read.

    Raises:
        WeightsError: A file cannot be had or read (see :func:`fetch` and :func:`read_state_dict`), lacks names that the
            model needs, or has them in other shapes. The model is unchanged then.
    """
    needed = model.state_dict()
    tower = {name: tensor for name, tensor in needed.items() if name.startswith(IMAGE_TOWER)}
    taken: dict[str, Tensor] = {}

    path = Path(weights) if weights is not None else fetch(PUBLISHED["cover"], cache)
    state = read_state_dict(path)
    if needed.keys().isdisjoint(state):
        reports = [_take(path, state, needed, taken, lambda name: rename(name, COVER_RULES), COVER_UNUSED)]
    else:  # our own names
        reports = [_take(path, state, needed, taken, str, None)]
    found_tower = not tower.keys().isdisjoint(taken)
    hint = " (a CLIP file? that is clip_weights=)" if any(name.startswith("visual.") for name in state) else ""
    _require(needed.keys() - taken.keys() - (set() if found_tower else tower.keys()), needed, path, hint)

    if found_tower:
        if clip_weights is not None:
            log.warning("clip_weights=%s is not read: %s has an image tower of its own", clip_weights, path)
    elif tower:
        path = Path(clip_weights) if clip_weights is not None else fetch(PUBLISHED["clip_vit_l14"], cache)
        state = read_state_dict(path)
        reports.append(_take(path, state, tower, taken, lambda name: rename(name, CLIP_RULES), CLIP_UNUSED))
        _require(tower.keys() - taken.keys(), needed, path, "")

    model.load_state_dict(taken, strict=True, assign=True)
    return LoadReport(tuple(reports))


def save_weights(model: nn.Module, path: str | Path) -> None:
    """Save a model's state dict as safetensors, for ``weights=PATH``; the file appears whole or not at all.

    Args:
        model: The model to save.
        path: Where to; its folder must exist.

    Raises:
        WeightsError: The file cannot be written.
    """
    path = Path(path)
    state = {name: tensor.detach().cpu().contiguous() for name, tensor in model.state_dict().items()}
    unfinished = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        safetensors.torch.save_file(state, unfinished, metadata={"format": "cover"})
        unfinished.replace(path)
    except (OSError, safetensors.SafetensorError) as error:
        raise WeightsError(f"cannot write the weights to {path}: {error}") from error
    finally:
        unfinished.unlink(missing_ok=True)


def _take(
    path: Path,
    state: dict[str, Tensor],
    needed: dict[str, Tensor],
    taken: dict[str, Tensor],
    our_name: Callable[[str], str],
    unused: re.Pattern[str] | None,
) -> FileReport:
    """Move what the model needs from ``state`` to ``taken``; the rest is reported."""
    extra = []
    for name, tensor in state.items():
        ours = our_name(name)
        if ours in needed:
            taken[ours] = _fitted(tensor, needed[ours], name, path)
        elif not (unused and unused.fullmatch(name)):
            extra.append(name)
    if extra:
        log.warning("%s: %d names in it are not used: %s", path, len(extra), _some(extra))
    return FileReport(path, path.stat().st_size, tuple(extra))


def _fitted(tensor: Tensor, place: Tensor, name: str, path: Path) -> Tensor:
    """A copy of ``tensor`` as the model wants it."""
    if tensor.shape != place.shape:
        raise WeightsError(
            f"{path}: {name} is {tuple(tensor.shape)} where the model has {tuple(place.shape)}: "
            "weights of another architecture? (model= must be the one they were trained with)"
        )
    device = "cpu" if place.is_meta else place.device
    return tensor.to(device, place.dtype, copy=True, memory_format=torch.contiguous_format)


def _require(missing: Collection[str], needed: Collection[str], path: Path, hint: str) -> None:
    if missing:
        in_order = [name for name in needed if name in missing]
        raise WeightsError(f"{path} lacks {len(missing)} of the tensors the model needs{hint}: {_some(in_order)}")


def _some(names: Collection[str]) -> str:
    return ", ".join(list(names)[:5]) + (", ..." if len(names) > 5 else "")
