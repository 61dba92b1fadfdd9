"""Fixtures shared by all tests."""

from pathlib import Path

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
