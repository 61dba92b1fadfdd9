"""The package as pip installs it: what the wheel holds, and the command in an environment without the checkout."""

import os
import re
import shutil
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest

import cover

pytestmark = pytest.mark.slow  # builds a wheel


@pytest.fixture(scope="module")
def wheel(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("setuptools", "77", reason="builds a wheel with the setuptools at hand, without network")
    folder = tmp_path_factory.mktemp("sources")
    for name in ("cover", "configs", "datasets", "tests"):  # a build leaves files beside the sources
        shutil.copytree(root / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(root / name, folder)
    command = [sys.executable, "-m", "pip", "wheel", ".", "--no-deps", "--no-build-isolation", "--quiet"]
    subprocess.run(command, check=True, cwd=folder)
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def environment(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A fresh environment with the wheel in it; what the wheel depends on is that of this one."""
    folder = tmp_path_factory.mktemp("environment") / "env"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
    python = folder / "bin" / "python"
    command = [sys.executable, "-m", "pip", "--python", python, "install", "--no-deps", "--no-index", "--quiet", wheel]
    subprocess.run(command, check=True)
    code = "import sysconfig; print(sysconfig.get_path('purelib'))"
    packages = subprocess.run([python, "-c", code], check=True, capture_output=True, text=True).stdout.strip()
    # As a line of a .pth file the folder is searched last, and an editable install in it stays unknown.
    Path(packages, "dependencies.pth").write_text(sysconfig.get_path("purelib"))
    return folder


def run(environment: Path, folder: Path, *command: str) -> "subprocess.CompletedProcess[str]":
    variables = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "VIRTUAL_ENV")}
    program, *arguments = command
    return subprocess.run(
        [environment / "bin" / program, *arguments],
        cwd=folder,
        env=variables,
        capture_output=True,
        text=True,
        check=False,
    )


def test_everything_lies_in_one_package(wheel: Path, root: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    assert {name.split("/")[0].split("-")[0] for name in names} == {"cover", "cover_vqa"}
    modules = {path.relative_to(root).as_posix() for path in root.glob("cover/**/*.py")} - {
        "cover/datasets/__init__.py"
    }
    modules |= {f"cover/{path.relative_to(root).as_posix()}" for path in root.glob("datasets/**/*.py")}
    configs = {
        f"cover/_configs/{path.relative_to(root / 'configs').as_posix()}" for path in root.glob("configs/**/*.yaml")
    }
    pages = root / "cover/reporting/page/templates"
    modules |= {
        path.relative_to(root).as_posix() for path in pages.rglob("*.*") if path.suffix in (".j2", ".css", ".js")
    }
    assert modules | configs | {"cover/py.typed", "cover/weights/cover_lite.safetensors"} <= {*names}


def test_the_command_scores_from_an_empty_folder(environment: Path, tmp_path: Path) -> None:
    where = run(environment, tmp_path, "python", "-c", "import cover; print(cover.__file__)")
    assert where.stdout.startswith(str(environment))
    done = run(environment, tmp_path, "cover", "infer", "data=demo", "model=cover_lite")
    assert done.returncode == 0, done.stderr
    assert "14 scored, 0 failed" in done.stdout
    assert (tmp_path / "outputs/demo-cover_lite/scores.csv").exists()
    assert (tmp_path / "outputs/demo-cover_lite/report.html").exists()


def test_help_and_version(environment: Path, tmp_path: Path) -> None:
    shown = run(environment, tmp_path, "cover", "--help").stdout
    assert all(f"\n  {command}" in shown for command in ("infer", "evaluate", "train"))
    assert run(environment, tmp_path, "cover", "--version").stdout.strip() == cover.__version__
    assert "usage: cover train" in run(environment, tmp_path, "cover", "train", "--help").stdout


def test_a_command_that_is_none(environment: Path, tmp_path: Path) -> None:
    done = run(environment, tmp_path, "cover", "infre", "data=x")
    assert done.returncode == 2
    assert re.fullmatch(
        r"error: infre: there is no such command \(infer, evaluate, train, report, .*\); did you mean infer\?\n",
        done.stderr,
    )


def test_configs_of_ones_own(environment: Path, tmp_path: Path) -> None:
    (tmp_path / "mine/data").mkdir(parents=True)
    (tmp_path / "mine/data/clips.yaml").write_text(
        "name: clips\nrows: {_target_: cover.datasets.folder.Folder, path: nowhere.mp4}\n"
        "raw: {width: null, height: null, pixel_format: yuv420p, fps: 25}\n"
    )
    done = run(environment, tmp_path, "cover", "infer", "--config-dir", "mine", "data=clips", "model=tiny")
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1] == "error: data=nowhere.mp4: no such file or directory"
