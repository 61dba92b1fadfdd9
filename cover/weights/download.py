"""Fetching published files into a cache folder.

A file is used only if its sha256 is the published one. It is hashed at every use rather than trusted from a note beside
it: that takes about a second a gigabyte, and notices a damaged disk and a wrong file put there by hand.

Why not :func:`torch.hub.download_url_to_file`: it neither resumes nor times out, and it checks a prefix of the hash.
"""

import http.client
import logging
import socket
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http import HTTPStatus
from pathlib import Path
from typing import IO
from urllib.parse import urlsplit

from filelock import FileLock, Timeout
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

from cover.errors import WeightsError, is_full_disk
from cover.weights.published import CHUNK, MIRROR, PUBLISHED, WeightsFile, cache_dir, mirrored, sha256_of
from cover.weights.reading import is_web_page

log = logging.getLogger(__name__)

TIMEOUT_S = 30.0  # to connect, and then for every read
RETRIES = 4  # further attempts in a row that bring nothing new before we give up
BACKOFF_S = 1.0  # pause before the first retry; doubles with each further one


def fetch(file: WeightsFile, cache: Path | None = None) -> Path:
    """Locate a published file whose checksum is right, downloading it first if need be.

    ``$COVER_WEIGHTS_URL`` names a mirror, whose files must have the published checksums.

    A download goes to ``<filename>.part`` beside its final place and is renamed once its checksum is right, so no
    process ever sees half a file. What an interrupted download left is continued. Processes that want the same file at
    the same time take turns, and those that waited use what the first one fetched.

    Args:
        file: What to fetch.
        cache: Folder to keep it in; :func:`cache_dir` unless given.

    Returns:
        The verified file in the cache folder.

    Raises:
        WeightsError: It cannot be downloaded or written, or is not what was published. The message says where to get
            the file, where to put it and which option takes it instead.
    """
    file = mirrored(file)
    target = (cache or cache_dir()) / file.filename
    part = target.with_name(f"{target.name}.part")
    try:
        if _verified(target, file):
            return target
        target.parent.mkdir(parents=True, exist_ok=True)
        with _turn(target.with_name(f".{target.name}.lock"), file):
            if _verified(target, file):  # fetched by another process while this one waited
                return target
            if target.is_file():
                log.warning("%s is damaged or another version (wrong sha256): fetching it again", target)
            _download(file, part, target)
            part.replace(target)
    except OSError as error:  # the disk's: those of the connection do not come this far
        if is_full_disk(error):
            part.unlink(missing_ok=True)  # a full disk is everybody's trouble: give the room back
            raise WeightsError(
                f"no room for {file.name} ({file.bytes / 1e6:.0f} MB) in {target.parent}: "
                "free some, or set COVER_CACHE to a folder on another disk"
            ) from error
        raise WeightsError(
            f"cannot write {file.name} to {target} ({error.strerror or error}): "
            f"set COVER_CACHE to a folder that can be written{_or_pass(file)}"
        ) from error
    return target


def cached(file: WeightsFile, cache: Path | None = None) -> Path | None:
    """Locate a published file that was downloaded before; None if it is not there or its checksum is wrong.

    Args:
        file: The file.
        cache: Folder to look in; :func:`cache_dir` unless given.
    """
    target = (cache or cache_dir()) / file.filename
    try:
        return target if _verified(target, file) else None
    except OSError:
        return None


def _verified(path: Path, file: WeightsFile) -> bool:
    return path.is_file() and sha256_of(path) == file.sha256


@contextmanager
def _turn(lock_file: Path, file: WeightsFile) -> Iterator[None]:
    """Hold a lock between processes; the operating system frees it even if its holder is killed."""
    lock = FileLock(lock_file)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        log.info("waiting for another process that is downloading %s", file.name)
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


class _TransferError(Exception):
    """The connection failed, or the answer was not what we asked for.

    Args:
        reason: Why, in a few words.
        passing: Whether asking again in a while may help even if nothing has come through so far.
    """

    def __init__(self, reason: str, passing: bool) -> None:
        super().__init__(reason)
        self.passing = passing


def _download(file: WeightsFile, part: Path, target: Path) -> None:
    """Fill ``part`` with the file, continuing what is there, until its checksum is the published one."""
    log.info("downloading %s (%.0f MB, licence: %s) from %s", file.name, file.bytes / 1e6, file.licence, file.url)
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    with Progress(*columns, TimeRemainingColumn(), console=console, disable=not console.is_terminal) as bar:
        task = bar.add_task(file.name, total=file.bytes)

        def show(done: int, total: int) -> None:
            bar.update(task, completed=done, total=total)

        for started_over in (False, True):
            in_pieces = _receive_all(file, part, target, show)
            actual = sha256_of(part)
            if actual == file.sha256:
                return
            with part.open("rb") as content:
                got = "a web page" if is_web_page(content.read(64)) else f"a file with sha256 {actual}"
            part.unlink()
            if not in_pieces or started_over:
                break
            # Pieces may be of two versions of the file; only what came in one piece is surely the server's answer.
            log.info("the pieces of %s do not make the published file: starting over", file.name)
    raise WeightsError(f"{file.url} gave {got}, not {file.name} with sha256 {file.sha256}: {_by_hand(file, target)}")


def _receive_all(file: WeightsFile, part: Path, target: Path, show: Callable[[int, int], None]) -> bool:
    """Ask until the server has sent all it has; returns whether ``part`` is made of several answers."""
    at_start = furthest = _size(part)
    failures = 0
    while True:
        try:
            return _receive(file, part, show)
        except _TransferError as error:
            # Progress is counted from the furthest point ever reached, so a server that starts over each time and
            # breaks off each time cannot keep us here for ever.
            failures = 0 if _size(part) > furthest else failures + 1
            furthest = max(furthest, _size(part))
            if failures > RETRIES or not (error.passing or furthest > at_start):
                raise WeightsError(f"cannot download {file.name} ({error}): {_by_hand(file, target)}") from error
            pause = BACKOFF_S * 2 ** max(failures - 1, 0)
            log.info("download of %s stopped (%s): going on in %.0f s", file.name, error, pause)
            time.sleep(pause)


def _receive(file: WeightsFile, part: Path, show: Callable[[int, int], None]) -> bool:
    """Make one request for what ``part`` lacks; returns whether this answer was appended to an earlier one."""
    offset = _size(part)
    response = _ask(file, offset)
    if response is None:
        return True  # the checksum decides whether what we have is all there should be
    with response:
        if response.status != HTTPStatus.PARTIAL_CONTENT:
            offset = 0  # this server does not do ranges and sends everything
        elif not response.headers.get("Content-Range", "").startswith(f"bytes {offset}-"):
            raise _TransferError(f"the server sent another range than bytes {offset}-", passing=False)
        total = file.bytes if response.length is None else offset + response.length
        done = offset
        with part.open("ab" if offset else "wb") as output:
            while chunk := _read(response):
                output.write(chunk)
                done += len(chunk)
                show(done, total)
    if done < total:
        raise _TransferError(f"connection closed after {done} of {total} bytes", passing=True)
    return offset > 0


def _ask(file: WeightsFile, offset: int) -> http.client.HTTPResponse | None:
    """Ask the server for the file from byte ``offset`` on; None if it has nothing from there on."""
    _require_https(file.url)
    headers = {"Range": f"bytes={offset}-"} if offset else {}
    request = urllib.request.Request(file.url, headers=headers)  # noqa: S310 - https, see above
    try:
        response: http.client.HTTPResponse = urllib.request.build_opener(_HttpsRedirects).open(
            request, timeout=TIMEOUT_S
        )
    except urllib.error.HTTPError as error:
        if error.code == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE and offset:
            return None
        passing = error.code in (HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_MANY_REQUESTS) or error.code >= 500
        raise _TransferError(f"HTTP {error.code} {error.reason}", passing) from error
    except urllib.error.URLError as error:  # no connection: most likely we are offline, so say so at once
        raise _TransferError(_reason(error.reason), passing=False) from error
    except (OSError, http.client.HTTPException) as error:
        raise _TransferError(_reason(error), passing=True) from error
    return response


def _read(response: http.client.HTTPResponse) -> bytes:
    """Take what has arrived, at most ``CHUNK`` bytes; read1 so that nothing is lost when the connection breaks."""
    try:
        return response.read1(CHUNK)
    except (OSError, http.client.HTTPException) as error:
        raise _TransferError(_reason(error), passing=True) from error


def _reason(error: object) -> str:
    """Say what went wrong with a connection in a few words."""
    if isinstance(error, socket.gaierror):
        return "name resolution failed"
    if isinstance(error, TimeoutError):
        return f"no answer for {TIMEOUT_S:.0f} s"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return str(error) or type(error).__name__


class _HttpsRedirects(urllib.request.HTTPRedirectHandler):
    """Follows redirects, but not to where the content would travel in the clear."""

    def redirect_request(
        self,
        req: urllib.request.Request,
        fp: IO[bytes],
        code: int,
        msg: str,
        headers: http.client.HTTPMessage,
        newurl: str,
    ) -> urllib.request.Request | None:
        _require_https(newurl)
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _require_https(url: str) -> None:
    parts = urlsplit(url)
    if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in ("127.0.0.1", "::1", "localhost")):
        raise WeightsError(f"weights are only downloaded over https, not from {url}")


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _by_hand(file: WeightsFile, target: Path) -> str:
    by_hand = f"download {file.url} to {target}{_or_pass(file)}, or set {MIRROR} to the address of a mirror"
    if file.option is None:
        return by_hand
    others = [PUBLISHED[key] for key in ("cover", "clip_vit_l14") if PUBLISHED[key].option != file.option]
    also = " and ".join(f"{other.filename} ({other.bytes / 1e6:.0f} MB) from {mirrored(other).url}" for other in others)
    return (
        f"{by_hand}, in Python load_model(FILE, clip_weights=FILE). model=cover needs {also}, too. "
        "The model cover_lite comes with the package and needs no download"
    )


def _or_pass(file: WeightsFile) -> str:
    return f", or pass {file.option}=FILE" if file.option else ""
