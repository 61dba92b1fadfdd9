"""Semantic branch: the image tower of CLIP ViT-L/14, run on every frame by itself.

Source: COVER (He et al., CVPRW 2024; github.com/taco-group/COVER at 7373bee, ``cover/models/evaluator.py``) on top of
"Learning Transferable Visual Models From Natural Language Supervision" (Radford et al., 2021). State-dict names are
OpenAI's; the forward pass reads nothing but the class token, as it is 98 % of COVER's arithmetic.
"""

import math
from typing import Literal, cast

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.checkpoint import checkpoint

from cover.models.layers import AttentionBlock, ImageTower

QUICK_GELU_SLOPE = 1.702  # QuickGELU(x) = x * sigmoid(1.702 x), the approximation OpenAI trained CLIP with
MLP_TOKENS = 512  # of 4096 float32 hidden channels: 8 MB


class SemanticBackbone(nn.Module):
    """CLIP image tower without positional embedding: one unit vector for each frame.

    As COVER does not add the positional embedding, the tower takes frames of any size and the embedding is no part of
    ``visual``'s state dict (OpenAI's files have one: it is an unused key).

    Args:
        width: Channels of the tokens.
        layers: Number of transformer blocks, at least 1.
        heads: Attention heads; divides ``width``.
        patch: Side of a square patch in pixels; what a frame has beyond a multiple of it is cut off.
        output_dim: Channels of the result.
        mlp_ratio: Hidden width of the MLPs as a multiple of ``width``.
        frames_per_chunk: How many frames go through the tower together, which bounds the memory of inference; unless
            given, one on a CPU, where more is slower, and 16 elsewhere.
        gradient_checkpointing: Recompute each block in the backward pass instead of keeping its activations.

    Raises:
        ValueError: A size is impossible.
    """

    def __init__(
        self,
        width: int = 1024,
        layers: int = 24,
        heads: int = 16,
        patch: int = 14,
        output_dim: int = 768,
        mlp_ratio: float = 4.0,
        frames_per_chunk: int | None = None,
        gradient_checkpointing: bool = False,
    ) -> None:
        super().__init__()
        if layers < 1 or width % heads:
            raise ValueError(f"semantic: layers must be at least 1 and heads ({heads}) must divide width ({width})")
        if frames_per_chunk is not None and frames_per_chunk < 1:
            raise ValueError(f"semantic: frames_per_chunk must be at least 1, not {frames_per_chunk}")
        self.heads = heads
        self.patch = patch
        self.out_channels = output_dim
        self.frames_per_chunk = frames_per_chunk
        self.gradient_checkpointing = gradient_checkpointing
        self.visual = ImageTower(width, layers, heads, patch, output_dim, mlp_ratio)

    @property
    def patch_embedding(self) -> nn.Conv2d:
        """The convolution that makes tokens of pixels."""
        return self.visual.conv1

    def forward(self, frames: Tensor) -> Tensor:
        """Describe each frame by one vector.

        Args:
            frames: Normalised RGB, float (B, 3, T, H, W), H and W at least ``patch``.

        Returns:
            Unit vectors, float (B, ``out_channels``, T).

        Raises:
            ValueError: The frames are smaller than a patch.
        """
        batch, _, length, height, width = frames.shape
        if min(height, width) < self.patch:
            raise ValueError(f"semantic: frames of {width}x{height} px are smaller than a patch ({self.patch} px)")
        images = frames.transpose(1, 2).flatten(0, 1)
        chunk = self.frames_per_chunk or (1 if images.is_cpu else 16)
        vectors = torch.cat([self._encode(some) for some in images.split(chunk)])
        return functional.normalize(vectors, dim=-1).view(batch, length, -1).transpose(1, 2)

    def _encode(self, images: Tensor) -> Tensor:
        """Images (N, 3, H, W) -> projected class tokens (N, out_channels)."""
        visual = self.visual
        patches = visual.conv1(images).flatten(2).transpose(1, 2)
        class_token = visual.class_embedding.expand(len(images), 1, -1)
        # Under autocast the residual stream stays in the parameters' precision, as only products are worth halving.
        x = visual.ln_pre(torch.cat([class_token, patches.to(class_token.dtype)], dim=1))
        *blocks, last = cast("list[AttentionBlock]", list(visual.transformer.resblocks))
        for block in blocks:
            x = self._run(block, x, "all")
        x = self._run(last, x, "class")
        return visual.ln_post(x[:, 0]) @ visual.proj

    def _run(self, block: AttentionBlock, x: Tensor, tokens: Literal["all", "class"]) -> Tensor:
        if self.gradient_checkpointing and torch.is_grad_enabled():
            return checkpoint(self._block, block, x, tokens, use_reentrant=False)
        return self._block(block, x, tokens)

    def _block(self, block: AttentionBlock, x: Tensor, tokens: Literal["all", "class"]) -> Tensor:
        """One pre-norm transformer block; ``tokens="class"`` computes its first token only: (N, L, C) -> (N, 1, C)."""
        attended = self._attention(block.attn, block.ln_1(x), tokens)
        x = _add(x[:, : attended.shape[1]], attended)
        return _add(x, _mlp(block.mlp.c_fc, block.mlp.c_proj, block.ln_2(x)))

    def _attention(self, attention: nn.MultiheadAttention, x: Tensor, tokens: Literal["all", "class"]) -> Tensor:
        weight, bias = attention.in_proj_weight, attention.in_proj_bias
        channels = x.shape[-1]
        if tokens == "all":
            q, k, v = _linear(x, weight, bias).chunk(3, dim=-1)
        else:
            q = _linear(x[:, :1], weight[:channels], bias[:channels])
            k, v = _linear(x, weight[channels:], bias[channels:]).chunk(2, dim=-1)
        q, k, v = (part.unflatten(-1, (self.heads, -1)).transpose(1, 2) for part in (q, k, v))
        x = functional.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2)
        return _linear(x, attention.out_proj.weight, attention.out_proj.bias)


def _add(x: Tensor, update: Tensor) -> Tensor:
    """Residual sum, in place where autograd does not look on: the stream is large and used once."""
    return x + update if torch.is_grad_enabled() else x.add_(update)


def _mlp(c_fc: nn.Linear, c_proj: nn.Linear, x: Tensor) -> Tensor:
    """The block's MLP, a few hundred tokens at a time in inference, so that the hidden layer stays in the cache."""
    tokens = x.flatten(0, 1)
    pieces = 1 if torch.is_grad_enabled() or not x.is_cpu else math.ceil(len(tokens) / MLP_TOKENS)
    out = []
    for piece in tokens.chunk(pieces):
        hidden = _quick_gelu(_linear(piece, c_fc.weight, c_fc.bias))
        out.append(_linear(hidden, c_proj.weight, c_proj.bias))
    return torch.cat(out).view(x.shape)


def _quick_gelu(x: Tensor) -> Tensor:
    """QuickGELU written as silu(1.702 x) / 1.702, which keeps less for the backward pass and can work in place."""
    if torch.is_grad_enabled():
        return functional.silu(QUICK_GELU_SLOPE * x) / QUICK_GELU_SLOPE
    return functional.silu(x.mul_(QUICK_GELU_SLOPE), inplace=True).div_(QUICK_GELU_SLOPE)


def _linear(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """A linear layer, by oneDNN's matrix product instead of MKL's in float32 inference on a CPU.

    Measured on an AMD Zen 4: 1.3 times as fast, the copies to oneDNN's layout and back included.
    ``torch.backends.mkldnn.flags(enabled=False)`` switches it off.
    """
    if (
        x.device.type == "cpu"
        and x.dtype == weight.dtype == torch.float32
        and not torch.is_grad_enabled()
        and not torch.is_autocast_enabled("cpu")
        and torch.backends.mkldnn.is_available()
        and torch.backends.mkldnn.enabled
    ):
        return functional.linear(x.to_mkldnn(), weight, bias).to_dense()
    return functional.linear(x, weight, bias)
