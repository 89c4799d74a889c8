"""C-CANCEL over the wire: what runs stops, is told so with the counts of then, and the association goes on."""

import asyncio
import contextlib
import socket

from leadglass.core.attributes import Attribute
from leadglass.dicom import uids
from leadglass.net.handler import HandlerDefaults
from leadglass.net.listener import listen
from leadglass.wire.dimse.commands import c_cancel_rq, c_find_rq, c_store_rsp
from leadglass.wire.ul.pdu import AssociateAC, ContextResult, UserInformation

STUDY = 0x0020000D


async def stored_study(door, count):
    first = door.Image()
    images = [first, *(door.Image(study=first.study, series=first.series) for _ in range(count - 1))]
    async with door.caller() as caller:
        await caller.stored(*images)
    return first.study


def selection(door, study):
    return door.identifier("STUDY", {STUDY: Attribute("UI", (study,))})


def deaf(door):
    """A destination to which connections come about, and that never speaks."""
    made = socket.socket()
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    made.bind(("127.0.0.1", door.deaf_port))
    made.listen()
    return made


class Sleepy(HandlerDefaults):
    """A storage SCP that answers the first image, and then does not."""

    def __init__(self, seen):
        self.seen, self.count = seen, 0

    def connected(self, conn):
        return True

    def association_requested(self, conn, request):
        results = tuple(ContextResult(c.id, 0, c.transfer_syntaxes[0]) for c in request.contexts)
        conn.accept(AssociateAC(request.called_ae, request.calling_ae, results, UserInformation(16384, "1.2.3")))

    def command_received(self, conn, context_id, command):
        self.command = command

    def data_received(self, conn, context_id, data, last):
        if not last:
            return
        self.count += 1
        if self.count == 1:
            conn.send_message(context_id, c_store_rsp(self.command, 0))
        else:
            self.seen.set()

    def closed(self, conn, reason):
        self.seen.set()


async def test_a_move_stops_while_its_destination_connects(door):
    study = await stored_study(door, 3)
    with contextlib.closing(deaf(door)) as listening:
        listening.setblocking(False)
        async with door.caller() as caller:
            context = caller.peer.context_for(uids.STUDY_ROOT_MOVE)
            moving = caller.peer.move(context, selection(door, study), "DEAF")
            last = asyncio.ensure_future(_last(moving))
            connection, _ = await asyncio.get_running_loop().sock_accept(listening)
            caller.peer.cancel()
            answer = await last
            connection.close()
            counts = answer.command.remaining, answer.command.completed, answer.command.failed
            assert (answer.status, counts) == (0xFE00, (3, 0, 0))
            await caller.still_works()


async def test_a_move_stops_though_its_destination_does_not_answer(door):
    study = await stored_study(door, 4)
    seen = asyncio.Event()
    listener = await listen("127.0.0.1", door.sink_port, lambda: Sleepy(seen))
    try:
        async with door.caller() as caller:
            context = caller.peer.context_for(uids.STUDY_ROOT_MOVE)
            last = asyncio.ensure_future(_last(caller.peer.move(context, selection(door, study), "SINK")))
            await seen.wait()
            caller.peer.cancel()
            answer = await last
            counts = answer.command.remaining, answer.command.completed, answer.command.failed
            assert (answer.status, counts) == (0xFE00, (3, 1, 0))
            await caller.still_works()
    finally:
        await listener.drain(0)


async def test_a_get_stops_behind_the_image_that_is_under_way(door):
    study = await stored_study(door, 30)
    came = []
    async with door.caller() as caller:
        context = caller.peer.context_for(uids.STUDY_ROOT_GET)

        async def sink(command, accepted, pieces):
            came.append(b"".join([piece async for piece in pieces]))
            if len(came) == 2:
                caller.peer.cancel()
            return 0

        answer = await _last(caller.peer.get(context, selection(door, study), sink))
        await caller.still_works()
    assert answer.status == 0xFE00
    assert 2 <= len(came) <= 4  # those that were on their way when the cancel came
    assert answer.command.completed == len(came)
    assert answer.command.remaining == 30 - len(came)


async def test_a_cancel_of_what_has_ended_does_nothing(door):
    study = await stored_study(door, 1)
    async with door.associated() as peer:
        for message_id in (2, 3):
            await peer.send(door.message(door.FIND_CONTEXT, c_cancel_rq(message_id - 1)))
            question = c_find_rq(message_id, uids.STUDY_ROOT_FIND)
            await peer.send(door.message(door.FIND_CONTEXT, question, selection(door, study)))
            assert (await peer.response()).status == 0xFF00
            await peer.read()  # the match
            assert (await peer.response()).status == 0


async def _last(answers):
    return [answer async for answer in answers][-1]
