"""Every command line in README and docs is one that the program takes."""

import glob
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir

from cover.cli.arguments import rewrite
from cover.cli.command import _datasets, _recipes
from cover.config.compose import checked, config_folder, resolved
from cover.config.options.results import COMMANDS, read_arguments
from cover.config.options.schemas import SCHEMAS
from cover.config.resolvers import register_resolvers

ROOT = Path(__file__).resolve().parent.parent
_COMMAND = re.compile(r"\s*(?:\$ )?(?:[A-Z_]+=\S+ )*(?:cover|python (?:infer|evaluate|train)\.py)\s")
_FLAGS_WITH_VALUE = ("--config-dir", "--cfg")


def command_lines() -> Iterator[tuple[str, str]]:
    """Where each command line stands, and the line."""
    for page in (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))):
        inside = False
        for line in page.read_text().replace("\\\n", " ").splitlines():
            if line.lstrip().startswith("```"):
                inside = not inside
            elif inside and _COMMAND.match(line):
                yield page.name, line.strip().removeprefix("$ ")


def words(line: str) -> tuple[str, list[str]]:
    """The command of a line and its arguments."""
    parts = shlex.split(line, comments=True)
    while re.fullmatch(r"[A-Z_]+=.*", parts[0]):
        del parts[0]
    if parts[0] == "python":
        return Path(parts[1]).stem, parts[2:]
    return parts[1], parts[2:]


@pytest.fixture
def there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COVER_DATASETS", str(tmp_path / "datasets"))
    register_resolvers()
    return tmp_path


def make(value: str) -> None:
    """Make what a path of a command names."""
    path = Path(re.sub(r"\*+", "x", value))
    if path.suffix and not value.endswith("/"):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    else:
        path.mkdir(parents=True, exist_ok=True)


@pytest.mark.parametrize(("page", "line"), sorted(set(command_lines())))
def test_every_command_line_of_the_docs_is_taken(there: Path, page: str, line: str) -> None:
    command, arguments = words(line)
    if command.startswith("-") or arguments == ["--help"]:
        return
    if command in COMMANDS:
        assert read_arguments(command, arguments)
        return
    folders = [config_folder()]
    datasets = [*_datasets(folders), "mine"]
    for argument in arguments:
        name, _, value = argument.partition("=")
        if name in ("data", "predictions") and value not in datasets and not glob.has_magic(value):
            for part in value.split(","):
                make(part)
        elif name == "data" and glob.has_magic(value):
            make(value)
    rewritten = rewrite(command, arguments, datasets, _recipes(folders))
    overrides, waits = [], False
    for argument in rewritten:
        if waits or argument.startswith("-"):
            waits = argument in _FLAGS_WITH_VALUE
            continue
        overrides.append(argument)
    if any(argument in ("--config-dir", "-cd") for argument in rewritten):
        return  # configs of the reader's own
    if "--multirun" in rewritten:  # each option's first value
        overrides = [re.sub(r"^([^=]+=[^,\[]+),.*", r"\1", argument) for argument in overrides]
        overrides = [argument for argument in overrides if not argument.startswith("hydra.")]
    with initialize_config_dir(str(config_folder()), version_base="1.3"):
        config = compose(command, overrides)
    assert checked(resolved(config), SCHEMAS[command])
