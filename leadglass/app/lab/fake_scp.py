"""A light DICOM server that behaves as it is told: thousands of them fit into one process.

It is fast so that it never is what a measurement measures: an answer to a request that asks the same as one before,
whatever the titles, is made once.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from typing import cast

from leadglass.app.lab.holdings import Holdings
from leadglass.core.errors import LeadglassError
from leadglass.dicom import uids
from leadglass.wire.dimse import status
from leadglass.wire.dimse.commands import Command, CommandField, c_find_rsp, encode_command, response_to
from leadglass.wire.dimse.messages import CommandReceived, MessageAssembler, message_pdus
from leadglass.wire.ul.codec import decode, encode
from leadglass.wire.ul.events import DataReceived
from leadglass.wire.ul.fields import InvalidPduError
from leadglass.wire.ul.pdu import (
    Abort,
    AcceptedContext,
    AssociateAC,
    AssociateRJ,
    AssociateRQ,
    ContextReason,
    ContextResult,
    PduType,
    ReleaseRP,
    ReleaseRQ,
    UserInformation,
)
from leadglass.wire.ul.reader import Mark, PduReader

_HEAD, _TITLES_END = 6, 42  # of an A-ASSOCIATE-RQ: header, and where the AE titles end
_RELEASE = encode(ReleaseRP())
_ABORT = encode(Abort(0, 0))
_PAUSE = 256  # answers between two looks at what the peer says


@dataclass(frozen=True, slots=True)
class Behaviour:
    """How a server treats whoever comes. `offers` are the SOP classes it accepts, None all of them."""

    rejects: AssociateRJ | None = None
    titles: frozenset[str] = frozenset()  # called AE titles that it answers to, all if empty
    offers: frozenset[str] | None = None
    holdings: Holdings | None = None
    aborts_queries: bool = False
    refuses_queries: bool = False
    implementation: tuple[str, str] = ("2.25.339962361310428061637", "LAB_FAKE")


@dataclass(frozen=True, slots=True)
class _Agreed:
    reply: bytes
    contexts: dict[int, AcceptedContext]
    max_pdu: int


class FakeScp(asyncio.Protocol):
    """One connection to a fake server. `agreed` is shared by all connections of a behaviour."""

    def __init__(self, behaviour: Behaviour, agreed: dict[bytes, _Agreed]) -> None:
        self._behaviour = behaviour
        self._known = agreed
        self._reader = PduReader()
        self._agreed: _Agreed | None = None
        self._assembler: MessageAssembler | None = None
        self._start = bytearray()
        self._command: Command | None = None
        self._context = 0
        self._data = bytearray()
        self._answering: Iterator[bytes] | None = None
        self._request: Command | None = None
        self._paused = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See asyncio.Protocol."""
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        """See asyncio.Protocol."""
        if self._agreed is None:
            self._start += data
            self._negotiate()
            return
        self._reader.feed(data)
        self._read()

    def pause_writing(self) -> None:
        """See asyncio.Protocol."""
        self._paused = True

    def resume_writing(self) -> None:
        """See asyncio.Protocol."""
        self._paused = False
        self._go_on()

    def connection_lost(self, exc: Exception | None) -> None:
        """See asyncio.Protocol."""
        self._answering = None

    # --- the association ----------------------------------------------------------------------------------------

    def _negotiate(self) -> None:
        start = self._start
        if start[0] != PduType.ASSOCIATE_RQ or len(start) > 65536:
            self._transport.abort()
            return
        if len(start) < _HEAD or len(start) < _HEAD + int.from_bytes(start[2:_HEAD]):
            return
        end = _HEAD + int.from_bytes(start[2:_HEAD])
        rejection = self._rejection(bytes(start[10:26]).decode("latin-1").strip())
        if rejection is not None:
            self._transport.write(encode(rejection))
            self._transport.close()
            return
        try:
            self._agree(bytes(start[:end]))
        except InvalidPduError:
            self._transport.abort()
            return
        rest = bytes(start[end:])
        if rest:
            self._reader.feed(rest)
            self._read()

    def _rejection(self, called: str) -> AssociateRJ | None:
        behaviour = self._behaviour
        if behaviour.titles and called not in behaviour.titles:
            return AssociateRJ(1, 1, 7)  # permanent, by the user: called AE title not recognised (PS3.8 table 9-21)
        return behaviour.rejects

    def _agree(self, request: bytes) -> None:
        asked = request[:10] + request[_TITLES_END:]
        agreed = self._known.get(asked)
        if agreed is None:
            pdu = decode(PduType.ASSOCIATE_RQ, memoryview(request)[_HEAD:])
            assert isinstance(pdu, AssociateRQ)
            agreed = _answer_to(pdu, self._behaviour)
            if len(self._known) < 64:
                self._known[asked] = agreed
        self._agreed = agreed
        self._assembler = MessageAssembler(agreed.contexts)
        self._transport.write(agreed.reply)

    # --- messages -----------------------------------------------------------------------------------------------

    def _read(self) -> None:
        try:
            while (item := self._reader.next()) is not Mark.NEED_DATA:
                if isinstance(item, DataReceived):
                    self._take(item)
                elif isinstance(item, ReleaseRQ):
                    self._transport.write(_RELEASE)
                    self._transport.close()
                    return
                elif item is not Mark.P_DATA:
                    self._transport.abort()
                    return
        except (InvalidPduError, LeadglassError):
            self._transport.abort()

    def _take(self, item: DataReceived) -> None:
        assert self._assembler is not None
        part = self._assembler.feed(item)
        if isinstance(part, CommandReceived):
            self._command, self._context = part.command, part.context_id
            self._data = bytearray()
            if not part.command.has_data_set:
                self._serve(part.command, b"")
        elif part is not None and self._command is not None:
            self._data += part.data
            if part.last:
                self._serve(self._command, bytes(self._data))

    def _serve(self, command: Command, data: bytes) -> None:
        if command.field is CommandField.C_CANCEL_RQ:
            if self._answering is not None and self._request is not None:
                self._answering = None
                self._send(c_find_rsp(self._request, status.CANCEL))
        elif command.field is CommandField.C_FIND_RQ:
            self._find(command, data)
        elif command.field is CommandField.C_ECHO_RQ:
            self._send(response_to(command, status.SUCCESS))
        else:
            self._send(response_to(command, status.REFUSED_NOT_AUTHORIZED))

    def _find(self, command: Command, data: bytes) -> None:
        if self._behaviour.aborts_queries:
            self._transport.write(_ABORT)
            self._transport.close()
        elif self._behaviour.refuses_queries or self._behaviour.holdings is None:
            self._send(c_find_rsp(command, status.REFUSED_NOT_AUTHORIZED))
        else:
            assert self._agreed is not None
            syntax = self._agreed.contexts[self._context].transfer_syntax
            self._request = command
            self._answering = self._behaviour.holdings.answers(data, syntax)
            self._go_on()

    def _go_on(self) -> None:
        """Send answers until the peer is slow, or for a while: it may want to cancel."""
        answering, request = self._answering, self._request
        if answering is None or request is None:
            return
        pending = c_find_rsp(request, status.PENDING, has_data_set=True)
        for count, identifier in enumerate(answering, 1):
            self._send(pending, identifier)
            if self._paused:
                return
            if count == _PAUSE:
                asyncio.get_running_loop().call_soon(self._go_on)
                return
        self._answering = None
        self._send(c_find_rsp(request, status.SUCCESS))

    def _send(self, command: Command, data: bytes | None = None) -> None:
        assert self._agreed is not None
        pieces = message_pdus(
            self._context, encode_command(command), None if data is None else (data,), self._agreed.max_pdu
        )
        self._transport.writelines(pieces)


def _answer_to(pdu: AssociateRQ, behaviour: Behaviour) -> _Agreed:
    contexts: dict[int, AcceptedContext] = {}
    results = []
    for context in pdu.contexts:
        wanted = behaviour.offers is None or context.abstract_syntax in behaviour.offers
        syntax = next((uid for uid in context.transfer_syntaxes if uid in _SYNTAXES), "")
        if wanted and syntax:
            contexts[context.id] = AcceptedContext(
                context.id, context.abstract_syntax, syntax, scu_role=False, scp_role=True
            )
            results.append(ContextResult(context.id, ContextReason.ACCEPTED, syntax))
        else:
            results.append(ContextResult(context.id, ContextReason.ABSTRACT_SYNTAX_NOT_SUPPORTED))
    user = UserInformation(16384, *behaviour.implementation)
    answer = AssociateAC(pdu.called_ae, pdu.calling_ae, tuple(results), user)
    return _Agreed(encode(answer), contexts, pdu.user.max_pdu_length)


_SYNTAXES = (uids.IMPLICIT_VR_LE, uids.EXPLICIT_VR_LE)


def factory(behaviour: Behaviour) -> type[asyncio.Protocol]:
    """What a server makes for each connection."""
    agreed: dict[bytes, _Agreed] = {}

    class Bound(FakeScp):
        def __init__(self) -> None:
            super().__init__(behaviour, agreed)

    return Bound
