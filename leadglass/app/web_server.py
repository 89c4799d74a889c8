"""One HTTP server of a web process: Granian on one listener, with what it shows.

Granian reads the private key from a file: it lies in memory, for the owner alone, until it was read. That is so before
its socket listens, and a socket of ours that listens is how its start is known: on a shared port another process, or
the server that this one relieves, would answer too.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import ssl
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from granian.constants import HTTPModes, Interfaces, SSLProtocols
from granian.http import HTTP1Settings, HTTP2Settings
from granian.server.embed import Server

from leadglass.app.certificates import Shown
from leadglass.app.web_config import WebListener
from leadglass.core.errors import ErrorCode, LeadglassError
from leadglass.web.app import WebDoor

BACKLOG = 1024
BACKPRESSURE = 256  # requests at work per process; more wait in the socket
HEADER_MILLISECONDS = 10_000  # a request's head must have come by then (E4)
MAX_HEADER_BYTES = 64 * 1024  # HTTP/2
READ_BUFFER = 400 * 1024  # HTTP/1: a body comes in pieces of up to this; a head has no more either
MAX_STREAMS = 64  # per HTTP/2 connection
START_SECONDS = 10.0
STOP_SECONDS = 30.0
SOCKET_MODE = 0o660  # of a Unix socket: its owner, and the group of its folder where that is setgid


class WebServer:
    """A server at work. `begin` starts one."""

    def __init__(self, server: Server, item: WebListener) -> None:
        self._server = server
        self._item = item
        self._sockets: frozenset[tuple[int, int]] = frozenset()  # that it listens on: descriptors and their inodes
        self._file = 0  # inode of the Unix socket's file
        self._task = asyncio.get_running_loop().create_task(server.serve())

    @classmethod
    async def begin(cls, item: WebListener, door: WebDoor, shown: Shown | None) -> WebServer:
        """Listen as `item` says, in TLS with what is `shown`. UNAVAILABLE if that cannot be done."""
        before = _listening(item)
        with _secrets(shown) as secrets:
            try:
                server = Server(door, **_settings(), **_address(item), **secrets)
            except ssl.SSLError:
                raise _cannot(item) from None
            if item.unix:
                _clear(item)
                server.uds_permissions = SOCKET_MODE
            begun = cls(server, item)
            await begun._until_it_listens(item, before)
        return begun

    @property
    def fault(self) -> str:
        """Why nobody reaches it any more, as it stands in a sentence; empty while it works."""
        if self._task.done():
            return "its HTTP server has ended"
        if not any(_listens_on(descriptor)[0] == inode for descriptor, inode in self._sockets):
            return "its socket does not listen any more"
        if self._item.unix and _inode(self._item.unix) != self._file:
            return "its socket was removed"
        return ""

    async def stop(self) -> None:
        """Accept nobody any more; requests at work are answered first."""
        self._server.stop()  # type: ignore[no-untyped-call]  # Granian's own
        await asyncio.wait({self._task}, timeout=STOP_SECONDS)
        if self._task.done() and not self._task.cancelled():
            self._task.exception()  # one that had ended by itself: that was told when it was seen

    async def _until_it_listens(self, item: WebListener, before: frozenset[tuple[int, int]]) -> None:
        deadline = asyncio.get_running_loop().time() + START_SECONDS
        while asyncio.get_running_loop().time() < deadline and not self._task.done():
            self._sockets = _listening(item) - before
            if self._sockets:
                self._file = _inode(item.unix) if item.unix else 0
                return
            await asyncio.sleep(0.01)
        await self.stop()
        raise _cannot(item)


def _cannot(item: WebListener) -> LeadglassError:
    return LeadglassError(ErrorCode.UNAVAILABLE, f"The web listener {item.label} cannot listen.")


def _clear(item: WebListener) -> None:
    """Remove the socket that an earlier server left; never anything else."""
    path = Path(item.unix)
    try:
        if not stat.S_ISSOCK(path.lstat().st_mode):
            raise _cannot(item)
        path.unlink()
    except FileNotFoundError:
        return


def _settings() -> dict[str, Any]:
    return {
        "interface": Interfaces.ASGINL,
        "http": HTTPModes.auto,
        "websockets": False,
        "log_enabled": False,
        "backlog": BACKLOG,
        "backpressure": BACKPRESSURE,
        "http1_settings": HTTP1Settings(header_read_timeout=HEADER_MILLISECONDS, max_buffer_size=READ_BUFFER),
        "http2_settings": HTTP2Settings(max_concurrent_streams=MAX_STREAMS, max_headers_size=MAX_HEADER_BYTES),
    }


def _address(item: WebListener) -> dict[str, Any]:
    return {"uds": Path(item.unix)} if item.unix else {"address": item.host, "port": item.port}


@contextlib.contextmanager
def _secrets(shown: Shown | None) -> Iterator[dict[str, Any]]:
    """Granian's options for TLS. The files it reads are gone when this ends."""
    if shown is None:
        yield {}
        return
    with tempfile.TemporaryDirectory(prefix="leadglass-web-", dir=_memory()) as folder:
        chain, key, clients = (Path(folder, name) for name in ("chain.pem", "key.pem", "clients.pem"))
        chain.write_bytes(shown.chain)
        key.write_bytes(shown.key)
        clients.write_bytes(shown.client_ca)
        yield {
            "ssl_cert": chain,
            "ssl_key": key,
            "ssl_protocol_min": SSLProtocols.tls12,
            "ssl_ca": clients if shown.client_ca else None,
            "ssl_client_verify": bool(shown.client_ca),
        }


def _memory() -> str | None:
    """A file system in memory, where there is one: a key that never reaches a disk need not be wiped from it."""
    return "/dev/shm" if Path("/dev/shm").is_dir() else None  # noqa: S108  # a private folder is made in it


def _listening(item: WebListener) -> frozenset[tuple[int, int]]:
    """The sockets of this process that listen on the address of `item`: descriptors and their inodes."""
    wanted = str(Path(item.unix).resolve()) if item.unix else (item.host, item.port)
    found = ((descriptor, *_listens_on(descriptor)) for descriptor in _descriptors())
    return frozenset((descriptor, inode) for descriptor, inode, name in found if name == wanted)


def _descriptors() -> list[int]:
    return [int(name) for name in os.listdir("/proc/self/fd")]  # noqa: PTH208  # names, not paths


def _listens_on(descriptor: int) -> tuple[int, object]:
    """Inode and name of a socket that listens; no name of anything else."""
    try:
        seen = os.fstat(descriptor)
        if not stat.S_ISSOCK(seen.st_mode):
            return 0, None
        with socket.socket(fileno=os.dup(descriptor)) as found:
            if not found.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
                return 0, None
            name = found.getsockname()
    except OSError:  # closed meanwhile
        return 0, None
    return seen.st_ino, name[:2] if isinstance(name, tuple) else name


def _inode(path: str) -> int:
    """Of the file there; 0 if there is none."""
    try:
        return Path(path).lstat().st_ino
    except OSError:
        return 0
