"""Loading weights with every name accounted for, and saving them."""

import json
import logging
import runpy
from pathlib import Path

import pytest
import safetensors.torch
import torch
from torch import nn

from cover.errors import WeightsError
from cover.weights import (
    PUBLISHED,
    load_weights,
    save_weights,
)
from cover.weights.keys import CLIP_RULES, CLIP_UNUSED, COVER_RULES, COVER_UNUSED, IMAGE_TOWER, rename
from tests.helpers.states import same


def entries(shared: Path, which: str) -> dict[str, tuple[int, ...]]:
    """Name -> shape of every floating-point entry of an official file."""
    listed = json.loads((shared / "reference" / f"{which}_state_dict.json").read_text())
    return {name: tuple(shape) for name, shape, dtype in listed if dtype.startswith("float")}


def test_every_official_name_is_one_of_ours_and_every_one_of_ours_has_one(shared):
    from cover.models import COVER

    with torch.device("meta"):
        needed = {name: tuple(tensor.shape) for name, tensor in COVER().state_dict().items()}
    mapped = {}
    for which, rules, unused in (("cover", COVER_RULES, COVER_UNUSED), ("clip_visual", CLIP_RULES, CLIP_UNUSED)):
        for name, shape in entries(shared, which).items():
            if not unused.fullmatch(name):
                ours = rename(name, rules)
                assert ours not in mapped, f"{name} and another name are both {ours}"
                mapped[ours] = shape
    assert mapped == needed


def test_unused_names_are_the_known_ones(shared):
    unused = [name for name in entries(shared, "cover") if COVER_UNUSED.fullmatch(name)]
    assert unused == [f"semantic_backbone.prompt_learner.{name}" for name in ("ctx", "token_prefix", "token_suffix")]
    assert [name for name in entries(shared, "clip_visual") if CLIP_UNUSED.fullmatch(name)] == [
        "visual.positional_embedding"
    ]


class Small(nn.Module):
    """A few of the published model's names, in other sizes."""

    def __init__(self) -> None:
        super().__init__()
        self.backbones = nn.ModuleDict(
            {
                "semantic": nn.ModuleDict({"visual": nn.ModuleDict({"ln_pre": nn.LayerNorm(3)})}),
                "technical": nn.ModuleDict({"norm": nn.LayerNorm(4)}),
                "aesthetic": nn.ModuleDict({"norm": nn.LayerNorm(5)}),
            }
        )
        self.heads = nn.ModuleDict({"semantic": nn.ModuleDict({"hidden": nn.Conv3d(3, 2, 1)})})


OFFICIAL = {
    "technical_backbone.norm.weight": torch.randn(4),
    "technical_backbone.norm.bias": torch.randn(4),
    "aesthetic_backbone.norm.weight": torch.randn(5),
    "aesthetic_backbone.norm.bias": torch.randn(5),
    "semantic_head.fc_hid.weight": torch.randn(2, 3, 1, 1, 1),
    "semantic_head.fc_hid.bias": torch.randn(2),
    "semantic_backbone.prompt_learner.ctx": torch.randn(2),
    "technical_backbone.layers.0.blocks.0.attn.relative_position_index": torch.arange(3),
}
TOWER = {"visual.ln_pre.weight": torch.randn(3).half(), "visual.ln_pre.bias": torch.randn(3).half()}
TEXT = {
    "transformer.resblocks.0.ln_1.weight": torch.randn(3),
    "visual.positional_embedding": torch.randn(3),
    "logit_scale": torch.ones(()),
}


@pytest.fixture
def official(tmp_path) -> Path:
    torch.save({"state_dict": OFFICIAL}, tmp_path / "COVER.pth")
    return tmp_path / "COVER.pth"


@pytest.fixture
def tower(tmp_path) -> Path:
    torch.save(TOWER | TEXT, tmp_path / "clip.pt")
    return tmp_path / "clip.pt"


@pytest.mark.parametrize("device", ["cpu", "meta"])
def test_two_official_files_fill_a_model(official, tower, device, caplog, files_read):
    with torch.device(device):
        model = Small().requires_grad_(False)
    load_weights(model, official, tower)
    state = model.state_dict()
    assert torch.equal(state["backbones.technical.norm.weight"], OFFICIAL["technical_backbone.norm.weight"])
    assert torch.equal(state["heads.semantic.hidden.bias"], OFFICIAL["semantic_head.fc_hid.bias"])
    assert torch.equal(state["backbones.semantic.visual.ln_pre.bias"], TOWER["visual.ln_pre.bias"].float())
    assert {(tensor.dtype, tensor.device.type) for tensor in state.values()} == {(torch.float32, "cpu")}
    assert not any(parameter.requires_grad for parameter in model.parameters())
    assert files_read == [official, tower]
    assert not caplog.records  # nothing in them is news


def test_the_model_does_not_change_with_the_file(official, tower):
    model = Small()
    load_weights(model, official, tower)
    official.write_bytes(bytes(official.stat().st_size))
    assert torch.equal(model.state_dict()["backbones.technical.norm.bias"], OFFICIAL["technical_backbone.norm.bias"])


def test_extra_names_get_one_line(tmp_path, tower, caplog):
    stray = {
        "semantic_backbone.image_encoder.visual.ln_pre.weight": torch.zeros(3),
        "smtc_gate_tech.Conv_9.bias": torch.zeros(3),
    }
    torch.save({"state_dict": OFFICIAL | stray}, tmp_path / "more.pth")
    load_weights(Small(), tmp_path / "more.pth", tower)
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    assert "more.pth: 2 names in it are not used: " + ", ".join(stray) in record.getMessage()


def without(state: dict, *names: str) -> dict:
    return {name: tensor for name, tensor in state.items() if name not in names}


def test_a_missing_name_is_an_error_that_names_it_and_the_file(tmp_path, official, tower):
    lacking = without(OFFICIAL, "technical_backbone.norm.bias", "semantic_head.fc_hid.bias")
    torch.save({"state_dict": lacking}, tmp_path / "less.pth")
    model = Small()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    names = "backbones.technical.norm.bias, heads.semantic.hidden.bias$"
    with pytest.raises(WeightsError, match=f"less.pth lacks 2 of the tensors the model needs: {names}"):
        load_weights(model, tmp_path / "less.pth", tower)
    assert same(model.state_dict(), before)
    torch.save(without(TOWER, "visual.ln_pre.bias"), tmp_path / "half.pt")
    with pytest.raises(WeightsError, match=r"half.pt lacks 1 of .*: backbones.semantic.visual.ln_pre.bias$"):
        load_weights(model, official, tmp_path / "half.pt")
    assert same(model.state_dict(), before)


def test_another_shape_is_an_error(tmp_path, tower):
    torch.save(OFFICIAL | {"technical_backbone.norm.weight": torch.zeros(7)}, tmp_path / "other.pth")
    with pytest.raises(WeightsError, match=r"other.pth: technical_backbone.norm.weight is \(7,\) .* \(4,\): .*model="):
        load_weights(Small(), tmp_path / "other.pth", tower)


def test_files_given_for_each_other(official, tower):
    with pytest.raises(WeightsError, match=r"clip.pt lacks 6 .*that is clip_weights=.*: .*, \.\.\.$"):
        load_weights(Small(), tower, official)
    with pytest.raises(WeightsError, match=r"COVER.pth lacks 2 .*backbones.semantic.visual.ln_pre"):
        load_weights(Small(), official, official)


@pytest.fixture
def no_downloads(monkeypatch):
    def fetch_nothing(*_: object) -> None:
        raise AssertionError("downloads")

    monkeypatch.setattr("cover.weights.origin.fetch", fetch_nothing)


def test_a_checkpoint_of_ours_needs_no_other_file(tmp_path, no_downloads, tower, caplog, files_read):
    model, copy = Small(), Small()
    save_weights(model, tmp_path / "ours.safetensors")
    load_weights(copy, tmp_path / "ours.safetensors")
    assert same(copy.state_dict(), model.state_dict())
    assert files_read == [tmp_path / "ours.safetensors"]
    with safetensors.safe_open(tmp_path / "ours.safetensors", "pt") as content:
        assert content.metadata() == {"format": "cover"}
    assert [left.name for left in tmp_path.glob("*ours*")] == ["ours.safetensors"]
    assert not caplog.records
    load_weights(copy, tmp_path / "ours.safetensors", tower)
    assert "clip.pt is not read" in caplog.text


def test_a_checkpoint_without_the_tower_takes_it_from_the_clip_file(tmp_path, tower):
    model = Small()
    state = {f"model.{name}": tensor for name, tensor in model.state_dict().items() if not name.startswith(IMAGE_TOWER)}
    torch.save({"state_dict": state, "pytorch-lightning_version": "2.6.0"}, tmp_path / "last.ckpt")
    copy = Small()
    load_weights(copy, tmp_path / "last.ckpt", tower)
    assert torch.equal(
        copy.state_dict()["heads.semantic.hidden.bias"], model.state_dict()["heads.semantic.hidden.bias"]
    )
    assert torch.equal(copy.state_dict()[f"{IMAGE_TOWER}ln_pre.bias"], TOWER["visual.ln_pre.bias"].float())


def test_a_clip_file_fills_nothing_but_the_tower(tmp_path, official, caplog):
    save_weights(Small(), tmp_path / "ours.safetensors")
    (tmp_path / "plain").touch()
    assert (tmp_path / "ours.safetensors").stat().st_mode == (tmp_path / "plain").stat().st_mode  # for others to read
    model = Small()
    load_weights(model, official, tmp_path / "ours.safetensors")
    assert torch.equal(model.state_dict()["heads.semantic.hidden.bias"], OFFICIAL["semantic_head.fc_hid.bias"])
    assert "ours.safetensors: 6 names in it are not used" in caplog.text


def test_what_is_not_given_is_fetched(tmp_path, official, tower, monkeypatch, files_read):
    monkeypatch.setattr(
        "cover.weights.origin.fetch", {PUBLISHED["cover"]: official, PUBLISHED["clip_vit_l14"]: tower}.get
    )
    load_weights(Small())
    assert files_read == [official, tower]


def test_weights_that_cannot_be_saved(tmp_path):
    with pytest.raises(WeightsError, match=r"cannot write the weights to .*ours.safetensors"):
        save_weights(Small(), tmp_path / "missing" / "ours.safetensors")


@pytest.mark.full
def test_the_published_architecture_loads_at_its_size(shared, tmp_path, caplog):
    """Seeded stand-ins of both files, 1.5 GB: every tensor's values arrive under the right name."""
    from cover.models import COVER

    seeded = runpy.run_path(str(shared / "reference" / "seeded_weights.py"))
    state = {
        which: seeded["seeded_state_dict"](seeded[keys])
        for which, keys in (("cover", "COVER_KEYS"), ("clip", "CLIP_KEYS"))
    }
    torch.save({"state_dict": state["cover"]}, tmp_path / "COVER.pth")
    torch.save(state["clip"], tmp_path / "clip_visual.pt")
    with torch.device("meta"):
        model = COVER()
    load_weights(model, tmp_path / "COVER.pth", tmp_path / "clip_visual.pt")
    assert not caplog.records
    ours = model.state_dict()
    for which, rules, unused in (("cover", COVER_RULES, COVER_UNUSED), ("clip", CLIP_RULES, CLIP_UNUSED)):
        for name, tensor in state[which].items():
            assert unused.fullmatch(name) or torch.equal(ours[rename(name, rules)], tensor), name
