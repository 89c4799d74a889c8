"""A connection moves messages faithfully, on both event loops, and holds each side to its pace."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
import uvloop

from leadglass.core.errors import ErrorCode, LeadglassError
from leadglass.net.connection import WRITE_HIGH_WATER, Connection
from leadglass.net.dialer import DialOptions, open_association
from leadglass.net.handler import CloseReason, HandlerDefaults
from leadglass.wire.dimse.commands import Command, c_echo_rq, c_store_rq
from leadglass.wire.ul.codec import encode
from leadglass.wire.ul.pdu import Abort, ReleaseRP, ReleaseRQ
from leadglass.wire.ul.timings import Timings


@pytest.fixture(params=[asyncio.DefaultEventLoopPolicy, uvloop.EventLoopPolicy], ids=["asyncio", "uvloop"])
def event_loop_policy(request: pytest.FixtureRequest) -> asyncio.AbstractEventLoopPolicy:
    return request.param()


class Caller(HandlerDefaults):
    """The other end: remembers answers."""

    def __init__(self) -> None:
        self.answers: asyncio.Queue[Command] = asyncio.Queue()
        self.reason: CloseReason | None = None

    def command_received(self, conn: Connection, context_id: int, command: Command) -> None:
        self.answers.put_nowait(command)

    def closed(self, conn: Connection, reason: CloseReason) -> None:
        self.reason = reason


async def chunks_of(data: bytes, size: int) -> AsyncIterator[bytes]:
    for start in range(0, len(data), size):
        yield data[start : start + size]


async def dial(lab: Any, port: int, caller: HandlerDefaults, **options: Any) -> Connection:
    return await open_association("127.0.0.1", port, lab.REQUEST, caller, DialOptions(**options))


@pytest.mark.parametrize("max_pdu", [128, 16384, 262144])
async def test_messages_arrive_as_they_were_sent(lab: Any, max_pdu: int) -> None:
    listener = await lab.listen(lambda: lab.Recorder(max_pdu))
    caller = Caller()
    conn = await dial(lab, listener.port, caller)
    data = bytes(range(256)) * (8 if max_pdu == 128 else 8000)
    conn.send_message(1, c_store_rq(1, lab.CT, "1.2.3.4"), data)
    await asyncio.wait_for(caller.answers.get(), lab.PATIENCE)
    await conn.send_stream(1, c_store_rq(2, lab.CT, "1.2.3.4"), chunks_of(data, 7777))
    await asyncio.wait_for(caller.answers.get(), lab.PATIENCE)
    await conn.send_stream(1, c_store_rq(3, lab.CT, "1.2.3.4"), chunks_of(b"", 1))
    assert (await asyncio.wait_for(caller.answers.get(), lab.PATIENCE)).message_id_responded_to == 3
    conn.send_message(3, c_echo_rq(4))
    assert (await asyncio.wait_for(caller.answers.get(), lab.PATIENCE)).status == 0
    assert lab.handlers[0].stored == [data, data, b""]
    await conn.release()
    assert (conn.close_reason, caller.reason) == (CloseReason.RELEASED, CloseReason.RELEASED)
    assert (await lab.handlers[0].end())[0] is CloseReason.RELEASED


async def test_what_a_handler_may_know(lab: Any) -> None:
    listener = await lab.listen()
    conn = await dial(lab, listener.port, Caller())
    accepted = lab.handlers[0].conn
    assert (accepted.peer_address, accepted.tls, accepted.peer_certificate) == ("127.0.0.1", False, None)
    assert accepted.request == lab.REQUEST
    assert set(accepted.accepted) == {1, 3}
    assert (conn.max_send_pdu, accepted.max_send_pdu) == (16384, 16384)
    conn.abort()
    assert (await lab.handlers[0].end())[0] is CloseReason.ABORTED_BY_PEER


async def test_a_broken_source_aborts_rather_than_ends_the_message(lab: Any) -> None:
    listener = await lab.listen()

    async def breaks() -> AsyncIterator[bytes]:
        yield bytes(WRITE_HIGH_WATER)
        raise LeadglassError(ErrorCode.DAMAGED, "It does not authenticate.")

    conn = await dial(lab, listener.port, Caller())
    with pytest.raises(LeadglassError):
        await conn.send_stream(1, c_store_rq(1, lab.CT, "1.2"), breaks())
    assert (await lab.handlers[0].end())[0] is CloseReason.ABORTED_BY_PEER
    assert lab.handlers[0].stored == []


async def test_a_message_sent_amid_another_waits_for_its_end(lab: Any) -> None:
    """Fragments of two messages are never mixed on one association (PS3.8 annex E)."""
    listener = await lab.listen()
    caller = Caller()
    conn = await dial(lab, listener.port, caller)
    data = bytes(range(250)) * (WRITE_HIGH_WATER // 200)

    async def interrupted() -> AsyncIterator[bytes]:
        yield data[:WRITE_HIGH_WATER]
        assert conn.sending
        conn.send_message(3, c_echo_rq(2))
        yield data[WRITE_HIGH_WATER:]

    assert not conn.sending
    await conn.send_stream(1, c_store_rq(1, lab.CT, "1.2"), interrupted())
    assert not conn.sending
    answered = {(await asyncio.wait_for(caller.answers.get(), lab.PATIENCE)).message_id_responded_to for _ in range(2)}
    assert answered == {1, 2}
    assert lab.handlers[0].stored == [data]


async def test_a_source_that_fails_before_anything_was_sent_leaves_the_association_usable(lab: Any) -> None:
    listener = await lab.listen()

    async def fails() -> AsyncIterator[bytes]:
        yield bytes(50_000)
        raise LeadglassError(ErrorCode.NOT_FOUND, "It is gone.")

    caller = Caller()
    conn = await dial(lab, listener.port, caller)
    with pytest.raises(LeadglassError):
        await conn.send_stream(1, c_store_rq(1, lab.CT, "1.2"), fails())
    conn.send_message(3, c_echo_rq(2))
    assert (await asyncio.wait_for(caller.answers.get(), lab.PATIENCE)).status == 0


async def test_back_pressure_on_what_comes_in(lab: Any) -> None:
    """While reading is paused nothing arrives however long the message, and nothing is lost."""

    class Pauses(lab.Recorder):  # type: ignore[misc, name-defined]
        def data_received(self, conn: Connection, context_id: int, data: memoryview, last: bool) -> None:
            if not self.first_data.done():
                conn.pause_reading()
            super().data_received(conn, context_id, data, last)

    listener = await lab.listen(Pauses, timings=Timings(pdu=0.2, message_grace=0.2))
    caller = Caller()
    conn = await dial(lab, listener.port, caller)
    data = bytes(20_000_000)
    sending = asyncio.ensure_future(conn.send_stream(1, c_store_rq(1, lab.CT, "1.2"), chunks_of(data, 65536)))
    await asyncio.wait_for(lab.handlers[0].first_data, lab.PATIENCE)
    await asyncio.sleep(0.5)  # more than each deadline: our own pause is not held against the peer
    assert not sending.done()
    assert len(lab.handlers[0].data) < 2_000_000
    lab.handlers[0].conn.resume_reading()
    await asyncio.wait_for(caller.answers.get(), lab.PATIENCE)
    assert lab.handlers[0].stored == [data]


async def test_back_pressure_on_what_goes_out(lab: Any) -> None:
    """A peer that does not read makes the source stop, and is cut off after the stall time."""
    listener = await lab.listen(timings=Timings(stall=0.3))
    peer = await lab.peer(listener)
    peer.reader._limit = 1  # the test's own stream stops reading at once
    await peer.associate()
    produced = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal produced
        while True:
            produced += 65536
            yield bytes(65536)

    handler = lab.handlers[0]
    with pytest.raises(LeadglassError):
        await handler.conn.send_stream(1, c_store_rq(1, lab.CT, "1.2"), endless())
    assert await handler.end() == (CloseReason.TIMEOUT, "stall")
    assert produced < WRITE_HIGH_WATER + 16 * 1024 * 1024  # what the kernel's buffers of both ends take


async def test_idle_time_is_the_handlers_to_set(lab: Any) -> None:
    listener = await lab.listen()
    peer = await lab.peer(listener)
    await peer.associate()
    handler = await lab.next_handler()
    handler.conn.idle_timeout = 0.1
    assert await handler.end() == (CloseReason.TIMEOUT, "idle")
    assert await peer.read_pdu() == Abort(2, 0)


async def test_a15_release_collision(lab: Any) -> None:
    listener = await lab.listen()
    peer = await lab.peer(listener)
    await peer.associate()
    handler = await lab.next_handler()
    releasing = asyncio.ensure_future(handler.conn.release())
    assert await peer.read_pdu() == ReleaseRQ()
    await peer.send(encode(ReleaseRQ()))
    await peer.send(encode(ReleaseRP()))
    assert await peer.read_pdu() == ReleaseRP()
    await asyncio.wait_for(releasing, lab.PATIENCE)
    assert (await handler.end())[0] is CloseReason.RELEASED


# --- dialling ---------------------------------------------------------------------------------------------------------


async def refused(lab: Any, port: int, **options: Any) -> LeadglassError:
    with pytest.raises(LeadglassError) as caught:
        await dial(lab, port, Caller(), **options)
    return caught.value


async def test_nobody_listens(lab: Any) -> None:
    listener = await lab.listen()
    listener.close()
    assert (await refused(lab, listener.port)).code is ErrorCode.DESTINATION_UNREACHABLE


async def test_a_peer_that_never_answers(lab: Any) -> None:
    class Silent(lab.Recorder):  # type: ignore[misc, name-defined]
        def association_requested(self, conn: Connection, request: object) -> None:
            pass

    listener = await lab.listen(Silent)
    assert (await refused(lab, listener.port, timeout=0.2)).code is ErrorCode.DESTINATION_UNREACHABLE
    assert (await lab.handlers[0].end())[0] is CloseReason.LOST  # our side left nothing open


async def test_a_rejection_carries_its_triple(lab: Any) -> None:
    class Refuses(lab.Recorder):  # type: ignore[misc, name-defined]
        def association_requested(self, conn: Connection, request: object) -> None:
            conn.reject(1, 1, 7)

    listener = await lab.listen(Refuses)
    error = await refused(lab, listener.port)
    assert error.code is ErrorCode.NOT_AUTHORISED
    assert error.comment.endswith("1/1/7")


async def test_a_peer_that_is_not_dicom(lab: Any) -> None:
    async def http(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        await reader.read()
        writer.close()

    server = await asyncio.start_server(http, "127.0.0.1", 0)
    error = await refused(lab, server.sockets[0].getsockname()[1], timings=Timings(artim=0.2))
    assert error.code is ErrorCode.DESTINATION_UNREACHABLE
    assert "DICOM" in error.comment
    server.close()


# --- stopping ---------------------------------------------------------------------------------------------------------


async def test_drain_lets_a_store_be_answered_and_ends_the_idle(lab: Any) -> None:
    def make() -> Any:
        recorder = lab.Recorder()
        recorder.hold_answers = True
        return recorder

    listener = await lab.listen(make)
    busy, idle, sending = [await lab.peer(listener) for _ in range(3)]
    for peer in (busy, idle, sending):
        await peer.associate()
    raw = lab.store_pdus(bytes(50000))
    await busy.send(raw)
    await sending.send(raw[:30000])
    by_port = {h.conn.peer_port: h for h in lab.handlers}
    busy_handler, sending_handler = (by_port[p.writer.get_extra_info("sockname")[1]] for p in (busy, sending))
    await lab.until(lambda: len(busy_handler.stored) == 1 and len(sending_handler.data) > 0)
    draining = asyncio.ensure_future(listener.drain(lab.PATIENCE))
    assert await idle.read_pdu() == Abort(2, 0)
    assert not draining.done()
    await sending.send(raw[30000:])
    await lab.until(lambda: len(sending_handler.stored) == 1)
    for handler, peer in ((busy_handler, busy), (sending_handler, sending)):
        handler.answer(handler.conn)
        assert len(await peer.read_message()) > 50
        assert await peer.read_pdu() == Abort(2, 0)
        peer.close()
    idle.close()
    await asyncio.wait_for(draining, lab.PATIENCE)
    assert listener.connections == frozenset()
    with pytest.raises(OSError, match=r"[Cc]onnect"):
        await lab.peer(listener)


async def test_drain_waits_no_longer_than_told(lab: Any) -> None:
    listener = await lab.listen()
    peer = await lab.peer(listener)
    await peer.associate()
    await peer.send(lab.store_pdus(bytes(50000))[:30000])
    handler = await lab.next_handler()
    await asyncio.wait_for(handler.first_data, lab.PATIENCE)
    await asyncio.wait_for(listener.drain(0.05), lab.PATIENCE)
    assert (await handler.end())[0] is CloseReason.ABORTED
    assert listener.connections == frozenset()


async def test_a_late_answer_is_refused_not_sent(lab: Any) -> None:
    """A handler that decides after the peer left is told so."""

    class Slow(lab.Recorder):  # type: ignore[misc, name-defined]
        def association_requested(self, conn: Connection, request: object) -> None:
            pass

    listener = await lab.listen(Slow)
    peer = await lab.peer(listener)
    await peer.send(encode(lab.REQUEST))
    handler = await lab.next_handler()
    await lab.until(lambda: handler.conn.request is not None)
    peer.close()
    await handler.end()
    with pytest.raises(LeadglassError):
        handler.conn.accept(lab.accept_all(lab.REQUEST))
    with pytest.raises(LeadglassError):
        handler.conn.reject(1, 1, 3)
