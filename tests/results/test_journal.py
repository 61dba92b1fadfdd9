"""The journal: entries by place, whatever is damaged or odd about its lines."""

import json
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cover.results.journal import (
    JournalReader,
    Places,
    append_entry,
    parsed,
    read_entries,
    read_identity,
    read_locations,
    rewriting,
    same_scores,
)

SCORE = {"fingerprint": ["/data/a.mp4", 1, 2], "scores": {"overall": 0.5}, "notes": []}


def journal(folder: Path, *lines: str) -> Path:
    (folder / "journal.jsonl").write_text("\n".join(['{"identity": {"model": "m"}}', *lines]) + "\n")
    return folder


@given(st.lists(st.text() | st.binary().map(os.fsdecode), max_size=8))
def test_entries_are_found_by_their_names(tmp_path_factory: pytest.TempPathFactory, names: list[str]) -> None:
    folder = tmp_path_factory.mktemp("journal")
    with rewriting(folder, {"model": "m"}):
        pass
    places = [append_entry(folder, {"Filename": name, **SCORE}) for name in names]
    entries = list(read_entries(folder))
    assert [(entry.kind, entry.name, entry.place) for entry in entries] == [
        ("score", name, place) for name, place in zip(names, places, strict=True)
    ]
    with JournalReader(folder) as reader:
        assert [parsed(reader.line(place))["Filename"] for place in places] == names


@pytest.mark.parametrize(
    "line",
    [
        "",
        "null",
        "[]",
        "{}",
        '{"Filename": "b.mp4"',
        '{"Filename": "b.mp4", "fingerprint": [], "scores": {"over',
        '{"Filename": 3, "scores": {}}',
        "[" * 100_000,
        '{"Filename": "b.mp4", "fingerprint": ["x"], "nothing": 1}',
    ],
)
def test_a_damaged_line_costs_itself_only(tmp_path: Path, line: str) -> None:
    good = [json.dumps({"Filename": name, **SCORE}) for name in ("a.mp4", "c.mp4")]
    journal(tmp_path, good[0], line, good[1])
    assert [entry.name for entry in read_entries(tmp_path)] == ["a.mp4", "c.mp4"]


def test_keys_inside_names_are_not_keys(tmp_path: Path) -> None:
    odd = 'a", "error": "x.mp4'
    journal(tmp_path, json.dumps({"Filename": odd, **SCORE}), json.dumps({"Filename": "b", "error": '"scores": {}'}))
    assert [(entry.kind, entry.name) for entry in read_entries(tmp_path)] == [("score", odd), ("error", "b")]


def test_locations_of_the_videos_that_are_asked_for(tmp_path: Path) -> None:
    part = {"fingerprint": ["/data/film.mp4", 1, 2], "scores": {}, "notes": [], "video": "film.mp4"}
    lines = [{"Filename": "a.mp4", **SCORE}, {"Filename": "film.mp4#t=0.000,1.000", **part}, {"Filename": "b", **SCORE}]
    journal(tmp_path, *map(json.dumps, lines))
    found = read_locations(tmp_path, {"a.mp4", "film.mp4"})
    assert found == {"a.mp4": "/data/a.mp4", "film.mp4": "/data/film.mp4"}


def test_the_last_place_counts() -> None:
    places = Places(["a", "b"])
    places.put("b", 7)
    places.put("c", 3)
    places.put("b", 9)
    assert [places.get(name) for name in "abcd"] == [-1, 9, 3, -1]


@pytest.mark.parametrize(
    ("theirs", "same"),
    [
        ({"model": "m", "revision": 1}, True),
        ({"model": "m", "version": "0.6.0"}, True),
        ({"model": "m", "version": "0.5.0"}, False),
        ({"model": "other", "version": "0.6.0"}, False),
        ({"model": "m", "revision": 2}, False),
        (None, False),
    ],
)
def test_an_upgrade_resumes_what_has_the_same_scores(theirs: dict[str, object] | None, same: bool) -> None:
    assert same_scores(theirs, {"model": "m", "revision": 1}) is same


@pytest.mark.parametrize("line", ["", "{", "[1]", '{"other": 1}', '{"identity": 3}', "\u00ff"])
def test_a_journal_that_says_nothing_of_its_scores(tmp_path: Path, line: str) -> None:
    (tmp_path / "journal.jsonl").write_text(line)
    assert read_identity(tmp_path) is None
