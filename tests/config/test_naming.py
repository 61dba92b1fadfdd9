"""Default results folders: what makes results differ is in their names."""

from pathlib import Path
from typing import Any

import pytest
from omegaconf import OmegaConf

from cover.config.naming import run_folder
from cover.results.record import RunRecord, write_run_record


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def config(path: str = "clips", segments: object = None, sampling: str = "center", **others: object) -> dict[str, Any]:
    data = {"name": Path(path).name, "path": path, "root": None}
    views = {"sampling": sampling, "seed": 0}
    return {"data": data, "model": {"name": "lite"}, "views": views, "segments": {"by": segments}, **others}


def named(options: dict[str, Any]) -> str:
    return Path(run_folder("out", _root_=OmegaConf.create(options))).as_posix()


def left(folder: str, options: dict[str, Any], **facts: Any) -> None:
    """Leave the record of a run in a folder."""
    Path(folder).mkdir(parents=True)
    write_run_record(Path(folder), RunRecord(model="lite", config=options, **facts))


@pytest.mark.parametrize(
    ("options", "name"),
    [
        (config(), "out/clips-lite"),
        (config("talk.mp4", 10), "out/talk.mp4-lite-10s"),
        (config("talk.mp4", 2.5), "out/talk.mp4-lite-2.5s"),
        (config("talk.mp4", "shots"), "out/talk.mp4-lite-shots"),
        (config(sampling="random"), "out/clips-lite-random"),
        (config(predictions="a/preds.csv"), "out/preds"),
        (config(predictions=["a.csv", "b.csv"]), "out/a-b"),
    ],
)
def test_what_makes_results_differ_is_in_the_name(here: Path, options: dict[str, Any], name: str) -> None:
    assert named(options) == name


def test_the_same_run_goes_to_the_same_folder(here: Path) -> None:
    left("out/clips-lite", config())
    assert named(config()) == "out/clips-lite"
    assert named(config(str(here / "clips"))) == "out/clips-lite"


def test_predictions_of_another_folder_get_a_hash(here: Path) -> None:
    left("out/scores", config(predictions="a/scores.csv"), predictions=True, path="a/scores.csv")
    assert named(config(predictions="a/scores.csv")) == "out/scores"
    assert named(config(predictions="b/scores.csv")).startswith("out/scores-")


@pytest.mark.parametrize("data", [{"path": "we${x}ird"}, {"path": ["a"]}, "text", None])
def test_nothing_in_a_record_is_resolved(here: Path, data: object) -> None:
    left("out/clips-lite", {**config(), "data": data})
    assert named(config()).startswith("out/clips-lite-")


def test_other_data_of_the_same_name_get_a_hash(here: Path) -> None:
    left("out/clips-lite", config("a/clips"))
    other = named(config("b/clips"))
    assert other.startswith("out/clips-lite-")
    assert len(other) == len("out/clips-lite-") + 6
    left(other, config("b/clips"))
    assert named(config("b/clips")) == other
    assert named(config("c/clips")) not in (other, "out/clips-lite")


@pytest.mark.parametrize(
    ("before", "name"),
    [(config("talk.mp4", "shots"), "out/talk.mp4-lite"), (config("talk.mp4"), "out/talk.mp4-lite-shots")],
)
def test_a_folder_that_an_earlier_version_named_is_used_if_it_matches(
    here: Path, before: dict[str, Any], name: str
) -> None:
    left("out/talk.mp4-lite", before)
    assert named(config("talk.mp4", "shots")) == name
