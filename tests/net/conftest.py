"""A small laboratory on loopback: listeners with a recording handler, and raw peers that may misbehave."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import struct
from collections.abc import AsyncIterator, Callable
from dataclasses import replace

import pytest

from leadglass.net.connection import Connection
from leadglass.net.handler import CloseReason, HandlerDefaults
from leadglass.net.listener import Listener, ListenOptions, listen
from leadglass.wire.dimse.commands import Command, CommandField, c_echo_rsp, c_store_rq, c_store_rsp, encode_command
from leadglass.wire.dimse.messages import message_pdus
from leadglass.wire.ul.codec import decode, encode
from leadglass.wire.ul.pdu import (
    AssociateAC,
    AssociateRQ,
    ContextResult,
    Pdu,
    ProposedContext,
    UserInformation,
)

CT, IMPLICIT = "1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.1.2"
REQUEST = AssociateRQ(
    "ARCHIVE",
    "CALLER",
    (ProposedContext(1, CT, (IMPLICIT,)), ProposedContext(3, "1.2.840.10008.1.1", (IMPLICIT,))),
    UserInformation(16384, "1.2.3"),
)
PATIENCE = 20.0  # seconds after which a test fails rather than hangs; nothing is measured


def accept_all(request: AssociateRQ, max_pdu: int = 16384) -> AssociateAC:
    results = tuple(ContextResult(c.id, 0, c.transfer_syntaxes[0]) for c in request.contexts)
    return AssociateAC(request.called_ae, request.calling_ae, results, UserInformation(max_pdu, "1.2.3"))


class Recorder(HandlerDefaults):
    """Accepts everybody, answers echo and store, and remembers."""

    def __init__(self, max_pdu: int = 16384) -> None:
        loop = asyncio.get_running_loop()
        self.conn: Connection | None = None
        self.max_pdu = max_pdu
        self.data = bytearray()
        self.stored: list[bytes] = []
        self.command: Command | None = None
        self.first_data: asyncio.Future[None] = loop.create_future()
        self.ended: asyncio.Future[CloseReason] = loop.create_future()
        self.after_end: list[str] = []
        self.hold_answers = False

    def connected(self, conn: Connection) -> bool:
        self.conn = conn
        return True

    def association_requested(self, conn: Connection, request: AssociateRQ) -> None:
        conn.accept(accept_all(request, self.max_pdu))

    def command_received(self, conn: Connection, context_id: int, command: Command) -> None:
        self._check("command")
        self.command = command
        if command.field is CommandField.C_ECHO_RQ:
            conn.send_message(context_id, c_echo_rsp(command, 0))

    def data_received(self, conn: Connection, context_id: int, data: memoryview, last: bool) -> None:
        self._check("data")
        if not self.first_data.done():
            self.first_data.set_result(None)
        self.data += data
        if last:
            self.stored.append(bytes(self.data))
            self.data.clear()
            if not self.hold_answers:
                self.answer(conn, context_id)

    def answer(self, conn: Connection, context_id: int = 1) -> None:
        assert self.command is not None
        conn.send_message(context_id, c_store_rsp(self.command, 0))

    def closed(self, conn: Connection, reason: CloseReason) -> None:
        self._check("closed")
        self.ended.set_result(reason)

    async def end(self) -> tuple[CloseReason, str]:
        reason = await asyncio.wait_for(asyncio.shield(self.ended), PATIENCE)
        assert self.conn is not None
        return reason, self.conn.close_detail

    def _check(self, what: str) -> None:
        if self.ended.done():
            self.after_end.append(what)


class Peer:
    """A raw peer: sends whatever a test likes."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    async def send(self, raw: bytes) -> None:
        self.writer.write(raw)
        await self.writer.drain()

    async def read_pdu(self) -> Pdu:
        header = await asyncio.wait_for(self.reader.readexactly(6), PATIENCE)
        pdu_type, length = struct.unpack(">BxI", header)
        return decode(pdu_type, memoryview(await asyncio.wait_for(self.reader.readexactly(length), PATIENCE)))

    async def associate(self, request: AssociateRQ = REQUEST) -> Pdu:
        await self.send(encode(request))
        return await self.read_pdu()

    async def read_message(self) -> bytes:
        """The body of one P-DATA-TF."""
        header = await asyncio.wait_for(self.reader.readexactly(6), PATIENCE)
        assert header[0] == 4
        return await asyncio.wait_for(self.reader.readexactly(struct.unpack(">BxI", header)[1]), PATIENCE)

    async def rest(self) -> bytes:
        """Everything until the other side closes."""
        with contextlib.suppress(ConnectionError, ssl.SSLError):
            return await asyncio.wait_for(self.reader.read(), PATIENCE)
        return b""

    def close(self) -> None:
        self.writer.close()

    def reset(self) -> None:
        sock = self.writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()


def store_pdus(data: bytes, max_pdu: int = 16384) -> bytes:
    command = encode_command(c_store_rq(1, CT, "1.2.3.4"))
    return b"".join(message_pdus(1, command, (data,), max_pdu))


class Lab:
    """What a test asks for; cleans up after itself."""

    REQUEST, PATIENCE, CT = REQUEST, PATIENCE, CT
    Recorder, Peer = Recorder, Peer
    accept_all, store_pdus = staticmethod(accept_all), staticmethod(store_pdus)

    def __init__(self) -> None:
        self.handlers: list[Recorder] = []
        self.arrivals: asyncio.Queue[Recorder] = asyncio.Queue()
        self._listeners: list[Listener] = []
        self._peers: list[Peer] = []

    async def listen(self, make: Callable[[], Recorder] = Recorder, **options: object) -> Listener:
        def factory() -> Recorder:
            handler = make()
            self.handlers.append(handler)
            self.arrivals.put_nowait(handler)
            return handler

        chosen = replace(ListenOptions(), **options)  # type: ignore[arg-type]
        listener = await listen("127.0.0.1", 0, factory, chosen)
        self._listeners.append(listener)
        return listener

    async def peer(self, listener: Listener, tls: ssl.SSLContext | None = None, source: str = "127.0.0.1") -> Peer:
        reader, writer = await asyncio.open_connection(
            "127.0.0.1",
            listener.port,
            ssl=tls,
            server_hostname="localhost" if tls else None,
            local_addr=(source, 0),
        )
        peer = Peer(reader, writer)
        self._peers.append(peer)
        return peer

    async def next_handler(self) -> Recorder:
        return await asyncio.wait_for(self.arrivals.get(), PATIENCE)

    async def echo_works(self, listener: Listener, source: str = "127.0.0.1") -> None:
        """Another peer is served: a whole association with one store."""
        peer = await self.peer(listener, source=source)
        assert isinstance(await peer.associate(), AssociateAC)
        await peer.send(store_pdus(b"other"))
        await peer.read_message()
        peer.close()

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(PATIENCE):
            while not condition():
                await asyncio.sleep(0.005)

    async def close(self) -> None:
        for peer in self._peers:
            peer.writer.transport.abort()
        for listener in self._listeners:
            await asyncio.wait_for(listener.drain(0), PATIENCE)
        assert [h.after_end for h in self.handlers if h.after_end] == []  # nothing is told after `closed`


@pytest.fixture
async def lab() -> AsyncIterator[Lab]:
    laboratory = Lab()
    yield laboratory
    await laboratory.close()
