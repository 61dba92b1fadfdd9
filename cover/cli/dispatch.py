"""Commands without Hydra: ``report``, ``compare``, ``select``, ``gate`` and ``app``."""

import importlib
import logging
import shutil
from collections.abc import Sequence

from rich.logging import RichHandler

from cover.cli.help import in_columns
from cover.config.options.results import COMMANDS, command_rows, read_arguments, usage
from cover.text import wrapped

_CODES = {
    "gate": [("0", "the condition holds"), ("3", "it does not")],
    "compare": [("0", "compared"), ("3", "B is significantly below fail_below")],
    "select": [("0", "something is kept"), ("1", "nothing is")],
}
_EXAMPLES = {
    "report": ["cover report outputs/demo"],
    "compare": ["cover compare outputs/before outputs/after fail_below=-0.05"],
    "select": [
        "cover select outputs/demo 'overall > 0.5' output=kept.txt",
        "cover select outputs/demo 'technical > quantile(0.3)'",
    ],
    "gate": [
        "cover gate outputs/demo 'mean(overall) > 0.3'",
        "cover gate outputs/demo 'share(technical < 0) < 0.1' strict=true",
    ],
    "app": ["cover app model=cover_lite port=8000"],
}


def results_help(command: str) -> str:
    """Write the help of a command."""
    task = importlib.import_module(f"cover.tasks.{command}")
    purpose = wrapped((task.__doc__ or "").split("\n")[0], shutil.get_terminal_size().columns)
    lines = [purpose, "", usage(command), "", *(f"  {example}" for example in _EXAMPLES[command]), "", "Options:"]
    rows = [(f"{name}{default}", meaning) for name, default, meaning in command_rows(COMMANDS[command])]
    lines += in_columns(rows, 26)
    codes = [*_CODES.get(command, [("0", "done")]), ("2", "an option or the data are wrong")]
    lines += ["", "Exit codes:", *in_columns(codes, 6)]
    return "\n".join(lines)


def run_on_results(command: str, arguments: Sequence[str]) -> int:
    """Run a command and give its exit code.

    Raises:
        UsageError: Its arguments are wrong.
    """
    options = read_arguments(command, arguments)
    logging.basicConfig(
        level=logging.WARNING, format="%(message)s", handlers=[RichHandler(show_time=False, show_path=False)]
    )
    task = importlib.import_module(f"cover.tasks.{command}")
    code: int = getattr(task, command)(options)
    return code
