"""The requestor against pynetdicom's acceptor on loopback: every service, streamed, cancelled, refused, interrupted."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import aclosing, contextmanager
from dataclasses import dataclass, field
from io import BytesIO
from typing import Any

import pytest
from pydicom.dataset import Dataset, FileMetaDataset
from pynetdicom import AE, evt
from pynetdicom.dsutils import decode, encode

from leadglass.core.errors import ErrorCode, LeadglassError
from leadglass.dicom import uids
from leadglass.net.proposals import association_request, each_syntax, propose, propose_one, propose_whole
from leadglass.net.requestor import Requestor, Response, dial
from leadglass.wire.dimse import status
from leadglass.wire.dimse.commands import Command, n_action_rq
from leadglass.wire.ul.pdu import AcceptedContext

CT = "1.2.840.10008.5.1.4.1.1.2"
INSTANCE = "1.2.826.0.1.3680043.1.{}"
BIG = 3 * 1024 * 1024  # above every high-water mark on the way


@dataclass
class Peer:
    """pynetdicom as acceptor, what it was asked, and what it is to answer."""

    port: int = 0
    stored: list[tuple[str, bytes, str]] = field(default_factory=list)
    originators: list[tuple[str | None, int | None]] = field(default_factory=list)
    echo_status: int = 0x0000
    store_status: int = 0x0000
    matches: int = 3
    instances: int = 3
    instance_size: int = 1000
    sub_statuses: list[tuple[int, int]] = field(default_factory=list)
    cancelled: threading.Event = field(default_factory=threading.Event)
    stall: threading.Event = field(default_factory=threading.Event)  # set: do not stall

    def echo(self, event: evt.Event) -> int:
        self.stall.wait(30)
        return self.echo_status

    def store(self, event: evt.Event) -> int:
        request = event.request
        raw = request.DataSet.getvalue()
        self.stored.append((str(request.AffectedSOPInstanceUID), raw, event.context.transfer_syntax))
        title = request.MoveOriginatorApplicationEntityTitle
        self.originators.append((str(title) if title else None, request.MoveOriginatorMessageID))
        return self.store_status

    def find(self, event: evt.Event) -> Iterator[tuple[int, Dataset | None]]:
        for number in range(self.matches):
            if event.is_cancelled:
                self.cancelled.set()
                yield 0xFE00, None
                return
            match = Dataset()
            match.QueryRetrieveLevel = "STUDY"
            match.StudyDescription = f"{event.identifier.StudyDescription} {number}"
            yield 0xFF00, match

    def get(self, event: evt.Event) -> Iterator[Any]:
        yield self.instances
        for number in range(self.instances):
            if event.is_cancelled:
                self.cancelled.set()
                yield 0xFE00, None
                return
            yield 0xFF00, instance(number, self.instance_size)

    def move(self, event: evt.Event) -> Iterator[Any]:
        if event.move_destination != "STORE":
            yield None, None
            return
        yield "127.0.0.1", self.port
        yield self.instances
        for number in range(self.instances):
            yield 0xFF00, instance(number, self.instance_size)

    def action(self, event: evt.Event) -> tuple[int, Dataset | None]:
        answer = Dataset()
        answer.StudyDescription = f"action {event.action_type}"
        return 0x0000, answer


def instance(number: int, size: int) -> Dataset:
    ds = Dataset()
    ds.SOPClassUID = CT
    ds.SOPInstanceUID = INSTANCE.format(number)
    ds.StudyInstanceUID = "1.2.3"
    ds.PixelData = bytes([number % 256]) * size
    ds["PixelData"].VR = "OW"
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = uids.EXPLICIT_VR_LE
    return ds


@contextmanager
def acceptor(**options: Any) -> Iterator[Peer]:
    peer = Peer(**options)
    peer.stall.set()
    ae = AE(ae_title="STORE")
    ae.maximum_pdu_size = 16384
    ae.add_supported_context(uids.VERIFICATION)
    ae.add_supported_context(uids.STUDY_ROOT_FIND, uids.EXPLICIT_VR_LE)
    ae.add_supported_context(uids.STUDY_ROOT_GET, uids.EXPLICIT_VR_LE)
    ae.add_supported_context(uids.STUDY_ROOT_MOVE, uids.EXPLICIT_VR_LE)
    ae.add_supported_context(uids.STORAGE_COMMITMENT_PUSH, uids.EXPLICIT_VR_LE)
    for syntax in (uids.EXPLICIT_VR_LE, uids.IMPLICIT_VR_LE):
        ae.add_supported_context(CT, syntax, scu_role=True, scp_role=True)
    ae.add_requested_context(CT, uids.EXPLICIT_VR_LE)
    handlers = [
        (evt.EVT_C_ECHO, peer.echo),
        (evt.EVT_C_STORE, peer.store),
        (evt.EVT_C_FIND, peer.find),
        (evt.EVT_C_GET, peer.get),
        (evt.EVT_C_MOVE, peer.move),
        (evt.EVT_N_ACTION, peer.action),
    ]
    server = ae.start_server(("127.0.0.1", 0), block=False, evt_handlers=handlers)
    assert server is not None
    peer.port = server.server_address[1]
    try:
        yield peer
    finally:
        peer.stall.set()
        server.shutdown()


SERVICES = [
    (uids.VERIFICATION, (uids.IMPLICIT_VR_LE,)),
    (uids.STUDY_ROOT_FIND, (uids.EXPLICIT_VR_LE,)),
    (uids.STUDY_ROOT_GET, (uids.EXPLICIT_VR_LE,)),
    (uids.STUDY_ROOT_MOVE, (uids.EXPLICIT_VR_LE,)),
    (uids.STORAGE_COMMITMENT_PUSH, (uids.EXPLICIT_VR_LE,)),
    *each_syntax([CT], [uids.EXPLICIT_VR_LE, uids.IMPLICIT_VR_LE]),
]


async def associate(peer: Peer, *, receives: tuple[str, ...] = (), timeout: float = 30) -> Requestor:
    request = association_request("STORE", "US", propose_one(SERVICES), receives=receives)
    return await dial("127.0.0.1", peer.port, request, response_timeout=timeout)


def identifier() -> bytes:
    ds = Dataset()
    ds.QueryRetrieveLevel = "STUDY"
    ds.StudyDescription = "knee"
    return encode(ds, False, True) or b""


def read(data: bytes | None) -> Dataset:
    assert data is not None
    return decode(BytesIO(data), False, True)


async def in_chunks(data: bytes, size: int) -> AsyncIterator[bytes]:
    for start in range(0, len(data), size):
        yield data[start : start + size]


class Kept:
    """A sink that keeps what it is given."""

    def __init__(self, code: int = status.SUCCESS) -> None:
        self.code = code
        self.instances: list[tuple[str, str, bytes]] = []
        self.pieces = 0

    async def __call__(self, command: Command, context: AcceptedContext, pieces: AsyncIterator[bytes]) -> int:
        gathered = bytearray()
        async for piece in pieces:
            self.pieces += 1
            gathered += piece
        uid = command.affected_sop_instance_uid or ""
        self.instances.append((uid, context.transfer_syntax, bytes(gathered)))
        return self.code


async def all_of(responses: AsyncIterator[Response]) -> list[Response]:
    return [response async for response in responses]


@pytest.mark.parametrize("code", [0x0000, 0x0122])
async def test_echo_tells_the_peers_status(code: int) -> None:
    with acceptor(echo_status=code) as peer:
        requestor = await associate(peer)
        assert await requestor.echo() == code
        assert await requestor.echo() == code
        await requestor.release()


CHUNKED: dict[str, Callable[[bytes], Any]] = {
    "whole": lambda data: data,
    "an iterable": lambda data: [data[:1000], data[1000:]],
    "even chunks": lambda data: in_chunks(data, 65536),
    "odd chunks": lambda data: in_chunks(data, 65535),
    "one chunk": lambda data: in_chunks(data, len(data)),
}


@pytest.mark.parametrize("shape", CHUNKED)
async def test_a_stored_instance_arrives_as_it_was(shape: str) -> None:
    data = bytes(range(256)) * (BIG // 256)
    with acceptor() as peer:
        requestor = await associate(peer)
        context = requestor.context_for(CT, [uids.IMPLICIT_VR_LE])
        for number in range(2):
            response = await requestor.store(context, INSTANCE.format(number), CHUNKED[shape](data))
            assert response.status == 0
        await requestor.release()
        assert peer.stored == [(INSTANCE.format(number), data, uids.IMPLICIT_VR_LE) for number in range(2)]


async def test_a_store_tells_its_status_and_originator() -> None:
    with acceptor(store_status=0xA700) as peer:
        requestor = await associate(peer)
        context = requestor.context_for(CT)
        response = await requestor.store(context, INSTANCE.format(1), b"12", originator=("MOVER", 77))
        await requestor.release()
        assert response.status == 0xA700
        assert response.command.affected_sop_instance_uid == INSTANCE.format(1)
        assert peer.originators == [("MOVER", 77)]


async def failing(good: list[bytes]) -> AsyncIterator[bytes]:
    for chunk in good:
        yield chunk
    raise LeadglassError(ErrorCode.DAMAGED, "The record does not authenticate.")


async def test_a_source_that_fails_before_its_first_byte_leaves_the_association() -> None:
    with acceptor() as peer:
        requestor = await associate(peer)
        context = requestor.context_for(CT)
        with pytest.raises(LeadglassError) as caught:
            await requestor.store(context, INSTANCE.format(1), failing([]))
        assert caught.value.code is ErrorCode.DAMAGED
        assert (await requestor.store(context, INSTANCE.format(2), b"12")).status == 0
        await requestor.release()
        assert [uid for uid, _, _ in peer.stored] == [INSTANCE.format(2)]


async def test_a_source_that_fails_on_the_way_ends_the_association() -> None:
    with acceptor() as peer:
        requestor = await associate(peer)
        with pytest.raises(LeadglassError) as caught:
            await requestor.store(requestor.context_for(CT), INSTANCE.format(1), failing([bytes(70000)] * 3))
        assert caught.value.code is ErrorCode.DAMAGED
        await requestor.connection.wait_closed()
        with pytest.raises(LeadglassError) as caught:
            await requestor.echo()
        assert caught.value.code is ErrorCode.UNAVAILABLE
        assert peer.stored == []


async def test_find_yields_matches_and_the_end() -> None:
    with acceptor() as peer:
        requestor = await associate(peer)
        context = requestor.context_for(uids.STUDY_ROOT_FIND)
        for _ in range(2):
            responses = await all_of(requestor.find(context, identifier()))
            assert [response.status for response in responses] == [0xFF00] * 3 + [0x0000]
            assert [read(r.data).StudyDescription for r in responses[:3]] == ["knee 0", "knee 1", "knee 2"]
            assert responses[3].data is None
        await requestor.release()


async def test_a_find_left_early_is_cancelled_and_the_association_goes_on() -> None:
    with acceptor(matches=100_000) as peer:
        requestor = await associate(peer)
        context = requestor.context_for(uids.STUDY_ROOT_FIND)
        async with aclosing(requestor.find(context, identifier())) as responses:
            async for response in responses:
                assert response.status == 0xFF00
                break
        assert peer.cancelled.is_set()
        assert await requestor.echo() == 0
        await requestor.release()


async def test_a_cancelled_find_ends_with_its_status() -> None:
    with acceptor(matches=100_000) as peer:
        requestor = await associate(peer)
        seen = []
        async for response in requestor.find(requestor.context_for(uids.STUDY_ROOT_FIND), identifier()):
            seen.append(response.status)
            requestor.cancel()
        assert seen[-1] == 0xFE00
        assert set(seen[:-1]) == {0xFF00}
        await requestor.release()


async def test_a_slow_caller_loses_nothing() -> None:
    with acceptor(matches=2000) as peer:
        requestor = await associate(peer)
        responses = requestor.find(requestor.context_for(uids.STUDY_ROOT_FIND), identifier())
        first = await anext(responses)
        while not requestor._gate.closed:  # the mailbox is full: the connection is not read
            await asyncio.sleep(0)
        rest = await all_of(responses)
        names = [read(r.data).StudyDescription for r in [first, *rest[:-1]]]
        assert names == [f"knee {number}" for number in range(2000)]
        assert not requestor._gate.closed
        await requestor.release()


@pytest.mark.parametrize("size", [0, 1000, BIG])
async def test_get_streams_instances_to_the_sink(size: int) -> None:
    with acceptor(instance_size=size) as peer:
        requestor = await associate(peer, receives=(CT,))
        sink = Kept()
        responses = await all_of(requestor.get(requestor.context_for(uids.STUDY_ROOT_GET), identifier(), sink))
        final = responses[-1].command
        assert (final.status, final.completed, final.failed) == (0, 3, 0)
        assert [(uid, syntax) for uid, syntax, _ in sink.instances] == [
            (INSTANCE.format(number), uids.EXPLICIT_VR_LE) for number in range(3)
        ]
        assert [read(data).PixelData or b"" for _, _, data in sink.instances] == [bytes([n]) * size for n in range(3)]
        assert sink.pieces > 3 or size < BIG
        assert await requestor.echo() == 0
        await requestor.release()


async def refusing(command: Command, context: AcceptedContext, pieces: AsyncIterator[bytes]) -> int:
    raise LeadglassError(ErrorCode.OUT_OF_RESOURCES, "The disk is full.")


async def breaking(command: Command, context: AcceptedContext, pieces: AsyncIterator[bytes]) -> int:
    async for _ in pieces:
        raise OSError(28, "no space")
    return 0


async def not_reading(command: Command, context: AcceptedContext, pieces: AsyncIterator[bytes]) -> int:
    return status.OUT_OF_RESOURCES


@pytest.mark.parametrize("sink", [refusing, breaking, not_reading])
async def test_a_sink_that_fails_is_told_to_the_peer(sink: Any) -> None:
    with acceptor(instance_size=BIG) as peer:
        requestor = await associate(peer, receives=(CT,))
        responses = await all_of(requestor.get(requestor.context_for(uids.STUDY_ROOT_GET), identifier(), sink))
        final = responses[-1].command
        assert (final.status, final.completed, final.failed) == (0xA702, 0, 3)
        assert await requestor.echo() == 0
        await requestor.release()


async def test_a_fault_in_a_sink_is_raised_not_hidden() -> None:
    async def faulty(command: Command, context: AcceptedContext, pieces: AsyncIterator[bytes]) -> int:
        raise KeyError("fault")

    with acceptor() as peer:
        requestor = await associate(peer, receives=(CT,))
        with pytest.raises(KeyError):
            await all_of(requestor.get(requestor.context_for(uids.STUDY_ROOT_GET), identifier(), faulty))
        await requestor.connection.wait_closed()


async def test_a_get_without_role_receives_nothing() -> None:
    with acceptor() as peer:
        requestor = await associate(peer)
        sink = Kept()
        responses = await all_of(requestor.get(requestor.context_for(uids.STUDY_ROOT_GET), identifier(), sink))
        assert responses[-1].status in (0xA702, 0xB000)
        assert sink.instances == []
        await requestor.release()


async def test_a_get_left_early_is_cancelled() -> None:
    with acceptor(instances=5000) as peer:
        requestor = await associate(peer, receives=(CT,))
        sink = Kept()
        async with aclosing(requestor.get(requestor.context_for(uids.STUDY_ROOT_GET), identifier(), sink)) as responses:
            await anext(responses)
        assert peer.cancelled.is_set()
        assert 0 < len(sink.instances) < 5000
        assert await requestor.echo() == 0
        await requestor.release()


async def test_move_sends_to_the_destination_and_tells_counts() -> None:
    with acceptor(instances=3) as peer:
        requestor = await associate(peer)
        responses = await all_of(requestor.move(requestor.context_for(uids.STUDY_ROOT_MOVE), identifier(), "STORE"))
        final = responses[-1].command
        assert (final.status, final.completed, final.failed, final.warning) == (0, 3, 0, 0)
        assert {r.status for r in responses[:-1]} == {0xFF00}
        await requestor.release()
        assert [uid for uid, _, _ in peer.stored] == [INSTANCE.format(number) for number in range(3)]


async def test_an_unknown_destination_is_told() -> None:
    with acceptor() as peer:
        requestor = await associate(peer)
        responses = await all_of(requestor.move(requestor.context_for(uids.STUDY_ROOT_MOVE), identifier(), "NOWHERE"))
        assert [response.status for response in responses] == [0xA801]
        await requestor.release()


async def test_an_n_service_goes_through_request() -> None:
    with acceptor() as peer:
        requestor = await associate(peer)
        context = requestor.context_for(uids.STORAGE_COMMITMENT_PUSH)
        command = n_action_rq(
            requestor.next_message_id(),
            uids.STORAGE_COMMITMENT_PUSH,
            uids.STORAGE_COMMITMENT_PUSH_INSTANCE,
            4,
            has_data_set=True,
        )
        response = await requestor.ask(context, command, identifier())
        assert response.status == 0
        assert read(response.data).StudyDescription == "action 4"
        await requestor.release()


async def test_a_silent_peer_is_given_up() -> None:
    with acceptor() as peer:
        peer.stall.clear()
        requestor = await associate(peer, timeout=0.05)
        with pytest.raises(LeadglassError) as caught:
            await requestor.echo()
        assert caught.value.code is ErrorCode.UNAVAILABLE
        await requestor.connection.wait_closed()


async def test_an_interrupted_operation_ends_the_association() -> None:
    with acceptor() as peer:
        peer.stall.clear()
        requestor = await associate(peer)
        task = asyncio.ensure_future(requestor.echo())
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await requestor.connection.wait_closed()


async def test_two_operations_at_once_are_refused() -> None:
    with acceptor() as peer:
        peer.stall.clear()
        requestor = await associate(peer)
        first = asyncio.ensure_future(requestor.echo())
        await asyncio.sleep(0)
        with pytest.raises(LeadglassError) as caught:
            await requestor.echo()
        assert caught.value.code is ErrorCode.USAGE
        peer.stall.set()
        assert await first == 0
        await requestor.release()


async def test_what_the_peer_did_not_accept_is_told() -> None:
    with acceptor() as peer:
        request = association_request("STORE", "US", propose_one([(uids.PATIENT_ROOT_FIND, (uids.IMPLICIT_VR_LE,))]))
        requestor = await dial("127.0.0.1", peer.port, request)
        for ask in (requestor.echo(), asyncio.to_thread(requestor.context_for, uids.PATIENT_ROOT_FIND)):
            with pytest.raises(LeadglassError) as caught:
                await ask
            assert caught.value.code is ErrorCode.CANNOT_CONVERT
        requestor.abort()
        await requestor.connection.wait_closed()


def test_more_than_128_contexts_take_several_associations() -> None:
    pairs = each_syntax([f"1.2.{number}" for number in range(100)], ["1.2.840.10008.1.2", "1.2.840.10008.1.2.1"])
    batches = propose([*pairs, *pairs])
    assert [len(batch) for batch in batches] == [128, 72]
    assert [context.id for context in batches[1]] == list(range(1, 145, 2))
    assert [(c.abstract_syntax, c.transfer_syntaxes) for batch in batches for c in batch] == pairs
    for wanted in (pairs, []):
        with pytest.raises(LeadglassError):
            propose_one(wanted)


def test_contexts_of_one_group_are_in_one_association():
    groups = [[(f"1.{number}", (f"1.2.{syntax}",)) for syntax in range(3)] for number in range(90)]
    batches = propose_whole(groups)
    assert [len(batch) for batch in batches] == [126, 126, 18]
    homes = {context.abstract_syntax: number for number, batch in enumerate(batches) for context in batch}
    assert all(homes[c.abstract_syntax] == number for number, batch in enumerate(batches) for c in batch)
    assert propose_whole([]) == []
    assert [len(batch) for batch in propose_whole([[(f"1.{n}", ("1.2",)) for n in range(200)]])] == [128, 72]


def test_roles_are_asked_for_once_per_class() -> None:
    request = association_request("A", "B", propose_one([(CT, ("1.2",))]), receives=(CT, CT))
    assert [(role.sop_class, role.scu, role.scp) for role in request.user.roles] == [(CT, False, True)]
