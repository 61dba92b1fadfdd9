"""``train.py`` from end to end, with the tiny model on generated clips: what a person gets for what they type."""

import csv
import itertools
import json
import os
import re
import shlex
import shutil
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
import yaml
from cover.datasets.generated.sources import survey
from PIL import Image

import cover.training.data.cache
from cover.evaluation.correlation import srocc
from cover.models import COVER
from cover.training.data.selection import rated_splits
from cover.training.loop.module import Training
from cover.weights import read_about, read_state_dict, save_weights
from tests.helpers.minisets import KINDS, make_miniset
from tests.helpers.rated import make_rated, scene
from tests.helpers.tiny import CONFIGS, tiny_model, training_plan
from tests.tasks.conftest import Run

RESULTS = {"best.ckpt", "last.ckpt", "run.yaml", "split.csv", "errors.csv", "predictions.csv", "metrics.json"}
PICTURES = {"curves.csv", "curves.png", "scatter.png"}
RECIPES = CONFIGS / "experiment"
SMALL = (  # a fiftieth of the work
    *("views.semantic.size=32", "views.technical.grid=2", "views.aesthetic.size=64"),
    *(f"views.{branch}.fragments=1" for branch in ("semantic", "technical", "aesthetic")),
)
SHORT = ("stages.heads.epochs=2", "resamples=0")


@pytest.fixture(scope="session")
def rated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twenty rated clips of five scenes, and the features of the tiny model once a test has made them."""
    folder = tmp_path_factory.mktemp("rated")
    make_rated(folder, sources=5, levels=1, size=64)
    return folder


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def small(run: Callable[..., int]) -> Callable[..., int]:
    """``small("infer", "data=...")`` is ``python infer.py data=...`` with small views, in this process."""
    return lambda task, *arguments: run(task, *arguments, *SMALL)


@pytest.fixture
def background(start: Callable[..., Any], rated: Path, cache: Path, tmp_path: Path) -> Callable[..., Any]:
    """``background("lr=1e-3")`` starts ``python train.py lr=1e-3`` on the rated clips as a process of its own."""
    data = ("data=table", f"data.path={rated / 'ratings.csv'}", f"cache.dir={cache}")
    return lambda *arguments: start("train", *data, *SMALL, *arguments)


@pytest.fixture
def train(small: Run, rated: Path, cache: Path) -> Run:
    """``train("lr=1e-3")`` is ``python train.py lr=1e-3`` on the rated clips, in this process."""

    def train(*arguments: str) -> int:
        given = {argument.partition("=")[0] for argument in arguments}
        data = [] if "data" in given else ["data=table", f"data.path={rated / 'ratings.csv'}"]
        here = [] if "cache.dir" in given else [f"cache.dir={cache}"]
        return small("train", *data, *here, *arguments)

    return train


def metrics(folder: str) -> dict[str, Any]:
    return json.loads(Path(folder, "metrics.json").read_text())


def test_what_a_run_leaves(
    train: Run, run: Callable[..., int], rated: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert train(*SHORT, "output=out") == 0
    shown = capsys.readouterr().out
    assert {path.name for path in Path("out").iterdir()} >= RESULTS | PICTURES | {"heads.safetensors"}
    assert not Path("out/stages").exists()

    split = pd.read_csv("out/split.csv")
    assert split["split"].value_counts().to_dict() == {"train": 16, "validation": 4}
    curves = pd.read_csv("out/curves.csv")
    assert curves[["stage", "epoch"]].to_numpy().tolist() == [["heads", 1], ["heads", 2]]
    for kind in ("raw", "ema"):
        for score in ("overall", "semantic", "technical", "aesthetic"):
            assert (
                curves[[f"val/{kind}/{score}/{name}" for name in ("srocc", "plcc", "krocc", "rmse")]]
                .notna()
                .all(axis=None)
            )
    overall = curves["val/raw/overall/srocc"] + curves["val/raw/overall/plcc"]
    averaged = curves["val/ema/overall/srocc"] + curves["val/ema/overall/plcc"]
    assert curves["val/score"].to_list() == pytest.approx(overall.combine(averaged, max).to_list(), abs=1e-5)
    assert metrics("out")["best"]["epoch"] == 1 + int(curves["val/score"].argmax())
    config = yaml.safe_load(Path("out/run.yaml").read_text())["config"]
    assert config["stages"]["heads"]["epochs"] == 2

    trained = read_state_dict("out/heads.safetensors")
    assert {name.split(".")[0] for name in trained} == {"gates", "heads"}
    start, best = tiny_model().state_dict(), read_state_dict("out/best.ckpt")
    assert best.keys() == start.keys()
    assert all(torch.equal(best[name], start[name]) for name in start if name.startswith("backbones."))
    assert all(torch.equal(best[name], trained[name]) for name in trained)

    # The closing line is a command that works, and gives what training said.
    command = re.search(r"use it: python infer.py data=mydir (.*)", shown)
    assert command
    assert run("infer", f"data={rated}", *shlex.split(command[1]), "output=scored") == 0
    scores = pd.read_csv("scored/scores.csv").set_index("Filename").sort_index()
    predicted = pd.read_csv("out/predictions.csv").set_index("Filename").sort_index()
    assert scores["Overall"].to_list() == pytest.approx(predicted["overall"].to_list(), abs=6e-5)
    assert scores["PredictedMOS"].to_list() == pytest.approx(predicted["PredictedMOS"].to_list(), abs=6e-4)


def test_python_needs_no_config_to_score_with_it(train: Run, rated: Path) -> None:
    assert train("stages.heads.epochs=1", "resamples=0", "output=out") == 0
    model = cover.load_model("out/best.ckpt")
    predicted = pd.read_csv("out/predictions.csv").set_index("Filename")
    for name in ("00-blur-1.mp4", "01-noise-1.mp4"):
        found = cover.score(rated / name, model)
        assert found.overall == pytest.approx(predicted.loc[name, "overall"], abs=2e-6)


def test_branches_may_have_ratings_of_their_own(train: Run, tmp_path: Path) -> None:
    options = ("targets.technical=level", "by_content.column=content", "by_content.videos=2", "batch_size=4")
    assert train("stages.heads.epochs=1", "resamples=0", *options, "output=out") == 0
    table = pd.read_csv("out/predictions.csv")
    assert set(table["technical_rated"]) <= {0, 1}
    held_out = table[table["split"] == "validation"]
    found = metrics("out")
    assert found["technical"]["srocc"] == pytest.approx(srocc(held_out["technical"], held_out["technical_rated"]))
    assert found["aesthetic"]["srocc"] == pytest.approx(srocc(held_out["aesthetic"], held_out["mos"]))
    curves = pd.read_csv("out/curves.csv")
    best = f"val/{found['best']['variant']}/technical/srocc"
    assert curves[best].iloc[0] == pytest.approx(found["technical"]["srocc"], abs=1e-6)


def test_backbones_may_learn_what_is_wrong_with_a_clip(train: Run) -> None:
    learning = ("stages.heads.epochs=0", "stages.full.epochs=2", "lr=1e-3", "backbone_lr=1", "resamples=0")
    assert train(*learning, "auxiliary.columns=[lev*]", "output=out") == 0
    curves = pd.read_csv("out/curves.csv")
    assert curves["train/auxiliary"].between(0, 10).all()
    # The layer that tells it is dropped, and what it taught the backbones stays.
    assert read_state_dict("out/best.ckpt").keys() == tiny_model().state_dict().keys()
    assert train(*learning, "output=plain") == 0
    assert "train/auxiliary" not in pd.read_csv("plain/curves.csv")
    taught, plain = (read_state_dict(f"{folder}/last.ckpt") for folder in ("out", "plain"))
    assert not all(torch.equal(taught[name], plain[name]) for name in taught if name.startswith("backbones.technical"))


def test_starting_from_scratch_draws_what_is_trained_anew(train: Run) -> None:
    options = ("stages.heads.epochs=0", "stages.full.epochs=1", "stages.full.train=[backbones.technical.*,heads.*]")
    assert train(*options, "from_scratch=true", "lr=1e-9", "resamples=0", "output=out") == 0
    start, best = tiny_model().state_dict(), read_state_dict("out/best.ckpt")
    drawn = {name.rpartition(".")[0] for name in start if not torch.allclose(start[name], best[name], atol=1e-6)}
    assert "backbones.technical.patch_embed.proj" in drawn
    assert len(drawn) > 3
    assert all(name.startswith("backbones.technical.") for name in drawn)


def test_a_later_stage_does_not_draw_anew_what_an_earlier_one_trained(train: Run) -> None:
    once = "{epochs: 1, train: [backbones.technical.*]}"
    options = ("from_scratch=true", "lr=1e-9", "resamples=0")
    for heads, folder in (("{epochs: 0, train: []}", "one"), (once, "two")):
        assert train(*options, f"stages.heads={heads}", f"stages.full={once}", f"output={folder}") == 0
    one, two = (read_state_dict(f"{folder}/last.ckpt") for folder in ("one", "two"))
    torch.testing.assert_close(two, one, rtol=0, atol=1e-6)


def test_evaluate_finds_what_training_measured(train: Run, small: Callable[..., int], rated: Path) -> None:
    train(*SHORT, "output=out")
    split = ("protocol.splits=file", "protocol.file=out/split.csv", "protocol.split=validation")
    data = ("data=table", f"data.path={rated / 'ratings.csv'}")
    small("evaluate", *data, *split, "weights=out/best.ckpt", "fit=rescale", "resamples=0", "output=again")
    for score, figures in metrics("again").items():
        expected = metrics("out")[score]
        assert {name: figures[name] for name in ("n", "srocc", "plcc", "rmse")} == pytest.approx(
            {name: expected[name] for name in ("n", "srocc", "plcc", "rmse")}, abs=1e-5
        )


def test_what_was_trained_goes_with_the_weights_it_started_from(
    train: Run, small: Callable[..., int], rated: Path
) -> None:
    save_weights(tiny_model(), "start.safetensors")
    assert train(*SHORT, "weights=start.safetensors", "output=out") == 0
    assert Path("out/heads.safetensors").stat().st_size < Path("out/best.ckpt").stat().st_size / 2
    start = "base_weights=start.safetensors"
    for weights in ("best.ckpt", "heads.safetensors"):
        assert small("infer", f"data={rated}", f"weights=out/{weights}", start, f"output={weights}") == 0
    assert Path("best.ckpt/scores.csv").read_bytes() == Path("heads.safetensors/scores.csv").read_bytes()
    assert small("infer", f"data={rated}", "weights=out/last.ckpt", start, "output=last.ckpt") == 0  # as one in mid-run
    Path("start.safetensors").unlink()
    assert small("infer", f"data={rated}", "weights=out/best.ckpt", "output=whole") == 0
    assert small("infer", f"data={rated}", "weights=out/heads.safetensors", "output=partial") == 2


def test_backbones_run_once(train: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    options = (*SHORT, f"cache.dir={tmp_path / 'cache'}", "augment.samplings=1")
    train(*options, "output=one")
    files = sorted((tmp_path / "cache").rglob("*.safetensors"))
    assert len(files) == 3 * (20 + 16)  # three branches: all clips at the centre, clips to train on drawn once more

    def features(self: COVER, views: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        assert not views, "a backbone ran again"
        return {}

    with monkeypatch.context() as patch:
        patch.setattr(COVER, "features", features)
        patch.setattr("cover.training.data.features.video_bytes", lambda *_: 1)
        assert train(*options, "output=two", "lr=1e-4") == 0
    assert metrics("one") != metrics("two")


def test_features_belong_to_the_weights_of_their_branch(train: Run, tmp_path: Path) -> None:
    options = ("stages.heads.epochs=1", "resamples=0", f"cache.dir={tmp_path / 'cache'}")
    model = tiny_model()
    save_weights(model, "same.safetensors")
    next(model.backbones["technical"].parameters()).data += 0.1
    save_weights(model, "other.safetensors")
    counts = []
    for output, weights in (("one", "random"), ("two", "same.safetensors"), ("three", "other.safetensors")):
        assert train(*options, f"weights={weights}", f"output={output}") == 0
        counts.append(len(list((tmp_path / "cache").rglob("*.safetensors"))))
    assert counts == [60, 60, 80]


class Lost(BaseException):
    """Power, a node, patience."""


@pytest.mark.parametrize(("stage", "epoch"), [("heads", 1), ("full", 0), ("full", 1)])
def test_an_interrupted_run_ends_like_a_whole_one(
    train: Run, monkeypatch: pytest.MonkeyPatch, stage: str, epoch: int
) -> None:
    options = (
        "stages.heads.epochs=2",
        "stages.full.epochs=2",
        "resamples=0",
        "augment.samplings=1",
        "cache.views=true",
    )
    assert train(*options, "output=whole") == 0

    def lose(self: Training) -> None:
        if bool(self.model.backbones) is (stage == "full") and self.current_epoch == epoch:
            raise Lost

    with monkeypatch.context() as patch:
        patch.setattr(Training, "on_train_epoch_end", lose)
        with pytest.raises(Lost):
            train(*options, "output=broken")
    assert not Path("broken/metrics.json").exists()
    assert train(*options, "output=broken") == 0
    for name in ("curves.csv", "predictions.csv", "metrics.json"):
        assert Path("broken", name).read_bytes() == Path("whole", name).read_bytes()
    whole, broken = read_state_dict("whole/best.ckpt"), read_state_dict("broken/best.ckpt")
    assert all(torch.equal(whole[name], broken[name]) for name in whole)


@pytest.mark.slow
def test_a_killed_run_ends_like_a_whole_one(background: Callable[..., Any], tmp_path: Path) -> None:
    options = ("stages.heads.epochs=6", "resamples=0")
    assert background(*options, "output=whole").wait() == 0
    process = background(*options, "output=broken")
    while "epoch 2" not in (line := process.stderr.readline()):
        assert line, "the run ended before it could be killed"
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    assert not (tmp_path / "broken/metrics.json").exists()
    assert background(*options, "output=broken").wait() == 0
    for name in ("curves.csv", "predictions.csv", "metrics.json"):
        assert (tmp_path / "broken" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()


@pytest.mark.slow
def test_ctrl_c_stops_and_the_same_command_goes_on(background: Callable[..., Any], tmp_path: Path) -> None:
    process = background("stages.heads.epochs=500", "resamples=0", "output=out")
    while "epoch 2" not in (line := process.stderr.readline()):
        assert line, "the run ended before it could be stopped"
    os.killpg(process.pid, signal.SIGINT)
    _, shown = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "Run the same command to resume" in shown
    assert (tmp_path / "out/stages/heads/last.ckpt").exists()


def test_a_finished_run_is_shown_again(
    train: Run, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    train(*SHORT, "output=out")
    before, shown = Path("out/best.ckpt").read_bytes(), capsys.readouterr().out
    monkeypatch.delattr(Training, "training_step")
    assert train(*SHORT, "output=out") == 0
    assert capsys.readouterr().out == shown
    assert Path("out/best.ckpt").read_bytes() == before


@pytest.mark.parametrize("option", ["lr=1e-4", "resume=false"])
def test_another_run_sets_the_first_aside(train: Run, option: str) -> None:
    train(*SHORT, "output=out")
    before = metrics("out")
    assert train(*SHORT, option, "output=out") == 0
    (previous,) = Path("out/previous").iterdir()
    assert metrics(str(previous)) == before
    assert (previous / "best.ckpt").exists()


@pytest.mark.parametrize("views", ["cached", "decoded"])
def test_end_to_end(train: Run, views: str) -> None:
    stages = ("stages.heads.epochs=1", "stages.full.epochs=2", "resamples=0")
    assert train(*stages, f"cache.views={views == 'cached'}", "output=out") == 0
    assert pd.read_csv("out/curves.csv")["stage"].to_list() == ["heads", "full", "full"]
    state = torch.load("out/last.ckpt", weights_only=True)["training_state"]
    start = tiny_model().state_dict()
    learned = {
        branch
        for branch in ("semantic", "technical", "aesthetic")
        for name in start
        if name.startswith(f"backbones.{branch}.") and f"model.{name}" in state
        if not torch.equal(state[f"model.{name}"], start[name])
    }
    assert learned == {"technical", "aesthetic"}
    assert read_state_dict("out/best.ckpt").keys() == start.keys()


def test_a_linear_probe_leaves_the_rest_alone(train: Run) -> None:
    assert train("experiment=linear_probe", "stages.heads.epochs=2", "resamples=0", "output=out") == 0
    trained = read_state_dict("out/heads.safetensors")
    assert sorted(trained) == sorted(
        f"heads.{branch}.score.{name}"
        for branch in ("semantic", "technical", "aesthetic")
        for name in ("weight", "bias")
    )
    start, best = tiny_model().state_dict(), read_state_dict("out/best.ckpt")
    assert {name for name in start if not torch.equal(start[name], best[name])} <= trained.keys()


class TestHeadsInClosedForm:
    CLOSED = ("stages.ridge.epochs=1", "resamples=0")

    def test_on_their_own(self, train: Run, rated: Path, run: Callable[..., int]) -> None:
        fits = "ridge.technical={sets: {ratings.csv: 1}, scale: 0.5}"
        assert train(*self.CLOSED, "stages.heads.epochs=0", fits, "output=out") == 0
        curves = pd.read_csv("out/curves.csv")
        assert curves[["stage", "epoch"]].to_numpy().tolist() == [["ridge", 1]]
        assert curves["val/score"].notna().all()
        assert {path.name for path in Path("out").iterdir()} >= RESULTS | PICTURES | {"heads.safetensors"}
        table = pd.read_csv("out/predictions.csv")
        fitted = table[table["split"] == "train"]
        assert fitted["technical"].std(ddof=0) == pytest.approx(0.5, rel=1e-3)
        assert fitted["semantic"].std(ddof=0) == pytest.approx(1, rel=1e-3)
        assert srocc(fitted["technical"], fitted["mos"]) > 0.5
        start, best = tiny_model().state_dict(), read_state_dict("out/best.ckpt")
        changed = {name for name in start if not torch.equal(start[name], best[name])}
        branches = ("semantic", "technical", "aesthetic")
        assert changed == {f"heads.{branch}.score.{name}" for branch in branches for name in ("weight", "bias")}

    def test_as_the_start_of_training(self, train: Run) -> None:
        assert train(*self.CLOSED, "stages.heads.epochs=1", "output=out") == 0
        curves = pd.read_csv("out/curves.csv")
        assert curves[["stage", "epoch"]].to_numpy().tolist() == [["ridge", 1], ["heads", 1]]
        assert Path("out/metrics.json").exists()

    def test_a_dataset_that_there_is_not(self, train: Run, capsys: pytest.CaptureFixture[str]) -> None:
        assert train(*self.CLOSED, "ridge.semantic.sets={kinds: 1}", "output=out") == 2
        assert "ridge.semantic.sets: no dataset 'kinds' here, only ratings.csv" in capsys.readouterr().err
        assert not Path("out/errors.csv").exists()


LONG = ("lite", "finetune_full")


@pytest.mark.parametrize(
    "recipe",
    [
        pytest.param(path.stem, marks=[pytest.mark.slow] if path.stem in LONG else [])
        for path in sorted(RECIPES.glob("[!_]*.yaml"))
        if path.stem[:6] != "cover_"
    ],
)
def test_every_recipe_takes_a_step(train: Run, rated: Path, tmp_path: Path, recipe: str) -> None:
    options = [f"experiment={recipe}", "resamples=0", "+trainer.limit_train_batches=1", "output=out"]
    stages = yaml.safe_load((RECIPES / f"{recipe}.yaml").read_text()).get("stages", {})
    options += [f"stages.{name}.epochs=1" for name, stage in stages.items() if stage["epochs"]]
    if recipe == "k_splits":
        options += ["stages.heads.epochs=1", "protocol.indices=[0,1]"]
    if recipe == "finetune_small":  # which adapts a trained model
        save_weights(tiny_model().state_dict(), tmp_path / "start.safetensors")
        options += [f"weights={tmp_path / 'start.safetensors'}"]
    if recipe == "pretrain":  # its weights fit the full size only; of LSVQ the small copy has more to test on
        make_miniset("lsvq", tmp_path / "lsvq", copies_of(rated), count=20)
        splits = ["data.split=test", "validation.split=train"]
        options += ["data=lsvq", f"data.root={tmp_path / 'lsvq'}", *splits, "weights=random"]
    if recipe == "lite":
        timm = pytest.importorskip("timm", reason="the recipe starts from its network")
        pytest.importorskip("imageio_ffmpeg", reason="stills are rated by its FFmpeg, which has VMAF")
        torch.save(timm.create_model("tf_efficientnet_lite0").state_dict(), tmp_path / "network.pth")
        options += [
            "data=stills",
            f"data.sources={pristine(tmp_path / 'photos', side=500)}",
            f"data.folder={tmp_path / 'stills'}",
            f"also.kinds.folder={tmp_path / 'kinds'}",
            "also.kinds.kinds=[low_contrast,occlusion]",
            "also.kinds.per_content=9",
            f"also.appeal.path={rated / 'ratings.csv'}",
            "model=cover_lite",
            f"model.net.technical.pretrained={tmp_path / 'network.pth'}",
            "views=cover_lite",
            "weights=pretrained",
        ]
    assert train(*options) == 0
    assert (Path("out/summary.csv") if recipe == "k_splits" else Path("out/metrics.json")).exists()


def pristine(folder: Path, side: int) -> Path:
    """Three photos, one for each split."""
    folder.mkdir()
    lacking = {"train", "validation", "test"}
    number = 0
    while lacking:
        path = folder / f"{(number := number + 1)}.png"
        Image.fromarray(scene(1, side, np.random.default_rng(number))[0]).save(path)
        split = survey(path, f"{folder.name}/{path.name}").split
        if split not in lacking:
            path.unlink()
        lacking.discard(split)
    return folder


def copies_of(rated: Path) -> Callable[[Path], None]:
    """Makes any file by copying a rated clip."""
    clips = itertools.cycle(sorted(rated.glob("*.mp4")))
    return lambda path: shutil.copy(next(clips), path) and None


def test_k_splits(train: Run, capsys: pytest.CaptureFixture[str]) -> None:
    splits = ("protocol.indices=[0,3]", "stages.heads.epochs=1", "resamples=0")
    assert train(*splits, "output=out") == 0
    table = pd.read_csv("out/summary.csv")
    overall = table[table["score"] == "overall"].set_index("split")["srocc"]
    single = [metrics(f"out/split_{index}")["overall"]["srocc"] for index in (0, 3)]
    assert overall[["0", "3"]].to_list() == pytest.approx(single)
    assert overall["median"] == pytest.approx(sum(single) / 2)
    assert overall["std"] == pytest.approx(abs(single[0] - single[1]) / 2)
    assert "medians over 2 splits" in capsys.readouterr().out
    assert train("stages.heads.epochs=1", "resamples=0", "protocol.indices=[3]", "output=alone") == 0
    assert metrics("alone") == metrics("out/split_3")


@pytest.mark.parametrize("kind", KINDS)
def test_every_dataset_can_be_trained_on(rated: Path, tmp_path: Path, kind: str) -> None:
    make_miniset(kind, tmp_path / "set", copies_of(rated), count=15)
    plan = training_plan(f"data={kind}", f"data.root={tmp_path / 'set'}", "protocol.indices=[0,1,2]")
    assert plan.selection is not None
    splits = rated_splits(plan.sources, plan.selection, tmp_path)
    assert len(splits) == 3
    for (rated_set,) in splits:
        assert (len(rated_set.train), len(rated_set.validation)) == (12, 3)


def test_several_datasets_at_once(train: Run, rated: Path, tmp_path: Path) -> None:
    shutil.copytree(rated, tmp_path / "second")
    table = pd.read_csv(tmp_path / "second/ratings.csv")
    table.assign(mos=100 - 20 * table["mos"]).to_csv(tmp_path / "second/percent.csv", index=False)
    second = ("+data@also.more=table", "also.more.path=second/percent.csv", "+also.more.share=0.5")
    assert train(*SHORT, *second, "batch_size=4", "output=out") == 0
    table = pd.read_csv("out/predictions.csv")
    assert table.groupby(["dataset", "split"]).size().to_dict() == {
        ("percent.csv", "train"): 16,
        ("percent.csv", "validation"): 4,
        ("ratings.csv", "train"): 16,
        ("ratings.csv", "validation"): 4,
    }
    assert torch.load("out/last.ckpt", weights_only=True)["global_step"] == 2 * (4 + 2)


def test_an_unreadable_clip_costs_itself_only(train: Run, rated: Path, tmp_path: Path) -> None:
    shutil.copytree(rated, tmp_path / "clips")
    broken = tmp_path / "clips/00-blur-1.mp4"
    broken.write_bytes(b"")
    assert train(*SHORT, "data=table", "data.path=clips/ratings.csv", "output=out") == 1
    assert pd.read_csv("out/errors.csv").to_numpy().tolist() == [["00-blur-1.mp4", "the file is empty (0 bytes)"]]
    assert len(pd.read_csv("out/predictions.csv")) == 19
    broken.unlink()
    assert train(*SHORT, "data=table", "data.path=clips/ratings.csv", "output=strict") == 2
    assert train(*SHORT, "data=table", "data.path=clips/ratings.csv", "output=lenient", "strict=false") == 0


def test_an_unreadable_clip_costs_itself_only_when_all_is_trained(train: Run, rated: Path, tmp_path: Path) -> None:
    shutil.copytree(rated, tmp_path / "clips")
    (tmp_path / "clips/00-blur-1.mp4").write_bytes(b"")
    stages = ("stages.heads.epochs=0", "stages.full.epochs=1", "stages.full.train=[backbones.*,gates.*,heads.*]")
    assert train(*stages, "resamples=0", "data=table", "data.path=clips/ratings.csv", "output=out") == 1
    assert pd.read_csv("out/errors.csv")["Filename"].to_list() == ["00-blur-1.mp4"]
    assert len(pd.read_csv("out/predictions.csv")) == 19
    assert {name.split(".")[0] for name in read_state_dict("out/trained.safetensors")} == {
        "backbones",
        "gates",
        "heads",
    }


@pytest.mark.parametrize(
    ("rows", "options", "message"),
    [
        ([(f"{n}.mp4", n) for n in range(9)], [], "9 rated videos are too few"),
        ([(f"{n}.mp4", 3) for n in range(12)], [], "all 12 videos have the MOS 3"),
        ([(f"{n}.mp4", "good" if n == 5 else n) for n in range(12)], [], "'good', not a number"),
        ([(f"{n}.mp4", n) for n in range(14)], [], "2 of 14 videos are missing"),
        ([(f"{n}.mp4", "") for n in range(12)], [], "no video has a MOS"),
        ([*((f"{n}.mp4", n) for n in range(12)), ("link.mp4", 7)], [], "leak: "),
        ([(f"{n}.mp4", n) for n in range(12)], ["data.mos=rating"], "no column rating (found: path, mos)"),
        ([(f"{n}.mp4", n) for n in range(12)], ["stages.heads.train=[head.*]"], "'head.*' matches no parameter"),
        ([(f"{n}.mp4", n) for n in range(12)], ["stages.heads.epochs=0"], "no stage has an epoch"),
        ([(f"{n}.mp4", n) for n in range(12)], ["views.sampling=random"], "augment.samplings="),
        ([(f"{n}.mp4", n) for n in range(12)], ["loss.plcc=-1"], "loss: "),
        ([(f"{n}.mp4", n) for n in range(12)], ["cache.dtype=int8"], "float32, float16"),
        ([(f"{n}.mp4", n) for n in range(12)], ["protocol.indices=[10]"], "10 is not in 0..9"),
        ([(f"{n}.mp4", n) for n in range(12)], ["protocol.splits=full"], "videos to validate on"),
        ([(f"{n}.mp4", n) for n in range(12)], ["ema_decay=2"], "ema_decay=2"),
        (
            [(f"{n}.mp4", n) for n in range(12)],
            ["targets.technical=sharp"],
            "no dataset has such a column (found: none)",
        ),
        ([(f"{n}.mp4", n) for n in range(12)], ["+targets.sharp=mos"], "targets.sharp: there is no such option"),
        (
            [(f"{n}.mp4", n) for n in range(12)],
            ["by_content.column=scene"],
            "ratings.csv has no such column (found: none)",
        ),
        ([(f"{n}.mp4", n) for n in range(12)], ["by_content.videos=0"], "by_content.videos=0"),
        (
            [(f"{n}.mp4", n) for n in range(12)],
            ["auxiliary.columns=[level_*]"],
            "auxiliary.columns: 'level_*' matches no column of ratings.csv (found: none)",
        ),
        ([(f"{n}.mp4", n) for n in range(12)], ["auxiliary.factor=0"], "auxiliary.factor=0"),
        ([(f"{n}.mp4", n) for n in range(12)], ["+trainer.limit_val_batches=0"], "every epoch is validated"),
    ],
)
def test_what_is_refused(
    train: Run,
    rated: Path,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    rows: list[tuple[object, object]],
    options: list[str],
    message: str,
) -> None:
    for number, clip in zip(range(12), sorted(rated.glob("*.mp4")), strict=False):
        shutil.copy(clip, f"{number}.mp4")
    (tmp_path / "link.mp4").symlink_to("0.mp4")
    with Path("ratings.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([("path", "mos"), *rows])
    assert train("data=table", "data.path=ratings.csv", "output=out", "protocol.count=10", *options) == 2
    shown = [line for line in capfd.readouterr().err.splitlines() if line.startswith("error: ")]
    assert len(shown) == 1
    assert message in shown[0]
    if "missing" in message:
        assert pd.read_csv("out/missing.csv")["Filename"].to_list() == ["12.mp4", "13.mp4"]


def test_a_short_disk_is_refused_before_the_work(
    train: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(cover.training.data.cache.shutil, "disk_usage", lambda _: usage._replace(free=10**9))
    assert train(*SHORT, f"cache.dir={tmp_path / 'cache'}", "output=out") == 2
    assert "cache.dir=" in capfd.readouterr().err
    assert not (tmp_path / "cache").exists()


def test_weights_and_biases_offline(train: Run) -> None:
    pytest.importorskip("wandb")
    assert train(*SHORT, "logger=wandb", "logger.offline=true", "output=out") == 0
    (run_file,) = Path("out").rglob("run-*.wandb")
    assert "offline-run" in str(run_file.parent)
    logged = run_file.read_bytes()
    assert b"val/raw/overall/srocc" in logged
    assert b"best/overall/srocc" in logged
    assert {path.suffix for path in run_file.parent.rglob("media/**/*") if path.is_file()} == {".json", ".png"}


@pytest.mark.slow
def test_two_processes_train_like_one(train: Run, background: Callable[..., Any]) -> None:
    # Dropout differs from process to process; everything else does not.
    still = ("head_dropout", "gate_dropout", "technical.drop_path", "aesthetic.drop_path")
    options = (*(f"+model.net.{name}=0" for name in still), "resamples=0", "ema_decay=0.5")
    options += ("stages.heads.epochs=2", "stages.full.epochs=1", "cache.views=true")
    ranks = ("trainer=ddp", "trainer.accelerator=cpu", "trainer.devices=2", "batch_size=4")
    process = background(*options, *ranks, "output=two")
    assert train(*options, "batch_size=8", "output=one") == 0
    _, shown = process.communicate(timeout=300)
    assert process.returncode == 0, shown
    one, two = (pd.read_csv(f"{name}/curves.csv") for name in ("one", "two"))
    pd.testing.assert_frame_equal(two, one, atol=1e-5)


def test_ratings_that_run_against_the_scores_are_noticed(
    train: Run, small: Run, rated: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """A table of DMOS: low for the videos that the model, before it learns, finds good."""
    small("infer", f"data={rated / 'ratings.csv'}", "model=tiny", "output=scores")
    scores = pd.read_csv("scores/scores.csv")
    ranks = scores[["Semantic", "Technical", "Aesthetic"]].rank().sum(axis=1)
    table = pd.DataFrame({"path": [rated / name for name in scores["Filename"]], "dmos": ranks.max() - ranks})
    table.to_csv("dmos.csv", index=False)
    data = ("data=table", "data.path=dmos.csv", "data.mos=dmos", "model=tiny", "cache.dir=cache", *SHORT)
    capfd.readouterr()
    assert train(*data, "output=taken_literally") == 0
    assert "dmos.csv: scores and ratings run against each other" in capfd.readouterr().err
    assert train(*data, "output=declared", "data.lower_is_better=true") == 0
    assert "run against each other" not in capfd.readouterr().err
    predictions = pd.read_csv("declared/predictions.csv")
    assert (predictions["mos"] <= 0).all()  # high is good in what is written
    assert sorted(-predictions["mos"]) == sorted(table["dmos"])


def test_ratings_of_single_branches_are_turned_round_too(rated: Path, tmp_path: Path) -> None:
    table = pd.read_csv(rated / "ratings.csv")
    table.assign(sharp=table["mos"] + 0.5).to_csv(tmp_path / "ratings.csv", index=False)
    common = ("data=table", f"data.path={tmp_path}/ratings.csv", f"data.root={rated}", "targets.technical=sharp")
    plain, turned = (
        training_plan(*common, f"data.lower_is_better={lower}").sources[0].rows for lower in ("false", "true")
    )
    assert [row.mos for row in turned] == [-row.mos for row in plain if row.mos is not None]
    assert [row.extras["sharp"] for row in turned] == [-float(str(row.extras["sharp"])) for row in plain]


class TestAgainstTheStart:
    """Training is compared with the weights it starts from, where these mean something."""

    @pytest.fixture
    def start(self, tmp_path: Path) -> str:
        torch.manual_seed(3)
        save_weights(tiny_model().state_dict(), tmp_path / "start.safetensors")
        return f"weights={tmp_path / 'start.safetensors'}"

    def test_four_videos_cannot_show_that_it_helped(
        self, train: Run, start: str, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert train("stages.heads.epochs=2", "resamples=50", start, "output=out") == 0
        shown = capsys.readouterr().out
        assert "training did not help here" in shown
        assert "best.ckpt is the start" in shown
        assert "overall, before" in shown
        found = metrics("out")
        calibrated = found["best"].pop("calibrated")
        assert found["best"] == {"stage": "start", "epoch": 0, "variant": "raw"}
        assert calibrated == ("with a calibration to your scale" in shown)
        assert found["overall"] == found["before"]
        assert found["gain"]["n"] == 4
        assert found["gain"]["srocc"][0] == pytest.approx(found["trained"]["srocc"] - found["before"]["srocc"])
        curves = pd.read_csv("out/curves.csv")
        assert curves[["stage", "epoch"]].to_numpy().tolist() == [["start", 0], ["heads", 1], ["heads", 2]]
        assert curves["val/raw/overall/srocc"][0] == pytest.approx(found["before"]["srocc"], abs=1e-5)
        before, best = read_state_dict("start.safetensors"), read_state_dict("out/best.ckpt")
        assert all(torch.equal(best[name], before[name]) for name in before)
        assert not Path("out/trained.safetensors").exists()

    def test_the_best_epoch_can_be_had_all_the_same(self, train: Run, start: str) -> None:
        assert train("stages.heads.epochs=3", "resamples=0", "lr=0.01", start, "require_gain=false", "output=out") == 0
        found = metrics("out")
        better = found["gain"]["sum"][0] > 0
        assert (found["best"]["epoch"] > 0) == better

    def test_it_resumes_with_its_start(
        self, train: Run, start: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        options = ("stages.heads.epochs=3", "resamples=0", start)
        assert train(*options, "output=whole") == 0

        def lose(self: Training) -> None:
            if self.current_epoch == 1:
                raise Lost

        with monkeypatch.context() as patch:
            patch.setattr(Training, "on_train_epoch_end", lose)
            with pytest.raises(Lost):
                train(*options, "output=resumed")
        assert pd.read_csv("resumed/curves.csv")["epoch"].to_list() == [0, 1, 2]
        assert train(*options, "output=resumed") == 0
        pd.testing.assert_frame_equal(pd.read_csv("resumed/curves.csv"), pd.read_csv("whole/curves.csv"))
        assert metrics("resumed") == metrics("whole")

    @pytest.fixture
    def tellable(self, small: Run, rated: Path, tmp_path: Path, start: str) -> Path:
        """Ratings that are what the technical branch says, which the sum of the three does not know."""
        assert small("infer", f"data={rated / 'ratings.csv'}", "model=tiny", start, "output=scores") == 0
        scores = pd.read_csv("scores/scores.csv").set_index("Filename")
        table = pd.read_csv(rated / "ratings.csv")
        technical = table["path"].map(scores["Technical"])
        aesthetic = table["path"].map(scores["Aesthetic"])
        table["mos"] = (technical - technical.mean()) / technical.std() - 1e-6 * aesthetic
        table["path"] = [str(rated / name) for name in table["path"]]
        table.to_csv(tmp_path / "tellable.csv", index=False)
        return tmp_path / "tellable.csv"

    def test_few_videos_get_what_they_can_carry(
        self, train: Run, small: Run, start: str, tellable: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        options = ("experiment=finetune_small", "resamples=50", start, "data=table", f"data.path={tellable}")
        assert train(*options, "output=out") == 0
        shown = capsys.readouterr().out
        assert "training helped: SROCC +" in shown
        assert "5 folds over 5 contents (by column content)" in shown
        found = metrics("out")
        assert found["ladder"]["chosen"]["rung"] in ("weights", "ridge")
        assert found["overall"]["srocc"] > found["before"]["srocc"]
        assert found["gain"]["srocc"][1] > 0 or found["gain"]["plcc"][1] > 0
        assert {"rungs.csv", "rungs.png", "scatter.png", "predictions.csv"} <= {p.name for p in Path("out").iterdir()}

        # The weights score as the rung does, and predict the MOS on its scale.
        assert small("infer", f"data={tellable}", "model=tiny", "weights=out/best.ckpt", "output=again") == 0
        again, mos = pd.read_csv("again/scores.csv"), pd.read_csv(tellable)["mos"]
        assert again["Overall"].corr(mos) > pd.read_csv("scores/scores.csv")["Overall"].corr(mos)
        assert (again["PredictedMOS"] - mos).abs().mean() < mos.std()
        capsys.readouterr()
        assert train(*options, "output=out") == 0  # shown again, not computed again
        assert "training helped" in capsys.readouterr().out

    def test_shuffled_ratings_leave_the_start(self, train: Run, rated: Path, start: str) -> None:
        table = pd.read_csv(rated / "ratings.csv")
        table["mos"] = np.random.default_rng(1).permutation(table["mos"])
        table["path"] = [str(rated / name) for name in table["path"]]
        table.to_csv("shuffled.csv", index=False)
        data = ("data=table", "data.path=shuffled.csv", "experiment=finetune_small", start, "resamples=0")
        assert train(*data, "output=out") == 0
        assert metrics("out")["best"]["epoch"] == 0
        before, best = read_state_dict("start.safetensors"), read_state_dict("out/best.ckpt")
        assert all(torch.equal(best[name], before[name]) for name in before)

    def test_raters_come_with_the_result(
        self, train: Run, rated: Path, start: str, capsys: pytest.CaptureFixture[str]
    ) -> None:
        table = pd.read_csv(rated / "ratings.csv")
        rng = np.random.default_rng(0)
        rows = [
            (f"P{rater}", name, round(float(np.clip(mos + rng.normal(0, 0.3), 0, 100)), 2))
            for rater in range(5)
            for name, mos in zip(table["path"], table["mos"], strict=True)
        ]
        pd.DataFrame(rows, columns=["rater", "video", "rating"]).to_csv("raters.csv", index=False)
        data = ("data=ratings", "data.path=raters.csv", f"data.root={rated}", "loss.by_interval=true")
        assert train(*data, start, "stages.heads.epochs=1", "resamples=0", "output=out") == 0
        shown = capsys.readouterr().out
        assert "5 raters, 100 ratings" in shown
        assert "reliability (ICC): " in shown
        assert {"ratings.csv", "raters.csv", "agreement.json"} <= {path.name for path in Path("out").iterdir()}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["batch_size=1"], "batch_size=1: losses compare the videos of a batch"),
        (["loss.within=1"], "loss.within=1: losses then compare videos of one content only"),
        (["loss.by_interval=true"], "loss.by_interval=true: data has no columns ci95, or std and n"),
        (["protocol.splits=nested"], "no stage is trained; experiment=finetune_small"),
        (["experiment=finetune_small"], "adapts a trained model; weights=random"),
        (["experiment=finetune_small", "targets.technical=mos"], "leave targets= out"),
    ],
)
def test_what_learns_nothing_is_refused(
    train: Run, rated: Path, capfd: pytest.CaptureFixture[str], options: list[str], message: str
) -> None:
    table = pd.read_csv(rated / "ratings.csv")[["path", "mos"]]
    table["path"] = [str(rated / name) for name in table["path"]]
    table.to_csv("ratings.csv", index=False)
    code = train("data=table", "data.path=ratings.csv", "output=out", "resamples=0", *options)
    assert code == 2
    errors = [line for line in capfd.readouterr().err.splitlines() if line.startswith("error: ")]
    assert len(errors) == 1
    assert message in errors[0]


def test_versions_of_a_content_on_both_sides_are_said(
    train: Run, rated: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert train("stages.heads.epochs=1", "resamples=0", "output=out") == 0
    shown = capfd.readouterr().err
    assert "videos held out show the content of some that are trained on" in shown
    assert "protocol.splits=grouped keeps them apart" in shown
    assert "experiment=finetune_small" in shown
    assert train("stages.heads.epochs=1", "resamples=0", "protocol.splits=grouped", "output=grouped") == 0
    assert "held out show" not in capfd.readouterr().err
    split = pd.read_csv("grouped/split.csv")
    sides = [{name[:2] for name in split.loc[split["split"] == side, "Filename"]} for side in ("train", "validation")]
    assert sides[0].isdisjoint(sides[1])


def test_videos_that_were_trained_on_are_counted_by_content(
    train: Run, small: Callable[..., int], rated: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert train(*SHORT, "output=out") == 0
    with Path("out/split.csv").open() as file:
        trained = [line["Filename"] for line in csv.DictReader(file) if line["split"] == "train"]
    # Other names in another place: only the content counts.
    lines = ["path,mos"]
    for number, name in enumerate([*sorted(trained)[:3], "new.mp4"]):
        clip = rated / name
        data = clip.read_bytes() if clip.exists() else (rated / trained[0]).read_bytes() + b"another"
        (tmp_path / f"{number}.mp4").write_bytes(data)
        lines.append(f"{number}.mp4,{number + 1}")
    (tmp_path / "others.csv").write_text("\n".join(lines))
    capfd.readouterr()
    data = ("data=table", f"data.path={tmp_path / 'others.csv'}", "weights=out/best.ckpt", "output=measured")
    assert small("evaluate", *data, "resamples=0", "report=false") == 0
    shown = capfd.readouterr()
    assert "3 of these 4 videos were trained on" in shown.out + shown.err
    about = read_about("out/best.ckpt")
    assert all(len(digest) == 32 and "mp4" not in digest for digest in about["trained_on"])


def test_equal_trainings_have_equal_bytes(train: Run) -> None:
    for name in ("one", "two"):
        assert train(*SHORT, f"output={name}") == 0
    for file in ("best.ckpt", "heads.safetensors"):
        assert Path("one", file).read_bytes() == Path("two", file).read_bytes()
