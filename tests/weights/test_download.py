"""Fetching weights over a bad network."""

import hashlib
import http.server
import os
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from cover.errors import WeightsError
from cover.weights import (
    PUBLISHED,
    WeightsFile,
    cache_dir,
    download,
)
from cover.weights.download import fetch

CONTENT = bytes(range(256)) * 2000  # 512 kB: several reads
PAGE = b"<!DOCTYPE html><html><body>Not the file</body></html>"


def file_at(url: str, content: bytes = CONTENT) -> WeightsFile:
    digest = hashlib.sha256(content).hexdigest()
    return WeightsFile("COVER.pth", url, digest, len(content), "MIT", "COVER.pth", "weights")


def test_a_mirror_is_asked_in_place_of_the_published_address(
    server: "Server", tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COVER_WEIGHTS_URL", server.url.rpartition("/")[0] + "/")
    path = fetch(file_at("https://nowhere.invalid/COVER.pth"), tmp_path)
    assert path.read_bytes() == CONTENT
    server.content = PAGE
    with pytest.raises(WeightsError, match=r"127\.0\.0\.1.* gave a web page, not COVER\.pth"):
        fetch(file_at("https://nowhere.invalid/COVER.pth"), tmp_path / "other")


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
