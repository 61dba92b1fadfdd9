"""Pickles and TorchScript archives of tensors, read without running anything in them."""

import io
import pickle
import re
import struct
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor


class _Placeholder:
    """Stand-in for an object we do not want: takes any arguments and any state and does nothing with them."""

    def __init__(self, *args: Any) -> None: ...

    def __setstate__(self, state: Any) -> None: ...


# The official training script saves NumPy scalars beside the state dict ("validation_results"). Nobody reads them here,
# so they need not be made: NumPy 1 and 2 name them differently.
_NUMPY_SCALARS: list[Callable[..., Any] | tuple[Callable[..., Any], str]] = [
    (_Placeholder, "numpy.core.multiarray.scalar"),
    (_Placeholder, "numpy._core.multiarray.scalar"),
    (_Placeholder, "numpy.dtype"),
]


def read_pickle(path: Path) -> Any:
    """Read what ``torch.save`` wrote, tensors mapped from the file where it is a zip archive."""
    with torch.serialization.safe_globals(_NUMPY_SCALARS):
        # Files of before torch 1.6 are not zip archives and cannot be mapped.
        return torch.load(path, map_location="cpu", weights_only=True, mmap=zipfile.is_zipfile(path))


class _Module:
    """A TorchScript module as data: its attributes, by name."""

    def __setstate__(self, state: Any) -> None:
        self.attributes = state if isinstance(state, dict) else {}


def _first(value: Any, *_: Any) -> Any:
    """Do as TorchScript's functions that only declare the type of their first argument."""
    return value


class _TorchScriptUnpickler(pickle.Unpickler):
    """Unpickle a TorchScript archive's ``data.pkl`` with nothing to call but what makes modules and tensors.

    Args:
        pickled: Content of ``data.pkl``.
        storages: Name -> bytes of the archive's storages, uint8.
    """

    _STORAGES = {  # noqa: RUF012 - never written
        "HalfStorage": torch.float16,
        "BFloat16Storage": torch.bfloat16,
        "FloatStorage": torch.float32,
        "DoubleStorage": torch.float64,
        "CharStorage": torch.int8,
        "ByteStorage": torch.uint8,
        "ShortStorage": torch.int16,
        "IntStorage": torch.int32,
        "LongStorage": torch.int64,
        "BoolStorage": torch.bool,
    }

    def __init__(self, pickled: bytes, storages: dict[str, Tensor]) -> None:
        super().__init__(io.BytesIO(pickled))
        self._storages = storages

    def find_class(self, module: str, name: str) -> Any:
        if module == "__torch__" or module.startswith("__torch__."):
            return _Module
        if module == "torch" and name in self._STORAGES:
            return self._STORAGES[name]
        if module == "torch.jit._pickle":
            return _first
        if (module, name) == ("collections", "OrderedDict"):
            return dict
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return self._tensor
        raise pickle.UnpicklingError(f"GLOBAL {module}.{name}")

    def persistent_load(self, pid: Any) -> Tensor:
        _, dtype, name, _, _ = pid
        return self._storages[name].view(dtype)

    @staticmethod
    def _tensor(storage: Tensor, offset: int, size: tuple[int, ...], stride: tuple[int, ...], *_: Any) -> Tensor:
        # as_strided refuses what would reach beyond the mapped file.
        return storage.as_strided(size, stride, storage.storage_offset() + offset)


def read_torchscript(path: Path) -> dict[str, Tensor]:
    """Read the state dict of a TorchScript archive, mapped from the file."""
    content = torch.from_file(str(path), shared=False, size=path.stat().st_size, dtype=torch.uint8)
    with zipfile.ZipFile(path) as archive, path.open("rb") as raw:
        (pickle_name,) = (name for name in archive.namelist() if re.fullmatch(r"[^/]+/data\.pkl", name))
        folder = pickle_name.removesuffix("data.pkl") + "data/"
        storages = {}
        for entry in archive.infolist():
            if entry.filename.startswith(folder) and entry.compress_type == zipfile.ZIP_STORED:
                # The zip format repeats an entry's name before its content, with padding of its own.
                raw.seek(entry.header_offset + 26)
                name_length, extra_length = struct.unpack("<HH", raw.read(4))
                start = entry.header_offset + 30 + name_length + extra_length
                storages[entry.filename.removeprefix(folder)] = content[start : start + entry.file_size]
        root = _TorchScriptUnpickler(archive.read(pickle_name), storages).load()
    return dict(_tensors_of(root, ""))


def _tensors_of(module: _Module, prefix: str) -> Iterator[tuple[str, Tensor]]:
    for name, value in module.attributes.items():
        if isinstance(value, Tensor):
            yield f"{prefix}{name}", value
        elif isinstance(value, _Module):
            yield from _tensors_of(value, f"{prefix}{name}.")
