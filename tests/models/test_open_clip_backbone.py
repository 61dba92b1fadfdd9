"""An image tower of open_clip in place of the semantic branch's own."""

import json
from pathlib import Path

import pytest
import torch

from cover.config.build.model import build_model
from cover.errors import UsageError, WeightsError
from cover.models import COVER, OpenClipBackbone
from cover.weights import load_weights
from cover.weights.open_clip_weights import open_clip_state
from tests.helpers.tiny import infer_options

open_clip = pytest.importorskip("open_clip", reason="the towers are open_clip's")

NAME = "tiny-tower"
SIGLIP = "ViT-B-16-SigLIP2"


@pytest.fixture(scope="module", autouse=True)
def tower(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Register a tower of 32 px frames and 24 channels with open_clip."""
    config = {
        "embed_dim": 24,
        "vision_cfg": {"image_size": 32, "layers": 2, "width": 32, "head_width": 16, "patch_size": 16},
        "text_cfg": {"context_length": 4, "vocab_size": 8, "width": 16, "heads": 2, "layers": 1},
    }
    file = tmp_path_factory.mktemp("configs") / f"{NAME}.json"
    file.write_text(json.dumps(config))
    open_clip.add_model_config(file)


@pytest.fixture(scope="module")
def whole() -> torch.nn.Module:
    """A whole model of open_clip with random weights: image and text tower."""
    torch.manual_seed(0)
    return open_clip.create_model(NAME).eval()


@pytest.fixture
def file(whole: torch.nn.Module, tmp_path: Path) -> Path:
    torch.save(whole.state_dict(), tmp_path / "tower.pt")
    return tmp_path / "tower.pt"


def net(**semantic: object) -> dict[str, object]:
    """A small network whose semantic branch is the tower."""
    own = infer_options().model.net
    return {**own, "semantic": {"open_clip": NAME, "out_channels": own["semantic"]["output_dim"], **semantic}}


def test_a_frame_has_the_unit_vector_of_open_clip(whole: torch.nn.Module, file: Path) -> None:
    model = COVER(**net(pretrained=str(file), out_channels=None), gated=False)
    backbone = model.backbones["semantic"].eval()
    backbone.net.load_state_dict(open_clip_state(backbone))
    frames = torch.rand(2, 3, 3, 32, 32)
    with torch.no_grad():
        ours = backbone(frames)
        theirs = whole.encode_image(frames.transpose(1, 2).flatten(0, 1), normalize=True)
    assert torch.allclose(ours.transpose(1, 2).flatten(0, 1), theirs, atol=1e-6)


@pytest.mark.parametrize("size", [(32, 32), (48, 64), (16, 100)])
def test_frames_of_any_size_are_resized_to_the_tower(size: tuple[int, int]) -> None:
    backbone = OpenClipBackbone(NAME).eval()
    assert backbone(torch.rand(1, 3, 2, *size)).shape == (1, 24, 2)


@pytest.mark.parametrize("frames_per_chunk", [None, 1, 2, 5])
def test_chunks_change_no_vector(frames_per_chunk: int | None) -> None:
    torch.manual_seed(0)
    backbone = OpenClipBackbone(NAME, frames_per_chunk=frames_per_chunk).eval()
    torch.manual_seed(0)
    together = OpenClipBackbone(NAME, frames_per_chunk=100).eval()
    frames = torch.rand(1, 3, 5, 32, 32)
    with torch.no_grad():
        assert torch.allclose(backbone(frames), together(frames), atol=1e-6)


def test_a_projection_gives_the_channels_that_the_gates_need() -> None:
    model = COVER(**net())
    assert model.backbones["semantic"].out_channels == model.backbones["technical"].out_channels


def test_recomputing_gives_the_same_gradients() -> None:
    gradients = []
    for recompute in (False, True):
        torch.manual_seed(0)
        backbone = OpenClipBackbone(NAME, gradient_checkpointing=recompute)
        backbone(torch.ones(1, 3, 2, 32, 32)).square()[:, :3].sum().backward()
        gradients.append(backbone.net.conv1.weight.grad)
    assert torch.allclose(*gradients, atol=1e-7)


@pytest.mark.parametrize("name", [SIGLIP, "PE-Core-B-16"])
def test_towers_of_timm_inside_open_clip_are_built_without_values(name: str) -> None:
    with torch.device("meta"):
        backbone = OpenClipBackbone(name)
    stored = backbone.state_dict()
    assert all(tensor.is_meta for tensor in stored.values()) or not any(tensor.is_meta for tensor in stored.values())
    assert not any(buffer.is_meta and key not in stored for key, buffer in backbone.named_buffers())


def test_pixel_statistics_are_those_of_the_weights() -> None:
    with torch.device("meta"):
        assert OpenClipBackbone(SIGLIP).pixel_statistics == ((127.5,) * 3, (127.5,) * 3)
        assert OpenClipBackbone("ViT-B-32").pixel_statistics[0][0] == pytest.approx(122.77, abs=0.01)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"open_clip": "ViT-B-16-SigLIP3"}, "open_clip has no model 'ViT-B-16-SigLIP3'; did you mean"),
        ({"open_clip": "hf-hub:somebody/net"}, "open_clip has no model 'hf-hub:somebody/net'"),
        ({"tag": "webly"}, "open_clip has no weights of tiny-tower called 'webly'"),
        ({"frames_per_chunk": 0}, "frames_per_chunk must be at least 1, not 0"),
    ],
)
def test_impossible_options_are_named(arguments: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        COVER(**net(**arguments))


def test_other_branches_take_no_tower() -> None:
    with pytest.raises(ValueError, match="technical: open_clip= is for the semantic branch"):
        COVER(technical={"open_clip": NAME})


def test_training_starts_from_the_file(whole: torch.nn.Module, file: Path, tmp_path: Path) -> None:
    timm = pytest.importorskip("timm", reason="the other branches are timm's here")
    torch.save(timm.create_model("test_efficientnet").state_dict(), tmp_path / "network.pth")
    other = {"timm": "test_efficientnet", "out_channels": 32, "pretrained": str(tmp_path / "network.pth")}
    semantic = {"open_clip": NAME, "out_channels": 32, "pretrained": str(file)}
    with torch.device("meta"):
        model = COVER(semantic=semantic, technical=other, aesthetic=other)
    load_weights(model, "pretrained")
    tower = model.backbones["semantic"].net.state_dict()
    assert tower.keys() == whole.visual.state_dict().keys()
    assert all(torch.equal(tensor, tower[name]) for name, tensor in whole.visual.state_dict().items())
    assert not any(tensor.is_meta for tensor in model.state_dict().values())


@pytest.mark.parametrize("content", ["other", "cut", None])
def test_a_wrong_file_is_one_line(content: str | None, tmp_path: Path, file: Path) -> None:
    where = tmp_path / "wrong.pt"
    if content == "other":
        torch.save({"text.weight": torch.ones(1)}, where)
    elif content == "cut":
        where.write_bytes(file.read_bytes()[:1000])
    with pytest.raises(WeightsError, match=r"wrong\.pt"):
        open_clip_state(OpenClipBackbone(NAME, pretrained=str(where)))


def test_a_model_without_listed_weights_asks_for_a_file() -> None:
    with pytest.raises(
        WeightsError,
        match=r"open_clip lists no weights of this model; give a file: \+\+model\.net\.semantic\.pretrained=",
    ):
        open_clip_state(OpenClipBackbone(NAME))


def test_a_failed_download_is_one_line_with_the_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object, **__: object) -> None:
        raise OSError("no route\nto host")

    monkeypatch.setattr(open_clip, "download_pretrained", fails)
    with torch.device("meta"):
        backbone = OpenClipBackbone(SIGLIP)
    with pytest.raises(
        WeightsError, match=r"cannot get its weights 'webli' \(no route to host\); on a machine"
    ) as error:
        open_clip_state(backbone)
    assert "\n" not in str(error.value)


def test_options_name_a_tower_and_leave_the_published_one_as_it_was() -> None:
    options = infer_options("model=cover", f"model.net.semantic.open_clip={NAME}", "weights=random")
    assert options.model.net["semantic"]["open_clip"] == NAME
    assert "open_clip" not in infer_options("model=cover").model.net["semantic"]
    with pytest.raises(UsageError, match="semantic has 24"):
        build_model(options)
