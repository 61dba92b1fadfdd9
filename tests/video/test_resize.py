"""The numpy interpolation against torch's, which the official pipeline uses."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional

from cover.video import FragmentView, ViewSpec, WholeView, load_views
from cover.video.resize import enlarged_size, enlargement, resize, sample_enlarged, taps, whole_taps
from cover.video.views import FragmentSampler
from tests.helpers.clips import noise_frame

# torch blends in float32 with fused multiply-adds on the machines we know, and so do we: no value differs there.
# A build of torch that rounds once more may put a value that lies on an edge on its other side.
TIES = 1e-5


def _planar(frame: np.ndarray) -> torch.Tensor:
    """(C, T, H, W) as the official code has it."""
    return torch.from_numpy(frame.copy()).permute(2, 0, 1)[:, None].contiguous()


def _assert_same_but_for_ties(ours: np.ndarray, theirs: torch.Tensor) -> None:
    expected = theirs[:, 0].permute(1, 2, 0).numpy()
    assert ours.shape == expected.shape
    difference = np.abs(ours.astype(int) - expected)
    assert difference.max(initial=0) <= 1
    assert (difference > 0).sum() <= max(TIES * difference.size, 1)


def _torch_resize(frame: np.ndarray, size: tuple[int, int]) -> torch.Tensor:
    return functional.interpolate(_planar(frame).float(), size=size, mode="bilinear").round().to(torch.uint8)


@pytest.mark.parametrize("size", [(224, 224), (512, 512), (100, 333)])
@pytest.mark.parametrize("shape", [(720, 1280), (1080, 1920), (352, 626), (144, 192), (16, 16), (17, 33), (1, 1)])
def test_resize_equals_torch(shape: tuple[int, int], size: tuple[int, int]) -> None:
    frame = noise_frame(sum(shape), *shape)
    _assert_same_but_for_ties(resize(frame, *whole_taps(*shape, *size)), _torch_resize(frame, size))


@given(st.integers(1, 300), st.integers(1, 300), st.integers(1, 300), st.integers(1, 300))
@settings(deadline=None, max_examples=50)
def test_resize_equals_torch_at_any_size(height: int, width: int, out_height: int, out_width: int) -> None:
    frame = noise_frame(height * width, height, width)
    ours = resize(frame, *whole_taps(height, width, out_height, out_width))
    theirs = functional.interpolate(_planar(frame).float(), size=(out_height, out_width), mode="bilinear")
    # What does not fill torch's vectors is blended without fused multiply-adds, so that ties may round otherwise
    # (levels near 255 are known to 3e-5 there, and two blends add up).
    assert np.abs(ours - theirs[:, 0].permute(1, 2, 0).numpy()).max() <= 0.5 + 1e-3


def _torch_enlarge(frame: np.ndarray, side: int) -> torch.Tensor:
    ratio = min(frame.shape[0] / side, frame.shape[1] / side)
    video = functional.interpolate(_planar(frame) / 255.0, scale_factor=1 / ratio, mode="bilinear")
    return (video * 255.0).to(torch.uint8)


@pytest.mark.parametrize("shape", [(144, 192), (200, 1000), (17, 33), (1, 1), (1, 60), (223, 224), (100, 100)])
def test_enlargement_equals_torch(shape: tuple[int, int]) -> None:
    frame = noise_frame(sum(shape), *shape)
    whole = _torch_enlarge(frame, 224)
    height, width = enlarged_size(*shape, 224, 32)
    assert tuple(whole.shape[-2:]) == (height, width)
    rows, columns = np.mgrid[:height, :width]
    scale = 1 / enlargement(*shape, 224)
    ours = sample_enlarged(frame, taps(rows, shape[0], scale), taps(columns, shape[1], scale))
    _assert_same_but_for_ties(ours, whole)


@pytest.mark.parametrize("shape", [(720, 1280), (224, 224), (230, 225), (144, 192), (50, 400), (17, 33), (1, 1)])
def test_fragments_are_crops_tiled(shape: tuple[int, int]) -> None:
    view = FragmentView(1, 1)
    frame = noise_frame(3, *shape)
    full = frame if min(shape) >= view.size else _torch_enlarge(frame, view.size)[:, 0].permute(1, 2, 0).numpy()
    height, width = full.shape[:2]
    rng = np.random.default_rng(0)
    offsets_h = rng.integers(0, max(height // 7 - 32, 1), (7, 7))
    offsets_w = rng.integers(0, max(width // 7 - 32, 1), (7, 7))
    expected = np.zeros((224, 224, 3), dtype=np.uint8)
    for i in range(7):
        for j in range(7):
            top = min(height // 7 * i, height - 32) + offsets_h[i, j]
            left = min(width // 7 * j, width - 32) + offsets_w[i, j]
            expected[32 * i : 32 * i + 32, 32 * j : 32 * j + 32] = full[top : top + 32, left : left + 32]
    ours = FragmentSampler(view, offsets_h, offsets_w, *shape)(frame)
    assert (ours != expected).mean() <= TIES


def test_a_long_thin_frame_is_not_enlarged_as_a_whole() -> None:
    frames = noise_frame(0, 2, 4000).reshape(2, 1, 4000, 3)  # enlarged it would be 224 x 896000 px
    spec = ViewSpec(WholeView(2, 1, size=8), FragmentView(2, 2), WholeView(2, 2, size=8))
    assert load_views(frames, spec).views[0]["technical"].shape == (3, 4, 224, 224)
