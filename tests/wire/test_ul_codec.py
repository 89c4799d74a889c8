"""PDUs as bytes: one case table for reader and writer, bounds, and pynetdicom's PDU classes as the oracle."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pynetdicom import pdu as theirs

from leadglass.core import limits
from leadglass.core.limits import MAX_PDU_LENGTH
from leadglass.wire.ul.codec import PDU_HEADER, check_length, decode, encode
from leadglass.wire.ul.fields import InvalidPduError
from leadglass.wire.ul.pdu import (
    Abort,
    AssociateAC,
    AssociateRJ,
    AssociateRQ,
    AsynchronousWindow,
    CommonExtendedNegotiation,
    ContextResult,
    ExtendedNegotiation,
    Pdu,
    ProposedContext,
    ReleaseRP,
    ReleaseRQ,
    RoleSelection,
    UserIdentity,
    UserInformation,
)
from leadglass.wire.ul.reader import Mark, PduReader

CT = "1.2.840.10008.5.1.4.1.1.2"
IMPLICIT = "1.2.840.10008.1.2"
EXPLICIT = "1.2.840.10008.1.2.1"
MINIMAL = UserInformation(16384, "1.2.3")
FULL = UserInformation(
    max_pdu_length=131072,
    implementation_class_uid="2.25.1",
    implementation_version_name="LEADGLASS_0_1",
    roles=(RoleSelection(CT, False, True), RoleSelection("1.2", True, True)),
    asynchronous=AsynchronousWindow(0, 5),
    extended=(ExtendedNegotiation(CT, b"\x01\x00\x02"), ExtendedNegotiation("1.2.9", b"")),
    common_extended=(CommonExtendedNegotiation(CT, "1.2.840.10008.4.2", (EXPLICIT, "1.3")),),
    identity=UserIdentity(2, True, b"anna", b"secret"),
)
CASES: dict[str, Pdu] = {
    "request": AssociateRQ("CALLED", "CALLING", (ProposedContext(1, CT, (IMPLICIT,)),), MINIMAL),
    "request, all items": AssociateRQ(
        "ANY SCP", "A", tuple(ProposedContext(i, CT, (EXPLICIT, IMPLICIT)) for i in range(1, 256, 2)), FULL
    ),
    "accept": AssociateAC("CALLED", "CALLING", (ContextResult(1, 0, EXPLICIT), ContextResult(3, 4)), MINIMAL),
    "accept, identity": AssociateAC(
        "C", "D", (ContextResult(255, 0, IMPLICIT),), UserInformation(0, "1.2", identity_response=b"ticket")
    ),
    "reject": AssociateRJ(1, 1, 3),
    "release": ReleaseRQ(),
    "release reply": ReleaseRP(),
    "abort": Abort(2, 6),
}
case = pytest.mark.parametrize("pdu", CASES.values(), ids=CASES.keys())


def read_all(reader: PduReader) -> list[object]:
    items = []
    while (item := reader.next()) is not Mark.NEED_DATA:
        items.append(item)
    return items


@case
def test_written_and_read_whole(pdu: Pdu) -> None:
    reader = PduReader()
    reader.feed(encode(pdu))
    assert read_all(reader) == [pdu]
    assert not reader.inside_pdu


@case
def test_read_byte_by_byte(pdu: Pdu) -> None:
    reader, items = PduReader(), []
    for byte in encode(pdu):
        assert items == []
        buffer = reader.get_buffer()
        buffer[0] = byte
        reader.received(1)
        items += read_all(reader)
    assert items == [pdu]


@case
def test_what_trails_belongs_to_the_next(pdu: Pdu) -> None:
    reader = PduReader()
    reader.feed(encode(pdu) + encode(Abort(0, 0)) + b"\x05")
    assert read_all(reader) == [pdu, Abort(0, 0)]
    assert reader.inside_pdu


@case
def test_cut_short_at_every_item_is_refused_or_incomplete(pdu: Pdu) -> None:
    """A body announced shorter than it was made never decodes to the same PDU."""
    raw = encode(pdu)
    body = raw[PDU_HEADER.size :]
    for length in range(len(body)):
        try:
            assert decode(raw[0], memoryview(body[:length])) != pdu
        except InvalidPduError:
            continue


_ORACLE = {1: theirs.A_ASSOCIATE_RQ, 2: theirs.A_ASSOCIATE_AC, 3: theirs.A_ASSOCIATE_RJ, 5: theirs.A_RELEASE_RQ,
           6: theirs.A_RELEASE_RP, 7: theirs.A_ABORT_RQ}  # fmt: skip


@case
def test_another_implementation_reads_and_rewrites_the_same(pdu: Pdu) -> None:
    raw = encode(pdu)
    other = _ORACLE[raw[0]]()
    other.decode(raw)
    again = other.encode()
    assert decode(again[0], memoryview(again)[6:]) == pdu


def test_another_implementation_sees_the_same_values() -> None:
    pdu = CASES["request, all items"]
    other = theirs.A_ASSOCIATE_RQ()
    other.decode(encode(pdu))
    assert isinstance(pdu, AssociateRQ)
    assert (other.called_ae_title.strip(), other.calling_ae_title.strip()) == ("ANY SCP", "A")
    assert [c.context_id for c in other.presentation_context] == [c.id for c in pdu.contexts]
    user = other.user_information
    assert (user.maximum_length, user.implementation_class_uid) == (131072, "2.25.1")
    assert user.user_identity.primary_field == b"anna"
    assert {str(uid): (r.scu_role, r.scp_role) for uid, r in user.role_selection.items()} == {
        CT: (0, 1),
        "1.2": (1, 1),
    }


# --- bounds -----------------------------------------------------------------------------------------------------------


def item(kind: int, value: bytes) -> bytes:
    return struct.pack(">BxH", kind, len(value)) + value


def request_body(*items: bytes) -> memoryview:
    return memoryview(struct.pack(">Hxx16s16s32x", 1, b"A".ljust(16), b"B".ljust(16)) + b"".join(items))


APPLICATION = item(0x10, b"1.2.840.10008.3.1.1.1")
USER = item(0x50, item(0x51, struct.pack(">I", 16384)))


def context(number: int, *syntaxes: bytes) -> bytes:
    return item(0x20, bytes((number, 0, 0, 0)) + b"".join(syntaxes or (ABSTRACT, TRANSFER)))


ABSTRACT, TRANSFER = item(0x30, b"1.2"), item(0x40, IMPLICIT.encode())
HOSTILE = {
    "no context": request_body(APPLICATION, USER),
    "129 contexts": request_body(APPLICATION, USER, *(context(2 * (i % 128) + 1) for i in range(129))),
    "context 0": request_body(APPLICATION, context(0), USER),
    "even context": request_body(APPLICATION, context(2), USER),
    "context twice": request_body(APPLICATION, context(1), context(1), USER),
    "no abstract syntax": request_body(APPLICATION, context(1, TRANSFER), USER),
    "two abstract syntaxes": request_body(APPLICATION, context(1, ABSTRACT, ABSTRACT, TRANSFER), USER),
    "no transfer syntax": request_body(APPLICATION, context(1, ABSTRACT), USER),
    "129 transfer syntaxes": request_body(APPLICATION, context(1, ABSTRACT, *[TRANSFER] * 129), USER),
    "64 kB UID": request_body(APPLICATION, context(1, ABSTRACT, item(0x40, b"1" * 60000)), USER),
    "65 character UID": request_body(APPLICATION, context(1, ABSTRACT, item(0x40, b"1" * 65)), USER),
    "UID not ASCII": request_body(APPLICATION, context(1, ABSTRACT, item(0x40, b"1.\xb2")), USER),
    "empty context": request_body(APPLICATION, item(0x20, b""), USER),
    "no application context": request_body(context(1), USER),
    "two application contexts": request_body(APPLICATION, APPLICATION, context(1), USER),
    "no user information": request_body(APPLICATION, context(1)),
    "two user informations": request_body(APPLICATION, context(1), USER, USER),
    "user information beyond the PDU": request_body(APPLICATION, context(1), b"\x50\x00\xff\xff" + USER[4:]),
    "item header cut": request_body(APPLICATION, context(1), USER, b"\x99\x00"),
    "sub-item beyond its item": request_body(APPLICATION, context(1), item(0x50, b"\x51\x00\x00\x09\x00\x00\x40\x00")),
    "maximum length of 3 bytes": request_body(APPLICATION, context(1), item(0x50, item(0x51, b"\0\0\1"))),
    "maximum length too small": request_body(APPLICATION, context(1), item(0x50, item(0x51, b"\0\0\0\7"))),
    "role UID beyond": request_body(APPLICATION, context(1), item(0x50, item(0x54, b"\xff\xff1.2\1\1"))),
    "role without roles": request_body(APPLICATION, context(1), item(0x50, item(0x54, b"\x00\x031.2"))),
    "a thousand roles": request_body(APPLICATION, context(1), item(0x50, item(0x54, b"\0\0031.2\1\1") * 1000)),
    "window of 2 bytes": request_body(APPLICATION, context(1), item(0x50, item(0x53, b"\0\1"))),
    "credential of 60 kB": request_body(
        APPLICATION, context(1), item(0x50, item(0x58, b"\2\0" + struct.pack(">H", 60000) + bytes(60000) + b"\0\0"))
    ),
    "credential beyond": request_body(APPLICATION, context(1), item(0x50, item(0x58, b"\2\0\xff\xffabc"))),
    "too short": memoryview(bytes(67)),
}


@pytest.mark.parametrize("body", HOSTILE.values(), ids=HOSTILE.keys())
def test_a10_hostile_requests_are_refused(body: memoryview) -> None:
    with pytest.raises(InvalidPduError):
        decode(1, body)


def test_the_hostile_table_is_about_single_faults() -> None:
    assert decode(1, request_body(APPLICATION, context(1), USER)).contexts[0].id == 1  # type: ignore[union-attr]


def test_tolerated_oddities() -> None:
    """Reserved bytes, unknown items, padded UIDs and titles with NULs are in use and harm nobody."""
    odd = request_body(
        item(0x77, b"?"), APPLICATION, context(1, item(0x30, b"1.2\0"), TRANSFER, item(0x41, b"x")), USER
    )
    raw = bytearray(odd)
    raw[2:4], raw[4:20], raw[40:44] = b"\xff\xff", b" ARCHIVE\0\0\0     ", b"\xff" * 4
    request = decode(1, memoryview(raw))
    assert isinstance(request, AssociateRQ)
    assert request.called_ae == "ARCHIVE"
    assert request.contexts[0].abstract_syntax == "1.2"


@pytest.mark.parametrize("pdu_type", range(256))
def test_a5_no_type_may_announce_everything(pdu_type: int) -> None:
    assert check_length(pdu_type, 0xFFFFFFFF, MAX_PDU_LENGTH)
    assert check_length(pdu_type, 0, MAX_PDU_LENGTH)


def test_lengths_at_the_bounds() -> None:
    assert not check_length(4, 16384, 16384)
    assert check_length(4, 16385, 16384)
    assert not check_length(1, limits.MAX_ASSOCIATE_PDU_LENGTH, 16384)
    assert check_length(1, limits.MAX_ASSOCIATE_PDU_LENGTH + 1, 16384)
    assert not check_length(7, 4, 16384)
    assert check_length(7, 5, 16384)


def test_values_no_pdu_can_hold_are_not_written() -> None:
    with pytest.raises(ValueError, match="AE title"):
        encode(AssociateRQ("A" * 17, "B", (), MINIMAL))
    with pytest.raises(ValueError, match="UID"):
        encode(AssociateRQ("A", "B", (ProposedContext(1, "1" * 65, ()),), MINIMAL))


def test_secrets_stay_out_of_repr() -> None:
    text = repr(CASES["request, all items"]) + repr(CASES["accept, identity"])
    assert "secret" not in text
    assert "anna" not in text
    assert "ticket" not in text


uids = st.from_regex(r"[0-9](\.?[0-9]){0,31}", fullmatch=True)
titles = st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=16)
users = st.builds(
    UserInformation,
    st.integers(128, 2**32 - 1) | st.just(0),
    uids,
    titles,
    st.lists(st.builds(RoleSelection, uids, st.booleans(), st.booleans()), max_size=4).map(tuple),
    st.none() | st.builds(AsynchronousWindow, st.integers(0, 65535), st.integers(0, 65535)),
    st.lists(st.builds(ExtendedNegotiation, uids, st.binary(max_size=40)), max_size=3).map(tuple),
    st.lists(st.builds(CommonExtendedNegotiation, uids, uids, st.lists(uids, max_size=3).map(tuple)), max_size=2).map(
        tuple
    ),
    st.none()
    | st.builds(UserIdentity, st.integers(0, 255), st.booleans(), st.binary(max_size=99), st.binary(max_size=99)),
    st.none() | st.binary(max_size=99),
)
numbers = st.lists(st.integers(0, 127), min_size=1, max_size=6, unique=True)
syntaxes = st.lists(uids, min_size=1, max_size=3).map(tuple)


@st.composite
def requests(draw: st.DrawFn) -> AssociateRQ:
    contexts = tuple(ProposedContext(2 * n + 1, draw(uids), draw(syntaxes)) for n in draw(numbers))
    return AssociateRQ(draw(titles), draw(titles), contexts, draw(users), draw(uids), draw(st.integers(0, 65535)))


@st.composite
def answers(draw: st.DrawFn) -> AssociateAC:
    contexts = tuple(ContextResult(2 * n + 1, 0, draw(uids)) for n in draw(numbers))
    return AssociateAC(draw(titles), draw(titles), contexts, draw(users), draw(uids), draw(st.integers(0, 65535)))


@settings(max_examples=100, deadline=None)
@given(requests() | answers())
def test_round_trip(pdu: AssociateRQ | AssociateAC) -> None:
    raw = encode(pdu)
    assert decode(raw[0], memoryview(raw)[6:]) == pdu


@settings(max_examples=200, deadline=None)
@given(st.sampled_from([1, 2, 3, 5, 6, 7]), st.binary(max_size=300), st.integers(0, 80))
def test_any_bytes_decode_or_are_refused(pdu_type: int, noise: bytes, keep: int) -> None:
    good = bytes(request_body(APPLICATION, context(1), USER))
    try:
        decode(pdu_type, memoryview(good[: len(good) - keep] + noise))
    except InvalidPduError:
        return
