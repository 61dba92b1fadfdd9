"""EfficientNet-Lite0 without batch norms, compared with timm's, and batch norms that are folded elsewhere."""

from collections.abc import Sequence
from typing import Any

import pytest
import torch
from torch import nn

from cover.models import FrameBackbone
from cover.models.efficientnet import CHANNELS, NAME, EfficientNetLite, folded
from cover.models.folding import fold_batch_norms

timm = pytest.importorskip("timm", reason="the networks are compared with timm's")


def lively(network: nn.Module) -> Any:
    """The network with batch norms that do something."""
    draw = torch.Generator().manual_seed(0)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            for tensor, low, high in (
                (module.running_mean, -0.3, 0.3),
                (module.running_var, 0.5, 2),
                (module.weight.data, 0.5, 1.5),
                (module.bias.data, -0.3, 0.3),
            ):
                assert tensor is not None
                tensor.copy_(low + (high - low) * torch.rand(tensor.shape, generator=draw))
    return network.eval()


@pytest.mark.parametrize("size", [(64, 64), (75, 101)])
def test_every_stage_is_timms(size: tuple[int, int]) -> None:
    torch.manual_seed(0)
    theirs, ours = lively(timm.create_model(NAME)), EfficientNetLite(range(len(CHANNELS)))
    ours.load_state_dict(folded(theirs.state_dict()))
    images = torch.randn(2, 3, *size)
    with torch.no_grad():
        x = theirs.bn1(theirs.conv_stem(images))
        expected = [x := stage(x) for stage in theirs.blocks]
        expected.append(theirs.bn2(theirs.conv_head(x)))
        for found, wanted, channels in zip(ours(images), expected, CHANNELS, strict=True):
            assert found.shape[1] == channels
            torch.testing.assert_close(found, wanted, rtol=1e-3, atol=1e-4 * float(wanted.abs().max()))


def test_a_gradient_changes_no_feature() -> None:
    torch.manual_seed(0)
    network, images = EfficientNetLite([0, 2]), torch.randn(1, 3, 48, 48)
    learning = network(images)
    with torch.no_grad():
        for found, wanted in zip(network(images), learning, strict=True):
            torch.testing.assert_close(found, wanted)
    sum(map_.sum() for map_ in learning).backward()
    assert network.conv_stem.weight.grad is not None


@pytest.mark.parametrize("stages", [[], [2, 1], [0, 0], [8], [-1]])
def test_stages_that_there_are_not(stages: Sequence[int]) -> None:
    with pytest.raises(ValueError, match=r"technical: stages .* has stages 0 to 7, to be named in order"):
        FrameBackbone("technical", NAME, stages=stages)


class TestBackbone:
    def test_channels_as_they_are(self) -> None:
        backbone = FrameBackbone("technical", NAME, stages=[0, 1], out_channels=None, spread=True, moment=1, grid=2)
        view = torch.rand(2, 3, 3, 64, 64)
        features = backbone(view)
        assert features.shape == (2, 2 * (16 + 24), 3, 2, 2)
        assert backbone.out_channels == features.shape[1]

    def test_the_spread_is_how_far_a_cell_is_from_its_frame(self) -> None:
        backbone = FrameBackbone("technical", NAME, stages=[1], out_channels=None, spread=True, moment=1, grid=4).eval()
        with torch.no_grad():
            features = backbone(torch.rand(1, 3, 1, 64, 64))[0, :, 0]
        means, spread = features.chunk(2)
        torch.testing.assert_close(spread, (means - means.mean((1, 2), keepdim=True)).abs())

    def test_semantic_vectors_without_gates_keep_their_length(self) -> None:
        backbone = FrameBackbone("semantic", NAME, stages=[5], out_channels=None)
        assert backbone(torch.rand(1, 3, 2, 64, 64)).shape == (1, CHANNELS[5], 2)

    def test_recomputing_activations_changes_no_gradient(self) -> None:
        view, gradients = torch.rand(1, 3, 2, 64, 64), []
        for recompute in (False, True):
            torch.manual_seed(0)
            backbone = FrameBackbone(
                "technical", NAME, stages=[1], out_channels=8, gradient_checkpointing=recompute, grid=2
            )
            backbone(view).sum().backward()
            gradients.append(backbone.net.conv_stem.weight.grad)
        torch.testing.assert_close(*gradients)


class TestFolding:
    @pytest.mark.parametrize("name", ["resnet18", "test_efficientnet", "mobilenetv3_small_050"])
    def test_the_features_stay(self, name: str) -> None:
        torch.manual_seed(0)
        network = lively(timm.create_model(name, features_only=True))
        quick = fold_batch_norms(network)
        assert not any(isinstance(module, nn.BatchNorm2d) for module in quick.modules())
        images = torch.randn(2, 3, 96, 96)
        with torch.no_grad():
            for found, wanted in zip(quick(images), network(images), strict=True):
                torch.testing.assert_close(found, wanted, rtol=1e-3, atol=1e-4 * float(wanted.abs().max()))
        assert any(isinstance(module, nn.BatchNorm2d) for module in network.modules())  # it is left as it is

    def test_a_network_of_one_size_without_batch_norms_is_left(self) -> None:
        backbone = FrameBackbone("semantic", "vit_tiny_patch16_224", stages=[2], out_channels=8)
        network = backbone.net
        backbone.fold_batch_norms()
        assert backbone.net is network

    def test_a_convolution_that_something_else_sees_is_left(self) -> None:
        class Forked(nn.Module):
            def __init__(self) -> None:
                super().__init__()
                self.conv, self.norm = nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4)

            def forward(self, x: torch.Tensor) -> torch.Tensor:
                y = self.conv(x)
                return y + self.norm(y)

        network = lively(Forked())
        assert fold_batch_norms(network) is network
