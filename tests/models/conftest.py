"""A model of every part's real code in sizes that run in milliseconds."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from cover.models import COVER

TINY = {
    "semantic": {"width": 32, "layers": 2, "heads": 2, "patch": 32, "output_dim": 64},
    "technical": {"embed_dim": 8, "depths": [1, 2, 1, 1], "heads": [1, 1, 2, 2]},
    "aesthetic": {"dims": [8, 16, 32, 64], "depths": [1, 2, 1, 1]},
}


@pytest.fixture
def tiny() -> COVER:
    """A tiny COVER in eval mode, the same in every test."""
    torch.manual_seed(0)
    return COVER(**TINY).eval()


@pytest.fixture
def make_views() -> Callable[..., dict[str, Tensor]]:
    """Normalised views of ``batch`` clips of ``frames`` semantic frames, or of still images if that is 1."""

    def make(batch: int = 1, frames: int = 2, side: int = 64) -> dict[str, Tensor]:
        generator = torch.Generator().manual_seed(batch * 100 + frames)
        other = 1 if frames == 1 else 2 * frames
        return {
            branch: torch.randn(batch, 3, length, side, side, generator=generator)
            for branch, length in {"semantic": frames, "technical": other, "aesthetic": other}.items()
        }

    return make
