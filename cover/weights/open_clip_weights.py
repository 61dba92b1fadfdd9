"""Weights of open_clip's image towers: downloaded by open_clip, or from a file."""

from pathlib import Path
from typing import Any

from torch import Tensor

from cover.errors import WeightsError
from cover.weights.reading import read_state_dict

_IMAGE_TOWER = "visual."


def open_clip_state(backbone: Any) -> dict[str, Tensor]:
    """Read the tensors of a :class:`cover.models.OpenClipBackbone`'s tower, by the names that they have there.

    Raises:
        WeightsError: open_clip cannot download them, or the file is missing, damaged or of another network.
    """
    where = Path(backbone.pretrained) if isinstance(backbone.pretrained, str) else _downloaded(backbone)
    state = read_state_dict(where)
    tower = {name.removeprefix(_IMAGE_TOWER): tensor for name, tensor in state.items() if name.startswith(_IMAGE_TOWER)}
    if not tower:
        raise WeightsError(f"{where} has no image tower: its {len(state)} names do not begin with {_IMAGE_TOWER}")
    needed = backbone.net.state_dict()
    return {name: tensor for name, tensor in tower.items() if name in needed}


def _downloaded(backbone: Any) -> Path:
    import open_clip

    remedy = "give a file: ++model.net.semantic.pretrained=FILE"
    if backbone.tag is None:
        raise WeightsError(f"{backbone.name}: open_clip lists no weights of this model; {remedy}")
    try:
        return Path(open_clip.download_pretrained(open_clip.get_pretrained_cfg(backbone.name, backbone.tag)))
    except Exception as error:  # open_clip and its hub raise what their libraries raise
        raise WeightsError(
            f"{backbone.name}: open_clip cannot get its weights {backbone.tag!r} "
            f"({' '.join(str(error).split())[:200]}); on a machine without a network, {remedy}"
        ) from error
