"""Weights that training made, whole or only what was trained, and those that it starts from."""

import copy
import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from torchvision.models import ConvNeXt, ConvNeXt_Tiny_Weights, convnext_tiny
from torchvision.models.convnext import CNBlockConfig
from torchvision.models.swin_transformer import PatchMerging
from torchvision.models.video import Swin3D_T_Weights, SwinTransformer3d, swin3d_t

from cover.curves import Line, to_plain
from cover.errors import WeightsError
from cover.models import COVER, AestheticBackbone, TechnicalBackbone
from cover.weights import (
    PRETRAINED_WEIGHTS,
    PUBLISHED,
    RANDOM_WEIGHTS,
    load_weights,
    read_about,
    read_calibration,
    save_weights,
    sha256_of,
)
from cover.weights.keys import CONVNEXT_RULES, SWIN_RULES, rename
from cover.weights.pretrained import forked, inflated
from tests.helpers.tiny import tiny_model

State = dict[str, Tensor]
CALIBRATION = Line(2.0, 3.0)
TOWER = "backbones.semantic."


@pytest.fixture(scope="module")
def architecture() -> COVER:
    return tiny_model()


@pytest.fixture
def model(architecture: COVER) -> Callable[[int], COVER]:
    """``model(seed)``: a tiny model of its own, all of whose values depend on the seed."""

    def build(seed: int) -> COVER:
        built = copy.deepcopy(architecture)
        generator = torch.Generator().manual_seed(seed)
        for parameter in built.parameters():
            parameter.data = torch.randn(parameter.shape, generator=generator)
        return built

    return build


def part(state: State, *prefixes: str) -> State:
    return {name: tensor for name, tensor in state.items() if name.startswith(prefixes)}


def base(weights: Path | str | None, clip_weights: Path | None = None) -> dict[str, Any]:
    """How a run that starts from these says so."""
    return {
        "weights": None if weights is None else str(weights),
        "weights_sha256": sha256_of(weights) if isinstance(weights, Path) else "0" * 64,
        "clip_weights": None if clip_weights is None else str(clip_weights),
        "clip_weights_sha256": "0" * 64 if clip_weights is None else sha256_of(clip_weights),
    }


def save_checkpoint(path: Path, state: State, about: dict[str, Any]) -> None:
    """What Lightning writes, in the small."""
    named = {f"model.{name}": tensor for name, tensor in state.items()}
    loop = {"pytorch-lightning_version": "2.6.0", "epoch": 3, "optimizer_states": [{"state": {0: torch.ones(2)}}]}
    torch.save({"state_dict": named, "cover": about, **loop}, path)


def clip_file(path: Path, state: State) -> Path:
    torch.save({name.removeprefix(TOWER): tensor for name, tensor in part(state, TOWER).items()}, path)
    return path


def same(model: COVER, expected: State) -> bool:
    state = model.state_dict()
    return state.keys() == expected.keys() and all(torch.equal(state[name], expected[name]) for name in expected)


SAVERS = {
    "heads.safetensors": lambda path, state, about: save_weights(state, path, about),
    "best.ckpt": save_checkpoint,
}
TRAINED = {
    "heads": ("heads.",),
    "gates and heads": ("gates.", "heads."),
    "last layers": tuple(f"heads.{branch}.score." for branch in ("semantic", "technical", "aesthetic")),
    "two backbones": ("backbones.technical.", "backbones.aesthetic.", "gates.", "heads."),
    "part of the tower": (f"{TOWER}visual.transformer.resblocks.1.", "heads."),
    "whole": ("",),
}


@pytest.mark.parametrize("trained", TRAINED)
@pytest.mark.parametrize("name", SAVERS)
@pytest.mark.parametrize("device", ["cpu", "meta"])
def test_what_was_trained_lies_over_what_it_was_trained_from(
    tmp_path, model, architecture, name, trained, device, files_read, caplog
):
    before, after = model(0).state_dict(), model(1).state_dict()
    save_weights(before, tmp_path / "base.safetensors")
    tuned = part(after, *TRAINED[trained])
    SAVERS[name](tmp_path / name, tuned, {"base": base(tmp_path / "base.safetensors"), "more": 1})
    loaded = copy.deepcopy(architecture) if device == "cpu" else copy.deepcopy(architecture).to("meta")
    load_weights(loaded, tmp_path / name)
    assert same(loaded, before | tuned)
    read = [tmp_path / name] if trained == "whole" else [tmp_path / name, tmp_path / "base.safetensors"]
    assert files_read == read
    assert not caplog.messages


def test_a_whole_file_needs_nothing_else(tmp_path, model):
    about = {"base": base("gone.safetensors")}
    save_checkpoint(tmp_path / "best.ckpt", model(1).state_dict(), about)
    loaded = model(0)
    load_weights(loaded, tmp_path / "best.ckpt")
    assert same(loaded, model(1).state_dict())


def test_a_file_may_be_trained_from_another_such_file(tmp_path, model, files_read):
    states = [model(seed).state_dict() for seed in range(3)]
    save_weights(states[0], tmp_path / "0.safetensors")
    save_weights(
        part(states[1], "gates.", "heads."), tmp_path / "1.safetensors", {"base": base(tmp_path / "0.safetensors")}
    )
    save_checkpoint(tmp_path / "2.ckpt", part(states[2], "heads."), {"base": base(tmp_path / "1.safetensors")})
    loaded = model(9)
    load_weights(loaded, tmp_path / "2.ckpt")
    assert same(loaded, states[0] | part(states[1], "gates.") | part(states[2], "heads."))
    assert [path.name for path in files_read] == ["2.ckpt", "1.safetensors", "0.safetensors"]


@pytest.fixture
def published(tmp_path, model, monkeypatch) -> State:
    """Stand-ins of the published files; the values that they have together."""
    state = model(5).state_dict()
    save_weights({name: tensor for name, tensor in state.items() if not name.startswith(TOWER)}, tmp_path / "COVER.pth")
    files = {"cover": tmp_path / "COVER.pth", "clip_vit_l14": clip_file(tmp_path / "clip.pt", state)}
    paths = {PUBLISHED[key]: path for key, path in files.items()}
    monkeypatch.setattr("cover.weights.origin.cached", lambda file: paths[file])
    return state


class TestFromPublishedWeights:
    def test_both_files(self, tmp_path, model, published, files_read):
        tuned = part(model(1).state_dict(), "gates.", "heads.")
        save_weights(tuned, tmp_path / "heads.safetensors", {"base": base(None)})
        loaded = model(0)
        load_weights(loaded, tmp_path / "heads.safetensors")
        assert same(loaded, published | tuned)
        assert [path.name for path in files_read] == ["heads.safetensors", "COVER.pth", "clip.pt"]

    def test_only_clip_when_only_the_tower_is_lacking(self, tmp_path, model, published, files_read):
        tuned = part(model(1).state_dict(), "backbones.technical.", "backbones.aesthetic.", "gates.", "heads.")
        save_weights(tuned, tmp_path / "most.safetensors", {"base": base(None)})
        loaded = model(0)
        load_weights(loaded, tmp_path / "most.safetensors")
        assert same(loaded, published | tuned)
        assert [path.name for path in files_read] == ["most.safetensors", "clip.pt"]

    @pytest.mark.parametrize("given", [False, True])
    def test_the_clip_file_it_was_trained_with_unless_another_is_given(self, tmp_path, model, published, given):
        used, mine = clip_file(tmp_path / "used.pt", model(2).state_dict()), model(3).state_dict()
        tuned = part(model(1).state_dict(), "heads.")
        save_weights(tuned, tmp_path / "heads.safetensors", {"base": base(None, used)})
        loaded = model(0)
        load_weights(loaded, tmp_path / "heads.safetensors", clip_file(tmp_path / "mine.pt", mine) if given else None)
        assert same(loaded, published | part(mine if given else model(2).state_dict(), TOWER) | tuned)

    def test_a_tower_in_what_it_was_trained_from_is_kept(self, tmp_path, model, caplog):
        save_weights(model(0), tmp_path / "base.safetensors")
        save_weights(
            part(model(1).state_dict(), "heads."),
            tmp_path / "h.safetensors",
            {"base": base(tmp_path / "base.safetensors")},
        )
        load_weights(model(2), tmp_path / "h.safetensors", clip_file(tmp_path / "clip.pt", model(3).state_dict()))
        assert "clip.pt is not read" in caplog.text
        assert "base.safetensors has an image tower of its own" in caplog.text


def gone(path: Path) -> None:
    path.unlink()


def changed(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1] + b"x")


def replaced_by_a_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


@pytest.mark.parametrize("happens", [gone, changed, replaced_by_a_folder])
@pytest.mark.parametrize("which", ["base.safetensors", "used.pt"])
def test_what_a_file_was_trained_from_must_be_there_as_it_was(tmp_path, model, which, happens):
    files = {"base.safetensors": tmp_path / "base.safetensors", "used.pt": tmp_path / "used.pt"}
    state = model(0).state_dict()
    save_weights(
        {name: tensor for name, tensor in state.items() if not name.startswith(TOWER)}, files["base.safetensors"]
    )
    clip_file(files["used.pt"], state)
    tuned = part(model(1).state_dict(), "heads.")
    save_weights(tuned, tmp_path / "heads.safetensors", {"base": base(files["base.safetensors"], files["used.pt"])})
    happens(files[which])
    loaded = model(2)
    with pytest.raises(
        WeightsError, match=f"heads.safetensors .*trained from {which}: base_weights=FILE names that file.*best.ckpt"
    ) as error:
        load_weights(loaded, tmp_path / "heads.safetensors")
    assert "\n" not in str(error.value)
    assert same(loaded, model(2).state_dict())
    assert loaded.calibration is None


class TestAFileAlone:
    """What a weights file names is neither downloaded nor opened unless the user asks for it."""

    @pytest.fixture
    def elsewhere(self, tmp_path, model) -> tuple[Path, Path]:
        """A partial file, and what it was trained from in another folder."""
        (tmp_path / "other").mkdir()
        save_weights(model(0), tmp_path / "other/base.safetensors")
        about = {"base": base(tmp_path / "other/base.safetensors")}
        save_weights(part(model(1).state_dict(), "heads."), tmp_path / "heads.safetensors", about)
        return tmp_path / "heads.safetensors", tmp_path / "other/base.safetensors"

    def test_opens_no_path_that_it_names(self, model, elsewhere, files_read):
        heads, _ = elsewhere
        with pytest.raises(WeightsError, match=r"trained from base.safetensors: base_weights=FILE names that file, or"):
            load_weights(model(2), heads)
        assert files_read == [heads]

    def test_takes_the_file_that_the_user_names(self, model, elsewhere):
        heads, before = elsewhere
        loaded = model(2)
        load_weights(loaded, heads, base_weights=before)
        assert same(loaded, model(0).state_dict() | part(model(1).state_dict(), "heads."))

    def test_takes_no_other_file(self, tmp_path, model, elsewhere):
        save_weights(model(5), tmp_path / "wrong.safetensors")
        with pytest.raises(WeightsError, match=r"base_weights=FILE names that file \(.*wrong.safetensors is not that"):
            load_weights(model(2), elsewhere[0], base_weights=tmp_path / "wrong.safetensors")

    @pytest.mark.parametrize(
        ("start", "missing"), [(None, "COVER.pth"), (PRETRAINED_WEIGHTS, "torchvision's ConvNeXt-T")]
    )
    def test_downloads_nothing(self, tmp_path, model, monkeypatch, start, missing):
        monkeypatch.setenv("COVER_CACHE", str(tmp_path / "empty"))
        monkeypatch.setattr("cover.weights.origin.fetch", lambda file: pytest.fail(f"{file.name} is downloaded"))
        save_weights(part(model(1).state_dict(), "heads."), tmp_path / "heads.safetensors", {"base": base(start)})
        asked = start or "cover"
        with pytest.raises(WeightsError, match=f"{missing}.* not on this machine: base_weights={asked} downloads it"):
            load_weights(model(0), tmp_path / "heads.safetensors")

    @pytest.mark.parametrize(("start", "asked"), [(None, "cover"), (PRETRAINED_WEIGHTS, PRETRAINED_WEIGHTS)])
    def test_downloads_what_the_user_asks_for(self, tmp_path, model, monkeypatch, start, asked):
        fetched: list[str] = []

        def fetch(file: Any) -> Path:
            fetched.append(file.name)
            raise WeightsError("fetched")

        monkeypatch.setattr("cover.weights.origin.fetch", fetch)
        save_weights(part(model(1).state_dict(), "heads."), tmp_path / "heads.safetensors", {"base": base(start)})
        with pytest.raises(WeightsError, match="fetched"):
            load_weights(model(0), tmp_path / "heads.safetensors", base_weights=asked)
        assert len(fetched) == 1

    def test_fetches_no_network_of_a_library(self, tmp_path, monkeypatch):
        timm = pytest.importorskip("timm", reason="the networks are timm's")
        network = {"timm": "test_efficientnet", "out_channels": 8}
        model = COVER(semantic=network, technical=network, aesthetic=network)
        heads = part(model.state_dict(), "heads.", "gates.")
        save_weights(heads, tmp_path / "heads.safetensors", {"base": base(PRETRAINED_WEIGHTS)})
        monkeypatch.setattr(timm, "create_model", lambda *_, **__: pytest.fail("timm is asked for a network"))
        with pytest.raises(WeightsError, match=r"test_efficientnet of timm.*base_weights=pretrained fetches it"):
            load_weights(model, tmp_path / "heads.safetensors")


def test_random_weights_cannot_be_had_again(tmp_path, model):
    save_weights(part(model(1).state_dict(), "heads."), tmp_path / "h.safetensors", {"base": base(RANDOM_WEIGHTS)})
    with pytest.raises(WeightsError, match=r"h.safetensors .*random weights.*use best.ckpt"):
        load_weights(model(0), tmp_path / "h.safetensors")


def test_files_that_name_each_other_end_in_one_line(tmp_path, model):
    state = part(model(1).state_dict(), "heads.")
    a, b = tmp_path / "a.safetensors", tmp_path / "b.safetensors"
    save_weights(state, a)
    save_weights(state, b, {"base": base(a)})
    save_weights(state, a, {"base": base(b)})
    with pytest.raises(WeightsError, match=r"b.safetensors holds only what was trained from a.safetensors"):
        load_weights(model(0), a)


def test_a_partial_file_that_names_no_other(tmp_path, model):
    save_weights(part(model(1).state_dict(), "heads.", TOWER), tmp_path / "heads.safetensors", {"base": None})
    with pytest.raises(WeightsError, match=r"heads.safetensors lacks \d+ of the tensors the model needs: backbones"):
        load_weights(model(0), tmp_path / "heads.safetensors")


def test_a_file_of_another_architecture(tmp_path, model):
    tuned = {"heads.semantic.score.weight": torch.zeros(1, 7, 1, 1, 1)}
    save_weights(tuned, tmp_path / "heads.safetensors", {"base": base(None)})
    with pytest.raises(WeightsError, match="weights of another architecture"):
        load_weights(model(0), tmp_path / "heads.safetensors")


@pytest.mark.parametrize(
    "about",
    [
        {"base": "COVER.pth"},
        {"base": {"weights": 3}},
        {"base": {"weights": None, "clip_weights": ["clip.pt"]}},
        {"calibration": {"kind": "line", "slope": -1.0, "intercept": 0.0}},
        {"calibration": 3},
    ],
)
@pytest.mark.parametrize("name", SAVERS)
def test_nonsense_about_a_file(tmp_path, model, name, about):
    SAVERS[name](tmp_path / name, part(model(1).state_dict(), "heads."), about)
    with pytest.raises(WeightsError, match=f"{name}.* (is damaged)") as error:
        load_weights(model(0), tmp_path / name)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("name", SAVERS)
def test_the_calibration_comes_with_the_weights(tmp_path, model, name):
    tuned, plain = tmp_path / name, tmp_path / "plain.safetensors"
    SAVERS[name](tuned, model(1).state_dict(), {"calibration": to_plain(CALIBRATION), "base": None})
    save_weights(model(2), plain)
    loaded = model(0)
    assert loaded.calibration is None
    load_weights(loaded, tuned)
    assert loaded.calibration == CALIBRATION == read_calibration(tuned)
    assert loaded.calibration([0.0, 1.5]).tolist() == [3.0, 6.0]
    load_weights(loaded, plain)
    assert loaded.calibration is None
    assert read_calibration(plain) is None


def test_what_a_file_was_trained_from_does_not_calibrate_it(tmp_path, model):
    save_weights(model(0), tmp_path / "base.safetensors", {"calibration": to_plain(CALIBRATION)})
    about = {"calibration": None, "base": base(tmp_path / "base.safetensors")}
    save_weights(part(model(1).state_dict(), "heads."), tmp_path / "heads.safetensors", about)
    loaded = model(2)
    load_weights(loaded, tmp_path / "heads.safetensors")
    assert loaded.calibration is None


ABOUT = {"calibration": to_plain(CALIBRATION), "base": None, "epoch": 3, "names": ["gates.", "heads."]}


@pytest.mark.parametrize("name", SAVERS)
def test_what_a_file_says_about_itself(tmp_path, name):
    SAVERS[name](tmp_path / name, {"heads.x": torch.ones(2)}, ABOUT)
    assert read_about(tmp_path / name) == ABOUT


def test_most_files_say_nothing(tmp_path):
    save_weights({"a": torch.ones(1)}, tmp_path / "a.safetensors")
    torch.save({"cover": torch.ones(1)}, tmp_path / "b.pth")
    torch.save([1], tmp_path / "c.pth")
    assert [read_about(tmp_path / name) for name in ("a.safetensors", "b.pth", "c.pth")] == [{}, {}, {}]


def test_what_a_damaged_file_says(tmp_path):
    save_weights({"a": torch.ones(1)}, tmp_path / "a.safetensors", ABOUT)
    content = (tmp_path / "a.safetensors").read_bytes()
    (tmp_path / "a.safetensors").write_bytes(content.replace(b'{\\"calibration', b'[\\"calibration'))
    with pytest.raises(WeightsError, match=r"a.safetensors is damaged"):
        read_about(tmp_path / "a.safetensors")
    with pytest.raises(WeightsError, match=r"missing.ckpt: No such file"):
        read_about(tmp_path / "missing.ckpt")


# --- Where training from scratch starts -------------------------------------------------------------------------------


def randomized(module: torch.nn.Module, seed: int) -> State:
    """Values far from the initial ones, which hide a block behind a layer scale of 1e-6 and a bias of 0."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.add_(0.1 * torch.randn(parameter.shape, generator=generator))
    return module.eval().state_dict()


def filled(backbone: torch.nn.Module, branch: str, rules: Any, shaped: Callable[..., State], state: State) -> None:
    needed = {f"backbones.{branch}.{name}": tensor for name, tensor in backbone.state_dict().items()}
    ours = {rename(name, rules): tensor for name, tensor in shaped(state, needed).items()}
    backbone.load_state_dict(
        {name.removeprefix(f"backbones.{branch}."): tensor for name, tensor in ours.items() if name in needed}
    )
    backbone.eval()


@torch.inference_mode()
def test_the_technical_backbone_is_torchvisions_on_kinetics_weights():
    theirs, ours = swin3d_t(), TechnicalBackbone()
    filled(ours, "technical", SWIN_RULES, forked, randomized(theirs, 0))
    clip = torch.randn(1, 3, 20, 80, 64, generator=torch.Generator().manual_seed(1))  # windows shift in time and space
    expected = theirs.norm(theirs.features(theirs.patch_embed(clip))).movedim(-1, 1)
    assert expected.std() > 0.1
    torch.testing.assert_close(ours(clip), expected, atol=1e-4, rtol=0)


@torch.inference_mode()
def test_the_aesthetic_backbone_sees_a_still_clip_as_torchvisions_sees_its_frame():
    theirs, ours = convnext_tiny(layer_scale=0.5), AestheticBackbone()
    filled(ours, "aesthetic", CONVNEXT_RULES, inflated, randomized(theirs, 0))
    frame = torch.randn(1, 3, 64, 96, generator=torch.Generator().manual_seed(1))
    reach = 6  # convolutions in time, each of three moments: so far do the zeros beyond the ends come in
    features = ours(frame[:, :, None].expand(-1, -1, 2 * (2 * reach + 1), -1, -1))
    expected = theirs.classifier[0](theirs.features(frame))
    assert expected.std() > 0.1
    torch.testing.assert_close(features[:, :, reach], expected, atol=1e-4, rtol=0)
    assert not torch.allclose(features[:, :, 0], expected, atol=1e-2)


@pytest.fixture
def start(tmp_path, architecture, monkeypatch) -> dict[str, State]:
    """Stand-ins of what training starts from, of the tiny model's size, where downloads are kept; key -> tensors."""
    depths, dims = [1, 1, 1, 1], [8, 16, 32, 64]
    blocks = [CNBlockConfig(dim, wide, depth) for dim, wide, depth in zip(dims, [*dims[1:], None], depths, strict=True)]
    swin = SwinTransformer3d(
        [2, 4, 4], 8, depths, [1, 1, 2, 2], [8, 7, 7], num_classes=5, downsample_layer=PatchMerging
    )
    states = {
        "convnext_tiny": randomized(ConvNeXt(blocks, num_classes=5), 0),
        "swin3d_t": randomized(swin, 1),
        "clip_vit_l14": {
            name.removeprefix(TOWER): torch.randn_like(tensor)
            for name, tensor in part(architecture.state_dict(), TOWER).items()
        },
    }
    monkeypatch.setenv("COVER_CACHE", str(tmp_path / "cache"))
    (tmp_path / "cache").mkdir()
    for key, state in states.items():
        path = tmp_path / "cache" / PUBLISHED[key].filename
        torch.save(state, path)
        monkeypatch.setitem(PUBLISHED, key, dataclasses.replace(PUBLISHED[key], sha256=sha256_of(path)))
    return states


@pytest.mark.parametrize("device", ["cpu", "meta"])
def test_training_starts_from_published_backbones(tmp_path, architecture, start, device, caplog, files_read):
    model = copy.deepcopy(architecture).to(device)
    torch_state = torch.get_rng_state()
    load_weights(model, PRETRAINED_WEIGHTS)
    assert torch.equal(torch.get_rng_state(), torch_state)
    assert [path.name for path in files_read] == [
        PUBLISHED[key].filename for key in ("convnext_tiny", "swin3d_t", "clip_vit_l14")
    ]
    assert not caplog.records  # no name in them is news
    state, (convnext, swin, clip) = model.state_dict(), start.values()
    stem = state["backbones.aesthetic.stem.conv.weight"]
    assert torch.equal(stem[:, :, 0], stem[:, :, 1])
    torch.testing.assert_close(stem.sum(2), convnext["features.0.0.weight"])
    table = swin["features.0.0.attn.relative_position_bias_table"]
    for kind in ("relative", "fragment"):
        assert torch.equal(state[f"backbones.technical.features.0.0.attn.{kind}_position_bias_table"], table)
    assert torch.equal(state[f"{TOWER}visual.proj"], clip["visual.proj"])
    assert state["gates.technical.out_proj.weight"].std() > 0
    assert state["heads.semantic.hidden.weight"].abs().max() <= 64**-0.5  # torch's initial values, not those before
    assert model.calibration is None

    again = copy.deepcopy(architecture).to("meta")
    load_weights(again, PRETRAINED_WEIGHTS)
    assert same(again, state)


@pytest.mark.parametrize("trained", ["heads.", "gates."])
def test_what_was_trained_from_the_start(tmp_path, architecture, start, trained):
    begun = copy.deepcopy(architecture)
    load_weights(begun, PRETRAINED_WEIGHTS)
    tuned = {name: tensor + 1 for name, tensor in part(begun.state_dict(), trained).items()}
    save_weights(tuned, tmp_path / "tuned.safetensors", {"base": base(PRETRAINED_WEIGHTS)})
    loaded = copy.deepcopy(architecture).to("meta")
    load_weights(loaded, tmp_path / "tuned.safetensors")
    assert same(loaded, begun.state_dict() | tuned)


def test_a_clip_file_in_hand(tmp_path, architecture, model, start):
    loaded, mine = copy.deepcopy(architecture), model(3).state_dict()
    load_weights(loaded, PRETRAINED_WEIGHTS, clip_file(tmp_path / "mine.pt", mine))
    assert torch.equal(loaded.state_dict()[f"{TOWER}visual.proj"], mine[f"{TOWER}visual.proj"])


@pytest.mark.parametrize(
    ("key", "name", "message"),
    [
        ("convnext_tiny", "features.0.0.weight", "weights of another architecture"),
        ("swin3d_t", "features.0.0.attn.qkv.weight", "weights of another architecture"),
        ("swin3d_t", "norm.weight", "lacks 1 of .* backbones.technical.norm.weight$"),
    ],
)
def test_backbones_that_do_not_fit(tmp_path, architecture, start, monkeypatch, key, name, message):
    state = {**start[key], name: torch.zeros(5, 3, 4, 4)} if "another" in message else dict(start[key])
    if "lacks" in message:
        del state[name]
    path = tmp_path / "cache" / PUBLISHED[key].filename
    torch.save(state, path)
    monkeypatch.setitem(PUBLISHED, key, dataclasses.replace(PUBLISHED[key], sha256=sha256_of(path)))
    model = copy.deepcopy(architecture)
    with pytest.raises(WeightsError, match=message):
        load_weights(model, PRETRAINED_WEIGHTS)
    assert same(model, architecture.state_dict())


def test_torchvisions_addresses_are_the_ones_we_know():
    known = {"convnext_tiny": ConvNeXt_Tiny_Weights.IMAGENET1K_V1, "swin3d_t": Swin3D_T_Weights.KINETICS400_V1}
    for key, weights in known.items():
        file = PUBLISHED[key]
        assert file.url == weights.url
        assert file.url.endswith(f"/{file.filename}")
        assert file.filename.partition("-")[2].removesuffix(".pth") == file.sha256[:8]
        assert file.bytes == pytest.approx(weights.meta["_file_size"] * 2**20, abs=1000)
