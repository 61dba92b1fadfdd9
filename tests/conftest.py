"""Fixtures shared by all tests."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

# Tests are small, and run side by side: one thread each. Before anything imports torch.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import pytest
from hypothesis import settings

# A machine that is busy is no failure.
settings.register_profile("cover", deadline=None)
settings.load_profile("cover")

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(autouse=True)
def _signals() -> Iterator[None]:
    """Put back the signal handlers that a command leaves to the end of its process."""
    handlers = {sent: signal.getsignal(sent) for sent in (signal.SIGTERM, signal.SIGINT)}
    yield
    for sent, handler in handlers.items():
        signal.signal(sent, handler)


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
