"""An association as both sides see it: the orderly ways, what a peer may not do, every deadline. No socket."""

from __future__ import annotations

import struct

import pytest

from leadglass.core.errors import LeadglassError
from leadglass.wire.ul.association import Association, Role
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
from leadglass.wire.ul.pdata import p_data_header
from leadglass.wire.ul.pdu import (
    Abort,
    AcceptedContext,
    AssociateAC,
    AssociateRJ,
    AssociateRQ,
    ContextResult,
    ProposedContext,
    ReleaseRP,
    ReleaseRQ,
    RoleSelection,
    UserInformation,
)
from leadglass.wire.ul.states import State
from leadglass.wire.ul.timings import Timings

CT, IMPLICIT = "1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.1.2"
TIMINGS = Timings(artim=10, pdu=20, message_grace=60, minimum_rate=100, idle=1000, reply=40)
REQUEST = AssociateRQ(
    "ARCHIVE",
    "CALLER",
    (ProposedContext(1, CT, (IMPLICIT,)), ProposedContext(3, "1.2.3", (IMPLICIT,))),
    UserInformation(4096, "1.2", roles=(RoleSelection(CT, True, True),)),
)
ANSWER = AssociateAC(
    "ARCHIVE",
    "CALLER",
    (ContextResult(1, 0, IMPLICIT), ContextResult(3, 3)),
    UserInformation(8192, "1.3", roles=(RoleSelection(CT, False, True),)),
)


def p_data(context_id: int, *, is_command: bool, data: bytes, max_pdu: int, is_last: bool = True) -> list[bytes]:
    """P-DATA-TF with one value each, headers and data in turn."""
    out: list[bytes] = []
    for start in range(0, len(data), max_pdu - 6) or (0,):
        piece = data[start : start + max_pdu - 6]
        final = is_last and start + len(piece) == len(data)
        out += [p_data_header(context_id, is_command | final << 1, len(piece)), piece]
    return out


def sent(association: Association) -> bytes:
    return b"".join(association.data_to_send())


def data(context: int = 1, content: bytes = b"x", *, last: bool = True) -> bytes:
    return b"".join(p_data(context, is_command=False, data=content, max_pdu=4096, is_last=last))


def acceptor() -> Association:
    return Association(Role.ACCEPTOR, 0.0, TIMINGS)


def open_acceptor(now: float = 0.0) -> Association:
    association = acceptor()
    association.receive_data(encode(REQUEST), now)
    association.accept(ANSWER, now)
    sent(association)
    return association


def open_requestor(now: float = 0.0) -> Association:
    association = Association(Role.REQUESTOR, now, TIMINGS)
    association.request(REQUEST, now)
    association.receive_data(encode(ANSWER), now)
    sent(association)
    return association


def test_both_sides_agree_on_contexts_roles_and_lengths() -> None:
    scp, scu = acceptor(), Association(Role.REQUESTOR, 0.0, TIMINGS)
    scu.request(REQUEST, 0.0)
    assert scp.receive_data(sent(scu), 0.0) == [AssociationRequested(REQUEST)]
    assert scp.accept(ANSWER, 0.0) == []
    assert scu.receive_data(sent(scp), 0.0) == [AssociationAccepted(ANSWER)]
    assert scu.accepted == {1: AcceptedContext(1, CT, IMPLICIT, scu_role=False, scp_role=True)}
    assert scp.accepted == {1: AcceptedContext(1, CT, IMPLICIT, scu_role=True, scp_role=False)}
    assert (scu.max_send_pdu, scp.max_send_pdu) == (8192, 4096)
    assert scu.established and scp.established


def test_roles_default_to_requestor_scu() -> None:
    association = Association(Role.REQUESTOR, 0.0)
    association.request(AssociateRQ("A", "B", (ProposedContext(1, CT, (IMPLICIT,)),)), 0.0)
    association.receive_data(encode(AssociateAC("A", "B", (ContextResult(1, 0, IMPLICIT),))), 0.0)
    assert association.accepted[1] == AcceptedContext(1, CT, IMPLICIT, scu_role=True, scp_role=False)


def test_results_that_were_not_proposed_open_nothing() -> None:
    association = Association(Role.REQUESTOR, 0.0)
    association.request(REQUEST, 0.0)
    strange = (ContextResult(1, 0, "1.2.840.10008.1.2.1"), ContextResult(99, 0, IMPLICIT))
    association.receive_data(encode(AssociateAC("A", "B", strange)), 0.0)
    assert association.accepted == {}


def test_no_limit_is_offered_as_our_own_bound() -> None:
    association = Association(Role.REQUESTOR, 0.0)
    association.request(AssociateRQ("A", "B", (ProposedContext(1, CT, (IMPLICIT,)),)), 0.0)
    assert association.request_pdu is not None
    assert association.request_pdu.user.max_pdu_length == 256 * 1024


def test_data_both_ways_and_release() -> None:
    scp = open_acceptor()
    events = scp.receive_data(data(content=b"pixels") + encode(ReleaseRQ()), 0.0)
    assert isinstance(events[0], DataReceived)
    assert bytes(events[0].data) == b"pixels"
    assert events[1] == ReleaseRequested()
    scp.p_data(p_data(1, is_command=True, data=b"answer", max_pdu=4096), 0.0)  # still allowed (AR-7)
    assert sent(scp).endswith(b"answer")
    assert scp.reply_release(0.0) == [Released()]
    assert sent(scp) == encode(ReleaseRP())
    assert not scp.finished  # the peer closes, or ARTIM does
    scp.connection_closed(1.0)
    assert scp.finished


def test_release_by_us() -> None:
    scu = open_requestor()
    scu.release(0.0)
    assert sent(scu) == encode(ReleaseRQ())
    assert [type(e) for e in scu.receive_data(data(), 0.0)] == [DataReceived]  # still told (AR-6)
    assert scu.receive_data(encode(ReleaseRP()), 0.0) == [Released()]
    assert scu.finished


def test_release_collision() -> None:
    scu, scp = open_requestor(), open_acceptor()
    scu.release(0.0)
    scp.release(0.0)
    to_scp, to_scu = sent(scu), sent(scp)
    assert scu.receive_data(to_scu, 0.0) == [ReleaseRequested()]
    assert scp.receive_data(to_scp, 0.0) == [ReleaseRequested()]
    assert scp.reply_release(0.0) == []  # waits for the requestor's
    assert sent(scp) == b""
    scu.reply_release(0.0)
    assert scp.receive_data(sent(scu), 0.0) == [Released()]
    assert scu.receive_data(sent(scp), 0.0) == [Released()]
    assert scu.finished


def test_rejection_both_ways() -> None:
    scp, scu = acceptor(), Association(Role.REQUESTOR, 0.0, TIMINGS)
    scu.request(REQUEST, 0.0)
    scp.receive_data(sent(scu), 0.0)
    scp.reject(AssociateRJ(1, 1, 3), 0.0)
    assert scu.receive_data(sent(scp), 0.0) == [AssociationRejected(1, 1, 3)]
    assert scu.finished


@pytest.mark.parametrize(
    ("change", "answer"),
    [({"protocol_version": 2}, AssociateRJ(1, 2, 2)), ({"application_context": "1.2.3"}, AssociateRJ(1, 1, 2))],
)
def test_other_protocols_are_rejected_by_the_provider(change: dict[str, object], answer: AssociateRJ) -> None:
    association = acceptor()
    request = AssociateRQ("A", "B", REQUEST.contexts, **change)  # type: ignore[arg-type]
    assert [type(e) for e in association.receive_data(encode(request), 0.0)] == [ProtocolViolation]
    assert sent(association) == encode(answer)


# --- what a peer may not do -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "raw",
    [data(), encode(ReleaseRQ()), encode(ReleaseRP()), encode(ANSWER), encode(AssociateRJ(1, 1, 1)), b"GET / HTTP"],
    ids=["data", "release", "release reply", "accept", "reject", "http"],
)
def test_before_any_association(raw: bytes) -> None:
    association = acceptor()
    assert [type(e) for e in association.receive_data(raw, 0.0)] == [ProtocolViolation]
    assert sent(association)[:6] == encode(Abort())[:6]
    assert association.state is State.STA13


@pytest.mark.parametrize(
    "raw",
    [
        encode(REQUEST),
        encode(ANSWER),
        encode(ReleaseRP()),
        data(context=3),
        data(context=5),
        struct.pack(">BxI", 4, 8193),
        struct.pack(">BxIIBB", 4, 6, 1, 1, 0),
        b"\xff",
    ],
    ids=["second request", "accept", "release reply", "refused context", "unknown context", "too long", "PDV 1", "?"],
)
def test_on_an_open_association(raw: bytes) -> None:
    association = open_acceptor()
    assert [type(e) for e in association.receive_data(raw, 0.0)] == [ProtocolViolation]
    assert sent(association)[:6] == encode(Abort())[:6]
    assert not association.established
    assert association.receive_data(data() * 9, 0.0) == []  # nothing is believed any more


def test_data_behind_a_violation_in_the_same_read_is_not_told() -> None:
    association = open_acceptor()
    events = association.receive_data(data() + encode(REQUEST) + data(), 0.0)
    assert [type(e) for e in events] == [DataReceived, ProtocolViolation]


def test_garbage_after_the_end_fills_nothing() -> None:
    association = acceptor()
    association.receive_data(b"GET /", 0.0)
    for _ in range(50):
        buffer = association.get_buffer()
        assert len(buffer) >= 4096
        association.buffer_updated(len(buffer), 0.0)


def test_abort_floods() -> None:
    association = open_acceptor()
    assert association.receive_data(encode(Abort(0, 0)) * 1000, 0.0) == [Aborted(0, 0, by_peer=True)]
    assert association.finished
    stranger = acceptor()
    assert stranger.receive_data(encode(Abort(0, 0)) * 1000, 0.0) == [Aborted(0, 0, by_peer=True)]
    assert sent(stranger) == b""


def test_an_abort_that_answers_ours_is_not_told_again() -> None:
    association = open_acceptor()
    assert association.abort(0, 0, 0.0) == [Aborted(0, 0, by_peer=False)]
    assert association.receive_data(encode(Abort(0, 0)), 0.0) == []
    assert association.finished


def test_what_is_said_too_late_does_not_break() -> None:
    association = open_acceptor()
    assert association.connection_closed(0.0) == [ConnectionLost()]
    assert association.abort(0, 0, 0.0) == []
    assert association.connection_closed(0.0) == []
    with pytest.raises(LeadglassError):
        association.p_data([b""], 0.0)
    with pytest.raises(LeadglassError):
        association.release(0.0)


# --- deadlines --------------------------------------------------------------------------------------------------------


def expire(association: Association, at: float) -> list[Event]:
    """The timer rings exactly at `at`: not a moment earlier does anything happen."""
    assert association.get_timer() == pytest.approx(at)
    assert association.handle_timer(at - 0.01) == []
    return association.handle_timer(at)


def test_a_peer_that_sends_nothing_is_closed_after_artim() -> None:
    association = acceptor()
    assert expire(association, 10) == [Timeout("request")]
    assert association.finished
    assert sent(association) == b""


def test_artim_is_not_reset_by_bytes() -> None:
    association = acceptor()
    for second, byte in enumerate(encode(REQUEST)[:9]):
        association.receive_data(bytes((byte,)), float(second))
    assert expire(association, 10) == [Timeout("request")]


def test_the_user_may_take_its_time_to_answer() -> None:
    association = acceptor()
    association.receive_data(encode(REQUEST), 0.0)
    assert association.get_timer() is None


@pytest.mark.parametrize("half", [encode(ReleaseRQ())[:3], data(content=bytes(999))[:500]], ids=["header", "data"])
def test_half_a_pdu_has_an_absolute_deadline(half: bytes) -> None:
    association = open_acceptor()
    association.receive_data(half[:1], 5.0)
    association.receive_data(half[1:], 20.0)  # more bytes move nothing
    assert expire(association, 25) == [Timeout("pdu")]
    assert sent(association) == encode(Abort(2, 0))


def test_each_pdu_has_its_own_deadline() -> None:
    association = open_acceptor()
    association.receive_data(data()[:5], 0.0)
    association.receive_data(data()[5:] + data()[:3], 15.0)
    assert expire(association, 35) == [Timeout("pdu")]


def test_a_dripping_message_must_keep_the_minimum_rate() -> None:
    association = open_acceptor()
    for second in range(66):
        association.receive_data(data(content=b"x" * 10, last=False), float(second))
        association.pace.message_received(10, float(second))
    assert expire(association, 60 + 660 / 100) == [Timeout("message")]


def test_a_message_at_the_minimum_rate_goes_on() -> None:
    association = open_acceptor()
    for second in range(500):
        association.receive_data(data(content=b"x" * 100, last=False), float(second))
        association.pace.message_received(100, float(second))
        assert association.handle_timer(float(second)) == []
    association.pace.message_ended()
    assert association.get_timer() == 499 + 1000


def test_our_own_pauses_are_not_held_against_the_peer() -> None:
    association = open_acceptor()
    association.receive_data(data(content=bytes(99))[:50], 0.0)
    association.pace.message_received(38, 0.0)
    association.pace.hold(1.0)
    assert association.get_timer() is None
    association.pace.resume(501.0)
    assert association.get_timer() == pytest.approx(520)


def test_idle_between_messages_only_by_its_own_timer() -> None:
    association = open_acceptor()
    association.receive_data(data(), 400.0)
    association.p_data([b""], 500.0)
    assert expire(association, 1500) == [Timeout("idle")]


@pytest.mark.parametrize("what", ["request", "release"])
def test_a_peer_that_does_not_answer(what: str) -> None:
    association = Association(Role.REQUESTOR, 0.0, TIMINGS)
    association.request(REQUEST, 0.0)
    if what == "release":
        association.receive_data(encode(ANSWER), 0.0)
        association.release(0.0)
    assert expire(association, 40) == [Timeout("reply")]


def test_a_peer_that_does_not_close_is_closed() -> None:
    association = open_acceptor()
    association.abort(0, 0, 100.0)
    association.receive_data(data() * 3, 105.0)
    assert expire(association, 110) == []
    assert association.finished
