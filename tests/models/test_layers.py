"""Our building blocks against the libraries they stand in for: same names, same initial values, same numbers."""

import pytest
import timm.layers
import torch
import torchvision
from open_clip.transformer import QuickGELU, VisionTransformer
from torch import nn
from torchvision.models.swin_transformer import PatchMerging as TheirPatchMerging
from torchvision.models.swin_transformer import SwinTransformerBlock
from torchvision.models.video.swin_transformer import PatchEmbed3d as TheirPatchEmbed3d

from cover.models.layers import DropPath, ImageTower, Mlp, PatchEmbed3d, PatchMerging
from cover.models.technical import SwinBlock


def same_start(ours: nn.Module, theirs: nn.Module) -> None:
    first, second = ours.state_dict(), theirs.state_dict()
    assert list(first) == list(second)
    assert all(torch.equal(first[name], second[name]) for name in first)


def seeded(make: object, *arguments: object, **options: object) -> nn.Module:
    torch.manual_seed(0)
    return make(*arguments, **options)  # type: ignore[operator]


def test_the_image_tower_is_open_clips() -> None:
    theirs = seeded(VisionTransformer, 8, 8, 32, 2, 4, 4.0, output_dim=24, act_layer=QuickGELU)
    del theirs.positional_embedding
    same_start(seeded(ImageTower, 32, 2, 4, 8, 24, 4.0), theirs)


def test_the_mlp_is_timms() -> None:
    ours, theirs = seeded(Mlp, 12, 48), seeded(timm.layers.Mlp, 12, 48)
    same_start(ours, theirs)
    x = torch.randn(3, 5, 12)
    assert torch.equal(ours(x), theirs(x))


@pytest.mark.parametrize("shape", [(2, 3, 5, 9, 8), (1, 3, 4, 8, 12)])
def test_the_patch_embedding_is_torchvisions(shape: tuple[int, ...]) -> None:
    theirs = seeded(TheirPatchEmbed3d, [2, 4, 4], embed_dim=12, norm_layer=nn.LayerNorm)
    ours = seeded(PatchEmbed3d, (2, 4, 4), 12)
    same_start(ours, theirs)
    frames = torch.randn(shape)
    assert torch.equal(ours(frames), theirs(frames))


@pytest.mark.parametrize("size", [(4, 6), (5, 7)])
def test_patch_merging_is_torchvisions(size: tuple[int, int]) -> None:
    ours, theirs = seeded(PatchMerging, 8), seeded(TheirPatchMerging, 8)
    same_start(ours, theirs)
    x = torch.randn(2, 3, *size, 8)
    torch.testing.assert_close(ours(x), theirs(x))


def test_the_swin_block_is_torchvisions() -> None:
    def attention(*_: object, **__: object) -> nn.Module:
        return nn.Linear(16, 16)

    ours = seeded(lambda: SwinBlock(16, attention()))
    theirs = seeded(SwinTransformerBlock, 16, 2, [2, 2, 2], [0, 0, 0], attn_layer=attention)
    same_start(ours, theirs)
    x = torch.randn(2, 2, 4, 4, 16)
    torch.testing.assert_close(ours(x), theirs(x))


@pytest.mark.parametrize("rate", [0.0, 0.3, 1.0])
def test_stochastic_depth_is_torchvisions(rate: float) -> None:
    theirs = torchvision.ops.StochasticDepth(rate, "row").train()
    x = torch.randn(64, 3, 2)
    torch.manual_seed(0)
    expected = theirs(x)
    torch.manual_seed(0)
    torch.testing.assert_close(DropPath(rate).train()(x), expected)
    assert torch.equal(DropPath(rate).eval()(x), x)
