"""Networks of timm on single frames, in place of a branch's own backbone, and where their weights come from."""

import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from cover.errors import WeightsError
from cover.models import COVER, FrameBackbone
from cover.scoring.scorer import Scorer
from cover.video import FragmentView, ViewSpec, WholeView
from cover.weights import load_weights
from tests.helpers.rated import make_rated
from tests.tasks.conftest import run  # noqa: F401 - a fixture

timm = pytest.importorskip("timm", reason="the networks are timm's")

NAME = "test_efficientnet"  # timm's own, for tests: 0.4 million parameters
SPEC = ViewSpec(
    semantic=WholeView(2, 1, size=64), technical=FragmentView(2, 2, grid=2), aesthetic=WholeView(2, 2, size=64)
)


def network(**arguments: Any) -> dict[str, Any]:
    return {"timm": NAME, "out_channels": 32, "grid": 2, **arguments}


@pytest.fixture
def whole() -> dict[str, torch.Tensor]:
    """The state of the whole network, with weights of its own."""
    torch.manual_seed(1)
    return {name: torch.rand_like(tensor.float()) for name, tensor in timm.create_model(NAME).state_dict().items()}


def test_shapes_of_the_branches() -> None:
    view = torch.rand(2, 3, 4, 64, 64)
    semantic = FrameBackbone("semantic", NAME, out_channels=32)(view)
    assert semantic.shape == (2, 32, 4)
    torch.testing.assert_close(semantic.norm(dim=1), torch.ones(2, 4))
    for branch in ("technical", "aesthetic"):
        assert FrameBackbone(branch, NAME, out_channels=32, grid=7)(view).shape == (2, 32, 2, 7, 7)


def test_a_map_is_the_mean_over_two_frames() -> None:
    backbone = FrameBackbone("technical", NAME, out_channels=8, grid=2).eval()
    view = torch.rand(1, 3, 2, 64, 64)
    with torch.no_grad():
        apart = [backbone(view[:, :, [frame, frame]]) for frame in (0, 1)]
        torch.testing.assert_close(backbone(view), torch.stack(apart).mean(0))


def test_recomputing_activations_changes_no_gradient() -> None:
    view = torch.rand(1, 3, 2, 64, 64)
    gradients = []
    for recompute in (False, True):
        torch.manual_seed(0)
        backbone = FrameBackbone("technical", NAME, out_channels=8, gradient_checkpointing=recompute)
        backbone(view).sum().backward()
        gradients.append([parameter.grad for parameter in backbone.parameters() if parameter.grad is not None])
    for plain, recomputed in zip(*gradients, strict=True):
        torch.testing.assert_close(plain, recomputed)


def test_stages_may_be_chosen() -> None:
    every = FrameBackbone("technical", NAME)
    assert FrameBackbone("technical", NAME, stages=[1, 2]).projection.in_channels < every.projection.in_channels


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            {"timm": "test_eficientnet"},
            "timm has no network 'test_eficientnet'; did you mean test_efficientnet",
        ),
        ({"timm": NAME, "stages": [99]}, "technical: test_efficientnet gives no features of stages"),
    ],
)
def test_what_timm_does_not_have(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        COVER(technical=arguments)


def test_pixels_are_normalised_as_the_network_was_trained() -> None:
    model = COVER(semantic=network(), technical=network(), aesthetic=network())
    mean, std = (torch.tensor(timm.get_pretrained_cfg(NAME).to_dict()[key]) * 255 for key in ("mean", "std"))
    view = torch.full((1, 3, 2, 4, 4), 100.0)
    torch.testing.assert_close(model.normalize({"technical": view})["technical"][0, :, 0, 0, 0], (100 - mean) / std)


@pytest.mark.parametrize("branches", [("technical",), ("semantic", "technical", "aesthetic")])
def test_a_model_of_them_scores_with_maps(branches: tuple[str, ...]) -> None:
    own = {
        "semantic": {"width": 32, "layers": 1, "heads": 2, "patch": 32, "output_dim": 32},
        "technical": {},
        "aesthetic": {"dims": [4, 8, 16, 32], "depths": [1, 1, 1, 1]},
    }
    model = COVER(**{branch: network() if branch in branches else own[branch] for branch in own}).eval()
    frames = torch.randint(0, 256, (8, 80, 96, 3), dtype=torch.uint8).numpy()
    found = Scorer(model, SPEC).score(frames)
    assert found.maps["technical"].shape == (2, 2, 2)
    assert Scorer(model, SPEC).score(frames[:1]).maps["technical"].shape == (1, 2, 2)  # a still image


class TestWeights:
    def model(self, where: object) -> COVER:
        with torch.device("meta"):
            model = COVER(**{branch: network(pretrained=where) for branch in ("semantic", "technical", "aesthetic")})
        load_weights(model, "pretrained")
        return model

    def check(self, model: COVER, whole: dict[str, torch.Tensor]) -> None:
        network: Any = model.backbones["technical"].net
        for name, tensor in network.state_dict().items():
            if not name.endswith("num_batches_tracked"):
                torch.testing.assert_close(tensor, whole[name], rtol=0, atol=0)

    def test_a_file_by_timms_names(self, whole: dict[str, torch.Tensor], tmp_path: Path) -> None:
        torch.save(whole, tmp_path / "network.pth")
        self.check(self.model(str(tmp_path / "network.pth")), whole)

    def test_a_wheel_by_other_names_in_the_same_order(self, whole: dict[str, torch.Tensor], tmp_path: Path) -> None:
        other = {f"x{place}": whole[name] for place, name in enumerate(whole) if "num_batches" not in name}
        torch.save(other, tmp_path / "network.pth")
        with zipfile.ZipFile(tmp_path / "network.whl", "w") as wheel:
            wheel.write(tmp_path / "network.pth", "package/models/network.pth")
            wheel.writestr("package/__init__.py", "")
        self.check(self.model(str(tmp_path / "network.whl")), whole)

    def test_gates_heads_and_projections_start_alike(self, whole: dict[str, torch.Tensor], tmp_path: Path) -> None:
        torch.save(whole, tmp_path / "network.pth")
        first, second = (self.model(str(tmp_path / "network.pth")).state_dict() for _ in range(2))
        assert all(torch.equal(first[name], second[name]) for name in first)

    def test_files_of_something_else(self, whole: dict[str, torch.Tensor], tmp_path: Path) -> None:
        torch.save(dict(list(whole.items())[:9]), tmp_path / "part.pth")
        with pytest.raises(WeightsError, match=r"part.pth: its 9 tensors are not those of test_efficientnet"):
            self.model(str(tmp_path / "part.pth"))
        with zipfile.ZipFile(tmp_path / "empty.whl", "w") as wheel:
            wheel.writestr("package/__init__.py", "")
        with pytest.raises(WeightsError, match=r"empty.whl: the wheel holds no weights"):
            self.model(str(tmp_path / "empty.whl"))

    def test_no_network(self, monkeypatch: pytest.MonkeyPatch) -> None:
        create = timm.create_model

        def offline(*arguments: Any, pretrained: bool = False, **options: Any) -> Any:
            if pretrained:
                raise OSError("no route\nto host")
            return create(*arguments, **options)

        monkeypatch.setattr(timm, "create_model", offline)
        with pytest.raises(WeightsError, match=r"timm cannot get its weights \(no route to host\).*pretrained=FILE"):
            self.model(True)


@pytest.mark.slow
def test_training_and_scoring_from_the_command_line(
    run: Callable[..., int],  # noqa: F811
    whole: dict[str, torch.Tensor],
    tmp_path: Path,
) -> None:
    make_rated(tmp_path / "rated", sources=5, levels=1, size=64)
    torch.save(whole, tmp_path / "network.pth")
    branches = ("semantic", "technical", "aesthetic")
    nets = [f"model.net.{branch}.{name}" for branch in branches for name in (f"timm={NAME}", "pretrained=network.pth")]
    small = ["views.semantic.fragments=1", "views.technical.fragments=1", "views.aesthetic.fragments=1"]
    data = ["data=table", "data.path=rated/ratings.csv", "cache.dir=cache", "stages.heads.epochs=2", "resamples=0"]
    timm_model = ["model=timm", "views=timm", *nets, *small]
    assert run("train", *data, *timm_model, "output=out") == 0
    assert run("infer", "data=rated", *timm_model, "weights=out/best.ckpt", "output=scored") == 0
    assert len((tmp_path / "scored/scores.csv").read_text().splitlines()) == 21
    full = ["experiment=finetune_full", "stages.full.epochs=1", "trainer.precision=32-true", "stages.heads.epochs=1"]
    assert run("train", *[option for option in data if "epochs" not in option], *timm_model, *full, "output=full") == 0
    assert run("train", *data, *timm_model, "from_scratch=true", "stages.full.epochs=1", "output=scratch") == 2
