"""What is said at the end of a run, whatever the videos are called."""

import os
import re
from pathlib import Path

import pytest
from rich.console import Console

from cover.evaluation.measures import measure
from cover.reporting.console import measures_table, summary
from cover.results.overview import Overview, ScoreTally
from cover.rows import Row

SCORES = {"semantic": 0.5, "technical": -0.25, "aesthetic": 0.0, "overall": 0.25}


def shown(renderable: object, width: int = 100) -> str:
    console = Console(width=width, file=open(os.devnull, "w"), record=True)  # noqa: SIM115, PTH123
    console.print(renderable)
    return console.export_text()


def scores(count: int) -> dict[str, dict[str, float]]:
    return {f"{number}.mp4": {**SCORES, "overall": float(number)} for number in range(count)}


def overview(scores: dict[str, dict[str, float]], errors: dict[str, str] | None = None, noted: int = 0) -> Overview:
    """The run in which these videos were scored, the first of them with notes."""
    tally, rows = ScoreTally(), [Row("nowhere", name) for name in scores]
    for number, row in enumerate(rows):
        tally.add(number, row, scores[row.name], noted=number < noted)
    return tally.overview(rows, lambda row: None, errors or {})


def test_few_videos_are_listed_best_first() -> None:
    text = shown(summary(overview(scores(3), {"bad.mp4": "empty"}), Path("out")))
    assert text.index("2.mp4") < text.index("1.mp4") < text.index("0.mp4")
    assert "3 scored, 1 failed" in text
    assert f"why files failed: {Path('out/errors.csv')}" in text


def test_of_many_the_ends_are_listed() -> None:
    text = shown(summary(overview(scores(40), noted=1), Path("out")))
    assert all(f"{number}.mp4" in text for number in (39, 38, 37, 2, 1, 0))
    assert "20.mp4" not in text
    assert "40 scored, 0 failed, 1 with notes" in text


def test_nothing_scored() -> None:
    assert shown(summary(overview({}, {"a.mp4": "empty"}), Path("out"))).startswith("0 scored, 1 failed")


@pytest.mark.parametrize(
    ("name", "spelt"),
    [
        ("new\nline.mp4", r"new\nline.mp4"),
        ("[red]markup[/red].mp4", "[red]markup[/red].mp4"),
        (os.fsdecode(b"\xff.mp4"), r"\udcff.mp4"),
        ("\x1b[31mred.mp4", r"\u001b[31mred.mp4"),
    ],
)
def test_names_are_shown_as_text(name: str, spelt: str) -> None:
    assert spelt in shown(summary(overview({name: SCORES}), Path("out")))
    assert f"{spelt}: broken" in shown(summary(overview({}, {name: "broken"}), Path("out")))


def test_narrow_terminals_keep_numbers_whole() -> None:
    text = shown(summary(overview({"a very long name of a video that goes on.mp4": SCORES}), Path("out")), width=76)
    assert "-0.2500" in text


@pytest.mark.parametrize("width", [60, 66, 72, 80, 120])
@pytest.mark.parametrize("calibrated", [False, True])
def test_numbers_are_whole_at_any_width(width: int, calibrated: bool) -> None:
    scores = {**SCORES, "predicted_mos": -1234.5678} if calibrated else SCORES
    text = shown(summary(overview({"a very long name of a video that goes on and on.mp4": scores}), Path("out")), width)
    assert {"-0.2500", "0.5000", *(["-1234.5678"] if calibrated else [])} <= set(re.findall(r"-?[\d.]+", text))
    assert "\u2026" not in text
    assert max(map(len, text.splitlines())) <= width


def test_intervals_are_whole_at_sixty_columns() -> None:
    measures = {"technical": measure([0.1, 0.5, 0.2, 0.9, 0.4, 0.7], [5.0, 3.0, 4.0, 1.0, 2.5, 2.0], resamples=10)}
    text = shown(measures_table(measures, None, 6, 0, 0), 60)
    low, high = measures["technical"].ci95["srocc"]
    assert f"[{low:.4f}," in text
    assert f"{high:.4f}]" in text
    assert max(map(len, text.splitlines())) <= 60


def test_few_reasons_and_what_was_left_out_are_said() -> None:
    text = shown(
        summary(overview(scores(1), {"bad.mp4": "no such file"}), Path("out"), remarks=["9 files were left out"])
    )
    assert "bad.mp4: no such file" in text
    assert "9 files were left out" in text
    many = {f"{number}.mp4": "no such file" for number in range(9)}
    text = shown(summary(overview(scores(1), many), Path("out")))
    assert (text.count("no such file"), "and 4 more" in text) == (5, True)


def test_agreement_says_how_many_videos_it_stands_on() -> None:
    measures = {"overall": measure([0.1, 0.5, 0.2, 0.9, 0.4, 0.7], [1.0, 3.0, 2.0, 5.0, 3.0, 4.0], resamples=10)}
    published = {"source": "a paper", "overall": {"srocc": 0.9}}
    text = shown(measures_table(measures, published, 9, 2, 1))
    assert "on 6 of 9 videos (2 missing, 1 failed)" in text
    assert "unknown" in text
    assert "published: a paper" in text
