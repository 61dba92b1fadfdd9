"""What is computed of a clip once and used in every epoch: features of frozen backbones, decoded views."""

import contextlib
import hashlib
import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from rich.filesize import decimal
from safetensors import SafetensorError
from torch import Tensor, nn

from cover.errors import UsageError
from cover.rows import Row, file_state

_FORMAT = 1  # raised when what is stored changes in a way that the identity does not show
_SPARE = 10**9  # bytes of a disk that are left free


class ClipCache:
    """Tensors of clips on disk, one file for each clip and draw.

    The tensors of one identity (weights, views, precision: whatever they follow from) share a folder; within it, a
    clip is known by its path, size and modification time. A file appears whole or not at all, so that processes may
    write at the same time and a killed run loses nothing that was finished.

    Args:
        folder: Of all caches.
        kind: What is kept, for the name of this one's folder.
        identity: What the tensors follow from, besides clip and draw, as plain data.
    """

    def __init__(self, folder: Path, kind: str, identity: Mapping[str, Any]) -> None:
        text = json.dumps({"format": _FORMAT, **identity}, sort_keys=True, indent=2)
        self.folder = folder / f"{kind}-{_digest(text)}"
        self._identity = text

    def has(self, row: Row, draw: str) -> bool:
        """Whether there is a tensor of this clip and draw."""
        return self._file(row, draw).exists()

    def load(self, row: Row, draw: str) -> Tensor:
        """The tensor of a clip and draw, as it was saved.

        Raises:
            UsageError: There is none, or its file is damaged.
        """
        file = self._file(row, draw)
        try:
            return safetensors.torch.load_file(file)["clip"]
        except (OSError, SafetensorError, KeyError) as error:
            raise UsageError(f"{file} is gone or damaged ({error}); delete it and run again") from error

    def save(self, row: Row, draw: str, tensor: Tensor) -> None:
        """Keeps a tensor.

        Raises:
            UsageError: It cannot be written.
        """
        file = self._file(row, draw)
        partial = file.with_suffix(f".{os.getpid()}.part")
        try:
            if not self.folder.exists():
                self.folder.mkdir(parents=True, exist_ok=True)
                (self.folder / "identity.json").write_text(self._identity + "\n", encoding="utf-8")
            safetensors.torch.save_file({"clip": tensor.cpu().contiguous()}, partial)
            partial.replace(file)
        except (OSError, SafetensorError) as error:
            with contextlib.suppress(OSError):
                partial.unlink()
            raise UsageError(f"cannot write to the cache {self.folder}: {error} (cache.dir= takes another)") from error

    def _file(self, row: Row, draw: str) -> Path:
        return self.folder / f"{_digest(json.dumps([*file_state(row.path), draw]))}.safetensors"


def require_space(folder: Path, size: int) -> int:
    """Makes sure that a disk has room.

    Args:
        folder: Where something will be written; it need not exist yet.
        size: How much, in bytes.

    Returns:
        The bytes that are free now.

    Raises:
        UsageError: There is not, with a gigabyte to spare.
    """
    existing = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    usage = shutil.disk_usage(existing)
    if size + _SPARE > usage.free:
        raise UsageError(
            f"{folder}: {decimal(size)} are needed and {decimal(usage.free)} are free there; "
            "name another disk with cache.dir=, or take cache.dtype=float16 or fewer augment.draws"
        )
    return usage.free


def weights_digest(module: nn.Module) -> str:
    """Hex sha256 of a module's parameters and buffers, names, shapes and types included."""
    digest = hashlib.sha256()
    for name, tensor in sorted(module.state_dict().items()):
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)} ".encode())
        digest.update(tensor.detach().cpu().contiguous().flatten().view(torch.uint8).numpy())
    return digest.hexdigest()


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:24]
