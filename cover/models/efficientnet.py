"""EfficientNet-Lite0 without its batch norms: they are folded into the convolutions, which then have biases.

Source: Tan and Le, "EfficientNet" (ICML 2019), in the "lite" form of Google's TPU repository
(github.com/tensorflow/tpu, ``models/official/efficientnet/lite``): no squeeze-and-excitation, ReLU6, stem and head of
fixed width. Convolutions have timm's names (``tf_efficientnet_lite0``), and a test compares the network with timm's;
importing timm would take longer than scoring a video.
"""

import math
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

NAME = "tf_efficientnet_lite0"
LITE_STATISTICS = (127.0, 127.0, 127.0), (128.0, 128.0, 128.0)
"""Mean and standard deviation of R, G, B on a 0..255 scale that its ImageNet weights were trained with."""

_STEM, _HEAD = 32, 1280
# Of each stage: blocks, kernel, stride of the first block, expansion, channels.
_STAGES = (
    (1, 3, 1, 1, 16),
    (2, 3, 2, 6, 24),
    (2, 5, 2, 6, 40),
    (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112),
    (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
)
CHANNELS = (*(stage[-1] for stage in _STAGES), _HEAD)
"""Channels of stages 0 to 6, and of the head behind them, which counts as stage 7."""
_EPSILON = 1e-3  # of its batch norms


class EfficientNetLite(nn.Module):
    """The stages of EfficientNet-Lite0 up to the last one that is asked for.

    Args:
        stages: Which to give, from 0 to 7, rising; 7 is the convolution behind the last stage, of 1280 channels.

    Raises:
        ValueError: There is no such stage.
    """

    def __init__(self, stages: Sequence[int]) -> None:
        super().__init__()
        numbers = sorted(set(stages))
        if not numbers or list(stages) != numbers or numbers[0] < 0 or numbers[-1] >= len(CHANNELS):
            raise ValueError(f"stages {list(stages)}: {NAME} has stages 0 to {len(CHANNELS) - 1}, to be named in order")
        self.stages = tuple(numbers)
        self.conv_stem = _SameConv(3, _STEM, 3, stride=2)
        self.blocks = nn.ModuleList()
        channels = _STEM
        for depth, kernel, stride, expansion, width in _STAGES[: numbers[-1] + 1]:
            stage = nn.ModuleList()
            for number in range(depth):
                step = stride if number == 0 else 1
                stage.append(
                    _SeparableBlock(channels, width, kernel, step)
                    if expansion == 1
                    else _InvertedBlock(channels, width, kernel, step, expansion)
                )
                channels = width
            self.blocks.append(stage)
        self.conv_head = nn.Conv2d(channels, _HEAD, 1) if numbers[-1] == len(_STAGES) else None

    def forward(self, images: Tensor) -> list[Tensor]:
        """Normalised RGB, float (B, 3, H, W) -> the maps of the stages asked for, (B, C, h, w) each."""
        x = _relu6(self.conv_stem(images.contiguous(memory_format=torch.channels_last)))
        maps = []
        for number, stage in enumerate(self.blocks):
            for block in stage.children():
                x = block(x)
            if number in self.stages:
                maps.append(x)
        if self.conv_head is not None:
            maps.append(_relu6(self.conv_head(x)))
        return maps


def _relu6(x: Tensor) -> Tensor:
    # In place where no gradient needs what was there: memory is what an early stage waits for.
    return functional.relu6(x, inplace=not torch.is_grad_enabled())


class _SeparableBlock(nn.Module):
    """A convolution of each channel by itself, and one across channels."""

    def __init__(self, channels: int, width: int, kernel: int, stride: int) -> None:
        super().__init__()
        self.conv_dw = _SameConv(channels, channels, kernel, stride, groups=channels)
        self.conv_pw = nn.Conv2d(channels, width, 1)
        self.skips = stride == 1 and channels == width

    def forward(self, x: Tensor) -> Tensor:
        y = self.conv_pw(_relu6(self.conv_dw(x)))
        return x + y if self.skips else y


class _InvertedBlock(nn.Module):
    """As :class:`_SeparableBlock`, between a convolution that widens and one that narrows."""

    def __init__(self, channels: int, width: int, kernel: int, stride: int, expansion: int) -> None:
        super().__init__()
        wide = channels * expansion
        self.conv_pw = nn.Conv2d(channels, wide, 1)
        self.conv_dw = _SameConv(wide, wide, kernel, stride, groups=wide)
        self.conv_pwl = nn.Conv2d(wide, width, 1)
        self.skips = stride == 1 and channels == width

    def forward(self, x: Tensor) -> Tensor:
        y = _relu6(self.conv_dw(_relu6(self.conv_pw(x))))
        y = self.conv_pwl(y)
        return x + y if self.skips else y


class _SameConv(nn.Conv2d):
    """A convolution padded as TensorFlow's "same": where the sum is odd, the end gets the larger half."""

    def __init__(self, channels: int, width: int, kernel: int, stride: int = 1, groups: int = 1) -> None:
        super().__init__(channels, width, kernel, stride, groups=groups, padding=kernel // 2 if stride == 1 else 0)

    def forward(self, x: Tensor) -> Tensor:
        (step, _), (kernel, _) = self.stride, self.kernel_size
        if step > 1:
            tall, wide = (max((math.ceil(size / step) - 1) * step + kernel - size, 0) for size in x.shape[2:])
            x = functional.pad(x, (wide // 2, wide - wide // 2, tall // 2, tall - tall // 2))
        return super().forward(x)


def folded(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Fold the batch norms of timm's ``tf_efficientnet_lite0`` into its convolutions.

    Args:
        state: The state dict of the whole network.

    Returns:
        Weights and biases of the convolutions, by the same names; the classifier is left out.

    Raises:
        KeyError: The state dict lacks a batch norm of a convolution.
    """
    result = {}
    for name, weight in state.items():
        if weight.ndim != 4:
            continue
        conv = name.removesuffix(".weight")
        norm = _norm_of(conv)
        scale = state[f"{norm}.weight"] / torch.sqrt(state[f"{norm}.running_var"] + _EPSILON)
        result[name] = weight * scale.view(-1, 1, 1, 1)
        result[f"{conv}.bias"] = state[f"{norm}.bias"] - state[f"{norm}.running_mean"] * scale
    return result


def _norm_of(conv: str) -> str:
    """Name the batch norm behind a convolution: timm numbers those of a block in the order of its convolutions."""
    if conv in ("conv_stem", "conv_head"):
        return {"conv_stem": "bn1", "conv_head": "bn2"}[conv]
    block, _, name = conv.rpartition(".")
    order = ("conv_dw", "conv_pw") if block.startswith("blocks.0.") else ("conv_pw", "conv_dw", "conv_pwl")
    return f"{block}.bn{order.index(name) + 1}"
