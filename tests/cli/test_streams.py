"""Standard streams that cannot be written: the results are saved, and the exit code is the run's."""

import io
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from cover.cli.streams import steady_streams
from tests.helpers.clips import write_clip


class Full(io.StringIO):
    def __init__(self, error: OSError) -> None:
        super().__init__()
        self.failure = error

    def flush(self) -> None:
        raise self.failure


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (
            OSError(28, "No space left on device"),
            "warning: standard output cannot be written (No space left on device)",
        ),
        (BrokenPipeError(32, "Broken pipe"), ""),
    ],
)
def test_what_cannot_be_written_is_dropped(error: OSError, said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    err = io.StringIO()
    monkeypatch.setattr(sys, "stdout", Full(error))
    monkeypatch.setattr(sys, "stderr", err)
    with steady_streams():
        print("a table", flush=True)
        print("and more", flush=True)
    assert err.getvalue().startswith(said)
    assert bool(err.getvalue()) == bool(said)


def test_no_stream_at_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", None)
    monkeypatch.setattr(sys, "stderr", None)
    with steady_streams():
        print("a table")
        assert not sys.stdout.isatty()
    assert sys.stdout is None


def test_characters_that_an_encoding_lacks_are_escaped(monkeypatch: pytest.MonkeyPatch) -> None:
    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, encoding="ascii"))
    with steady_streams():
        print("\xe9t\xe9 \u65e5\u672c")
    assert raw.getvalue() == b"\\xe9t\\xe9 \\u65e5\\u672c\n"


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("streams")
    (folder / "clips").mkdir()
    write_clip(folder / "clips" / "caf\xe9.mp4", 5)
    return folder


@pytest.mark.slow
class TestRuns:
    def infer(
        self, clips: Path, root: Path, *flags: str, output: str, **options: Any
    ) -> subprocess.CompletedProcess[str]:
        command: Sequence[str] = [sys.executable, *flags, str(root / "infer.py"), "data=clips", "model=tiny"]
        environment = {**os.environ, **options.pop("environment", {})}
        return subprocess.run(
            [*command, f"output={output}"],
            check=False, cwd=clips, env=environment, stderr=subprocess.PIPE, text=True, **options,
        )  # fmt: skip

    def scored(self, clips: Path, output: str) -> bool:
        return len((clips / output / "scores.csv").read_text(encoding="utf-8").splitlines()) == 2

    @pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
    def test_a_full_disk(self, clips: Path, root: Path) -> None:
        with Path("/dev/full").open("w") as full:
            run = self.infer(clips, root, output="full", stdout=full)
        assert (run.returncode, self.scored(clips, "full")) == (0, True)
        assert "Traceback" not in run.stderr
        assert "No space left on device" in run.stderr

    def test_a_closed_pipe(self, clips: Path, root: Path) -> None:
        reading, writing = os.pipe()
        os.close(reading)
        run = self.infer(clips, root, output="pipe", stdout=writing)
        os.close(writing)
        assert (run.returncode, self.scored(clips, "pipe")) == (0, True)
        assert "Traceback" not in run.stderr

    @pytest.mark.parametrize("flags", [(), ("-I",)])
    def test_another_encoding_and_a_safe_path(self, flags: tuple[str, ...], clips: Path, root: Path) -> None:
        environment = {"PYTHONIOENCODING": "ascii", "PYTHONSAFEPATH": "1", "COLUMNS": "60"}
        run = self.infer(
            clips, root, *flags, output=f"ascii{len(flags)}", stdout=subprocess.PIPE, environment=environment
        )
        assert (run.returncode, self.scored(clips, f"ascii{len(flags)}")) == (0, True)
        if not flags:  # -I takes nothing from the environment
            assert "caf\\xe9.mp4" in run.stdout
            lines = [line for line in run.stdout.splitlines() if not line.startswith(("scores: ", "report: "))]
            assert max(map(len, lines)) <= 60, "all but paths, which can be copied whole"
