"""Aesthetic branch: ConvNeXt-T inflated to video.

Source: "A ConvNet for the 2020s" (Liu et al., CVPR 2022) inflated as in DOVER (Wu et al., ICCV 2023) and COVER
(github.com/taco-group/COVER at 7373bee, ``cover/models/conv_backbone.py``, ``convnext_3d_tiny``).
"""

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from cover.models.layers import DropPath, Mlp
from cover.models.memory import in_pieces

_EPSILON = 1e-6  # of the norms, as in ConvNeXt


class AestheticBackbone(nn.Module):
    """ConvNeXt over (T, H, W): 2x4x4 patches, four stages, each halving height and width of the one before.

    Args:
        depths: Blocks of each stage.
        dims: Channels of each stage.
        temporal_kernels: Kernel lengths in time of a stage's depthwise convolutions, repeated over its blocks; odd.
        drop_path: Stochastic depth of the last block in training; blocks before it grow linearly from 0.
        layer_scale: Initial value of each block's layer scale.
        gradient_checkpointing: Recompute each block in the backward pass instead of keeping its activations.

    Raises:
        ValueError: ``depths`` and ``dims`` differ in length, or a temporal kernel is even.
    """

    def __init__(
        self,
        depths: Sequence[int] = (3, 3, 9, 3),
        dims: Sequence[int] = (96, 192, 384, 768),
        temporal_kernels: Sequence[int] = (1, 3, 1),
        drop_path: float = 0.0,
        layer_scale: float = 1e-6,
        gradient_checkpointing: bool = False,
    ) -> None:
        super().__init__()
        if len(depths) != len(dims) or not depths:
            raise ValueError(f"aesthetic: depths {list(depths)} and dims {list(dims)} must name the same stages")
        if any(kernel % 2 == 0 for kernel in temporal_kernels):
            raise ValueError(f"aesthetic: temporal_kernels must be odd, not {list(temporal_kernels)}")
        self.gradient_checkpointing = gradient_checkpointing
        self.out_channels = dims[-1]
        self.stem = Stem(dims[0])
        self.downsamples = nn.ModuleList(Downsample(narrow, wide) for narrow, wide in pairwise(dims))
        rates = iter(torch.linspace(0, drop_path, sum(depths), device="cpu").tolist())
        self.stages = nn.ModuleList(
            nn.ModuleList(
                ConvNeXtBlock3d(dim, temporal_kernels[i % len(temporal_kernels)], next(rates), layer_scale)
                for i in range(depth)
            )
            for depth, dim in zip(depths, dims, strict=True)
        )
        self.norm = nn.LayerNorm(dims[-1], eps=_EPSILON)
        self.apply(_init_weights)

    @property
    def patch_embedding(self) -> nn.Conv3d:
        """The convolution that makes tokens of pixels."""
        return self.stem.conv

    def forward(self, frames: Tensor) -> Tensor:
        """Features of a video.

        Args:
            frames: Normalised RGB, float (B, 3, T, H, W); T at least 2, H and W at least 32.

        Returns:
            float (B, ``out_channels``, T//2, H//32, W//32).
        """
        x = self.stem(frames)  # (B, T', H', W', C), as everything up to the last line
        for i, stage in enumerate(self.stages):
            if i:
                x = self.downsamples[i - 1](x)
            for block in stage.children():
                if self.gradient_checkpointing and torch.is_grad_enabled():
                    x = checkpoint(block, x, use_reentrant=False)
                else:
                    x = block(x)
        return self.norm(x).movedim(-1, 1)


class Stem(nn.Module):
    """Embed patches of 2x4x4 pixels: (B, 3, T, H, W) -> (B, T/2, H/4, W/4, ``dim``)."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.conv = nn.Conv3d(3, dim, kernel_size=(2, 4, 4), stride=(2, 4, 4))
        self.norm = nn.LayerNorm(dim, eps=_EPSILON)

    def forward(self, frames: Tensor) -> Tensor:
        """Pixels to channels-last features."""
        return self.norm(self.conv(frames).movedim(1, -1))


class Downsample(nn.Module):
    """Halve height and width between two stages: (B, T, H, W, ``narrow``) -> (B, T, H/2, W/2, ``wide``)."""

    def __init__(self, narrow: int, wide: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(narrow, eps=_EPSILON)
        self.conv = nn.Conv3d(narrow, wide, kernel_size=(1, 2, 2), stride=(1, 2, 2))

    def forward(self, x: Tensor) -> Tensor:
        """Channels-last features in and out."""
        return self.conv(self.norm(x).movedim(-1, 1)).movedim(1, -1)


class ConvNeXtBlock3d(nn.Module):
    """Depthwise (k, 7, 7) convolution, LayerNorm, MLP and layer scale around a residual path; (B, T, H, W, C) -> same.

    Args:
        dim: Channels.
        temporal_kernel: k above, odd.
        drop_path: Chance that training skips the block for a video.
        layer_scale: Initial value of ``gamma``.
    """

    def __init__(self, dim: int, temporal_kernel: int, drop_path: float = 0.0, layer_scale: float = 1e-6) -> None:
        super().__init__()
        self.depthwise = nn.Conv3d(dim, dim, (temporal_kernel, 7, 7), padding=(temporal_kernel // 2, 3, 3), groups=dim)
        self.norm = nn.LayerNorm(dim, eps=_EPSILON)
        self.mlp = Mlp(dim, 4 * dim)
        self.gamma = nn.Parameter(torch.full((dim,), layer_scale))
        self.drop_path = DropPath(drop_path)

    def forward(self, x: Tensor) -> Tensor:
        """Channels-last features in and out."""
        y = self.depthwise(x.movedim(-1, 1)).movedim(1, -1)
        return x + self.drop_path(in_pieces(self._mix, y))

    def _mix(self, y: Tensor) -> Tensor:
        return self.gamma * self.mlp(self.norm(y))


def _init_weights(module: nn.Module) -> None:
    """The paper's initialisation (appendix A.1)."""
    if isinstance(module, nn.Conv3d | nn.Linear):
        nn.init.trunc_normal_(module.weight, std=0.02)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
