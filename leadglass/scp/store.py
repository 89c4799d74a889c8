"""C-STORE as SCP (PS3.4 annex B): bytes go to services.ingest as they arrive; the answer waits for the promise."""

from __future__ import annotations

import asyncio

from leadglass.core import crashpoints
from leadglass.core.errors import ErrorCode, LeadglassError
from leadglass.scp.operations import Peer, command_identity
from leadglass.scp.statuses import comment_of
from leadglass.services.ingest import Announced, Reception
from leadglass.wire.dimse import status
from leadglass.wire.dimse.commands import Command, c_store_rsp
from leadglass.wire.dimse.failures import STORE, status_of


class StoreOperation:
    """One C-STORE request, from its command to its response."""

    def __init__(self, peer: Peer, context_id: int, command: Command) -> None:
        self.finished = False
        self._peer = peer
        self._context_id = context_id
        self._command = command
        self._error: LeadglassError | None = None
        self._relieving: asyncio.Task[None] | None = None
        self._ended = False
        self._task: asyncio.Task[None] | None = None
        self._reception = self._begin()

    def data(self, data: memoryview, last: bool) -> None:
        """Take bytes; on the last ones, have the instance stored. After an error the rest is read and dropped."""
        if self._error is None and self._reception is not None:
            try:
                self._reception.feed(data)
            except LeadglassError as error:
                self._fail(error)
            else:
                if self._relieving is None and self._reception.congested:
                    self._peer.conn.pause_reading()
                    self._relieving = self._peer.start(self._relieve())
        if last:
            self._ended = True
            if self._relieving is None:
                self._complete_soon()

    def cancel(self) -> None:
        """C-STORE cannot be cancelled (PS3.7 9.3.2.3)."""

    def closed(self) -> None:
        """Forget an instance that was not complete. One that is being stored is stored, and nobody is told."""
        if not self._ended and self._reception is not None:
            self._reception.abort()

    def _begin(self) -> Reception | None:
        device = self._peer.device
        sop_class, sop_instance = command_identity(self._command)
        context = self._peer.conn.accepted[self._context_id]
        announced = Announced(
            sop_class_uid=sop_class,
            sop_instance_uid=sop_instance,
            transfer_syntax_uid=context.transfer_syntax,
            issuer=device.issuer,
            assumed_character_set=device.character_set,
            duplicates=device.duplicates,
        )
        try:
            if not context.scp_role:
                raise LeadglassError(ErrorCode.NOT_AUTHORISED, "Storing was not negotiated for this context.")
            if sop_class != context.abstract_syntax:
                comment = "The SOP Class UID is not that of the presentation context."
                raise LeadglassError(ErrorCode.IDENTITY_MISMATCH, comment, tags=(0x00000002,))
            return self._peer.doorway.ingest.begin(self._peer.principal, announced)
        except LeadglassError as error:
            self._fail(error)
            return None

    def _fail(self, error: LeadglassError) -> None:
        self._error = error
        reception = getattr(self, "_reception", None)
        if reception is not None:
            reception.abort()

    async def _relieve(self) -> None:
        assert self._reception is not None
        try:
            while self._error is None and self._reception.congested:
                await self._reception.relieve()
        except LeadglassError as error:
            self._fail(error)
        finally:
            self._relieving = None
            self._peer.conn.resume_reading()
        if self._ended:
            self._complete_soon()

    def _complete_soon(self) -> None:
        self._task = self._peer.start(self._complete())

    async def _complete(self) -> None:
        error = self._error
        if error is None and self._reception is not None:
            try:
                await self._reception.complete()
            except LeadglassError as caught:
                error = caught
        self.finished = True
        if error is None:
            self._peer.send(self._context_id, c_store_rsp(self._command, status.SUCCESS))
            crashpoints.reached("store.answered")
            return
        self._peer.doorway.note_failed_store(self._peer, error)
        self._peer.send(
            self._context_id,
            c_store_rsp(
                self._command,
                status_of(error, STORE),
                error_comment=comment_of(error),
                offending_elements=error.tags,
            ),
        )
