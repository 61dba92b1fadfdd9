"""Bounding the memory of inference."""

from collections.abc import Callable

import torch
from torch import Tensor

PIECES = 8


def in_pieces(function: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    """Apply a function that treats every place by itself, such as an MLP, to one piece of a feature map after another.

    With autograd on, which keeps what is in between anyway, the map is taken as a whole.

    Args:
        function: From (..., C) to (..., C).
        x: Channels-last features, (B, T, H, W, C).

    Returns:
        What ``function(x)`` returns, within rounding.
    """
    if torch.is_grad_enabled():
        return function(x)
    return torch.cat([function(piece) for piece in x.chunk(PIECES, dim=2)], dim=2)
