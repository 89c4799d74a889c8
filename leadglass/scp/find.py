"""C-FIND as SCP (PS3.4 C.4.1): pending answers in a stable order, cut off by C-CANCEL, never silently short."""

from __future__ import annotations

import asyncio

from leadglass.core.errors import LeadglassError
from leadglass.core.query import FindPage
from leadglass.net.connection import PackedMessage
from leadglass.scp.identifier_operation import IdentifierOperation
from leadglass.scp.identifiers import FindRequest, answer_bytes, find_request, unsupported
from leadglass.scp.negotiation import combines_date_time
from leadglass.scp.operations import Peer
from leadglass.scp.statuses import QUERY, comment_of
from leadglass.wire.dimse import status
from leadglass.wire.dimse.commands import Command, c_find_rsp
from leadglass.wire.dimse.failures import status_of

ANSWERS_PER_TURN = 32  # then others get the loop, and a C-CANCEL is seen


class FindOperation(IdentifierOperation):
    """One C-FIND request, from its command to its final response."""

    def __init__(self, peer: Peer, context_id: int, command: Command) -> None:
        super().__init__(peer, context_id, command)
        self._answers: list[PackedMessage] = []  # that leave together: a write apiece costs more than the search

    def closed(self) -> None:
        """Nobody listens any more."""
        self.cancel()

    async def run(self) -> None:
        """Look for what the identifier asks, and answer."""
        try:
            await self._answer()
        except LeadglassError as error:
            self._finish(status_of(error, QUERY), comment_of(error), error.tags)
        finally:
            self.finished = True

    async def _answer(self) -> None:
        peer, model = self._peer, self._context.abstract_syntax
        combined = combines_date_time(peer.conn.request, model)
        syntax = self._context.transfer_syntax
        request = find_request(self.identifier(), model, syntax, peer.device, combined_datetime=combined)
        page = await peer.doorway.find.find(peer.principal, request.query, lambda: self._cancelled)
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
                self._flush()
                await conn.drained()
                await asyncio.sleep(0)
            if self._cancelled:
                return
            code = status.PENDING_WARNING if unsupported(request, match) else status.PENDING
            response = c_find_rsp(self._command, code, has_data_set=True)
            self._answers.append(conn.pack(self._context.id, response, (answer_bytes(match, request, title, syntax),)))

    def _finish(self, code: int, comment: str = "", tags: tuple[int, ...] = ()) -> None:
        self.finished = True
        response = c_find_rsp(self._command, code, error_comment=comment, offending_elements=tags)
        self._answers.append(self._peer.conn.pack(self._context.id, response, None))
        self._flush()

    def _flush(self) -> None:
        answers, self._answers = self._answers, []
        if self._peer.conn.established:
            self._peer.conn.send_packed(*answers)
