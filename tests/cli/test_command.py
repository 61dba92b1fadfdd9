"""What a command does to its process, to a folder that another run holds, and where a package is missing."""

import errno
import logging
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from cover import cli
from cover.cli.help import command_help
from cover.config.options.results import COMMANDS
from cover.config.options.schemas import SCHEMAS
from cover.files import sole_writer
from tests.tasks.conftest import clips, infer, run  # noqa: F401 - fixtures


def shown_error(capfd: pytest.CaptureFixture[str]) -> str:
    (error,) = [line for line in capfd.readouterr().err.splitlines() if line.startswith("error: ")]
    return error


def test_the_process_is_left_as_it_was(infer: Callable[..., int], clips: Path) -> None:  # noqa: F811
    environment = dict(os.environ)
    logs, level = logging.getLogger().handlers[:], logging.getLogger().level
    assert infer(f"data={clips}/a.mp4", "output=out") == 0
    assert dict(os.environ) == environment
    # A handler that stays would write to a log whose folder is gone.
    assert (logging.getLogger().handlers, logging.getLogger().level) == (logs, level)


def test_importing_replaces_no_signal_handler() -> None:
    code = (
        "import signal; before = signal.getsignal(signal.SIGTERM); import cover.cli, cover.api, cover.tasks.infer\n"
        "assert signal.getsignal(signal.SIGTERM) is before"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_second_run_in_one_folder_stops(
    infer: Callable[..., int],  # noqa: F811
    clips: Path,  # noqa: F811
    capfd: pytest.CaptureFixture[str],
) -> None:
    with sole_writer(Path("out")):
        assert infer(f"data={clips}/a.mp4", "output=out") == 2
        assert "out: another run is writing there" in shown_error(capfd)
        assert not Path("out/scores.csv").exists()
    assert infer(f"data={clips}/a.mp4", "output=out") == 0


def test_a_run_that_was_killed_lets_go(tmp_path: Path) -> None:
    code = (
        "import sys, time; from pathlib import Path; from cover.files import sole_writer\n"
        "with sole_writer(Path(sys.argv[1])): print('held', flush=True); time.sleep(60)"
    )
    holder = subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert holder.stdout
    assert holder.stdout.readline() == "held\n"
    holder.kill()
    holder.wait()
    with sole_writer(tmp_path):
        pass


@pytest.mark.parametrize(
    ("task", "package", "options", "extra"),
    [
        ("evaluate", "wandb", ["predictions=p.csv", "logger=wandb", "resamples=0"], "wandb"),
        ("infer", "pyarrow", ["data=x.parquet"], "datasets"),
    ],
)
def test_a_missing_package_is_one_line(
    root: Path, tmp_path: Path, task: str, package: str, options: list[str], extra: str
) -> None:
    (tmp_path / "x.csv").write_text("path,mos\n" + "".join(f"{n}.mp4,{n}\n" for n in range(12)))
    (tmp_path / "p.csv").write_text("Filename,mos,overall\n" + "".join(f"{n}.mp4,{n},{n}\n" for n in range(12)))
    (tmp_path / "x.png").touch()
    (tmp_path / "x.parquet").touch()
    code = f"import sys; sys.modules[{package!r}] = None; from cover.cli import run; run({task!r}, {options!r})"
    environment = {**os.environ, "PYTHONPATH": str(root)}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 2, done.stderr
    assert f"pip install 'cover-vqa[{extra}]'" in done.stderr
    assert "Traceback" not in done.stderr


def test_help_needs_no_data(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys, "argv", ["cover", "--help"])
    with pytest.raises(SystemExit) as exit_:
        cli.main()
    assert exit_.value.code == 0
    assert "usage: cover COMMAND" in capsys.readouterr().out


@pytest.mark.parametrize("columns", [72, 80, 200])
@pytest.mark.parametrize("command", [*SCHEMAS, *COMMANDS])
def test_help_is_no_wider_than_the_terminal(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], command: str, columns: int
) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    monkeypatch.setattr(sys, "argv", ["cover", command, "--help"])
    with pytest.raises(SystemExit):
        cli.main()
    assert max(map(len, capsys.readouterr().out.splitlines())) <= min(columns, 110)


def test_help_begins_with_what_most_people_use(capsys: pytest.CaptureFixture[str]) -> None:
    shown = command_help("infer")
    assert shown.index("model=") < shown.index("output=") < shown.index("ratings.screening=")
    assert "finetune_head" not in shown
    assert "finetune_head" in command_help("train")


def test_help_lists_configs_of_ones_own(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "mine.yaml").touch()
    assert "mine" in command_help("infer", [tmp_path])


@pytest.mark.parametrize(
    ("command", "suggestion"),
    [
        ("infr", "; did you mean infer?"),
        ("score", "; did you mean infer?"),
        ("eval", "; did you mean evaluate?"),
        ("zzz", ""),
    ],
)
def test_an_unknown_command_gets_a_suggestion(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], command: str, suggestion: str
) -> None:
    monkeypatch.setattr(sys, "argv", ["cover", command, "a.mp4"])
    with pytest.raises(SystemExit) as exit_:
        cli.main()
    assert exit_.value.code == 2
    names = ", ".join([*SCHEMAS, *COMMANDS])
    assert capsys.readouterr().err == f"error: {command}: there is no such command ({names}){suggestion}\n"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["device=cpu"], "device: there is no such option; did you mean trainer=cpu, gpu or ddp?"),
        (["checkpoint=a.ckpt"], "checkpoint: there is no such option; did you mean weights?"),
        (
            ["views=dense"],
            "views=dense: there is no such config (cover, cover_lite, cover_lite_dense, timm, tiny); "
            "did you mean cover_lite_dense?",
        ),
        (["--config-dir", "nothere"], "--config-dir nothere: no such folder"),
        (["out=x"], "out: there is no such option; did you mean output?"),
        (["bach_size=3"], "bach_size: there is no such option; did you mean batch_size?"),
        (["views.sed=3"], "views.sed: there is no such option; did you mean views.seed?"),
        (
            ["model=cover_lit"],
            "model=cover_lit: there is no such config (cover, cover_lite, timm, tiny); did you mean cover_lite?",
        ),
    ],
)
def test_a_mistyped_option_gets_the_closest(
    infer: Callable[..., int],  # noqa: F811
    clips: Path,  # noqa: F811
    capfd: pytest.CaptureFixture[str],
    options: list[str],
    message: str,
) -> None:
    assert infer(f"data={clips}/a.mp4", *options) == 2
    assert shown_error(capfd) == f"error: {message}"


def test_a_full_disk_is_one_line(
    infer: Callable[..., int],  # noqa: F811
    clips: Path,  # noqa: F811
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    import cover.tasks.infer

    def full(*arguments: object) -> None:
        raise RuntimeError("of a library") from OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(cover.tasks.infer, "score_dataset", full)
        assert infer(f"data={clips}/a.mp4", "output=out") == 2
    shown = capfd.readouterr().err
    assert "out: the disk is full; make room, and run the same command again: it continues" in shown
    assert "Traceback" not in shown
    assert infer(f"data={clips}/a.mp4", "output=out") == 0


class TestDatasetOfOnesOwn:
    """A config in ``--config-dir`` whose class or options are wrong ends in one line."""

    @pytest.fixture
    def refused(
        self,
        infer: Callable[..., int],  # noqa: F811
        clips: Path,  # noqa: F811
        monkeypatch: pytest.MonkeyPatch,
        tmp_path: Path,
        capfd: pytest.CaptureFixture[str],
    ) -> Callable[..., str]:
        """``refused(rows, options)`` runs ``infer`` on such a config and gives the error."""
        (tmp_path / "broken_ds.py").write_text("import nowhere_to_be_found\n")
        (tmp_path / "empty_ds.py").write_text("")
        monkeypatch.syspath_prepend(str(tmp_path))

        def error_of(rows: str, options: str = "") -> str:
            config = tmp_path / "mine" / "data" / "own.yaml"
            config.parent.mkdir(parents=True)
            config.write_text(f"name: own\npath: {clips}\n{options}\nrows: {{{rows}}}\n")
            assert infer("data=own", "--config-dir", "mine") == 2
            return shown_error(capfd)

        return error_of

    def test_a_module_that_python_does_not_find(self, refused: Callable[..., str]) -> None:
        """The chain of exceptions behind it is circular, and following it once never ended."""
        expected = "error: data.rows: no module named 'mine_ds'; put it in the folder of --config-dir or on PYTHONPATH"
        assert refused("_target_: mine_ds.Mine") == expected

    def test_a_module_that_needs_another(self, refused: Callable[..., str]) -> None:
        assert "broken_ds.Own needs the module 'nowhere_to_be_found'" in refused("_target_: broken_ds.Own")

    def test_a_class_that_its_module_lacks(self, refused: Callable[..., str]) -> None:
        error = refused("_target_: empty_ds.Own")
        assert error.startswith("error: data.rows: ")
        assert "'Own'" in error

    def test_an_argument_that_the_class_does_not_take(self, refused: Callable[..., str]) -> None:
        error = refused("_target_: cover.datasets.folder.Folder, path: x, colour: red")
        assert error.startswith("error: data.rows: ")
        assert "'colour'" in error

    def test_an_error_of_its_own_is_one_line(self, refused: Callable[..., str]) -> None:
        Path("mine").mkdir(exist_ok=True)
        Path("mine/failing_ds.py").write_text(
            "class Own:\n    def __init__(self):\n        open('/nowhere/list.txt')\n"
        )
        error = refused("_target_: failing_ds.Own")
        assert "failing_ds.Own ends with FileNotFoundError" in error
        assert "failing_ds.py, line 3" in error

    def test_a_target_that_is_no_dataset(self, refused: Callable[..., str]) -> None:
        assert "data.rows: " in refused("_target_: os.system")

    def test_a_file_that_is_not_yaml(self, refused: Callable[..., str]) -> None:
        error = refused("_target_: {")
        assert "own.yaml" in error
        assert "line 5" in error

    @pytest.mark.parametrize(
        ("option", "hint"), [("colum: path", "did you mean column?"), ("zebra: 1", "its rows: refers to no ${..zebra}")]
    )
    def test_an_option_that_nothing_refers_to(self, refused: Callable[..., str], option: str, hint: str) -> None:
        error = refused("_target_: cover.datasets.folder.Folder, path: '${..path}'", option)
        name = option.partition(":")[0]
        assert error == f"error: data.{name}: there is no such option; {hint}"
