"""Runs of the entry points with the tiny model, and clips to score."""

import os
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cover import cli
from tests.helpers.clips import write_clip

Run = Callable[..., int]

TINY = ("model=tiny", "trainer=cpu")
HERE = (*TINY, "decode.workers=0")  # starting decoders takes longer than decoding a few small videos


@pytest.fixture
def infer(run: Callable[..., int]) -> Run:
    """``infer("data=...")`` is ``python infer.py data=...`` with the tiny model, in this process; an exit code."""
    return partial(run, "infer")


@pytest.fixture
def evaluate(run: Callable[..., int]) -> Run:
    """The same for ``evaluate.py``."""
    return partial(run, "evaluate")


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, root: Path, tmp_path: Path) -> Callable[..., int]:
    """``run("infer", "data=...")`` in a folder of its own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(root))

    def run(task: str, *arguments: str) -> int:
        monkeypatch.setattr(sys, "argv", [str(root / f"{task}.py"), *_with_defaults(arguments, HERE)])
        with pytest.raises(SystemExit) as exit_:
            cli.run(task)
        return int(exit_.value.code or 0)

    return run


@pytest.fixture
def start(root: Path, tmp_path: Path) -> Callable[..., "subprocess.Popen[str]"]:
    """``start("infer", "data=...")`` starts ``python infer.py`` with the tiny model as a process of its own."""

    def popen(task: str, *arguments: str) -> "subprocess.Popen[str]":
        return subprocess.Popen(
            [sys.executable, str(root / f"{task}.py"), *_with_defaults(arguments)],
            cwd=tmp_path,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,  # signals of a test reach this process group alone
        )

    return popen


def _with_defaults(arguments: tuple[str, ...], defaults: tuple[str, ...] = TINY) -> list[str]:
    given = {argument.partition("=")[0] for argument in arguments}
    return [*arguments, *(option for option in defaults if option.partition("=")[0] not in given)]


@pytest.fixture(scope="session")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with two clips of one name in two folders, an image, an empty file, and a file of no interest."""
    folder = tmp_path_factory.mktemp("clips")
    (folder / "day 2").mkdir()
    write_clip(folder / "a.mp4", 30)
    write_clip(folder / "day 2" / "a.mp4", 12, gop=4)
    write_clip(folder / "b.mkv", 25, rate=10)
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (90, 120, 3), dtype=np.uint8)).save(folder / "photo.png")
    (folder / "empty.mp4").touch()
    (folder / "readme.md").write_text("not a video")
    return folder
