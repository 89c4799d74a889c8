"""Command sets: what is written is read again, pynetdicom agrees, and what cannot be answered is refused."""

from __future__ import annotations

import struct
from io import BytesIO

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom.tag import Tag
from pynetdicom import dimse_messages
from pynetdicom.dsutils import decode, encode

from leadglass.core.errors import ErrorCode, LeadglassError
from leadglass.core.limits import MAX_COMMAND_SET_LENGTH
from leadglass.wire.dimse import commands as c
from leadglass.wire.dimse import elements as el
from leadglass.wire.dimse import status

CT = "1.2.840.10008.5.1.4.1.1.2"
FIND = "1.2.840.10008.5.1.4.1.2.2.1"
COMMITMENT = "1.2.840.10008.1.20.1"
ONE = "1.2.826.0.1.3680043.1"
TAGS = (0x00100010, 0x00080018)

STORE_RQ = c.c_store_rq(7, CT, ONE, priority=1, move_originator_ae="MOVER", move_originator_message_id=9)
FIND_RQ = c.c_find_rq(8, FIND)
GET_RQ = c.c_get_rq(9, FIND)
MOVE_RQ = c.c_move_rq(10, FIND, "ELSEWHERE", priority=2)
EVENT_RQ = c.n_event_report_rq(1, COMMITMENT, ONE, 2, has_data_set=True)
NGET_RQ = c.n_get_rq(2, CT, ONE, TAGS)
SET_RQ = c.n_set_rq(3, CT, ONE)
ACTION_RQ = c.n_action_rq(4, COMMITMENT, ONE, 1, has_data_set=True)
CREATE_RQ = c.n_create_rq(5, CT, has_data_set=True)
DELETE_RQ = c.n_delete_rq(6, CT, ONE)

CASES = {
    "C_ECHO_RQ": c.c_echo_rq(1),
    "C_ECHO_RSP": c.c_echo_rsp(c.c_echo_rq(1), status.SUCCESS),
    "C_STORE_RQ": STORE_RQ,
    "C_STORE_RSP": c.c_store_rsp(STORE_RQ, 0xA900, error_comment="Odd lengthy", offending_elements=TAGS),
    "C_FIND_RQ": FIND_RQ,
    "C_FIND_RSP": c.c_find_rsp(FIND_RQ, status.PENDING, has_data_set=True),
    "C_CANCEL_RQ": c.c_cancel_rq(8),
    "C_GET_RQ": GET_RQ,
    "C_GET_RSP": c.c_get_rsp(GET_RQ, status.PENDING, remaining=5, completed=1, failed=0, warning=2),
    "C_MOVE_RQ": MOVE_RQ,
    "C_MOVE_RSP": c.c_move_rsp(MOVE_RQ, 0xB000, has_data_set=True, completed=1, failed=1, warning=0),
    "N_EVENT_REPORT_RQ": EVENT_RQ,
    "N_EVENT_REPORT_RSP": c.n_event_report_rsp(EVENT_RQ, status.SUCCESS),
    "N_GET_RQ": NGET_RQ,
    "N_GET_RSP": c.n_get_rsp(NGET_RQ, 0x0107, has_data_set=True, tags=TAGS),
    "N_SET_RQ": SET_RQ,
    "N_SET_RSP": c.n_set_rsp(SET_RQ, 0x0106, tags=TAGS, error_id=3),
    "N_ACTION_RQ": ACTION_RQ,
    "N_ACTION_RSP": c.n_action_rsp(ACTION_RQ, 0x0123, error_comment="No such action."),
    "N_CREATE_RQ": CREATE_RQ,
    "N_CREATE_RSP": c.n_create_rsp(CREATE_RQ, status.SUCCESS, sop_instance=ONE),
    "N_DELETE_RQ": DELETE_RQ,
    "N_DELETE_RSP": c.n_delete_rsp(DELETE_RQ, 0x0112),
}
BY_NAME = pytest.mark.parametrize("name", CASES)


def element(number: int, value: bytes, group: int = 0) -> bytes:
    return struct.pack("<HHI", group, number, len(value)) + value


def us(number: int, value: int) -> bytes:
    return element(number, value.to_bytes(2, "little"))


def refused(raw: bytes) -> bool:
    with pytest.raises(LeadglassError) as caught:
        c.decode_command(raw)
    return caught.value.code is ErrorCode.UNPARSABLE


def test_every_message_of_the_standard_has_a_case() -> None:
    assert {field.name for field in c.CommandField} == set(CASES)


@BY_NAME
def test_what_is_written_is_read_again(name: str) -> None:
    command = CASES[name]
    assert c.decode_command(c.encode_command(command)) == command
    assert command.field.name == name


@BY_NAME
def test_pynetdicom_reads_what_we_write(name: str) -> None:
    theirs = decode(BytesIO(c.encode_command(CASES[name])), True, True)
    ours = CASES[name]
    assert theirs.CommandField == ours.field
    assert theirs.CommandGroupLength == len(c.encode_command(ours)) - 12
    for number, value in ours.elements.items():
        found = theirs[Tag(0, number)].value
        expected = list(value) if isinstance(value, tuple) else value
        assert (list(found) if isinstance(value, tuple) else found) == expected
    known = {0x00000000 | (Tag(kw).elem) for kw in dimse_messages._COMMAND_SET_KEYWORDS[name.replace("_", "-")]}
    assert set(ours.elements) <= known


@BY_NAME
def test_we_read_what_pynetdicom_writes(name: str) -> None:
    theirs = decode(BytesIO(c.encode_command(CASES[name])), True, True)
    assert c.decode_command(encode(theirs, True, True) or b"") == CASES[name]


@BY_NAME
def test_a_command_set_cut_anywhere_is_refused_or_lacks_elements(name: str) -> None:
    raw = c.encode_command(CASES[name])
    for cut in range(len(raw)):
        try:
            command = c.decode_command(raw[:cut])
        except LeadglassError as error:
            assert error.code is ErrorCode.UNPARSABLE
        else:
            assert set(command.elements) < set(CASES[name].elements)


@BY_NAME
def test_trailing_bytes_are_refused(name: str) -> None:
    assert refused(c.encode_command(CASES[name]) + b"\0" * 7)


def test_typed_fields_of_a_store() -> None:
    command = c.decode_command(c.encode_command(STORE_RQ))
    assert (command.message_id, command.priority, command.has_data_set) == (7, 1, True)
    assert (command.affected_sop_class_uid, command.affected_sop_instance_uid) == (CT, ONE)
    assert (command.move_originator_ae, command.move_originator_message_id) == ("MOVER", 9)
    assert command.status is None
    assert command.offending_elements == ()


def test_a_response_repeats_what_was_asked_for() -> None:
    answer = c.response_to(ACTION_RQ, status.UNRECOGNIZED_OPERATION)
    assert answer.field is c.CommandField.N_ACTION_RSP
    assert (answer.message_id_responded_to, answer.action_type_id) == (4, 1)
    assert (answer.affected_sop_class_uid, answer.affected_sop_instance_uid) == (COMMITMENT, ONE)
    assert answer.requested_sop_class_uid is None


def test_what_has_no_response_gets_none() -> None:
    for command in (CASES["C_CANCEL_RQ"], CASES["C_ECHO_RSP"]):
        with pytest.raises(LeadglassError):
            c.response_to(command, status.SUCCESS)
    with pytest.raises(LeadglassError):
        c.c_store_rsp(FIND_RQ, status.SUCCESS)


def test_a_comment_is_ascii_and_at_most_64_characters() -> None:
    answer = c.c_store_rsp(STORE_RQ, 0xC000, error_comment="ä" * 100)
    assert c.decode_command(c.encode_command(answer)).error_comment == "?" * 64


def test_counts_that_do_not_fit_are_told_as_the_largest() -> None:
    answer = c.c_get_rsp(GET_RQ, status.PENDING, remaining=100_000, completed=1, failed=0, warning=0)
    assert c.decode_command(c.encode_command(answer)).remaining == 0xFFFF


def test_titles_and_uids_lose_their_padding() -> None:
    raw = us(el.COMMAND_FIELD, 0x21) + us(el.MESSAGE_ID, 1) + us(el.DATA_SET_TYPE, 1)
    raw += element(el.MOVE_DESTINATION, b"  THERE \0") + element(el.AFFECTED_SOP_CLASS_UID, b"1.2.3 \0\0")
    command = c.decode_command(raw)
    assert command.move_destination == "THERE"
    assert command.affected_sop_class_uid == "1.2.3"


def test_repr_shows_no_identifier() -> None:
    assert ONE not in repr(STORE_RQ)
    assert repr(c.c_store_rsp(STORE_RQ, 0xA700)) == "Command(C_STORE_RSP, status=0xA700)"


ECHO = us(el.COMMAND_FIELD, 0x30) + us(el.MESSAGE_ID, 1) + us(el.DATA_SET_TYPE, 0x0101)


@pytest.mark.parametrize(
    "more",
    [
        element(el.GROUP_LENGTH, b"\xff\xff\xff\xff"),  # a lie
        element(0x0010, b"ACR-NEMA"),  # retired elements are skipped
        us(el.PRIORITY, 0) + us(el.ERROR_ID, 7),
        element(el.PRIORITY, b""),
        element(el.AFFECTED_SOP_CLASS_UID, b""),
    ],
)
def test_tolerated(more: bytes) -> None:
    command = c.decode_command(more + ECHO)
    assert command.field is c.CommandField.C_ECHO_RQ
    assert not command.has_data_set
    assert c.decode_command(ECHO + more).message_id == 1


@pytest.mark.parametrize(
    "raw",
    {
        "nothing": b"",
        "no field": us(el.MESSAGE_ID, 1) + us(el.DATA_SET_TYPE, 1),
        "unknown field": us(el.COMMAND_FIELD, 0x7777) + us(el.MESSAGE_ID, 1) + us(el.DATA_SET_TYPE, 1),
        "no data set type": us(el.COMMAND_FIELD, 0x30) + us(el.MESSAGE_ID, 1),
        "no message id": us(el.COMMAND_FIELD, 0x30) + us(el.DATA_SET_TYPE, 0x0101),
        "response to nothing": us(el.COMMAND_FIELD, 0x8030) + us(el.STATUS, 0) + us(el.DATA_SET_TYPE, 0x0101),
        "response without status": us(el.COMMAND_FIELD, 0x8030)
        + us(el.MESSAGE_ID_RESPONDED_TO, 1)
        + us(el.DATA_SET_TYPE, 0x0101),
        "cancel of nothing": us(el.COMMAND_FIELD, 0x0FFF) + us(el.MESSAGE_ID, 1) + us(el.DATA_SET_TYPE, 0x0101),
        "a data set element": ECHO + element(0x0010, b"NAME", group=0x0010),
        "an element twice": ECHO + us(el.MESSAGE_ID, 1),
        "long number": ECHO + element(el.PRIORITY, b"\0\0\0\0"),
        "odd tag list": ECHO + element(el.OFFENDING_ELEMENT, b"\0\0\0"),
        "length beyond the end": ECHO + struct.pack("<HHI", 0, el.PRIORITY, 3) + b"\0\0",
        "undefined length": ECHO + struct.pack("<HHI", 0, el.PRIORITY, 0xFFFFFFFF) + b"\0\0",
        "too long": ECHO + element(0x0010, b"\0" * MAX_COMMAND_SET_LENGTH),
    }.values(),
)
def test_refused(raw: bytes) -> None:
    assert refused(raw)


def test_the_longest_command_set_is_read() -> None:
    filling = MAX_COMMAND_SET_LENGTH - len(ECHO) - 8
    assert c.decode_command(ECHO + element(0x0010, b"\0" * filling)).message_id == 1


uid_text = st.text("0123456789.", min_size=1, max_size=64)
numbers = st.integers(0, 0xFFFF)
tags = st.lists(st.integers(0, 0xFFFFFFFF), max_size=5).map(tuple)


@given(numbers, uid_text, uid_text, numbers, tags)
def test_any_store_and_its_answer_round_trip(
    message_id: int, sop_class: str, instance: str, code: int, offending: tuple[int, ...]
) -> None:
    request = c.decode_command(c.encode_command(c.c_store_rq(message_id, sop_class, instance)))
    assert (request.message_id, request.affected_sop_instance_uid) == (message_id, instance)
    answer = c.decode_command(c.encode_command(c.c_store_rsp(request, code, offending_elements=offending)))
    assert (answer.status, answer.message_id_responded_to) == (code, message_id)
    assert answer.offending_elements == offending
    assert answer.affected_sop_class_uid == sop_class


@given(st.binary(max_size=400) | st.lists(st.sampled_from([us(el.PRIORITY, 1), ECHO, b"\0\0"])).map(b"".join))
def test_any_bytes_are_read_or_refused(raw: bytes) -> None:
    try:
        command = c.decode_command(raw)
    except LeadglassError as error:
        assert error.code is ErrorCode.UNPARSABLE
        return
    assert c.decode_command(c.encode_command(command)).field is command.field


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (0x0000, status.StatusKind.SUCCESS),
        (0x0001, status.StatusKind.WARNING),
        (0x0107, status.StatusKind.WARNING),
        (0xB000, status.StatusKind.WARNING),
        (0xB007, status.StatusKind.WARNING),
        (0xFF00, status.StatusKind.PENDING),
        (0xFF01, status.StatusKind.PENDING),
        (0xFE00, status.StatusKind.CANCEL),
        (0x0124, status.StatusKind.FAILURE),
        (0xA700, status.StatusKind.FAILURE),
        (0xC001, status.StatusKind.FAILURE),
        (0x7777, status.StatusKind.FAILURE),
    ],
)
def test_kinds_of_status(code: int, kind: status.StatusKind) -> None:
    assert status.kind_of(code) is kind
    assert status.is_pending(code) == (kind is status.StatusKind.PENDING)
