"""Messages: fragments become commands and data sets, what breaks PS3.7 is refused; what is sent fits and is even."""

from __future__ import annotations

import struct
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leadglass.core.errors import ErrorCode, LeadglassError
from leadglass.core.limits import MAX_COMMAND_SET_LENGTH, MAX_IDENTIFIER_LENGTH, MAX_PDU_LENGTH
from leadglass.wire.dimse.commands import (
    Command,
    CommandField,
    c_cancel_rq,
    c_echo_rq,
    c_find_rq,
    c_store_rq,
    encode_command,
)
from leadglass.wire.dimse.messages import (
    CommandReceived,
    DataSetFragment,
    FragmentPacker,
    MessageAssembler,
    command_pdus,
    message_pdus,
)
from leadglass.wire.ul.events import DataReceived

ECHO = c_echo_rq(1)
STORE = c_store_rq(2, "1.2.840.10008.5.1.4.1.1.2", "1.2.3")
FIND = c_find_rq(3, "1.2.840.10008.5.1.4.1.2.2.1")
DATA = bytes(range(256)) * 4


def command_piece(data: bytes, *, last: bool = True, context: int = 1) -> DataReceived:
    return DataReceived(context, True, last, memoryview(data))


def data_piece(data: bytes, *, last: bool = True, context: int = 1) -> DataReceived:
    return DataReceived(context, False, last, memoryview(data))


def pieces_of(command: Command, data: bytes | None, size: int) -> Iterator[DataReceived]:
    raw = encode_command(command)
    for start in range(0, len(raw), size):
        yield command_piece(raw[start : start + size], last=start + size >= len(raw))
    if data is not None:
        for start in range(0, len(data), size) or (0,):
            yield data_piece(data[start : start + size], last=start + size >= len(data))


def assemble(assembler: MessageAssembler, pieces: Iterator[DataReceived]) -> list[tuple[Command, bytes | None]]:
    messages: list[tuple[Command, bytes | None]] = []
    gathered = b""
    for piece in pieces:
        match assembler.feed(piece):
            case CommandReceived(_, command):
                messages.append((command, None))
                gathered = b""
            case DataSetFragment(_, data, last):
                gathered += data
                if last:
                    messages[-1] = (messages[-1][0], gathered)
            case None:
                pass
    return messages


def refused(assembler: MessageAssembler, *pieces: DataReceived) -> None:
    for piece in pieces[:-1]:
        assembler.feed(piece)
    with pytest.raises(LeadglassError) as caught:
        assembler.feed(pieces[-1])
    assert caught.value.code is ErrorCode.UNPARSABLE


@pytest.mark.parametrize("size", [1, 7, 1 << 20], ids=["byte by byte", "sevens", "whole"])
@pytest.mark.parametrize(("command", "data"), [(ECHO, None), (STORE, DATA), (STORE, b""), (FIND, DATA)])
def test_messages_come_through(command: Command, data: bytes | None, size: int) -> None:
    assembler = MessageAssembler()
    for _ in range(2):  # what follows a message is a message of its own
        assert assemble(assembler, pieces_of(command, data, size)) == [(command, data)]
        assert assembler.idle


def test_a_data_set_passes_without_being_copied() -> None:
    assembler = MessageAssembler()
    assembler.feed(command_piece(encode_command(STORE)))
    piece = memoryview(DATA)
    told = assembler.feed(DataReceived(1, False, False, piece))
    assert isinstance(told, DataSetFragment)
    assert told.data is piece
    assert not assembler.idle


def test_contexts_may_change_between_messages() -> None:
    assembler = MessageAssembler({1, 3})
    assembler.feed(command_piece(encode_command(ECHO), context=3))
    told = assembler.feed(command_piece(encode_command(ECHO), context=1))
    assert told == CommandReceived(1, ECHO)


@pytest.mark.parametrize("context", [0, 2, 5, 255])
def test_a_context_that_was_not_accepted(context: int) -> None:
    refused(MessageAssembler({1, 3}), command_piece(encode_command(ECHO), context=context))


def test_a_context_that_changes_within_a_command() -> None:
    raw = encode_command(ECHO)
    refused(MessageAssembler(), command_piece(raw[:9], last=False), command_piece(raw[9:], context=3))


def test_a_context_that_changes_before_the_data_set() -> None:
    refused(MessageAssembler(), command_piece(encode_command(STORE)), data_piece(DATA, context=3))


def test_a_data_set_before_any_command() -> None:
    refused(MessageAssembler(), data_piece(DATA))


def test_a_data_set_within_a_command() -> None:
    refused(MessageAssembler(), command_piece(encode_command(STORE)[:9], last=False), data_piece(DATA))


def test_a_data_set_that_was_not_announced() -> None:
    refused(MessageAssembler(), command_piece(encode_command(ECHO)), data_piece(DATA))


def test_a_second_data_set() -> None:
    refused(MessageAssembler(), command_piece(encode_command(STORE)), data_piece(DATA), data_piece(DATA))


@pytest.mark.parametrize("before", [(), (data_piece(DATA, last=False),)], ids=["at once", "after a fragment"])
def test_a_command_where_a_data_set_was_announced(before: tuple[DataReceived, ...]) -> None:
    pieces = (command_piece(encode_command(STORE)), *before, command_piece(encode_command(ECHO)))
    refused(MessageAssembler(), *pieces)


def test_a_cancel_does_not_break_into_a_data_set() -> None:
    refused(MessageAssembler(), command_piece(encode_command(FIND)), command_piece(encode_command(c_cancel_rq(3))))


def test_an_empty_command() -> None:
    refused(MessageAssembler(), command_piece(b""))


def test_a12_a_command_that_never_ends_is_refused_at_its_limit() -> None:
    assembler = MessageAssembler()
    taken = 0
    with pytest.raises(LeadglassError):
        while taken <= 2 * MAX_COMMAND_SET_LENGTH:
            assembler.feed(command_piece(bytes(1000), last=False))
            taken += 1000
    assert taken <= MAX_COMMAND_SET_LENGTH


def test_an_identifier_is_bounded() -> None:
    assembler = MessageAssembler()
    assembler.feed(command_piece(encode_command(FIND)))
    half = bytes(MAX_IDENTIFIER_LENGTH // 2)
    assert assembler.feed(data_piece(half, last=False)) is not None
    assert assembler.feed(data_piece(half, last=False)) is not None
    with pytest.raises(LeadglassError):
        assembler.feed(data_piece(b"x"))


def test_an_instance_is_not_bounded() -> None:
    assembler = MessageAssembler()
    assembler.feed(command_piece(encode_command(STORE)))
    piece = bytes(MAX_IDENTIFIER_LENGTH)
    for _ in range(3):
        assert assembler.feed(data_piece(piece, last=False)) is not None


def test_an_unannounced_message_type_is_bounded_by_its_flag_alone() -> None:
    """C-ECHO with a data set is odd, not hostile: it is told, and its data set is bounded."""
    told = MessageAssembler().feed(
        command_piece(encode_command(Command(CommandField.C_ECHO_RQ, {**ECHO.elements, 0x0800: 1})))
    )
    assert isinstance(told, CommandReceived)
    assert told.command.has_data_set


# --- out ---------------------------------------------------------------------------------------------------------


def values_of(buffers: list[bytes]) -> list[tuple[int, int, bytes]]:
    """(context, flags, data) of each P-DATA-TF with one value each, read by the letter of PS3.8 9.3.5."""
    raw = b"".join(buffers)
    found, at = [], 0
    while at < len(raw):
        kind, length, inner, context, flags = struct.unpack_from(">BxIIBB", raw, at)
        assert kind == 4
        assert length == inner + 4
        found.append((context, flags, raw[at + 12 : at + 6 + length]))
        at += 6 + length
    assert at == len(raw)
    return found


def test_a_message_is_its_command_and_its_data_set() -> None:
    buffers = message_pdus(5, encode_command(STORE), [DATA], 16384)
    assert values_of(buffers) == [(5, 3, encode_command(STORE)), (5, 2, DATA)]


def test_a_command_alone_is_one_buffer() -> None:
    buffers = command_pdus(5, encode_command(ECHO), 16384)
    assert len(buffers) == 1
    assert values_of(buffers) == [(5, 3, encode_command(ECHO))]
    assert [bytes(buffer) for buffer in message_pdus(5, encode_command(ECHO), None, 0)] == buffers


def test_an_empty_data_set_has_one_empty_value() -> None:
    assert values_of(message_pdus(5, None, [], 0)) == [(5, 2, b"")]


def test_a_large_data_set_is_not_copied() -> None:
    data = bytes(3 * MAX_PDU_LENGTH)
    buffers = message_pdus(1, None, [data], 16384)
    assert all(buffer.obj is data for buffer in buffers if isinstance(buffer, memoryview))
    assert sum(len(buffer) for buffer in buffers if isinstance(buffer, memoryview)) == len(data)


def test_a_peer_without_bound_gets_pdus_of_our_bound() -> None:
    values = values_of(message_pdus(1, None, [bytes(3 * MAX_PDU_LENGTH)], 0))
    assert max(len(data) for _, _, data in values) == MAX_PDU_LENGTH - 6


@pytest.mark.parametrize("max_pdu", range(1, 8))
def test_a_peer_that_leaves_no_room_is_refused(max_pdu: int) -> None:
    with pytest.raises(LeadglassError):
        FragmentPacker(1, max_pdu)


@given(st.lists(st.binary(max_size=60), max_size=12), st.integers(8, 64))
def test_fragments_are_full_even_and_in_order(chunks: list[bytes], max_pdu: int) -> None:
    raw = encode_command(STORE)
    values = values_of(message_pdus(3, raw, chunks, max_pdu))
    command = [value for value in values if value[1] & 1]
    data = [value for value in values if not value[1] & 1]
    assert values == command + data
    for part, whole in ((command, raw), (data, b"".join(chunks))):
        assert b"".join(value[2] for value in part) == whole
        assert [bool(value[1] & 2) for value in part] == [False] * (len(part) - 1) + [True]
        room = (max_pdu - 6) & ~1
        assert all(len(value[2]) == room for value in part[:-1])
        assert len(part[-1][2]) <= room
    received = (DataReceived(c, bool(f & 1), bool(f & 2), memoryview(d)) for c, f, d in values)
    assert assemble(MessageAssembler({3}), received) == [(STORE, b"".join(chunks))]
