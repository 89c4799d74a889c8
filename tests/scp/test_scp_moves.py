"""C-MOVE and C-GET over the wire: who may move where, destinations that are gone, deaf or well."""

import asyncio
import socket

import pytest

from leadglass.core.attributes import Attribute
from leadglass.dicom import uids
from leadglass.dicom.values import read_attributes
from leadglass.net.handler import HandlerDefaults
from leadglass.net.listener import listen
from leadglass.wire.dimse.commands import c_store_rsp
from leadglass.wire.ul.pdu import AssociateAC, ContextResult, UserInformation

FAILED = 0x00080058


class Receiver(HandlerDefaults):
    """A storage SCP that remembers requests and data."""

    def __init__(self, stored, answer=0):
        self.stored, self.answer = stored, answer

    def connected(self, conn):
        return True

    def association_requested(self, conn, request):
        results = tuple(ContextResult(c.id, 0, c.transfer_syntaxes[0]) for c in request.contexts)
        conn.accept(AssociateAC(request.called_ae, request.calling_ae, results, UserInformation(16384, "1.2.3")))

    def command_received(self, conn, context_id, command):
        self.command, self.data = command, bytearray()

    def data_received(self, conn, context_id, data, last):
        self.data += data
        if last:
            self.stored.append((self.command, bytes(self.data)))
            conn.send_message(context_id, c_store_rsp(self.command, self.answer))


async def stored_images(door, count=1):
    first = door.Image()
    images = [first, *(door.Image(study=first.study, series=first.series) for _ in range(count - 1))]
    async with door.caller() as caller:
        await caller.stored(*images)
    return images


async def final(door, destination, study):
    async with door.caller() as caller:
        answers = await caller.move(destination, study)
        await caller.still_works()
        return answers[-1]


@pytest.mark.parametrize("title", ["NOBODY", "", "CT", "sink"])
async def test_an_unknown_destination(door, title):
    (image,) = await stored_images(door)
    answer = await final(door, title or " ", image.study)
    assert answer.status == 0xA801
    assert 0 < len(answer.command.error_comment) <= 64


async def test_a_destination_that_is_not_permitted(door):
    (image,) = await stored_images(door)
    assert (await final(door, "PRIVATE", image.study)).status == 0x0124


async def test_a_destination_that_refuses_the_connection(door):
    images = await stored_images(door, 2)
    answer = await final(door, "GONE", images[0].study)
    assert answer.status == 0xA702
    assert (answer.command.failed, answer.command.completed) == (2, 0)
    failed = read_attributes(answer.data, uids.EXPLICIT_VR_LE)[FAILED].values
    assert set(failed) == {image.uid for image in images}


async def test_images_arrive_with_the_originator(door):
    images = await stored_images(door, 3)
    stored = []
    listener = await listen("127.0.0.1", door.sink_port, lambda: Receiver(stored))
    try:
        answer = await final(door, "SINK", images[0].study)
    finally:
        await listener.drain(0)
    assert (answer.status, answer.command.completed) == (0, 3)
    assert {data for _, data in stored} == {image.data() for image in images}
    assert {command.move_originator_ae for command, _ in stored} == {"WS"}
    assert all(command.move_originator_message_id for command, _ in stored)


async def test_what_the_destination_refuses_is_listed(door):
    images = await stored_images(door, 2)
    refusals = iter((0, 0xA700))
    stored = []

    class Choosy(Receiver):
        def data_received(self, conn, context_id, data, last):
            if last:
                self.answer = next(refusals)
            super().data_received(conn, context_id, data, last)

    listener = await listen("127.0.0.1", door.sink_port, lambda: Choosy(stored))
    try:
        answer = await final(door, "SINK", images[0].study)
    finally:
        await listener.drain(0)
    assert (answer.status, answer.command.completed, answer.command.failed) == (0xB000, 1, 1)
    failed = read_attributes(answer.data, uids.EXPLICIT_VR_LE)[FAILED].values
    assert failed == (stored[1][0].affected_sop_instance_uid,)


async def test_nothing_to_move_is_a_success(door):
    assert (await final(door, "SINK", "1.2.3.4.5.6")).status == 0


async def test_a_move_without_its_unique_key(door):
    async with door.caller() as caller:
        context = caller.peer.context_for(uids.STUDY_ROOT_MOVE)
        answers = [a async for a in caller.peer.move(context, door.identifier("STUDY", {}), "SINK")]
        assert (answers[-1].status, tuple(answers[-1].command.offending_elements)) == (0xA900, (0x0020000D,))
        await caller.still_works()


async def test_images_come_back_by_get_as_they_went(door):
    images = await stored_images(door, 3)
    got = {}

    async def sink(command, context, pieces):
        got[command.affected_sop_instance_uid] = b"".join([piece async for piece in pieces])
        return 0

    async with door.caller() as caller:
        what = door.identifier("STUDY", {0x0020000D: Attribute("UI", (images[0].study,))})
        context = caller.peer.context_for(uids.STUDY_ROOT_GET)
        answers = [answer async for answer in caller.peer.get(context, what, sink)]
        assert (answers[-1].status, answers[-1].command.completed) == (0, 3)
        await caller.still_works()
    assert got == {image.uid: image.data() for image in images}


@pytest.mark.slow
async def test_a_deaf_destination_is_reported_with_pending_answers_before(door):
    (image,) = await stored_images(door)
    with socket.socket() as deaf:
        deaf.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        deaf.bind(("127.0.0.1", door.deaf_port))
        deaf.listen()  # connections come about, and nobody ever speaks
        async with asyncio.timeout(30), door.caller(patience=30) as caller:
            answers = await caller.move("DEAF", image.study)
            await caller.still_works()
    assert len(answers) >= 5
    assert {answer.status for answer in answers[:-1]} == {0xFF00}
    assert (answers[-1].status, answers[-1].command.failed) == (0xA702, 1)


@pytest.mark.parametrize(
    "uid", ["..", "/etc/passwd", "..\\..", "1.2\0.3", "%2e%2e", "1" * 65, "' OR 1=1 --", "1.2*", "*"]
)
@pytest.mark.parametrize("level", ["STUDY", "SERIES", "IMAGE"])
async def test_b1_uids_that_are_none_select_nothing(door, level, uid):
    tag = {"STUDY": 0x0020000D, "SERIES": 0x0020000E, "IMAGE": 0x00080018}[level]
    async with door.caller() as caller:
        await caller.stored(door.Image())
        context = caller.peer.context_for(uids.STUDY_ROOT_MOVE)
        what = door.identifier(level, {tag: Attribute("UI", (uid,))})
        answer = [answer async for answer in caller.peer.move(context, what, "SINK")][-1]
        assert answer.status in (0, 0xA900, 0xC000)
        assert not answer.command.completed
        assert not answer.command.failed
        await caller.still_works()


async def test_a_device_may_always_move_to_itself(door):
    (image,) = await stored_images(door)
    stored = []
    listener = await listen("127.0.0.1", door.sink_port, lambda: Receiver(stored))
    try:
        async with door.caller("PRIVATE") as caller:
            assert (await caller.move("PRIVATE", image.study))[-1].status == 0
            assert (await caller.move("SINK", image.study))[-1].status == 0x0124
    finally:
        await listener.drain(0)
    assert [data for _, data in stored] == [image.data()]


@pytest.mark.parametrize("ending", ["abort", "drop"])
async def test_a_destination_that_goes_away_is_asked_for_no_more(door, ending):
    """What was stored counts; what was left is listed, and nothing of it is written down as having been read."""
    images = await stored_images(door, 6)
    stored = []

    class Leaving(Receiver):
        def data_received(self, conn, context_id, data, last):
            if len(stored) == 2:
                getattr(conn, ending)()
            else:
                super().data_received(conn, context_id, data, last)

    listener = await listen("127.0.0.1", door.sink_port, lambda: Leaving(stored))
    try:
        answer = await final(door, "SINK", images[0].study)
    finally:
        await listener.drain(0)
    assert (answer.status, answer.command.completed, answer.command.failed) == (0xB000, 2, 4)
    failed = read_attributes(answer.data, uids.EXPLICIT_VR_LE)[FAILED].values
    assert set(failed) == {image.uid for image in images} - {c.affected_sop_instance_uid for c, _ in stored}


async def test_a_destination_that_takes_none_of_the_classes(door):
    images = await stored_images(door, 2)

    class Picky(Receiver):
        def association_requested(self, conn, request):
            results = tuple(ContextResult(context.id, 3) for context in request.contexts)
            conn.accept(AssociateAC(request.called_ae, request.calling_ae, results, UserInformation(16384, "1.2.3")))

    listener = await listen("127.0.0.1", door.sink_port, lambda: Picky([]))
    try:
        answer = await final(door, "SINK", images[0].study)
    finally:
        await listener.drain(0)
    assert (answer.status, answer.command.failed) == (0xA702, 2)
    assert 0 < len(answer.command.error_comment) <= 64
