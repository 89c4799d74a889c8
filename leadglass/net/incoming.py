"""A C-STORE that comes in while a C-GET runs (PS3.4 C.4.3.3): its data set streams to a sink, then it is answered."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import TypeAlias

from leadglass.core.errors import ErrorCode, LeadglassError
from leadglass.net.connection import Connection
from leadglass.net.mailbox import Gate, Mailbox
from leadglass.wire.dimse import status
from leadglass.wire.dimse.commands import Command, c_store_rsp
from leadglass.wire.ul.pdu import AcceptedContext

HIGH_WATER = 1024 * 1024  # bytes of a data set waiting for a slow sink before reading pauses

StoreSink: TypeAlias = Callable[[Command, AcceptedContext, AsyncIterator[bytes]], Awaitable[int]]
"""Takes an instance: the C-STORE request, its context (transfer syntax), the data set in pieces. Returns the status to
answer. The pieces raise UNAVAILABLE when the association ends before the data set does. A LeadglassError or an OSError
of the sink becomes a failure status; any other error ends the association and is raised by the operation."""

_STATUSES = {
    ErrorCode.OUT_OF_RESOURCES: status.OUT_OF_RESOURCES,
    ErrorCode.UNAVAILABLE: status.OUT_OF_RESOURCES,
    ErrorCode.NOT_AUTHORISED: status.REFUSED_NOT_AUTHORIZED,
    ErrorCode.IDENTITY_MISMATCH: status.DATA_SET_DOES_NOT_MATCH_SOP_CLASS,
    ErrorCode.INVALID_UID: status.INVALID_SOP_INSTANCE,
    ErrorCode.DUPLICATE_REFUSED: status.DUPLICATE_REFUSED,
}


class IncomingStore:
    """One sub-operation, from its request to its response."""

    def __init__(
        self,
        conn: Connection,
        context: AcceptedContext,
        command: Command,
        sink: StoreSink,
        *,
        gate: Gate,
        failed: Callable[[Exception], None],
    ) -> None:
        self.finished = False
        self.complete = False  # all of its data set has come: what is still awaited is our sink
        self._conn = conn
        self._context = context
        self._command = command
        self._sink = sink
        self._failed = failed
        self._taking = True
        self._pieces: Mailbox[bytes] = Mailbox(gate, HIGH_WATER)
        self._ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._task = asyncio.get_running_loop().create_task(self._run())

    def data(self, data: memoryview, last: bool) -> None:
        """A piece of the data set came."""
        if self._taking:
            self._pieces.put(bytes(data), len(data))
        if last:
            self.complete = True
            if self._taking:
                self._pieces.put(b"", 0)
            if not self._ended.done():
                self._ended.set_result(None)

    def closed(self, error: LeadglassError) -> None:
        """The association is over."""
        self._pieces.fail(error)
        if not self._ended.done():
            self._ended.set_result(None)

    async def _arriving(self) -> AsyncIterator[bytes]:
        while True:
            piece = await self._pieces.get()
            if piece:
                yield piece
            elif self.complete:  # a piece may be empty in the middle too, but not after the last
                return

    async def _run(self) -> None:
        try:
            code = await self._store()
        except Exception as error:
            self._failed(error)
            self._conn.abort()
            return
        finally:
            self._taking = False
            self._pieces.discard()
        await self._ended
        self.finished = True
        if self._conn.established:
            self._conn.send_message(self._context.id, c_store_rsp(self._command, code))

    async def _store(self) -> int:
        try:
            return await self._sink(self._command, self._context, self._arriving())
        except LeadglassError as error:
            return _STATUSES.get(error.code, status.CANNOT_UNDERSTAND)
        except OSError:
            return status.OUT_OF_RESOURCES
