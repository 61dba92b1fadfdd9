"""A CNN on every frame by itself, in place of a branch's own backbone."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from cover.models import efficientnet
from cover.models.folding import fold_batch_norms
from cover.text import meant

_PIECE = 2**18  # px that pass the network together in inference on a CPU: more than its caches hold is slower


class FrameBackbone(nn.Module):
    """Features of chosen stages of a CNN, averaged to a grid, side by side.

    The semantic branch gets one vector for each frame; the others a map of ``grid`` x ``grid`` for each ``moment``
    frames, their mean, as the heads expect it. The names of timm's tensors stay as they are, below ``net.``.

    EfficientNet-Lite0 is built in (:class:`cover.models.efficientnet.EfficientNetLite`), with its batch norms folded
    into the convolutions; every other network is timm's.

    Args:
        branch: ``semantic``, ``technical`` or ``aesthetic``.
        timm: timm's name of the network, such as ``tf_efficientnet_lite0``.
        stages: Which of its stages, from 0; unless given, all of them. Of the built-in network: its seven stages of
            blocks, and as number 7 the convolution behind them; of others those of timm's ``features_only``, one for
            each resolution.
        out_channels: C, by a 1x1 convolution; the semantic vectors then have unit length, as the cross gates expect
            them. None: the channels of the stages as they are, for models without gates.
        grid: Cells of the map along an axis: of the technical branch one for each fragment.
        spread: Whether each cell also holds how far every channel is from the frame's mean, in absolute terms, so that
            a linear head sees how much quality varies over the frame: twice the channels.
        moment: Frames that make one step of the map in time; 1 for a model whose three views have as many frames.
        pretrained: Where ``weights=pretrained`` takes the network from: timm's own download, or a file (a state dict by
            timm's names or in timm's order, or a wheel that holds one).
        gradient_checkpointing: Recompute activations in the backward pass instead of keeping them.

    Attributes:
        library: ``timm``.
        pixel_statistics: Mean and standard deviation of R, G, B on a 0..255 scale that the network was trained with.
        out_channels: Channels of the result.

    Raises:
        ValueError: timm has no such network (the message names the closest), or it has no such stage.
        ModuleNotFoundError: timm is not installed, and the network is not built in.
    """

    library = "timm"

    def __init__(
        self,
        branch: str,
        timm: str,
        stages: Sequence[int] | None = None,
        out_channels: int | None = 768,
        grid: int = 7,
        spread: bool = False,
        moment: int = 2,
        pretrained: bool | str = True,
        gradient_checkpointing: bool = False,
    ) -> None:
        super().__init__()
        if grid < 1 or moment < 1:
            raise ValueError(f"{branch}: grid {grid} and moment {moment} must be at least 1")
        self.net: Any
        if timm == efficientnet.NAME:
            self.net, channels, self.pixel_statistics = _built_in(branch, stages)
            self._checkpointing = gradient_checkpointing
        else:
            self.net, channels, self.pixel_statistics = _of_timm(branch, timm, stages)
            self._checkpointing = False  # timm does it itself
            if gradient_checkpointing:
                self.net.set_grad_checkpointing(True)
        self.branch = branch
        self.name = timm
        self.grid = 1 if branch == "semantic" else grid
        self.spread = spread and self.grid > 1
        self.moment = moment
        self.pretrained = pretrained
        cells = sum(channels) * (2 if self.spread else 1)
        self.out_channels = cells if out_channels is None else out_channels
        self.projection = None if out_channels is None else nn.Conv2d(cells, out_channels, 1)

    def forward(self, view: Tensor) -> Tensor:
        """Normalised view, float (B, 3, T, H, W) -> features: semantic (B, C, T), others (B, C, T', grid, grid)."""
        batch, _, frames = view.shape[:3]
        images = view.transpose(1, 2).flatten(0, 1)
        cells = self._spread(self._cells(images))
        features = cells if self.projection is None else self.projection(cells)
        features = features.unflatten(0, (batch, frames)).transpose(1, 2)
        if self.branch == "semantic":
            vectors = features.flatten(2)
            return vectors if self.projection is None else functional.normalize(vectors, dim=1)
        return features.unflatten(2, (-1, self.moment)).mean(3)

    def adapted(self, state: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
        """Give timm's state dict of the whole network as the one in here is made: without batch norms, if built in."""
        return efficientnet.folded(state) if self.name == efficientnet.NAME else state

    def fold_batch_norms(self) -> None:
        """Fold batch norms into convolutions, for inference: the same features, sooner. It cannot be trained then."""
        if self.name != efficientnet.NAME:
            self.net = fold_batch_norms(self.net, self.net.pretrained_cfg["input_size"][-1])

    def _cells(self, images: Tensor) -> Tensor:
        """Images (N, 3, H, W) -> the stages' means over each cell, (N, channels, grid, grid)."""
        if torch.is_grad_enabled():
            if self._checkpointing:
                return torch.utils.checkpoint.checkpoint(self._averaged, images, use_reentrant=False)
            return self._averaged(images)
        many = max(1, _PIECE // images[0, 0].numel()) if images.device.type == "cpu" else len(images)
        return torch.cat([self._averaged(piece) for piece in images.split(many)])

    def _averaged(self, images: Tensor) -> Tensor:
        return torch.cat([functional.adaptive_avg_pool2d(stage, self.grid) for stage in self.net(images)], dim=1)

    def _spread(self, cells: Tensor) -> Tensor:
        if not self.spread:
            return cells
        return torch.cat([cells, (cells - cells.mean((2, 3), keepdim=True)).abs()], dim=1)


def _built_in(branch: str, stages: Sequence[int] | None) -> tuple[nn.Module, list[int], Any]:
    """Build EfficientNet-Lite0; gives it, the channels of its stages and its pixel statistics."""
    chosen = range(len(efficientnet.CHANNELS)) if stages is None else stages
    try:
        network = efficientnet.EfficientNetLite(chosen)
    except ValueError as error:
        raise ValueError(f"{branch}: {error}") from error
    return network, [efficientnet.CHANNELS[stage] for stage in chosen], efficientnet.LITE_STATISTICS


def _of_timm(branch: str, name: str, stages: Sequence[int] | None) -> tuple[nn.Module, list[int], Any]:
    """Have timm build a network; gives it, the channels of its stages and its pixel statistics."""
    import timm  # a second of every start, so only where it is used

    if not timm.is_model(name):
        raise ValueError(f"{branch}: timm has no network {name!r}{meant(name, timm.list_models(), 3)}")
    try:
        chosen: dict[str, Any] = {} if stages is None else {"out_indices": tuple(stages)}
        network: Any = timm.create_model(name, features_only=True, **chosen)
    except (RuntimeError, IndexError, AssertionError, AttributeError) as error:
        raise ValueError(f"{branch}: {name} gives no features of stages {list(stages or ())}: {error}") from error
    mean, std = (network.pretrained_cfg[key] for key in ("mean", "std"))
    return network, network.feature_info.channels(), (tuple(255 * v for v in mean), tuple(255 * v for v in std))
