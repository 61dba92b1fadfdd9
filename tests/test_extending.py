"""A dataset, a backbone and a measure of one's own, from a folder outside the checkout, as docs/extending.md says."""

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from tests.helpers.clips import noise_frame, write_clip

DATASET = '''
import csv
from pathlib import Path

from cover.rows import Row


class Bees:
    """Clips of bees and their MOS."""

    lower_is_better = False

    def __init__(self, root: str) -> None:
        self.root = Path(root)

    def __iter__(self):
        with (self.root / "bees.csv").open() as file:
            for line in csv.DictReader(file):
                yield Row(self.root / line["clip"], line["clip"], float(line["mos"]))
'''
CONFIG = """
name: bees
root: ???
rows:
  _target_: bees.Bees
  root: ${..root}
"""


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    """A folder of somebody else: a dataset's YAML, its module, videos and ratings."""
    (tmp_path / "mine/data").mkdir(parents=True)
    (tmp_path / "mine/bees.py").write_text(DATASET)
    (tmp_path / "mine/data/bees.yaml").write_text(CONFIG)
    videos = tmp_path / "videos"
    videos.mkdir()
    for number in range(3):
        write_clip(videos / f"{number}.mp4", [noise_frame(number + frame, 48, 48) for frame in range(4)])
    (videos / "bees.csv").write_text("clip,mos\n" + "".join(f"{number}.mp4,{number + 1}\n" for number in range(3)))
    return tmp_path


@pytest.fixture
def command(outside: Path, root: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run a command of the checkout in that folder."""

    def run(task: str, *options: str) -> subprocess.CompletedProcess[str]:
        arguments = [sys.executable, str(root / f"{task}.py"), *options, "--config-dir", "mine"]
        return subprocess.run(arguments, cwd=outside, capture_output=True, text=True, check=False)

    return run


def test_a_dataset_needs_one_yaml_and_one_module(
    command: Callable[..., subprocess.CompletedProcess[str]], outside: Path
) -> None:
    options = ("data=bees", "data.root=videos", "model=tiny", "resamples=0", "report=false", "output=out")
    done = command("evaluate", *options)
    assert done.returncode == 0, done.stderr
    assert pd.read_csv(outside / "out/predictions.csv")["mos"].to_list() == [1, 2, 3]


def test_a_module_beside_configs_shadows_no_other(
    command: Callable[..., subprocess.CompletedProcess[str]], outside: Path
) -> None:
    (outside / "mine/json.py").write_text("raise ImportError('shadowed')")
    (outside / "mine/cover.py").write_text("raise ImportError('shadowed')")
    done = command("infer", "data=bees", "data.root=videos", "model=tiny", "report=false", "output=out")
    assert done.returncode == 0, done.stderr
    assert not re.search("shadowed", done.stderr)
