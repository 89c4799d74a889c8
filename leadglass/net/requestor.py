"""The requestor of services: C-ECHO, C-STORE, C-FIND, C-GET, C-MOVE, C-CANCEL, and any N-service through `request`.

One operation at a time (window 1, 1). Responses wait in a bounded mailbox: a caller that is slow makes the connection
read no further. An operation that its caller leaves early is cancelled and its rest read, so that the association stays
usable; one that is interrupted otherwise ends the association, since what the peer does next is unknown.
"""

from __future__ import annotations

import asyncio
from collections.abc import (
    AsyncGenerator,
    AsyncIterable,
    AsyncIterator,
    Callable,
    Coroutine,
    Iterable,
    Mapping,
    Sequence,
)
from typing import NamedTuple, TypeAlias

from leadglass.core.errors import ErrorCode, LeadglassError
from leadglass.dicom.uids import VERIFICATION
from leadglass.net.connection import Connection, PackedMessage
from leadglass.net.dialer import DialOptions, open_association
from leadglass.net.handler import CloseReason, HandlerDefaults
from leadglass.net.incoming import IncomingStore, StoreSink
from leadglass.net.mailbox import Gate, Mailbox
from leadglass.wire.dimse import status
from leadglass.wire.dimse.commands import (
    Command,
    CommandField,
    Priority,
    c_cancel_rq,
    c_echo_rq,
    c_find_rq,
    c_get_rq,
    c_move_rq,
    c_store_rq,
    response_to,
)
from leadglass.wire.ul.pdata import Buffer
from leadglass.wire.ul.pdu import AcceptedContext, AssociateRQ

RESPONSE_TIMEOUT = 120.0  # seconds without any word of a peer that owes an answer; a C-MOVE may say nothing for long
CANCEL_PATIENCE = 30.0  # seconds for a cancelled operation to end before the association is aborted
RESPONSES_HIGH_WATER = 1024 * 1024  # bytes of answers waiting for a slow caller before reading pauses
RESPONSE_WEIGHT = 512  # what an answer without data set counts for

Source: TypeAlias = bytes | Iterable[Buffer] | AsyncIterable[Buffer]

_SEVERAL_RESPONSES = (CommandField.C_FIND_RQ, CommandField.C_GET_RQ, CommandField.C_MOVE_RQ)

_ENDINGS: Mapping[CloseReason, str] = {
    CloseReason.ABORTED_BY_PEER: "The peer aborted the association.",
    CloseReason.LOST: "The peer closed the connection.",
    CloseReason.VIOLATION: "The peer broke the protocol.",
    CloseReason.TIMEOUT: "The peer took too long.",
}


class Response(NamedTuple):
    """An answer, and its data set as the context's transfer syntax has it."""

    command: Command
    data: bytes | None

    @property
    def status(self) -> int:
        """Status (0000,0900)."""
        return self.command.status or 0


class _Operation:
    """A request that is waiting for its last answer."""

    def __init__(self, context_id: int, command: Command, sink: StoreSink | None, gate: Gate) -> None:
        self.context_id = context_id
        self.command = command
        self.sink = sink
        self.store: IncomingStore | None = None
        self.cancelled = False
        self.responses: Mailbox[Response] = Mailbox(gate, RESPONSES_HIGH_WATER)

    def owns(self, context_id: int, response: Command) -> bool:
        """Whether `response` answers this request."""
        return (
            context_id == self.context_id
            and response.field == self.command.field | 0x8000
            and response.message_id_responded_to == self.command.message_id
        )

    def ends_with(self, code: int) -> bool:
        """Whether no response follows one with this status."""
        return self.command.field not in _SEVERAL_RESPONSES or not status.is_pending(code)


class Requestor(HandlerDefaults):
    """Asks services of a peer over one association. Made by `dial`; used on the event loop by one task at a time.

    Errors are LeadglassError: UNAVAILABLE when the association ends or the peer does not answer in time (it is aborted
    then), UNPARSABLE when it answers what was not asked, USAGE when an operation runs already.
    """

    def __init__(self, *, response_timeout: float = RESPONSE_TIMEOUT) -> None:
        self.response_timeout = response_timeout
        self._conn: Connection | None = None
        self._gate: Gate | None = None
        self._operation: _Operation | None = None
        self._take: Callable[[memoryview, bool], None] | None = None  # of the data set that is coming in
        self._message_id = 0
        self._words = 0  # counts what the peer says: a peer that sends images is not silent
        self._over: LeadglassError | None = None

    def attach(self, conn: Connection) -> None:
        """Use this connection, whose handler this is."""
        self._conn = conn
        self._gate = Gate(conn)

    # --- what was agreed on -------------------------------------------------------------------------------------

    @property
    def connection(self) -> Connection:
        """The connection; USAGE before `attach`."""
        if self._conn is None:
            raise LeadglassError(ErrorCode.USAGE, "The requestor has no connection.")
        return self._conn

    @property
    def accepted(self) -> Mapping[int, AcceptedContext]:
        """The presentation contexts the peer accepted, by identifier."""
        return self.connection.accepted

    def contexts_for(self, abstract_syntax: str) -> list[AcceptedContext]:
        """The accepted contexts in which we may ask for this SOP class, in the order of their identifiers."""
        contexts = sorted(self.accepted.values(), key=lambda context: context.id)
        return [context for context in contexts if context.abstract_syntax == abstract_syntax and context.scu_role]

    def context_for(self, abstract_syntax: str, transfer_syntaxes: Sequence[str] = ()) -> AcceptedContext:
        """The context for this SOP class, the best by `transfer_syntaxes` if they are given. CANNOT_CONVERT if none."""
        contexts = self.contexts_for(abstract_syntax)
        for syntax in transfer_syntaxes:
            for context in contexts:
                if context.transfer_syntax == syntax:
                    return context
        if transfer_syntaxes or not contexts:
            raise LeadglassError(ErrorCode.CANNOT_CONVERT, "The peer did not accept this service or transfer syntax.")
        return contexts[0]

    def next_message_id(self) -> int:
        """A Message ID, 1 to 65,535 and round again."""
        self._message_id = self._message_id % 0xFFFF + 1
        return self._message_id

    # --- services -----------------------------------------------------------------------------------------------

    async def echo(self) -> int:
        """C-ECHO; its status."""
        context = self.context_for(VERIFICATION)
        return (await self.ask(context, c_echo_rq(self.next_message_id()))).status

    async def store(
        self,
        context: AcceptedContext,
        sop_instance: str,
        data: Source,
        *,
        priority: int = Priority.MEDIUM,
        originator: tuple[str, int] | None = None,
    ) -> Response:
        """C-STORE of one instance in the context's SOP class and transfer syntax; the peer's answer.

        `data` is the data set, whole or in chunks that are read no faster than the peer takes them; a plain iterable
        runs on the event loop, so it should not wait for anything. An error of `data` is raised: if some was sent
        already, the association is aborted, since a data set cannot be taken back. `originator` is the AE title and
        Message ID of the C-MOVE that this is a sub-operation of.
        """
        return await self.ask(context, self._store_command(context, sop_instance, priority, originator), data)

    def pack_store(
        self,
        context: AcceptedContext,
        sop_instance: str,
        data: Iterable[Buffer],
        *,
        priority: int = Priority.MEDIUM,
        originator: tuple[str, int] | None = None,
    ) -> PackedMessage:
        """The request of `store` for a data set in memory, ready to be posted."""
        command = self._store_command(context, sop_instance, priority, originator)
        return self.connection.pack(context.id, command, data)

    def post(self, context: AcceptedContext, request: PackedMessage) -> Coroutine[None, None, Response]:
        """Send what `pack_store` made, at once; the coroutine waits for the peer's answer and must be awaited."""
        operation = self._begin(context, request.command, None)
        try:
            self.connection.send_packed(request)
        except BaseException:
            self._operation = None
            raise
        return self._answer_to(operation)

    async def _answer_to(self, operation: _Operation) -> Response:
        try:
            return await self._next(operation)
        except asyncio.CancelledError:
            self.abort()
            raise
        finally:
            self._operation = None

    def _store_command(
        self, context: AcceptedContext, sop_instance: str, priority: int, originator: tuple[str, int] | None
    ) -> Command:
        title, message_id = originator or ("", None)
        return c_store_rq(
            self.next_message_id(),
            context.abstract_syntax,
            sop_instance,
            priority=priority,
            move_originator_ae=title,
            move_originator_message_id=message_id,
        )

    def find(
        self, context: AcceptedContext, identifier: bytes, *, priority: int = Priority.MEDIUM
    ) -> AsyncGenerator[Response, None]:
        """C-FIND; every response, the last one included. `identifier` is encoded in the context's transfer syntax.

        Close the generator (`contextlib.aclosing`) to leave before the end: that sends C-CANCEL and reads the rest.
        """
        command = c_find_rq(self.next_message_id(), context.abstract_syntax, priority=priority)
        return self.request(context, command, identifier)

    def get(
        self, context: AcceptedContext, identifier: bytes, sink: StoreSink, *, priority: int = Priority.MEDIUM
    ) -> AsyncGenerator[Response, None]:
        """C-GET; every response, the last one included, while `sink` takes the instances one after the other.

        The association must have been asked for with the SCP role of the storage classes (`proposals`). Closing the
        generator early sends C-CANCEL.
        """
        command = c_get_rq(self.next_message_id(), context.abstract_syntax, priority=priority)
        return self.request(context, command, identifier, sink=sink)

    def move(
        self, context: AcceptedContext, identifier: bytes, destination: str, *, priority: int = Priority.MEDIUM
    ) -> AsyncGenerator[Response, None]:
        """C-MOVE to the AE title `destination`; every response. Closing the generator early sends C-CANCEL."""
        command = c_move_rq(self.next_message_id(), context.abstract_syntax, destination, priority=priority)
        return self.request(context, command, identifier)

    def cancel(self) -> None:
        """C-CANCEL of the C-FIND, C-GET or C-MOVE that runs; its last response is still to be read. Else no effect."""
        operation = self._operation
        if operation is None or operation.cancelled or operation.command.field not in _SEVERAL_RESPONSES:
            return
        operation.cancelled = True
        if self.connection.established:
            self.connection.send_message(operation.context_id, c_cancel_rq(operation.command.message_id or 0))

    async def ask(self, context: AcceptedContext, command: Command, data: Source | None = None) -> Response:
        """A request that has one response."""
        responses = self.request(context, command, data)
        try:
            return await anext(responses)
        finally:
            await responses.aclose()

    async def request(
        self, context: AcceptedContext, command: Command, data: Source | None = None, *, sink: StoreSink | None = None
    ) -> AsyncGenerator[Response, None]:
        """Send any request, with its data set if it has one, and yield its responses until the last."""
        operation = self._begin(context, command, sink)
        try:
            await self._send(context.id, command, data)
            while True:
                response = await self._next(operation)
                ended = operation.ends_with(response.status)
                if ended:
                    self._operation = None
                yield response
                if ended:
                    return
        except GeneratorExit:
            await self._leave(operation)
            raise
        except asyncio.CancelledError:
            if self._operation is operation:
                self.abort()
            raise
        finally:
            if self._operation is operation:
                self._operation = None

    async def release(self) -> None:
        """Release the association and wait for its end."""
        await self.connection.release()

    def abort(self) -> None:
        """Abort the association."""
        self.connection.abort()

    # --- the connection's handler -------------------------------------------------------------------------------

    def command_received(self, conn: Connection, context_id: int, command: Command) -> None:
        """An answer, or a request of the peer's own."""
        self._words += 1
        operation = self._operation
        if not command.is_response:
            self._take_request(conn, context_id, command)
        elif operation is None or not operation.owns(context_id, command):
            self._violated(conn)
        elif command.has_data_set:
            gathered = bytearray()  # bounded by the assembler

            def take(data: memoryview, last: bool) -> None:
                nonlocal gathered
                gathered += data
                if last:
                    operation.responses.put(Response(command, bytes(gathered)), RESPONSE_WEIGHT + len(gathered))

            self._take = take
        else:
            operation.responses.put(Response(command, None), RESPONSE_WEIGHT)

    def data_received(self, conn: Connection, context_id: int, data: memoryview, last: bool) -> None:
        """A piece of a data set."""
        self._words += 1
        take = self._take
        if last:
            self._take = None
        if take is not None:
            take(data, last)

    def closed(self, conn: Connection, reason: CloseReason) -> None:
        """The association is over: whoever waits is told."""
        if self._over is None:
            self._over = LeadglassError(ErrorCode.UNAVAILABLE, _ENDINGS.get(reason, "The association is over."))
        self._take = None
        operation = self._operation
        if operation is not None:
            operation.responses.fail(self._over)
            if operation.store is not None:
                operation.store.closed(self._over)

    # --- inside -------------------------------------------------------------------------------------------------

    def _begin(self, context: AcceptedContext, command: Command, sink: StoreSink | None) -> _Operation:
        if self._operation is not None:
            raise LeadglassError(ErrorCode.USAGE, "Another operation runs on this association.")
        if self._over is not None:
            raise self._over
        if self._gate is None:
            raise LeadglassError(ErrorCode.USAGE, "The requestor has no connection.")
        self._operation = _Operation(context.id, command, sink, self._gate)
        return self._operation

    async def _send(self, context_id: int, command: Command, data: Source | None) -> None:
        conn = self.connection
        if data is None or isinstance(data, bytes):
            conn.send_message(context_id, command, data)
            await conn.drained()
        else:
            await conn.send_stream(context_id, command, _chunks(data))

    async def _next(self, operation: _Operation) -> Response:
        """The next response. Time counts only while it is the peer's turn and it says nothing."""
        while True:
            words = self._words
            try:
                async with asyncio.timeout(self.response_timeout):
                    return await operation.responses.get()
            except TimeoutError:
                if words == self._words and not self._our_turn(operation):
                    self.abort()
                    raise LeadglassError(ErrorCode.UNAVAILABLE, "The peer did not answer in time.") from None

    def _our_turn(self, operation: _Operation) -> bool:
        store = operation.store
        busy = store is not None and store.complete and not store.finished
        return busy or (self._gate is not None and self._gate.closed)

    async def _leave(self, operation: _Operation) -> None:
        """The caller closed the generator: have the operation end, or the association."""
        if self._operation is not operation or self._over is not None:
            return
        try:
            self.cancel()
            async with asyncio.timeout(CANCEL_PATIENCE):
                while not operation.ends_with((await self._next(operation)).status):
                    pass
        except (LeadglassError, TimeoutError):
            self.abort()

    def _take_request(self, conn: Connection, context_id: int, command: Command) -> None:
        operation = self._operation
        if command.field is CommandField.C_CANCEL_RQ:
            return
        if operation is None or operation.sink is None or command.field is not CommandField.C_STORE_RQ:
            self._refuse(conn, context_id, command, status.UNRECOGNIZED_OPERATION)
        elif not conn.accepted[context_id].scp_role:
            self._refuse(conn, context_id, command, status.SOP_CLASS_NOT_SUPPORTED)
        elif not command.has_data_set:
            self._refuse(conn, context_id, command, status.MISTYPED_ARGUMENT)
        elif operation.store is not None and not operation.store.finished:
            self._violated(conn)  # a second one before the first was answered breaks the window (1, 1)
        else:
            self._begin_store(conn, context_id, command, operation, operation.sink)

    def _begin_store(
        self, conn: Connection, context_id: int, command: Command, operation: _Operation, sink: StoreSink
    ) -> None:
        assert self._gate is not None
        operation.store = IncomingStore(
            conn, conn.accepted[context_id], command, sink, gate=self._gate, failed=operation.responses.fail
        )
        self._take = operation.store.data

    def _refuse(self, conn: Connection, context_id: int, command: Command, code: int) -> None:
        """Answer a request nobody here serves, after its data set has passed."""

        def pass_by(data: memoryview, last: bool) -> None:
            if last:
                conn.send_message(context_id, response_to(command, code))

        if command.has_data_set:
            self._take = pass_by
        else:
            conn.send_message(context_id, response_to(command, code))

    def _violated(self, conn: Connection) -> None:
        if self._over is None:
            self._over = LeadglassError(ErrorCode.UNPARSABLE, "The peer sent a message that was not asked for.")
        conn.abort()


async def _chunks(data: Iterable[Buffer] | AsyncIterable[Buffer]) -> AsyncIterator[Buffer]:
    if isinstance(data, AsyncIterable):
        async for chunk in data:
            yield chunk
    else:
        for chunk in data:
            yield chunk


async def dial(
    host: str,
    port: int,
    request: AssociateRQ,
    options: DialOptions | None = None,
    *,
    response_timeout: float = RESPONSE_TIMEOUT,
) -> Requestor:
    """Open an association and be its requestor. Raises what `dialer.open_association` raises."""
    requestor = Requestor(response_timeout=response_timeout)
    requestor.attach(await open_association(host, port, request, requestor, options))
    return requestor
