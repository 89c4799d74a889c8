"""Accepts connections on one address and port.

Sockets are accepted here rather than by the loop's own server, so that a peer is judged by its address before a byte
of it is looked at or a TLS handshake begins, and so that a fresh TLS context serves each new connection.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import socket
import ssl
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeAlias

from leadglass.net.connection import Connection
from leadglass.net.doorkeeper import Doorkeeper, DoorLimits
from leadglass.net.handler import ConnectionHandler, HandlerDefaults
from leadglass.net.sockets import peer_of, prepare
from leadglass.wire.ul.association import Role
from leadglass.wire.ul.pdu import AssociateRQ
from leadglass.wire.ul.timings import Timings

BACKLOG = 256
_OUT_OF_FILES = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)
_RETRY_SECONDS = 0.2  # before accepting again when the process is out of descriptors

ContextSource: TypeAlias = ssl.SSLContext | Callable[[], ssl.SSLContext] | None


class _ComeLater(HandlerDefaults):
    """Handles a device's connection when there is no room: transient, local limit exceeded (PS3.8 table 9-21)."""

    def association_requested(self, conn: Connection, request: AssociateRQ) -> None:
        """Refuse for now."""
        conn.reject(2, 3, 2)


@dataclass(frozen=True, slots=True)
class ListenOptions:
    """How to listen. `admission` says whether an address belongs to an enrolled device's networks."""

    ssl_context: ContextSource = None
    admission: Callable[[str], bool] = field(default=lambda address: False)
    door: DoorLimits = field(default_factory=DoorLimits)
    timings: Timings = field(default_factory=Timings)


class Listener:
    """One listening socket and its connections. Made by `listen`."""

    def __init__(
        self, sock: socket.socket, handler_factory: Callable[[], ConnectionHandler], options: ListenOptions
    ) -> None:
        self.host, self.port = peer_of(sock.getsockname())
        self._sock = sock
        self._factory = handler_factory
        self._options = options
        self._door: Doorkeeper[Connection] = Doorkeeper(options.door, options.admission)
        self._connections: set[Connection] = set()
        self._opening: set[asyncio.Task[None]] = set()
        self._empty = asyncio.Event()
        self._empty.set()
        self._acceptor = asyncio.get_running_loop().create_task(self._accept_forever())

    @property
    def connections(self) -> frozenset[Connection]:
        """Every connection whose transport is not closed yet."""
        return frozenset(self._connections)

    def close(self) -> None:
        """Accept nobody any more; connections go on."""
        self._acceptor.cancel()
        self._sock.close()

    async def drain(self, seconds: float) -> None:
        """Close; let what runs be answered for at most `seconds`, then abort the rest and wait until all are gone."""
        self.close()
        for conn in self.connections:
            conn.drain()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._all_over(), seconds)
        for conn in self.connections:
            conn.abort(2, 0)
            conn.drop()
        await self._empty.wait()

    # --- what connections report (Watcher) ----------------------------------------------------------------------

    def answered(self, conn: Connection, *, admitted: bool) -> None:
        """The association request was answered."""
        cut_off = self._door.answered(conn, admitted=admitted)
        if cut_off is not None:
            cut_off.drop()

    def lost(self, conn: Connection) -> None:
        """The transport is closed."""
        self._door.leave(conn)
        self._connections.discard(conn)
        if not self._connections:
            self._empty.set()

    # --- inside -------------------------------------------------------------------------------------------------

    async def _all_over(self) -> None:
        await asyncio.gather(*(conn.wait_closed() for conn in self.connections))

    async def _accept_forever(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                sock, address = await loop.sock_accept(self._sock)
            except OSError as error:
                # A peer that left while queued is nothing; without descriptors, those in use are given time to close.
                if error.errno in _OUT_OF_FILES:
                    await asyncio.sleep(_RETRY_SECONDS)
                elif self._sock.fileno() < 0:
                    return
                continue
            try:
                self._enter(sock, peer_of(address))
            except OSError:  # the peer was gone before its socket could be prepared
                sock.close()

    def _enter(self, sock: socket.socket, peer: tuple[str, int]) -> None:
        prepare(sock)
        options = self._options
        handler = self._factory()
        tls = options.ssl_context is not None
        conn = Connection(Role.ACCEPTOR, handler, sock, peer, tls=tls, timings=options.timings, watcher=self)
        entry = self._door.enter(conn, peer[0])
        if entry.evicted is not None:
            entry.evicted.drop()
        if entry.overloaded:
            conn.handle_with(_ComeLater())
        elif not entry.allowed or not handler.connected(conn):
            self._door.leave(conn)
            conn.drop()
            sock.close()
            return
        self._connections.add(conn)
        self._empty.clear()
        task = asyncio.get_running_loop().create_task(self._open(conn, sock))
        conn.opening = task
        self._opening.add(task)
        task.add_done_callback(lambda done: self._opened(done, conn, sock))

    async def _open(self, conn: Connection, sock: socket.socket) -> None:
        source = self._options.ssl_context
        context = source() if callable(source) else source
        patience = self._options.timings.artim if context is not None else None
        await asyncio.get_running_loop().connect_accepted_socket(
            lambda: conn, sock, ssl=context, ssl_handshake_timeout=patience, ssl_shutdown_timeout=patience
        )

    def _opened(self, task: asyncio.Task[None], conn: Connection, sock: socket.socket) -> None:
        """The handshake came about, or failed, or was cut off, perhaps before its task ran at all."""
        self._opening.discard(task)
        error = asyncio.CancelledError() if task.cancelled() else task.exception()
        if error is not None:
            sock.close()
            conn.handshake_failed(handshake_detail(error))


def handshake_detail(error: BaseException) -> str:
    """Why a handshake failed, as OpenSSL's reason name; never bytes of the peer."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return "certificate: " + error.verify_message
    if isinstance(error, ssl.SSLError):
        return (error.reason or "tls error").lower().replace("_", " ")
    return "time-out" if isinstance(error, TimeoutError) else "connection lost"


async def listen(
    host: str, port: int, handler_factory: Callable[[], ConnectionHandler], options: ListenOptions | None = None
) -> Listener:
    """Listen on one address (port 0: any free one) and have each connection handled by a new handler.

    Raises OSError if the address cannot be had.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        sock.setblocking(False)
        sock.bind((host, port))
        sock.listen(BACKLOG)
    except OSError:
        sock.close()
        raise
    return Listener(sock, handler_factory, options or ListenOptions())
