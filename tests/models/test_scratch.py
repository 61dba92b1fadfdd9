"""How small backbones start that are trained from nothing."""

import pytest
import torch
from scipy import ndimage
from torch import Tensor, nn
from torch.nn import functional

from cover.models import COVER, fan_in_, whiten_
from tests.helpers.tiny import tiny_model


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
        torch.testing.assert_close(tokens.mean(0), torch.tensor([1.0, -1.0]).repeat(8), atol=0.01, rtol=0)


def test_a_faint_patch_is_told_from_a_strong_one_after_a_layer_norm(clips: Tensor) -> None:
    embedding = nn.Conv3d(3, 16, (2, 4, 4), (2, 4, 4))
    whiten_(embedding, clips)
    mean = clips.mean((0, 2, 3, 4), keepdim=True)
    with torch.no_grad():
        strong, faint = (
            functional.layer_norm(embedding(mean + share * (clips - mean)).movedim(1, -1), (16,)) for share in (1, 0.25)
        )
    assert (strong - faint).square().mean() > 0.1


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


def test_layers_keep_variance() -> None:
    torch.manual_seed(0)
    for layer, inputs in (
        (nn.Linear(300, 200), torch.randn(500, 300)),
        (nn.Conv2d(12, 64, 5), torch.randn(4, 12, 20, 20)),
        (nn.Conv3d(32, 32, (3, 7, 7), groups=32), torch.randn(2, 32, 5, 20, 20)),
    ):
        nn.init.zeros_(layer.bias)
        fan_in_(nn.Sequential(layer))
        with torch.no_grad():
            assert layer(inputs).std() == pytest.approx(1, abs=0.1)


def test_norms_and_biases_stay() -> None:
    model: COVER = tiny_model()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    fan_in_(model.backbones["technical"])
    changed = {name for name, value in model.state_dict().items() if not torch.equal(value, before[name])}
    assert changed
    assert all(name.startswith("backbones.technical.") and name.endswith("weight") for name in changed)
    assert not [name for name in changed if "norm" in name]
