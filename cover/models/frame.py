"""A CNN of timm on every frame by itself, in place of a branch's own backbone."""

import difflib
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional


class FrameBackbone(nn.Module):
    """Features of chosen stages of a CNN, averaged to a grid, side by side, and brought to C channels.

    The semantic branch gets one unit vector for each frame; the others a map of ``grid`` x ``grid`` for each two
    frames, their mean, as the gates and heads expect it. The names of timm's tensors stay as they are, below ``net.``.

    Args:
        branch: ``semantic``, ``technical`` or ``aesthetic``.
        timm: timm's name of the network, such as ``tf_efficientnet_lite0``.
        stages: Which of its stages, from 0; unless given, all of them.
        out_channels: C; the three branches must agree.
        grid: Cells of the map along an axis: of the technical branch one for each fragment.
        pretrained: Where ``weights=pretrained`` takes the network from: timm's own download, or a file (a state dict by
            timm's names or in timm's order, or a wheel that holds one).

        gradient_checkpointing: Recompute activations in the backward pass instead of keeping them.

    Attributes:
        pixel_statistics: Mean and standard deviation of R, G, B on a 0..255 scale that the network was trained with.

    Raises:
        ValueError: timm has no such network (the message names the closest), or it has no such stage.
        ModuleNotFoundError: timm is not installed.
    """

    def __init__(
        self,
        branch: str,
        timm: str,
        stages: Sequence[int] | None = None,
        out_channels: int = 768,
        grid: int = 7,
        pretrained: bool | str = True,
        gradient_checkpointing: bool = False,
    ) -> None:
        super().__init__()
        import timm as library  # a second of every start, so only where it is used

        if not library.is_model(timm):
            close = difflib.get_close_matches(timm, library.list_models(), n=3)
            hint = f"; did you mean {' or '.join(close)}?" if close else ""
            raise ValueError(f"{branch}: timm has no network {timm!r}{hint}")
        try:
            chosen: dict[str, Any] = {} if stages is None else {"out_indices": tuple(stages)}
            network: Any = library.create_model(timm, features_only=True, **chosen)
        except (RuntimeError, IndexError, AssertionError, AttributeError) as error:
            raise ValueError(f"{branch}: {timm} gives no features of stages {stages}: {error}") from error
        if gradient_checkpointing:
            network.set_grad_checkpointing(True)
        self.net = network
        self.branch = branch
        self.name = timm
        self.grid = grid
        self.pretrained = pretrained
        self.out_channels = out_channels
        mean, std = (network.pretrained_cfg[key] for key in ("mean", "std"))
        self.pixel_statistics = tuple(255 * value for value in mean), tuple(255 * value for value in std)
        self.projection = nn.Conv2d(sum(network.feature_info.channels()), out_channels, 1)

    def forward(self, view: Tensor) -> Tensor:
        """Normalised view, float (B, 3, T, H, W) -> features: semantic (B, C, T), others (B, C, T / 2, grid, grid)."""
        batch, _, frames = view.shape[:3]
        stages = self.net(view.transpose(1, 2).flatten(0, 1))
        size = 1 if self.branch == "semantic" else self.grid
        cells = torch.cat([functional.adaptive_avg_pool2d(stage, size) for stage in stages], dim=1)
        features = self.projection(cells).unflatten(0, (batch, frames)).transpose(1, 2)
        if self.branch == "semantic":
            return functional.normalize(features.flatten(2), dim=1)
        return features.unflatten(2, (frames // 2, 2)).mean(3)
