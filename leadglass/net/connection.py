"""One TCP or TLS connection: moves bytes between the loop and `wire`, and tells a handler what they mean.

The receive buffer belongs to the association and is written by the kernel (or by TLS) without a copy in between. One
lazy timer per connection serves every deadline. `closed` is told when the association ends, which may be some seconds
before the transport does: a peer that was aborted or refused has ARTIM to close first (PS3.8 Sta13).
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from typing import NamedTuple, Protocol, cast

from leadglass.core.errors import ErrorCode, LeadglassError
from leadglass.net.handler import CloseReason, ConnectionHandler
from leadglass.net.sockets import acknowledge_now
from leadglass.wire.dimse.commands import Command, encode_command
from leadglass.wire.dimse.messages import (
    CommandReceived,
    DataSetFragment,
    FragmentPacker,
    MessageAssembler,
    command_pdus,
    message_pdus,
)
from leadglass.wire.ul import events
from leadglass.wire.ul.association import Association, Role
from leadglass.wire.ul.pdata import Buffer
from leadglass.wire.ul.pdu import AcceptedContext, AssociateAC, AssociateRJ, AssociateRQ
from leadglass.wire.ul.timings import Timings

WRITE_HIGH_WATER = 1024 * 1024  # bytes waiting for the peer before `drained` waits and streams stop reading the disk
_RESPONSE = 0x8000  # bit of a command field that is an answer (PS3.7 E.1)
_CANCEL = 0x0FFF
_PENDING = (0xFF00, 0xFF01)


class Watcher(Protocol):
    """What a listener or dialer wants to know of a connection; the handler is told separately."""

    def answered(self, conn: Connection, *, admitted: bool) -> None:
        """The association request was accepted or refused."""
        ...

    def lost(self, conn: Connection) -> None:
        """The transport is closed."""
        ...


class PackedMessage(NamedTuple):
    """A message as PDUs of one connection, not yet sent."""

    command: Command
    pdus: list[Buffer]


class Connection(asyncio.BufferedProtocol):
    """A connection of either role. Its methods are called on the event loop only."""

    def __init__(
        self,
        role: Role,
        handler: ConnectionHandler,
        sock: socket.socket,
        peer: tuple[str, int],
        *,
        tls: bool,
        timings: Timings | None = None,
        watcher: Watcher | None = None,
    ) -> None:
        self.role = role
        self.peer_address, self.peer_port = peer
        self.tls = tls
        self.peer_certificate: bytes | None = None
        self.close_reason: CloseReason | None = None
        self.close_detail = ""
        self.opening: asyncio.Task[None] | None = None  # set by the listener: the task that opens the transport
        self.on_answer: Callable[[AssociateAC | AssociateRJ], None] | None = None  # set by the dialer
        self._to_request: AssociateRQ | None = None
        self._loop = asyncio.get_running_loop()
        self._handler = handler
        self._socket = sock
        self._timings = timings or Timings()
        self._shortest = self._timings.shortest
        self._watcher = watcher
        self._association = Association(role, self._loop.time(), self._timings)
        self._assembler = MessageAssembler()
        self._transport: asyncio.Transport | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._writable: asyncio.Future[None] | None = None
        self._stalled_at: float | None = None
        self._over: asyncio.Future[None] = self._loop.create_future()
        self._streaming = False  # half a message is sent
        self._held: list[tuple[int, Command, bytes | None]] = []  # messages that wait for its end
        self._outstanding = 0  # requests of the peer not answered for good
        self._inside_message = False
        self._draining = False
        self._lost = False

    # --- what a handler may read --------------------------------------------------------------------------------

    @property
    def request(self) -> AssociateRQ | None:
        """The association request, ours or the peer's; None before it came."""
        return self._association.request_pdu

    @property
    def accepted(self) -> Mapping[int, AcceptedContext]:
        """The presentation contexts both sides agreed on, by identifier."""
        return self._association.accepted

    @property
    def established(self) -> bool:
        """Whether messages may be sent."""
        return self._association.established

    @property
    def max_send_pdu(self) -> int:
        """The longest P-DATA-TF the peer takes."""
        return self._association.max_send_pdu

    @property
    def sending(self) -> bool:
        """Whether half a message is sent: what `send_message` is given now goes out behind it."""
        return self._streaming

    @property
    def busy(self) -> bool:
        """Whether a message is under way or a request of the peer unanswered."""
        return self._inside_message or self._outstanding > 0

    @property
    def idle_timeout(self) -> float:
        """Seconds without a byte either way after which the association is aborted."""
        return self._association.pace.idle_timeout

    @idle_timeout.setter
    def idle_timeout(self, seconds: float) -> None:
        self._association.pace.idle_timeout = seconds
        self._shortest = min(self._timings.shortest, seconds)
        self._arm_anew()

    # --- what a handler may do ----------------------------------------------------------------------------------

    def request_when_open(self, request: AssociateRQ) -> None:
        """Ask for an association as soon as the transport is open, before a byte of the peer is read (dialer)."""
        self._to_request = request

    def accept(self, answer: AssociateAC) -> None:
        """Accept the association that was requested. UNAVAILABLE if the peer went away meanwhile."""
        told = self._association.accept(answer, self._loop.time())
        self._tell_answered(admitted=True)
        self._after(told)

    def reject(self, result: int, source: int, reason: int) -> None:
        """Refuse the association (PS3.8 table 9-21). UNAVAILABLE if the peer went away meanwhile."""
        told = self._association.reject(AssociateRJ(result, source, reason), self._loop.time())
        self._tell_answered(admitted=False)
        self._after(told)
        self._end(CloseReason.REJECTED)

    def send_message(self, context_id: int, command: Command, data_set: bytes | None = None) -> None:
        """Send a whole message in one go, or behind the one that is being streamed: fragments of two messages never
        mix (PS3.8 annex E). UNAVAILABLE when the association is over.

        Who sends many awaits `drained` in between.
        """
        if self._streaming and self.established:
            self._held.append((context_id, command, data_set))
        else:
            self.send_packed(self.pack(context_id, command, None if data_set is None else (data_set,)))

    def pack(self, context_id: int, command: Command, data_set: Iterable[Buffer] | None) -> PackedMessage:
        """A whole message ready to send: so the next one is made while the peer is busy with the one before.

        The buffers of `data_set` are not copied and must stay as they are.
        """
        return PackedMessage(
            command, message_pdus(context_id, encode_command(command), data_set, self._association.max_send_pdu)
        )

    def send_packed(self, *messages: PackedMessage) -> None:
        """Send them in one go. UNAVAILABLE when the association is over, USAGE amid a stream."""
        if self._streaming and self.established:
            raise LeadglassError(ErrorCode.USAGE, "Another message is being sent.")
        self._send([buffer for message in messages for buffer in message.pdus])
        for message in messages:
            self._count_answer(message.command)

    async def send_stream(self, context_id: int, command: Command, chunks: AsyncIterator[Buffer]) -> None:
        """Send a message whose data set comes in chunks, never far ahead of the peer. UNAVAILABLE when it is over.

        The first WRITE_HIGH_WATER bytes wait for each other: a message that has fewer leaves in one go. If `chunks`
        raises before, nothing was sent; later the message cannot be ended, so the association is aborted. Either way
        the error goes on.
        """
        packer = FragmentPacker(context_id, self.max_send_pdu)
        out = command_pdus(context_id, encode_command(command), self.max_send_pdu)
        waiting = 0
        try:
            async for chunk in chunks:
                out += packer.push(chunk)
                waiting += len(chunk)
                if waiting >= WRITE_HIGH_WATER:
                    self._send(out)
                    out, waiting, self._streaming = [], 0, True
                    await self.drained()
        except BaseException:  # a cancelled sender, too, leaves half a message behind
            if self._streaming:
                self.abort()
            raise
        finally:
            self._streaming = False
        self._send(out + packer.finish())
        self._count_answer(command)
        held, self._held = self._held, []
        for message in held:
            self.send_message(*message)
        await self.drained()

    async def drained(self) -> None:
        """Wait until the peer has taken enough to send more; returns at once when the connection is gone."""
        while self._writable is not None and not self._lost:
            await asyncio.shield(self._writable)

    def pause_reading(self) -> None:
        """Take no more bytes for a while; what this read brought is still told. Not held against the peer."""
        if self._transport is not None and not self._lost:
            self._association.pace.hold(self._loop.time())
            self._transport.pause_reading()

    def resume_reading(self) -> None:
        """Go on after `pause_reading`."""
        if self._transport is not None and not self._lost:
            self._association.pace.resume(self._loop.time())
            self._transport.resume_reading()
            self._arm()

    def reply_release(self) -> None:
        """Agree to the release the peer asked for; without effect when it is over."""
        if self._association.asked_to_release:
            self._after(self._association.reply_release(self._loop.time()))

    async def release(self) -> None:
        """Ask the peer to release and wait until the association is over, in order or not (`close_reason`)."""
        if self.established:
            self._after(self._association.release(self._loop.time()))
        await self.wait_closed()

    async def wait_closed(self) -> None:
        """Wait until the association is over."""
        await asyncio.shield(self._over)

    def abort(self, source: int = 0, reason: int = 0) -> None:
        """A-ABORT (PS3.8 table 9-26); without effect when it is over."""
        self._after(self._association.abort(source, reason, self._loop.time()))

    def handle_with(self, handler: ConnectionHandler) -> None:
        """Have another handler take over from here."""
        self._handler = handler

    def drop(self) -> None:
        """Close at once, without a word."""
        self._end(CloseReason.DROPPED)
        if self._transport is not None:
            self._transport.abort()
        elif self.opening is not None:
            self.opening.cancel()

    def drain(self) -> None:
        """End as soon as the peer's requests are answered (server stopping)."""
        self._draining = True
        self._drain_if_done()

    # --- asyncio's side -----------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The transport is open; for TLS, after the handshake."""
        transport = cast("asyncio.Transport", transport)  # uvloop's is one in all but its bases
        self._transport = transport
        transport.set_write_buffer_limits(high=WRITE_HIGH_WATER)
        tls = transport.get_extra_info("ssl_object")
        if tls is not None:
            self.peer_certificate = tls.getpeercert(binary_form=True)
        if self.close_reason is not None:  # dropped while the handshake ran
            transport.abort()
        elif self._to_request is not None:
            self._after(self._association.request(self._to_request, self._loop.time()))
        else:
            self._arm()

    def get_buffer(self, sizehint: int) -> memoryview:
        """The association's own buffer, whatever `sizehint` says."""
        return self._association.get_buffer()

    def buffer_updated(self, nbytes: int) -> None:
        """Bytes came."""
        self._after(self._association.buffer_updated(nbytes, self._loop.time()))
        if self._inside_message and not self._lost:
            acknowledge_now(self._socket)

    def eof_received(self) -> bool:
        """The peer closed its side: DICOM knows no half-open association."""
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        """The transport is closed, by whomever."""
        self._lost = True
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._wake_writers()
        self._tell(self._association.connection_closed(self._loop.time()))
        self._end(CloseReason.LOST)
        if self._watcher is not None:
            self._watcher.lost(self)

    def pause_writing(self) -> None:
        """The peer takes less than we send."""
        if self._writable is None:
            self._writable = self._loop.create_future()
        self._stalled_at = self._loop.time() + self._timings.stall
        self._arm()

    def resume_writing(self) -> None:
        """The peer caught up."""
        self._wake_writers()

    def handshake_failed(self, detail: str) -> None:
        """TLS did not come about (listener, dialer)."""
        self._lost = True
        self.close_detail = detail
        self._end(CloseReason.TLS_FAILED)
        if self._watcher is not None:
            self._watcher.lost(self)

    # --- inside -------------------------------------------------------------------------------------------------

    def _after(self, told: list[events.Event]) -> None:
        """Deliver what the association has to say, then send and arm what it wants."""
        self._tell(told)
        self._flush()
        if self._draining:
            self._drain_if_done()

    def _tell(self, told: list[events.Event]) -> None:
        for event in told:
            try:
                if type(event) is events.DataReceived:
                    if self.close_reason is None:
                        self._assemble(event)
                else:
                    self._tell_other(event)
            except LeadglassError as error:
                # A handler answers what the peer itself has undone meanwhile, in the same read: its end is told next.
                if error.code is not ErrorCode.UNAVAILABLE or self._association.established:
                    raise

    def _assemble(self, event: events.DataReceived) -> None:
        now = self._loop.time()
        try:
            part = self._assembler.feed(event)
        except LeadglassError as error:
            self._tell(self._association.violate(error.comment, now))
            return
        pace = self._association.pace
        pace.message_received(len(event.data), now)
        self._inside_message = True
        if type(part) is DataSetFragment:
            if part.last:
                self._inside_message = False
                pace.message_ended()
            self._handler.data_received(self, part.context_id, part.data, part.last)
        elif type(part) is CommandReceived:
            command = part.command
            if not command.has_data_set:
                self._inside_message = False
                pace.message_ended()
            if not command.field & _RESPONSE and command.field != _CANCEL:
                self._outstanding += 1
            self._handler.command_received(self, part.context_id, command)

    def _tell_other(self, event: events.Event) -> None:
        match event:
            case events.AssociationRequested(request):
                self._handler.association_requested(self, request)
            case events.AssociationAccepted(response):
                if self.on_answer is not None:
                    self.on_answer(response)
            case events.AssociationRejected(result, source, reason):
                if self.on_answer is not None:
                    self.on_answer(AssociateRJ(result, source, reason))
                self._end(CloseReason.REJECTED)
            case events.ReleaseRequested():
                self._handler.release_requested(self)
            case events.Released():
                self._end(CloseReason.RELEASED)
            case events.Aborted(by_peer=by_peer):
                self._end(CloseReason.ABORTED_BY_PEER if by_peer else CloseReason.ABORTED)
            case events.ConnectionLost():
                self._end(CloseReason.LOST)
            case events.ProtocolViolation(reason=detail):
                self.close_detail = detail
                self._end(CloseReason.VIOLATION)
            case events.Timeout(what=detail):
                self.close_detail = detail
                self._end(CloseReason.TIMEOUT)

    def _end(self, reason: CloseReason) -> None:
        """The association is over: told once."""
        if self.close_reason is not None:
            return
        self.close_reason = reason
        if not self._over.done():
            self._over.set_result(None)
        self._outstanding = 0
        self._inside_message = False
        self._wake_writers()
        self._tell_answered(admitted=False)
        if self._transport is not None and not self._lost:
            self._transport.resume_reading()  # a peer that is to close must be heard
        self._handler.closed(self, reason)

    def _tell_answered(self, *, admitted: bool) -> None:
        if self._watcher is not None:
            self._watcher.answered(self, admitted=admitted)

    def _send(self, pdus: list[Buffer]) -> None:
        self._association.p_data(pdus, self._loop.time())
        self._flush()

    def _flush(self) -> None:
        """One write for all that waits, then close if the association says so."""
        transport = self._transport
        out = self._association.data_to_send()
        if transport is None or self._lost:
            return
        if out:
            if len(out) == 1:
                transport.write(out[0])
            else:
                transport.writelines(out)
        if self._association.finished and not transport.is_closing():
            transport.close()
            self._loop.call_later(self._timings.artim, transport.abort)  # a peer that takes nothing must not hold it
        self._arm()

    def _count_answer(self, command: Command) -> None:
        if command.field & _RESPONSE and command.status not in _PENDING and self._outstanding:
            self._outstanding -= 1
            if self._draining:
                self._drain_if_done()

    def _drain_if_done(self) -> None:
        if self._draining and not self.busy and self.close_reason is None:
            self._draining = False
            self.abort(2, 0)

    def _wake_writers(self) -> None:
        self._stalled_at = None
        if self._writable is not None:
            if not self._writable.done():
                self._writable.set_result(None)
            self._writable = None

    def _arm(self) -> None:
        """Have the timer ring by the next deadline. It is only ever set earlier, so most calls change nothing: no
        deadline that began since can come before one that rings sooner than the shortest of them."""
        if self._timer is None or self._timer.when() > self._loop.time() + self._shortest:
            self._arm_anew()

    def _arm_anew(self) -> None:
        due = self._association.get_timer()
        if self._stalled_at is not None:
            due = self._stalled_at if due is None else min(due, self._stalled_at)
        if due is None or self._lost:
            return
        if self._timer is not None:
            if self._timer.when() <= due:
                return
            self._timer.cancel()
        self._timer = self._loop.call_at(due, self._ring)

    def _ring(self) -> None:
        self._timer = None
        now = self._loop.time()
        if self._stalled_at is not None and now >= self._stalled_at:
            self.close_detail = "stall"
            self._end(CloseReason.TIMEOUT)
            if self._transport is not None:
                self._transport.abort()
            return
        self._after(self._association.handle_timer(now))
