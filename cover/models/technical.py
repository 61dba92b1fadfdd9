"""Technical branch: Video Swin-T whose attention knows where the crops of a fragment view meet.

Source: "Video Swin Transformer" (Liu et al., CVPR 2022) with the gated relative position bias of FAST-VQA (Wu et al.,
ECCV 2022, section 4.2), as COVER has it (github.com/taco-group/COVER at 7373bee, ``cover/models/swin_backbone.py``).
Below ``patch_embed``, ``features`` and ``norm``, state-dict names are torchvision's: the weights of its ``swin3d_t``
fit, but for its head and for the fragment tables it does not have.
"""

from collections.abc import Iterable, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.checkpoint import checkpoint

from cover.models.layers import DropPath, PatchEmbed3d, PatchMerging, swin_mlp
from cover.models.memory import in_pieces

Size3 = tuple[int, int, int]


class TechnicalBackbone(nn.Module):
    """Video Swin over (T, H, W): patches, then stages of window attention, each halving height and width.

    Args:
        embed_dim: Channels of the first stage; every later one has twice those of the one before.
        depths: Blocks of each stage; every second one attends in shifted windows.
        heads: Attention heads of each stage.
        window: Attention window (frames, rows, columns) in tokens.
        patch: Size of a patch (frames, rows, columns); videos are zero-padded to a multiple of it.
        gated_stages: How many stages, from the first, have the gated relative position bias.
        drop_path: Stochastic depth of the last block in training; blocks before it grow linearly from 0.
        gradient_checkpointing: Recompute each block in the backward pass instead of keeping its activations.

    Raises:
        ValueError: ``depths`` and ``heads`` differ in length, or heads do not divide the channels.
    """

    def __init__(
        self,
        embed_dim: int = 96,
        depths: Sequence[int] = (2, 2, 6, 2),
        heads: Sequence[int] = (3, 6, 12, 24),
        window: Sequence[int] = (8, 7, 7),
        patch: Sequence[int] = (2, 4, 4),
        gated_stages: int = 3,
        drop_path: float = 0.1,
        gradient_checkpointing: bool = False,
    ) -> None:
        super().__init__()
        if len(depths) != len(heads) or not depths:
            raise ValueError(f"technical: depths {list(depths)} and heads {list(heads)} must name the same stages")
        if any(embed_dim * 2**i % count for i, count in enumerate(heads)):
            raise ValueError(f"technical: heads {list(heads)} must divide the stages' channels, {embed_dim} * 2**stage")
        self.gradient_checkpointing = gradient_checkpointing
        self.out_channels = embed_dim * 2 ** (len(depths) - 1)
        self.patch_embed = PatchEmbed3d(_size3(patch), embed_dim)
        rates = iter(torch.linspace(0, drop_path, sum(depths), device="cpu").tolist())
        self.features = nn.ModuleList()
        for stage, (depth, count) in enumerate(zip(depths, heads, strict=True)):
            dim = embed_dim * 2**stage
            if stage:
                self.features.append(PatchMerging(dim // 2))
            self.features.append(
                nn.ModuleList(
                    SwinBlock(
                        dim,
                        WindowAttention3d(
                            dim,
                            window,
                            [size // 2 if i % 2 else 0 for size in window],
                            count,
                            gated=stage < gated_stages,
                        ),
                        next(rates),
                    )
                    for i in range(depth)
                )
            )
        self.norm = nn.LayerNorm(self.out_channels)
        self.apply(_init_weights)

    @property
    def patch_embedding(self) -> nn.Conv3d:
        """The convolution that makes tokens of pixels."""
        return self.patch_embed.proj

    def forward(self, frames: Tensor) -> Tensor:
        """Features of a video.

        Args:
            frames: Normalised RGB, float (B, 3, T, H, W).

        Returns:
            float (B, ``out_channels``, T', H', W'); T/2, H/32, W/32 with the default sizes, rounded up.
        """
        x = self.patch_embed(frames)  # (B, T', H', W', C), as everything up to the last line
        for layer in self.features:
            for module in layer.children() if isinstance(layer, nn.ModuleList) else [layer]:
                if self.gradient_checkpointing and torch.is_grad_enabled():
                    x = checkpoint(module, x, use_reentrant=False)
                else:
                    x = module(x)
        return self.norm(x).movedim(-1, 1)


class SwinBlock(nn.Module):
    """Window attention and an MLP, each around a residual path; the MLP sees a piece of the map at a time in inference.

    Args:
        dim: Channels.
        attention: From features (B, T, H, W, C) to the same shape.
        drop_path: Chance that training skips either of the two for a video.
    """

    def __init__(self, dim: int, attention: nn.Module, drop_path: float = 0.0) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(dim)
        self.attn = attention
        self.drop_path = DropPath(drop_path)
        self.norm2 = nn.LayerNorm(dim)
        self.mlp = swin_mlp(dim)

    def forward(self, x: Tensor) -> Tensor:
        """Features (B, T, H, W, C) -> the same shape."""
        x = x + self.drop_path(self.attn(self.norm1(x)))
        return x + self.drop_path(in_pieces(self._mlp, x))

    def _mlp(self, x: Tensor) -> Tensor:
        return self.mlp(self.norm2(x))


class WindowAttention3d(nn.Module):
    """Multi-head self-attention in (shifted) windows of a channels-last feature map, with a (gated) position bias.

    The plain bias of two tokens is the table entry of their displacement. The gated one mixes two tables by the
    fragment distance g, how many crops of the fragment view lie between the two tokens (rows plus columns):
    ``g * relative + (1 - g) * fragment``. g is a distance, not a flag: it exceeds 1 for crops further apart.

    Args:
        dim: Channels.
        window_size: Window (frames, rows, columns) in tokens; where the map is smaller, the window is as the map and
            is not shifted in that direction.
        shift_size: Shift of the windows (frames, rows, columns).
        num_heads: Attention heads.
        gated: Whether the bias is the gated one.
    """

    max_bias_elements = 2**22
    """Windows are attended to in groups, so that no more bias values than this live at once (one window at least)."""

    def __init__(
        self,
        dim: int,
        window_size: Sequence[int],
        shift_size: Sequence[int],
        num_heads: int,
        gated: bool = False,
    ) -> None:
        super().__init__()
        self.window_size = _size3(window_size)
        self.shift_size = _size3(shift_size)
        self.num_heads = num_heads
        self.qkv = nn.Linear(dim, 3 * dim)
        self.proj = nn.Linear(dim, dim)
        displacements = (2 * self.window_size[0] - 1) * (2 * self.window_size[1] - 1) * (2 * self.window_size[2] - 1)
        self.relative_position_bias_table = nn.Parameter(torch.zeros(displacements, num_heads))
        self.fragment_position_bias_table = nn.Parameter(torch.zeros(displacements, num_heads)) if gated else None
        for table in (self.relative_position_bias_table, self.fragment_position_bias_table):
            if table is not None:
                nn.init.trunc_normal_(table, std=0.02)

    def forward(self, x: Tensor) -> Tensor:
        """Features (B, T, H, W, C) -> the same shape."""
        size = x.shape[1:4]
        window = _size3([min(w, s) for w, s in zip(self.window_size, size, strict=True)])
        shift = _size3([m if s > w else 0 for m, s, w in zip(self.shift_size, size, self.window_size, strict=True)])
        padding = [-s % w for s, w in zip(size, window, strict=True)]
        x = functional.pad(x, (0, 0, 0, padding[2], 0, padding[1], 0, padding[0]))
        padded = _size3(x.shape[1:4])
        x = torch.roll(x, [-s for s in shift], dims=(1, 2, 3)) if any(shift) else x
        x = self._attend(_partition(x, window), padded, window, shift)
        x = _merge(x, padded, window)
        x = torch.roll(x, shift, dims=(1, 2, 3)) if any(shift) else x
        return x[:, : size[0], : size[1], : size[2]]

    def _attend(self, x: Tensor, padded: Size3, window: Size3, shift: Size3) -> Tensor:
        """Attention within windows (B, windows in time, windows in space, tokens, C) -> the same shape."""
        batch, times, places, tokens = x.shape[:4]
        index = _relative_position_index(self.window_size, tokens, x.device)
        relative = self.relative_position_bias_table[index].movedim(-1, 0).contiguous()  # (heads, N, N)
        if self.fragment_position_bias_table is not None:
            fragment = self.fragment_position_bias_table[index].movedim(-1, 0).contiguous()
            difference = relative - fragment
        # Only the last windows in time hold the wrap-around of a shift, so there are at most two kinds of them.
        kinds = [slice(0, times - 1), slice(times - 1, times)] if shift[0] else [slice(0, times)]
        group = max(1, self.max_bias_elements // relative.numel())
        out = []
        for start in range(0, places, group):
            spaces = slice(start, min(start + group, places))
            qkv = self.qkv(x[:, :, spaces]).unflatten(-1, (3, self.num_heads, -1))
            bias = relative.expand(spaces.stop - start, -1, -1, -1)
            if self.fragment_position_bias_table is not None:
                distance = _fragment_distance(padded, window, shift, spaces, x.device).to(relative.dtype)
                bias = torch.addcmul(fragment, difference, distance[:, None])
            parts = []
            for kind in kinds:
                mask = bias
                if any(shift):
                    apart = _is_wrapped(padded, window, shift, kind.stop - 1, spaces, x.device)
                    mask = bias + -100.0 * apart[:, None]
                # (B, t, g, N, 3, heads, d) -> 3 x (B*t, g*heads, N, d): fused attention takes four dimensions, and
                # with the places beside the heads one mask serves every video and every moment.
                q, k, v = qkv[:, kind].permute(4, 0, 1, 2, 5, 3, 6).flatten(3, 4).flatten(1, 2)
                y = functional.scaled_dot_product_attention(q, k, v, mask.flatten(0, 1)[None])
                y = y.unflatten(1, (-1, self.num_heads)).transpose(2, 3).flatten(3)
                parts.append(y.unflatten(0, (batch, -1)))
            out.append(self.proj(torch.cat(parts, dim=1)))
        return torch.cat(out, dim=2)


def _partition(x: Tensor, window: Size3) -> Tensor:
    """(B, T, H, W, C) -> (B, windows in time, windows in space, tokens of a window, C)."""
    (t, h, w), channels = window, x.shape[-1]
    x = x.unflatten(3, (-1, w)).unflatten(2, (-1, h)).unflatten(1, (-1, t))  # (B, nt, t, nh, h, nw, w, C)
    x = x.permute(0, 1, 3, 5, 2, 4, 6, 7)
    return x.reshape(x.shape[0], x.shape[1], x.shape[2] * x.shape[3], t * h * w, channels)


def _merge(x: Tensor, padded: Size3, window: Size3) -> Tensor:
    """The inverse of :func:`_partition` for a map of size ``padded``."""
    x = x.unflatten(3, window).unflatten(2, (padded[1] // window[1], padded[2] // window[2]))
    return x.permute(0, 1, 4, 2, 5, 3, 6, 7).reshape(x.shape[0], *padded, x.shape[-1])


def _relative_position_index(window: Size3, tokens: int, device: torch.device) -> Tensor:
    """Row of the bias table for each pair of the first ``tokens`` tokens of a full window, (tokens, tokens).

    A window that had to shrink takes the top-left part of the full window's index, as the published weights expect.
    """
    # Not cached: what inference mode made, training could not save for its backward pass.
    axes = [torch.arange(size, device=device) for size in window]
    position = torch.cartesian_prod(*axes)[:tokens]
    full = torch.tensor(window, device=device)
    displacement = position[:, None] - position[None] + full - 1
    _, h, w = window
    return displacement[..., 0] * (2 * h - 1) * (2 * w - 1) + displacement[..., 1] * (2 * w - 1) + displacement[..., 2]


def _fragment_distance(padded: Size3, window: Size3, shift: Size3, spaces: slice, device: torch.device) -> Tensor:
    """Count how many crops of the fragment view lie between two tokens, rows plus columns, (places, tokens, tokens).

    The map is taken to hold as many crops in height and width as the window has tokens (7x7 of either).
    """
    cells = []
    for axis in (1, 2):
        cell = torch.arange(padded[axis], device=device) // (padded[axis] // window[axis])
        cells.append(cell.roll(-shift[axis]).view(-1, window[axis]))  # (windows, tokens) along the axis
    rows, columns = (cell[:, :, None] - cell[:, None, :] for cell in cells)
    rows, columns = rows.abs(), columns.abs()
    _, h, w = window
    both = rows[:, None, :, None, :, None] + columns[None, :, None, :, None, :]
    return both.reshape(-1, h * w, h * w)[spaces].repeat(1, window[0], window[0])


def _is_wrapped(padded: Size3, window: Size3, shift: Size3, time: int, spaces: slice, device: torch.device) -> Tensor:
    """Find token pairs of windows at ``time`` and ``spaces`` that only the wrap-around of the shift made neighbours.

    Returns:
        float (places, tokens, tokens), 1 for the pairs that must not attend to each other, else 0.
    """
    regions = []
    for size, extent, moved in zip(padded, window, shift, strict=True):
        # After the roll the last `moved` positions of an axis are its first ones.
        wrapped = torch.arange(size, device=device) >= size - moved
        regions.append(wrapped.view(-1, extent).long())
    t, h, w = regions
    region = 4 * t[time][:, None, None] + 2 * h[:, None, None, :, None] + w[:, None, None, :]
    region = region.flatten(2).flatten(0, 1)[spaces]
    return (region[:, :, None] != region[:, None, :]).float()


def _size3(size: Iterable[int]) -> Size3:
    t, h, w = size
    return t, h, w


def _init_weights(module: nn.Module) -> None:
    """The paper's initialisation."""
    if isinstance(module, nn.Linear):
        nn.init.trunc_normal_(module.weight, std=0.02)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
