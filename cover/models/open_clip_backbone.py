"""Semantic branch: an image tower of open_clip by name, run on every frame by itself.

Source of the networks and their names: github.com/mlfoundations/open_clip.
"""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from cover.text import meant


class OpenClipBackbone(nn.Module):
    """An image tower of open_clip: one unit vector for each frame.

    Frames are resized to the tower's own size. The tower keeps open_clip's tensor names, below ``net.``. The text
    tower is never built, and the constructor downloads nothing.

    Args:
        open_clip: open_clip's name of the model, such as ``ViT-B-16-SigLIP2``.
        tag: open_clip's name of the weights, such as ``webli``; by default the first that open_clip lists. The tag also
            chooses the pixel statistics.
        pretrained: Source of the tower for ``weights=pretrained``: True for open_clip's own download of the tag, or a
            file (an open_clip state dict).
        out_channels: C of the result; the tower's own channels unless given, otherwise a linear projection to C.
        frames_per_chunk: Number of frames that go through the tower together; by default 1 on a CPU, 16 elsewhere.
        gradient_checkpointing: Recompute activations in the backward pass instead of keeping them.

    Attributes:
        library: ``open_clip``.
        name: The model.
        tag: The weights; None where open_clip lists none.
        branch: ``semantic``.
        out_channels: C.
        pixel_statistics: Mean and standard deviation of R, G, B on a 0..255 scale that the weights were trained with.

    Raises:
        ValueError: open_clip has no such model or tag (the message names the closest), or a size is impossible.
        ModuleNotFoundError: open_clip is not installed.
    """

    branch = "semantic"
    library = "open_clip"

    def __init__(
        self,
        open_clip: str,
        tag: str | None = None,
        pretrained: bool | str = True,
        out_channels: int | None = None,
        frames_per_chunk: int | None = None,
        gradient_checkpointing: bool = False,
    ) -> None:
        super().__init__()
        if frames_per_chunk is not None and frames_per_chunk < 1:
            raise ValueError(f"semantic: frames_per_chunk must be at least 1, not {frames_per_chunk}")
        self.name = open_clip
        self.tag = _tag(open_clip, tag)
        self.pretrained = pretrained
        self.frames_per_chunk = frames_per_chunk
        weights = _weights(open_clip, self.tag)
        self.net, channels = _tower(open_clip, bool(weights.get("quick_gelu")))
        if gradient_checkpointing:
            self.net.set_grad_checkpointing(True)
        size = self.net.image_size
        self.image_size: tuple[int, int] = (size, size) if isinstance(size, int) else tuple(size)
        self.pixel_statistics = _pixel_statistics(weights)
        self.out_channels = channels if out_channels is None else out_channels
        self.projection = None if out_channels is None else nn.Linear(channels, out_channels)

    def forward(self, frames: Tensor) -> Tensor:
        """Describe each frame by one vector.

        Args:
            frames: Normalised RGB, float (B, 3, T, H, W).

        Returns:
            Unit vectors, float (B, ``out_channels``, T).
        """
        batch, _, length = frames.shape[:3]
        images = frames.transpose(1, 2).flatten(0, 1)
        chunk = self.frames_per_chunk or (1 if images.is_cpu else 16)
        vectors = torch.cat([self.net(self._resized(some)) for some in images.split(chunk)])
        if self.projection is not None:
            vectors = self.projection(vectors)
        return functional.normalize(vectors, dim=-1).view(batch, length, -1).transpose(1, 2)

    def _resized(self, images: Tensor) -> Tensor:
        if images.shape[-2:] == self.image_size:
            return images
        return functional.interpolate(images, self.image_size, mode="bicubic", antialias=True)


def _tower(name: str, quick_gelu: bool) -> tuple[Any, int]:
    """Build the image tower of a model; also return its channels."""
    tower, channels = _built(name, quick_gelu)
    stored = tower.state_dict()
    if any(buffer.is_meta and key not in stored for key, buffer in tower.named_buffers()):
        with torch.device("cpu"):  # no weight file fills these buffers, so their constructor must
            return _built(name, quick_gelu)
    return tower, channels


def _built(name: str, quick_gelu: bool) -> tuple[Any, int]:
    import open_clip

    config: Any = open_clip.get_model_config(name)
    vision = open_clip.CLIPVisionCfg(**{**config["vision_cfg"], "timm_model_pretrained": False})
    # A CLIP needs a text tower. The smallest one costs nothing, and is dropped here.
    text = open_clip.CLIPTextCfg(context_length=1, vocab_size=1, width=8, heads=1, layers=1)
    model = open_clip.CLIP(config["embed_dim"], vision, text, quick_gelu or config.get("quick_gelu", False))
    return model.visual, config["embed_dim"]


def _tag(name: str, tag: str | None) -> str | None:
    """Check the name of a model and of its weights; by default the first that open_clip lists, None where none is."""
    import open_clip  # seconds, so only where it is used

    _known("model", name, open_clip.list_models())
    tags = open_clip.list_pretrained_tags_by_model(name)
    if tag is None:
        return tags[0] if tags else None
    _known(f"weights of {name} called", tag, tags)
    return tag


def _known(kind: str, name: str, names: list[str]) -> None:
    if name not in names:
        raise ValueError(f"semantic: open_clip has no {kind} {name!r}{meant(name, names, 3)}")


def _weights(name: str, tag: str | None) -> dict[str, Any]:
    import open_clip

    return dict(open_clip.get_pretrained_cfg(name, tag)) if tag else {}


def _pixel_statistics(weights: Mapping[str, Any]) -> Any:
    import open_clip

    mean = weights.get("mean") or open_clip.OPENAI_DATASET_MEAN
    std = weights.get("std") or open_clip.OPENAI_DATASET_STD
    return tuple(255 * value for value in mean), tuple(255 * value for value in std)
