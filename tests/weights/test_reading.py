"""Reading hostile and damaged weight files."""

import os
import pickle
import struct
import zipfile
from collections import OrderedDict
from pathlib import Path

import numpy as np
import pytest
import safetensors.torch
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from cover.errors import WeightsError
from cover.weights import (
    read_about,
    read_state_dict,
    save_weights,
)
from tests.helpers.states import same

PAGE = b"<!DOCTYPE html><html><body>Not the file</body></html>"


TENSORS = {"a.weight": torch.arange(6.0).reshape(2, 3), "b": torch.tensor([1.5, -2.5], dtype=torch.float16)}


class Tower(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 4, 2, bias=False).half()
        self.proj = nn.Parameter(torch.randn(3, 2).t())  # not contiguous
        self.sizes = [1, 2]

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x


class Clip(nn.Module):
    """In the small what OpenAI's archive holds: half precision, nested modules, attributes that are no tensors."""

    def __init__(self) -> None:
        super().__init__()
        self.visual = Tower()
        self.logit_scale = nn.Parameter(torch.tensor(4.6))
        self.register_buffer("context_length", torch.tensor(77))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x


def save_torchscript(module: nn.Module, path: Path, how: str = "script") -> None:
    script = torch.jit.script(module) if how == "script" else torch.jit.trace(module, torch.zeros(1))
    script.save(str(path))


@pytest.mark.parametrize("zipped", [True, False], ids=["zip", "before torch 1.6"])
@pytest.mark.parametrize(
    "wrap",
    [
        lambda tensors: tensors,
        lambda tensors: OrderedDict(tensors),
        lambda tensors: {"state_dict": tensors, "epoch": 3},
        # the official training script stores the best scores of the validation so
        lambda tensors: {"state_dict": tensors, "validation_results": (np.float64(0.9), np.sqrt(np.float64(2)), -1)},
        lambda tensors: {
            "state_dict": {f"model.{name}": tensor for name, tensor in tensors.items()},
            "pytorch-lightning_version": "2.6.0",
        },
    ],
    ids=["bare", "ordered", "wrapped", "with NumPy scalars", "Lightning"],
)
def test_pickles(tmp_path, wrap, zipped):
    torch.save(wrap(TENSORS), tmp_path / "file.pth", _use_new_zipfile_serialization=zipped)
    assert same(read_state_dict(tmp_path / "file.pth"), TENSORS)


def test_numpy_1_scalars(tmp_path):
    torch.save(
        {"state_dict": TENSORS, "best": np.float64(0.5)}, tmp_path / "file.pth", _use_new_zipfile_serialization=False
    )
    content = (tmp_path / "file.pth").read_bytes()
    (tmp_path / "file.pth").write_bytes(content.replace(b"numpy._core.multiarray", b"numpy.core.multiarray"))
    assert same(read_state_dict(tmp_path / "file.pth"), TENSORS)


@pytest.mark.parametrize("name", ["file.safetensors", "open_clip_model.bin"])
def test_safetensors_are_known_by_their_content(tmp_path, name):
    safetensors.torch.save_file(TENSORS, tmp_path / name)
    assert same(read_state_dict(tmp_path / name), TENSORS)


@pytest.mark.filterwarnings("ignore:.*torch.jit")
@pytest.mark.parametrize("how", ["script", "trace"])
def test_torchscript_archives(tmp_path, how):
    clip = Clip()
    save_torchscript(clip, tmp_path / "ViT-L-14.pt", how)
    assert same(read_state_dict(tmp_path / "ViT-L-14.pt"), clip.state_dict())


class Malice:
    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple:
        return os.mkdir, (str(self.marker),)


@pytest.mark.filterwarnings("ignore:Detected pickle protocol")
@pytest.mark.parametrize("how", ["zip", "before torch 1.6", "plain pickle", "plain pickle, protocol 4"])
def test_a_hostile_pickle_is_refused(tmp_path, how):
    path, marker = tmp_path / "COVER.pth", tmp_path / "executed"
    content = {"state_dict": TENSORS, "more": Malice(marker)}
    if how.startswith("plain"):
        path.write_bytes(pickle.dumps(Malice(marker), protocol=4 if "4" in how else 2))
    else:
        torch.save(content, path, _use_new_zipfile_serialization=how == "zip")
    with pytest.raises(WeightsError, match=r"COVER.pth is (refused|damaged)") as error:
        read_state_dict(path)
    assert not marker.exists()
    assert "\n" not in str(error.value)
    if how in ("zip", "before torch 1.6"):
        assert "mkdir" in str(error.value)
        torch.load(path, weights_only=False)  # the trap does work
        assert marker.exists()


class SelfLoading(nn.Module):
    """TorchScript that writes a file when torch.jit.load rebuilds it."""

    def __init__(self, marker: str) -> None:
        super().__init__()
        self.marker = marker
        self.w = nn.Parameter(torch.zeros(2))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x

    @torch.jit.export
    def __getstate__(self):
        return self.w, self.marker, self.training

    @torch.jit.export
    def __setstate__(self, state: tuple[torch.Tensor, str, bool]) -> None:
        self.w = state[0]
        self.marker = state[1]
        self.training = state[2]
        torch.save(state[0], state[1])


@pytest.mark.filterwarnings("ignore:.*torch.jit")
def test_a_hostile_torchscript_archive_is_not_run(tmp_path):
    path, marker = tmp_path / "ViT-L-14.pt", tmp_path / "executed"
    save_torchscript(SelfLoading(str(marker)), path)
    with pytest.raises(WeightsError, match="holds no state dict"):
        read_state_dict(path)
    assert not marker.exists()
    torch.jit.load(path)  # the trap does work
    assert marker.exists()


@pytest.mark.filterwarnings("ignore:.*torch.jit")
def test_a_hostile_pickle_in_a_torchscript_archive_is_refused(tmp_path):
    path, marker = tmp_path / "ViT-L-14.pt", tmp_path / "executed"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("evil/data.pkl", pickle.dumps(Malice(marker)))
        archive.writestr("evil/constants.pkl", b"")
    with pytest.raises(WeightsError, match=r"is refused: it asks for .*mkdir to be run"):
        read_state_dict(path)
    assert not marker.exists()


def saved(tmp_path: Path) -> bytes:
    torch.save({"state_dict": TENSORS}, tmp_path / "whole.pth")
    return (tmp_path / "whole.pth").read_bytes()


@pytest.mark.filterwarnings("ignore:Detected pickle protocol")
@pytest.mark.parametrize(
    ("content", "what"),
    [
        (lambda whole: b"", "is empty"),
        (lambda whole: b"these are not weights\n" * 9, "is damaged or not a weight file"),
        (lambda whole: PAGE, "is a web page"),
        (lambda whole: whole[: len(whole) // 2], "is damaged or not a weight file"),
        (lambda whole: struct.pack("<Q", 10**12) + b"{", "is damaged or not a weight file"),
        (lambda whole: pickle.dumps([1, 2]), "is damaged or not a weight file"),
        (lambda whole: b"PK\5\6" + bytes(18), "is damaged or not a weight file"),
    ],
    ids=["empty", "text", "web page", "truncated", "safetensors with a wrong size", "plain pickle", "empty zip"],
)
def test_a_bad_file_gets_one_line(tmp_path, content, what):
    path = tmp_path / "COVER.pth"
    path.write_bytes(content(saved(tmp_path)))
    with pytest.raises(WeightsError, match=f"COVER.pth {what}") as error:
        read_state_dict(path)
    assert "\n" not in str(error.value)


def test_no_file_to_read(tmp_path):
    with pytest.raises(WeightsError, match=r"missing.pth: No such file"):
        read_state_dict(tmp_path / "missing.pth")
    with pytest.raises(WeightsError, match="is a folder"):
        read_state_dict(tmp_path)
    torch.save([torch.zeros(1)], tmp_path / "list.pth")
    with pytest.raises(WeightsError, match=r"list.pth holds no state dict"):
        read_state_dict(tmp_path / "list.pth")


@pytest.mark.filterwarnings("ignore")
@settings(max_examples=100, deadline=None)
@given(kind=st.sampled_from(["pickle", "legacy", "torchscript", "safetensors"]), data=st.data())
def test_bytes_changed_anywhere_never_escape(tmp_path_factory, files_to_damage, kind, data):
    content = bytearray(files_to_damage[kind])
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path = tmp_path_factory.getbasetemp() / "damaged"
    path.write_bytes(content)
    message = ""
    for read in (read_state_dict, read_about):
        try:
            read(path)
        except WeightsError as error:
            message = str(error)
        assert "\n" not in message


@pytest.fixture(scope="module")
def files_to_damage(tmp_path_factory):
    folder = tmp_path_factory.mktemp("whole")
    torch.save(TENSORS, folder / "pickle")
    torch.save(TENSORS, folder / "legacy", _use_new_zipfile_serialization=False)
    save_weights(TENSORS, folder / "safetensors", {"base": None})
    save_torchscript(Clip(), folder / "torchscript")
    return {path.name: path.read_bytes() for path in folder.iterdir()}
