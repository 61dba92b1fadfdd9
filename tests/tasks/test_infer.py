"""``infer.py`` from end to end, with the tiny model: what a person gets for what they type."""

import csv
import dataclasses
import os
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import av
import numpy as np
import pandas as pd
import pytest
import torch
import yaml

import cover.decoding.decoder
import cover.weights
from cover.api import score
from cover.cli.dispatch import run_on_results
from cover.curves import Logistic, from_plain, to_plain
from cover.models import COVER
from cover.weights import load_weights, save_weights, sha256_of
from tests.helpers.clips import numbered_frame
from tests.helpers.tiny import tiny_model, tiny_views
from tests.helpers.workers import treacherous
from tests.tasks.conftest import Run

SCORED = ["a.mp4", "b.mkv", "day 2/a.mp4", "photo.png"]


def table(path: Path) -> list[list[str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.reader(file))


def scores(path: Path) -> dict[str, list[float]]:
    return {name: [float(value) for value in values] for name, *values in table(path / "scores.csv")[1:]}


def test_a_folder(infer: Run, clips: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert infer(f"data={clips}", "output=out") == 1
    lines = table(Path("out/scores.csv"))
    assert lines[0] == ["Filename", "Semantic", "Technical", "Aesthetic", "Overall"]
    assert [line[0] for line in lines[1:]] == SCORED
    for _, *values in lines[1:]:
        assert all(len(value.partition(".")[2]) == 4 for value in values)
        *branches, overall = map(float, values)
        assert sum(branches) == pytest.approx(overall, abs=2e-4)
    assert table(Path("out/errors.csv"))[1:] == [["empty.mp4", "the file is empty (0 bytes)"]]

    record = yaml.safe_load(Path("out/run.yaml").read_text())
    assert record["config"]["data"]["path"] == str(clips)
    assert record["weights_sha256"] == "random"
    assert record["versions"]["av"] == av.__version__

    shown = capsys.readouterr().out
    assert "4 scored, 1 failed" in shown
    assert "out/scores.csv" in shown.replace("\n", "")


@pytest.mark.parametrize(
    ("data", "names"),
    [
        ("{}/a.mp4", ["a.mp4"]),
        ("{}/photo.png", ["photo.png"]),
        ("{}/*.mkv", ["b.mkv"]),
        ("{}/**/a.mp4", ["a.mp4", "day 2/a.mp4"]),
    ],
)
def test_a_file_or_a_glob(infer: Run, clips: Path, data: str, names: list[str]) -> None:
    assert infer("data=" + data.format(clips), "output=out") == 0
    assert list(scores(Path("out"))) == names


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("list.csv", 'path,mos\nb.mkv,3\n"day 2/a.mp4",4\n'),
        ("list.tsv", "mos\tFilename\n3\tb.mkv\n4\tday 2/a.mp4\n"),
        ("list.txt", "# two clips\nb.mkv\n\nday 2/a.mp4\n"),
    ],
)
def test_a_list(infer: Run, clips: Path, tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / name).write_text(text)
    assert infer(f"data={name}", f"data.root={clips}", "output=out") == 0
    assert list(scores(Path("out"))) == ["b.mkv", "day 2/a.mp4"]


def test_scores_depend_on_nothing_but_the_file(infer: Run, clips: Path, tmp_path: Path) -> None:
    infer(f"data={clips}", "output=one", "decode.workers=1")
    infer(f"data={clips}", "output=two", "decode.workers=2", "batch_size=2")
    shutil.copy(clips / "day 2" / "a.mp4", tmp_path / "a.mp4")
    infer("data=a.mp4", "output=alone")
    assert Path("one/scores.csv").read_bytes() == Path("two/scores.csv").read_bytes()
    assert scores(Path("alone"))["a.mp4"] == scores(Path("one"))["day 2/a.mp4"]


def test_a_second_run_scores_nothing_again(infer: Run, clips: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    infer(f"data={clips}", "output=out")
    before = Path("out/scores.csv").read_bytes()
    monkeypatch.delattr(COVER, "forward")
    assert infer(f"data={clips}", "output=out") == 1  # the empty file, tried again
    assert Path("out/scores.csv").read_bytes() == before
    assert not list(Path("out").glob("previous"))


def test_other_views_are_other_scores(infer: Run, clips: Path) -> None:
    infer(f"data={clips}/a.mp4", "output=out")
    before = scores(Path("out"))
    assert infer(f"data={clips}/a.mp4", "output=out", "views.sampling=random", "views.seed=3") == 0
    assert scores(Path("out")) != before
    (previous,) = Path("out/previous").iterdir()
    assert scores(previous) == before


def test_random_draws_are_seeded_for_each_file(infer: Run, clips: Path) -> None:
    options = ["views.sampling=random", "views.seed=7"]
    infer(f"data={clips}", "output=all", *options)
    infer(f"data={clips}/b.mkv", "output=alone", *options)
    infer(f"data={clips}/b.mkv", "output=averaged", *options, "views.samples=3")
    assert scores(Path("alone"))["b.mkv"] == scores(Path("all"))["b.mkv"]
    assert scores(Path("averaged"))["b.mkv"] != scores(Path("alone"))["b.mkv"]


def test_recorded_samplings_are_replayed(infer: Run, clips: Path) -> None:
    infer(
        f"data={clips}/a.mp4", "output=random", "views.sampling=random", "views.seed=5", "views.record=kept/samplings"
    )
    assert sorted(path.name for path in Path("kept/samplings").iterdir()) == ["a.mp4.npz"]
    infer(f"data={clips}/*.m*", "output=replayed", "views.replay=kept/samplings")
    assert scores(Path("replayed"))["a.mp4"] == scores(Path("random"))["a.mp4"]
    assert "b.mkv.npz" in dict(table(Path("replayed/errors.csv")))["b.mkv"]


def test_a_run_ends_with_a_report(infer: Run, clips: Path, capsys: pytest.CaptureFixture[str]) -> None:
    infer(f"data={clips}", "output=out")
    assert "report.html" in "".join(capsys.readouterr().out.split())
    page = Path("out/report.html").read_text(encoding="utf-8")
    assert "The weights are random" in page
    assert table(Path("out/errors.csv"))[1][0] in page
    assert Path("out/moments.csv").exists()


def test_a_report_that_fails_costs_nothing_else(infer: Run, clips: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("no report today")

    monkeypatch.setattr("cover.reporting.page.report.write_report", fail)
    assert infer(f"data={clips}/a.mp4", "output=out") == 0
    assert len(table(Path("out/scores.csv"))) == 2


def test_reports_are_left_out_on_request(infer: Run, clips: Path) -> None:
    infer(f"data={clips}", "output=with")
    infer(f"data={clips}", "output=without", "report=false")
    assert not {"report.html", "moments.csv", "evidence.jsonl"} & {path.name for path in Path("without").iterdir()}
    assert Path("with/scores.csv").read_bytes() == Path("without/scores.csv").read_bytes()


def test_maps_are_kept_with_their_times(infer: Run, clips: Path) -> None:
    assert infer(f"data={clips}", "output=out", "maps=true") == 1
    assert sorted(path.relative_to("out/maps").as_posix() for path in Path("out/maps").rglob("*.npz")) == [
        f"{name}.npz" for name in SCORED
    ]
    result = score(clips / "a.mp4", tiny_model(), views=tiny_views())
    with np.load("out/maps/a.mp4.npz") as kept:
        assert str(kept["Filename"]) == "a.mp4"
        for branch, rows in result.maps.items():
            assert kept[branch].dtype == np.float32
            np.testing.assert_allclose(kept[branch], rows, atol=1e-6)
            np.testing.assert_array_equal(kept[f"{branch}_times"], result.times[branch])
            np.testing.assert_array_equal(kept[f"{branch}_frames"], result.frames[branch])


def test_maps_that_are_missing_are_made(infer: Run, clips: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    infer(f"data={clips}", "output=out", "maps=true")
    before = Path("out/scores.csv").read_bytes()
    Path("out/maps/day 2/a.mp4.npz").unlink()
    kept = Path("out/maps/b.mkv.npz").stat().st_mtime_ns
    assert infer(f"data={clips}", "output=out", "maps=true") == 1
    assert Path("out/maps/day 2/a.mp4.npz").exists()
    assert Path("out/maps/b.mkv.npz").stat().st_mtime_ns == kept
    assert Path("out/scores.csv").read_bytes() == before


def test_maps_of_files_outside_the_root_stay_in_the_folder(infer: Run, clips: Path, tmp_path: Path) -> None:
    (tmp_path / "lists").mkdir()
    shutil.copy(clips / "a.mp4", tmp_path / "a.mp4")
    (tmp_path / "lists/list.txt").write_text(f"../a.mp4\n{clips / 'b.mkv'}\n")
    assert infer("data=lists/list.txt", "output=out", "maps=true") == 0
    files = sorted(Path("out/maps").rglob("*.npz"))
    assert {path.parent for path in files} == {Path("out/maps/_")}
    assert {str(np.load(path)["Filename"]) for path in files} == {"../a.mp4", str(clips / "b.mkv")}


def test_output_may_name_the_table(infer: Run, clips: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert infer(f"data={clips}/a.mp4", "output=results.csv") == 0
    assert "scores: results.csv" in capsys.readouterr().out
    assert Path("results.csv").read_bytes() == Path("results/scores.csv").read_bytes()
    assert {"errors.csv", "run.yaml", "journal.jsonl"} <= {path.name for path in Path("results").iterdir()}
    Path("folder.csv").mkdir()  # as an earlier version made
    assert infer(f"data={clips}/a.mp4", "output=folder.csv") == 0
    assert Path("folder.csv/scores.csv").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["output=results.json"], "output=results.json: tables are written as .csv; name one, or a folder"),
        (
            ["--multirun", "output=results.csv", "views.sampling=random", "views.seed=1,2"],
            "output=results.csv: a multirun writes a folder; name one, such as output=results",
        ),
    ],
)
def test_files_that_are_not_written(
    infer: Run, clips: Path, capfd: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    assert infer(f"data={clips}/a.mp4", *arguments) == 2
    assert f"error: {message}\n" in capfd.readouterr().err


def test_options_that_have_another_name_now(
    run: Callable[..., int], capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (tmp_path / "p.csv").write_text("path,mos,overall,split\n" + "".join(f"{n},{n},{n},b\n" for n in range(9)))
    options = ("protocol.splits=column", "protocol.column=split", "resamples=0", "output=out")
    assert run("evaluate", "predictions=p.csv", *options, "protocol.part=b") == 0
    assert "protocol.part= is called protocol.split=; the old name goes in 0.9" in capfd.readouterr().err


def test_raw_video_takes_its_format_from_the_config(infer: Run, tmp_path: Path) -> None:
    frames = [numbered_frame(number) for number in range(12)]
    planes = [av.VideoFrame.from_ndarray(frame, format="rgb24").to_ndarray(format="yuv420p") for frame in frames]
    (tmp_path / "clip.yuv").write_bytes(b"".join(plane.tobytes() for plane in planes))
    height, width = frames[0].shape[:2]
    assert infer("data=clip.yuv", "output=out") == 1
    assert "data.raw.width" in table(Path("out/errors.csv"))[1][1]
    assert infer("data=clip.yuv", "output=out", f"data.raw.width={width}", f"data.raw.height={height}") == 0
    assert list(scores(Path("out"))) == ["clip.yuv"]


@pytest.mark.slow
def test_files_that_hang_or_crash_cost_themselves_only(
    infer: Run, clips: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("1-hang.mp4", "2-crash.mp4", "3-bug.mp4", "4-fine.mp4", "5-fine.mp4"):
        (tmp_path / "data").mkdir(exist_ok=True)
        shutil.copy(clips / "a.mp4", tmp_path / "data" / name)
    monkeypatch.setattr(cover.decoding.decoder, "load_views", treacherous)
    assert infer("data=data", "output=out", "decode.workers=2", "decode.timeout=3") == 1
    assert list(scores(Path("out"))) == ["4-fine.mp4", "5-fine.mp4"]
    reasons = dict(table(Path("out/errors.csv"))[1:])
    assert reasons["1-hang.mp4"] == "decoding took longer than 3 s (decode.timeout)"
    assert "the decoder crashed" in reasons["2-crash.mp4"]
    assert reasons["3-bug.mp4"] == "unexpected ZeroDivisionError: a bug of ours"


AWKWARD = [
    "two words.mp4",
    "comma,semi;colon.mp4",
    'it\'s "quoted".mp4',
    "[brackets]{braces}.mp4",
    "new\nline.mp4",
    "${weights}.mp4",
    "ünïcödé 日本語.mp4",
    os.fsdecode(b"not utf-8 \xff.mp4"),
    "=a=b.mp4",
    "-dash.mp4",
    "%s %d.mp4",
]


def test_default_folders_do_not_collide(infer: Run, clips: Path, tmp_path: Path) -> None:
    for place in ("a", "b"):
        (tmp_path / place / "clips").mkdir(parents=True)
        (tmp_path / place / "clips" / "x.mp4").write_bytes((clips / "a.mp4").read_bytes())
        assert infer(f"data={place}/clips", "report=false") == 0
    assert infer("data=a/clips", "segments=0.5", "report=false") == 0
    names = sorted(path.name for path in (tmp_path / "outputs").iterdir())
    assert names[0] == "clips-tiny"
    assert names[1] == "clips-tiny-0.5s"
    assert len(names) == 3
    assert not list((tmp_path / "outputs").glob("*/previous"))


def test_names_of_any_kind(infer: Run, clips: Path, tmp_path: Path) -> None:
    (tmp_path / "odd, [folder] = ${x}").mkdir()
    for name in AWKWARD:
        shutil.copy(clips / "a.mp4", tmp_path / "odd, [folder] = ${x}" / name)
    assert infer("data=odd, [folder] = ${x}", "output=out") == 0
    printable = [name.encode("utf-8", "backslashreplace").decode() for name in AWKWARD]
    assert sorted(line[0] for line in table(Path("out/scores.csv"))[1:]) == sorted(printable)


def test_names_of_any_kind_are_selected_and_found_again(infer: Run, clips: Path, tmp_path: Path) -> None:
    (tmp_path / "odd").mkdir()
    for name in AWKWARD:
        shutil.copy(clips / "a.mp4", tmp_path / "odd" / name)
    assert infer("data=odd", "output=out") == 0
    assert run_on_results("select", ["out", "overall > -9"]) == 0
    assert infer("data=out/selected.csv", "output=again") == 0
    assert len(scores(Path("again"))) == len(AWKWARD)


def test_names_that_would_do_harm_are_spelled_in_tables_and_read_back(infer: Run, clips: Path, tmp_path: Path) -> None:
    harmful = {"=cmd|' calc'!A0.mp4": "'=cmd|' calc'!A0.mp4", "\x1b[2Jgone.mp4": r"\u001b[2Jgone.mp4"}
    harmless = ["-0AbC.mp4", "a (1).mp4"]
    (tmp_path / "odd").mkdir()
    for name in (*harmful, *harmless):
        shutil.copy(clips / "a.mp4", tmp_path / "odd" / name)
    assert infer("data=odd", "output=out", "report=true") == 0
    assert {line[0] for line in table(Path("out/scores.csv"))[1:]} == {*harmful.values(), *harmless}
    assert {*cover.read_results("out").index} == {*harmful, *harmless}
    assert b"\x1b" not in b"".join(path.read_bytes() for path in Path("out").glob("*.*"))
    assert infer("data=out/scores.csv", "data.root=odd", "output=again") == 0
    assert Path("again/scores.csv").read_bytes() == Path("out/scores.csv").read_bytes()


@pytest.mark.parametrize("name", ["new\nline.mp4", "${weights}.mp4", os.fsdecode(b"not utf-8 \xff.mp4")])
def test_a_file_of_any_name(infer: Run, clips: Path, tmp_path: Path, name: str) -> None:
    shutil.copy(clips / "a.mp4", tmp_path / name)
    assert infer(f"data={name}") == 0
    (output,) = Path("outputs").iterdir()
    assert len(scores(output)) == 1


def test_paths_that_are_no_files_cost_themselves_only(infer: Run, clips: Path, tmp_path: Path) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    shutil.copy(clips / "a.mp4", folder / "fine.mp4")
    (folder / "folder.mp4").mkdir()
    shutil.copy(clips / "a.mp4", folder / "folder.mp4" / "inside.mp4")
    (folder / "loop.mp4").symlink_to("loop.mp4")
    (folder / "dangling.mp4").symlink_to("nowhere.mp4")
    (folder / "up").symlink_to(folder, target_is_directory=True)
    assert infer("data=data", "output=out") == 1
    assert list(scores(Path("out"))) == ["fine.mp4", "folder.mp4/inside.mp4"]
    assert list(dict(table(Path("out/errors.csv"))[1:])) == ["dangling.mp4", "loop.mp4"]

    (tmp_path / "list.txt").write_text("fine.mp4\nmissing.mp4\nfolder.mp4\n")
    assert infer("data=list.txt", "data.root=data", "output=listed") == 1
    reasons = dict(table(Path("listed/errors.csv"))[1:])
    assert list(reasons) == ["missing.mp4", "folder.mp4"]
    assert "directory" in reasons["folder.mp4"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["data=nowhere"], "'nowhere' is neither an existing path nor a known dataset"),
        ([], "no input: pass data=PATH or data=NAME"),
        (["data={clips}", "views.sampling=psychic"], "views: .*sampling"),
        (["data={clips}", "views.samples=4"], "views: .*samples"),
        (
            ["data={clips}", "views.sampling=random", "views.samples=2", "views.record=out"],
            "views.record: a recorded file holds one sampling",
        ),
        (["data={clips}", "views.record=/dev/null/x"], "views.record=/dev/null/x: Not a directory"),
        (["data={clips}", "views.replay=nowhere"], "views.replay=nowhere: no such directory"),
        (["data={clips}", "weights=nowhere.pth"], "weights=nowhere.pth: No such file"),
        (["data={clips}", "decode.workers=-1"], "decode.workers=-1: takes a whole number"),
        (["data={clips}", "batch_size=many"], "batch_size=many: takes a positive number"),
        (["data={clips}/readme.md/"], "neither an existing path"),
        (["data=folder"], "data.path"),
        (["data={clips}", "output={clips}/readme.md"], "File exists: .*readme.md"),
        (["data={clips}", "modle=tiny"], "modle: there is no such option; did you mean model"),
        (
            ["data={clips}", "model=tinny"],
            "model=tinny: there is no such config .*; did you mean tiny",
        ),
        (["data={clips}", "decode.timeout=[1"], "decode.timeout"),
        (["data={clips}", "trainer.accelerator=abacus"], "trainer: .*abacus"),
    ],
)
def test_usage_errors_are_one_line_and_exit_code_2(
    infer: Run, clips: Path, capfd: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    given = [argument.format(clips=clips) for argument in arguments]
    code = infer(*given, *([] if any(argument.startswith("output=") for argument in given) else ["output=out"]))
    error = [line for line in capfd.readouterr().err.splitlines() if line.startswith("error: ")]
    assert code == 2
    assert len(error) == 1
    assert re.search(message, error[0])


TUNED = to_plain(Logistic(b1=5.0, b2=1.0, b3=0.1, b4=0.2))


@pytest.fixture(params=["best.ckpt", "heads.safetensors"])
def tuned(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """What fine-tuning leaves, whole or only what was trained; its scores are 1 above those of model=tiny."""
    model = tiny_model()
    save_weights(model, tmp_path / "base.safetensors")
    for head in model.heads.values():
        head.score.bias.data += 1 / 3
    if request.param == "best.ckpt":
        state = {f"model.{name}": tensor for name, tensor in model.state_dict().items()}
        about = {"calibration": TUNED, "base": None}
        torch.save(
            {"state_dict": state, "cover": about, "pytorch-lightning_version": "2.6.0"}, tmp_path / request.param
        )
    else:
        state = {name: tensor for name, tensor in model.state_dict().items() if name.startswith("heads.")}
        source = {"weights": "base.safetensors", "weights_sha256": sha256_of(tmp_path / "base.safetensors")}
        save_weights(state, tmp_path / request.param, {"calibration": TUNED, "base": source})
    return request.param


def test_fine_tuned_weights_score_on_the_scale_of_their_ratings(
    infer: Run, clips: Path, tuned: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert infer(f"data={clips}", "output=out", f"weights={tuned}") == 1
    assert "predicted_mos" in capsys.readouterr().out
    assert infer(f"data={clips}", "output=plain") == 1
    header, *lines = table(Path("out/scores.csv"))
    assert header == ["Filename", "Semantic", "Technical", "Aesthetic", "Overall", "PredictedMOS"]
    for name, *values in lines:
        *branches, overall, mos = map(float, values)
        assert [*branches, overall] == pytest.approx(
            [value + gain for value, gain in zip(scores(Path("plain"))[name], [1 / 3] * 3 + [1], strict=True)], abs=2e-4
        )
        assert mos == pytest.approx(from_plain(TUNED)(overall), abs=1e-3)
        assert len(values[-1].partition(".")[2]) == 4


def test_fine_tuned_weights_go_on_to_the_same_bytes(
    infer: Run, clips: Path, tuned: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = (f"data={clips}", f"weights={tuned}")
    infer(*options, "output=whole")
    infer(*options, "output=out")
    lines = Path("out/scores.csv").read_text().splitlines(keepends=True)
    Path("out/scores.csv").write_text("".join(lines[:3]))
    infer(*options, "output=out")
    assert Path("out/scores.csv").read_bytes() == Path("whole/scores.csv").read_bytes()
    monkeypatch.delattr(COVER, "forward")
    infer(*options, "output=out")  # scores nothing again
    assert Path("out/scores.csv").read_bytes() == Path("whole/scores.csv").read_bytes()


def test_fine_tuned_weights_from_python(infer: Run, clips: Path, tuned: str) -> None:
    infer(f"data={clips}/a.mp4", "output=out", f"weights={tuned}")
    model = tiny_model()
    assert score(clips / "a.mp4", model, views=tiny_views()).predicted_mos is None
    load_weights(model, tuned)
    assert score(clips / "a.mp4", model, views=tiny_views()).predicted_mos == pytest.approx(
        scores(Path("out"))["a.mp4"][-1], abs=1e-4
    )


def test_weights_that_need_others_which_are_gone(
    infer: Run, clips: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    about = {"base": {"weights": "gone.ckpt", "weights_sha256": "0" * 64}}
    save_weights(tiny_model().heads.state_dict(prefix="heads."), tmp_path / "heads.safetensors", about)
    assert infer(f"data={clips}", "output=out", "weights=heads.safetensors") == 2
    (error,) = [line for line in capfd.readouterr().err.splitlines() if line.startswith("error: ")]
    assert re.search(
        "heads.safetensors .*trained from gone.ckpt: base_weights=FILE names that file, or use best.ckpt", error
    )


def test_weights_that_cannot_be_downloaded(
    infer: Run, clips: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setenv("COVER_CACHE", str(tmp_path / "cache"))
    unreachable = dataclasses.replace(cover.weights.PUBLISHED["cover"], url="http://127.0.0.1:9/COVER.pth")
    monkeypatch.setitem(cover.weights.PUBLISHED, "cover", unreachable)
    monkeypatch.setattr("cover.weights.download.BACKOFF_S", 0.0)
    assert infer(f"data={clips}", "output=out", "model=cover") == 2
    (error,) = [line for line in capfd.readouterr().err.splitlines() if line.startswith("error: ")]
    assert "http://127.0.0.1:9/COVER.pth" in error
    assert str(tmp_path / "cache" / "COVER.pth") in error
    assert "weights=FILE" in error


def test_a_multirun_is_one_numbered_folder_a_job(infer: Run, clips: Path) -> None:
    assert infer("--multirun", f"data={clips}/a.mp4", "output=out", "views.sampling=random", "views.seed=1,2") == 0
    assert scores(Path("out/0")) != scores(Path("out/1"))


def test_help(infer: Run, capsys: pytest.CaptureFixture[str]) -> None:
    assert infer("--help") == 0
    shown = capsys.readouterr().out
    assert "usage: cover infer data=WHAT" in shown
    assert "decode.timeout=300" in shown
    assert re.search("views +cover, cover_lite, cover_lite_dense, timm, tiny", shown)
    assert re.search("130 +interrupted", shown)


def many(folder: Path, clip: Path, count: int) -> Path:
    folder.mkdir()
    for number in range(count):
        shutil.copy(clip, folder / f"{number:03}.mp4")
    return folder


def wait_for_rows(path: Path, process: "subprocess.Popen[str]", rows: int) -> None:
    deadline = time.monotonic() + 120
    while not path.exists() or path.read_bytes().count(b"\n") <= rows:
        assert process.poll() is None, process.stderr.read() if process.stderr else ""
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("sent", "code"), [(signal.SIGKILL, -signal.SIGKILL), (signal.SIGINT, 130), (signal.SIGTERM, 130)]
)
def test_an_interrupted_run_goes_on_to_the_same_table(
    infer: Run,
    start: Callable[..., "subprocess.Popen[str]"],
    clips: Path,
    tmp_path: Path,
    sent: signal.Signals,
    code: int,
) -> None:
    data = many(tmp_path / "data", clips / "a.mp4", 20)
    process = start("infer", f"data={data}", "output=killed")
    wait_for_rows(tmp_path / "killed/scores.csv", process, 3)
    process.send_signal(sent) if sent == signal.SIGKILL else os.killpg(process.pid, sent)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == code, errors
    assert "Traceback" not in errors
    done = len(table(tmp_path / "killed/scores.csv")) - 1
    assert 3 <= done < 20

    assert infer(f"data={data}", "output=killed") == 0
    assert infer(f"data={data}", "output=whole") == 0
    assert Path("killed/scores.csv").read_bytes() == Path("whole/scores.csv").read_bytes()


@pytest.mark.slow
def test_two_processes_score_each_file_once(
    infer: Run, start: Callable[..., "subprocess.Popen[str]"], clips: Path, tmp_path: Path
) -> None:
    ddp = start("infer", f"data={clips}", "output=ddp", "trainer.devices=2", "trainer.strategy=ddp")
    _, errors = ddp.communicate(timeout=300)
    assert ddp.returncode == 1, errors
    infer(f"data={clips}", "output=single")
    for name in ("scores.csv", "errors.csv"):
        assert Path("ddp", name).read_bytes() == Path("single", name).read_bytes()


def test_the_python_api_agrees(infer: Run, clips: Path) -> None:
    infer(f"data={clips}/a.mp4", "output=out")
    result = score(clips / "a.mp4", tiny_model(), views=tiny_views())
    values = [result.semantic, result.technical, result.aesthetic, result.overall]
    assert values == pytest.approx(scores(Path("out"))["a.mp4"], abs=6e-5)
    assert {branch: array.shape for branch, array in result.maps.items()} == {
        "semantic": (4, 7, 7),
        "technical": (4, 7, 7),
        "aesthetic": (4, 7, 7),
    }
    for branch, array in result.maps.items():
        assert array.mean() == pytest.approx(getattr(result, branch), abs=1e-6)


def test_a_reference_says_where_scores_stand(
    infer: Callable[..., int], clips: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert infer(f"data={clips}", "output=catalogue") in (0, 1)
    assert infer(f"data={clips}", "output=again", "reference=catalogue") in (0, 1)
    table = pd.read_csv("again/scores.csv")
    assert list(table)[-1] == "Percentile"
    order = table["Overall"].rank()
    assert table["Percentile"].tolist() == pytest.approx(((order - 0.5) / len(table) * 100).tolist(), abs=0.051)
    capfd.readouterr()
    assert infer(f"data={clips}", "output=other", "reference=catalogue", "views.sampling=random") == 2
    assert "reference=catalogue: its scores are of other views" in capfd.readouterr().err
