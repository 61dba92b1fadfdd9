"""Dataset modules, as ``cover.datasets``: in a checkout they are the folder ``datasets/`` at its root.

An installed package has those modules in place of this file.
"""

from pathlib import Path

__path__ = [str(Path(__file__).resolve().parents[2] / "datasets")]
