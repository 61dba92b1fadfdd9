"""A checkpoint that cannot be written leaves the one before it."""

import errno
from pathlib import Path

import pytest
import torch

from cover.training.loop.whole import WholeCheckpoints


def test_a_full_disk_leaves_the_checkpoint_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "stages" / "last.ckpt"
    WholeCheckpoints().save_checkpoint({"epoch": torch.tensor(1)}, path)

    def full(checkpoint: object, file: object) -> None:
        file.write(b"half")  # type: ignore[attr-defined]
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(torch, "save", full)
    with pytest.raises(OSError, match="No space left"):
        WholeCheckpoints().save_checkpoint({"epoch": torch.tensor(2)}, path)
    assert torch.load(path, weights_only=True) == {"epoch": torch.tensor(1)}
    assert [file.name for file in path.parent.iterdir()] == ["last.ckpt"]
