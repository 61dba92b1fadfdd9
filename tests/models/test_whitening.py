"""Patch embeddings that start as whitening filters."""

import pytest
import torch
from scipy import ndimage
from torch import Tensor, nn

from cover.models import whiten_


@pytest.fixture(scope="module")
def clips() -> Tensor:
    """Smooth noise, whose neighbouring pixels are alike as those of pictures are."""
    noise = torch.randn(4, 3, 4, 64, 64, generator=torch.Generator().manual_seed(0))
    return torch.from_numpy(10 * ndimage.gaussian_filter(noise.numpy(), (0, 0, 1, 1, 1)) + 1)


@pytest.mark.parametrize(
    "embedding", [nn.Conv3d(3, 16, (2, 4, 4), (2, 4, 4)), nn.Conv2d(3, 16, 4, 4, bias=False)], ids=["3-D", "2-D"]
)
def test_outputs_are_uncorrelated_and_of_one_variance(embedding: nn.Conv2d | nn.Conv3d, clips: Tensor) -> None:
    whiten_(embedding, clips)
    with torch.no_grad():
        tokens = embedding(clips if isinstance(embedding, nn.Conv3d) else clips.transpose(1, 2).flatten(0, 1))
    tokens = tokens.movedim(1, -1).flatten(0, -2)
    torch.testing.assert_close(tokens.T.cov(), torch.eye(16), atol=0.05, rtol=0)
    if embedding.bias is not None:
        torch.testing.assert_close(tokens.mean(0), torch.zeros(16), atol=0.01, rtol=0)


def test_what_hardly_varies_is_not_blown_up(clips: Tensor) -> None:
    embedding = nn.Conv3d(3, 96, (2, 4, 4), (2, 4, 4))
    flat = clips[:, :, :, :1, :1].expand_as(clips)  # of 96 components but six vary
    whiten_(embedding, flat)
    with torch.no_grad():
        variances = embedding(flat).movedim(1, -1).flatten(0, -2).var(0)
    assert (variances > 0.9).sum() == 6
    assert variances.isfinite().all()


def test_more_channels_than_values(clips: Tensor) -> None:
    with pytest.raises(ValueError, match="97 channels cannot whiten patches of 96 values"):
        whiten_(nn.Conv3d(3, 97, (2, 4, 4), (2, 4, 4)), clips)
