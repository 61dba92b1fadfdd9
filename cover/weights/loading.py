"""Filling a model from weight files with every name accounted for, and saving it."""

import json
import logging
import re
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from torch import Tensor, nn

from cover.curves import Calibration
from cover.errors import WeightsError
from cover.files import replacing
from cover.weights.keys import (
    CLIP_RULES,
    CLIP_UNUSED,
    CONVNEXT_RULES,
    CONVNEXT_UNUSED,
    COVER_RULES,
    COVER_UNUSED,
    IMAGE_TOWER,
    SWIN_RULES,
    SWIN_UNUSED,
    Rule,
    rename,
)
from cover.weights.open_clip_weights import open_clip_state
from cover.weights.origin import Origin, base_of
from cover.weights.pretrained import forked, fresh, inflated
from cover.weights.published import PRETRAINED_WEIGHTS, PUBLISHED
from cover.weights.reading import calibration_in, read_about, read_state_dict
from cover.weights.timm_weights import timm_state

log = logging.getLogger(__name__)


_STATE_OF = {"timm": timm_state, "open_clip": open_clip_state}


def load_weights(
    model: nn.Module,
    weights: str | Path | None = None,
    clip_weights: str | Path | None = None,
    base_weights: str | Path | None = None,
) -> None:
    """Fill a model from COVER.pth and a CLIP file, from a checkpoint of ours, or with the start of a training.

    A file of ours may hold only what was trained. It then names the weights that it was trained from by file name and
    sha256. These are looked for in ``base_weights``, in the file's own folder, and among downloaded published files. A
    file alone never causes a download, and no path in it is opened.

    Tensors take the model's own dtypes and device (the CPU where it is built on ``torch.device("meta")``), and are
    copies: the files may change afterwards. ``model.calibration`` becomes that of
    the first file.

    Args:
        model: The model to fill, with the names of :class:`cover.models.COVER`.
        weights: COVER.pth or a file of ours; the published COVER.pth unless given. ``"pretrained"``
            (:data:`PRETRAINED_WEIGHTS`) is what training from scratch starts from: torchvision's ConvNeXt-T (ImageNet)
            inflated to video and its Video Swin-T (Kinetics) as backbones, gates and heads as a fixed seed draws them.
        clip_weights: CLIP ViT-L/14, read unless ``weights`` has an image tower; unless given, what ``weights`` was
            trained from, else the published one.
        base_weights: The file that a partial ``weights`` was trained from; ``"cover"`` or ``"pretrained"`` to download
            the published files that it was trained from, where they are not there.

    Raises:
        WeightsError: A file cannot be had or read (see :func:`fetch` and :func:`read_state_dict`), the weights that a
            file was trained from are not there, or a file lacks names that the model
            needs, or has them in other shapes. The model is unchanged then.
    """
    filling = _Filling(model)
    tower = {name for name in filling.needed if name.startswith(IMAGE_TOWER)}
    if "semantic" in getattr(model, "custom", ()):  # whose names say nothing of CLIP
        tower = set()
    source, clip = Origin(weights), Origin(clip_weights)
    asked = None if base_weights is None else str(base_weights)
    calibration: Calibration | None = None
    first = True
    tower_path: Path | None = None
    partial = False
    while source.name != PRETRAINED_WEIGHTS:
        path = source.find(PUBLISHED["cover"], asked)
        about = read_about(path)
        state = read_state_dict(path)
        if first:
            calibration, first = calibration_in(about, path), False
        if filling.needed.keys().isdisjoint(state):
            filling.take(path, state, COVER_RULES, COVER_UNUSED)
        else:  # our own names
            filling.take(path, state)
        if tower_path is None and not tower.isdisjoint(filling.taken):
            tower_path = path
        base = base_of(path, about)
        if base is None:
            hint = " (a CLIP file? that is clip_weights=)" if any(name.startswith("visual.") for name in state) else ""
            from_clip = tower if partial or tower_path is None else set()
            filling.require(filling.needed.keys() - from_clip, path, hint)
            break
        partial = True
        clip = base.clip if clip.name is None else clip
        missing = filling.missing()
        if not missing or (missing <= tower and base.weights.name in (None, PRETRAINED_WEIGHTS)):  # no tower there
            break
        source = base.weights
    else:  # not left by a break: this is what the last file was trained from, or what the user asked for
        _start(filling, model, source, asked)

    if not filling.missing().isdisjoint(tower):
        path = clip.find(PUBLISHED["clip_vit_l14"], asked)
        filling.take(path, read_state_dict(path), CLIP_RULES, CLIP_UNUSED, only=tower)
        filling.require(tower, path)
    elif tower_path is not None and clip_weights is not None:
        log.warning("clip_weights=%s is not read: %s has an image tower of its own", clip_weights, tower_path)

    model.load_state_dict(filling.taken, strict=True, assign=True)
    vars(model)["calibration"] = calibration  # torch's own __setattr__ is typed for modules and tensors


def save_weights(
    weights: nn.Module | Mapping[str, Tensor], path: str | Path, about: Mapping[str, Any] | None = None
) -> None:
    """Save a state dict as safetensors, for ``weights=PATH``; the file appears whole or not at all.

    Args:
        weights: The model to save, or a state dict by our names, such as of what was trained.
        path: Where to; its folder must exist.
        about: What :func:`read_about` is to give: plain data.

    Raises:
        WeightsError: The file cannot be written.
    """
    path = Path(path)
    named = weights.state_dict() if isinstance(weights, nn.Module) else weights
    state = {name: tensor.detach().cpu().contiguous() for name, tensor in named.items()}
    # One entry: safetensors writes several in any order, and equal weights shall be equal bytes.
    metadata = {"format": "cover"} if about is None else {"cover": json.dumps(about)}
    try:
        with replacing(path) as partial:
            # Not save_file, whose files nobody but their owner may read.
            partial.write_bytes(safetensors.torch.save(state, metadata))
    except (OSError, safetensors.SafetensorError) as error:
        raise WeightsError(f"cannot write the weights to {path}: {error}") from error


class _Filling:
    """The tensors that a model needs, as they are found file by file: what one file has, no later one replaces.

    Args:
        model: The model, which is left as it is.
    """

    def __init__(self, model: nn.Module) -> None:
        self.needed: dict[str, Tensor] = model.state_dict()
        self.taken: dict[str, Tensor] = {}

    def missing(self) -> set[str]:
        """List what no file had so far."""
        return self.needed.keys() - self.taken.keys()

    def lacks(self, prefix: str) -> bool:
        """Return whether no file had some of the tensors whose names begin so."""
        return any(name.startswith(prefix) for name in self.missing())

    def take(
        self,
        path: Path,
        state: Mapping[str, Tensor],
        rules: Sequence[Rule] = (),
        unused: re.Pattern[str] | None = None,
        only: Collection[str] | None = None,
    ) -> None:
        """Take what the model needs (``only`` that of it) from a file's ``state``; the rest is reported."""
        useful = self.needed.keys() if only is None else only
        extra = []
        for name, tensor in state.items():
            ours = rename(name, rules)
            if ours not in useful:
                if not (unused and unused.fullmatch(name)):
                    extra.append(name)
            elif ours not in self.taken:
                self.taken[ours] = _fitted(tensor, self.needed[ours], name, path)
        if extra:
            log.warning("%s: %d names in it are not used: %s", path, len(extra), _some(extra))

    def require(self, names: Collection[str], path: Path, hint: str = "") -> None:
        """Make sure that nothing of this is missing, now that ``path`` is read."""
        missing = [name for name in self.needed if name in names and name not in self.taken]
        if missing:
            raise WeightsError(f"{path} lacks {len(missing)} of the tensors the model needs{hint}: {_some(missing)}")


def _start(filling: _Filling, model: Any, source: Origin, asked: str | None) -> None:
    """Fill all but the image tower with what training from scratch starts from.

    Raises:
        WeightsError: The file that names this start lacks a network of a library, which the user did not ask for.
    """
    networks = [branch for branch, backbone in model.backbones.items() if hasattr(backbone, "pretrained")]
    for branch, key, shaped, rules, unused in (
        ("aesthetic", "convnext_tiny", inflated, CONVNEXT_RULES, CONVNEXT_UNUSED),
        ("technical", "swin3d_t", forked, SWIN_RULES, SWIN_UNUSED),
    ):
        if branch in networks or branch in model.custom:
            continue
        if not filling.lacks(f"backbones.{branch}."):
            continue
        path = source.fetched(PUBLISHED[key], asked)
        filling.take(path, shaped(read_state_dict(path), filling.needed), rules, unused)
        filling.require([name for name in filling.needed if name.startswith(f"backbones.{branch}.")], path)
    for branch in networks:
        backbone = model.backbones[branch]
        if not filling.lacks(f"backbones.{branch}.net."):
            continue
        if source.owner is not None and asked != PRETRAINED_WEIGHTS:
            raise WeightsError(
                f"{source.owner} lacks the {branch} branch, {backbone.name} of {backbone.library}, and a file alone "
                f"never causes a download: base_weights={PRETRAINED_WEIGHTS} fetches it"
            )
        state = _STATE_OF[backbone.library](backbone)
        path = Path(str(backbone.name))
        filling.take(path, {f"backbones.{branch}.net.{name}": tensor for name, tensor in state.items()})
        filling.require([name for name in filling.needed if name.startswith(f"backbones.{branch}.net.")], path)
    drawn = ("gates.", "heads.", *(f"backbones.{branch}.projection" for branch in networks))
    for branch in model.custom:  # which its own constructor has given values
        for name, tensor in model.backbones[branch].state_dict().items():
            filling.taken.setdefault(f"backbones.{branch}.{name}", tensor.detach().clone())
    for name, tensor in fresh(model, drawn).items():
        if name not in filling.taken:
            place = filling.needed[name]
            filling.taken[name] = tensor.to("cpu" if place.is_meta else place.device, place.dtype)


def _fitted(tensor: Tensor, place: Tensor, name: str, path: Path) -> Tensor:
    """A copy of ``tensor`` as the model wants it."""
    if tensor.shape != place.shape:
        raise WeightsError(
            f"{path}: {name} is {tuple(tensor.shape)} where the model has {tuple(place.shape)}: "
            "weights of another architecture? (model= must be the one they were trained with)"
        )
    device = "cpu" if place.is_meta else place.device
    return tensor.to(device, place.dtype, copy=True, memory_format=torch.contiguous_format)


def _some(names: Collection[str]) -> str:
    return ", ".join(list(names)[:5]) + (", ..." if len(names) > 5 else "")
