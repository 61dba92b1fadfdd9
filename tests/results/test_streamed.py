"""Results folders with very many rows: read piece by piece, what is made of them is the same."""

from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from cover.errors import UsageError
from cover.reporting.page.report import write_report
from cover.results import streamed
from cover.results.read import Results, read_folder
from tests.helpers.results import make_results


@pytest.fixture(autouse=True)
def few_are_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streamed, "MANY", 10)
    monkeypatch.setattr(streamed, "_CHUNK", 7)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    errors = {"lost.mp4": "empty", "gone.mp4": "gone"}
    extras = {"scene": [f"s{number % 4}" for number in range(40)]}
    make_results(tmp_path, 40, errors=errors, extras=extras, mos=True)
    notes = [("video_00003.mp4", "odd"), ("video_00037.mp4", "even"), ("video_00003.mp4", "more")]
    (tmp_path / "notes.csv").write_text("Filename,Note\n" + "".join(f"{name},{note}\n" for name, note in notes))
    return tmp_path


@pytest.fixture
def both(folder: Path) -> tuple[Results, Results]:
    """The same results at once and piece by piece."""
    return read_folder(folder), streamed.read_results_of_any_size(folder)


def test_the_rows(both: tuple[Results, Results]) -> None:
    whole, pieces = both
    assert isinstance(pieces, streamed.StreamedResults)
    pd.testing.assert_frame_equal(pd.concat(pieces.chunks()), whole.table)
    pd.testing.assert_frame_equal(pieces.rows_at([0, 6, 7, 39]), whole.table.iloc[[0, 6, 7, 39]])
    assert pieces.numbers["overall"].tolist() == whole.table["overall"].tolist()
    assert (pieces.extras, pieces.failed, pieces.in_parts) == (whole.extras, 2, False)
    names = ["video_00037.mp4", "video_00001.mp4", "video_00003.mp4"]
    assert pieces.notes_of(names) == whole.notes_of(names) == {"video_00037.mp4": ["even"], names[2]: ["odd", "more"]}


def test_the_report(both: tuple[Results, Results]) -> None:
    whole, pieces = (write_report(results).read_text() for results in both)
    assert whole == pieces


def lines(folder: Path, change: Callable[[list[str]], list[str]]) -> None:
    header, *others = (folder / "facts.csv").read_text().splitlines(keepends=True)
    (folder / "facts.csv").write_text("".join([header, *change(others)]))


@pytest.mark.parametrize(
    "change",
    [
        lambda facts: [*facts[3:6], *facts[:3], *facts[6:]],  # ranks write as they finish
        lambda facts: facts[::-1],  # somebody sorted the table
        lambda facts: sorted(facts, key=lambda line: line[-3:]),
        lambda facts: facts[:-1],  # a kill between two lines
        lambda facts: facts[1:],
    ],
)
def test_facts_are_found_wherever_they_stand(folder: Path, change: Callable[[list[str]], list[str]]) -> None:
    lines(folder, change)
    whole, pieces = read_folder(folder), streamed.read_results_of_any_size(folder)
    pd.testing.assert_frame_equal(pd.concat(pieces.chunks()), whole.table)
    assert pieces.extras == whole.extras


@pytest.mark.parametrize("name", ["notes.csv", "errors.csv", "facts.csv"])
@pytest.mark.parametrize("text", [None, "", "Filename\na\n"])
def test_tables_that_say_nothing(folder: Path, name: str, text: str | None) -> None:
    if text is None:
        (folder / name).unlink()
    elif name != "facts.csv":
        (folder / name).write_text(text)
    pieces = streamed.read_results_of_any_size(folder)
    assert len(pieces.numbers) == 40
    pieces.notes_of(["video_00003.mp4"])


def test_a_table_without_scores(folder: Path) -> None:
    (folder / "scores.csv").write_text("Filename,Other\n" + "a,1\n" * 20)
    with pytest.raises(UsageError, match="has no column Overall"):
        streamed.read_results_of_any_size(folder)
