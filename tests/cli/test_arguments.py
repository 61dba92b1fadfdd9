"""The command line before Hydra sees it: paths, dataset names, quoting, exit codes."""

import os
from pathlib import Path

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser
from hypothesis import example, given
from hypothesis import strategies as st
from omegaconf import OmegaConf

from cover.cli.arguments import rewrite
from cover.config.describe import path_options
from cover.config.resolvers import stem
from cover.errors import UsageError

DATASETS = ["folder", "table", "konvid_1k", "live_vqc"]


def parsed(arguments: list[str]) -> dict[str, object]:
    """What Hydra and OmegaConf make of the arguments."""
    parser = OverridesParser.create()
    config = OmegaConf.create()
    for override in parser.parse_overrides([argument for argument in arguments if not argument.startswith("-")]):
        OmegaConf.update(config, override.key_or_group, override.value())
    container = OmegaConf.to_container(config, resolve=True)
    assert isinstance(container, dict)
    return container


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_directory_becomes_the_folder_dataset(here: Path) -> None:
    (here / "mydir").mkdir()
    assert rewrite("infer", ["data=mydir", "resume=false"], DATASETS) == [
        "data=folder",
        "data.path='mydir'",
        "resume=false",
    ]


@pytest.mark.parametrize("name", ["list.csv", "list.TSV", "list.txt"])
def test_a_list_becomes_the_table_dataset(here: Path, name: str) -> None:
    (here / name).touch()
    assert rewrite("infer", [f"data={name}"], DATASETS)[0] == "data=table"


def test_a_glob_needs_a_match(here: Path) -> None:
    (here / "a.mp4").touch()
    assert parsed(rewrite("infer", ["data=*.mp4"], DATASETS))["data"] == {"path": "*.mp4"}
    with pytest.raises(UsageError, match="neither an existing path nor a known dataset"):
        rewrite("infer", ["data=*.mkv"], DATASETS)


def test_a_dataset_name_wins_over_a_folder_of_that_name(here: Path) -> None:
    (here / "konvid_1k").mkdir()
    assert rewrite("infer", ["data=konvid_1k"], DATASETS) == ["data=konvid_1k"]
    assert parsed(rewrite("infer", ["data=./konvid_1k"], DATASETS))["data"] == {"path": "./konvid_1k"}


def test_a_name_that_is_nothing_gets_the_closest_dataset(here: Path) -> None:
    with pytest.raises(UsageError, match=r"konvid1k.*\(folder, konvid_1k, live_vqc, table\); did you mean konvid_1k\?"):
        rewrite("infer", ["data=konvid1k"], DATASETS)


def test_a_mistyped_path_gets_the_closest_path(here: Path) -> None:
    (here / "clips").mkdir()
    with pytest.raises(UsageError, match=r"did you mean clips\?"):
        rewrite("infer", ["data=clisp"], DATASETS)


def test_data_is_mandatory_but_not_for_help(here: Path) -> None:
    with pytest.raises(UsageError, match="no input"):
        rewrite("infer", ["model=tiny"], DATASETS)
    assert rewrite("infer", ["--help"], DATASETS) == ["--help"]
    assert rewrite("infer", ["experiment=benchmark"], DATASETS, ["recipe"]) == ["experiment=benchmark"]
    with pytest.raises(UsageError, match="no input"):
        rewrite("infer", ["experiment=recipe"], DATASETS, ["recipe"])


def test_flags_may_stand_anywhere(here: Path) -> None:
    arguments = ["data=konvid_1k", "--config-dir", "mine", "--multirun", "views.seed=1,2"]
    expected = ["data=konvid_1k", "views.seed=1,2", "--config-dir", "mine", "--multirun"]
    assert rewrite("infer", arguments, DATASETS) == expected


def test_sweeps_stay_sweeps(here: Path) -> None:
    arguments = ["data=konvid_1k,live_vqc", "weights=a.ckpt,b.ckpt", "--multirun"]
    assert rewrite("infer", arguments, DATASETS) == arguments


@pytest.mark.parametrize("value", ["null", "'already quoted'", '"already quoted"', "${model.weights}", ""])
def test_hydra_syntax_in_a_path_option_is_left_alone(here: Path, value: str) -> None:
    assert rewrite("infer", ["data=folder", f"weights={value}"], DATASETS)[1] == f"weights={value}"


@pytest.mark.parametrize(
    "name",
    [
        "two words",
        "a,b=c",
        'it\'s "quoted"',
        "[brackets](and){braces}",
        "new\nline",
        "${interpolation}",
        "back\\slash\\",
        "ünïcödé 日本語",
        os.fsdecode(b"not utf-8 \xff"),
        "null",
        "*",
    ],
)
def test_any_name_needs_only_the_shells_quoting(here: Path, name: str) -> None:
    (here / name).mkdir()
    assert parsed(rewrite("infer", [f"data={name}"], DATASETS))["data"] == {"path": name}


# What a file name may hold, and pieces that mean something to Hydra, OmegaConf or a shell.
paths = st.text(st.characters(exclude_characters="\0"), min_size=1) | st.lists(
    st.sampled_from(["\\", "'", '"', "${", "}", "$", "a", " ", ",", "=", "[", "\n"]), min_size=1
).map("".join)


@given(paths, st.sampled_from(sorted(option.name for option in path_options())))
@example("\\\\${a}\\'", "data.root")
@example("x,y", "data.folder")
@example("a(b)", "data.sources")
@example("a(b)", "also.*.sources")
def test_path_options_are_taken_literally(path: str, option: str) -> None:
    option = option.replace("*", "more")
    argument = rewrite("evaluate", ["data=folder", f"{option}=/{path}"], DATASETS)[1]
    found: object = parsed([argument])
    for part in option.split("."):
        found = found[part]  # type: ignore[index]
    assert found == f"/{path}"


def test_several_folders_are_a_list(here: Path) -> None:
    assert parsed(rewrite("train", ["data=folder", "data.sources=[a,b]"], DATASETS)[1:])["data"] == {
        "sources": ["a", "b"]
    }
    (here / "[a,b]").mkdir()
    assert parsed(rewrite("train", ["data=folder", "data.sources=[a,b]"], DATASETS)[1:])["data"] == {"sources": "[a,b]"}


@pytest.mark.parametrize(
    ("path", "name"),
    [("clips/day 1/", "day_1"), ("/a/b/*.mp4", "b"), ("list.csv", "list.csv"), ("/", "data"), ("日本", "data")],
)
def test_the_results_folder_is_named_after_the_data(path: str, name: str) -> None:
    assert stem(path) == name
