"""The command line before Hydra sees it: paths, dataset names, quoting, exit codes."""

import os
import re
from pathlib import Path

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser
from hypothesis import assume, example, given
from hypothesis import strategies as st
from omegaconf import OmegaConf

from cover.cli.arguments import config_dirs, rewrite
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
    with pytest.raises(UsageError, match=r"data=\*.mkv: the glob matches no file"):
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
    arguments = ["data=konvid_1k", "--config-dir", "mine", "--multirun", "views.seed=1,2", "output=out"]
    expected = ["data=konvid_1k", "views.seed=1,2", "output='out'", "--config-dir", "mine", "--multirun"]
    assert rewrite("infer", arguments, DATASETS) == expected


def test_sweeps_stay_sweeps(here: Path) -> None:
    arguments = ["data=konvid_1k,live_vqc", "weights=a.ckpt,b.ckpt", "hydra.sweep.dir=out", "--multirun"]
    assert rewrite("infer", arguments, DATASETS) == arguments


@pytest.mark.parametrize("task", ["infer", "evaluate", "train"])
def test_a_multirun_without_output_has_a_folder_that_needs_no_data(here: Path, task: str) -> None:
    *rest, folder, flag = rewrite(task, ["data=konvid_1k,live_vqc", "--multirun"], DATASETS)
    assert rest == ["data=konvid_1k,live_vqc"]
    assert re.fullmatch(rf"hydra\.sweep\.dir=outputs/{task}/multirun-\d{{8}}-\d{{6}}", folder)
    assert flag == "--multirun"


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
    assume(option != "predictions" or "," not in path)  # of which several may be named
    option = option.replace("*", "more")
    argument = rewrite("evaluate", ["data=folder", f"{option}=/{path}"], DATASETS)[1]
    found: object = parsed([argument])
    for part in option.split("."):
        found = found[part]  # type: ignore[index]
    assert found == f"/{path}"


def test_several_predictions_are_a_list(here: Path) -> None:
    found = parsed(rewrite("evaluate", ["predictions=a.csv, b c.csv"], DATASETS))
    assert found["predictions"] == ["a.csv", "b c.csv"]
    (here / "a,b.csv").touch()
    assert parsed(rewrite("evaluate", ["predictions=a,b.csv"], DATASETS))["predictions"] == "a,b.csv"


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


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["data=a", "data=b"], r"data=a data=b: data= is given 2 times"),
        (["clips"], r"clips: options are key=value: data=clips$"),
        (["clips/*.mp4"], r"clips/\*.mp4: options are key=value: data=clips/\*.mp4$"),
        (["demo"], r"demo: options are key=value: data=demo$"),
        (["nowhere"], r"nowhere: options are key=value, such as data=nowhere$"),
        (["--data", "clips"], r"--data: options have no dashes: data=VALUE$"),
        (["--batch_size=3", "data=clips"], r"--batch_size=3: options have no dashes: batch_size=3$"),
        (["data=https://example.com/a.mp4"], r"data=https://example.com/a.mp4: links are not read; download it"),
        (["data", "=", "clips"], r"do not put spaces around ="),
        (["dat=clips"], r"no input: .*; did you mean data=clips\?"),
        (["data=clips/*.avi"], r"data=clips/\*.avi: the glob matches no file"),
        (["data=mos.mat"], r"data=mos.mat: a MATLAB file; give it as data.annotation="),
    ],
)
def test_what_people_type_first_gets_its_remedy(here: Path, arguments: list[str], message: str) -> None:
    (here / "clips").mkdir()
    with pytest.raises(UsageError, match=message):
        rewrite("infer", arguments, ["demo"])


@pytest.mark.parametrize(
    "flags", [["--cfg", "job"], ["--info", "all"], ["--config-dir", "more"], ["~optimizer.betas"], ["--multirun"]]
)
def test_flags_of_hydra_and_deletions_are_left_alone(here: Path, flags: list[str]) -> None:
    assert set(flags) <= set(rewrite("infer", ["data=demo", *flags], ["demo"]))


@pytest.mark.parametrize("option", ["output", "weights", "data.root", "views.replay", "clip_weights"])
def test_a_tilde_is_the_home_folder_in_every_path_option(
    here: Path, option: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(here / "home"))
    (here / "home").mkdir()
    assert f"{option}='{here}/home/x y'" in rewrite("infer", ["data=demo", f"{option}=~/x y"], ["demo"])


def test_a_tilde_names_data_in_the_home_folder(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(here))
    (here / "clips").mkdir()
    assert f"data.path='{here}/clips'" in rewrite("infer", ["data=~/clips"], ["demo"])


@pytest.mark.parametrize("suffix", [".xlsx", ".ods", ".xls", ".csv", ".parquet"])
def test_spreadsheets_are_tables(here: Path, suffix: str) -> None:
    (here / f"ratings{suffix}").touch()
    assert "data=table" in rewrite("infer", [f"data=ratings{suffix}"], ["demo"])


@pytest.mark.parametrize("option", ["separator=;", "separator=|", "decimal=,", "column=Video name", "mos=MOS (1..5)"])
def test_what_a_table_is_read_by_is_taken_literally(here: Path, option: str) -> None:
    (here / "ratings.csv").touch()
    name, _, value = option.partition("=")
    assert f"data.{name}='{value}'" in rewrite("infer", ["data=ratings.csv", f"data.{option}"], ["demo"])


def test_a_tilde_in_the_folder_of_configs(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(here))
    for flags in (["--config-dir=~/cfg"], ["--config-dir", "~/cfg"]):
        assert f"{here}/cfg" in rewrite("infer", ["data=demo", *flags], ["demo"])[-1]
        assert config_dirs(flags) == [here / "cfg"]


def test_an_option_by_its_old_and_its_new_name_is_refused() -> None:
    with pytest.raises(UsageError, match=r"protocol\.part= and protocol\.split= are one option"):
        rewrite("evaluate", ["data=x", "protocol.part=a", "protocol.split=b"], ["x"])
