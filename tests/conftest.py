"""Fixtures shared by all tests."""

import os
from pathlib import Path

# Tests are small, and run side by side: one thread each. Before anything imports torch.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import pytest

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def root() -> Path:
    """The repository root."""
    return ROOT


@pytest.fixture(scope="session")
def shared() -> Path:
    """Reference data of the official implementation and real clips, which live beside a developer's checkout only."""
    path = ROOT.parent / "shared"
    if not (path / "reference").is_dir():
        pytest.skip("needs the reference data in ../shared, which is not part of the repository")
    return path
