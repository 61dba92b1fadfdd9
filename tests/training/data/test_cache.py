"""The cache of clips: what is the same clip, what is the same cache, and what is on disk when something goes wrong."""

import copy
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import safetensors.torch
import torch
from torch import Tensor, nn

from cover.errors import UsageError
from cover.rows import Row
from cover.training.data.cache import TensorCache, require_space, weights_digest

IDENTITY = {"weights": "abc", "view": {"size": 64, "frames": 4}}


@pytest.fixture
def row(tmp_path: Path) -> Row:
    path = tmp_path / "clips" / "clip.mp4"
    path.parent.mkdir()
    path.write_bytes(b"a clip")
    return Row(path, "clip.mp4", 3.0)


@pytest.fixture
def cache(tmp_path: Path) -> TensorCache:
    return TensorCache(tmp_path / "cache", "semantic-features", IDENTITY)


def files(cache: TensorCache) -> list[Path]:
    return sorted(path for path in cache.folder.iterdir() if path.name != "identity.json")


@pytest.mark.parametrize(
    "tensor",
    [
        torch.randn(3, 4, 2),
        torch.randn(3, 4, 2).half(),
        torch.arange(24, dtype=torch.uint8).view(3, 4, 2),
        torch.arange(24.0).view(2, 3, 4).transpose(0, 2),  # not contiguous
        torch.arange(24.0).view(4, 6)[1],  # a part of something larger
        torch.tensor([0.0, -0.0, torch.inf, torch.nan]),
    ],
)
def test_what_is_saved_comes_back(cache: TensorCache, row: Row, tensor: Tensor) -> None:
    assert not cache.has(row, "center")
    cache.save(row, "center", tensor)
    assert cache.has(row, "center")
    found = cache.load(row, "center")
    assert (found.dtype, found.shape) == (tensor.dtype, tensor.shape)
    assert torch.equal(found.nan_to_num(7.0), tensor.nan_to_num(7.0))


def test_draws_are_apart(cache: TensorCache, row: Row) -> None:
    draws = ["center", "random 0 1", "random 0 1 mirrored", "random 1 1", "random 0 11"]
    for number, draw in enumerate(draws):
        assert not cache.has(row, draw)
        cache.save(row, draw, torch.tensor([number]))
    assert [cache.load(row, draw).item() for draw in draws] == list(range(len(draws)))


def touch(row: Row) -> Row:
    status = row.path.stat()
    os.utime(row.path, ns=(status.st_atime_ns, status.st_mtime_ns + 1))
    return row


def grow(row: Row) -> Row:
    status = row.path.stat()
    row.path.write_bytes(b"another clip")
    os.utime(row.path, ns=(status.st_atime_ns, status.st_mtime_ns))
    return row


def twin(row: Row) -> Row:
    path = row.path.with_name("twin.mp4")
    shutil.copy2(row.path, path)
    return Row(path, row.name, row.mos)


def vanish(row: Row) -> Row:
    row.path.unlink()
    return row


@pytest.mark.parametrize("change", [touch, grow, twin, vanish])
def test_another_clip(cache: TensorCache, row: Row, change: Callable[[Row], Row]) -> None:
    cache.save(row, "center", torch.zeros(2))
    assert not cache.has(change(row), "center")


def test_the_same_clip_under_another_name(
    cache: TensorCache, row: Row, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache.save(row, "center", torch.zeros(2))
    assert cache.has(Row(row.path, "renamed.mp4", 5.0, {"split": "test"}), "center")
    monkeypatch.chdir(tmp_path)
    assert cache.has(Row(Path("clips/clip.mp4"), row.name), "center")


def test_names_that_are_no_unicode(cache: TensorCache, tmp_path: Path) -> None:
    row = Row(tmp_path / os.fsdecode(b"\xff.mp4"), "odd.mp4")
    cache.save(row, "center", torch.ones(2))
    assert cache.load(row, "center").sum() == 2


@pytest.mark.parametrize(
    ("kind", "identity"),
    [
        ("technical-features", IDENTITY),
        ("semantic-features", {**IDENTITY, "weights": "abd"}),
        ("semantic-features", {**IDENTITY, "view": {"size": 64, "frames": 8}}),
        ("semantic-features", {**IDENTITY, "precision": None}),
        ("semantic-features", {"weights": "abc"}),
    ],
)
def test_another_identity_is_another_folder(
    cache: TensorCache, row: Row, tmp_path: Path, kind: str, identity: dict[str, Any]
) -> None:
    other = TensorCache(tmp_path / "cache", kind, identity)
    assert other.folder != cache.folder
    assert other.folder.parent == cache.folder.parent
    cache.save(row, "center", torch.zeros(2))
    assert not other.has(row, "center")


def test_the_same_identity_is_the_same_folder(cache: TensorCache, row: Row, tmp_path: Path) -> None:
    cache.save(row, "center", torch.zeros(2))
    again = TensorCache(tmp_path / "cache", "semantic-features", dict(reversed(IDENTITY.items())))
    assert again.has(row, "center")
    assert not TensorCache(tmp_path / "elsewhere", "semantic-features", IDENTITY).has(row, "center")


def test_the_folder_says_what_it_holds(cache: TensorCache, row: Row) -> None:
    cache.save(row, "center", torch.zeros(2))
    assert json.loads((cache.folder / "identity.json").read_text()).items() >= IDENTITY.items()


def test_asking_writes_nothing(cache: TensorCache, row: Row) -> None:
    cache.has(row, "center")
    with pytest.raises(UsageError):
        cache.load(row, "center")
    assert not cache.folder.exists()


class Killed(BaseException):
    """Nobody can catch this one."""


@pytest.mark.parametrize("error", [Killed(), OSError(28, "No space left on device")])
def test_a_write_that_is_cut_short_leaves_no_half_file(
    cache: TensorCache, row: Row, monkeypatch: pytest.MonkeyPatch, error: BaseException
) -> None:
    write_bytes = Path.write_bytes

    def write_half(path: Path, data: bytes) -> None:
        write_bytes(path, data[:-3])
        raise error

    cache.save(row, "random 0 1", torch.ones(2))
    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_bytes", write_half)
        with pytest.raises((Killed, UsageError)):
            cache.save(row, "center", torch.zeros(2))
    assert not cache.has(row, "center")
    assert cache.load(row, "random 0 1").sum() == 2
    if isinstance(error, OSError):
        assert len(files(cache)) == 1
    cache.save(row, "center", torch.zeros(2))
    assert cache.load(row, "center").sum() == 0
    assert len(files(cache)) == 2


def test_processes_that_write_the_same_clip(cache: TensorCache, row: Row, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second process starts and ends while the first one writes."""
    written: list[Path] = []
    write_bytes = Path.write_bytes

    def write_both(path: Path, data: bytes) -> None:
        written.append(path)
        write_bytes(path, data)
        if len(written) == 1:
            cache.save(row, "center", torch.ones(2))
            assert cache.load(row, "center").sum() == 2

    cache.save(row, "random 0 1", torch.ones(2))  # the folder's own file is there
    monkeypatch.setattr(Path, "write_bytes", write_both)
    cache.save(row, "center", torch.ones(2))
    assert len(set(written)) == 2
    assert cache.load(row, "center").sum() == 2
    assert len(files(cache)) == 2


@pytest.mark.parametrize("damage", ["cut", "empty", "noise", "other", "gone"])
def test_a_damaged_file_is_named(cache: TensorCache, row: Row, damage: str) -> None:
    cache.save(row, "center", torch.randn(100))
    (file,) = files(cache)
    if damage == "cut":
        file.write_bytes(file.read_bytes()[:-9])
    elif damage == "empty":
        file.write_bytes(b"")
    elif damage == "noise":
        file.write_bytes(b"\x07" * 400)
    elif damage == "other":
        safetensors.torch.save_file({"something": torch.zeros(2)}, file)
    else:
        file.unlink()
    with pytest.raises(UsageError) as raised:
        cache.load(row, "center")
    assert str(file) in str(raised.value)
    assert len(str(raised.value).splitlines()) == 1
    cache.save(row, "center", torch.zeros(2))  # and is mended by computing it again
    assert cache.load(row, "center").sum() == 0


@pytest.mark.parametrize("obstacle", ["a file", "no permission"])
def test_a_folder_that_cannot_be_made(tmp_path: Path, row: Row, monkeypatch: pytest.MonkeyPatch, obstacle: str) -> None:
    def refuse(path: Path, *_: Any, **__: Any) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    folder = tmp_path / "taken"
    if obstacle == "a file":
        folder.write_text("not a folder")
    else:
        monkeypatch.setattr(Path, "mkdir", refuse)
    cache = TensorCache(folder, "semantic-features", IDENTITY)
    with pytest.raises(UsageError, match=r"cache\.dir=") as raised:
        cache.save(row, "center", torch.zeros(2))
    assert str(folder) in str(raised.value)
    assert len(str(raised.value).splitlines()) == 1


class TestSpace:
    @pytest.fixture(autouse=True)
    def asked(self, monkeypatch: pytest.MonkeyPatch) -> list[Path]:
        """Ten gigabytes are free everywhere; the folders that were asked about."""
        asked: list[Path] = []

        def disk_usage(path: Path) -> SimpleNamespace:
            asked.append(path)
            return SimpleNamespace(free=10 * 10**9)

        monkeypatch.setattr(shutil, "disk_usage", disk_usage)
        return asked

    def test_there_is_room(self, tmp_path: Path) -> None:
        assert require_space(tmp_path, 9 * 10**9) == 10 * 10**9

    def test_there_is_none(self, tmp_path: Path) -> None:
        with pytest.raises(UsageError) as raised:
            require_space(tmp_path, 9 * 10**9 + 1)
        message = str(raised.value)
        assert len(message.splitlines()) == 1
        for part in (str(tmp_path), "9.0 GB", "10.0 GB", "cache.dir=", "cache.dtype=", "augment.samplings"):
            assert part in message

    def test_the_disk_of_a_folder_that_does_not_exist_yet(
        self, asked: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        require_space(tmp_path / "to/be/made", 1)
        assert asked == [tmp_path]
        assert list(tmp_path.iterdir()) == []
        monkeypatch.chdir(tmp_path)
        require_space(Path("to/be/made"), 1)
        assert asked[1].resolve() == tmp_path.resolve()


class TestWeightsDigest:
    @staticmethod
    def module() -> nn.Module:
        module = nn.Sequential(nn.Linear(3, 2), nn.LayerNorm(2))
        with torch.no_grad():
            for number, parameter in enumerate(module.parameters(), start=1):
                parameter.copy_(torch.linspace(0.1, number, parameter.numel()).view_as(parameter))
        module.register_buffer("count", torch.tensor(3))
        module.register_buffer("nothing", torch.empty(0))
        return module

    @pytest.mark.parametrize("name", ["0.weight", "0.bias", "1.weight", "1.bias", "count"])
    def test_every_value_counts(self, name: str) -> None:
        for place in range(self.module().state_dict()[name].numel()):
            changed = self.module()
            values = changed.state_dict()[name].view(-1)
            bits = values.view(torch.int32 if values.dtype == torch.float32 else values.dtype)
            bits[place] += 1
            assert weights_digest(changed) != weights_digest(self.module())

    def test_names_count(self) -> None:
        plain, renamed = nn.ParameterDict({"a": torch.ones(2)}), nn.ParameterDict({"b": torch.ones(2)})
        assert weights_digest(plain) != weights_digest(renamed)
        order, other = torch.tensor([1.0, 2.0]), torch.tensor([2.0, 1.0])
        first, second = nn.ParameterDict({"a": order, "b": other}), nn.ParameterDict({"a": other, "b": order})
        assert weights_digest(first) != weights_digest(second)

    @pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.int16])
    def test_types_count(self, dtype: torch.dtype) -> None:
        modules = [nn.Module(), nn.Module()]
        for module, kind in zip(modules, (torch.uint16, dtype), strict=True):  # the same bytes
            module.register_buffer("x", torch.tensor([1, 2, 3], dtype=torch.int16).view(kind))
        assert weights_digest(modules[0]) != weights_digest(modules[1])

    def test_shapes_count(self) -> None:
        shapes = [(6,), (2, 3), (3, 2), (1, 6), (6, 1)]
        assert len({weights_digest(nn.ParameterDict({"a": torch.ones(shape)})) for shape in shapes}) == len(shapes)
        assert weights_digest(nn.ParameterDict({"a": torch.ones(())})) != weights_digest(
            nn.ParameterDict({"a": torch.ones(1)})
        )

    def test_nothing_else_counts(self) -> None:
        expected = weights_digest(self.module())
        assert weights_digest(copy.deepcopy(self.module())) == expected
        assert weights_digest(self.module().eval().requires_grad_(False)) == expected
        laid_out = self.module()
        laid_out[0].weight.data = laid_out[0].weight.data.t().contiguous().t()
        assert not laid_out[0].weight.is_contiguous()
        assert weights_digest(laid_out) == expected
        module = nn.Module()
        for name, part in reversed(list(self.module().named_children())):  # another order
            module.add_module(name, part)
        module.register_buffer("nothing", torch.empty(0))
        module.register_buffer("count", torch.tensor(3))
        assert weights_digest(module) == expected
        module.get_submodule("0")(torch.ones(3)).sum().backward()
        assert weights_digest(module) == expected
