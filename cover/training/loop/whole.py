"""Checkpoints of a training that are whole at every moment."""

from pathlib import Path
from typing import Any

import torch
from lightning.fabric.plugins import TorchCheckpointIO

from cover.files import replacing


class WholeCheckpoints(TorchCheckpointIO):
    """Writes a checkpoint so that a kill, or a full disk, leaves the one before it."""

    def save_checkpoint(self, checkpoint: dict[str, Any], path: Any, storage_options: Any = None) -> None:
        """Write a checkpoint in place of the one at the path."""
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        with replacing(Path(path)) as partial, partial.open("wb") as file:
            torch.save(checkpoint, file)
