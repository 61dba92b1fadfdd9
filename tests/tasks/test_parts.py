"""Parts of videos from end to end, with the tiny model: segments, shots, tables with start and end."""

import csv
import json
import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from cover.cli import main
from cover.reporting.clock import stretch
from cover.results.read import read_folder
from tests.helpers.clips import noise_frame, write_clip
from tests.tasks.conftest import Run
from tests.video.test_parts import cut

SMALL = (
    *("views.semantic.size=32", "views.technical.grid=2", "views.aesthetic.size=64"),
    *(f"views.{branch}.fragments=1" for branch in ("semantic", "technical", "aesthetic")),
)
SEEN = ("scores.csv", "videos.csv", "facts.csv", "notes.csv", "errors.csv")


def table(path: Path | str) -> list[list[str]]:
    with Path(path).open(newline="", encoding="utf-8") as file:
        return list(csv.reader(file))


@pytest.fixture(scope="module")
def films(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two films of six seconds, of three shots each, and a file that is none."""
    folder = tmp_path_factory.mktemp("films")
    for number, name in enumerate(("a.mp4", "b.mkv")):
        textures = [noise_frame(10 * number + shot, 8, 10).repeat(8, 0).repeat(8, 1) for shot in range(3)]
        frames = [np.roll(textures[place // 50], place, axis=1) for place in range(150)]
        write_clip(folder / name, frames, gop=100)
    (folder / "broken.mp4").write_text("not a video")
    return folder


def test_segments(infer: Run, films: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert infer(f"data={films}", "segments=2", "output=out", "report=true") == 1
    lines = table("out/scores.csv")
    assert lines[0][:4] == ["Filename", "Start", "End", "Semantic"]
    assert [line[:3] for line in lines[1:]] == [
        [name, f"{second}.000", f"{second + 2}.000"] for name in ("a.mp4", "b.mkv") for second in (0, 2, 4)
    ]
    assert table("out/errors.csv")[1:] == [["broken.mp4", "", "", "not a video: it contains text"]]
    assert table("out/videos.csv")[3][:3] == ["broken.mp4", "1", "1"]
    found = pd.read_csv("out/videos.csv").set_index("Filename").dropna()
    scores = pd.read_csv("out/scores.csv").groupby("Filename")["Overall"]
    np.testing.assert_allclose(found["Overall"], scores.mean(), atol=1e-4)
    np.testing.assert_allclose(found["OverallMin"], scores.min(), atol=1e-4)
    assert found["Seconds"].tolist() == [6.0, 6.0]
    shown = capsys.readouterr()
    assert "6 parts of 2 videos scored, 1 failed" in shown.out
    assert "parts, worst first" in shown.out
    assert "a.mp4 0:02-0:04" in shown.out
    assert "out/videos.csv" in shown.out.replace("\n", "")
    assert "7/7" in shown.err  # six parts and the file that has none
    assert "a.mp4 0:02-0:04" in Path("out/report.html").read_text()


def test_a_part_scores_as_a_file_of_its_frames(infer: Run, films: Path, tmp_path: Path) -> None:
    alone = cut(films / "a.mp4", range(50, 100), tmp_path / "cut.mkv")
    infer(f"data={films}/a.mp4", "segments=2", "output=parts", "report=false")
    infer(f"data={alone}", "output=cut", "report=false")
    infer(f"data={films}/a.mp4", "segments=100", "output=one", "report=false")
    infer(f"data={films}/a.mp4", "output=whole", "report=false")
    assert table("parts/scores.csv")[2][3:] == table("cut/scores.csv")[1][1:]
    assert table("one/scores.csv")[1][3:] == table("whole/scores.csv")[1][1:]


def test_shots(infer: Run, films: Path) -> None:
    pytest.importorskip("scenedetect", reason="needs the extra [shots]")
    assert infer(f"data={films}/a.mp4", "segments=shots", "output=out", "report=false") == 0
    assert [line[1:3] for line in table("out/scores.csv")[1:]] == [
        [f"{second}.000", f"{second + 2}.000"] for second in (0, 2, 4)
    ]
    infer(f"data={films}/a.mp4", "segments=shots", "segments.min_seconds=3", "output=long", "report=false")
    assert [line[1:3] for line in table("long/scores.csv")[1:]] == [["0.000", "6.000"]]


@pytest.mark.parametrize(
    ("header", "options", "ends"),
    [
        ("path,start,end", (), ("00:00:01.5", "3")),
        ("path,start_frame,end_frame", (), ("38", "75")),
        ("path;from;to", ("data.start=from", "data.end=to"), ("1,5", "3,0")),
        ("Path,Start,END", (), ("1.5", "3")),
    ],
)
def test_tables(infer: Run, films: Path, tmp_path: Path, header: str, options: tuple[str, ...], ends: tuple) -> None:
    first, last = ends
    separator = ";" if ";" in header else ","
    lines = [
        header,
        *(separator.join(cells) for cells in (("a.mp4", first, last), ("a.mp4", last, ""), ("b.mkv", "", ""))),
    ]
    (tmp_path / "clips.csv").write_text("\n".join(lines))
    assert infer("data=clips.csv", f"data.root={films}", "output=out", "report=false", *options) == 0
    start = "1.520" if "frame" in header else "1.500"
    assert [line[:3] for line in table("out/scores.csv")[1:]] == [
        ["a.mp4", start, "3.000"],
        ["a.mp4", "3.000", ""],
        ["b.mkv", "", ""],
    ]


def test_rows_that_are_no_parts_fail_alone(infer: Run, films: Path, tmp_path: Path) -> None:
    (tmp_path / "clips.csv").write_text("path,start,end\na.mp4,5,1\na.mp4,9,12\na.mp4,1,1\na.mp4,4,99\ngone.mp4,0,1\n")
    assert infer("data=clips.csv", f"data.root={films}", "output=out", "report=false") == 1
    assert [line[:3] for line in table("out/scores.csv")[1:]] == [["a.mp4", "4.000", "99.000"]]
    assert {tuple(line[:3]): line[3] for line in table("out/errors.csv")[1:]} == {
        ("a.mp4", "5.000", "1.000"): "the part from 5 to 1 s is empty: its end must be after its start",
        ("a.mp4", "9.000", "12.000"): "the part starts at 9 s; the video's last frame is shown at 5.960 s",
        ("a.mp4", "1.000", "1.000"): "the part from 1 to 1 s is empty: its end must be after its start",
        ("gone.mp4", "0.000", "1.000"): "no such file",
    }
    assert table("out/videos.csv")[1][:4] == ["a.mp4", "4", "3", "2.000"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["segments=soon"], "segments=soon: takes seconds, such as 10, or shots"),
        (["segments=0"], "segments=0: takes seconds, such as 10, or shots"),
        (["segments=5", "segments.min_seconds=-1"], "segments.min_seconds=-1: takes a number, 0 for none"),
        (
            ["segments=5", "segments.min_seconds=9", "segments.max_seconds=3"],
            "segments.min_seconds=9: is more than segments.max_seconds=3",
        ),
        (["segments=5", "views.replay=."], "views.replay: recorded samplings are of whole videos"),
        (["segments=5", "views.record=."], "views.record: recorded samplings are of whole videos"),
    ],
)
def test_options_that_make_no_sense(
    infer: Run, films: Path, arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert infer(f"data={films}", *arguments, "output=out") == 2
    assert said in capsys.readouterr().err


def test_a_cell_that_is_no_time(infer: Run, films: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "clips.csv").write_text("path,start\na.mp4,2024-05-01\n")
    assert infer("data=clips.csv", f"data.root={films}") == 2
    error = capsys.readouterr().err
    assert "line 2 has start '2024-05-01', not seconds or HH:MM:SS.mmm; data.start=NAME takes another column" in error


def test_other_segments_are_another_run(infer: Run, films: Path) -> None:
    for by in ("2", "3"):
        infer(f"data={films}/a.mp4", f"segments={by}", "output=out", "report=false")
    assert [line[1] for line in table("out/scores.csv")[1:]] == ["0.000", "3.000"]
    (previous,) = Path("out/previous").iterdir()
    assert len(table(previous / "scores.csv")) == 4
    assert (previous / "videos.csv").exists()


@pytest.mark.slow
@pytest.mark.parametrize("by", ["0.4", "shots"])
def test_a_kill_in_the_middle_of_a_film_changes_nothing(
    infer: Run, start: Callable[..., "subprocess.Popen[str]"], films: Path, tmp_path: Path, by: str
) -> None:
    if by == "shots":
        pytest.importorskip("scenedetect", reason="needs the extra [shots]")
    options = (f"data={films}", f"segments={by}", "segments.max_seconds=1", "report=false")
    process = start("infer", *options, "output=killed")
    deadline = time.monotonic() + 120
    path = tmp_path / "killed/scores.csv"
    while not path.exists() or path.read_bytes().count(b"\n") <= 3:
        assert process.poll() is None, process.stderr.read() if process.stderr else ""
        assert time.monotonic() < deadline
        time.sleep(0.01)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate(timeout=60)
    whole = len(table("killed/scores.csv"))
    assert infer(*options, "output=whole") == 1
    assert whole < len(table("whole/scores.csv"))
    assert infer(*options, "output=killed") == 1
    for name in SEEN:
        assert Path("killed", name).read_bytes() == Path("whole", name).read_bytes()


@pytest.mark.slow
def test_two_processes_share_films(
    infer: Run, start: Callable[..., "subprocess.Popen[str]"], films: Path, tmp_path: Path
) -> None:
    ddp = start("infer", f"data={films}", "segments=1", "output=ddp", "trainer.devices=2", "trainer.strategy=ddp")
    _, errors = ddp.communicate(timeout=300)
    assert ddp.returncode == 1, errors
    infer(f"data={films}", "segments=1", "output=single")
    for name in SEEN:
        assert Path("ddp", name).read_bytes() == Path("single", name).read_bytes()


def rated_parts(folder: Path, films: Path, count: int = 24) -> Path:
    """A table of rated parts of four films."""
    rng = np.random.default_rng(1)
    lines = ["path,start,end,mos"]
    for number in range(count):
        film = f"film {number % 4}.mkv"
        (folder / film).write_bytes((films / "b.mkv").read_bytes())
        begin = number // 4 * 0.8
        lines.append(f"{film},{begin:.2f},{begin + 0.8:.2f},{rng.uniform(1, 5):.2f}")
    (folder / "rated.csv").write_text("\n".join(lines))
    return folder / "rated.csv"


def test_evaluation_of_parts(evaluate: Run, infer: Run, films: Path, tmp_path: Path) -> None:
    path = rated_parts(tmp_path, films)
    assert evaluate(f"data={path}", "output=out", *SMALL, "resamples=0", "protocol.splits=random", "report=true") == 0
    header, *lines = table("out/predictions.csv")
    assert header[:4] == ["Filename", "Start", "End", "mos"]
    assert lines[5][:3] == ["film 1.mkv", "0.800", "1.600"]
    assert len(lines) == 24
    assert json.loads(Path("out/metrics.json").read_text())["overall"]["of"] == 24
    assert "film 1.mkv 0:00.8-0:01.6" in Path("out/report.html").read_text()
    # The same figures from the table of predictions, and from scores apart from the ratings.
    measured = Path("out/metrics.json").read_text()
    again = ("resamples=0", "report=false", "protocol.splits=random")
    assert evaluate("predictions=out/predictions.csv", "output=again", *again) == 0
    assert infer(f"data={path}", "output=scored", "report=false", *SMALL) == 0
    assert evaluate("predictions=scored", f"data={path}", "output=apart", *again) == 0
    for folder in ("again", "apart"):
        found = json.loads(Path(folder, "metrics.json").read_text())
        assert found["overall"]["srocc"] == pytest.approx(json.loads(measured)["overall"]["srocc"], abs=1e-3)


def test_evaluation_of_parts_by_frame(evaluate: Run, films: Path, tmp_path: Path) -> None:
    lines = [f"a.mp4,{10 * number},{10 * number + 10},{number % 5 + 1}" for number in range(14)]
    (tmp_path / "rated.csv").write_text("\n".join(["path,start_frame,end_frame,mos", *lines]))
    assert evaluate("data=rated.csv", f"data.root={films}", "output=out", *SMALL, "resamples=0", "report=false") == 0
    assert table("out/predictions.csv")[2][:3] == ["a.mp4", "0.400", "0.800"]
    assert read_folder(Path("out")).table["mos"].tolist() == [number % 5 + 1 for number in range(14)]


def test_training_on_parts(run: Callable[..., int], films: Path, tmp_path: Path) -> None:
    path = rated_parts(tmp_path, films)
    options = (*SMALL, "weights=random", "stages.heads.epochs=1", "resamples=0", f"cache.dir={tmp_path / 'cache'}")
    assert run("train", f"data={path}", *options, "output=trained") == 0
    split = pd.read_csv("trained/split.csv")
    assert len(split) == 24
    assert split["Filename"][0].startswith("film ")
    sides = split.assign(film=split["Filename"].str.partition("#")[0]).groupby("film")["split"].nunique()
    assert set(sides) == {1}  # all parts of a film on one side
    cached = [len(list(folder.glob("*.safetensors"))) for folder in (tmp_path / "cache").iterdir() if folder.is_dir()]
    assert cached
    assert min(cached) >= 24  # a tensor for each part, not for each film
    assert len(table("trained/predictions.csv")) == 25
    assert run("infer", f"data={path}", "weights=trained/best.ckpt", "output=out", "report=false", *SMALL) == 0
    assert table("out/scores.csv")[0][:3] == ["Filename", "Start", "End"]


def command(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    monkeypatch.setattr("sys.argv", ["cover", *arguments])
    with pytest.raises(SystemExit) as exit_:
        main()
    return int(exit_.value.code or 0)


def test_a_selection_is_data_again(
    infer: Run, films: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    infer(f"data={films}", "segments=1", "output=out", "report=false")
    assert command(monkeypatch, "select", "out", "overall > quantile(0.5)") == 0
    assert "kept 6 of 12 parts" in capsys.readouterr().out
    kept = table("out/selected.csv")
    assert kept[0][:4] == ["Filename", "path", "Start", "End"]
    assert command(monkeypatch, "select", "out", "overall > -100", "output=kept.txt") == 2
    assert "a list of paths cannot hold parts; name a .csv file" in capsys.readouterr().err
    infer("data=out/selected.csv", "data.root=/", "output=again", "report=false")
    assert sorted(line[3:] for line in table("again/scores.csv")[1:]) == sorted(
        line[3:] for line in table("out/scores.csv")[1:] if line[:3] in [[cells[0], *cells[2:4]] for cells in kept[1:]]
    )


@pytest.mark.parametrize(
    ("start", "end", "written"),
    [
        (7.0, 12.0, "0:07-0:12"),
        (7.5, 12.0, "0:07.5-0:12"),
        (59.96, 60.04, "1:00-1:00"),
        (12.48, 32.48, "0:12.5-0:32.5"),
        (3599.0, 3700.5, "59:59-1:01:40.5"),
        (5.0, float("nan"), "0:05-"),
    ],
)
def test_stretches_read_as_on_players(start: float, end: float, written: str) -> None:
    assert stretch(start, end) == written
