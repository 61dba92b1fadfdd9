"""The command line: plain Hydra, but for paths, which need no Hydra quoting, and for exit codes that mean something.

Nothing heavy is imported here: decoding processes import the entry script again when they start.
"""

from cover.cli.command import main, run

__all__ = ["main", "run"]
