"""How the house is laid out: which way imports may point, and what is installed."""

import ast
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

# Room -> rooms and packages of others that it may import. Rooms not named here must be added on purpose.
LEAVES = {"cover.errors", "cover.rows"}
ENGINES = {"cover.video", "cover.models", "cover.weights"}
MAY_IMPORT = {
    "cover": {"cover.api"},
    "cover.errors": set(),
    "cover.rows": set(),
    "cover.processes": set(),
    "cover.video": {"cover.errors"},
    "cover.models": {"cover.errors"},
    "cover.weights": {"cover.errors", "cover.calibration", "cover.metrics"},
    "cover.metrics": {"cover.errors"},
    "cover.calibration": {"cover.metrics"},
    "cover.losses": {"cover.models"},
    "cover.splits": {"cover.errors"},
    "cover.data": LEAVES | {"cover.processes", "cover.video"},
    "cover.module": LEAVES | {"cover.data", "cover.models"},
    "cover.cache": LEAVES,
    "cover.training_data": LEAVES | {"cover.cache", "cover.data", "cover.models", "cover.video"},
    "cover.training": LEAVES
    | {"cover.cache", "cover.data", "cover.losses", "cover.metrics", "cover.models", "cover.training_data"},
    "cover.writers": LEAVES | {"cover.data", "cover.models", "cover.module"},
    "cover.report": LEAVES | {"cover.data", "cover.metrics", "cover.module"},
    "cover.curves": {"cover.writers"},
    "cover.api": LEAVES | ENGINES,
    "cover.tasks": LEAVES
    | ENGINES
    | {"cover", "cover.data", "cover.metrics", "cover.module", "cover.report", "cover.splits", "cover.writers"}
    | {"cover.cache", "cover.calibration", "cover.curves", "cover.processes", "cover.training", "cover.training_data"},
    "datasets": LEAVES | {"cover.video"},
    "datasets.synthetic": LEAVES | {"cover.processes", "cover.video", "datasets"},
    "infer": {"cover.tasks"},
    "evaluate": {"cover.tasks"},
    "train": {"cover.tasks"},
}
HEAVY = {"torch", "torchvision", "timm", "open_clip", "lightning", "hydra", "omegaconf", "av", "pandas", "wandb"}
FORBIDDEN_PACKAGES = {
    "cover": HEAVY,
    "cover.errors": HEAVY,
    "cover.rows": HEAVY,
    "cover.processes": HEAVY,
    "cover.video": HEAVY - {"av"},
    "cover.models": {"lightning", "hydra", "omegaconf", "av"},
    "cover.metrics": HEAVY - {"torch"},
    "cover.calibration": HEAVY,
    "cover.losses": HEAVY - {"torch"},
    "cover.cache": HEAVY - {"torch"},
    "cover.splits": HEAVY,
    "cover.weights": {"lightning", "hydra", "omegaconf", "av"},
    "datasets": HEAVY - {"pandas"},
    "datasets.synthetic": HEAVY - {"av"},  # the one that makes its clips
}


def room_of(module: str) -> str:
    """``cover.video.decode`` -> ``cover.video``; modules of other projects -> their package."""
    parts = module.split(".")
    return ".".join(parts[:2]) if parts[0] == "cover" or parts[:2] == ["datasets", "synthetic"] else parts[0]


def sources(root: Path) -> Iterator[tuple[str, Path]]:
    for path in [*root.glob("cover/**/*.py"), *root.glob("datasets/**/*.py"), *root.glob("*.py")]:
        module = ".".join(path.relative_to(root).with_suffix("").parts).removesuffix(".__init__")
        yield room_of(module), path


def imports(path: Path) -> Iterator[str]:
    """Every module that a file imports, inside functions too."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are absolute"
            assert node.module
            # `from cover import api` imports a module, `from cover.video import probe` a name
            yield from ([f"cover.{alias.name}" for alias in node.names] if node.module == "cover" else [node.module])


def test_every_import_points_the_right_way(root: Path) -> None:
    wrong = [
        f"{path.relative_to(root)} imports {module}"
        for room, path in sources(root)
        for module in imports(path)
        if (
            room_of(module) not in MAY_IMPORT[room] | {room}
            if module.split(".")[0] in MAY_IMPORT
            else module.split(".")[0] in FORBIDDEN_PACKAGES.get(room, set())
        )
    ]
    assert not wrong


def test_decoding_workers_start_without_torch() -> None:
    code = "import sys, cover.video, cover.tasks.cli; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_only_cover_is_installed(root: Path, tmp_path: Path) -> None:
    pytest.importorskip("setuptools", "77", reason="builds a wheel with the setuptools at hand, without network")
    for folder in ("cover", "configs", "datasets", "tests"):  # a build leaves files beside the sources
        shutil.copytree(root / folder, tmp_path / folder, ignore=shutil.ignore_patterns("__pycache__"))
    for file in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(root / file, tmp_path)
    command = [sys.executable, "-m", "pip", "wheel", ".", "--no-deps", "--no-build-isolation", "--quiet"]
    subprocess.run(command, check=True, cwd=tmp_path)
    (wheel,) = tmp_path.glob("*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    assert {name.split("/")[0].split("-")[0] for name in names} == {"cover", "cover_vqa"}
    assert "cover/py.typed" in names
    assert "cover/video/__init__.py" in names
    assert "cover/weights/cover_lite.safetensors" in names


def test_entry_points_are_a_few_lines(root: Path) -> None:
    for path in root.glob("*.py"):
        assert len(path.read_text().splitlines()) <= 25
