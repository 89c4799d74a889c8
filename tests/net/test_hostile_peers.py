"""Peers that stall, lie or flood (adversarial A1-A7, A9-A15): each is cut off in its own time, the handler is told
once, and nobody else notices."""

from __future__ import annotations

import asyncio
import struct
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import uvloop

from leadglass.net.handler import CloseReason
from leadglass.wire.ul.codec import encode
from leadglass.wire.ul.pdata import p_data_header
from leadglass.wire.ul.pdu import Abort, AssociateAC, ProposedContext, ReleaseRQ
from leadglass.wire.ul.timings import Timings

# For tests in which a deadline is to pass. Long enough for the test's own side to keep it on a machine that stalls;
# where no deadline is to pass, the ordinary ones hold.
SHORT = Timings(artim=1.0, pdu=1.0, message_grace=1.0, minimum_rate=1000.0)
PATIENT_ARTIM = replace(SHORT, artim=10.0)


@pytest.fixture(params=[asyncio.DefaultEventLoopPolicy, uvloop.EventLoopPolicy], ids=["asyncio", "uvloop"])
def event_loop_policy(request: pytest.FixtureRequest) -> asyncio.AbstractEventLoopPolicy:
    return request.param()


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


STALLS = {
    "A1 nothing": b"",
    "A2 three header bytes": b"\x01\x00\x00",
    "A3 half a request": None,
}


@pytest.mark.parametrize("case", STALLS)
async def test_a1_a2_a3_a_stranger_that_stalls_is_closed_by_artim(lab: Any, case: str) -> None:
    raw = STALLS[case]
    raw = encode(lab.REQUEST)[:100] if raw is None else raw
    listener = await lab.listen(timings=SHORT)
    peer = await lab.peer(listener)
    await peer.send(raw)
    assert await peer.rest() == b""
    reason, detail = await (await lab.next_handler()).end()
    assert reason is CloseReason.TIMEOUT
    assert detail in {"request", "pdu"}
    await lab.echo_works(listener)


@pytest.mark.parametrize("opened", [False, True], ids=["before", "after association"])
async def test_a4_a_dripping_peer_meets_an_absolute_deadline(lab: Any, opened: bool) -> None:
    listener = await lab.listen(timings=SHORT)
    peer = await lab.peer(listener)
    raw = encode(lab.REQUEST)
    if opened:
        await peer.associate()
        raw = lab.store_pdus(bytes(5000))
    handler = await lab.next_handler()
    for byte in raw:
        if handler.ended.done():
            break
        peer.writer.write(bytes((byte,)))
        await asyncio.sleep(0.02)
    assert (await handler.end())[0] is CloseReason.TIMEOUT
    assert handler.stored == []


@pytest.mark.parametrize("opened", [False, True], ids=["before", "after association"])
@pytest.mark.parametrize("pdu_type", range(1, 8))
async def test_a5_any_pdu_that_announces_4_gb(lab: Any, pdu_type: int, opened: bool) -> None:
    listener = await lab.listen()
    peer = await lab.peer(listener)
    if opened:
        await peer.associate()
    await peer.send(struct.pack(">BxI", pdu_type, 0xFFFFFFFF))
    assert await peer.read_pdu() == Abort(2, 6)
    assert (await (await lab.next_handler()).end())[0] is CloseReason.VIOLATION


async def test_a6_more_than_the_maximum_that_was_agreed(lab: Any) -> None:
    listener = await lab.listen()
    peer = await lab.peer(listener)
    await peer.associate()
    await peer.send(p_data_header(1, 0, 16384 - 5))
    assert await peer.read_pdu() == Abort(2, 6)
    assert (await (await lab.next_handler()).end())[0] is CloseReason.VIOLATION


STRANGERS = {
    "http": b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
    "tls": bytes.fromhex("16030100c8010000c40303") + bytes(200),
    "ssh": b"SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n",
    "noise": bytes(range(137, 255)) * 50,
    "zeros": bytes(100_000),
    "a request full of ones": b"\x01\x00\x00\x00\x01\x00" + b"\xff" * 256,
}


@pytest.mark.parametrize("raw", STRANGERS.values(), ids=STRANGERS.keys())
async def test_a7_other_protocols(lab: Any, raw: bytes) -> None:
    listener = await lab.listen()
    peer = await lab.peer(listener)
    await peer.send(raw)
    assert await peer.read_pdu() == Abort(2, 6)
    assert (await (await lab.next_handler()).end())[0] is CloseReason.VIOLATION
    await lab.echo_works(listener)


async def test_a9_many_come_and_go_and_nothing_is_left(lab: Any) -> None:
    listener = await lab.listen(timings=PATIENT_ARTIM, admission=lambda address: True)
    await lab.echo_works(listener)
    await lab.until(lambda: not listener.connections)
    files, threads, tasks = open_files(), threading.active_count(), len(asyncio.all_tasks())
    for _ in range(10_000):
        (await lab.peer(listener)).reset()
    for _ in range(1_000):
        peer = await lab.peer(listener)
        await peer.associate()
        await peer.send(encode(ReleaseRQ()))
        await peer.read_pdu()
        peer.close()
    await lab.until(lambda: not listener.connections)
    await lab.until(lambda: open_files() <= files)
    assert threading.active_count() <= threads
    await lab.until(lambda: len(asyncio.all_tasks()) <= tasks)
    await asyncio.gather(*(handler.end() for handler in lab.handlers))  # each was told of its end
    await lab.echo_works(listener)


def with_contexts(lab: Any, *contexts: tuple[int, str]) -> bytes:
    proposed = tuple(ProposedContext(number, uid, ("1.2.840.10008.1.2",)) for number, uid in contexts)
    return encode(replace(lab.REQUEST, contexts=proposed))


@pytest.mark.parametrize(
    "contexts",
    [[], [(2, "1.2")], [(1, "1.2"), (1, "1.2")], [(0, "1.2")], [(2 * (n % 128) + 1, "1.2") for n in range(129)]],
    ids=["none", "even", "twice", "zero", "129"],
)
async def test_a10_presentation_contexts_out_of_bounds(lab: Any, contexts: list[tuple[int, str]]) -> None:
    listener = await lab.listen()
    peer = await lab.peer(listener)
    await peer.send(with_contexts(lab, *contexts))
    assert await peer.read_pdu() == Abort(2, 6)
    reason, detail = await (await lab.next_handler()).end()
    assert reason is CloseReason.VIOLATION
    assert "context" in detail


async def test_a10_128_contexts_are_fine(lab: Any) -> None:
    listener = await lab.listen()
    peer = await lab.peer(listener)
    await peer.send(with_contexts(lab, *((n, "1.2") for n in range(1, 256, 2))))
    answer = await peer.read_pdu()
    assert isinstance(answer, AssociateAC)
    assert len(answer.contexts) == 128


@pytest.mark.parametrize(
    "make",
    [
        lambda lab: encode(lab.REQUEST),
        lambda lab: p_data_header(5, 3, 0),
        lambda lab: struct.pack(">BxIIBB", 4, 6, 0, 1, 3),
        lambda lab: struct.pack(">BxIIBB", 4, 6, 1, 1, 3),
        lambda lab: struct.pack(">BxIIBB", 4, 6, 99, 1, 3),
        lambda lab: p_data_header(1, 2, 4) + b"data",
        lambda lab: p_data_header(1, 3, 4) + b"\xff\xff\xff\xff",
        lambda lab: (p_data_header(1, 1, 16000) + bytes(16000)) * 5,
    ],
    ids=[
        "second request", "unknown context", "PDV 0", "PDV 1", "PDV beyond", "data first", "no command", "A12 endless"
    ],
)  # fmt: skip
async def test_a11_a12_messages_out_of_order(lab: Any, make: Any) -> None:
    listener = await lab.listen()
    peer = await lab.peer(listener)
    await peer.associate()
    await peer.send(make(lab))
    assert isinstance(await peer.read_pdu(), Abort)
    assert (await (await lab.next_handler()).end())[0] is CloseReason.VIOLATION


async def test_a11_data_before_any_association(lab: Any) -> None:
    listener = await lab.listen()
    peer = await lab.peer(listener)
    await peer.send(lab.store_pdus(bytes(100)))
    assert isinstance(await peer.read_pdu(), Abort)
    handler = await lab.next_handler()
    assert (await handler.end())[0] is CloseReason.VIOLATION
    assert handler.command is None


@pytest.mark.parametrize("ending", ["abort", "reset", "close"])
@pytest.mark.parametrize("share", [0.02, 0.3, 0.6, 0.99])
async def test_a13_a_store_that_is_left_in_the_middle(lab: Any, ending: str, share: float) -> None:
    listener = await lab.listen(timings=PATIENT_ARTIM)
    peer = await lab.peer(listener)
    await peer.associate()
    raw = lab.store_pdus(bytes(40000))
    command = len(lab.store_pdus(b"")) - 12
    boundary = int(share * len(raw))
    if ending == "abort":  # has to stand between PDUs
        boundary = command + max(0, boundary - command) // (16384 + 6) * (16384 + 6)
    await peer.send(raw[:boundary])
    if ending == "abort":
        await peer.send(encode(Abort(0, 0)))
    elif ending == "reset":
        peer.reset()
    else:
        peer.close()
    handler = await lab.next_handler()
    reason = (await handler.end())[0]
    assert reason is (CloseReason.ABORTED_BY_PEER if ending == "abort" else CloseReason.LOST)
    assert handler.stored == []


async def test_a13_a_data_set_that_never_comes(lab: Any) -> None:
    listener = await lab.listen(timings=SHORT)
    peer = await lab.peer(listener)
    await peer.associate()
    await peer.send(lab.store_pdus(b"")[:-12])
    assert await (await lab.next_handler()).end() == (CloseReason.TIMEOUT, "message")


async def test_a14_a_message_below_the_minimum_rate(lab: Any) -> None:
    """Whole PDUs, each in time, and still too slow together."""
    listener = await lab.listen(timings=SHORT)
    peer = await lab.peer(listener)
    await peer.associate()
    await peer.send(lab.store_pdus(b"")[:-12])
    handler = await lab.next_handler()
    while not handler.ended.done():
        peer.writer.write(p_data_header(1, 0, 1) + b"x")
        await asyncio.sleep(0.02)
    assert await handler.end() == (CloseReason.TIMEOUT, "message")


async def test_a15_abort_floods(lab: Any) -> None:
    listener = await lab.listen()
    for opened in (False, True):
        peer = await lab.peer(listener)
        if opened:
            await peer.associate()
        peer.writer.write(encode(Abort(0, 0)) * 5000)
        assert (await (await lab.next_handler()).end())[0] is CloseReason.ABORTED_BY_PEER
    await lab.echo_works(listener)


async def test_a15_release_floods(lab: Any) -> None:
    listener = await lab.listen(timings=SHORT)
    peer = await lab.peer(listener)
    await peer.associate()
    peer.writer.write(encode(ReleaseRQ()) * 5000)  # the second comes before the first can be answered
    assert (await (await lab.next_handler()).end())[0] is CloseReason.VIOLATION
    await lab.until(lambda: not listener.connections)


@pytest.mark.parametrize(
    "ending", [encode(Abort(0, 0)), encode(ReleaseRQ()), b"\xff"], ids=["abort", "release", "noise"]
)
async def test_a_peer_that_undoes_in_one_breath_what_it_asked_for(lab: Any, ending: bytes) -> None:
    """The handler's answer comes too late, which is nobody's error."""
    failures: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda loop, context: failures.append(context))
    listener = await lab.listen(timings=SHORT)
    first, second = await lab.peer(listener), await lab.peer(listener)
    await first.send(encode(lab.REQUEST) + ending)
    await second.associate()
    await second.send(lab.store_pdus(b"x") + encode(ReleaseRQ()) + ending)
    for _ in range(2):
        assert (await (await lab.next_handler()).end())[0] is not CloseReason.LOST
    await lab.until(lambda: not listener.connections)
    assert failures == []


async def test_one_stalled_peer_never_delays_another(lab: Any) -> None:
    """Peers stalled at every point are still connected when others have been served."""
    listener = await lab.listen(timings=Timings(), admission=lambda address: True)
    request, store = encode(lab.REQUEST), lab.store_pdus(bytes(40000))
    stalled = []
    for raw in (b"", b"\x01\x00\x00", request[:-1]):
        stalled.append(await lab.peer(listener))
        await stalled[-1].send(raw)
    for cut in (1, 7, 100, 20000, len(store) - 1):
        stalled.append(await lab.peer(listener))
        await stalled[-1].associate()
        await stalled[-1].send(store[:cut])
    for _ in range(20):
        await lab.echo_works(listener)
    assert not any(handler.ended.done() for handler in lab.handlers[: len(stalled)])
    assert not any(peer.reader.at_eof() for peer in stalled)
