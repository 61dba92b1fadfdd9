"""``evaluate.py`` from end to end: measures of predictions in hand, and whole benchmark runs on small stand-ins."""

import csv
import json
import math
import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest
import yaml
from PIL import Image

from cover.curves import Line, to_plain
from cover.evaluation.measures import measure
from cover.evaluation.p1401 import standard
from cover.weights import save_weights
from tests.helpers.clips import numbered_frame, write_clip
from tests.helpers.minisets import KINDS, make_miniset
from tests.helpers.tiny import CONFIGS, tiny_model
from tests.tasks.conftest import Run

if TYPE_CHECKING:
    import subprocess

FIGURES = ("srocc", "krocc", "plcc", "rmse")
# The printed table of shared/reference/dover_predictions/dover_metrics.md.
DOVER = {
    "val-kv1k": (1200, 0.8828, 0.7018, 0.8864, 0.2967),
    "val-ltest": (7186, 0.8879, 0.7082, 0.8885, 4.8239),
    "val-cvd2014": (234, 0.8327, 0.6356, 0.8393, 11.6594),
    "val-ytugc": (1147, 0.7748, 0.5748, 0.7926, 0.3979),
}
DOVER_COLUMNS = ("columns.path=video", "columns.mos=gt_label", "columns.overall=overall_fused")


def metrics(folder: str | Path) -> dict[str, Any]:
    return json.loads(Path(folder, "metrics.json").read_text())


def predictions(path: Path, count: int = 40, **columns: object) -> Path:
    """A table of predictions that agree with the MOS but for some noise."""
    rng = np.random.default_rng(0)
    mos = rng.uniform(1, 5, count)
    scores = {name: mos + rng.normal(0, 0.5, count) for name in ("overall", "technical")}
    pd.DataFrame({"path": [f"{i}.mp4" for i in range(count)], "mos": mos, **scores, **columns}).to_csv(
        path, index=False
    )
    return path


def write_media(path: Path) -> None:
    """A clip, or an image, whose content depends on its name."""
    seed = sum(path.name.encode())
    if path.suffix == ".jpg":
        Image.fromarray(np.random.default_rng(seed).integers(0, 256, (64, 80, 3), dtype=np.uint8)).save(path)
    else:
        write_clip(path, [numbered_frame(seed % 50 + i) for i in range(6)], "mpeg4")


@pytest.mark.parametrize("name", DOVER)
def test_reported_figures_are_reproduced(evaluate: Run, shared: Path, name: str) -> None:
    table = shared / "reference/dover_predictions" / f"{name}.csv"
    assert evaluate(f"predictions={table}", *DOVER_COLUMNS, "output=out", "resamples=0", "logger=none") == 0
    overall = metrics("out")["overall"]
    n, *figures = DOVER[name]
    assert overall["n"] == n
    assert [round(overall[figure], 4) for figure in FIGURES] == figures


def test_predictions_in_hand(evaluate: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    table = pd.read_csv(predictions(tmp_path / "preds.csv"))
    assert evaluate("predictions=preds.csv", "output=out", "resamples=50") == 0
    results = metrics("out")
    assert list(results) == ["overall", "technical"]
    expected = measure(table["overall"], table["mos"], resamples=50).as_dict()
    assert results["overall"] == {**expected, "of": 40, "p1401": results["overall"]["p1401"]}
    assert results["overall"]["p1401"]["rmse"] == pytest.approx(expected["rmse"] * math.sqrt(40 / 39))
    assert {"scatter.png", "predictions.csv", "run.yaml"} <= {path.name for path in Path("out").iterdir()}
    assert pd.read_csv("out/csv/metrics.csv")["overall/srocc"].iloc[0] == pytest.approx(expected["srocc"])
    shown = capsys.readouterr().out
    assert f"{expected['srocc']:.4f}" in shown
    assert "on 40 of 40 videos" in shown


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("path,overall\na,1\n", "no column mos .found: path, overall.; name it with columns.path"),
        ("path,mos,overall\na,1,1\na,2,2\n", "'a' is listed twice"),
        ("path,mos,overall\na,good,1\n", "line 2 has mos 'good', not a number"),
        ("", "predictions=preds.csv: the file is empty"),
    ],
)
def test_unusable_predictions(
    evaluate: Run, tmp_path: Path, capfd: pytest.CaptureFixture[str], text: str, message: str
) -> None:
    (tmp_path / "preds.csv").write_text(text)
    assert evaluate("predictions=preds.csv", "output=out") == 2
    (error,) = [line for line in capfd.readouterr().err.splitlines() if line.startswith("error: ")]
    assert re.search(message, error)


def test_videos_without_a_prediction_are_counted(evaluate: Run, tmp_path: Path) -> None:
    table = pd.read_csv(predictions(tmp_path / "preds.csv"))
    table.loc[:3, "overall"] = np.nan
    table.to_csv("preds.csv", index=False)
    assert evaluate("predictions=preds.csv", "output=out", "resamples=0") == 1
    assert metrics("out")["overall"]["n"] == 36
    assert metrics("out")["overall"]["of"] == 40


class TestProtocols:
    def test_random_splits_give_the_median(self, evaluate: Run, tmp_path: Path) -> None:
        predictions(tmp_path / "preds.csv")
        options = ("predictions=preds.csv", "logger=none")
        assert evaluate(*options, "output=out", "protocol.splits=random", "protocol.write=splits") == 0
        splits = json.loads(Path("out/splits.json").read_text())
        assert len(splits) == 10
        assert {split["overall"]["n"] for split in splits} == {8}
        median = np.median([split["overall"]["srocc"] for split in splits])
        assert metrics("out")["overall"]["srocc"] == pytest.approx(median)
        assert len(list(Path("splits").iterdir())) == 10

    def test_a_written_split_can_be_read_back(self, evaluate: Run, tmp_path: Path) -> None:
        predictions(tmp_path / "preds.csv")
        options = ("predictions=preds.csv", "logger=none")
        evaluate(*options, "output=a", "protocol.splits=random", "protocol.count=1", "protocol.write=splits")
        (file,) = Path("splits").iterdir()
        assert evaluate(*options, "output=b", "protocol.splits=file", f"protocol.file={file}") == 0
        assert metrics("a")["overall"]["srocc"] == metrics("b")["overall"]["srocc"]

    def test_grouped_splits_keep_contents_apart(self, evaluate: Run, tmp_path: Path) -> None:
        predictions(tmp_path / "preds.csv", content=[f"c{i // 4}" for i in range(40)])
        options = ("predictions=preds.csv", "logger=none", "protocol.write=splits")
        assert evaluate(*options, "output=out", "protocol.splits=grouped", "protocol.column=content") == 0
        for file in Path("splits").iterdir():
            parts = pd.read_csv(file)
            contents = parts["Filename"].str.removesuffix(".mp4").astype(int) // 4
            assert (parts.groupby(contents)["split"].nunique() == 1).all()

    def test_a_fixed_split_column(self, evaluate: Run, tmp_path: Path) -> None:
        predictions(tmp_path / "preds.csv", split=["train", "test"] * 20)
        options = ("predictions=preds.csv", "output=out", "logger=none", "protocol.splits=column")
        assert evaluate(*options, "protocol.column=split") == 0
        assert metrics("out")["overall"]["n"] == 20

    def test_an_unknown_protocol(self, evaluate: Run, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
        predictions(tmp_path / "preds.csv")
        assert evaluate("predictions=preds.csv", "output=out", "protocol.splits=psychic") == 2
        assert "protocol.splits=psychic" in capfd.readouterr().err


EXPERIMENTS = {path.stem: yaml.safe_load(path.read_text()) for path in CONFIGS.glob("experiment/cover_*.yaml")}
BENCHMARKS = {f"experiment={name}": config["defaults"][1]["override /data"] for name, config in EXPERIMENTS.items()}
BENCHMARKS |= {f"data={kind}": kind for kind in KINDS if kind not in BENCHMARKS.values()}


@pytest.mark.parametrize("option", BENCHMARKS)
def test_a_whole_benchmark_run(evaluate: Run, tmp_path: Path, option: str) -> None:
    make_miniset(BENCHMARKS[option], tmp_path / "set", write_media, count=6)
    assert evaluate(option, "data.root=set", "output=out", "resamples=0", "logger=none", "views=tiny") == 0
    table = pd.read_csv("out/predictions.csv")
    interval = ["ci95", "se"] if option == "data=koniq_10k" else []  # which says how far its raters agree
    assert table.columns.tolist() == ["Filename", "mos", *interval, "semantic", "technical", "aesthetic", "overall"]
    assert not table.isna().any(axis=None)
    assert list(metrics("out")) == ["overall", "semantic", "technical", "aesthetic"]
    assert all(values["n"] == values["of"] == len(table) for values in metrics("out").values())


def test_fine_tuned_weights_predict_the_mos(evaluate: Run, tmp_path: Path) -> None:
    make_miniset("konvid_1k", tmp_path / "set", write_media, count=6)
    (broken, *_) = sorted((tmp_path / "set").rglob("*.mp4"))
    broken.write_bytes(b"")
    save_weights(tiny_model(), tmp_path / "best.safetensors", {"calibration": to_plain(Line(2.0, 3.0))})
    options = ("data=konvid_1k", "data.root=set", "resamples=0", "logger=none")
    assert evaluate(*options, "output=tuned", "weights=best.safetensors") == 1
    assert evaluate(*options, "output=plain") == 1
    tuned, plain = (pd.read_csv(f"{name}/predictions.csv") for name in ("tuned", "plain"))
    assert tuned.columns.tolist() == [*plain.columns, "PredictedMOS"]
    assert tuned["PredictedMOS"].to_list() == pytest.approx((2 * tuned["overall"] + 3).to_list(), abs=3e-6, nan_ok=True)
    assert tuned["PredictedMOS"].isna().sum() == 1
    pd.testing.assert_frame_equal(tuned[plain.columns], plain)
    assert metrics("tuned") == metrics("plain")


def test_missing_and_failed_videos_are_counted(
    evaluate: Run, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    make_miniset("konvid_1k", tmp_path / "set", write_media, count=8)
    gone, broken = sorted((tmp_path / "set").rglob("*.mp4"))[:2]
    gone.unlink()
    broken.write_bytes(b"")
    options = ("data=konvid_1k", "data.root=set", "resamples=0", "logger=none")
    assert evaluate(*options, "output=out") == 1
    shown = capfd.readouterr()
    assert "on 6 of 8 videos (1 missing, 1 failed)" in shown.out
    assert "konvid_1k: the annotation lists 8 of the 1,200 videos of the dataset" in shown.err
    assert metrics("out")["overall"]["n"] == 6
    assert metrics("out")["overall"]["of"] == 8
    assert len(pd.read_csv("out/missing.csv")) == 1
    assert evaluate(*options, "output=strict", "strict=true") == 2
    assert "1 of 8 videos are missing" in capfd.readouterr().err


def test_a_multirun_ends_with_one_table(evaluate: Run, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    make_miniset("konvid_1k", tmp_path / "set", write_media, count=6)
    options = ("data=konvid_1k", "data.root=set", "output=out", "resamples=50", "logger=none")
    assert evaluate("--multirun", *options, "views.sampling=random", "views.seed=1,2") == 0
    summary = pd.read_csv("out/summary.csv")
    assert "[" not in Path("out/summary.csv").read_text(), "cells are plain"
    assert (summary["srocc_low"] <= summary["srocc"]).all()
    assert {"srocc_high", "undefined", "p1401_plcc"} <= {*summary}
    shown = capfd.readouterr().out
    assert "0 views.seed=1" in shown
    assert "1 views.seed=2" in shown
    assert summary["options"].tolist() == ["views.seed=1"] * 4 + ["views.seed=2"] * 4
    assert summary["job"].tolist() == [0] * 4 + [1] * 4
    assert summary["score"].tolist() == ["overall", "semantic", "technical", "aesthetic"] * 2
    assert Path("out/summary.md").read_text().startswith("| job | options | data | model | score | n |")


def test_a_multirun_over_published_protocols(evaluate: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COVER_DATASETS", str(tmp_path / "all"))
    for kind in ("konvid_1k", "cvd2014"):
        make_miniset(kind, tmp_path / "all" / kind, write_media, count=6)
    options = ("output=out", "resamples=0", "logger=none", "views=tiny")
    assert evaluate("--multirun", "experiment=cover_konvid_1k,cover_cvd2014", *options) == 0
    assert pd.read_csv("out/summary.csv")["data"].unique().tolist() == ["konvid_1k", "cvd2014"]


def test_a_dataset_needs_a_folder(
    evaluate: Run, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("COVER_DATASETS", raising=False)
    assert evaluate("data=konvid_1k", "output=out") == 2
    assert "name the folder of konvid_1k with data.root=DIR" in capfd.readouterr().err


@pytest.mark.slow
def test_runtime_on_request(evaluate: Run, tmp_path: Path) -> None:
    make_miniset("konvid_1k", tmp_path / "set", write_media, count=6)
    options = ("data=konvid_1k", "data.root=set", "output=out", "resamples=0", "logger=none")
    assert evaluate(*options, "benchmark=true") == 0
    runtime = json.loads(Path("out/runtime.json").read_text())
    assert runtime["decode_s"] > 0
    assert runtime["model_s"] > 0


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        ({}, r"logger=wandb: no key for api\.wandb\.ai: run `wandb login` or set WANDB_API_KEY; logger\.offline=true"),
        (
            {"WANDB_API_KEY": "x", "WANDB_BASE_URL": "http://127.0.0.1:9"},
            r"logger=wandb: 127\.0\.0\.1 does not answer \(Connection refused\); logger\.offline=true",
        ),
    ],
)
def test_wandb_that_cannot_be_used_is_said_before_the_work(
    evaluate: Run,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    variables: dict[str, str],
    message: str,
) -> None:
    pytest.importorskip("wandb", reason="the logger needs it")
    for name in ("WANDB_API_KEY", "WANDB_MODE", "WANDB_BASE_URL"):
        monkeypatch.delenv(name, raising=False)
    for name, value in {"NETRC": str(tmp_path / "netrc"), **variables}.items():
        monkeypatch.setenv(name, value)
    Path("preds.csv").write_text("Filename,mos,overall\na,1,1\nb,2,3\nc,3,2\n")
    assert evaluate("predictions=preds.csv", "output=out", "logger=wandb") == 2
    error = capfd.readouterr().err
    assert re.search(message, error)
    assert "Traceback" not in error
    assert not Path("out/metrics.json").exists()


def test_a_logger_that_fails_takes_no_results_with_it(
    evaluate: Run, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def fails(*_: object, **__: object) -> None:
        raise ConnectionError("the service is gone")

    monkeypatch.setattr("cover.reporting.loggers.write_csv_log", fails)
    Path("preds.csv").write_text("Filename,mos,overall\na,1,1\nb,2,3\nc,3,2\n")
    assert evaluate("predictions=preds.csv", "output=out", "logger=csv", "resamples=0") == 0
    shown = capfd.readouterr()
    assert "SROCC" in shown.out
    assert Path("out/metrics.json").exists()
    assert "could not be logged (the service is gone)" in shown.err + shown.out


def test_wandb_offline_writes_its_run_folder(evaluate: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WANDB_SILENT", "true")
    make_miniset("konvid_1k", tmp_path / "set", write_media, count=6)
    options = ("data=konvid_1k", "data.root=set", "output=out", "resamples=0")
    assert evaluate(*options, "logger=wandb", "logger.offline=true") == 0
    (run,) = Path("out/wandb").glob("offline-run-*")
    assert (next(run.glob("*.wandb"))).stat().st_size > 0
    assert list(run.glob("files/media/images/scatter*.png"))
    assert list(run.glob("files/media/table/predictions*.json"))


@pytest.mark.slow
def test_two_processes_measure_what_one_does(
    evaluate: Run, start: Callable[..., "subprocess.Popen[str]"], tmp_path: Path
) -> None:
    make_miniset("konvid_1k", tmp_path / "set", write_media, count=7)
    options = ("data=konvid_1k", "data.root=set", "resamples=20", "logger=none")
    ddp = start("evaluate", *options, "output=ddp", "trainer.devices=2", "trainer.strategy=ddp")
    _, errors = ddp.communicate(timeout=300)
    assert ddp.returncode == 0, errors
    evaluate(*options, "output=single")
    assert metrics("ddp") == metrics("single")
    with Path("ddp/predictions.csv").open() as file:
        assert len(list(csv.reader(file))) == 8


def test_low_ratings_of_good_videos(evaluate: Run, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    lines = [f"{number}.mp4;{100 - number},5;{number}" for number in range(20)]
    (tmp_path / "preds.csv").write_text("path;dmos;overall\n" + "\n".join(lines))
    options = ("predictions=preds.csv", "columns.mos=dmos", "resamples=0")
    assert evaluate(*options, "output=taken_literally") == 0
    assert "run against each other (SROCC: -1.00 on 20 videos)" in capfd.readouterr().err
    assert evaluate(*options, "output=declared", "data.lower_is_better=true") == 0
    assert "run against each other" not in capfd.readouterr().err
    assert metrics("declared")["overall"]["srocc"] == pytest.approx(1)
    assert pd.read_csv("declared/predictions.csv")["mos"].iloc[0] == -100.5


class TestRaters:
    """Ratings of single raters beside predictions, and several metrics against them."""

    @pytest.fixture
    def study(self, tmp_path: Path) -> pd.DataFrame:
        """Twelve raters, one of whom answers at random, of ten clips; and three metrics."""
        rng = np.random.default_rng(0)
        quality = rng.uniform(1.3, 4.7, 10)
        (tmp_path / "results").mkdir()
        for rater in range(12):
            given = quality + rng.normal(0, 0.4, 10) if rater != 5 else rng.uniform(1, 5, 10)
            table = {"ParticipantID": f"P{rater:02d}", "VideoIndex": range(1, 11)}
            table |= {"Filename": [f"clip{i}.mp4" for i in range(10)], "Rating": np.clip(np.round(given), 1, 5)}
            pd.DataFrame(table).to_csv(tmp_path / f"results/P{rater:02d}.csv", index=False)
        names = [f"clip{i}.mp4" for i in range(10)]
        metrics = {"cover": quality + rng.normal(0, 0.3, 10), "vmaf": 20 * quality + rng.normal(0, 16, 10)}
        metrics["niqe"] = -quality + rng.normal(0, 0.5, 10)
        pd.DataFrame({"Filename": names, "overall": metrics["cover"]}).to_csv(tmp_path / "cover.csv", index=False)
        others = {"video": [f"set/{name}" for name in names], "vmaf": metrics["vmaf"], "niqe": metrics["niqe"]}
        pd.DataFrame(others).to_csv(tmp_path / "others.csv", index=False)
        return pd.DataFrame({"Filename": names, **metrics})

    @pytest.mark.parametrize("screening", ["none", "p913"])
    def test_one_metric(
        self, evaluate: Run, study: pd.DataFrame, screening: str, capsys: pytest.CaptureFixture[str]
    ) -> None:
        data = ("data=ratings", "data.path=results/*.csv", f"ratings.screening={screening}")
        assert evaluate("predictions=cover.csv", *data, "fit=cubic", "resamples=50", "output=out") == 0
        mos, raters = pd.read_csv("out/ratings.csv"), pd.read_csv("out/raters.csv")
        assert mos["n"].unique() == ([12] if screening == "none" else [11])
        assert raters.loc[~raters["kept"], "rater"].to_list() == ([] if screening == "none" else ["P05"])
        found = metrics("out")["overall"]
        assert found["n"] == 10
        table = study.merge(mos, on="Filename")
        expected = standard(table["cover"], table["mos"], table["ci95"], fit="cubic").as_dict()
        for name in ("plcc", "rmse", "rmse_star", "outlier_ratio", "plcc_ci95"):
            assert found["p1401"][name] == pytest.approx(expected[name], abs=1e-4), name
        shown = capsys.readouterr().out
        assert "ITU-T P.1401" in shown
        assert "reliability (ICC): " in shown
        assert ("1 rejected by p913: P05" in shown) == (screening == "p913")
        assert json.loads(Path("out/agreement.json").read_text())["screening"] == screening

    def test_several_metrics(self, evaluate: Run, study: pd.DataFrame, capsys: pytest.CaptureFixture[str]) -> None:
        data = ("data=ratings", "data.path=results", "ratings.screening=p913")
        assert evaluate("predictions=cover.csv,others.csv", *data, "resamples=60", "output=out", "fit=linear") == 0
        ranking, pairs = pd.read_csv("out/ranking.csv"), pd.read_csv("out/pairs.csv")
        assert set(ranking["metric"]) == {"cover", "others: vmaf", "others: niqe"}
        assert ranking["metric"][0] == "cover"
        assert ranking.set_index("metric")["low_is_good"].to_dict()["others: niqe"]
        assert ranking["rmse_star"].is_monotonic_increasing
        assert {"rmse_left_out", "rmse_star_left_out", "outlier_ratio_gap"} <= set(ranking)
        assert len(pairs.groupby(["a", "b"])) == 3
        assert {"srocc", "plcc", "krocc", "rmse", "rmse_star", "outlier_ratio"} == set(pairs["measure"])
        assert {"ranking.png", "predictions.csv", "metrics.json", "raters.csv"} <= {
            p.name for p in Path("out").iterdir()
        }
        shown = capsys.readouterr().out
        assert "ranked by RMSE* after fit=linear, on 10 of 10 videos" in shown
        assert "fewer than 30 videos" in shown
        # Results folders are predictions, too.
        assert evaluate("predictions=out", "columns.scores=[cover]", "output=again", "resamples=0", *data) == 0
        assert pd.read_csv("again/ranking.csv")["srocc"][0] == pytest.approx(ranking["srocc"][0], abs=1e-5)

    def test_a_results_folder_of_infer_is_its_overall_score(self, evaluate: Run, study: pd.DataFrame) -> None:
        """Whose MOS is what the model predicts, and no rating."""
        Path("scored").mkdir()
        columns = dict.fromkeys(("Semantic", "Technical", "Aesthetic", "Overall"), study["cover"])
        table = pd.DataFrame({"Filename": study["Filename"], **columns, "MOS": 3.0})
        table.to_csv("scored/scores.csv", index=False)
        data = ("data=ratings", "data.path=results", "resamples=0")
        assert evaluate("predictions=scored,others.csv", *data, "output=out") == 0
        assert set(pd.read_csv("out/ranking.csv")["metric"]) == {"scored", "others: vmaf", "others: niqe"}
        assert evaluate("predictions=scored", *data, "output=alone") == 0
        assert metrics("alone")["overall"]["n"] == 10

    @pytest.mark.parametrize("header", ["mos", "MOS", "Mos"])
    def test_tables_with_their_own_mos(self, evaluate: Run, study: pd.DataFrame, header: str) -> None:
        study.assign(**{header: range(10)})[["Filename", header, "vmaf"]].to_csv("a.csv", index=False)
        other = study.assign(Filename="set/" + study["Filename"], niqe=[math.inf, *study["niqe"][1:]])
        other[["Filename", "niqe"]].to_csv("b.csv", index=False)
        assert evaluate("predictions=a.csv,b.csv", "output=out", "resamples=0") == 1
        ranking = pd.read_csv("out/ranking.csv")
        assert set(ranking["metric"]) == {"a", "b"}
        assert set(ranking["n"]) == {9}  # no figure is computed of an infinite score

    def test_one_table_of_other_metrics_is_a_comparison(
        self, evaluate: Run, study: pd.DataFrame, capfd: pytest.CaptureFixture[str]
    ) -> None:
        Path("results/copy.csv").write_bytes(Path("results/P00.csv").read_bytes())
        data = ("data=ratings", "data.path=results", "resamples=0")
        assert evaluate("predictions=others.csv", *data, "output=out") == 0
        assert set(pd.read_csv("out/ranking.csv")["metric"]) == {"others: vmaf", "others: niqe"}
        assert "they count once" in capfd.readouterr().err  # what was said of the ratings is not lost

    def test_a_clip_that_one_metric_lacks(self, evaluate: Run, study: pd.DataFrame) -> None:
        study[["Filename", "vmaf"]].iloc[:9].to_csv("short.csv", index=False)
        data = ("data=ratings", "data.path=results")
        assert evaluate("predictions=cover.csv,short.csv", *data, "resamples=0", "output=out") == 1
        assert set(pd.read_csv("out/ranking.csv")["n"]) == {9}

    @pytest.mark.parametrize(
        ("arguments", "words"),
        [
            (["predictions=cover.csv,others.csv"], "no table has a column mos"),
            (["predictions=cover.csv"], "no column mos"),
            (["predictions=cover.csv,cover.csv", "data=ratings", "data.path=results"], "is listed twice"),
            (["predictions=cover.csv,nothing.csv", "data=ratings", "data.path=results"], "No such file"),
            (["predictions=none/*.csv", "data=ratings", "data.path=results"], "the glob matches no file"),
            (["predictions=results", "data=ratings", "data.path=results"], "name a results folder or a table"),
            (
                ["predictions=cover.csv", "columns.scores=[x]", "data=ratings", "data.path=results"],
                "columns.scores: no table has a column x",
            ),
            (["predictions=cover.csv", "data=ratings", "data.path=results", "ratings.rater=who"], "ratings.rater=NAME"),
            (
                ["predictions=cover.csv", "data=ratings", "data.path=results", "ratings.screening=x"],
                "ratings.screening",
            ),
            (["predictions=cover.csv", "fit=quartic"], "fit"),
        ],
    )
    def test_what_is_refused(
        self,
        evaluate: Run,
        study: pd.DataFrame,
        capfd: pytest.CaptureFixture[str],
        arguments: list[str],
        words: str,
    ) -> None:
        assert evaluate(*arguments, "output=out") == 2
        (line,) = [line for line in capfd.readouterr().err.splitlines() if line.startswith("error: ")]
        assert re.search(words, line)


def test_undefined_figures_are_explained(evaluate: Run, capsys: pytest.CaptureFixture[str]) -> None:
    pd.DataFrame({"path": ["a", "b"], "mos": [1, 2], "overall": [1, 2]}).to_csv("two.csv", index=False)
    assert evaluate("predictions=two.csv", "output=out", "resamples=50") == 0
    shown = capsys.readouterr().out
    assert "1.0000" not in shown
    assert "undefined: 2 videos: correlations need 3" in shown


def test_scores_that_seem_to_run_against_the_ratings(evaluate: Run, capfd: pytest.CaptureFixture[str]) -> None:
    pd.DataFrame({"path": list("abcde"), "mos": [1, 2, 3, 4, 5], "overall": [5, 3, 4, 2, 1]}).to_csv(
        "t.csv", index=False
    )
    assert evaluate("predictions=t.csv", "output=out", "resamples=0") == 0
    assert "scores and ratings seem to run against each other" in capfd.readouterr().err


def test_each_job_of_a_sweep_is_measured_against_its_own_mos(evaluate: Run, tmp_path: Path) -> None:
    for name, mos in (("one", [1, 2, 3, 4, 5, 6]), ("two", [6, 5, 4, 3, 2, 1])):
        table = {"path": list("abcdef"), "mos": mos, "overall": [value + 0.1 * value**2 for value in mos]}
        pd.DataFrame(table).to_csv(tmp_path / f"{name}.csv", index=False)
    assert evaluate("--multirun", "predictions=one.csv,two.csv", "output=out", "resamples=0", "logger=none") == 0
    assert [metrics(f"out/{job}")["overall"]["srocc"] for job in (0, 1)] == pytest.approx([1, 1])
