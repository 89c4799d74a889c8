"""One association, either role: bytes and time in, events and bytes to send out.

Every PDU, local request and expired timer is an event of the standard's table (`states.TABLE`); the methods named
after its actions do what tables 9-6 to 9-9 of PS3.8 say and return the next state. Methods that move time forward
return what there is to tell; the driver then sends `data_to_send`, and closes the transport once `finished`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from enum import Enum
from math import inf
from typing import TypeAlias

from leadglass.core.errors import ErrorCode, LeadglassError
from leadglass.core.limits import MAX_PDU_LENGTH
from leadglass.wire.ul.codec import encode
from leadglass.wire.ul.events import (
    Aborted,
    AssociationAccepted,
    AssociationRejected,
    AssociationRequested,
    ConnectionLost,
    DataReceived,
    Event,
    ProtocolViolation,
    Released,
    ReleaseRequested,
    Timeout,
)
from leadglass.wire.ul.fields import InvalidPduError
from leadglass.wire.ul.negotiation import accepted_contexts, send_limit
from leadglass.wire.ul.pace import Pace
from leadglass.wire.ul.pdata import Buffer
from leadglass.wire.ul.pdu import (
    APPLICATION_CONTEXT,
    Abort,
    AcceptedContext,
    AssociateAC,
    AssociateRJ,
    AssociateRQ,
    Pdu,
    ReleaseRP,
    ReleaseRQ,
)
from leadglass.wire.ul.reader import Mark, PduReader
from leadglass.wire.ul.states import TABLE, Action, Evt, State
from leadglass.wire.ul.timings import Timings

_PROVIDER = 2  # A-ABORT source: service provider (PS3.8 table 9-26)
_UNEXPECTED_PDU, _INVALID_PARAMETER = 2, 6  # its reasons
_WRONG_VERSION = AssociateRJ(1, 2, 2)  # permanent, ACSE: protocol version not supported (PS3.8 table 9-21)
_WRONG_APPLICATION = AssociateRJ(1, 1, 2)  # permanent, service user: application context name not supported
_NO_RESPONSE_TO = {State.STA5, State.STA7, State.STA10, State.STA11}  # we asked, the peer has to answer
_PDU_EVENTS: Mapping[type[Pdu], Evt] = {
    AssociateAC: Evt.EVT3,
    AssociateRJ: Evt.EVT4,
    AssociateRQ: Evt.EVT6,
    ReleaseRQ: Evt.EVT12,
    ReleaseRP: Evt.EVT13,
    Abort: Evt.EVT16,
}
_TAKES_DATA = frozenset(s for s in State if TABLE.get((s, Evt.EVT10)) in (Action.DT_2, Action.AR_6))
_SENDS_DATA = frozenset(s for s in State if (s, Evt.EVT9) in TABLE)


class Role(Enum):
    """Who asked for the association."""

    REQUESTOR = "requestor"
    ACCEPTOR = "acceptor"


class Association:
    """One association over one transport connection that is already open. `now` is always monotonic seconds."""

    def __init__(self, role: Role, now: float, timings: Timings | None = None) -> None:
        self.role = role
        self.request_pdu: AssociateRQ | None = None
        self.accepted: Mapping[int, AcceptedContext] = {}
        self.peer_max_pdu = 0
        self.finished = False  # the transport is to be closed once `data_to_send` was sent
        self.pace = Pace(timings or Timings(), now)
        self._timings = timings or Timings()
        self._reader = PduReader()
        self._readable = True
        self._events: list[Event] = []
        self._out: list[Buffer] = []
        self._artim: float | None = None
        self._reply_by: float | None = None
        self._owes_release_reply = False
        self._set_state(State.STA1)
        if role is Role.ACCEPTOR:
            self._step(Evt.EVT5, now)

    # --- what the driver does -----------------------------------------------------------------------------------

    @property
    def state(self) -> State:
        """The state of PS3.8 table 9-10."""
        return self._state

    @property
    def asked_to_release(self) -> bool:
        """Whether `reply_release` is due."""
        return self._state is State.STA10 or (self._state, Evt.EVT14) in TABLE

    @property
    def established(self) -> bool:
        """Whether messages may be sent."""
        return self._sends_data

    @property
    def max_send_pdu(self) -> int:
        """The longest P-DATA-TF to send, as the length field counts it."""
        return send_limit(self.peer_max_pdu)

    def get_buffer(self) -> memoryview:
        """Where to receive the next bytes. Data of events told before becomes invalid."""
        return self._reader.get_buffer()

    def buffer_updated(self, count: int, now: float) -> list[Event]:
        """`count` bytes were received into what `get_buffer` gave."""
        self._reader.received(count)
        return self._read(now)

    def receive_data(self, data: Buffer, now: float) -> list[Event]:
        """The same for bytes that lie elsewhere; they are copied."""
        self._reader.feed(data)
        return self._read(now)

    def data_to_send(self) -> list[Buffer]:
        """What to send now, in order; each byte is given once."""
        out, self._out = self._out, []
        return out

    def get_timer(self) -> float | None:
        """When to call `handle_timer` at the latest; None for never."""
        due, _ = self._next_deadline()
        return None if due == inf else due

    def handle_timer(self, now: float) -> list[Event]:
        """Act on what has expired; early calls do no harm."""
        due, what = self._next_deadline()
        if now < due:
            return []
        if self._state is State.STA13:
            self._step(Evt.EVT18, now)
        elif self._state is State.STA2:
            self._events.append(Timeout(what))
            self._step(Evt.EVT18, now)
        else:
            self._step(Evt.EVT15, now, (Abort(_PROVIDER, 0), Timeout(what)))
        return self._take_events()

    def connection_closed(self, now: float) -> list[Event]:
        """The transport is gone."""
        if self._state is not State.STA1:
            self._step(Evt.EVT17, now)
        return self._take_events()

    # --- what the user of the association does ------------------------------------------------------------------

    def request(self, request: AssociateRQ, now: float) -> list[Event]:
        """Ask for an association (requestor, first thing). ValueError for values that no PDU can hold."""
        offered = replace(request.user, max_pdu_length=request.user.max_pdu_length or MAX_PDU_LENGTH)
        self.request_pdu = replace(request, user=offered)
        encode(self.request_pdu)
        self._step(Evt.EVT1, now)
        self._step(Evt.EVT2, now)
        return self._take_events()

    def accept(self, answer: AssociateAC, now: float) -> list[Event]:
        """Accept what AssociationRequested told. ValueError for values that no PDU can hold."""
        offered = replace(answer.user, max_pdu_length=answer.user.max_pdu_length or MAX_PDU_LENGTH)
        answer = replace(answer, user=offered)
        encode(answer)
        self._step(Evt.EVT7, now, answer)
        return self._take_events()

    def reject(self, answer: AssociateRJ, now: float) -> list[Event]:
        """Refuse what AssociationRequested told."""
        self._step(Evt.EVT8, now, answer)
        return self._take_events()

    def p_data(self, pdus: Iterable[Buffer], now: float) -> None:
        """Send whole P-DATA-TF PDUs (`pdata.p_data_header` heads each). UNAVAILABLE when the association is over."""
        if not self._sends_data:
            raise LeadglassError(ErrorCode.UNAVAILABLE, "The association is not open for messages.")
        self._out.extend(pdus)
        self.pace.activity(now)

    def release(self, now: float) -> list[Event]:
        """Ask the peer to release; Released follows."""
        self._step(Evt.EVT11, now)
        return self._take_events()

    def reply_release(self, now: float) -> list[Event]:
        """Agree to ReleaseRequested. In a collision the acceptor's reply waits for the requestor's (PS3.8 7.2.2.7)."""
        if self._state is State.STA10:
            self._owes_release_reply = True
        else:
            self._step(Evt.EVT14, now)
        return self._take_events()

    def abort(self, source: int, reason: int, now: float) -> list[Event]:
        """End it now. Without effect when it is over."""
        told = Aborted(source, reason, by_peer=False)
        if self._state is State.STA2:  # blank in the table: there is no association, only a connection to close
            self._events.append(told)
            self._set_state(self._aa_2(None, now))
        elif self._state not in (State.STA1, State.STA13):
            self._step(Evt.EVT15, now, (Abort(source, reason), told))
        return self._take_events()

    def violate(self, reason: str, now: float) -> list[Event]:
        """The layer above found that the peer broke the protocol; `reason` is a fixed sentence."""
        self._invalid(reason, now)
        return self._take_events()

    # --- inside -------------------------------------------------------------------------------------------------

    def _read(self, now: float) -> list[Event]:
        reader, accepted, events = self._reader, self.accepted, self._events
        before = reader.completed
        try:
            while self._readable:
                item = reader.next()
                if item is Mark.NEED_DATA:
                    break
                if type(item) is DataReceived:
                    if self._takes_data:
                        if item.context_id not in accepted:
                            raise InvalidPduError("data on a presentation context that was not accepted")
                        events.append(item)
                elif isinstance(item, Mark):
                    if not self._takes_data:
                        self._step(Evt.EVT10, now)
                elif not isinstance(item, DataReceived):
                    self._step(_PDU_EVENTS[type(item)], now, item)
        except InvalidPduError as error:
            self._readable = False
            self._invalid(str(error), now)
        if not self._readable:
            reader.discard()
        self.pace.activity(now)
        self.pace.pdu_state(now, inside=reader.inside_pdu, fresh=reader.completed != before)
        return self._take_events()

    def _invalid(self, reason: str, now: float) -> None:
        if self._state is not State.STA1:
            self._step(Evt.EVT19, now, reason)

    def _take_events(self) -> list[Event]:
        events, self._events = self._events, []
        return events

    def _next_deadline(self) -> tuple[float, str]:
        if self._state is State.STA13:
            return (inf if self._artim is None else self._artim), "close"
        if self._state is State.STA1:
            return inf, ""
        earliest = self.pace.deadline(with_idle=self._state is State.STA6)
        if self._artim is not None:
            earliest = min(earliest, (self._artim, "request"))
        if self._reply_by is not None:
            earliest = min(earliest, (self._reply_by, "reply"))
        return earliest

    def _set_state(self, state: State) -> None:
        self._state = state
        self._takes_data = state in _TAKES_DATA
        self._sends_data = state in _SENDS_DATA

    def _step(self, evt: Evt, now: float, about: object = None) -> None:
        action = TABLE.get((self._state, evt))
        if action is None:
            raise LeadglassError(ErrorCode.UNAVAILABLE, "The association is in no state for this.")
        before = self._state
        self._set_state(_ACTIONS[action](self, about, now))
        if self._state is not before:
            self._reply_by = now + self._timings.reply if self._state in _NO_RESPONSE_TO else None

    def _send(self, pdu: Pdu) -> None:
        self._out.append(encode(pdu))

    def _establish(self, answer: AssociateAC) -> None:
        request = self.request_pdu
        assert request is not None  # states 3 and 5 are entered with one
        requestor = self.role is Role.REQUESTOR
        self.accepted = accepted_contexts(request, answer, requestor=requestor)
        mine, theirs = (request.user, answer.user) if requestor else (answer.user, request.user)
        self.peer_max_pdu = theirs.max_pdu_length
        self._reader.max_p_data = min(mine.max_pdu_length, MAX_PDU_LENGTH)
        self._reader.use_large_buffer()

    def _close(self) -> State:
        self._artim = None
        self._readable = False
        self.finished = True
        return State.STA1

    # --- actions, tables 9-6 to 9-9 -----------------------------------------------------------------------------

    def _ae_1(self, about: object, now: float) -> State:
        return State.STA4

    def _ae_2(self, about: object, now: float) -> State:
        assert self.request_pdu is not None
        self._send(self.request_pdu)
        return State.STA5

    def _ae_3(self, about: object, now: float) -> State:
        assert isinstance(about, AssociateAC)
        self._establish(about)
        self._events.append(AssociationAccepted(about))
        return State.STA6

    def _ae_4(self, about: object, now: float) -> State:
        assert isinstance(about, AssociateRJ)
        self._events.append(AssociationRejected(about.result, about.source, about.reason))
        return self._close()

    def _ae_5(self, about: object, now: float) -> State:
        self._artim = now + self._timings.artim
        return State.STA2

    def _ae_6(self, about: object, now: float) -> State:
        assert isinstance(about, AssociateRQ)
        self._artim = None
        self.request_pdu = about
        refusal = None
        if not about.protocol_version & 1:
            refusal, reason = _WRONG_VERSION, "a protocol version that is not supported"
        elif about.application_context != APPLICATION_CONTEXT:
            refusal, reason = _WRONG_APPLICATION, "an application context that is not DICOM's"
        if refusal is None:
            self._events.append(AssociationRequested(about))
            return State.STA3
        self._events.append(ProtocolViolation(reason))
        return self._ae_8(refusal, now)

    def _ae_7(self, about: object, now: float) -> State:
        assert isinstance(about, AssociateAC)
        self._establish(about)
        self._send(about)
        return State.STA6

    def _ae_8(self, about: object, now: float) -> State:
        assert isinstance(about, AssociateRJ)
        self._send(about)
        self._artim = now + self._timings.artim
        return State.STA13

    def _ar_1(self, about: object, now: float) -> State:
        self._send(ReleaseRQ())
        return State.STA7

    def _ar_2(self, about: object, now: float) -> State:
        self._events.append(ReleaseRequested())
        return State.STA8

    def _ar_3(self, about: object, now: float) -> State:
        self._events.append(Released())
        return self._close()

    def _ar_4(self, about: object, now: float) -> State:
        self._send(ReleaseRP())
        self._events.append(Released())
        self._artim = now + self._timings.artim
        return State.STA13

    def _ar_5(self, about: object, now: float) -> State:
        return self._close()

    def _ar_8(self, about: object, now: float) -> State:
        self._events.append(ReleaseRequested())
        return State.STA9 if self.role is Role.REQUESTOR else State.STA10

    def _ar_9(self, about: object, now: float) -> State:
        self._send(ReleaseRP())
        return State.STA11

    def _ar_10(self, about: object, now: float) -> State:
        return self._ar_4(about, now) if self._owes_release_reply else State.STA12

    def _aa_1(self, about: object, now: float) -> State:
        pdu, told = about if isinstance(about, tuple) else (Abort(_PROVIDER, 0), None)
        if told is None:  # an unfit PDU before any association
            told = ProtocolViolation(about if isinstance(about, str) else "a PDU before the association request")
            pdu = _refusal(about)
        self._events.append(told)
        self._send(pdu)
        self._artim = now + self._timings.artim
        return State.STA13

    def _aa_2(self, about: object, now: float) -> State:
        if isinstance(about, Abort) and self._state is not State.STA13:  # there the end was already told
            self._events.append(Aborted(about.source, about.reason, by_peer=True))
        return self._close()

    def _aa_3(self, about: object, now: float) -> State:
        return self._aa_2(about, now)

    def _aa_4(self, about: object, now: float) -> State:
        self._events.append(ConnectionLost())
        return self._close()

    def _aa_5(self, about: object, now: float) -> State:
        return self._aa_4(about, now)

    def _aa_6(self, about: object, now: float) -> State:
        return State.STA13

    def _aa_7(self, about: object, now: float) -> State:
        self._send(_refusal(about))
        self._readable = False  # once more is enough: a flood must not be answered piece by piece
        return State.STA13

    def _aa_8(self, about: object, now: float) -> State:
        self._events.append(ProtocolViolation(about if isinstance(about, str) else "a PDU that does not belong here"))
        self._send(_refusal(about))
        self._artim = now + self._timings.artim
        return State.STA13

    def _data(self, about: object, now: float) -> State:
        return self._state  # the data itself goes by in `_read` and `p_data`, which ask the table's cells first


def _refusal(about: object) -> Abort:
    """A-ABORT for an invalid PDU (told by a sentence) or an unexpected one (PS3.8 table 9-26)."""
    return Abort(_PROVIDER, _INVALID_PARAMETER if isinstance(about, str) else _UNEXPECTED_PDU)


_Do: TypeAlias = Callable[[Association, object, float], State]
_DATA = (Action.DT_1, Action.DT_2, Action.AR_6, Action.AR_7)
_ACTIONS: Mapping[Action, _Do] = {
    action: Association._data if action in _DATA else getattr(Association, "_" + action.name.lower())
    for action in Action
}
