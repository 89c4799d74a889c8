"""What a connection tells the one who handles it. Callbacks are synchronous, on the event loop; a handler that has to
wait starts a task of its own."""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:  # the connection knows handlers, handlers name the connection: only the type closes the circle
    from leadglass.net.connection import Connection
    from leadglass.wire.dimse.commands import Command
    from leadglass.wire.ul.pdu import AssociateRQ


class CloseReason(Enum):
    """How an association, or a connection that never became one, ended."""

    RELEASED = "released"
    REJECTED = "rejected"  # by this side, or by the peer that was asked
    ABORTED_BY_PEER = "aborted-by-peer"
    ABORTED = "aborted"  # by this side
    LOST = "lost"  # transport closed without release or abort
    VIOLATION = "violation"  # the peer broke the protocol; Connection.close_detail says how
    TIMEOUT = "timeout"  # Connection.close_detail says which
    TLS_FAILED = "tls-failed"  # no handshake: version, cipher, certificate, or too slow
    DROPPED = "dropped"  # not let in: limits, or the handler's `connected` said no


class ConnectionHandler(Protocol):
    """Handles one connection. `HandlerDefaults` has a body for each method."""

    def connected(self, conn: Connection) -> bool:
        """A peer connected (address known, nothing read yet, no TLS yet). False drops it at once."""
        ...

    def association_requested(self, conn: Connection, request: AssociateRQ) -> None:
        """Answer, now or later, with `conn.accept` or `conn.reject`."""
        ...

    def command_received(self, conn: Connection, context_id: int, command: Command) -> None:
        """A whole command set. If `command.has_data_set`, `data_received` follows until its `last`."""
        ...

    def data_received(self, conn: Connection, context_id: int, data: memoryview, last: bool) -> None:
        """A piece of the data set of the command before. `data` is valid only during the call, and may be empty."""
        ...

    def release_requested(self, conn: Connection) -> None:
        """The peer wants to release: call `conn.reply_release()`, now or when what runs has ended."""
        ...

    def closed(self, conn: Connection, reason: CloseReason) -> None:
        """The association is over; called once per connection, nothing is called after it."""
        ...


class HandlerDefaults:
    """Bodies for the parts of ConnectionHandler that a handler does not care about."""

    def connected(self, conn: Connection) -> bool:
        """Let everybody try."""
        return True

    def association_requested(self, conn: Connection, request: AssociateRQ) -> None:
        """Refuse: called AE title not recognised would be a lie, so no reason is given."""
        conn.reject(1, 1, 1)

    def command_received(self, conn: Connection, context_id: int, command: Command) -> None:
        """Nobody listens: the peer is aborted."""
        conn.abort()

    def data_received(self, conn: Connection, context_id: int, data: memoryview, last: bool) -> None:
        """Ignore."""

    def release_requested(self, conn: Connection) -> None:
        """Agree at once."""
        conn.reply_release()

    def closed(self, conn: Connection, reason: CloseReason) -> None:
        """Ignore."""
