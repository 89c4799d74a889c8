"""C-STORE sub-operations of a C-GET, over the association that asked (PS3.4 C.4.3)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from math import inf

from leadglass.core.errors import LeadglassError
from leadglass.core.ports import OpenedInstance, OutgoingDataSet, OutgoingSource, SubOperation
from leadglass.core.records import StoredInstance
from leadglass.net.connection import Connection, PackedMessage
from leadglass.scp.statuses import RETRIEVE
from leadglass.wire.dimse import status
from leadglass.wire.dimse.commands import Command, c_store_rq
from leadglass.wire.dimse.failures import status_of
from leadglass.wire.ul.pdu import AcceptedContext

RESPONSE_TIMEOUT = 120.0  # seconds a peer may take to store one image


class GetSubOperations:
    """Sends instances to the peer of `conn` and gathers its answers."""

    def __init__(self, conn: Connection, priority: int) -> None:
        self._conn = conn
        self._priority = priority
        self._message_id = 0
        self._waiting: asyncio.Future[int] | None = None
        self._waiting_for: int | None = None
        self._loop = asyncio.get_running_loop()
        self._answer_by = inf  # while no answer is due
        self._timer: asyncio.TimerHandle | None = None
        self._contexts: dict[str, list[AcceptedContext]] = {}
        for context in conn.accepted.values():
            if context.scu_role:
                self._contexts.setdefault(context.abstract_syntax, []).append(context)

    def answered(self, response: Command) -> None:
        """A C-STORE response came; one nobody waits for is ignored."""
        waiting = self._waiting
        if waiting is None or waiting.done() or response.message_id_responded_to != self._waiting_for:
            return
        waiting.set_result(response.status or 0)

    def closed(self) -> None:
        """The association is gone."""
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(status.CANNOT_UNDERSTAND)

    async def run(
        self, instances: Sequence[StoredInstance], source: OutgoingSource, cancelled: Callable[[], bool]
    ) -> AsyncIterator[SubOperation]:
        """Send each instance. While the peer stores one, the next is made ready to leave."""
        opened = source.open_all(instances, self._syntaxes_for)
        self._watch()
        try:
            item = await opened.next()
            message = self._packed(item)
            while item is not None:
                if isinstance(item.outgoing, LeadglassError):
                    code, following = status_of(item.outgoing, RETRIEVE), None
                else:
                    await self._send(item.stored, item.outgoing, message)
                    following = opened.ready()
                    message = self._packed(following)
                    code = await self._answer()
                yield SubOperation(item.stored.identity.sop_instance_uid, code)
                if cancelled():
                    return
                item = following
                if item is None:
                    item = await opened.next()
                    message = self._packed(item)
        finally:
            opened.close()
            if self._timer is not None:
                self._timer.cancel()

    def _syntaxes_for(self, stored: StoredInstance) -> list[str]:
        return [context.transfer_syntax for context in self._contexts.get(stored.identity.sop_class_uid, [])]

    def _packed(self, item: OpenedInstance | None) -> PackedMessage | None:
        """The whole message, if the instance can be sent and is in memory."""
        if item is None or isinstance(item.outgoing, LeadglassError) or item.outgoing.rest is not None:
            return None
        context_id, command = self._heading(item.stored, item.outgoing)
        return self._conn.pack(context_id, command, item.outgoing.first)

    def _heading(self, stored: StoredInstance, outgoing: OutgoingDataSet) -> tuple[int, Command]:
        identity = stored.identity
        context_id = next(
            context.id
            for context in self._contexts[identity.sop_class_uid]
            if context.transfer_syntax == outgoing.transfer_syntax_uid
        )
        self._message_id = self._message_id % 0xFFFF + 1
        command = c_store_rq(
            self._message_id, identity.sop_class_uid, identity.sop_instance_uid, priority=self._priority
        )
        return context_id, command

    async def _send(self, stored: StoredInstance, outgoing: OutgoingDataSet, message: PackedMessage | None) -> None:
        self._waiting = self._loop.create_future()
        if message is not None:
            self._waiting_for = message.command.message_id
            self._conn.send_packed(message)
        else:
            context_id, command = self._heading(stored, outgoing)
            self._waiting_for = command.message_id
            await self._conn.send_stream(context_id, command, outgoing.chunks())
        self._answer_by = self._loop.time() + RESPONSE_TIMEOUT

    async def _answer(self) -> int:
        assert self._waiting is not None
        try:
            return await self._waiting
        finally:
            self._answer_by = inf

    def _watch(self) -> None:
        """End the association when an answer is overdue. One timer for all of them: setting one costs more than a
        small image."""
        now = self._loop.time()
        if now >= self._answer_by:
            self._conn.abort()
        else:
            self._timer = self._loop.call_at(min(self._answer_by, now + RESPONSE_TIMEOUT), self._watch)
