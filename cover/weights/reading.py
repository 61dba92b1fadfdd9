"""Reading weight files as data: whatever a file holds, nothing in it is run.

What a safetensors file says about itself is read without importing torch.
"""

import json
import pickle
import re
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cover.curves import Calibration, from_plain
from cover.errors import WeightsError

if TYPE_CHECKING:
    from torch import Tensor


def read_state_dict(path: str | Path) -> "dict[str, Tensor]":
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
    from torch import Tensor

    content = _guarded(Path(path), _content)
    if isinstance(content, dict) and isinstance(content.get("state_dict"), dict):
        prefix = "model." if "pytorch-lightning_version" in content else ""
        content = {str(name).removeprefix(prefix): value for name, value in content["state_dict"].items()}
    items = content.items() if isinstance(content, dict) else ()
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
        The entry as plain data; empty without one.

    Raises:
        WeightsError: As for :func:`read_state_dict`, but that the file needs no tensors.
    """
    about = _guarded(Path(path), _about)
    return about if isinstance(about, dict) else {}


def read_calibration(path: str | Path) -> Calibration | None:
    """Read the curve from overall scores to the MOS scale that a weight file has; None where it has none.

    Raises:
        WeightsError: The file cannot be read (see :func:`read_about`), or its calibration is damaged.
    """
    return calibration_in(read_about(path), Path(path))


def calibration_in(about: Mapping[str, Any], path: Path) -> Calibration | None:
    """Make the calibration of what a file says about itself (see :func:`read_calibration`)."""
    data = about.get("calibration")
    try:
        return None if data is None else from_plain(data)
    except ValueError as error:
        raise WeightsError(f"the calibration in {path} is damaged: {error}") from error


def _guarded(path: Path, read: Callable[[Path, bytes], Any]) -> Any:
    """Give a file and its first bytes to ``read``; whatever is wrong with it is said in one line."""
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
        import safetensors.torch

        return safetensors.torch.load_file(path)
    from cover.weights.pickles import read_pickle, read_torchscript

    return read_torchscript(path) if _is_torchscript(path) else read_pickle(path)


def _about(path: Path, head: bytes) -> Any:
    if _is_safetensors(head):
        import safetensors

        with safetensors.safe_open(path, "numpy") as content:
            return json.loads((content.metadata() or {}).get("cover", "{}"))
    if _is_torchscript(path):
        return None
    from cover.weights.pickles import read_pickle

    unpickled = read_pickle(path)
    return unpickled.get("cover") if isinstance(unpickled, dict) else None


def is_web_page(head: bytes) -> bool:
    """Return whether a file that begins like this is HTML, which the address of a file's page gives."""
    return head.lstrip().lower().startswith((b"<!doctype", b"<html"))


def _what_is_wrong(error: Exception) -> str:
    """Say what is wrong with a file, to stand after its name."""
    if not isinstance(error, pickle.UnpicklingError):
        first_line = next(iter(str(error).splitlines()), "")[:200]
        return f"is damaged or not a weight file ({type(error).__name__}: {first_line})"
    # Not torch's own words: they advise to load the file with all it asks for.
    forbidden = re.search(r"GLOBAL (\S+)", str(error))
    if forbidden:
        return f"is refused: it asks for {forbidden[1]} to be run, and weights are read as data only"
    return "is damaged or not a weight file (no pickle of tensors)"


def _is_torchscript(path: Path) -> bool:
    if not zipfile.is_zipfile(path):
        return False
    with zipfile.ZipFile(path) as archive:
        return any(name.endswith("/constants.pkl") for name in archive.namelist())
