"""Opens associations to others. Every way to fail is one LeadglassError within the time given."""

from __future__ import annotations

import asyncio
import socket
import ssl
from dataclasses import dataclass, field

from leadglass.core.errors import ErrorCode, LeadglassError
from leadglass.core.limits import CONNECT_TIMEOUT_SECONDS
from leadglass.net.connection import Connection
from leadglass.net.handler import CloseReason, ConnectionHandler
from leadglass.net.listener import handshake_detail
from leadglass.net.sockets import peer_of, prepare
from leadglass.wire.ul.association import Role
from leadglass.wire.ul.pdu import AssociateAC, AssociateRJ, AssociateRQ
from leadglass.wire.ul.timings import Timings


@dataclass(frozen=True, slots=True)
class DialOptions:
    """How to dial. `timeout` (seconds) covers names, TCP, TLS and the peer's answer to the request together."""

    ssl_context: ssl.SSLContext | None = None
    server_name: str | None = None  # expected in the certificate; the host if None
    timeout: float = CONNECT_TIMEOUT_SECONDS
    timings: Timings = field(default_factory=Timings)


async def open_association(
    host: str, port: int, request: AssociateRQ, handler: ConnectionHandler, options: DialOptions | None = None
) -> Connection:
    """Connect and negotiate. The connection is established when this returns.

    Raises DESTINATION_UNREACHABLE (no connection, no TLS, no answer, not DICOM) or NOT_AUTHORISED (rejected; the
    comment ends with result/source/reason of PS3.8 table 9-21).
    """
    options = options or DialOptions()
    try:
        async with asyncio.timeout(options.timeout):
            sock, peer = await _connect(host, port)
            return await _negotiate(sock, peer, host=host, request=request, handler=handler, options=options)
    except TimeoutError as error:
        raise _unreachable("did not answer in time") from error


async def _connect(host: str, port: int) -> tuple[socket.socket, tuple[str, int]]:
    loop = asyncio.get_running_loop()
    try:
        addresses = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise _unreachable("has a name that does not resolve") from error
    for family, kind, protocol, _, address in addresses:
        sock = socket.socket(family, kind, protocol)
        try:
            prepare(sock)
            await loop.sock_connect(sock, address)
            return sock, peer_of(address)
        except OSError:
            sock.close()
        except BaseException:
            sock.close()
            raise
    raise _unreachable("refused the connection")


async def _negotiate(
    sock: socket.socket,
    peer: tuple[str, int],
    *,
    host: str,
    request: AssociateRQ,
    handler: ConnectionHandler,
    options: DialOptions,
) -> Connection:
    loop = asyncio.get_running_loop()
    tls = options.ssl_context
    conn = Connection(Role.REQUESTOR, handler, sock, peer, tls=tls is not None, timings=options.timings)
    answer: asyncio.Future[AssociateAC | AssociateRJ] = loop.create_future()
    conn.on_answer = lambda pdu: None if answer.done() else answer.set_result(pdu)
    conn.request_when_open(request)
    try:
        await _open(conn, sock, host, options)
        over = asyncio.ensure_future(conn.wait_closed())
        await asyncio.wait((answer, over), return_when=asyncio.FIRST_COMPLETED)
        over.cancel()
    except BaseException:
        conn.drop()
        raise
    if not answer.done():
        raise _unreachable(_ENDINGS.get(conn.close_reason or CloseReason.LOST, "ended the association"))
    result = answer.result()
    if isinstance(result, AssociateRJ):
        triple = f"{result.result}/{result.source}/{result.reason}"
        raise LeadglassError(ErrorCode.NOT_AUTHORISED, f"The peer rejected the association: {triple}")
    return conn


async def _open(conn: Connection, sock: socket.socket, host: str, options: DialOptions) -> None:
    loop = asyncio.get_running_loop()
    tls = options.ssl_context
    try:
        await loop.create_connection(
            lambda: conn, sock=sock, ssl=tls, server_hostname=(options.server_name or host) if tls else None
        )
    except BaseException as error:
        sock.close()
        conn.handshake_failed(handshake_detail(error))
        if isinstance(error, ssl.SSLError | OSError | EOFError):
            raise _unreachable(f"gave no TLS connection ({conn.close_detail})") from error
        raise


_ENDINGS = {
    CloseReason.VIOLATION: "does not speak DICOM",
    CloseReason.TIMEOUT: "did not answer in time",
    CloseReason.LOST: "closed the connection",
    CloseReason.ABORTED_BY_PEER: "aborted the association",
}


def _unreachable(what: str) -> LeadglassError:
    return LeadglassError(ErrorCode.DESTINATION_UNREACHABLE, f"The peer {what}.")
