"""The semantic branch does what CLIP's image tower does, whatever shortcut it takes."""

import pytest
import torch
from open_clip.transformer import QuickGELU, VisionTransformer
from torch import Tensor

from cover.models import SemanticBackbone, semantic

SIZES = {"width": 32, "layers": 3, "heads": 2, "patch": 8, "output_dim": 24}


@pytest.fixture
def backbone() -> SemanticBackbone:
    torch.manual_seed(0)
    return SemanticBackbone(**SIZES).eval()


@pytest.fixture
def clip() -> Tensor:
    return torch.randn(2, 3, 5, 24, 40, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("grad", [False, True], ids=["inference", "training"])
def test_equals_open_clip_without_positional_embedding(backbone: SemanticBackbone, clip: Tensor, grad: bool) -> None:
    visual = VisionTransformer(
        image_size=(24, 40), patch_size=8, width=32, layers=3, heads=2, mlp_ratio=4, output_dim=24, act_layer=QuickGELU
    ).eval()
    torch.nn.init.zeros_(visual.positional_embedding)
    missing, unexpected = visual.load_state_dict(backbone.visual.state_dict(), strict=False)
    assert missing == ["positional_embedding"]
    assert not unexpected
    with torch.no_grad():
        vectors = torch.stack([visual(clip[:, :, t]) for t in range(5)], dim=2)
        expected = vectors / vectors.norm(dim=1, keepdim=True)
    with torch.set_grad_enabled(grad):
        features = backbone(clip)
    assert features.shape == (2, 24, 5)
    torch.testing.assert_close(features, expected, atol=1e-6, rtol=1e-5)


def test_last_block_gives_the_class_token_what_the_full_block_gives_it(backbone: SemanticBackbone) -> None:
    block, x = backbone.visual.transformer.resblocks[-1], torch.randn(2, 9, 32)
    with torch.no_grad():
        full = backbone._block(block, x.clone(), "all")
        short = backbone._block(block, x.clone(), "class")
    torch.testing.assert_close(short, full[:, :1], atol=1e-6, rtol=1e-5)


@pytest.mark.parametrize("frames_per_chunk", [1, 3, 100])
def test_chunks_do_not_change_the_result(
    backbone: SemanticBackbone, clip: Tensor, frames_per_chunk: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    with torch.inference_mode():
        backbone.frames_per_chunk = 2
        expected = backbone(clip)
        backbone.frames_per_chunk = frames_per_chunk
        monkeypatch.setattr(semantic, "MLP_TOKENS", 7)
        torch.testing.assert_close(backbone(clip), expected, atol=1e-6, rtol=1e-5)


@pytest.mark.filterwarnings("ignore:TF32 acceleration")  # torch on its own flags
def test_onednn_does_not_change_the_result(backbone: SemanticBackbone, clip: Tensor) -> None:
    with torch.inference_mode():
        fast = backbone(clip)
        with torch.backends.mkldnn.flags(enabled=False):
            plain = backbone(clip)
    torch.testing.assert_close(fast, plain, atol=1e-6, rtol=1e-5)


def test_inference_leaves_its_input_alone(backbone: SemanticBackbone, clip: Tensor) -> None:
    before = clip.clone()
    with torch.inference_mode():
        backbone(clip)
    assert torch.equal(clip, before)


def test_no_parameter_is_left_without_a_gradient(backbone: SemanticBackbone, clip: Tensor) -> None:
    backbone(clip)[:, 0].sum().backward()
    assert [name for name, p in backbone.named_parameters() if p.grad is None or not p.grad.any()] == []


@pytest.mark.parametrize(
    ("sizes", "message"),
    [({"heads": 5}, "heads"), ({"layers": 0}, "layers"), ({"frames_per_chunk": 0}, "frames_per_chunk")],
)
def test_impossible_sizes_are_refused(sizes: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        SemanticBackbone(**{**SIZES, **sizes})


def test_frames_smaller_than_a_patch_are_refused(backbone: SemanticBackbone) -> None:
    with pytest.raises(ValueError, match="smaller than a patch"):
        backbone(torch.zeros(1, 3, 1, 24, 7))
