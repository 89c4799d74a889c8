"""One association as acceptor: admission, negotiation, and a request at a time (window 1, 1)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping

from leadglass.access.policy import Admitted, Caller, Refused
from leadglass.core.principal import Right
from leadglass.dicom import uids
from leadglass.net.connection import Connection
from leadglass.net.handler import CloseReason
from leadglass.scp.doorway import Doorway
from leadglass.scp.find import FindOperation
from leadglass.scp.negotiation import SERVICE_RIGHTS, answer
from leadglass.scp.operations import Operation, Peer
from leadglass.scp.retrieve import GetOperation, MoveOperation
from leadglass.scp.store import StoreOperation
from leadglass.wire.dimse import status
from leadglass.wire.dimse.commands import Command, CommandField, c_echo_rsp, response_to
from leadglass.wire.ul.pdu import AssociateRQ

_OPERATIONS: Mapping[tuple[CommandField, str], Callable[[Peer, int, Command], Operation]] = {
    (CommandField.C_FIND_RQ, uids.PATIENT_ROOT_FIND): FindOperation,
    (CommandField.C_FIND_RQ, uids.STUDY_ROOT_FIND): FindOperation,
    (CommandField.C_GET_RQ, uids.PATIENT_ROOT_GET): GetOperation,
    (CommandField.C_GET_RQ, uids.STUDY_ROOT_GET): GetOperation,
    (CommandField.C_MOVE_RQ, uids.PATIENT_ROOT_MOVE): MoveOperation,
    (CommandField.C_MOVE_RQ, uids.STUDY_ROOT_MOVE): MoveOperation,
}


PASSCODE_IDENTITY = 2  # user identity type: user name and passcode (PS3.7 D.3.3.7)


class AssociationHandler:
    """Handles one connection to the archive (net.ConnectionHandler)."""

    def __init__(self, doorway: Doorway) -> None:
        self._doorway = doorway
        self._peer: Peer | None = None
        self._operation: Operation | None = None
        self._admitted: Admitted | None = None
        self._deciding: asyncio.Task[None] | None = None  # held so that it is not collected

    def connected(self, conn: Connection) -> bool:
        """Whether this address may connect at all: limits, and no plain DICOM from the internet."""
        return self._doorway.admission.may_connect(conn.peer_address, tls=conn.tls)

    def association_requested(self, conn: Connection, request: AssociateRQ) -> None:
        """Admit or refuse, negotiate, answer."""
        caller = self._caller(conn, request)
        if caller.passcode is None:
            self._answer(conn, request, self._doorway.admission.decide(caller))
        else:
            self._deciding = asyncio.get_running_loop().create_task(self._decide(conn, request, caller))

    async def _decide(self, conn: Connection, request: AssociateRQ, caller: Caller) -> None:
        decision = await self._doorway.admission.decide_slowly(caller)
        if conn.close_reason is None:
            self._answer(conn, request, decision)
        elif isinstance(decision, Admitted):  # it left while its passcode was looked at
            self._doorway.admission.left(decision)

    def _answer(self, conn: Connection, request: AssociateRQ, decision: Admitted | Refused) -> None:
        if isinstance(decision, Refused):
            self._doorway.counters.refused += 1
            conn.reject(decision.result, decision.source, decision.reason)
            return
        device = decision.device
        self._admitted = decision
        self._doorway.counters.associations += 1
        self._peer = Peer(conn, device, decision.principal, self._doorway, request.called_ae)
        conn.idle_timeout = device.idle_timeout
        conn.accept(answer(request, device, decision.principal))

    def command_received(self, conn: Connection, context_id: int, command: Command) -> None:
        """Begin what is asked for. A second request before the first has ended breaks the window (1, 1)."""
        peer = self._peer
        assert peer is not None and self._admitted is not None
        field = command.field
        if field is CommandField.C_CANCEL_RQ:
            self._cancel()
        elif field is CommandField.C_STORE_RSP:
            if isinstance(self._operation, GetOperation):
                self._operation.store_response(command)
        elif (
            field & 0x8000
            or (self._operation is not None and not self._operation.finished)
            or not self._doorway.admission.still_admitted(self._admitted)
        ):
            conn.abort()
        else:
            self._begin(peer, context_id, command)

    def recheck(self) -> None:
        """End the association if its device is not as it was when it was admitted: changed, disabled or removed."""
        admitted = self._admitted
        if self._peer is not None and admitted is not None and not self._doorway.admission.still_admitted(admitted):
            self._peer.conn.abort()

    def data_received(self, conn: Connection, context_id: int, data: memoryview, last: bool) -> None:
        """Hand a piece of a data set to the operation it belongs to."""
        if self._operation is not None and not self._operation.finished:
            self._operation.data(data, last)

    def release_requested(self, conn: Connection) -> None:
        """Agree; what still runs is ended."""
        if self._operation is not None:
            self._operation.closed()
        conn.reply_release()

    def closed(self, conn: Connection, reason: CloseReason) -> None:
        """Give back what the association held, and journal an end that was not in order."""
        if self._operation is not None:
            self._operation.closed()
        if self._admitted is not None:
            self._doorway.admission.left(self._admitted)
        if reason is CloseReason.TLS_FAILED:
            self._doorway.admission.note_tls_failed(conn.peer_address, conn.close_detail)
        elif reason not in (CloseReason.RELEASED, CloseReason.REJECTED):
            device = self._admitted.device.name if self._admitted else ""
            self._doorway.admission.note_end(conn.peer_address, device, conn.close_detail or reason.value)

    def _caller(self, conn: Connection, request: AssociateRQ) -> Caller:
        identity = request.user.identity
        if identity is not None and not conn.tls:
            self._doorway.admission.note_identity_off_tls(conn.peer_address)
            identity = None
        passcode = identity.secondary if identity is not None and identity.type == PASSCODE_IDENTITY else None
        return Caller(
            conn.peer_address, request.calling_ae, request.called_ae, conn.tls, conn.peer_certificate, passcode
        )

    def _begin(self, peer: Peer, context_id: int, command: Command) -> None:
        context = peer.conn.accepted[context_id]
        make = _OPERATIONS.get((command.field, context.abstract_syntax))
        if command.field is CommandField.C_STORE_RQ and context.abstract_syntax not in SERVICE_RIGHTS:
            make = StoreOperation
        if command.field is CommandField.C_ECHO_RQ and context.abstract_syntax == uids.VERIFICATION:
            may = peer.principal.may(Right.ECHO)
            code = status.SUCCESS if may else status.REFUSED_NOT_AUTHORIZED
            peer.send(context_id, c_echo_rsp(command, code))
        elif make is None:
            self._operation = Unrecognised(peer, context_id, command)
        elif not command.has_data_set:
            peer.send(context_id, response_to(command, status.MISTYPED_ARGUMENT))
        else:
            self._operation = make(peer, context_id, command)

    def _cancel(self) -> None:
        if self._operation is not None and not self._operation.finished:
            self._operation.cancel()


class Unrecognised:
    """A request that its presentation context does not have: 0x0211, after its data set was read."""

    def __init__(self, peer: Peer, context_id: int, command: Command) -> None:
        self.finished = False
        self._peer = peer
        self._context_id = context_id
        self._command = command
        if not command.has_data_set:
            self._respond()

    def data(self, data: memoryview, last: bool) -> None:
        """Read and drop."""
        if last:
            self._respond()

    def cancel(self) -> None:
        """Nothing to cancel."""

    def closed(self) -> None:
        """Nothing to close."""

    def _respond(self) -> None:
        self.finished = True
        response = response_to(self._command, status.UNRECOGNIZED_OPERATION)
        self._peer.send(self._context_id, response)
