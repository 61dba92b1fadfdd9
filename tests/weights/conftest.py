"""Fixtures of the weights' tests, and how state dicts are compared."""

from pathlib import Path

import pytest

from cover.weights import loading


@pytest.fixture
def files_read(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The files that loading has taken tensors from, in their order."""
    read: list[Path] = []
    original = loading.read_state_dict
    monkeypatch.setattr(loading, "read_state_dict", lambda path: read.append(Path(path)) or original(path))
    return read
