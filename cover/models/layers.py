"""Building blocks that the backbones share.

They are the small parts of timm, torchvision and open_clip that COVER is made of, under the same state-dict names and
with the same initial values; tests compare each with its library. Importing those packages would take longer than
scoring a video with a small model: each pulls in ``torch._dynamo`` and far more models than are used here.
"""

import torch
from torch import Tensor, nn


class DropPath(nn.Module):
    """Stochastic depth: in training, drop the whole residual update of a sample with a given chance.

    Source: "Deep Networks with Stochastic Depth" (Huang et al., ECCV 2016); updates that stay are divided by the
    chance to stay.

    Args:
        rate: Chance to be dropped, 0 to 1.
    """

    def __init__(self, rate: float = 0.0) -> None:
        super().__init__()
        self.rate = rate

    def forward(self, x: Tensor) -> Tensor:
        """Features (B, ...) -> the same shape."""
        if not self.training or self.rate == 0:
            return x
        keep = x.new_empty((len(x),) + (1,) * (x.ndim - 1)).bernoulli_(1 - self.rate)
        return x * (keep / (1 - self.rate) if self.rate < 1 else keep)


class Mlp(nn.Module):
    """Two linear layers with a GELU between them, timm's names: (..., ``dim``) -> the same shape."""

    def __init__(self, dim: int, hidden: int) -> None:
        super().__init__()
        self.fc1 = nn.Linear(dim, hidden)
        self.act = nn.GELU()
        self.fc2 = nn.Linear(hidden, dim)

    def forward(self, x: Tensor) -> Tensor:
        """Features (..., ``dim``) -> the same shape."""
        return self.fc2(self.act(self.fc1(x)))


class ImageTower(nn.Module):
    """The parameters of a CLIP image tower by OpenAI's names, without positional embedding.

    :class:`cover.models.semantic.SemanticBackbone` has the forward pass.

    Args:
        width: Channels of the tokens.
        layers: Number of transformer blocks.
        heads: Attention heads.
        patch: Side of a square patch in pixels.
        output_dim: Channels of the result.
        mlp_ratio: Hidden width of the MLPs as a multiple of ``width``.
    """

    def __init__(self, width: int, layers: int, heads: int, patch: int, output_dim: int, mlp_ratio: float) -> None:
        super().__init__()
        scale = width**-0.5
        self.conv1 = nn.Conv2d(3, width, kernel_size=patch, stride=patch, bias=False)
        self.class_embedding = nn.Parameter(_normal(width, std=scale))
        _normal(2, width, std=scale)  # open_clip's positional embedding: a seed then gives the same tower as there
        self.ln_pre = nn.LayerNorm(width)
        self.transformer = Transformer(width, layers, heads, int(width * mlp_ratio))
        self.ln_post = nn.LayerNorm(width)
        self.proj = nn.Parameter(_normal(width, output_dim, std=scale))


class Transformer(nn.Module):
    """The parameters of the blocks of :class:`ImageTower`."""

    def __init__(self, width: int, layers: int, heads: int, hidden: int) -> None:
        super().__init__()
        self.resblocks = nn.ModuleList(AttentionBlock(width, heads, hidden) for _ in range(layers))


class AttentionBlock(nn.Module):
    """The parameters of one pre-norm transformer block."""

    def __init__(self, width: int, heads: int, hidden: int) -> None:
        super().__init__()
        self.ln_1 = nn.LayerNorm(width)
        self.attn = nn.MultiheadAttention(width, heads)
        self.ln_2 = nn.LayerNorm(width)
        self.mlp = QuickGeluMlp(width, hidden)


class QuickGeluMlp(nn.Module):
    """The parameters of two linear layers with a QuickGELU between them, by OpenAI's names."""

    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        self.c_fc = nn.Linear(width, hidden)
        self.c_proj = nn.Linear(hidden, width)


class PatchEmbed3d(nn.Module):
    """Embed patches of pixels: (B, 3, T, H, W) -> (B, T', H', W', ``dim``); zero-padded to a multiple of a patch.

    Args:
        patch: Size of a patch (frames, rows, columns).
        dim: Channels of the result.
    """

    def __init__(self, patch: tuple[int, int, int], dim: int) -> None:
        super().__init__()
        self.patch = patch
        self.proj = nn.Conv3d(3, dim, kernel_size=patch, stride=patch)
        self.norm = nn.LayerNorm(dim)

    def forward(self, frames: Tensor) -> Tensor:
        """Pixels to channels-last features."""
        t, h, w = (-size % patch for size, patch in zip(frames.shape[2:], self.patch, strict=True))
        return self.norm(self.proj(nn.functional.pad(frames, (0, w, 0, h, 0, t))).movedim(1, -1))


class PatchMerging(nn.Module):
    """Join 2x2 places and halve height and width: (..., H, W, C) -> (..., H/2, W/2, 2 C); odd sides are padded."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.reduction = nn.Linear(4 * dim, 2 * dim, bias=False)
        self.norm = nn.LayerNorm(4 * dim)

    def forward(self, x: Tensor) -> Tensor:
        """Channels-last features in and out."""
        height, width = x.shape[-3:-1]
        x = nn.functional.pad(x, (0, 0, 0, width % 2, 0, height % 2))
        corners = [x[..., row::2, column::2, :] for column in (0, 1) for row in (0, 1)]
        return self.reduction(self.norm(torch.cat(corners, dim=-1)))


def swin_mlp(dim: int) -> nn.Sequential:
    """Make the MLP of a Swin block, by torchvision's names and with its initial values: (..., ``dim``) -> the same."""
    mlp = nn.Sequential(nn.Linear(dim, 4 * dim), nn.GELU(), nn.Dropout(0.0), nn.Linear(4 * dim, dim), nn.Dropout(0.0))
    for layer in mlp:
        if isinstance(layer, nn.Linear):
            nn.init.xavier_uniform_(layer.weight)
            layer.bias = nn.Parameter(_normal(*layer.bias.shape, std=1e-6))
    return mlp


def _normal(*shape: int, std: float) -> Tensor:
    """Draw from the normal distribution, but for the meta device, where there is nothing to draw.

    torch would do that in Python there, and import ``torch._dynamo`` for it: a second of every start.
    """
    tensor = torch.empty(shape)
    return tensor if tensor.is_meta else tensor.normal_().mul_(std)
