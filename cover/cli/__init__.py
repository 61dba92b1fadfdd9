"""The command line: plain Hydra, but for paths, which need no Hydra quoting, and for exit codes that mean something.

Nothing heavy is imported here: signals are handled before Hydra, and what it needs, is imported.
"""

from collections.abc import Sequence
from typing import NoReturn

from cover.cli.interruption import interruptible


def main() -> NoReturn:
    """Run ``cover COMMAND [key=value ...]``, which pip installs."""
    with interruptible():
        from cover.cli.command import main as main_

        main_()


def run(task: str, arguments: Sequence[str] | None = None) -> NoReturn:
    """Compose ``configs/<task>.yaml``, call ``cover.tasks.<task>`` and exit with its code.

    Args:
        task: ``infer``, ``evaluate`` or ``train``.
        arguments: As the shell gave them; by default those of this process.
    """
    with interruptible():
        from cover.cli.command import run as run_

        run_(task, arguments)


__all__ = ["main", "run"]
