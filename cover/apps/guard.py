"""A guard before the web app: names that it may be reached by, and the sum of uploads."""

import ipaddress
import platform
import stat
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse

from cover.text import visible

_Message = dict[str, Any]
_Application = Callable[[_Message, Callable[[], Awaitable[_Message]], Callable[[_Message], Awaitable[None]]], Any]

EVERY_HOST = "*"
"""In place of the names: all of them."""


class Guard:
    """ASGI middleware that answers requests which the app must not see.

    A page of somebody else's can point a name of its own at this machine (DNS rebinding); the browser then lets it read
    what the app answers. Such requests have that name in ``Host``. An address in numbers cannot be rebound.

    Args:
        app: The application.
        hosts: Names that the app may be reached by, beside ``localhost``, this machine's own name and addresses in
            numbers; ``*`` allows all.
        uploads: The folder that uploads go to.
        most: The largest sum of all files there, bytes.
    """

    def __init__(self, app: _Application, hosts: Sequence[str], uploads: Path, most: int) -> None:
        self._app = app
        self._hosts = {"localhost", platform.node().lower(), *(host.lower() for host in hosts)}
        self._uploads = uploads
        self._most = most
        self._coming = 0  # bytes that requests have announced

    async def __call__(self, scope: _Message, receive: Any, send: Any) -> None:
        """Pass a request on, or answer it."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        host = _name(headers.get("host", ""))
        if not self._is_allowed(host):
            message = f"{visible(host)} is not a name of this app; start it with hosts={visible(host)} to allow it.\n"
            await PlainTextResponse(message, 400)(scope, receive, send)
            return
        origin = headers.get("origin", "")
        if origin and scope.get("method") == "POST" and not self._is_allowed(_origin_name(origin)):
            await PlainTextResponse("A page elsewhere may not send anything here.\n", 403)(scope, receive, send)
            return
        if (
            scope["type"] != "http"
            or scope.get("method") != "POST"
            or not scope["path"].rstrip("/").endswith("/upload")
        ):
            await self._app(scope, receive, send)
            return
        length = headers.get("content-length", "")
        if not length.isdecimal():
            await PlainTextResponse("An upload must say how long it is.\n", 411)(scope, receive, send)
            return
        size = int(length)
        if _size(self._uploads) + self._coming + size > self._most:
            message = "Too many uploads wait here; try again in an hour, when the old ones are removed.\n"
            await PlainTextResponse(message, 413)(scope, receive, send)
            return
        self._coming += size
        try:
            await self._app(scope, receive, send)
        finally:
            self._coming -= size

    def _is_allowed(self, host: str) -> bool:
        if EVERY_HOST in self._hosts or host.lower() in self._hosts:
            return True
        try:
            ipaddress.ip_address(host)
        except ValueError:
            return False
        return True


def _name(host: str) -> str:
    """The name in ``Host``, without its port and the brackets of IPv6."""
    return host[1:].partition("]")[0] if host.startswith("[") else host.partition(":")[0]


def _origin_name(origin: str) -> str:
    try:
        return urlsplit(origin).hostname or ""
    except ValueError:
        return ""


def _size(folder: Path) -> int:
    """Bytes of all files below a folder; what is removed meanwhile does not count."""
    total = 0
    for path in folder.rglob("*"):
        try:
            status = path.lstat()
        except OSError:
            continue
        total += status.st_size if stat.S_ISREG(status.st_mode) else 0
    return total
