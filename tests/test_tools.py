"""What makes the weights that ship."""

import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
import yaml

from cover import load_model
from cover.models import COVER
from cover.weights import read_about, save_weights
from tools import ship


def test_shipping_keeps_scores_and_adds_a_reference(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    net = yaml.safe_load((root / "configs/model/cover_lite.yaml").read_text())["net"]
    torch.manual_seed(0)
    model = COVER(**net)
    save_weights(model, tmp_path / "best.safetensors", {"net": {"pretrained": "/somewhere/on/my/machine"}})
    pd.DataFrame({"Filename": ["a", "b", "c"], "overall": [0.5, -1.0, np.nan]}).to_csv(tmp_path / "held_out.csv")
    monkeypatch.setitem(ship.SHIPPED, "cover_lite", tmp_path / "shipped.safetensors")
    arguments = ["best.safetensors", "cover_lite", "held_out.csv", "--of", "stills", "--card", "for a test"]
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["ship", *arguments])
    ship.main()
    about = read_about(tmp_path / "shipped.safetensors")
    assert about["net"] == net
    assert about["card"] == "for a test"
    assert about["reference"]["of"] == "2 stills"
    shipped = load_model(tmp_path / "shipped.safetensors")
    assert shipped.reference.percentile(0.7) == 100
    assert shipped.reference.percentile(-0.25) == 50
    for name, tensor in shipped.state_dict().items():
        assert tensor.dtype == torch.float32
        torch.testing.assert_close(tensor, model.state_dict()[name], rtol=1e-3, atol=1e-5)
