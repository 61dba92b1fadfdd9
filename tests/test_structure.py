"""How the house is laid out: which way imports may point, who sees the configuration, and what is installed."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

# Room -> rooms that it may import. Rooms not named here must be added on purpose.
LEAVES = {"cover.errors", "cover.rows", "cover.files", "cover.curves", "cover.processes", "cover.tables"}
LEAVES |= {"cover.results.evidence", "cover.results.read"}
ENGINES = {"cover.video", "cover.models", "cover.weights"}
MAY_IMPORT: dict[str, set[str]] = {
    "cover": {"cover.api"},
    "cover.errors": set(),
    "cover.rows": set(),
    "cover.curves": set(),
    "cover.files": {"cover.errors"},
    "cover.processes": {"cover.errors"},
    "cover.tables": {"cover.errors"},
    "cover.results.evidence": set(),
    "cover.results.read": {"cover.errors", "cover.rows"},
    "cover.video": {"cover.errors", "cover.rows"},
    "cover.models": set(),
    "cover.weights": {"cover.errors", "cover.files", "cover.curves"},
    "cover.scoring": {"cover"} | LEAVES | ENGINES,
    "cover.evaluation": LEAVES,
    "cover.training": {"cover", "cover.scoring", "cover.evaluation"} | LEAVES | ENGINES,
    "cover.reporting": LEAVES | {"cover.evaluation"},
    "cover.api": {"cover.errors", "cover.scoring"} | ENGINES,
    "cover.apps": {"cover.api", "cover.scoring", "cover.evaluation", "cover.reporting"} | LEAVES | ENGINES,
    "cover.config": {"cover", "cover.scoring", "cover.evaluation", "cover.training", "cover.reporting"}
    | (LEAVES | ENGINES),
    "cover.tasks": {
        "cover.config",
        "cover.scoring",
        "cover.evaluation",
        "cover.training",
        "cover.reporting",
        "cover.apps",
    }
    | (LEAVES | ENGINES),
    "cover.cli": {"cover", "cover.config", "cover.scoring", "cover.tasks"} | LEAVES,
    "cover.datasets": set(),
    "datasets": LEAVES | {"cover.video"},
    "infer": {"cover.cli"},
    "evaluate": {"cover.cli"},
    "train": {"cover.cli"},
}
CONFIGURATION = {"hydra", "omegaconf", "pydantic", "pydantic_core"}
HEAVY = CONFIGURATION | {"torch", "torchvision", "timm", "open_clip", "lightning", "torchmetrics", "av", "pandas"}
HEAVY |= {"wandb", "matplotlib", "gradio"}
FORBIDDEN_PACKAGES = {
    **dict.fromkeys(LEAVES | {"cover"}, HEAVY),
    "cover.tables": HEAVY - {"pandas"},
    "cover.results.read": HEAVY - {"pandas"},
    "cover.video": HEAVY - {"av"},
    "cover.models": HEAVY - {"torch", "timm"} | {"av"},
    "cover.weights": HEAVY - {"torch", "timm"},
    "cover.scoring": HEAVY - {"torch", "lightning", "av"},
    "cover.evaluation": HEAVY - {"pandas"},
    "cover.training": HEAVY - {"torch", "lightning", "torchmetrics", "pandas"},
    "cover.reporting": HEAVY - {"pandas", "matplotlib"},
    "cover.api": HEAVY - {"torch"},
    "cover.apps": HEAVY - {"gradio", "pandas", "matplotlib"},
    "datasets": HEAVY - {"pandas", "av", "matplotlib"},
}


def room_of(module: str) -> str:
    """``cover.video.decode`` -> ``cover.video``; modules of other projects -> their package."""
    parts = module.split(".")
    return ".".join(parts[:2]) if parts[0] == "cover" else parts[0]


def sources(root: Path) -> Iterator[tuple[str, Path]]:
    for path in [*root.glob("cover/**/*.py"), *root.glob("datasets/**/*.py"), *root.glob("*.py")]:
        module = ".".join(path.relative_to(root).with_suffix("").parts).removesuffix(".__init__")
        yield room_of(module), path


def imports(path: Path) -> Iterator[str]:
    """Every module that a file imports, inside functions too; a dataset module imports its siblings relatively."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0 or "datasets" in path.parts, f"{path}: imports are absolute"
            if node.level == 0:
                assert node.module
                # `from cover import api` imports a module, `from cover.video import probe` a name
                yield from (
                    [f"cover.{alias.name}" for alias in node.names] if node.module == "cover" else [node.module]
                )


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


def test_only_the_top_floors_see_the_configuration(root: Path) -> None:
    """Below ``cover.tasks``, no function takes a config, and nothing knows where it comes from."""
    seen = []
    for room, path in sources(root):
        if room in {"cover.cli", "cover.config", "cover.tasks", "datasets"}:
            continue
        tree = ast.parse(path.read_text(encoding="utf-8"))
        names = {argument.arg for node in ast.walk(tree) if isinstance(node, ast.arguments) for argument in node.args}
        looked_up = {
            node.value.id
            for node in ast.walk(tree)
            if isinstance(node, ast.Subscript) and isinstance(node.value, ast.Name)
        }
        if (names | looked_up) & {"cfg", "options"} or {"config"} & looked_up:
            seen.append(str(path.relative_to(root)))
    assert not seen


def test_the_command_starts_without_anything_heavy() -> None:
    code = (
        "import sys, cover.cli, cover.tasks.infer, cover.tasks.evaluate, cover.tasks.scoring\n"
        "print(sorted({'torch', 'lightning', 'matplotlib', 'wandb', 'torchmetrics', 'scipy'} & sys.modules.keys()))"
    )
    found = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert found.stdout.strip() == "[]"


def test_scoring_starts_without_pandas() -> None:
    code = "import sys, cover.cli, cover.tasks.infer, cover.tasks.scoring; print('pandas' in sys.modules)"
    found = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert found.stdout.strip() == "False"


def test_python_scores_with_torch_and_little_else(root: Path) -> None:
    """``load_model`` and ``score`` import none of what only commands, training and pictures need."""
    heavy = ["wandb", "matplotlib", "torchmetrics", "lightning", "hydra", "timm", "pandas", "scipy", "torch._dynamo"]
    code = (
        "import sys, numpy; from cover import load_model, score\n"
        "score(numpy.zeros((4, 64, 64, 3), numpy.uint8), load_model('cover_lite'))\n"
        f"print([name for name in {heavy} if name in sys.modules])"
    )
    found = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True, cwd=root)
    assert found.stdout.strip() == "[]"


def test_entry_points_are_a_few_lines(root: Path) -> None:
    for path in root.glob("*.py"):
        assert len(path.read_text().splitlines()) <= 25


@pytest.mark.parametrize("folder", ["cover", "datasets"])
def test_modules_and_functions_have_a_size_to_be_read(root: Path, folder: str) -> None:
    """Few lines of code a function (comments, blank lines and docstrings aside), few hundred lines a module."""
    long = []
    for path in root.glob(f"{folder}/**/*.py"):
        text = path.read_text(encoding="utf-8")
        if text.count("\n") > 330 and path.name not in LONG_MODULES:
            long.append(f"{path.relative_to(root)}: {text.count(chr(10))} lines")
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef):
                body = node.body[1:] if ast.get_docstring(node) else node.body
                lines = {inner.lineno for part in body for inner in ast.walk(part) if hasattr(inner, "lineno")}
                if len(lines) > 50:
                    long.append(f"{path.relative_to(root)}: {node.name} has {len(lines)} lines")
    assert not long


# Tables of facts, and how clips are made: long lists of small things.
LONG_MODULES = {"distortions.py", "dataset.py", "probe.py"}
