"""The record of a run: written, read, and read from versions that had only the options."""

from pathlib import Path

import pytest
import yaml

import cover
from cover.results.record import RunRecord, is_before_07, read_run_record, write_run_record

OLD = {
    "started": "2026-01-01T00:00:00+00:00",
    "config": {
        "model": {"name": "cover_lite"},
        "weights": "random",
        "views": {"sampling": "center"},
        "data": {"name": "clips", "path": "/data/clips"},
        "protocol": {"splits": "random"},
    },
    "weights_sha256": {"weights": "0" * 64},
    "versions": {"cover": "0.6.0"},
}


def test_a_record_is_read_as_it_was_written(tmp_path: Path) -> None:
    record = RunRecord(model="cover", weights="a.pth", data="clips", splits="random", config={"a": {"b": 1}})
    write_run_record(tmp_path, record)
    found = read_run_record(tmp_path)
    assert found is not None
    assert (found.model, found.weights, found.data, found.splits) == ("cover", "a.pth", "clips", "random")
    assert found.config == {"a": {"b": 1}}
    assert found.versions["cover"] == cover.__version__
    assert not is_before_07(tmp_path)


def test_a_record_of_an_earlier_version(tmp_path: Path) -> None:
    (tmp_path / "run.yaml").write_text(yaml.safe_dump(OLD))
    found = read_run_record(tmp_path)
    assert found is not None
    assert (found.model, found.data, found.path, found.splits) == ("cover_lite", "clips", "/data/clips", "random")
    assert found.meaningless == "The weights are random"
    assert is_before_07(tmp_path)


@pytest.mark.parametrize(
    "text",
    [
        *("", "3", "[1]", "{", "config: [1]", "config: {model: 3, data: [], protocol: x}", "[" * 5000),
        *(
            "a: !!int ''",
            "a: !!timestamp x",
            "a: !!bool x",
            'versions: {cover: "0.²"}',
            f"versions: {{cover: 0.{'1' * 5000}}}",
        ),
    ],
)
def test_a_record_that_says_little(tmp_path: Path, text: str) -> None:
    (tmp_path / "run.yaml").write_text(text)
    found = read_run_record(tmp_path) or RunRecord()
    assert (found.model, found.splits, found.predictions) == (None, "full", False)
    assert not is_before_07(tmp_path)
