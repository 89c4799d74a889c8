"""C-FIND as SCP (PS3.4 C.4.1): pending answers in a stable order, cut off by C-CANCEL, never silently short."""

from __future__ import annotations

import asyncio

from leadglass.core.errors import ErrorCode, LeadglassError
from leadglass.core.limits import MAX_IDENTIFIER_LENGTH
from leadglass.core.query import FindPage
from leadglass.scp.identifiers import FindRequest, answer_bytes, find_request, unsupported
from leadglass.scp.operations import Peer
from leadglass.scp.statuses import QUERY, comment_of, status_of
from leadglass.wire.dimse import status
from leadglass.wire.dimse.commands import Command, c_find_rsp

ANSWERS_PER_TURN = 32  # then others get the loop, and a C-CANCEL is seen


class IdentifierGatherer:
    """Gathers the identifier of a query or retrieve request, bounded."""

    def __init__(self) -> None:
        self._gathered = bytearray()

    def take(self, data: memoryview) -> None:
        """Take a piece; UNPARSABLE beyond MAX_IDENTIFIER_LENGTH."""
        if len(self._gathered) + len(data) > MAX_IDENTIFIER_LENGTH:
            raise LeadglassError(ErrorCode.UNPARSABLE, "The identifier is too long.")
        self._gathered += data

    def bytes(self) -> bytes:
        """What was gathered."""
        return bytes(self._gathered)


class FindOperation:
    """One C-FIND request, from its command to its final response."""

    def __init__(self, peer: Peer, context_id: int, command: Command) -> None:
        self.finished = False
        self._peer = peer
        self._context = peer.conn.accepted[context_id]
        self._command = command
        self._identifier = IdentifierGatherer()
        self._error: LeadglassError | None = None
        self._cancelled = False
        self._task: asyncio.Task[None] | None = None

    def data(self, data: memoryview, last: bool) -> None:
        """Gather the identifier, then answer."""
        if self._error is None:
            try:
                self._identifier.take(data)
            except LeadglassError as error:
                self._error = error
        if last:
            self._task = self._peer.start(self._run())

    def cancel(self) -> None:
        """No further answer leaves; the final one says so."""
        self._cancelled = True

    def closed(self) -> None:
        """Nobody listens any more."""
        self._cancelled = True

    async def _run(self) -> None:
        try:
            await self._answer()
        except LeadglassError as error:
            self._finish(status_of(error, QUERY), comment_of(error), error.tags)
        finally:
            self.finished = True

    async def _answer(self) -> None:
        if self._error is not None:
            raise self._error
        syntax, device = self._context.transfer_syntax, self._peer.device
        request = find_request(self._identifier.bytes(), self._context.abstract_syntax, syntax, device)
        page = await self._peer.doorway.find.find(self._peer.principal, request.query)
        await self._send_pending(page, request)
        if self._cancelled:
            self._finish(status.CANCEL)
        elif page.truncated:
            self._finish(status.OUT_OF_RESOURCES, f"More than {request.query.limit} matches; narrow the query.")
        else:
            self._finish(status.SUCCESS)

    async def _send_pending(self, page: FindPage, request: FindRequest) -> None:
        conn, title, syntax = self._peer.conn, self._peer.called_title, self._context.transfer_syntax
        for number, match in enumerate(page.matches):
            if number % ANSWERS_PER_TURN == ANSWERS_PER_TURN - 1:
                await conn.drained()
                await asyncio.sleep(0)
            if self._cancelled:
                return
            code = status.PENDING_WARNING if unsupported(request, match) else status.PENDING
            response = c_find_rsp(self._command, code, has_data_set=True)
            self._peer.send(self._context.id, response, answer_bytes(match, request, title, syntax))

    def _finish(self, code: int, comment: str = "", tags: tuple[int, ...] = ()) -> None:
        self.finished = True
        response = c_find_rsp(self._command, code, error_comment=comment, offending_elements=tags)
        self._peer.send(self._context.id, response)
