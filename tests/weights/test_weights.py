"""Weights: fetching over a bad network, reading hostile and damaged files, and accounting for every name."""

import hashlib
import http.server
import json
import logging
import os
import pickle
import runpy
import socket
import struct
import threading
import time
import zipfile
from collections import OrderedDict
from concurrent.futures import ThreadPoolExecutor
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
    PUBLISHED,
    WeightsFile,
    cache_dir,
    download,
    load_weights,
    read_about,
    read_state_dict,
    save_weights,
)
from cover.weights.download import fetch
from cover.weights.keys import CLIP_RULES, CLIP_UNUSED, COVER_RULES, COVER_UNUSED, IMAGE_TOWER, rename

CONTENT = bytes(range(256)) * 2000  # 512 kB: several reads
PAGE = b"<!DOCTYPE html><html><body>Not the file</body></html>"


def file_at(url: str, content: bytes = CONTENT) -> WeightsFile:
    digest = hashlib.sha256(content).hexdigest()
    return WeightsFile("COVER.pth", url, digest, len(content), "MIT", "COVER.pth", "weights")


# --- Fetching ---------------------------------------------------------------------------------------------------------


class Server:
    """An HTTP server on this machine, as badly behaved as a test asks."""

    def __init__(self) -> None:
        self.content = CONTENT
        self.ranges = True  # whether it can go on in the middle
        self.drop_after: list[int] = []  # of each coming answer: bytes sent before the connection breaks
        self.statuses: list[int] = []  # of each coming answer: an error instead
        self.silent_s = 0.0  # wait before answering
        self.redirect: str | None = None
        self.asked: list[str | None] = []  # Range header of each request
        server = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                server.answer(self)

            def log_message(self, *_: object) -> None: ...

        self.http = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.http.server_port}/COVER.pth"
        threading.Thread(target=self.http.serve_forever, args=(0.01,), daemon=True).start()

    def answer(self, request: http.server.BaseHTTPRequestHandler) -> None:
        wanted = request.headers.get("Range")
        self.asked.append(wanted)
        time.sleep(self.silent_s)
        if self.statuses:
            return request.send_error(self.statuses.pop(0))
        if self.redirect:
            request.send_response(302)
            request.send_header("Location", self.redirect)
            return request.end_headers()
        start = int(wanted.removeprefix("bytes=").removesuffix("-")) if wanted and self.ranges else 0
        if start and start >= len(self.content):
            return request.send_error(416)
        request.send_response(206 if start else 200)
        if start:
            request.send_header("Content-Range", f"bytes {start}-{len(self.content) - 1}/{len(self.content)}")
        request.send_header("Content-Length", str(len(self.content) - start))
        request.end_headers()
        body = self.content[start:]
        request.wfile.write(body[: self.drop_after.pop(0)] if self.drop_after else body)
        return None


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setenv("no_proxy", "*")  # a developer's proxy has no business here
    monkeypatch.setattr(download, "BACKOFF_S", 0.001)
    running = Server()
    yield running
    running.http.shutdown()
    running.http.server_close()


def test_a_file_is_downloaded_once(server, tmp_path):
    cache = tmp_path / "not" / "there yet"
    path = fetch(file_at(server.url), cache)
    assert path == cache / "COVER.pth"
    assert path.read_bytes() == CONTENT
    assert fetch(file_at(server.url), cache) == path
    assert server.asked == [None]
    assert [left.name for left in cache.iterdir() if not left.name.endswith(".lock")] == ["COVER.pth"]


def test_a_verified_file_needs_no_network_and_no_writing(tmp_path):
    (tmp_path / "COVER.pth").write_bytes(CONTENT)
    assert fetch(file_at("https://unreachable.invalid/COVER.pth"), tmp_path) == tmp_path / "COVER.pth"
    assert [left.name for left in tmp_path.iterdir()] == ["COVER.pth"]


def test_a_damaged_cached_file_is_fetched_again(server, tmp_path, caplog):
    (tmp_path / "COVER.pth").write_bytes(CONTENT[:-1] + b"x")
    assert fetch(file_at(server.url), tmp_path).read_bytes() == CONTENT
    assert "damaged" in caplog.text


def test_a_dropped_connection_is_continued(server, tmp_path):
    server.drop_after = [200_000, 100_000]
    assert fetch(file_at(server.url), tmp_path).read_bytes() == CONTENT
    assert server.asked == [None, "bytes=200000-", "bytes=300000-"]


def test_what_a_killed_process_left_is_continued(server, tmp_path):
    (tmp_path / "COVER.pth.part").write_bytes(CONTENT[:123_456])
    assert fetch(file_at(server.url), tmp_path).read_bytes() == CONTENT
    assert server.asked == ["bytes=123456-"]


def test_a_whole_part_file_is_used_as_it_is(server, tmp_path):
    (tmp_path / "COVER.pth.part").write_bytes(CONTENT)
    assert fetch(file_at(server.url), tmp_path).read_bytes() == CONTENT
    assert server.asked == [f"bytes={len(CONTENT)}-"]


@pytest.mark.parametrize("left", [b"x" * 1000, b"x" * (len(CONTENT) + 1)], ids=["of another version", "too long"])
def test_a_part_file_that_does_not_fit_is_thrown_away(server, tmp_path, left):
    (tmp_path / "COVER.pth.part").write_bytes(left)
    assert fetch(file_at(server.url), tmp_path).read_bytes() == CONTENT
    assert server.asked[-1] is None


def test_a_server_without_ranges_starts_over(server, tmp_path):
    server.ranges = False
    server.drop_after = [200_000]
    assert fetch(file_at(server.url), tmp_path).read_bytes() == CONTENT
    assert len(server.asked) == 2


def test_a_server_that_always_breaks_off_is_given_up(server, tmp_path):
    server.ranges = False
    server.drop_after = [1000] * 100
    with pytest.raises(WeightsError, match="connection closed after 1000 of 512000 bytes"):
        fetch(file_at(server.url), tmp_path)
    assert len(server.asked) == 2 + download.RETRIES


def test_a_busy_server_is_asked_again(server, tmp_path):
    server.statuses = [503, 429]
    assert fetch(file_at(server.url), tmp_path).read_bytes() == CONTENT


def test_a_silent_server_is_given_up(server, tmp_path, monkeypatch):
    monkeypatch.setattr(download, "TIMEOUT_S", 0.05)
    monkeypatch.setattr(download, "RETRIES", 1)
    server.silent_s = 1
    with pytest.raises(WeightsError, match="no answer for"):
        fetch(file_at(server.url), tmp_path)
    assert len(server.asked) == 2


@pytest.mark.parametrize(
    ("content", "got"), [(PAGE, "gave a web page"), (b"x" * 999, "gave a file with sha256 [0-9a-f]{64}")]
)
def test_another_file_than_the_published_one_is_refused_and_deleted(server, tmp_path, content, got):
    server.content = content
    file = file_at(server.url)
    with pytest.raises(WeightsError, match=f"{got}, not COVER.pth with sha256 {file.sha256}"):
        fetch(file, tmp_path)
    assert not list(tmp_path.glob("COVER*"))


def one_line_that_helps(message: str, file: WeightsFile, cache: Path) -> bool:
    parts = (file.url, str(cache / file.filename), f"{file.option}=FILE" if file.option else "")
    return "\n" not in message and "None" not in message and all(part in message for part in parts)


def test_a_missing_file_on_the_server(server, tmp_path):
    server.statuses = [404]
    file = file_at(server.url)
    with pytest.raises(WeightsError, match="HTTP 404 Not Found") as error:
        fetch(file, tmp_path)
    assert one_line_that_helps(str(error.value), file, tmp_path)
    assert len(server.asked) == 1


def test_no_server(tmp_path, monkeypatch):
    monkeypatch.setenv("no_proxy", "*")
    with socket.socket() as unused:  # bound and not listening: connecting is refused
        unused.bind(("127.0.0.1", 0))
        file = file_at(f"http://127.0.0.1:{unused.getsockname()[1]}/COVER.pth")
        with pytest.raises(WeightsError, match="refused") as error:
            fetch(file, tmp_path)
    assert one_line_that_helps(str(error.value), file, tmp_path)


@pytest.mark.parametrize("file", PUBLISHED.values(), ids=PUBLISHED)
def test_offline(file, tmp_path, monkeypatch):
    def no_names(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setenv("no_proxy", "*")
    monkeypatch.setattr(socket, "getaddrinfo", no_names)
    with pytest.raises(WeightsError, match="name resolution failed") as error:
        fetch(file, tmp_path)
    assert one_line_that_helps(str(error.value), file, tmp_path)


def test_only_https(server, tmp_path):
    with pytest.raises(WeightsError, match=r"only downloaded over https, not from http://example.com"):
        fetch(file_at("http://example.com/COVER.pth"), tmp_path)
    server.redirect = "http://example.com/COVER.pth"
    with pytest.raises(WeightsError, match=r"only downloaded over https, not from http://example.com"):
        fetch(file_at(server.url), tmp_path)


def test_two_at_once_download_once(server, tmp_path):
    server.silent_s = 0.1
    with ThreadPoolExecutor(4) as pool:
        paths = list(pool.map(lambda _: fetch(file_at(server.url), tmp_path), range(4)))
    assert {path.read_bytes() for path in paths} == {CONTENT}
    assert server.asked == [None]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs Linux's always full device")
def test_a_full_disk(server, tmp_path):
    (tmp_path / "COVER.pth.part").symlink_to("/dev/full")
    with pytest.raises(WeightsError, match=r"no room for COVER.pth .* COVER_CACHE"):
        fetch(file_at(server.url), tmp_path)
    assert not (tmp_path / "COVER.pth.part").is_symlink()


def test_a_cache_folder_that_cannot_be_written(server, tmp_path):
    tmp_path.chmod(0o500)
    if os.access(tmp_path, os.W_OK):
        pytest.skip("this user may write anywhere")
    with pytest.raises(WeightsError, match=r"Permission denied.*COVER_CACHE.*weights=FILE"):
        fetch(file_at(server.url), tmp_path)


def test_a_cache_folder_that_is_a_file(server, tmp_path):
    (tmp_path / "cache").write_text("")
    with pytest.raises(WeightsError, match=r"cannot write COVER.pth.*COVER_CACHE"):
        fetch(file_at(server.url), tmp_path / "cache")


def test_the_cache_folder_can_be_chosen(tmp_path, monkeypatch):
    monkeypatch.setenv("COVER_CACHE", str(tmp_path))
    assert cache_dir() == tmp_path
    monkeypatch.delenv("COVER_CACHE")
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    assert cache_dir() == tmp_path / "torch" / "hub" / "cover"


def test_the_table_of_published_files():
    for file in PUBLISHED.values():
        assert file.url.startswith("https://")
        assert len(bytes.fromhex(file.sha256)) == 32
        assert file.licence.startswith(("MIT", "BSD-3-Clause"))


# --- Reading ----------------------------------------------------------------------------------------------------------

TENSORS = {"a.weight": torch.arange(6.0).reshape(2, 3), "b": torch.tensor([1.5, -2.5], dtype=torch.float16)}


def same(found: dict, expected: dict) -> bool:
    return found.keys() == expected.keys() and all(
        found[name].dtype == expected[name].dtype and torch.equal(found[name], expected[name]) for name in expected
    )


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


# --- Names and loading ------------------------------------------------------------------------------------------------


def entries(shared: Path, which: str) -> dict[str, tuple[int, ...]]:
    """Name -> shape of every floating-point entry of an official file."""
    listed = json.loads((shared / "reference" / f"{which}_state_dict.json").read_text())
    return {name: tuple(shape) for name, shape, dtype in listed if dtype.startswith("float")}


def test_every_official_name_is_one_of_ours_and_every_one_of_ours_has_one(shared):
    from cover.models import COVER

    with torch.device("meta"):
        needed = {name: tuple(tensor.shape) for name, tensor in COVER().state_dict().items()}
    mapped = {}
    for which, rules, unused in (("cover", COVER_RULES, COVER_UNUSED), ("clip_visual", CLIP_RULES, CLIP_UNUSED)):
        for name, shape in entries(shared, which).items():
            if not unused.fullmatch(name):
                ours = rename(name, rules)
                assert ours not in mapped, f"{name} and another name are both {ours}"
                mapped[ours] = shape
    assert mapped == needed


def test_unused_names_are_the_known_ones(shared):
    unused = [name for name in entries(shared, "cover") if COVER_UNUSED.fullmatch(name)]
    assert unused == [f"semantic_backbone.prompt_learner.{name}" for name in ("ctx", "token_prefix", "token_suffix")]
    assert [name for name in entries(shared, "clip_visual") if CLIP_UNUSED.fullmatch(name)] == [
        "visual.positional_embedding"
    ]


class Small(nn.Module):
    """A few of the published model's names, in other sizes."""

    def __init__(self) -> None:
        super().__init__()
        self.backbones = nn.ModuleDict(
            {
                "semantic": nn.ModuleDict({"visual": nn.ModuleDict({"ln_pre": nn.LayerNorm(3)})}),
                "technical": nn.ModuleDict({"norm": nn.LayerNorm(4)}),
                "aesthetic": nn.ModuleDict({"norm": nn.LayerNorm(5)}),
            }
        )
        self.heads = nn.ModuleDict({"semantic": nn.ModuleDict({"hidden": nn.Conv3d(3, 2, 1)})})


OFFICIAL = {
    "technical_backbone.norm.weight": torch.randn(4),
    "technical_backbone.norm.bias": torch.randn(4),
    "aesthetic_backbone.norm.weight": torch.randn(5),
    "aesthetic_backbone.norm.bias": torch.randn(5),
    "semantic_head.fc_hid.weight": torch.randn(2, 3, 1, 1, 1),
    "semantic_head.fc_hid.bias": torch.randn(2),
    "semantic_backbone.prompt_learner.ctx": torch.randn(2),
    "technical_backbone.layers.0.blocks.0.attn.relative_position_index": torch.arange(3),
}
TOWER = {"visual.ln_pre.weight": torch.randn(3).half(), "visual.ln_pre.bias": torch.randn(3).half()}
TEXT = {
    "transformer.resblocks.0.ln_1.weight": torch.randn(3),
    "visual.positional_embedding": torch.randn(3),
    "logit_scale": torch.ones(()),
}


@pytest.fixture
def official(tmp_path) -> Path:
    torch.save({"state_dict": OFFICIAL}, tmp_path / "COVER.pth")
    return tmp_path / "COVER.pth"


@pytest.fixture
def tower(tmp_path) -> Path:
    torch.save(TOWER | TEXT, tmp_path / "clip.pt")
    return tmp_path / "clip.pt"


@pytest.mark.parametrize("device", ["cpu", "meta"])
def test_two_official_files_fill_a_model(official, tower, device, caplog, files_read):
    with torch.device(device):
        model = Small().requires_grad_(False)
    load_weights(model, official, tower)
    state = model.state_dict()
    assert torch.equal(state["backbones.technical.norm.weight"], OFFICIAL["technical_backbone.norm.weight"])
    assert torch.equal(state["heads.semantic.hidden.bias"], OFFICIAL["semantic_head.fc_hid.bias"])
    assert torch.equal(state["backbones.semantic.visual.ln_pre.bias"], TOWER["visual.ln_pre.bias"].float())
    assert {(tensor.dtype, tensor.device.type) for tensor in state.values()} == {(torch.float32, "cpu")}
    assert not any(parameter.requires_grad for parameter in model.parameters())
    assert files_read == [official, tower]
    assert not caplog.records  # nothing in them is news


def test_the_model_does_not_change_with_the_file(official, tower):
    model = Small()
    load_weights(model, official, tower)
    official.write_bytes(bytes(official.stat().st_size))
    assert torch.equal(model.state_dict()["backbones.technical.norm.bias"], OFFICIAL["technical_backbone.norm.bias"])


def test_extra_names_get_one_line(tmp_path, tower, caplog):
    stray = {
        "semantic_backbone.image_encoder.visual.ln_pre.weight": torch.zeros(3),
        "smtc_gate_tech.Conv_9.bias": torch.zeros(3),
    }
    torch.save({"state_dict": OFFICIAL | stray}, tmp_path / "more.pth")
    load_weights(Small(), tmp_path / "more.pth", tower)
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    assert "more.pth: 2 names in it are not used: " + ", ".join(stray) in record.getMessage()


def without(state: dict, *names: str) -> dict:
    return {name: tensor for name, tensor in state.items() if name not in names}


def test_a_missing_name_is_an_error_that_names_it_and_the_file(tmp_path, official, tower):
    lacking = without(OFFICIAL, "technical_backbone.norm.bias", "semantic_head.fc_hid.bias")
    torch.save({"state_dict": lacking}, tmp_path / "less.pth")
    model = Small()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    names = "backbones.technical.norm.bias, heads.semantic.hidden.bias$"
    with pytest.raises(WeightsError, match=f"less.pth lacks 2 of the tensors the model needs: {names}"):
        load_weights(model, tmp_path / "less.pth", tower)
    assert same(model.state_dict(), before)
    torch.save(without(TOWER, "visual.ln_pre.bias"), tmp_path / "half.pt")
    with pytest.raises(WeightsError, match=r"half.pt lacks 1 of .*: backbones.semantic.visual.ln_pre.bias$"):
        load_weights(model, official, tmp_path / "half.pt")
    assert same(model.state_dict(), before)


def test_another_shape_is_an_error(tmp_path, tower):
    torch.save(OFFICIAL | {"technical_backbone.norm.weight": torch.zeros(7)}, tmp_path / "other.pth")
    with pytest.raises(WeightsError, match=r"other.pth: technical_backbone.norm.weight is \(7,\) .* \(4,\): .*model="):
        load_weights(Small(), tmp_path / "other.pth", tower)


def test_files_given_for_each_other(official, tower):
    with pytest.raises(WeightsError, match=r"clip.pt lacks 6 .*that is clip_weights=.*: .*, \.\.\.$"):
        load_weights(Small(), tower, official)
    with pytest.raises(WeightsError, match=r"COVER.pth lacks 2 .*backbones.semantic.visual.ln_pre"):
        load_weights(Small(), official, official)


@pytest.fixture
def no_downloads(monkeypatch):
    def fetch_nothing(*_: object) -> None:
        raise AssertionError("downloads")

    monkeypatch.setattr("cover.weights.loading.fetch", fetch_nothing)


def test_a_checkpoint_of_ours_needs_no_other_file(tmp_path, no_downloads, tower, caplog, files_read):
    model, copy = Small(), Small()
    save_weights(model, tmp_path / "ours.safetensors")
    load_weights(copy, tmp_path / "ours.safetensors")
    assert same(copy.state_dict(), model.state_dict())
    assert files_read == [tmp_path / "ours.safetensors"]
    with safetensors.safe_open(tmp_path / "ours.safetensors", "pt") as content:
        assert content.metadata()["format"] == "cover"
    assert [left.name for left in tmp_path.glob("*ours*")] == ["ours.safetensors"]
    assert not caplog.records
    load_weights(copy, tmp_path / "ours.safetensors", tower)
    assert "clip.pt is not read" in caplog.text


def test_a_checkpoint_without_the_tower_takes_it_from_the_clip_file(tmp_path, tower):
    model = Small()
    state = {f"model.{name}": tensor for name, tensor in model.state_dict().items() if not name.startswith(IMAGE_TOWER)}
    torch.save({"state_dict": state, "pytorch-lightning_version": "2.6.0"}, tmp_path / "last.ckpt")
    copy = Small()
    load_weights(copy, tmp_path / "last.ckpt", tower)
    assert torch.equal(
        copy.state_dict()["heads.semantic.hidden.bias"], model.state_dict()["heads.semantic.hidden.bias"]
    )
    assert torch.equal(copy.state_dict()[f"{IMAGE_TOWER}visual.ln_pre.bias"], TOWER["visual.ln_pre.bias"].float())


def test_a_clip_file_fills_nothing_but_the_tower(tmp_path, official, caplog):
    save_weights(Small(), tmp_path / "ours.safetensors")
    (tmp_path / "plain").touch()
    assert (tmp_path / "ours.safetensors").stat().st_mode == (tmp_path / "plain").stat().st_mode  # for others to read
    model = Small()
    load_weights(model, official, tmp_path / "ours.safetensors")
    assert torch.equal(model.state_dict()["heads.semantic.hidden.bias"], OFFICIAL["semantic_head.fc_hid.bias"])
    assert "ours.safetensors: 6 names in it are not used" in caplog.text


def test_what_is_not_given_is_fetched(tmp_path, official, tower, monkeypatch, files_read):
    monkeypatch.setattr(
        "cover.weights.loading.fetch", {PUBLISHED["cover"]: official, PUBLISHED["clip_vit_l14"]: tower}.get
    )
    load_weights(Small())
    assert files_read == [official, tower]


def test_weights_that_cannot_be_saved(tmp_path):
    with pytest.raises(WeightsError, match=r"cannot write the weights to .*ours.safetensors"):
        save_weights(Small(), tmp_path / "missing" / "ours.safetensors")


@pytest.mark.full
def test_the_published_architecture_loads_at_its_size(shared, tmp_path, caplog):
    """Seeded stand-ins of both files, 1.5 GB: every tensor's values arrive under the right name."""
    from cover.models import COVER

    seeded = runpy.run_path(str(shared / "reference" / "seeded_weights.py"))
    state = {
        which: seeded["seeded_state_dict"](seeded[keys])
        for which, keys in (("cover", "COVER_KEYS"), ("clip", "CLIP_KEYS"))
    }
    torch.save({"state_dict": state["cover"]}, tmp_path / "COVER.pth")
    torch.save(state["clip"], tmp_path / "clip_visual.pt")
    with torch.device("meta"):
        model = COVER()
    load_weights(model, tmp_path / "COVER.pth", tmp_path / "clip_visual.pt")
    assert not caplog.records
    ours = model.state_dict()
    for which, rules, unused in (("cover", COVER_RULES, COVER_UNUSED), ("clip", CLIP_RULES, CLIP_UNUSED)):
        for name, tensor in state[which].items():
            assert unused.fullmatch(name) or torch.equal(ours[rename(name, rules)], tensor), name
