"""Results folders of others: a damaged line costs that line, and what is no file of ours is refused in one line."""

import base64
import dataclasses
import io
import json
import os
import time
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from cover.errors import UsageError
from cover.files import sole_writer
from cover.reporting.page.report import write_report
from cover.results.evidence import EvidenceFile
from cover.results.names import EVIDENCE, READ
from cover.results.read import read_folder
from cover.results.record import RunRecord, read_run_record
from cover.results.streamed import read_results_of_any_size
from cover.scores import BRANCHES
from tests.helpers.results import make_results

Line = dict[str, Any]


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> Line:
    """The evidence of a video."""
    folder = make_results(tmp_path_factory.mktemp("run"), 1)
    return dict(json.loads((folder / EVIDENCE).read_text().splitlines()[0]))


def packed(data: bytes) -> str:
    return base64.b64encode(data).decode()


def picture(kind: str, width: int = 64, height: int = 36) -> str:
    file = io.BytesIO()
    Image.new("RGB", (width, height)).save(file, kind)
    return packed(file.getvalue())


DAMAGED: dict[str, Callable[[Line], object]] = {
    "no compressed data": lambda line: line["maps"]["technical"].update(data=packed(b"nonsense")),
    "too little data": lambda line: line["maps"]["technical"].update(data=packed(zlib.compress(b"12"))),
    "gigabytes in a few bytes": lambda line: line["maps"]["technical"].update(data=packed(zlib.compress(bytes(10**8)))),
    "a shape of another size": lambda line: line["maps"]["technical"].update(shape=[9, 9, 9]),
    "a negative shape": lambda line: line["maps"]["technical"].update(shape=[-1, 7, 7]),
    "a huge shape": lambda line: line["maps"]["technical"].update(shape=[10**9, 10**9, 10**9]),
    "a shape of two": lambda line: line["maps"]["technical"].update(shape=[3, 49]),
    "a shape of texts": lambda line: line["maps"]["technical"].update(shape=["a", "b", "c"]),
    "values that are no numbers": lambda line: line["maps"]["technical"].update(
        shape=[1, 1, 1], data=packed(zlib.compress(b"\x00\x7e"))
    ),
    "a branch is missing": lambda line: line["maps"].pop("aesthetic"),
    "a branch of another name": lambda line: line["maps"].update(other=line["maps"]["technical"]),
    "maps of nothing": lambda line: line.update(maps={}),
    "maps in a list": lambda line: line.update(maps=[1, 2]),
    "times are missing": lambda line: line["maps"]["technical"].pop("times"),
    "too many times": lambda line: line["maps"]["technical"].update(times=[0.0] * 99),
    "times that are texts": lambda line: line["maps"]["technical"].update(times=["a", "b", "c"]),
    "an infinite time": lambda line: line["maps"]["technical"].update(times=[float("inf"), 1, 2]),
    "frames beyond all numbers": lambda line: line["maps"]["technical"].update(frames=[10**30, 1, 2]),
    "a size of three": lambda line: line.update(size=[1, 2, 3]),
    "strip is a number": lambda line: line.update(strip=5),
}


@pytest.mark.parametrize("damage", DAMAGED)
def test_a_damaged_line_of_evidence_costs_that_line(damage: str, tmp_path: Path, first: Line) -> None:
    folder = make_results(tmp_path, 3)
    lines = (folder / EVIDENCE).read_text().splitlines()
    line = json.loads(lines[1])
    DAMAGED[damage](line)
    (folder / EVIDENCE).write_text("\n".join([lines[0], json.dumps(line), lines[2]]) + "\n")
    evidence = EvidenceFile(folder)
    assert [name in evidence for name in read_folder(folder).table.index] == [True, False, True]
    assert write_report(read_results_of_any_size(folder)).stat().st_size > 100_000


@pytest.mark.parametrize(
    "line",
    [
        b"\xff\xfe\n",
        b"[" * 200_000 + b"\n",
        b'{"Filename": ["a"]}\n',
        b"5\n",
        b"\0\n",
        b'x,y,"\n',
        b'{"Filename": "caf\xe9"}\n',
    ],
)
@pytest.mark.parametrize("name", [EVIDENCE, "journal.jsonl", "scores.csv", "facts.csv", "notes.csv", "errors.csv"])
def test_a_line_of_rubbish_stops_no_report(line: bytes, name: str, tmp_path: Path) -> None:
    folder = make_results(tmp_path, 3, notes={"video_00001.mp4": "a note"})
    with (folder / name).open("ab") as file:
        file.write(line)
    assert write_report(read_results_of_any_size(folder)).stat().st_size > 100_000


@pytest.mark.parametrize("kind", ["EPS", "PNG", "GIF", "TIFF", "PDF"])
def test_only_webp_is_decoded(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = make_results(tmp_path, 1)
    line = json.loads((folder / EVIDENCE).read_text())
    line |= {"strip": picture(kind), "size": [64, 36]}
    (folder / EVIDENCE).write_text(json.dumps(line) + "\n")
    (tmp_path / "bin").mkdir()
    ghostscript = tmp_path / "bin/gs"
    ghostscript.write_text(f"#!/bin/sh\ntouch {tmp_path}/ran\n")
    ghostscript.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}/bin:{os.environ['PATH']}")
    evidence = EvidenceFile(folder)["video_00000.mp4"]
    assert evidence.strip == b""
    assert evidence.pictures() == []
    write_report(read_results_of_any_size(folder))
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(("width", "height"), [(64, 35), (63, 36), (16_000, 9_000)])
def test_a_strip_of_another_size_is_left_out(width: int, height: int, tmp_path: Path) -> None:
    folder = make_results(tmp_path, 1)
    line = json.loads((folder / EVIDENCE).read_text())
    line |= {"strip": picture("WEBP", 64, 36), "size": [width, height]}
    (folder / EVIDENCE).write_text(json.dumps(line) + "\n")
    assert EvidenceFile(folder)["video_00000.mp4"].strip == b""


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    key=st.sampled_from(["maps", "size", "strip"]), branch=st.none() | st.text("stcauehmnil", max_size=9), value=JSON
)
def test_any_value_in_a_line_of_evidence(
    tmp_path: Path, first: Line, key: str, branch: str | None, value: object
) -> None:
    line = json.loads(json.dumps(first))
    if branch is None:
        line[key] = value
    else:
        line["maps"]["technical"][branch or "data"] = value
    (tmp_path / EVIDENCE).write_text(json.dumps(line) + "\n")
    evidence = EvidenceFile(tmp_path)
    if first["Filename"] in evidence:
        evidence[first["Filename"]].pictures()


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.dictionaries(st.sampled_from([*(field.name for field in dataclasses.fields(RunRecord))]), JSON, max_size=4),
    st.dictionaries(st.sampled_from(BRANCHES), JSON, max_size=3),
)
def test_any_record_of_a_run_gives_a_report(
    tmp_path_factory: pytest.TempPathFactory, values: Line, views: Line
) -> None:
    folder = make_results(tmp_path_factory.mktemp("run"), 1)
    record = {"predictions": False, "model": "tiny", "views": views, **values}
    (folder / "run.yaml").write_text(json.dumps(record))
    assert write_report(read_folder(folder)).exists()


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes with names here")
@pytest.mark.parametrize("name", READ)
@pytest.mark.parametrize("kind", ["pipe", "link"])
def test_links_and_pipes_are_refused(kind: str, name: str, tmp_path: Path) -> None:
    folder = make_results(tmp_path / "run", 2)
    if (folder / name).exists():
        (folder / name).rename(tmp_path / "aside")
    if kind == "pipe":
        os.mkfifo(folder / name)
    else:
        (folder / name).symlink_to(tmp_path / "elsewhere")
    for read in (read_folder, read_results_of_any_size):
        with pytest.raises(UsageError, match=rf"{name}: .*; remove it"):
            read(folder)


class TestRunRecord:
    """run.yaml of somebody else."""

    def test_aliases_are_not_expanded(self, tmp_path: Path) -> None:
        lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
        lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 12)]
        (tmp_path / "run.yaml").write_text("\n".join([*lines, "config: *a11"]))
        started = time.process_time()
        assert read_run_record(tmp_path) is None
        assert time.process_time() - started < 5

    @pytest.mark.parametrize("text", ["[" * 100_000, "a: " * 10_000, "x" * 5_000_000, "!!python/object:os.system {}"])
    def test_other_yaml_is_unknown(self, tmp_path: Path, text: str) -> None:
        (tmp_path / "run.yaml").write_text(text)
        assert read_run_record(tmp_path) is None


class TestFolderOfARun:
    """What is left of a folder when a run ends early."""

    def test_a_refused_run_leaves_no_folder(self, tmp_path: Path) -> None:
        with pytest.raises(UsageError), sole_writer(tmp_path / "new"):
            raise UsageError("no")
        assert not (tmp_path / "new").exists()

    @pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError])
    def test_another_end_keeps_it_for_its_log(self, error: type[BaseException], tmp_path: Path) -> None:
        with pytest.raises(error), sole_writer(tmp_path / "new"):
            raise error
        (tmp_path / "new/train.log").write_text("Interrupted.")
