"""C-STORE sub-operations of a C-GET, over the association that asked (PS3.4 C.4.3)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence

from leadglass.core.errors import LeadglassError
from leadglass.core.ports import OutgoingDataSet, OutgoingSource, SubOperation
from leadglass.core.records import StoredInstance
from leadglass.net.connection import Connection
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
        self._contexts: dict[str, list[AcceptedContext]] = {}
        for context in conn.accepted.values():
            if context.scu_role:
                self._contexts.setdefault(context.abstract_syntax, []).append(context)

    def answered(self, response: Command) -> None:
        """A C-STORE response came; one nobody waits for is ignored."""
        waiting = self._waiting
        if waiting is None or waiting.done() or response.message_id_responded_to != self._message_id:
            return
        waiting.set_result(response.status or 0)

    def closed(self) -> None:
        """The association is gone."""
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(status.CANNOT_UNDERSTAND)

    async def run(
        self, instances: Sequence[StoredInstance], source: OutgoingSource, cancelled: Callable[[], bool]
    ) -> AsyncIterator[SubOperation]:
        """Send each instance; the next one is opened while the peer stores the one before."""
        loop = asyncio.get_running_loop()
        ahead: asyncio.Task[OutgoingDataSet | LeadglassError] | None = None
        try:
            for number, stored in enumerate(instances):
                opened = await (ahead or self._open(stored, source))
                following = instances[number + 1] if number + 1 < len(instances) else None
                ahead = loop.create_task(self._open(following, source)) if following is not None else None
                if isinstance(opened, LeadglassError):
                    code = status_of(opened, RETRIEVE)
                else:
                    code = await self._send(stored, opened)
                yield SubOperation(stored.identity.sop_instance_uid, code)
                if cancelled():
                    return
        finally:
            if ahead is not None:
                ahead.cancel()

    async def _open(self, stored: StoredInstance, source: OutgoingSource) -> OutgoingDataSet | LeadglassError:
        contexts = self._contexts.get(stored.identity.sop_class_uid, [])
        try:
            return await source.open(stored, [context.transfer_syntax for context in contexts])
        except LeadglassError as error:
            return error

    async def _send(self, stored: StoredInstance, opened: OutgoingDataSet) -> int:
        identity = stored.identity
        context = next(
            context
            for context in self._contexts[identity.sop_class_uid]
            if context.transfer_syntax == opened.transfer_syntax_uid
        )
        self._message_id = self._message_id % 0xFFFF + 1
        self._waiting = asyncio.get_running_loop().create_future()
        command = c_store_rq(
            self._message_id, identity.sop_class_uid, identity.sop_instance_uid, priority=self._priority
        )
        await self._conn.send_stream(context.id, command, opened.chunks)
        try:
            async with asyncio.timeout(RESPONSE_TIMEOUT):
                return await self._waiting
        except TimeoutError:
            self._conn.abort()
            return status.CANNOT_UNDERSTAND
