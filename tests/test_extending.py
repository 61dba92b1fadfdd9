"""A dataset, a backbone and a measure of one's own, from a folder outside the checkout, as docs/extending.md says."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
import torch
import yaml

import cover
from cover.models import COVER
from cover.scores import BRANCHES
from cover.weights import save_weights
from tests.helpers.clips import noise_frame, write_clip
from tests.helpers.tiny import CONFIGS, infer_options, tiny_model

CHANNELS = int(infer_options().model.net["semantic"]["output_dim"])  # cross gates need one number for all branches


def example(name: str) -> str:
    """The code block of docs/extending.md that begins with a comment of this name."""
    page = (Path(__file__).parents[1] / "docs/extending.md").read_text(encoding="utf-8")
    (block,) = re.findall(rf"```\w+\n# {re.escape(name)}\n(.*?)```", page, re.DOTALL)
    return str(block)


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    """A folder of somebody else: a dataset's YAML, its module, videos and ratings."""
    (tmp_path / "mine/data").mkdir(parents=True)
    (tmp_path / "mine/bees.py").write_text(example("bees.py"))
    (tmp_path / "mine/data/bees.yaml").write_text(example("data/bees.yaml"))
    (tmp_path / "mine/blur.py").write_text(example("blur.py"))
    videos = tmp_path / "videos"
    videos.mkdir()
    for number in range(3):
        write_clip(videos / f"{number}.mp4", [noise_frame(number + frame, 48, 48) for frame in range(4)])
    (videos / "bees.csv").write_text("clip,mos\n" + "".join(f"{number}.mp4,{number + 1}\n" for number in range(3)))
    return tmp_path


@pytest.fixture
def command(outside: Path, root: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run a command of the checkout in that folder."""

    def run(task: str, *options: str) -> subprocess.CompletedProcess[str]:
        arguments = [sys.executable, str(root / f"{task}.py"), *options, "--config-dir", "mine"]
        return subprocess.run(arguments, cwd=outside, capture_output=True, text=True, check=False)

    return run


def test_a_dataset_needs_one_yaml_and_one_module(
    command: Callable[..., subprocess.CompletedProcess[str]], outside: Path
) -> None:
    options = ("data=bees", "data.root=videos", "model=tiny", "resamples=0", "report=false", "output=out")
    done = command("evaluate", *options)
    assert done.returncode == 0, done.stderr
    assert pd.read_csv(outside / "out/predictions.csv")["mos"].to_list() == [1, 2, 3]


def test_a_module_beside_configs_shadows_no_other(
    command: Callable[..., subprocess.CompletedProcess[str]], outside: Path
) -> None:
    (outside / "mine/json.py").write_text("raise ImportError('shadowed')")
    (outside / "mine/cover.py").write_text("raise ImportError('shadowed')")
    done = command("infer", "data=bees", "data.root=videos", "model=tiny", "report=false", "output=out")
    assert done.returncode == 0, done.stderr
    assert not re.search("shadowed", done.stderr)


def test_a_backbone_is_named_by_its_class(
    command: Callable[..., subprocess.CompletedProcess[str]], outside: Path
) -> None:
    tiny = yaml.safe_load((CONFIGS / "model/tiny.yaml").read_text())
    (outside / "mine/model").mkdir()
    net = {**tiny["net"], "technical": {"_target_": "blur.Blur", "channels": CHANNELS}}
    (outside / "mine/model/blurred.yaml").write_text(yaml.safe_dump({**tiny, "name": "blurred", "net": net}))
    options = ("data=bees", "data.root=videos", "model=blurred", "views=tiny", "report=false", "output=out")
    done = command("infer", *options)
    assert done.returncode == 0, done.stderr
    assert cover.read_results(outside / "out")["technical"].notna().all()


class TestCodeThatAFileNames:
    """Nothing is imported, run or fetched because a weight file says so."""

    @staticmethod
    def written(folder: Path, branch: str, node: dict[str, object]) -> Path:
        net = {**infer_options().model.net, branch: node}
        save_weights(tiny_model(), folder / "best.safetensors", {"net": net})
        return folder / "best.safetensors"

    @pytest.mark.parametrize("branch", BRANCHES)
    def test_a_class_is_not_imported(self, tmp_path: Path, branch: str) -> None:
        witness = tmp_path / "witness"
        file = self.written(tmp_path, branch, {"_target_": "os.system", "command": f"touch {witness}"})
        with pytest.raises(cover.WeightsError, match=rf"repeat model\.net\.{branch}=\{{_target_"):
            cover.load_model(file)
        assert not witness.exists()

    @pytest.mark.parametrize("name", ["hf_hub:somebody/net", "hf-hub:somebody/net", "local-dir:/tmp"])
    @pytest.mark.parametrize("library", ["timm", "open_clip"])
    def test_a_network_is_not_fetched(self, tmp_path: Path, library: str, name: str) -> None:
        file = self.written(tmp_path, "semantic", {library: name})
        with pytest.raises(cover.WeightsError, match=rf"repeat model\.net\.semantic\.{library}="):
            cover.load_model(file)

    def test_a_backbone_given_in_python_gets_its_tensors(self, tmp_path: Path) -> None:
        net = {**infer_options().model.net}
        torch.manual_seed(0)
        model = COVER(**{**net, "technical": Blur()})
        about = {"net": {**net, "technical": {"_target_": "somewhere.Blur"}}}
        save_weights(model, tmp_path / "own.safetensors", about)
        loaded = cover.load_model(tmp_path / "own.safetensors", backbones={"technical": Blur()})
        assert all(torch.equal(tensor, loaded.state_dict()[name]) for name, tensor in model.state_dict().items())


class Blur(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.out_channels = CHANNELS
        self.convolution = torch.nn.Conv3d(3, CHANNELS, 1)


def test_a_backbone_without_channels_is_refused() -> None:
    with pytest.raises(ValueError, match="technical: Linear needs an attribute out_channels"):
        COVER(**{**infer_options().model.net, "technical": torch.nn.Linear(1, 1)})


def test_a_measure_is_declared_once_and_shows_everywhere(outside: Path, root: Path) -> None:
    (outside / "my_evaluate.py").write_text(example("my_evaluate.py"))
    rows = [f"{number}.mp4,{number % 5},{(7 * number) % 11 / 10}" for number in range(12)]
    (outside / "scores.csv").write_text("Filename,mos,overall\n" + "\n".join(rows) + "\n")
    environment = {**os.environ, "PYTHONPATH": str(root), "COLUMNS": "200"}
    arguments = [sys.executable, "my_evaluate.py", "predictions=scores.csv", "resamples=50", "fit=linear", "output=out"]
    done = subprocess.run(arguments, cwd=outside, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "MAE" in done.stdout
    figures = json.loads((outside / "out/metrics.json").read_text())["overall"]
    low, high = figures["ci95"]["mae"]
    assert 0 < low < figures["mae"] < high
    assert "MAE" in (outside / "out/report.html").read_text()
