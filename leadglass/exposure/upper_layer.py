"""A DICOM association over a `Stream`: ask, echo, query, release. What a peer does wrong is a result, not an error.

The PDUs are read by `wire`; states are few, since the auditor is a requestor with one operation at a time, and whatever
comes out of turn ends the association.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from enum import Enum
from functools import lru_cache
from typing import TypeAlias

from leadglass.core.errors import LeadglassError
from leadglass.core.limits import MAX_PDU_LENGTH
from leadglass.dicom import uids
from leadglass.exposure.streams import Stream
from leadglass.wire.dimse.commands import Command, c_cancel_rq, c_echo_rq, c_find_rq, encode_command
from leadglass.wire.dimse.messages import CommandReceived, DataSetFragment, MessageAssembler, message_pdus
from leadglass.wire.dimse.status import is_pending
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
    Pdu,
    PduType,
    ProposedContext,
    ReleaseRP,
    ReleaseRQ,
    UserIdentity,
    UserInformation,
)
from leadglass.wire.ul.reader import Mark, PduReader

_CALLED = slice(10, 26)  # of an A-ASSOCIATE-RQ: the called AE title (PS3.8 table 9-11)
_HEAD = 6  # bytes before the body of a PDU
_ACCEPT = bytes([PduType.ASSOCIATE_AC])
_TITLES = slice(10, 42)  # of an A-ASSOCIATE-AC: reserved, not to be tested (PS3.8 table 9-17)
_BLANK = b" " * 32
_USUAL = 8192  # bytes of an answer that is worth remembering; one with 29 contexts has about a thousand
_RELEASE = encode(ReleaseRQ())
_ABORT = encode(Abort())
_AFTER_CANCEL = 20_000  # answers that may be under way when C-CANCEL is sent; who sends more is aborted


class Silence(Enum):
    """What came instead of an answer."""

    NOTHING = "nothing"  # the peer closed without a word
    NOT_DICOM = "not-dicom"  # the first bytes are no PDU
    MALFORMED = "malformed"  # a PDU, and then not what the standard says


@dataclass(frozen=True, slots=True, eq=False)
class Form:
    """All of a request but the called AE title: encoded once for all peers that are asked the same."""

    calling: str
    encoded: bytes
    proposed: Mapping[int, ProposedContext]


@dataclass(frozen=True, slots=True)
class Request:
    """An A-ASSOCIATE-RQ."""

    called: str
    form: Form

    @property
    def encoded(self) -> bytes:
        """As it is sent."""
        form = self.form.encoded
        return form[: _CALLED.start] + self.called.encode("ascii").ljust(16) + form[_CALLED.stop :]


@dataclass(frozen=True, slots=True, eq=False)
class Agreement:
    """What was accepted. Equal answers to requests of one form share one: what is made of it can be made once."""

    answer: AssociateAC
    accepted: Mapping[int, AcceptedContext]
    by_syntax: Mapping[str, AcceptedContext]  # the first for each abstract syntax


@dataclass(frozen=True, slots=True)
class Answered:
    """A response to a query: its status and, if it is pending, its identifier as encoded by the peer."""

    status: int
    identifier: bytes


Answer: TypeAlias = "Talk | AssociateRJ | Abort | Silence"


def request(
    called: str, calling: str, contexts: tuple[ProposedContext, ...], identity: UserIdentity | None = None
) -> Request:
    """A request for these contexts. The implementation names in it say who is asking."""
    return Request(called, _form(calling, contexts, identity))


@lru_cache(maxsize=16)
def _form(calling: str, contexts: tuple[ProposedContext, ...], identity: UserIdentity | None) -> Form:
    user = UserInformation(
        max_pdu_length=MAX_PDU_LENGTH,
        implementation_class_uid=uids.IMPLEMENTATION_CLASS_UID,
        implementation_version_name=uids.IMPLEMENTATION_VERSION_NAME,
        identity=identity,
    )
    encoded = encode(AssociateRQ("", calling, contexts, user))
    return Form(calling, encoded, {context.id: context for context in contexts})


async def associate(stream: Stream, asked: Request) -> Answer:
    """Ask for an association. Raises Unreachable if the connection ends otherwise than in good order."""
    await stream.write(asked.encoded)
    reader = _Reader(stream)
    agreed = await reader.agreement(asked.form)
    if agreed is not None:
        return Talk(stream, reader, agreed)
    answer = await reader.next()
    if isinstance(answer, AssociateAC):
        return Talk(stream, reader, _agreed(answer, asked.form))
    if isinstance(answer, AssociateRJ | Abort | Silence):
        return answer
    return Silence.MALFORMED


class Ended(Exception):  # noqa: N818 - a state of the peer, not an error of ours
    """The association ended before the answer: `by_abort`, or by anything that is not in the standard."""

    def __init__(self, *, by_abort: bool) -> None:
        super().__init__("aborted" if by_abort else "out of turn")
        self.by_abort = by_abort


class Talk:
    """An association that was accepted. Its methods raise Ended or Unreachable; after that only `abort` makes sense."""

    def __init__(self, stream: Stream, reader: _Reader, agreed: Agreement) -> None:
        self.agreed = agreed
        self.accepted = agreed.accepted
        self._limit = agreed.answer.user.max_pdu_length
        self._stream = stream
        self._reader = reader
        self._assembler = MessageAssembler(self.accepted)
        self._message_id = 0
        self._open = True

    @property
    def open(self) -> bool:
        """Whether something may still be asked."""
        return self._open

    def context(self, abstract_syntax: str) -> AcceptedContext | None:
        """The accepted context for this SOP class, if there is one."""
        return self.agreed.by_syntax.get(abstract_syntax)

    async def echo(self) -> int:
        """C-ECHO; its status. The verification context must have been accepted."""
        context = self.context(uids.VERIFICATION)
        if context is None:
            raise ValueError("there is no context for verification")
        self._message_id += 1
        await self._stream.write(_echo_request(self._message_id, context.id, self._limit))
        command, _ = await self._response()
        return self._status(command)

    async def find(self, context: AcceptedContext, identifier: bytes, limit: int) -> AsyncIterator[Answered]:
        """C-FIND: at most `limit` pending answers, then the final one if the peer comes to it.

        After `limit` answers it is cancelled; a peer that goes on regardless is aborted (Ended, as if out of turn).
        `identifier` is encoded in the context's transfer syntax.
        """
        if not self._open:
            raise Ended(by_abort=False)
        self._message_id += 1
        await self._send(context, c_find_rq(self._message_id, context.abstract_syntax), identifier)
        seen = 0
        while True:
            command, data = await self._response()
            status = self._status(command)
            if not is_pending(status):
                yield Answered(status, b"")
                return
            seen += 1
            if seen <= limit:
                yield Answered(status, data)
            elif seen == limit + 1:
                await self._send(context, c_cancel_rq(self._message_id))
            elif seen > limit + _AFTER_CANCEL:
                await self.abort()
                raise self._ended()

    async def release(self) -> None:
        """Release in good order, wait for the reply, close. Never raises but Unreachable."""
        if not self._open:
            return
        self._open = False
        await self._stream.write(_RELEASE)
        item = await self._reader.next()
        while isinstance(item, DataReceived | Mark):  # the rest of what was cancelled
            item = await self._reader.next()
        if isinstance(item, ReleaseRQ):  # both at once (PS3.8 9.2: release collision)
            await self._stream.write(encode(ReleaseRP()))
        self._stream.close()

    async def abort(self) -> None:
        """Abort and close."""
        if self._open:
            self._open = False
            await self._stream.write(_ABORT)
            self._stream.close()

    async def _send(self, context: AcceptedContext, command: Command, data: bytes | None = None) -> None:
        pieces = message_pdus(context.id, encode_command(command), None if data is None else (data,), self._limit)
        await self._stream.write(b"".join(pieces))

    async def _response(self) -> tuple[Command, bytes]:
        command: Command | None = None
        gathered = bytearray()  # bounded by the assembler
        while True:
            item = await self._reader.next()
            if item is Mark.P_DATA:
                continue
            if not isinstance(item, DataReceived):
                raise self._ended(by_abort=isinstance(item, Abort))
            part = self._fed(item)
            if isinstance(part, CommandReceived):
                command = part.command
                if not command.is_response or command.message_id_responded_to != self._message_id:
                    raise self._ended()
                if not command.has_data_set:
                    return command, b""
            elif part is not None and command is not None:
                gathered += part.data
                if part.last:
                    return command, bytes(gathered)

    def _fed(self, item: DataReceived) -> CommandReceived | DataSetFragment | None:
        try:
            return self._assembler.feed(item)
        except LeadglassError:
            raise self._ended() from None

    def _status(self, command: Command) -> int:
        if command.status is None:
            raise self._ended()
        return command.status

    def _ended(self, *, by_abort: bool = False) -> Ended:
        self._open = False
        self._stream.close()
        return Ended(by_abort=by_abort)


class _Reader:
    """Items of the peer, or why there are none."""

    def __init__(self, stream: Stream) -> None:
        self._stream = stream
        self._pdus = PduReader()
        self._any = False

    async def agreement(self, form: Form) -> Agreement | None:
        """The answer if it is an A-ASSOCIATE-AC that comes alone and whole, as it does; None: it is what `next` gives.

        Archives of one product answer alike, so that most answers have been read before.
        """
        data = await self._stream.read()
        whole = data[:1] == _ACCEPT and len(data) <= _USUAL and len(data) == _HEAD + int.from_bytes(data[2:_HEAD])
        agreed = _agreement(form, data[: _TITLES.start] + _BLANK + data[_TITLES.stop :]) if whole else None
        self._any = agreed is not None
        if agreed is None and data:
            self._pdus.feed(data)
        return agreed

    async def next(self) -> Pdu | DataReceived | Mark | Silence:
        while True:
            try:
                item = self._pdus.next()
            except InvalidPduError:
                return Silence.MALFORMED if self._pdus.completed or self._any else Silence.NOT_DICOM
            if item is not Mark.NEED_DATA:
                self._any = True
                return item
            data = await self._stream.read()
            if not data:
                return Silence.MALFORMED if self._pdus.inside_pdu or self._any else Silence.NOTHING
            self._pdus.feed(data)


@lru_cache(maxsize=64)
def _echo_request(message_id: int, context_id: int, limit: int) -> bytes:
    return b"".join(message_pdus(context_id, encode_command(c_echo_rq(message_id)), None, limit))


@lru_cache(maxsize=64)
def _agreement(form: Form, pdu: bytes) -> Agreement | None:
    """What this A-ASSOCIATE-AC gives, None if it is none."""
    try:
        answer = decode(PduType.ASSOCIATE_AC, memoryview(pdu)[_HEAD:])
    except InvalidPduError:
        return None
    assert isinstance(answer, AssociateAC)
    return _agreed(answer, form)


def _agreed(answer: AssociateAC, form: Form) -> Agreement:
    found: dict[int, AcceptedContext] = {}
    by_syntax: dict[str, AcceptedContext] = {}
    for result in answer.contexts:
        proposed = form.proposed.get(result.id)
        if proposed is None or result.result != ContextReason.ACCEPTED:
            continue
        if result.transfer_syntax in proposed.transfer_syntaxes:
            accepted = AcceptedContext(
                result.id, proposed.abstract_syntax, result.transfer_syntax, scu_role=True, scp_role=False
            )
            found[result.id] = accepted
            by_syntax.setdefault(proposed.abstract_syntax, accepted)
    return Agreement(answer, found, by_syntax)
