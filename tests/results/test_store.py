"""The results folder: what is on disk at every moment, and what a second run makes of it."""

import csv
import dataclasses
import json
import math
import os
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cover.curves import Line
from cover.parts import WHOLE, FrameNumber, Part
from cover.results.evidence import EvidenceFile
from cover.results.read import read_folder, videos
from cover.results.store import ResultStore
from cover.rows import Failure, Row, part_of
from cover.scores import REVISION, VideoScore
from cover.text import from_cell, printable
from cover.video import probe
from tests.helpers.clips import write_clip

SCORES = {"semantic": 0.12345678, "technical": -0.00001, "aesthetic": 1.0, "overall": 1.1234}


@pytest.fixture
def rows(tmp_path: Path) -> list[Row]:
    names = ["a.mp4", "b/a.mp4", "c.mp4"]
    for name in names:
        (tmp_path / "data" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "data" / name).write_bytes(name.encode())
    return [Row(tmp_path / "data" / name, name=name) for name in names]


def store(tmp_path: Path, rows: list[Row], identity: object = "model") -> ResultStore:
    return ResultStore(tmp_path / "out", {"model": identity}, rows)


def scored(notes: Sequence[str] = ()) -> VideoScore:
    branches = ("semantic", "technical", "aesthetic")
    return VideoScore(
        **SCORES,
        predicted_mos=None,
        percentile=None,
        maps={branch: np.full((2, 3, 3), SCORES[branch], dtype=np.float32) for branch in branches},
        times={branch: np.array([0.0, 0.5]) for branch in branches},
        frames={branch: np.array([[0, 1], [12, 13]]) for branch in branches},
        notes=tuple(notes),
    )


def table(path: Path) -> list[list[str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.reader(file))


def snapshot(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.glob("*.csv")}


def complete_run(tmp_path: Path, rows: list[Row]) -> dict[str, bytes]:
    whole = ResultStore(tmp_path / "whole", {"model": "model"}, rows)
    whole.open(resume=True)
    for row in rows:
        whole.add(row, scored(["a note"] if row.name == "c.mp4" else []))
    whole.close()
    return snapshot(tmp_path / "whole")


def test_rows_are_on_disk_as_soon_as_they_are_added(tmp_path: Path, rows: list[Row]) -> None:
    results = store(tmp_path, rows)
    assert results.open(resume=True) == rows
    results.add(rows[1], scored(["a note"]))
    results.add(rows[0], Failure(rows[0], "the file is empty"))
    assert table(tmp_path / "out/scores.csv") == [
        ["Filename", "Semantic", "Technical", "Aesthetic", "Overall"],
        ["b/a.mp4", "0.1235", "0.0000", "1.0000", "1.1234"],
    ]
    assert table(tmp_path / "out/errors.csv") == [["Filename", "Reason"], ["a.mp4", "the file is empty"]]
    assert table(tmp_path / "out/notes.csv") == [["Filename", "Note"], ["b/a.mp4", "a note"]]


def test_final_tables_have_the_order_of_the_rows(tmp_path: Path, rows: list[Row]) -> None:
    results = store(tmp_path, rows)
    results.open(resume=True)
    for row in reversed(rows):
        results.add(row, scored())
    results.close()
    assert [line[0] for line in table(tmp_path / "out/scores.csv")] == ["Filename", "a.mp4", "b/a.mp4", "c.mp4"]


@pytest.mark.parametrize("torn", ["journal.jsonl", "scores.csv", "both"])
def test_a_killed_run_goes_on_to_the_same_bytes(tmp_path: Path, rows: list[Row], torn: str) -> None:
    first = store(tmp_path, rows)
    first.open(resume=True)
    first.add(rows[2], scored(["a note"]))
    first.add(rows[0], scored())
    for name in ("journal.jsonl", "scores.csv"):  # a kill in the middle of a line
        if torn in (name, "both"):
            path = tmp_path / "out" / name
            path.write_bytes(path.read_bytes()[:-9])

    second = store(tmp_path, rows)
    pending = second.open(resume=True)
    assert pending == ([rows[1]] if torn == "scores.csv" else [rows[0], rows[1]])
    for row in pending:
        second.add(row, scored())
    second.close()
    assert snapshot(tmp_path / "out") == complete_run(tmp_path, rows)


def test_a_changed_file_is_scored_again(tmp_path: Path, rows: list[Row]) -> None:
    first = store(tmp_path, rows)
    first.open(resume=True)
    for row in rows:
        first.add(row, scored())
    first.close()
    rows[0].path.write_bytes(b"other content")
    os.utime(rows[1].path, ns=(1, 1))
    assert store(tmp_path, rows).open(resume=True) == rows[:2]


def test_a_failed_file_is_tried_again(tmp_path: Path, rows: list[Row]) -> None:
    first = store(tmp_path, rows)
    first.open(resume=True)
    first.add(rows[0], Failure(rows[0], "out of memory"))
    first.close()
    second = store(tmp_path, rows)
    assert rows[0] in second.open(resume=True)
    second.close()
    assert second.errors == {}


def test_a_row_that_a_person_deleted_is_scored_again(tmp_path: Path, rows: list[Row]) -> None:
    complete = store(tmp_path, rows)
    complete.open(resume=True)
    for row in rows:
        complete.add(row, scored())
    path = tmp_path / "out/scores.csv"
    path.write_text("".join(line for line in path.read_text().splitlines(keepends=True) if not line.startswith("c.")))
    assert store(tmp_path, rows).open(resume=True) == [rows[2]]


def test_a_file_that_is_gone_from_the_data_is_gone_from_the_table(tmp_path: Path, rows: list[Row]) -> None:
    first = store(tmp_path, rows)
    first.open(resume=True)
    for row in rows:
        first.add(row, scored())
    second = store(tmp_path, rows[1:])
    assert second.open(resume=True) == []
    second.close()
    assert [line[0] for line in table(tmp_path / "out/scores.csv")] == ["Filename", "b/a.mp4", "c.mp4"]


@pytest.mark.parametrize(("identity", "resume"), [("another model", True), ("model", False)])
def test_other_results_in_the_folder_are_kept_aside(
    tmp_path: Path, rows: list[Row], identity: str, resume: bool
) -> None:
    first = store(tmp_path, rows)
    first.open(resume=True)
    first.add(rows[0], scored())
    before = (tmp_path / "out/scores.csv").read_bytes()

    assert store(tmp_path, rows, identity).open(resume=resume) == rows
    assert len(table(tmp_path / "out/scores.csv")) == 1
    assert [path.read_bytes() for path in (tmp_path / "out/previous").glob("*/scores.csv")] == [before]


def test_a_foreign_table_is_never_overwritten(tmp_path: Path, rows: list[Row]) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out/scores.csv").write_text("my,own\ntable,1\n")
    store(tmp_path, rows).open(resume=True)
    assert [path.read_text() for path in (tmp_path / "out/previous").glob("*/scores.csv")] == ["my,own\ntable,1\n"]


def test_ranks_share_the_folder(tmp_path: Path, rows: list[Row]) -> None:
    ranks = [store(tmp_path, rows), store(tmp_path, rows)]
    assert ranks[0].open(resume=True) == rows
    assert ranks[1].attach() == rows
    ranks[1].add(rows[2], scored(["a note"]))
    ranks[0].add(rows[1], scored())
    ranks[1].add(rows[0], scored())
    ranks[0].close()
    assert snapshot(tmp_path / "out") == complete_run(tmp_path, rows)


def test_an_upgrade_resumes_results_of_the_version_before(tmp_path: Path, rows: list[Row]) -> None:
    """0.6 named its version in the identity and the predicted MOS ``MOS``; the scores are the same."""
    calibrated = Line(2.0, 3.0)
    first = ResultStore(tmp_path / "out", {"model": "m", "revision": REVISION}, rows, calibrated)
    first.open(resume=True)
    for row in rows[:2]:
        first.add(row, scored())
    first.close()
    for name, today, before in (
        ("journal.jsonl", f'"revision": {REVISION}', '"version": "0.6.0"'),
        ("scores.csv", "PredictedMOS", "MOS"),
    ):
        path = tmp_path / "out" / name
        path.write_text(path.read_text().replace(today, before))
    second = ResultStore(tmp_path / "out", {"model": "m", "revision": REVISION}, rows, calibrated)
    assert second.open(resume=True) == rows[2:]
    assert table(tmp_path / "out/scores.csv")[0][-1] == "PredictedMOS"
    assert not (tmp_path / "out/previous").exists()


def test_a_journal_in_another_order_ends_in_the_order_of_the_rows(tmp_path: Path, rows: list[Row]) -> None:
    first = store(tmp_path, rows)
    first.open(resume=True)
    for row in (rows[2], rows[0], rows[2], rows[1]):  # the last entry of a row counts
        first.add(row, scored(["a note"] if row is rows[2] else []))
    second = store(tmp_path, rows)
    assert second.open(resume=True) == []
    names = [
        line["Filename"] for line in map(json.loads, (tmp_path / "out/journal.jsonl").read_text().splitlines()[1:])
    ]
    assert names == [row.name for row in rows]
    second.close()
    assert snapshot(tmp_path / "out") == complete_run(tmp_path, rows)


class TestDamagedJournal:
    """A damaged line costs that line: the run ends, and what else was scored stays."""

    @pytest.mark.parametrize(
        "line",
        [
            '{"Filename": "b/a.mp4", "error": "the fi{"Filename": "b/a.mp4", "error": "whole"}',
            '{"Filename": "b/a.mp4", "error": x}',
            '{"Filename": "b/a.mp4", "fingerprint": [], "parts": [[0.0, 1.0], [x]}',
            '{"Filename": "b/a.mp4", "fingerprint": [], "parts": 5, "remark": 5}',
            '{"Filename": "b/a.mp4", "fingerprint": [], "parts": [[0.0, 1.0, 2.0]]}',
            '{"Filename": "b/a.mp4", "fingerprint": [], "scores": null}',
            '{"Filename": "b/a.mp4", "fingerprint": [], "scores": {"overall": 1.0}}',
            '{"Filename": "b/a.mp4", "fingerprint": [], "scores": {"overall": "high"}, "notes": 5}',
            '{"Filename": "b/a.mp4", "facts": {"scores": {}}}',
            "[" * 5000,
        ],
    )
    def test_the_run_ends(self, tmp_path: Path, rows: list[Row], line: str) -> None:
        results = store(tmp_path, rows)
        results.open(resume=True)
        results.add(rows[0], scored())
        with (tmp_path / "out/journal.jsonl").open("a") as file:
            file.write(line + "\n")
        results.add(rows[2], scored())
        results.close()
        assert results.overview().scored == 2
        again = store(tmp_path, rows)
        assert again.open(resume=True) == [rows[1]]
        assert [line[0] for line in table(tmp_path / "out/scores.csv")[1:]] == ["a.mp4", "c.mp4"]

    def test_an_earlier_entry_counts_where_a_later_one_is_torn(self, tmp_path: Path, rows: list[Row]) -> None:
        results = store(tmp_path, rows)
        results.open(resume=True)
        results.add(rows[0], scored())
        journal = tmp_path / "out/journal.jsonl"
        torn = journal.read_bytes().splitlines()[-1]
        with journal.open("ab") as file:
            file.write(torn[:60])
        results.add(rows[1], scored())  # glued to it
        results.close()
        assert [line[0] for line in table(tmp_path / "out/scores.csv")[1:]] == ["a.mp4"]

    def test_scores_are_taken_by_name(self, tmp_path: Path, rows: list[Row]) -> None:
        results = store(tmp_path, rows)
        results.open(resume=True)
        results.add(rows[0], scored())
        results.add(rows[1], scored())
        journal = tmp_path / "out/journal.jsonl"
        first, one, other = map(json.loads, journal.read_text().splitlines())
        other["scores"] = {**dict(reversed(other["scores"].items())), "another": 7.0}
        journal.write_text("".join(json.dumps(line) + "\n" for line in (first, one, other)))
        again = store(tmp_path, rows)
        assert again.open(resume=True) == [rows[2]]
        again.close()
        assert again.overview().spreads["overall"].mean == pytest.approx(SCORES["overall"])
        lines = table(tmp_path / "out/scores.csv")
        assert lines[1][1:] == lines[2][1:]


class TestCalibrated:
    """Scores that also have a place on the scale of a MOS."""

    @pytest.fixture
    def calibrated(self, tmp_path: Path, rows: list[Row]) -> ResultStore:
        return ResultStore(tmp_path / "out", {"model": "tuned"}, rows, Line(2.0, 3.0))

    def test_a_last_column(self, tmp_path: Path, rows: list[Row], calibrated: ResultStore) -> None:
        calibrated.open(resume=True)
        calibrated.add(rows[0], scored())
        expected = [
            ["Filename", "Semantic", "Technical", "Aesthetic", "Overall", "PredictedMOS"],
            ["a.mp4", "0.1235", "0.0000", "1.0000", "1.1234", "5.2468"],
        ]
        assert table(tmp_path / "out/scores.csv") == expected
        calibrated.close()
        assert table(tmp_path / "out/scores.csv") == expected
        assert calibrated.scores == {"a.mp4": SCORES | {"predicted_mos": pytest.approx(5.2468)}}

    def test_the_journal_is_the_same_without(self, tmp_path: Path, rows: list[Row], calibrated: ResultStore) -> None:
        plain = ResultStore(tmp_path / "plain", {"model": "tuned"}, rows)
        for results in (calibrated, plain):
            results.open(resume=True)
            results.add(rows[0], scored())
        assert (tmp_path / "out/journal.jsonl").read_bytes() == (tmp_path / "plain/journal.jsonl").read_bytes()

    def test_resuming_ends_in_the_same_bytes(self, tmp_path: Path, rows: list[Row], calibrated: ResultStore) -> None:
        whole = ResultStore(tmp_path / "whole", {"model": "tuned"}, rows, Line(2.0, 3.0))
        whole.open(resume=True)
        for row in rows:
            whole.add(row, scored())
        whole.close()
        calibrated.open(resume=True)
        calibrated.add(rows[1], scored())
        again = ResultStore(tmp_path / "out", {"model": "tuned"}, rows, Line(2.0, 3.0))
        for row in again.open(resume=True):
            again.add(row, scored())
        again.close()
        assert snapshot(tmp_path / "out") == snapshot(tmp_path / "whole")


@settings(max_examples=40)
@given(st.lists(st.text(min_size=1) | st.binary(min_size=1).map(os.fsdecode), min_size=1, unique=True))
def test_any_file_name_makes_a_table_that_reads_back(
    tmp_path_factory: pytest.TempPathFactory, names: list[str]
) -> None:
    rows = [Row(Path("nowhere"), name=name) for name in names]
    folder = tmp_path_factory.mktemp("names")
    results = store(folder, rows)
    results.open(resume=True)
    for row in rows:
        results.add(row, scored())
    results.close()
    assert [from_cell(line[0]) for line in table(folder / "out/scores.csv")[1:]] == names
    assert {*read_folder(folder / "out").table.index} == {printable(name) for name in names}
    assert store(folder, rows).open(resume=True) == []


def test_facts_and_the_columns_of_the_dataset_have_a_table(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "a.mp4", 25)
    lone = [Row(path, "a.mp4", mos=3.5, extras={"scene": "a,b", "nothing": None})]
    facts = ResultStore(tmp_path / "out", {"model": "m"}, lone)
    facts.open(resume=True)
    facts.add(lone[0], dataclasses.replace(scored(), info=probe(path)))
    for found in (table(tmp_path / "out/facts.csv"), (facts.close(), table(tmp_path / "out/facts.csv"))[1]):
        assert found[0][-3:] == ["MOS", "scene", "nothing"]
        assert found[1][:4] == ["a.mp4", "1.0", "192", "64"]
        assert found[1][-3:] == ["3.5", "a,b", ""]
    again = ResultStore(tmp_path / "out", {"model": "m"}, lone)
    assert again.open(resume=True) == []
    assert len(table(tmp_path / "out/facts.csv")) == 2


def test_evidence_is_kept_before_the_score(tmp_path: Path, rows: list[Row]) -> None:
    kept = ResultStore(tmp_path / "out", {"model": "m"}, rows, evidence=True)
    kept.open(resume=True)
    kept.add(rows[1], scored())
    evidence = EvidenceFile(tmp_path / "out")
    assert evidence["b/a.mp4"].maps["technical"].shape == (2, 3, 3)
    assert rows[0].name not in evidence
    changed = ResultStore(tmp_path / "out", {"model": "another"}, rows, evidence=True)
    changed.open(resume=True)
    assert rows[1].name not in EvidenceFile(tmp_path / "out")
    assert len(list((tmp_path / "out/previous").glob("*/evidence.jsonl"))) == 1


def test_evidence_after_a_line_that_a_kill_cut_short(tmp_path: Path, rows: list[Row]) -> None:
    kept = ResultStore(tmp_path / "out", {"model": "m"}, rows, evidence=True)
    kept.open(resume=True)
    kept.add(rows[0], scored())
    with (tmp_path / "out/evidence.jsonl").open("a") as file:
        file.write('{"Filename": "b/a.mp4", "maps": {"sem')
    again = ResultStore(tmp_path / "out", {"model": "m"}, rows, evidence=True)
    again.open(resume=True)
    again.add(rows[1], scored())
    again.add(rows[2], scored())
    evidence = EvidenceFile(tmp_path / "out")
    assert all(row.name in evidence for row in rows)


def test_evidence_of_a_name_that_is_no_text(tmp_path: Path) -> None:
    name = os.fsdecode(b"caf\xe9.mp4")
    row = Row(tmp_path / "a.mp4", name)
    kept = ResultStore(tmp_path / "out", {"model": "m"}, [row], evidence=True)
    kept.open(resume=True)
    kept.add(row, scored())
    assert read_folder(tmp_path / "out").table.index[0] in EvidenceFile(tmp_path / "out")


def part_score(start: float, end: float, technical: float) -> VideoScore:
    scores = {"technical": technical, "overall": 1.12345678 + technical}
    return dataclasses.replace(scored(), part=Part(start, end), **scores)


def parts_of(row: Row, *bounds: float) -> list[Row]:
    return [part_of(row, start, end) for start, end in pairwise(bounds)]


class TestParts:
    """Parts of videos: a line each, and a line for each video."""

    def test_lines_have_start_and_end(self, tmp_path: Path, rows: list[Row]) -> None:
        film, other, _ = rows
        asked = [*parts_of(film, 0.0, 1.5, 4.0), part_of(film, 4.0, None), other, part_of(other, FrameNumber(3), None)]
        results = store(tmp_path, asked)
        results.open(resume=True)
        for row in asked[:3]:
            results.add(row, part_score(row.part.start, row.part.end or 9.0, 0.5))
        results.add(asked[3], Failure(asked[3], "broken"))
        results.add(asked[4], dataclasses.replace(part_score(0.12, 9.0, -2.0), notes=("odd",)))
        written = snapshot(tmp_path / "out")
        results.close()
        assert {name: sorted(lines.splitlines()) for name, lines in written.items() if name != "videos.csv"} == {
            name: sorted(lines.splitlines())
            for name, lines in snapshot(tmp_path / "out").items()
            if name != "videos.csv"
        }
        lines = table(tmp_path / "out/scores.csv")
        assert lines[0] == ["Filename", "Start", "End", "Semantic", "Technical", "Aesthetic", "Overall"]
        assert [line[:3] for line in lines[1:]] == [
            ["a.mp4", "0.000", "1.500"],
            ["a.mp4", "1.500", "4.000"],
            ["a.mp4", "4.000", ""],
            ["b/a.mp4", "0.120", ""],
        ]
        assert table(tmp_path / "out/errors.csv") == [
            ["Filename", "Start", "End", "Reason"],
            ["b/a.mp4", "", "", "broken"],
        ]
        assert table(tmp_path / "out/notes.csv")[1] == ["b/a.mp4", "0.120", "", "odd"]
        assert [line[:4] for line in table(tmp_path / "out/facts.csv")[1:3]] == [
            ["a.mp4", "0.000", "1.500", "1.5"],
            ["a.mp4", "1.500", "4.000", "2.5"],
        ]

    def test_videos_are_summed_up_by_duration(self, tmp_path: Path, rows: list[Row]) -> None:
        parts = [
            *parts_of(rows[0], 0.0, 60.0, 99.0, 100.0),
            part_of(rows[0], 200.0, 300.0),
            *parts_of(rows[1], 0.0, 1.0),
        ]
        results = store(tmp_path, parts)
        results.open(resume=True)
        for row, technical in zip(parts, (0.5, 0.25, -1.0, None, None), strict=True):
            failure = Failure(row, "outside")
            results.add(row, failure if technical is None else part_score(row.part.start, row.part.end, technical))
        results.close()
        header, line, other = table(tmp_path / "out/videos.csv")
        assert other == ["b/a.mp4", "1", "1", *[""] * (len(header) - 3)]
        found = dict(zip(header, line, strict=True))
        assert {name: found[name] for name in header[:6]} == {
            "Filename": "a.mp4",
            "Parts": "4",
            "Failed": "1",
            "Seconds": "100.000",
            "WorstStart": "99.000",
            "WorstEnd": "100.000",
        }
        assert float(found["Technical"]) == pytest.approx((60 * 0.5 + 39 * 0.25 - 1) / 100, abs=1e-4)
        assert (found["TechnicalP1"], found["TechnicalP5"], found["TechnicalMin"]) == ("-1.0000", "0.2500", "-1.0000")
        assert found["OverallMin"] == "0.1235"

    def test_a_plan_outlives_a_kill(self, tmp_path: Path, rows: list[Row]) -> None:
        film, image, _ = rows
        results = ResultStore(tmp_path / "out", {}, rows, cut=True)
        assert results.open(resume=True) == rows
        parts = parts_of(film, 0.0, 2.0, 4.0, 5.5)
        results.plan(film, parts, "divided")
        results.plan(image, [image])
        results.add(parts[1], part_score(2.0, 4.0, 0.5))
        results.add(image, scored())

        resumed = ResultStore(tmp_path / "out", {}, rows, cut=True)
        assert resumed.open(resume=True) == [parts[0], parts[2], rows[2]]
        assert resumed.rows == [*parts, image, rows[2]]
        assert table(tmp_path / "out/notes.csv")[1:] == [["a.mp4", "", "", "divided"]]

        film.path.write_bytes(b"another film")
        changed = ResultStore(tmp_path / "out", {}, rows, cut=True)
        assert changed.open(resume=True) == [film, rows[2]]

    def test_the_summary_of_parts_goes_with_them(self, tmp_path: Path, rows: list[Row]) -> None:
        results = store(tmp_path, parts_of(rows[0], 0.0, 2.0))
        results.open(resume=True)
        assert (tmp_path / "out/videos.csv").exists()
        store(tmp_path, rows).open(resume=True)
        assert not (tmp_path / "out/videos.csv").exists()

    def test_they_are_read_by_name(self, tmp_path: Path, rows: list[Row]) -> None:
        parts = [*parts_of(rows[0], 0.0, 1.5, 4.0), rows[1]]
        results = ResultStore(tmp_path / "out", {}, parts, evidence=True)
        results.open(resume=True)
        results.add(parts[0], part_score(0.0, 1.5, 0.5))
        results.add(parts[1], Failure(parts[1], "broken"))
        results.add(parts[2], scored())
        results.close()
        read = read_folder(tmp_path / "out")
        assert read.in_parts
        assert list(read.table.index) == ["a.mp4#t=0.000,1.500", "b/a.mp4"]
        assert read.table["video"].tolist() == ["a.mp4", "b/a.mp4"]
        assert read.table["end"].tolist()[0] == 1.5
        assert read.errors == {"a.mp4#t=1.500,4.000": "broken"}
        assert read.extras == []
        evidence = EvidenceFile(tmp_path / "out")
        assert all(name in evidence for name in read.table.index)

    def test_frames_without_times_have_no_seconds(self, tmp_path: Path, rows: list[Row]) -> None:
        part = part_of(rows[0], FrameNumber(3), FrameNumber(9))
        results = store(tmp_path, [part])
        results.open(resume=True)
        results.add(part, part_score(math.nan, math.nan, 0.5))
        results.close()
        assert table(tmp_path / "out/scores.csv")[1][:3] == ["a.mp4", "frame:3", "frame:9"]
        assert table(tmp_path / "out/videos.csv")[1][:6] == ["a.mp4", "1", "0", "", "", ""]
        assert results.parts == {part.name: WHOLE}
        assert list(read_folder(tmp_path / "out").table.index) == [part.name]

    def test_the_first_part_leaves_whole_videos_scored(self, tmp_path: Path, rows: list[Row]) -> None:
        results = store(tmp_path, rows)
        results.open(resume=True)
        for row in rows:
            results.add(row, scored())
        results.close()
        (part,) = parts_of(rows[0], 0.0, 1.5)
        assert store(tmp_path, [*rows, part]).open(resume=True) == [part]

    def test_columns_of_the_dataset_may_be_called_alike(self, tmp_path: Path, rows: list[Row]) -> None:
        told = [dataclasses.replace(row, extras={"video": "intro", "start": "noon"}) for row in rows]
        for number, asked in enumerate((told, parts_of(told[0], 0.0, 1.5))):
            results = ResultStore(tmp_path / str(number), {}, asked)
            results.open(resume=True)
            for row in asked:
                results.add(row, part_score(0.0, 1.5, 0.5) if row.is_part else scored())
            results.close()
        whole, parts = (read_folder(tmp_path / name) for name in "01")
        assert (whole.extras, whole.in_parts, videos(whole.table)) == (
            ["video", "start"],
            False,
            [r.name for r in rows],
        )
        assert whole.table[["video", "start"]].to_numpy().tolist() == [["intro", "noon"]] * 3
        assert (parts.extras, parts.in_parts, videos(parts.table)) == (["video_", "start_"], True, ["a.mp4"])
        assert parts.table["video_"].tolist() == ["intro"]
