"""Commands without Hydra: ``report``, ``compare``, ``select``, ``gate`` and ``app``."""

import importlib
import logging
from collections.abc import Sequence

from rich.logging import RichHandler

from cover.config.options.results import COMMANDS, command_rows, read_arguments, usage

_EXAMPLES = {
    "report": "cover report outputs/demo",
    "compare": "cover compare outputs/before outputs/after fail_below=-0.05",
    "select": "cover select outputs/demo 'overall > 0.5 and technical > quantile(0.3)' output=kept.txt",
    "gate": "cover gate outputs/demo 'mean(overall) > 0.3 and share(technical < 0) < 0.1'",
    "app": "cover app model=cover_lite port=8000",
}


def results_help(command: str) -> str:
    """Write the help of a command."""
    task = importlib.import_module(f"cover.tasks.{command}")
    lines = [(task.__doc__ or "").split("\n")[0], "", usage(command), "", f"  {_EXAMPLES[command]}", "", "Options:"]
    lines += [f"{f'  {name}{default}':<24} {meaning}" for name, default, meaning in command_rows(COMMANDS[command])]
    codes = {"gate": "0 it holds, 3 it does not", "compare": "0, or 3: significantly below fail_below"}
    codes["select"] = "0 something is kept, 1 nothing is"
    lines += ["", f"Exit codes: {codes.get(command, '0')}; 2 an option or the data are wrong"]
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
