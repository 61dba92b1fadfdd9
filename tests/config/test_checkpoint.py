"""The model and the views of a weights file, where the command line names none."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

from cover.config.checkpoint import implied_options
from cover.errors import UsageError, WeightsError
from cover.weights import SHIPPED, read_about, save_weights
from tests.helpers.tiny import CONFIGS, infer_options

HEADS = {"heads.semantic.score.weight": torch.zeros(1)}
FOLDERS = [CONFIGS]


def file(folder: Path, about: Mapping[str, Any] | None) -> str:
    save_weights(HEADS, folder / "best.safetensors", about)
    return f"weights={folder / 'best.safetensors'}"


@pytest.mark.parametrize("name", ["cover", "cover_lite", "timm", "tiny"])
def test_the_config_with_the_network_of_the_file_is_chosen(name: str, tmp_path: Path) -> None:
    weights = file(tmp_path, {"net": infer_options(f"model={name}").model.net})
    expected = [] if name == "cover" else [f"model={name}"]
    assert implied_options(["data=x", weights], FOLDERS) == expected


def test_views_that_differ_from_those_of_the_model_are_options(tmp_path: Path) -> None:
    about = read_about(SHIPPED["cover_lite"])
    views = {**about["views"], "technical": {**about["views"]["technical"], "fragments": 5}}
    weights = file(tmp_path, {**about, "views": views})
    assert implied_options([weights], FOLDERS) == ["model=cover_lite", "views.technical.fragments=5"]
    assert implied_options([weights, "views=cover_lite_dense"], FOLDERS) == ["model=cover_lite"]


@pytest.mark.parametrize(
    "given", ["model=tiny", "model.net.semantic.open_clip=ViT-B-32", "++model.net.x=1", "experiment=cover_konvid_1k"]
)
def test_an_option_says_otherwise(given: str, tmp_path: Path) -> None:
    weights = file(tmp_path, {"net": infer_options("model=cover_lite").model.net})
    assert implied_options([weights, given], FOLDERS) == []


@pytest.mark.parametrize("about", [None, {}, {"net": 5}, {"views": {}}])
def test_a_file_that_says_nothing_implies_nothing(about: Mapping[str, Any] | None, tmp_path: Path) -> None:
    assert implied_options([file(tmp_path, about)], FOLDERS) == []


@pytest.mark.parametrize("weights", ["weights=random", "weights=nothere.ckpt", "data=x"])
def test_other_weights_imply_nothing(weights: str) -> None:
    assert implied_options([weights], FOLDERS) == []


def test_a_model_from_a_folder_of_configs(tmp_path: Path) -> None:
    net = {**infer_options().model.net, "gated": False}
    (tmp_path / "model").mkdir()
    (tmp_path / "model/mine.yaml").write_text(yaml.safe_dump({"name": "mine", "net": net}))
    assert implied_options([file(tmp_path, {"net": net})], [*FOLDERS, tmp_path]) == ["model=mine"]


@pytest.mark.parametrize(
    ("node", "named"),
    [
        ({"_target_": "os.system", "command": "x"}, r"model\.net\.technical=\{_target_: os\.system, \.\.\.\}"),
        ({"timm": "resnet18"}, r"model\.net\.technical=\{timm: resnet18, \.\.\.\}"),
        ({"embed_dim": 12}, "repeat the model= and model.net options"),
    ],
)
def test_a_network_that_no_config_has_is_one_line(node: Mapping[str, Any], named: str, tmp_path: Path) -> None:
    weights = file(tmp_path, {"net": {**infer_options("model=cover").model.net, "technical": node}})
    with pytest.raises(UsageError, match=named):
        implied_options([weights], FOLDERS)


def test_a_damaged_file_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "best.ckpt").write_bytes(b"damaged")
    with pytest.raises(WeightsError, match=r"best\.ckpt is damaged"):
        implied_options([f"weights={tmp_path / 'best.ckpt'}"], FOLDERS)


@pytest.mark.parametrize("views", [5, {"technical": 5}, {"technical": {"fragments": "x; rm"}}, {"technical": {"a": 1}}])
def test_views_of_a_hostile_file_become_no_options(views: object, tmp_path: Path) -> None:
    net = infer_options("model=cover_lite").model.net
    assert implied_options([file(tmp_path, {"net": net, "views": views})], FOLDERS) == ["model=cover_lite"]
