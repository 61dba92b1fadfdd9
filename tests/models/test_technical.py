"""The technical branch is torchvision's Video Swin but for the gated bias, which follows its formula."""

import itertools

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torchvision.models.video.swin_transformer import ShiftedWindowAttention3d, SwinTransformer3d

from cover.models import TechnicalBackbone
from cover.models.technical import WindowAttention3d

DIM, HEADS, WINDOW, SHIFT = 8, 2, (2, 3, 3), (1, 1, 1)


def attention(gated: bool, shift: tuple[int, int, int] = SHIFT) -> WindowAttention3d:
    torch.manual_seed(0)
    module = WindowAttention3d(DIM, WINDOW, shift, HEADS, gated=gated).eval()
    for parameter in module.parameters():  # biases and tables large enough to matter
        torch.nn.init.normal_(parameter, std=0.7)
    return module


@settings(max_examples=40, deadline=None)
@given(
    size=st.tuples(st.integers(1, 5), st.integers(1, 8), st.integers(1, 8)),
    shift=st.sampled_from([(0, 0, 0), SHIFT]),
)
def test_plain_attention_equals_torchvision(size: tuple[int, int, int], shift: tuple[int, int, int]) -> None:
    ours = attention(gated=False, shift=shift)
    theirs = ShiftedWindowAttention3d(DIM, list(WINDOW), list(shift), HEADS).eval()
    theirs.load_state_dict(ours.state_dict(), strict=False)
    x = torch.randn(2, *size, DIM, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        torch.testing.assert_close(ours(x), theirs(x), atol=1e-5, rtol=1e-4)


def slow_gated_attention(module: WindowAttention3d, x: Tensor) -> Tensor:
    """Gated attention of one clip token by token, as the formula reads; ``x`` (T, H, W, C)."""
    size = x.shape[:3]
    window = [min(w, s) for w, s in zip(WINDOW, size, strict=True)]
    shift = [m if s > w else 0 for m, s, w in zip(module.shift_size, size, WINDOW, strict=True)]
    padded = [-(-s // w) * w for s, w in zip(size, window, strict=True)]
    tokens = torch.zeros(*padded, DIM)
    tokens[: size[0], : size[1], : size[2]] = x
    place_in_full_window = list(itertools.product(*map(range, WINDOW)))

    out = torch.zeros(*padded, DIM)
    for corner in itertools.product(*(range(0, p, w) for p, w in zip(padded, window, strict=True))):
        inside = list(itertools.product(*map(range, window)))
        shifted = [tuple(c + i for c, i in zip(corner, inner, strict=True)) for inner in inside]
        source = [tuple((s + m) % p for s, m, p in zip(at, shift, padded, strict=True)) for at in shifted]
        wrapped = [tuple(s + m >= p for s, m, p in zip(at, shift, padded, strict=True)) for at in shifted]
        cell = [(r * window[1] // padded[1], c * window[2] // padded[2]) for _, r, c in source]
        q, k, v = module.qkv(torch.stack([tokens[at] for at in source])).view(-1, 3, HEADS, DIM // HEADS).unbind(1)
        logits = torch.einsum("ihd,jhd->hij", q, k) * (DIM // HEADS) ** -0.5
        for i, j in itertools.product(range(len(inside)), repeat=2):
            row = 0
            for a, b, w in zip(place_in_full_window[i], place_in_full_window[j], WINDOW, strict=True):
                row = row * (2 * w - 1) + a - b + w - 1
            g = abs(cell[i][0] - cell[j][0]) + abs(cell[i][1] - cell[j][1])
            relative, fragment = module.relative_position_bias_table[row], module.fragment_position_bias_table[row]
            logits[:, i, j] += relative * g + fragment * (1 - g) - 100 * (wrapped[i] != wrapped[j])
        mixed = torch.einsum("hij,jhd->ihd", logits.softmax(-1), v).flatten(1)
        for at, value in zip(source, module.proj(mixed), strict=True):
            out[at] = value
    return out[: size[0], : size[1], : size[2]]


@pytest.mark.parametrize("shift", [(0, 0, 0), SHIFT], ids=["regular", "shifted"])
@pytest.mark.parametrize(
    "size", [(4, 6, 9), (5, 7, 4), (1, 6, 6), (2, 2, 2), (3, 3, 3), (1, 1, 1)], ids=lambda s: "x".join(map(str, s))
)
def test_gated_attention_follows_the_formula(size: tuple[int, int, int], shift: tuple[int, int, int]) -> None:
    module = attention(gated=True, shift=shift)
    x = torch.randn(2, *size, DIM, generator=torch.Generator().manual_seed(2))
    with torch.no_grad():
        expected = torch.stack([slow_gated_attention(module, clip) for clip in x])
        torch.testing.assert_close(module(x), expected, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("max_bias_elements", [1, 3 * HEADS * 18 * 18], ids=["one window", "three windows"])
def test_groups_of_windows_do_not_change_the_result(max_bias_elements: int, monkeypatch: pytest.MonkeyPatch) -> None:
    module, x = attention(gated=True), torch.randn(2, 5, 7, 10, DIM)
    with torch.no_grad():
        expected = module(x)
        monkeypatch.setattr(WindowAttention3d, "max_bias_elements", max_bias_elements)
        torch.testing.assert_close(module(x), expected, atol=1e-6, rtol=1e-5)


def test_without_gates_the_backbone_is_torchvision_s_with_its_state_dict_names() -> None:
    torch.manual_seed(0)
    sizes = {"embed_dim": 8, "depths": [1, 2], "num_heads": [1, 2], "window_size": [2, 3, 3], "patch_size": [2, 4, 4]}
    theirs = SwinTransformer3d(**sizes, num_classes=3).eval()
    ours = TechnicalBackbone(8, [1, 2], [1, 2], window=(2, 3, 3), gated_stages=0).eval()
    missing, unexpected = ours.load_state_dict(theirs.state_dict(), strict=False)
    assert missing == []
    assert {name.rsplit(".", 1)[-1] for name in unexpected} == {"relative_position_index", "weight", "bias"}
    assert all(name.endswith("index") or name.startswith("head.") for name in unexpected)
    x = torch.randn(1, 3, 7, 30, 44)  # nothing is a multiple of anything
    with torch.no_grad():
        expected = theirs.norm(theirs.features(theirs.patch_embed(x))).movedim(-1, 1)
        torch.testing.assert_close(ours(x), expected, atol=1e-5, rtol=1e-4)


def test_last_stage_alone_has_the_plain_bias() -> None:
    with torch.device("meta"):
        names = [name for name, _ in TechnicalBackbone().named_parameters() if "fragment_position" in name]
    assert len(names) == 2 + 2 + 6
    assert not any(name.startswith("features.6.") for name in names)


@pytest.mark.parametrize("frames", [1, 2, 9, 10, 18])
@pytest.mark.parametrize("side", [32, 96, 100])
def test_any_clip_length_and_size(frames: int, side: int) -> None:
    torch.manual_seed(0)
    backbone = TechnicalBackbone(4, [1, 1, 1, 1], [1, 1, 1, 1]).eval()
    with torch.inference_mode():
        features = backbone(torch.randn(1, 3, frames, side, side))
    assert features.shape == (1, 32, -(-frames // 2), -(-side // 32), -(-side // 32))
    assert features.isfinite().all()


def test_training_after_validation_in_inference_mode() -> None:
    """Lightning validates before it trains: nothing made in inference mode may live on into the backward pass."""
    torch.manual_seed(0)
    backbone, x = TechnicalBackbone(4, [2, 2], [1, 2]), torch.randn(1, 3, 20, 64, 64)
    with torch.inference_mode():
        backbone.eval()(x)
    backbone.train()(x)[:, 0].square().sum().backward()
    assert [name for name, p in backbone.named_parameters() if p.grad is None] == []


@pytest.mark.parametrize(
    ("sizes", "message"), [({"depths": [1, 1]}, "depths"), ({"heads": [5, 6, 12, 24]}, "must divide")]
)
def test_impossible_sizes_are_refused(sizes: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        TechnicalBackbone(**sizes)
