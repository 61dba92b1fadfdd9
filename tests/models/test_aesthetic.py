"""The aesthetic branch is ConvNeXt, which a clip without motion across its kernels shows."""

import pytest
import timm
import torch

from cover.models import AestheticBackbone


def test_one_frame_kernels_equal_timm_s_image_convnext() -> None:
    torch.manual_seed(0)
    depths, dims = [1, 2, 1, 1], [4, 8, 12, 16]
    image = timm.models.convnext.ConvNeXt(depths=depths, dims=dims, ls_init_value=0.5).eval()
    video = AestheticBackbone(depths, dims, temporal_kernels=[1], layer_scale=0.5).eval()
    state = {}
    for name, tensor in image.state_dict().items():
        for theirs, ours in {
            "stem.0": "stem.conv",
            "stem.1": "stem.norm",
            **{f"stages.{i + 1}.downsample.0": f"downsamples.{i}.norm" for i in range(3)},
            **{f"stages.{i + 1}.downsample.1": f"downsamples.{i}.conv" for i in range(3)},
            ".blocks.": ".",
            "conv_dw": "depthwise",
            "head.norm": "norm",
        }.items():
            name = name.replace(theirs, ours)
        state[name] = tensor.unsqueeze(2) if tensor.ndim == 4 else tensor
    state = {name: state[name] for name in video.state_dict()}
    state["stem.conv.weight"] = state["stem.conv.weight"].expand(-1, -1, 2, -1, -1) / 2  # the mean of two frames
    video.load_state_dict(state)
    clip = torch.randn(2, 3, 1, 64, 96).expand(-1, -1, 6, -1, -1)
    with torch.no_grad():
        expected = image.forward_features(clip[:, :, 0]).movedim(1, -1)
        expected = torch.nn.functional.layer_norm(expected, (16,), video.norm.weight, video.norm.bias, 1e-6)
        features = video(clip)
    assert features.shape == (2, 16, 3, 2, 3)
    torch.testing.assert_close(features, expected.movedim(-1, 1)[:, :, None].expand_as(features), atol=1e-5, rtol=1e-4)


def test_only_some_blocks_look_across_frames() -> None:
    with torch.device("meta"):
        backbone = AestheticBackbone()
    kernels = [[block.depthwise.kernel_size[0] for block in stage] for stage in backbone.stages]
    assert kernels == [[1, 3, 1], [1, 3, 1], [1, 3, 1, 1, 3, 1, 1, 3, 1], [1, 3, 1]]


@pytest.mark.parametrize(
    ("sizes", "message"), [({"depths": [1, 1]}, "same stages"), ({"temporal_kernels": [1, 2]}, "odd")]
)
def test_impossible_sizes_are_refused(sizes: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        AestheticBackbone(**sizes)
