"""Whether training learns what it should, on clips whose quality is set by known distortions. Minutes: ``-m full``."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from cover.models import COVER
from cover.weights import load_weights, save_weights
from tests.helpers.rated import make_rated
from tests.helpers.tiny import train_options

pytestmark = pytest.mark.full

# The tiny model at sizes that show it single pixels, which is where blur, noise and compression are.
SIZES = (
    *(
        "model.net.semantic.patch=8",
        "views.semantic.size=128",
        "views.technical.fragment=16",
        "views.aesthetic.size=128",
    ),
    *(f"views.{branch}.fragments=1" for branch in ("semantic", "technical", "aesthetic")),
)
HELD_OUT = ("protocol.splits=grouped", "protocol.column=content")  # four of twenty scenes
END_TO_END = (
    *("stages.heads.epochs=0", "stages.full.epochs=15", "stages.full.train=[backbones.*,gates.*,heads.*]"),
    *("lr=2e-3", "backbone_lr=1", "warmup_epochs=1", "ema_decay=null", "cache.views=true", "resamples=0"),
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("rated")
    make_rated(folder)
    return folder


@pytest.fixture
def train(start: Callable[..., Any], folder: Path, tmp_path: Path) -> Callable[..., pd.DataFrame]:
    """Trains on a table of the folder, as a process with one thread; the curves."""

    def train(table: str, *options: str) -> pd.DataFrame:
        data = ("data=table", f"data.path={folder / table}", f"cache.dir={folder / 'cache'}", "output=out")
        process = start("train", *data, *SIZES, *HELD_OUT, *options)
        _, shown = process.communicate()
        assert process.returncode == 0, shown
        return pd.read_csv(tmp_path / "out/curves.csv")

    return train


def test_end_to_end_and_then_heads_alone(train: Callable[..., pd.DataFrame], folder: Path, tmp_path: Path) -> None:
    srocc = train("ratings.csv", *END_TO_END)["val/raw/overall/srocc"]
    print("end to end, held-out scenes, SROCC after each epoch:", srocc.to_list())
    assert srocc.iloc[-1] > 0.8

    # The same backbones with gates and heads as they were before training.
    model = COVER(**train_options("data=table", "data.path=x", *SIZES).model.net)
    untrained = {name: tensor.clone() for name, tensor in model.state_dict().items() if "backbones" not in name}
    load_weights(model, tmp_path / "out/best.ckpt")
    save_weights({**model.state_dict(), **untrained}, folder / "start.safetensors")
    heads = ("stages.heads.epochs=10", "ema_decay=null", "resamples=0", f"weights={folder / 'start.safetensors'}")
    before = train("ratings.csv", *heads, "lr=1e-12", "resume=false")["val/raw/overall/srocc"].iloc[0]
    after = train("ratings.csv", *heads, "resume=false")["val/raw/overall/srocc"].iloc[-1]
    print(f"heads alone: {before:.3f} before, {after:.3f} after")
    assert after > max(before + 0.05, 0.8)


def test_shuffled_ratings_teach_nothing(train: Callable[..., pd.DataFrame], folder: Path) -> None:
    table = pd.read_csv(folder / "ratings.csv")
    table["mos"] = np.random.default_rng(0).permutation(table["mos"])
    table.to_csv(folder / "shuffled.csv", index=False)
    # The last epoch: the best one is chosen on these clips.
    srocc = train("shuffled.csv", *END_TO_END)["val/raw/overall/srocc"].iloc[-1]
    print(f"shuffled: {srocc:.3f}")
    assert abs(srocc) < 0.3
