"""How the house is laid out: which way imports may point, who sees the configuration, and what is installed."""

import ast
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest

from cover.results import names
from tests.conftest import ROOT

CONFIGURATION = {"hydra", "omegaconf", "pydantic", "pydantic_core"}
HEAVY = CONFIGURATION | {"torch", "torchvision", "timm", "open_clip", "lightning", "torchmetrics", "av", "pandas"}
HEAVY |= {"wandb", "matplotlib", "gradio"}
# Heavy packages that a room may import; small modules may import none.
HEAVY_OF = {
    "tables": {"pandas"},
    "video": {"av"},
    "models": {"torch", "timm", "open_clip"},
    "weights": {"torch", "timm", "open_clip"},
    "results": {"pandas", "av"},
    "decoding": set(),
    "scoring": {"torch", "lightning", "av"},
    "evaluation": {"pandas"},
    "training": {"torch", "lightning", "torchmetrics", "pandas"},
    "reporting": {"pandas", "matplotlib"},
    "api": {"torch", "pandas"},  # pandas for a type alone
    "apps": {"gradio", "pandas", "matplotlib"},
    "datasets": {"pandas", "av", "matplotlib"},
    **dict.fromkeys(("config", "cli", "tasks", "infer", "evaluate", "train"), HEAVY),
}
# Files of more than 330 lines, and why.
LONG_FILES = {
    "datasets/generated/distortions.py": "a list of small things: one function for each distortion",
    "cover/tables.py": "all readers of tables; they share the rule for decimals",
    "cover/decoding/decoder.py": "one scheduler",
}


@pytest.fixture(scope="module")
def blocks() -> list[list[str]]:
    """The two blocks of docs/architecture.md: the tree and the layers."""
    text = (ROOT / "docs/architecture.md").read_text(encoding="utf-8")
    return [block.strip("\n").split("\n") for block in text.split("```")[1::2]]


@pytest.fixture(scope="module")
def may_import(blocks: list[list[str]]) -> dict[str, set[str]]:
    """Room -> rooms that it may import."""
    lines = [line.partition(":") for line in blocks[1]]
    small = lines[-1][2].split()
    allowed = {room: {*rooms.split(), *small} for rooms_, _, rooms in lines[:-1] for room in rooms_.split()}
    allowed |= {module: set(small[place + 1 :]) for place, module in enumerate(small)}
    return {**allowed, "cover": {"api"}}


def room_of(module: str) -> str:
    """``cover.video.decode`` -> ``video``; modules of other projects -> their package."""
    parts = module.split(".")
    return parts[1] if parts[0] == "cover" and len(parts) > 1 else parts[0]


def sources(root: Path) -> Iterator[tuple[str, Path]]:
    for path in [*root.glob("cover/**/*.py"), *root.glob("datasets/**/*.py"), *root.glob("*.py")]:
        module = ".".join(path.relative_to(root).with_suffix("").parts).removesuffix(".__init__")
        if module != "cover.datasets":  # which finds the folder datasets/ in a checkout
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


def test_every_import_points_the_right_way(root: Path, may_import: dict[str, set[str]]) -> None:
    wrong = [
        f"{path.relative_to(root)} imports {module}"
        for room, path in sources(root)
        for module in imports(path)
        if module.split(".")[0] in ("cover", "datasets") and room_of(module) not in may_import[room] | {room, "cover"}
    ]
    assert wrong == ["cover/scores.py imports cover.video"]  # for type checkers alone


def test_heavy_packages_stay_where_they_are_needed(root: Path) -> None:
    wrong = [
        f"{path.relative_to(root)} imports {module}"
        for room, path in sources(root)
        for module in imports(path)
        if module.split(".")[0] in HEAVY - HEAVY_OF.get(room, set())
    ]
    assert not wrong


def test_the_tree_in_the_docs_is_the_tree(root: Path, blocks: list[list[str]]) -> None:
    documented: set[str] = set()
    parents: list[str] = []
    for line in blocks[0]:
        depth = (len(line) - len(line.lstrip())) // 2
        names = line.split("   ")[0].split() if not depth else [line.split()[0]]
        parents = [*parents[:depth], names[0]]
        documented |= {"".join([*parents[:depth], name]) for name in names}
    packages = {f"{path.parent.relative_to(root).as_posix()}/" for path in root.glob("cover/*/**/__init__.py")}
    packages |= {f"{path.parent.relative_to(root).as_posix()}/" for path in root.glob("datasets/**/__init__.py")}
    modules = {path.relative_to(root).as_posix() for path in root.glob("cover/*.py")} - {"cover/__init__.py"}
    others = {"infer.py", "evaluate.py", "train.py", "configs/", "cover/", "tests/", "benchmarks/", "tools/", "docs/"}
    assert documented == packages - {"cover/datasets/"} | modules | others | {"apps/space/"}


def test_branches_are_declared_once(root: Path) -> None:
    def declares(path: Path) -> bool:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            elements = node.elts if isinstance(node, (ast.Tuple, ast.List, ast.Set)) else []
            texts = {element.value for element in elements if isinstance(element, ast.Constant)}
            if {"semantic", "technical", "aesthetic"} <= texts and len(texts) == len(elements):
                return True
        return False

    assert [path.relative_to(root).as_posix() for _, path in sources(root) if declares(path)] == ["cover/scores.py"]


def test_files_and_headers_of_results_are_named_once(root: Path) -> None:
    declared = {
        value
        for name, value in vars(names).items()
        if not name.startswith("_") and isinstance(value, str) and ("." in value or value == names.FILENAME)
    }
    literals = [
        f"{path.relative_to(root)}: {node.value}"
        for room, path in sources(root)
        if path.name != "names.py" and room not in ("cli", "config", "datasets", "weights")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Constant) and node.value in declared
    ]
    assert not literals


def test_no_public_name_is_defined_in_two_rooms(root: Path) -> None:
    rooms: dict[str, set[str]] = defaultdict(set)
    for room, path in sources(root):
        if room in ("tasks", "infer", "evaluate", "train"):  # a task is called as its command
            continue
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
            names = [target.id for target in targets if isinstance(target, ast.Name)]
            names += [node.name] if isinstance(node, (ast.ClassDef, ast.FunctionDef)) else []
            for name in names:
                if not name.startswith("_") and name not in ("log", "T", "R"):
                    rooms[name].add(room)
    assert {name: found for name, found in rooms.items() if len(found) > 1} == {}


def test_tasks_are_short(root: Path) -> None:
    lines = {path.name: path.read_text().count("\n") for path in root.glob("cover/tasks/*.py")}
    assert {name: count for name, count in lines.items() if count > 100} == {}


def names_of_configurations(tree: ast.AST) -> Iterator[str]:
    """Variables that hold options: by name, or by the type they are annotated with."""
    yield from ("cfg", "config", "options")
    for node in ast.walk(tree):
        if isinstance(node, ast.arg) and node.annotation is not None:
            words = set(ast.unparse(node.annotation).replace("[", " ").replace('"', " ").split())
            if any(word == "DictConfig" or word.endswith("Options") for word in words - {"ConsoleOptions"}):  # rich's
                yield node.arg


def test_only_the_top_floors_see_the_configuration(root: Path) -> None:
    """Below ``cover.tasks``, no function takes a configuration, whatever its parameter is called."""
    top, seen = {"cli", "config", "tasks"}, []
    for room, path in sources(root):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        names = set(names_of_configurations(tree))
        where = path.relative_to(root)
        if room not in {*top, "datasets"}:
            taken = {node.arg for node in ast.walk(tree) if isinstance(node, ast.arg)} & names
            seen += [f"{where} takes {name}" for name in taken]
        if room in top:
            lower = {
                alias.asname or alias.name
                for node in ast.walk(tree)
                if isinstance(node, ast.ImportFrom) and room_of(str(node.module)) not in {*top, "rich", "typing"}
                for alias in node.names
                if str(node.module).startswith("cover")
            }
            for call in (node for node in ast.walk(tree) if isinstance(node, ast.Call)):
                function = call.func.value if isinstance(call.func, ast.Attribute) else call.func
                given = [*call.args, *(keyword.value for keyword in call.keywords)]
                if isinstance(function, ast.Name) and function.id in lower:
                    passed = {value.id for value in given if isinstance(value, ast.Name)} & names
                    seen += [f"{where}:{call.lineno} gives {name} to {function.id}" for name in passed]
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


def test_functions_have_a_size_to_be_read(root: Path) -> None:
    """Few lines of code a function: comments, blank lines and docstrings aside."""
    long = []
    for _, path in sources(root):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef):
                body = node.body[1:] if ast.get_docstring(node) else node.body
                lines = {inner.lineno for part in body for inner in ast.walk(part) if hasattr(inner, "lineno")}
                if len(lines) > 50:
                    long.append(f"{path.relative_to(root)}: {node.name} has {len(lines)} lines")
    assert not long


def test_long_files_have_a_reason(root: Path) -> None:
    long = {
        path.relative_to(root).as_posix()
        for _, path in sources(root)
        if path.read_text(encoding="utf-8").count("\n") > 330
    }
    assert long == LONG_FILES.keys(), "give a file a reason, or its parts a room"
