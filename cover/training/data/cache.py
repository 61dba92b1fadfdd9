"""Tensors that are computed once a video and used in every epoch: features of frozen backbones, decoded views."""

import hashlib
import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from rich.filesize import decimal
from safetensors import SafetensorError
from torch import Tensor, nn

from cover.errors import UsageError
from cover.files import write_bytes, write_text
from cover.rows import Row, fingerprint

_FORMAT = 3  # raised when what is stored changes in a way that the identity does not show
_SPARE = 10**9  # bytes of a disk that are left free


DTYPES = {"float32": torch.float32, "float16": torch.float16}


@dataclass(frozen=True)
class Caching:
    """Caches of features and views.

    Attributes:
        dir: Their folder.
        dtype: Type of cached features, a key of :data:`DTYPES`.
        views: Whether to cache decoded views for backbones that are trained.
        reading: Options of reading files that cached tensors depend on, by the name of the dataset.
    """

    dir: Path
    dtype: str
    views: bool
    reading: Mapping[str, Any]


class TensorCache:
    """Tensors of videos on disk, one file for each video and sampling.

    The tensors of one identity (weights, views, precision: whatever they follow from) share a folder; within it, a
    video is known by its path, size and modification time, a part by its start and end, too. A file appears whole or
    not at all, so that processes may write at the same time and a killed run loses nothing that was finished.

    Args:
        folder: Of all caches.
        kind: What is kept, for the name of this one's folder.
        identity: What the tensors follow from, besides video and sampling, as plain data.
    """

    def __init__(self, folder: Path, kind: str, identity: Mapping[str, Any]) -> None:
        text = json.dumps({"format": _FORMAT, **identity}, sort_keys=True, indent=2)
        self.folder = folder / f"{kind}-{_digest(text)}"
        self._identity = text

    def has(self, row: Row, sampling: str) -> bool:
        """Return whether there is a tensor of this video and sampling."""
        return self._file(row, sampling).exists()

    def load(self, row: Row, sampling: str) -> Tensor:
        """Load the tensor of a video and sampling, as it was saved.

        Raises:
            UsageError: The cache lacks it, or its file is damaged.
        """
        file = self._file(row, sampling)
        try:
            return safetensors.torch.load_file(file)["video"]
        except (OSError, SafetensorError, KeyError) as error:
            raise UsageError(f"{file} is gone or damaged ({error}); delete it and run again") from error

    def save(self, row: Row, sampling: str, tensor: Tensor) -> None:
        """Keep a tensor.

        Raises:
            UsageError: It cannot be written.
        """
        file = self._file(row, sampling)
        try:
            if not self.folder.exists():
                self.folder.mkdir(parents=True, exist_ok=True)
                write_text(self.folder / "identity.json", self._identity + "\n")
            write_bytes(file, safetensors.torch.save({"video": tensor.cpu().contiguous()}))
        except (OSError, SafetensorError) as error:
            raise UsageError(f"cannot write to the cache {self.folder}: {error} (cache.dir= takes another)") from error

    def _file(self, row: Row, sampling: str) -> Path:
        part = row.part.cells() if row.is_part else ()
        return self.folder / f"{_digest(json.dumps([*fingerprint(row.location), sampling, *part]))}.safetensors"


def require_space(folder: Path, size: int) -> int:
    """Make sure that a disk has room.

    Args:
        folder: The place to write to; it need not exist yet.
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
            "name another disk with cache.dir=, or take cache.dtype=float16 or fewer augment.samplings"
        )
    return usage.free


def weights_digest(module: nn.Module) -> str:
    """Compute the hex sha256 of a module's parameters and buffers, names, shapes and types included."""
    digest = hashlib.sha256()
    for name, tensor in sorted(module.state_dict().items()):
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)} ".encode())
        digest.update(tensor.detach().cpu().contiguous().flatten().view(torch.uint8).numpy())
    return digest.hexdigest()


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:24]
