"""Reading weight files as data: whatever a file holds, nothing in it is run."""

import io
import json
import pickle
import re
import struct
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from torch import Tensor

from cover.errors import WeightsError


def read_state_dict(path: str | Path) -> dict[str, Tensor]:
    """Read the tensors of a weight file, told by its content and not by its suffix.

    Understood are safetensors; what ``torch.save`` writes of a state dict, bare or under ``"state_dict"``; Lightning
    checkpoints of ours, whose names lose the ``model.`` in front; and TorchScript archives, which is how OpenAI
    publishes CLIP.

    Nothing in the file is run: pickles are read with ``weights_only=True``. TorchScript archives are not given to
    :func:`torch.jit.load`, since that runs the archive's own ``__setstate__`` methods, which can write files (and it is
    deprecated, and unsupported from Python 3.14 on); only their tensors are read.

    Args:
        path: The file.

    Returns:
        Name -> tensor on the CPU, of the file's own dtype. The data may be mapped from the file: copy what you keep.

    Raises:
        WeightsError: There is no such file, it cannot be read, it is not a weight file, is damaged, or holds a pickle
            that asks for more than tensors.
    """
    found = _guarded(Path(path), _content)
    if isinstance(found, dict) and isinstance(found.get("state_dict"), dict):
        prefix = "model." if "pytorch-lightning_version" in found else ""
        found = {str(name).removeprefix(prefix): value for name, value in found["state_dict"].items()}
    items = found.items() if isinstance(found, dict) else ()
    tensors = {str(name): value for name, value in items if isinstance(value, Tensor)}
    if not tensors:
        raise WeightsError(f"{path} holds no state dict (a dictionary of tensors)")
    return tensors


def read_about(path: str | Path) -> dict[str, Any]:
    """Read what a weight file of ours says about itself: its calibration, and the weights it was trained from.

    That is the ``cover`` entry of a checkpoint, or of a safetensors file's metadata, as JSON there. Nothing in the file
    is run (see :func:`read_state_dict`).

    Args:
        path: The file.

    Returns:
        The entry as plain data; empty where there is none.

    Raises:
        WeightsError: As for :func:`read_state_dict`, but that the file needs no tensors.
    """
    about = _guarded(Path(path), _about)
    return about if isinstance(about, dict) else {}


def _guarded(path: Path, read: Callable[[Path, bytes], Any]) -> Any:
    """What ``read`` makes of a file and its first bytes; whatever is wrong with it, as one line."""
    try:
        with path.open("rb") as content:
            head = content.read(64)
    except IsADirectoryError as error:
        raise WeightsError(f"{path} is a folder, not a weight file") from error
    except OSError as error:
        raise WeightsError(f"cannot read the weight file {path}: {error.strerror or error}") from error
    if not head:
        raise WeightsError(f"{path} is empty, not a weight file")
    if is_web_page(head):
        raise WeightsError(f"{path} is a web page, not a weight file: download the file itself (its raw address)")
    try:
        return read(path, head)
    except Exception as error:  # a damaged pickle can raise anything at all
        raise WeightsError(f"{path} {_what_is_wrong(error)}") from error


def _is_safetensors(head: bytes) -> bool:
    return head[8:9] == b"{"


def _content(path: Path, head: bytes) -> Any:
    if _is_safetensors(head):
        return safetensors.torch.load_file(path)
    return _read_torchscript(path) if _is_torchscript(path) else _read_pickle(path)


def _about(path: Path, head: bytes) -> Any:
    if _is_safetensors(head):
        with safetensors.safe_open(path, "pt") as content:
            return json.loads((content.metadata() or {}).get("cover", "{}"))
    found = None if _is_torchscript(path) else _read_pickle(path)
    return found.get("cover") if isinstance(found, dict) else None


def is_web_page(head: bytes) -> bool:
    """Whether a file that begins like this is HTML, which is what the address of a file's page gives."""
    return head.lstrip().lower().startswith((b"<!doctype", b"<html"))


def _what_is_wrong(error: Exception) -> str:
    """What to say of a file after its name."""
    if not isinstance(error, pickle.UnpicklingError):
        first_line = next(iter(str(error).splitlines()), "")[:200]
        return f"is damaged or not a weight file ({type(error).__name__}: {first_line})"
    # Not torch's own words: they advise to load the file with all it asks for.
    forbidden = re.search(r"GLOBAL (\S+)", str(error))
    if forbidden:
        return f"is refused: it asks for {forbidden[1]} to be run, and weights are read as data only"
    return "is damaged or not a weight file (no pickle of tensors)"


class _Placeholder:
    """Stands for an object we do not want: takes any arguments and any state and does nothing with them."""

    def __init__(self, *args: Any) -> None: ...

    def __setstate__(self, state: Any) -> None: ...


# The official training script saves NumPy scalars beside the state dict ("validation_results"). Nobody reads them here,
# so they need not be made: NumPy 1 and 2 name them differently.
_NUMPY_SCALARS: list[Callable[..., Any] | tuple[Callable[..., Any], str]] = [
    (_Placeholder, "numpy.core.multiarray.scalar"),
    (_Placeholder, "numpy._core.multiarray.scalar"),
    (_Placeholder, "numpy.dtype"),
]


def _read_pickle(path: Path) -> Any:
    with torch.serialization.safe_globals(_NUMPY_SCALARS):
        # Files of before torch 1.6 are not zip archives and cannot be mapped.
        return torch.load(path, map_location="cpu", weights_only=True, mmap=zipfile.is_zipfile(path))


def _is_torchscript(path: Path) -> bool:
    if not zipfile.is_zipfile(path):
        return False
    with zipfile.ZipFile(path) as archive:
        return any(name.endswith("/constants.pkl") for name in archive.namelist())


class _Module:
    """A TorchScript module as data: its attributes, by name."""

    def __setstate__(self, state: Any) -> None:
        self.attributes = state if isinstance(state, dict) else {}


def _first(value: Any, *_: Any) -> Any:
    """Stands for TorchScript's functions that only declare the type of their first argument."""
    return value


class _TorchScriptUnpickler(pickle.Unpickler):
    """Unpickles a TorchScript archive's ``data.pkl`` with nothing to call but what makes modules and tensors.

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


def _read_torchscript(path: Path) -> dict[str, Tensor]:
    """The state dict of a TorchScript archive, mapped from the file."""
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
