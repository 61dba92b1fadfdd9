"""The curves of a training: the table that grows with the epochs, what survives an interruption, and the picture."""

import math
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest
import torch
from PIL import Image

from cover.reporting.plots import draw_curves
from cover.training.loop.history import CurveWriter, read_curves


def figures(epoch: int, ema: bool = True) -> dict[str, float]:
    kinds = ("raw", "ema") if ema else ("raw",)
    measured = {f"val/{kind}/overall/{name}": 1 - 1 / (2 + epoch) for kind in kinds for name in ("srocc", "plcc")}
    return {"train/loss": 2 / (1 + epoch), "val/score": 1.5, **measured}


def train(writer: CurveWriter, epochs: range, main: bool = True, ema: bool = True) -> None:
    """What Lightning tells a callback at the end of each epoch."""
    for epoch in epochs:
        trainer: Any = SimpleNamespace(
            callback_metrics={name: torch.tensor(value) for name, value in figures(epoch, ema).items()},
            optimizers=[SimpleNamespace(param_groups=[{"lr": 1e-3 / (1 + epoch)}, {"lr": 1.0}])],
            current_epoch=epoch,
            max_epochs=epochs.stop,
            is_global_zero=main,
        )
        writer.on_train_epoch_end(trainer, None)  # type: ignore[arg-type]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "curves.csv"


def test_a_line_an_epoch(path: Path) -> None:
    writer = CurveWriter(path, "heads", [])
    for count in (1, 2, 3):
        train(writer, range(count - 1, count))
        table = pd.read_csv(path)
        assert table["stage"].to_list() == ["heads"] * count
        assert table["epoch"].to_list() == [*range(1, count + 1)]
    assert set(table.columns) == {"stage", "epoch", "lr", *figures(0)}
    assert table["lr"].to_list() == pytest.approx([1e-3, 5e-4, 1e-3 / 3], rel=1e-5)
    for name, value in figures(2).items():
        assert table[name].iloc[2] == pytest.approx(value, rel=1e-5)


def test_the_terminal_has_the_figures_too(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "cover")
    train(CurveWriter(path, "heads", []), range(2))
    first, second = caplog.messages
    for part in ("heads", "epoch 1 of 2", "2.0000", "SROCC 0.5000", "PLCC 0.5000", "averaged"):
        assert part in first
    assert "epoch 2 of 2" in second


def test_one_rank_writes(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "cover")
    writer = CurveWriter(path, "heads", [])
    train(writer, range(2), main=False)
    assert not path.exists()
    assert caplog.messages == []
    assert len(writer.state_dict()["lines"]) == 2  # every rank goes on from them


@pytest.mark.parametrize("lost", [0, 1, 3])
def test_a_run_that_goes_on_has_no_epoch_twice(path: Path, tmp_path: Path, lost: int) -> None:
    """After the checkpoint come epochs that were written and then lost."""
    whole = CurveWriter(tmp_path / "whole.csv", "heads", [])
    train(whole, range(6))
    first = CurveWriter(path, "heads", [])
    train(first, range(3))
    torch.save(first.state_dict(), tmp_path / "x.ckpt")
    train(first, range(3, 3 + lost))
    second = CurveWriter(path, "heads", [])
    second.load_state_dict(torch.load(tmp_path / "x.ckpt", weights_only=True))
    train(second, range(3, 6))
    assert path.read_bytes() == (tmp_path / "whole.csv").read_bytes()


def test_a_state_does_not_change_afterwards(path: Path) -> None:
    first, second = (CurveWriter(path, "heads", []) for _ in range(2))
    train(first, range(2))
    state = first.state_dict()
    second.load_state_dict(state)
    train(second, range(2, 4))
    assert len(state["lines"]) == 2
    assert len(first.lines) == 2


def test_earlier_stages_stay(path: Path) -> None:
    train(CurveWriter(path, "heads", []), range(3))
    before = path.read_text()
    earlier = read_curves(path)
    train(CurveWriter(path, "full", earlier), range(2))
    assert path.read_text().startswith(before)
    table = pd.read_csv(path)
    assert table[["stage", "epoch"]].to_numpy().tolist() == [
        *(["heads", epoch] for epoch in (1, 2, 3)),
        *(["full", epoch] for epoch in (1, 2)),
    ]


def test_what_is_written_reads_back(path: Path) -> None:
    assert read_curves(path) == []
    writer = CurveWriter(path, "heads", [])
    train(writer, range(2))
    lines = read_curves(path)
    assert [line.keys() for line in lines] == [line.keys() for line in writer.lines]
    for line, written in zip(lines, writer.lines, strict=True):
        assert line.pop("stage") == written["stage"]
        assert line == pytest.approx({name: value for name, value in written.items() if name != "stage"}, rel=1e-5)


def test_reading_and_writing_changes_no_byte(path: Path, tmp_path: Path) -> None:
    """So that a run which goes on in its second stage has the bytes of one that was not interrupted."""
    train(CurveWriter(path, "heads", []), range(3))
    once = read_curves(path)
    for name in ("one", "two"):
        train(CurveWriter(tmp_path / name, "full", once), range(1))
        once = read_curves(tmp_path / name)[:3]
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()


def test_undefined_figures(path: Path) -> None:
    earlier = {"stage": "heads", "epoch": 1, "lr": 0.1, **figures(0), "val/raw/overall/srocc": math.nan}
    train(CurveWriter(path, "full", [earlier]), range(1))
    undefined, defined = (line["val/raw/overall/srocc"] for line in read_curves(path))
    assert math.isnan(undefined)
    assert defined == 0.5


@pytest.mark.parametrize("ema", [True, False])
@pytest.mark.parametrize("epochs", [1, 2, 40])
def test_the_picture(path: Path, tmp_path: Path, epochs: int, ema: bool) -> None:
    train(CurveWriter(path, "heads", []), range(epochs), ema=ema)
    draw_curves(tmp_path / "curves.png", read_curves(path))
    with Image.open(tmp_path / "curves.png") as picture:
        picture.load()
        assert picture.format == "PNG"
        width, height = picture.size
        assert 1000 <= width <= 3000
        assert 400 <= height <= 1500
        assert len(picture.convert("RGB").getcolors(width * height) or []) > 10
    assert (tmp_path / "curves.png").stat().st_size < 500_000


def test_a_picture_of_two_stages_and_undefined_figures(path: Path, tmp_path: Path) -> None:
    train(CurveWriter(path, "heads", []), range(3))
    train(CurveWriter(path, "full", read_curves(path)), range(3))
    lines = read_curves(path)
    pictures = []
    for name, shown in (("all", lines), ("some", [*lines[:2], *lines[3:]]), ("none", lines[:3])):
        draw_curves(tmp_path / f"{name}.png", shown)
        pictures.append((tmp_path / f"{name}.png").read_bytes())
    assert len(set(pictures)) == 3
    undefined = [{**line, "val/raw/overall/srocc": math.nan, "val/ema/overall/srocc": math.nan} for line in lines]
    draw_curves(tmp_path / "undefined.png", undefined)


@pytest.mark.filterwarnings("error")
def test_a_picture_without_any_figure(tmp_path: Path) -> None:
    """Scores that are all alike have no correlation with anything."""
    nothing = {name: math.nan for name in figures(0) if name.startswith("val/raw")}
    draw_curves(tmp_path / "x.png", [{"stage": "heads", "epoch": 1, "lr": 0.1, "train/loss": 1.0, **nothing}])
    assert (tmp_path / "x.png").exists()
