"""C-GET and C-MOVE as SCP (PS3.4 C.4.2, C.4.3): sub-operations one after the other, pending answers between them."""

from __future__ import annotations

import asyncio
from abc import abstractmethod
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing
from typing import ClassVar

from leadglass.core.errors import LeadglassError
from leadglass.core.limits import PENDING_INTERVAL_SECONDS
from leadglass.core.ports import OutgoingSource, SubOperation
from leadglass.core.records import StoredInstance
from leadglass.scp.get_suboperations import GetSubOperations
from leadglass.scp.identifier_operation import IdentifierOperation
from leadglass.scp.identifiers import failed_list, selection_of
from leadglass.scp.operations import Peer, Tally
from leadglass.scp.statuses import RETRIEVE, comment_of
from leadglass.wire.dimse import status
from leadglass.wire.dimse.commands import Command, c_get_rsp, c_move_rsp
from leadglass.wire.dimse.failures import status_of

CANCEL_PATIENCE = 3.0  # seconds; then a destination that is connecting, or takes no more, is left
PENDING_AT_MOST_EVERY = 0.5  # seconds: an answer per image would cost as much as a small image


class RetrieveOperation(IdentifierOperation):
    """One C-GET or C-MOVE request, from its command to its final response."""

    response: ClassVar[Callable[..., Command]]  # builds the service's response
    cancel_patience: ClassVar[float | None]  # seconds that a sub-operation may still take after C-CANCEL

    def __init__(self, peer: Peer, context_id: int, command: Command) -> None:
        super().__init__(peer, context_id, command)
        self._tally = Tally()

    def closed(self) -> None:
        """Nobody listens any more: stop sending, to other destinations too."""
        self.cancel()
        if self._task is not None:
            self._task.cancel()

    def respond(self, code: int, tally: Tally, comment: str, tags: tuple[int, ...], data: bytes | None) -> None:
        """Send a response of this service."""
        response = self.response(
            self._command,
            code,
            has_data_set=data is not None,
            error_comment=comment,
            offending_elements=tags,
            **_counts(tally, code),
        )
        self._peer.send(self._context.id, response, data)

    @abstractmethod
    async def sub_operations(
        self, instances: list[StoredInstance], source: OutgoingSource
    ) -> AsyncIterator[SubOperation]:
        """Send the instances; one result each."""
        yield SubOperation("", status.SUCCESS)

    @abstractmethod
    def check(self) -> None:
        """Refuse what cannot be done, before anything is selected."""

    async def run(self) -> None:
        """Select, send, and answer with the counts."""
        try:
            await self._retrieve()
        except LeadglassError as error:
            self.finished = True
            self.respond(status_of(error, RETRIEVE), self._tally, comment_of(error), error.tags, None)
        finally:
            self.finished = True

    async def _retrieve(self) -> None:
        identifier = self.identifier()
        self.check()
        context = self._context
        selection = selection_of(identifier, context.abstract_syntax, context.transfer_syntax, self._peer.device)
        doorway, principal = self._peer.doorway, self._peer.principal
        instances = await doorway.retrieve.select(principal, selection)
        self._tally.remaining = len(instances)
        comment = await self._send(instances, doorway.retrieve.source(principal)) if instances else ""
        self._finish(len(instances), comment)

    async def _send(self, instances: list[StoredInstance], source: OutgoingSource) -> str:
        """Send what can be sent; what is left when the receiver goes has failed. Returns why, or an empty text."""
        loop = asyncio.get_running_loop()
        ticker = loop.create_task(self._tick())
        waiting = dict.fromkeys(stored.identity.sop_instance_uid for stored in instances)
        sending = loop.create_task(self._count_results(instances, source, waiting))
        try:
            await asyncio.wait((sending, self._cancelling), return_when=asyncio.FIRST_COMPLETED)
            if not sending.done():
                await asyncio.wait((sending,), timeout=self.cancel_patience)
            if sending.done():
                sending.result()
        except LeadglassError as error:
            for uid in waiting:
                self._tally.count(uid, status_of(error, RETRIEVE))
            return comment_of(error)
        finally:
            ticker.cancel()
            if sending.cancel():
                await asyncio.gather(sending, return_exceptions=True)
        return ""

    async def _count_results(
        self, instances: list[StoredInstance], source: OutgoingSource, waiting: dict[str, None]
    ) -> None:
        """Send until all is sent or a C-CANCEL came, and take from `waiting` what has its result."""
        loop = asyncio.get_running_loop()
        told = loop.time()
        async with aclosing(self.sub_operations(instances, source)) as results:  # type: ignore[type-var]
            async for result in results:
                self._tally.count(result.sop_instance_uid, result.status)
                waiting.pop(result.sop_instance_uid, None)
                if self._cancelled:
                    return
                if loop.time() - told >= PENDING_AT_MOST_EVERY:
                    self._pending()
                    told = loop.time()

    async def _tick(self) -> None:
        """A pending answer at least every PENDING_INTERVAL_SECONDS, also while a destination connects."""
        while True:
            await asyncio.sleep(PENDING_INTERVAL_SECONDS - 1)
            self._pending()

    def _pending(self) -> None:
        """Say how far it is; not amid an image of a C-GET, which shares the association with the answers."""
        if self._tally.remaining > 0 and not self.finished and not self._peer.conn.sending:
            self.respond(status.PENDING, self._tally, "", (), None)

    def _finish(self, total: int, comment: str) -> None:
        tally = self._tally
        self.finished = True
        data = failed_list(tally.failed_uids, self._context.transfer_syntax) if tally.failed_uids else None
        if self._cancelled:
            self.respond(status.CANCEL, tally, "", (), data)
        elif total and tally.failed == total:
            reason = comment or "No image could be sent."
            self.respond(status.UNABLE_TO_PERFORM_SUBOPERATIONS, tally, reason, (), data)
        elif tally.failed or tally.warning:
            self.respond(status.SUBOPERATIONS_COMPLETE_WITH_FAILURES, tally, comment, (), data)
        else:
            self.respond(status.SUCCESS, tally, "", (), None)


def _counts(tally: Tally, code: int) -> dict[str, int | None]:
    """Numbers of sub-operations; "remaining" only while there may be some (PS3.7 table 9.3-9)."""
    counts: dict[str, int | None] = {"completed": tally.completed, "failed": tally.failed, "warning": tally.warning}
    if code in (status.PENDING, status.CANCEL):
        counts["remaining"] = tally.remaining
    return counts


class GetOperation(RetrieveOperation):
    """C-GET: the images come back over the same association."""

    response = staticmethod(c_get_rsp)
    cancel_patience = None  # half a message on the peer's own association cannot be taken back

    def __init__(self, peer: Peer, context_id: int, command: Command) -> None:
        super().__init__(peer, context_id, command)
        self._outgoing = GetSubOperations(peer.conn, command.priority or 0)

    def check(self) -> None:
        """Nothing to refuse: contexts are looked at per image."""

    def store_response(self, response: Command) -> None:
        """The peer answered a C-STORE sub-operation."""
        self._outgoing.answered(response)

    def closed(self) -> None:
        """Nobody listens any more."""
        super().closed()
        self._outgoing.closed()

    def sub_operations(self, instances: list[StoredInstance], source: OutgoingSource) -> AsyncIterator[SubOperation]:
        """Send over this association."""
        return self._outgoing.run(instances, source, lambda: self._cancelled)


class MoveOperation(RetrieveOperation):
    """C-MOVE: the images go to an enrolled device."""

    response = staticmethod(c_move_rsp)
    cancel_patience = CANCEL_PATIENCE

    def check(self) -> None:
        """UNKNOWN_DESTINATION or NOT_AUTHORISED before anything is read."""
        title = (self._command.move_destination or "").strip(" \0")
        self._destination = self._peer.doorway.destination(self._peer.principal, title)

    def sub_operations(self, instances: list[StoredInstance], source: OutgoingSource) -> AsyncIterator[SubOperation]:
        """Send to the destination, with Move Originator AE Title and Message ID."""
        return self._peer.doorway.sender.send(
            self._destination,
            instances,
            source,
            originator=self._peer.principal.ae_title,
            originator_message_id=self._command.message_id or 0,
        )
