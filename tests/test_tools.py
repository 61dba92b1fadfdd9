"""What makes the weights that ship."""

import numpy as np
import pandas as pd
import pytest
import torch

from cover.models import BRANCHES, COVER, branch_scores
from tests.helpers.tiny import tiny_model
from tools.ship import balanced


@pytest.fixture(scope="module")
def model() -> COVER:
    return tiny_model()


@pytest.fixture(scope="module")
def features(model: COVER) -> dict[str, torch.Tensor]:
    channels = model.backbones["semantic"].out_channels
    draw = torch.Generator().manual_seed(1)
    shapes = {"semantic": (20, channels, 2), "technical": (20, channels, 2, 2, 2), "aesthetic": (20, channels, 2, 2, 2)}
    return {branch: torch.randn(shape, generator=draw) for branch, shape in shapes.items()}


def scores(model: COVER, features: dict[str, torch.Tensor]) -> pd.DataFrame:
    with torch.no_grad():
        found = branch_scores(model.score_maps(features))
    return pd.DataFrame({name: values.numpy().astype(float) for name, values in found.items()})


def test_branches_weigh_what_held_out_clips_say(model: COVER, features: dict[str, torch.Tensor]) -> None:
    before = scores(model, features)
    shares = {"semantic": 2.0, "technical": 5.0, "aesthetic": 0.5}
    before["mos"] = 3 + sum(share * before[branch] for branch, share in shares.items())
    model.load_state_dict(balanced(model.state_dict(), before))
    after = scores(model, features)
    assert after["overall"].mean() == pytest.approx(0, abs=1e-4)
    assert after["overall"].std(ddof=0) == pytest.approx(1, abs=1e-4)
    assert np.corrcoef(after["overall"], before["mos"])[0, 1] == pytest.approx(1, abs=1e-6)
    for branch in BRANCHES:
        assert after[branch].mean() == pytest.approx(0, abs=1e-4)


def test_a_branch_that_says_nothing_is_not_shipped() -> None:
    held_out = pd.DataFrame({"mos": [1.0, 2, 3, 4], "semantic": [1.0, 2, 3, 4], "technical": [4.0, 3, 2, 1]})
    held_out["aesthetic"] = [1.0, 2, 1, 2]
    with pytest.raises(ValueError, match="'technical': 0"):
        balanced({}, held_out)
