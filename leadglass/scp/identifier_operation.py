"""What C-FIND, C-GET and C-MOVE have in common: an identifier is gathered, bounded, and then the operation runs."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod

from leadglass.core.errors import ErrorCode, LeadglassError
from leadglass.core.limits import MAX_IDENTIFIER_LENGTH
from leadglass.scp.operations import Peer
from leadglass.wire.dimse.commands import Command


class IdentifierOperation(ABC):
    """One query or retrieve request, from its command to its final response."""

    def __init__(self, peer: Peer, context_id: int, command: Command) -> None:
        self.finished = False
        self._peer = peer
        self._context = peer.conn.accepted[context_id]
        self._command = command
        self._gathered = bytearray()
        self._too_long = False
        self._cancelling: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._task: asyncio.Task[None] | None = None

    def data(self, data: memoryview, last: bool) -> None:
        """Gather the identifier, then run. Beyond MAX_IDENTIFIER_LENGTH the rest is read and dropped."""
        if len(self._gathered) + len(data) > MAX_IDENTIFIER_LENGTH:
            self._too_long = True
        if not self._too_long:
            self._gathered += data
        if last:
            self._task = self._peer.start(self.run())

    def cancel(self) -> None:
        """Nothing further begins; the final response says so."""
        if not self._cancelling.done():
            self._cancelling.set_result(None)

    @property
    def _cancelled(self) -> bool:
        return self._cancelling.done()

    def identifier(self) -> bytes:
        """The whole identifier; UNPARSABLE if it was too long."""
        if self._too_long:
            raise LeadglassError(ErrorCode.UNPARSABLE, "The identifier is too long.")
        return bytes(self._gathered)

    @abstractmethod
    def closed(self) -> None:
        """The association is gone."""

    @abstractmethod
    async def run(self) -> None:
        """Answer the request."""
