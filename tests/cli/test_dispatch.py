"""Commands that work on results folders: what they write, say and exit with."""

import csv
import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from cover import cli
from tests.helpers.results import make_results

Command = Callable[..., int]


@pytest.fixture
def cover(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Command:
    """``cover("select", DIR, ...)`` in a folder of its own; an exit code."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments: object) -> int:
        monkeypatch.setattr(sys, "argv", ["cover", *map(str, arguments)])
        with pytest.raises(SystemExit) as exit_:
            cli.main()
        return int(exit_.value.code or 0)

    return run


@pytest.fixture
def results(tmp_path: Path) -> Path:
    extras = {"scene": ["a", "b"] * 6}
    return make_results(tmp_path / "results", 12, extras=extras, errors={"bad.mp4": "the file is empty (0 bytes)"})


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_report_needs_only_the_folder(cover: Command, results: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cover("report", results) == 0
    assert f"report:{results / 'report.html'}" in "".join(capsys.readouterr().out.split())
    page = (results / "report.html").read_text(encoding="utf-8")
    data = json.loads(re.search(r'<script type="application/json" id="data">(.*?)</script>', page, re.DOTALL)[1])
    assert len(data["names"]) == data["total"] == 12
    assert "the file is empty (0 bytes)" in page
    assert (results / "moments.csv").read_text().startswith("Filename,Start,End,Branch,Below,Time,Frame")


def test_the_page_refers_to_no_other_place(cover: Command, results: Path) -> None:
    cover("report", results)
    page = (results / "report.html").read_text(encoding="utf-8")
    outside = re.findall(r"""(?:src|href)=["']?(?!data:|#)(?:https?:)?//[^"' >]+""", page)
    assert not outside
    assert "default-src &#39;none&#39;" in page


def test_select_writes_what_is_kept(cover: Command, results: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cover("select", results, "overall > quantile(0.5)") == 0
    kept = rows(results / "selected.csv")
    scores = {row["Filename"]: float(row["Overall"]) for row in rows(results / "scores.csv")}
    best = sorted(scores, key=scores.__getitem__)[6:]
    assert {row["Filename"] for row in kept} == set(best)
    assert "kept 6 of 12 videos, 36.0 of 72.0 s" in capsys.readouterr().out


def test_select_by_groups(cover: Command, results: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cover("select", results, "overall > quantile(0.5)", "by=scene", "output=kept.txt") == 0
    shown = capsys.readouterr().out
    assert "scene=a: 3 of 6" in shown
    assert "scene=b: 3 of 6" in shown
    assert len(Path("kept.txt").read_text().splitlines()) == 6


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["overall > -9"], 0),
        (["overall > 9"], 1),
        (["overall >"], 2),
        (["__import__('os').system('true')"], 2),
        (["overall > 0", "output=kept.json"], 2),
        (["overall > 0", "by=nothing"], 2),
        ([], 2),
        (["overall > 0", "technical > 0"], 2),
        (["overall > 0", "outptu=x.csv"], 2),
    ],
)
def test_exit_codes_of_select(cover: Command, results: Path, arguments: list[str], code: int) -> None:
    assert cover("select", results, *arguments) == code


@pytest.mark.parametrize(
    ("condition", "code"),
    [("mean(overall) > -9", 0), ("mean(overall) > 9", 3), ("count() == 12 and share(fps == 25) == 1", 0), ("mean(", 2)],
)
def test_exit_codes_of_gate(cover: Command, results: Path, condition: str, code: int) -> None:
    assert cover("gate", results, condition) == code


def test_a_gate_says_the_values_and_the_videos(
    cover: Command, results: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cover("gate", results, "mean(Overall) > 9 and share(overall < 9) < 0.1")
    shown = capsys.readouterr().out
    assert re.search(r"  mean\(overall\) = -?\d", shown)
    assert re.search(r"  share\(overall < 9\) = 1 \(12 of 12: video_\d+\.mp4, .*, \.\.\.\)", shown)


@pytest.mark.parametrize(("strict", "code"), [("false", 0), ("true", 3)])
def test_a_strict_gate_counts_failures(cover: Command, tmp_path: Path, strict: str, code: int) -> None:
    folder = make_results(tmp_path / "some", 3, errors={"x.mp4": "empty"})
    assert cover("gate", folder, "count() == 3", f"strict={strict}") == code


def test_a_selection_keeps_all_columns_best_first(
    cover: Command, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = make_results(tmp_path / "some", 4, extras={"scene": list("abcd")}, errors={"x.mp4": "empty"})
    assert cover("select", folder, "filename != 'video_00001.mp4'") == 0
    table = pd.read_csv(folder / "selected.csv")
    assert len(table) == 3
    assert table["overall"].is_monotonic_decreasing
    assert {"Filename", "path", "technical", "duration", "codec", "scene"} <= {*table}
    assert "failed, without a score: 1" in capsys.readouterr().out


def test_a_gate_on_meaningless_scores_says_so(
    cover: Command, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cover("gate", make_results(tmp_path / "random", 3, weights="random"), "count() == 3")
    assert "mean nothing" in capsys.readouterr().err


def test_compare_two_runs(cover: Command, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    a = make_results(tmp_path / "a", 12)
    b = make_results(tmp_path / "b", 12, shift=-0.3, facts={3: {"codec": "hevc"}})
    assert cover("compare", a, b, "output=out") == 0
    shown = capsys.readouterr().out
    assert "B scores lower by 0.3000 overall" in shown
    assert "codec h264 -> hevc" in shown
    found = rows(Path("out/comparison.csv"))
    assert len(found) == 12
    assert found[0]["unlike"] == "codec h264 -> hevc"
    assert float(found[1]["overall"]) == pytest.approx(-0.3, abs=1e-3)
    assert Path("out/comparison.html").stat().st_size > 100_000


@pytest.mark.parametrize(("limit", "code"), [(-0.05, 3), (-0.5, 0)])
def test_a_gate_of_changes(cover: Command, tmp_path: Path, limit: float, code: int) -> None:
    a, b = make_results(tmp_path / "a", 12), make_results(tmp_path / "b", 12, shift=-0.3)
    assert cover("compare", a, b, f"fail_below={limit}") == code


def test_few_pairs_pass_no_judgement(cover: Command, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    a, b = make_results(tmp_path / "a", 5), make_results(tmp_path / "b", 5, shift=-3)
    assert cover("compare", a, b, "fail_below=-0.05") == 0
    shown = capsys.readouterr().out
    assert "Indeterminate: 5 pairs are too few" in shown
    assert "fail_below=-0.05: not tested (5 pairs, 8 are needed): exit code 0" in shown


def test_runs_without_a_common_video(cover: Command, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    a = make_results(tmp_path / "a", names=["a.mp4"])
    b = make_results(tmp_path / "b", names=["b.mp4"])
    assert cover("compare", a, b) == 2
    assert "has no video of" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["report", "compare", "select", "gate"])
def test_a_folder_that_is_none(cover: Command, command: str, capsys: pytest.CaptureFixture[str]) -> None:
    more = {"compare": ["nowhere"], "select": ["overall > 0"], "gate": ["count() > 0"]}.get(command, [])
    assert cover(command, "nowhere", *more) == 2
    assert "error: nowhere: no such results folder" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["report", "compare", "select", "gate", "app"])
def test_help(cover: Command, command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cover(command, "--help") == 0
    shown = capsys.readouterr().out
    assert f"usage: cover {command}" in shown
    assert "Exit codes" in shown


@pytest.mark.parametrize(
    ("argument", "said"),
    [("port=x", "port=x: takes a whole number"), ("model=huge", "takes one of cover_lite, cover"), ("a", "no further")],
)
def test_wrong_options_of_the_app(cover: Command, argument: str, said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cover("app", argument) == 2
    assert said in capsys.readouterr().err


@pytest.mark.slow
def test_they_answer_without_what_is_heavy(results: Path, root: Path) -> None:
    code = (
        "import sys; from cover import cli; sys.argv = ['cover', 'select', sys.argv[1], 'overall > 0']\n"
        "try: cli.main()\n"
        "except SystemExit: pass\n"
        "print([name for name in ('torch', 'lightning', 'matplotlib', 'scipy', 'gradio') if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(results)], capture_output=True, text=True, check=True, cwd=root
    )
    assert done.stdout.splitlines()[-1] == "[]"


def test_lists_of_paths_hold_one_a_line(cover: Command, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = make_results(tmp_path / "odd", names=["a.mp4", "b\n/etc/passwd"], extras={"scene": ["\x1b[31mred", "b"]})
    assert cover("select", folder, "overall > -9", "by=scene", "output=kept.txt") == 0
    assert Path("kept.txt").read_text() == "a.mp4\n"
    shown = capsys.readouterr()
    assert "left out names with control characters: 1" in shown.err
    assert "\x1b" not in shown.out


def test_the_table_of_scores_names_its_folder(cover: Command, tmp_path: Path) -> None:
    folder = make_results(tmp_path / "some", 4)
    assert cover("select", folder / "scores.csv", "overall > -9") == 0
    assert (folder / "selected.csv").exists()
    assert cover("gate", folder / "scores.csv", "count() == 4") == 0


def test_lossless_is_a_truth_value(cover: Command, tmp_path: Path) -> None:
    folder = make_results(tmp_path / "some", 4, facts={1: {"lossless": "True"}})
    assert cover("select", folder, "lossless == True", "output=kept.txt") == 0
    assert len(Path("kept.txt").read_text().splitlines()) == 1
