"""Fuzz the upper layer: pieces do not matter, what is decoded is encoded again, no bytes make an association raise.

Input: one byte for the size of the pieces, then the peer's bytes.
"""

from __future__ import annotations

from collections.abc import Iterator

from harness import pieces

from leadglass.core.errors import ErrorCode, LeadglassError
from leadglass.wire.dimse.messages import message_pdus
from leadglass.wire.ul import events
from leadglass.wire.ul.association import Association, Role
from leadglass.wire.ul.codec import PDU_HEADER, decode, encode
from leadglass.wire.ul.fields import InvalidPduError
from leadglass.wire.ul.pdu import (
    Abort,
    AssociateAC,
    AssociateRJ,
    AssociateRQ,
    AsynchronousWindow,
    ContextResult,
    Pdu,
    ProposedContext,
    ReleaseRQ,
    RoleSelection,
    UserIdentity,
    UserInformation,
)
from leadglass.wire.ul.reader import Mark, PduReader

SYNTAX = "1.2.840.10008.1.2"
USER = UserInformation(
    max_pdu_length=16384,
    implementation_class_uid="1.2.3",
    implementation_version_name="SEED",
    roles=(RoleSelection("1.2.840.10008.5.1.4.1.1.2", False, True),),
    asynchronous=AsynchronousWindow(1, 1),
    identity=UserIdentity(2, True, b"name", b"code"),
)
REQUEST = AssociateRQ("CALLED", "CALLING", (ProposedContext(1, "1.2.840.10008.1.1", (SYNTAX,)),), USER)
ACCEPT = AssociateAC("CALLED", "CALLING", (ContextResult(1, 0, SYNTAX), ContextResult(3, 3)), UserInformation(0, "1.2"))


def read(data: bytes, size: int) -> tuple[list[object], bool]:
    """What the reader makes of `data` in pieces (data values joined), and whether it gave up."""
    reader = PduReader()
    found: list[object] = []
    for piece in pieces(data, size):
        reader.feed(piece)
        while True:
            try:
                item = reader.next()
            except InvalidPduError:
                return found, True
            if item is Mark.NEED_DATA:
                break
            if isinstance(item, events.DataReceived):
                _join(found, item)
            elif not isinstance(item, Mark):
                found.append(item)
    return found, False


def _join(found: list[object], piece: events.DataReceived) -> None:
    before = found[-1] if found else None
    kind = (piece.context_id, piece.is_command)
    if isinstance(before, list) and before[0] == kind and not before[2]:
        before[1] += bytes(piece.data)
        before[2] = piece.is_last
    else:
        found.append([kind, bytes(piece.data), piece.is_last])


def associate(role: Role, data: bytes, size: int) -> None:
    """Have an association read `data`, its first PDU by itself; it answers, and never raises."""
    association = Association(role, 0.0)
    if role is Role.REQUESTOR:
        association.request(REQUEST, 0.0)
    first = PDU_HEADER.size + int.from_bytes(data[2:6], "big")
    for piece in (data[:first], *pieces(data[first:], size)):
        for event in association.receive_data(piece, 0.0):
            answer(association, event)
        association.data_to_send()
    association.handle_timer(1e6)
    association.connection_closed(1e6)


def answer(association: Association, event: events.Event) -> None:
    """Accept what is asked for; UNAVAILABLE is right if the peer broke the protocol right behind its question."""
    try:
        if isinstance(event, events.AssociationRequested):
            results = tuple(ContextResult(c.id, 0, c.transfer_syntaxes[0]) for c in event.request.contexts)
            association.accept(AssociateAC("A", "B", results, UserInformation(0, "1.2")), 0.0)
        elif isinstance(event, events.ReleaseRequested):
            association.reply_release(0.0)
    except LeadglassError as error:
        assert error.code is ErrorCode.UNAVAILABLE
        assert not association.established


def check(data: bytes) -> None:
    """Run one input."""
    if len(data) < 2:
        return
    size, stream = data[0] + 1, data[1:]
    whole = read(stream, len(stream))
    assert read(stream, size) == whole, "pieces matter"
    for item in whole[0]:
        if not isinstance(item, list):
            round_trip(item)  # type: ignore[arg-type]  # the reader's other items are PDUs
    associate(Role.ACCEPTOR, stream, size)
    associate(Role.REQUESTOR, stream, size)


def round_trip(pdu: Pdu) -> None:
    """A PDU that was decoded can be written, and is then the same."""
    raw = encode(pdu)
    kind, length = PDU_HEADER.unpack_from(raw)
    assert length == len(raw) - PDU_HEADER.size
    assert decode(kind, memoryview(raw)[PDU_HEADER.size :]) == pdu, "another PDU after writing"


def seeds() -> Iterator[bytes]:
    """Conversations of both roles."""
    data = b"".join(bytes(part) for part in message_pdus(1, b"command " * 8, [b"data"], 30))
    for opening in (REQUEST, ACCEPT):
        yield b"\xff" + encode(opening) + data + encode(ReleaseRQ())
        yield b"\x06" + encode(opening) + encode(Abort(2, 1))
    yield b"\xff" + encode(AssociateRJ(1, 1, 3))
