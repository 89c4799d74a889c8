"""P-DATA-TF goes by as views of the buffer: complete, in order, and bounded, however the bytes are cut."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pynetdicom import pdu as theirs

from leadglass.wire.ul.events import DataReceived
from leadglass.wire.ul.fields import InvalidPduError
from leadglass.wire.ul.pdata import p_data_header
from leadglass.wire.ul.reader import LARGE_BUFFER, SMALL_BUFFER, Mark, PduReader

Value = tuple[int, bool, bytes]  # context, is command, data


def p_data(context_id: int, *, is_command: bool, data: bytes, max_pdu: int, is_last: bool = True) -> list[bytes]:
    """P-DATA-TF with one value each, headers and data in turn."""
    out: list[bytes] = []
    for start in range(0, len(data), max_pdu - 6) or (0,):
        piece = data[start : start + max_pdu - 6]
        final = is_last and start + len(piece) == len(data)
        out += [p_data_header(context_id, is_command | final << 1, len(piece)), piece]
    return out


def receive(reader: PduReader, raw: bytes, step: int) -> list[Value]:
    """Values, each gathered up to its last flag, when `raw` comes in reads of at most `step` bytes."""
    values, gathered, position = [], b"", 0
    while position < len(raw):
        buffer = reader.get_buffer()
        assert len(buffer) > 0
        count = min(step, len(buffer), len(raw) - position)
        buffer[:count] = raw[position : position + count]
        reader.received(count)
        position += count
        while (item := reader.next()) is not Mark.NEED_DATA:
            if isinstance(item, DataReceived):
                gathered += item.data
                if item.is_last:
                    values.append((item.context_id, item.is_command, gathered))
                    gathered = b""
    return values


@settings(max_examples=150, deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from([1, 3, 255]), st.booleans(), st.binary(max_size=9000)), max_size=5),
    st.integers(128, 5000),
    st.integers(1, 10000),
    st.booleans(),
)
def test_values_survive_any_packing_and_any_cut(values: list[Value], max_pdu: int, step: int, large: bool) -> None:
    reader = PduReader()
    if large:
        reader.use_large_buffer()
    raw = b"".join(
        part
        for number, is_command, data in values
        for part in p_data(number, is_command=is_command, data=data, max_pdu=max_pdu)
    )
    assert receive(reader, raw, step) == values
    assert not reader.inside_pdu


def test_another_implementation_reads_what_we_pack() -> None:
    raw = b"".join(p_data(5, is_command=False, data=bytes(range(256)) * 4, max_pdu=1030))
    other = theirs.P_DATA_TF()
    other.decode(raw)
    (value,) = other.presentation_data_value_items
    assert value.presentation_context_id == 5
    assert value.presentation_data_value == b"\x02" + bytes(range(256)) * 4


def test_several_values_in_one_pdu() -> None:
    values = struct.pack(">IBB", 4, 1, 3) + b"ab" + struct.pack(">IBB", 5, 1, 2) + b"cde"
    raw = struct.pack(">BxI", 4, len(values)) + values
    assert receive(PduReader(), raw, 1) == receive(PduReader(), raw, 999) == [(1, True, b"ab"), (1, False, b"cde")]


def test_no_pdu_is_longer_than_the_peer_takes() -> None:
    buffers = list(p_data(1, is_command=False, data=bytes(1000), max_pdu=128))
    lengths = [struct.unpack(">BxI", header[:6])[1] for header in buffers[::2]]
    assert max(lengths) == 128
    assert sum(len(data) for data in buffers[1::2]) == 1000


def test_empty_data_still_ends_a_message() -> None:
    assert receive(PduReader(), b"".join(p_data(1, is_command=False, data=b"", max_pdu=128)), 99) == [(1, False, b"")]


BAD = {
    "over the maximum": struct.pack(">BxI", 4, 16385),
    "without a value": struct.pack(">BxI", 4, 0),
    "value length 0": struct.pack(">BxIIBB", 4, 6, 0, 1, 0),
    "value length 1": struct.pack(">BxIIBB", 4, 6, 1, 1, 0),
    "value beyond the PDU": struct.pack(">BxIIBB", 4, 6, 3, 1, 0),
    "value of 4 GB": struct.pack(">BxIIBB", 4, 6, 0xFFFFFFFF, 1, 0),
    "rest too short for a value": struct.pack(">BxIIBB", 4, 8, 2, 1, 2) + b"\0\0",
    "second value beyond": struct.pack(">BxIIBB", 4, 14, 2, 1, 2) + struct.pack(">IBB", 5, 1, 2),
    "HTTP": b"GET / HTTP/1.1\r\n\r\n",
    "TLS": b"\x16\x03\x01\x02\x00\x01\x00",
    "SSH": b"SSH-2.0-OpenSSH_9.2\r\n",
    "type 0": bytes(20),
    "type 8": b"\x08" + bytes(19),
    **{f"4 GB of type {kind}": struct.pack(">BxI", kind, 0xFFFFFFFF) for kind in range(1, 8)},
}


@pytest.mark.parametrize("raw", BAD.values(), ids=BAD.keys())
@pytest.mark.parametrize("step", [1, 10000])
def test_impossible_lengths_and_strangers_are_refused(raw: bytes, step: int) -> None:
    reader = PduReader()
    reader.max_p_data = 16384
    with pytest.raises(InvalidPduError):
        receive(reader, raw, step)


def test_a_stranger_is_known_by_the_first_byte() -> None:
    with pytest.raises(InvalidPduError):
        receive(PduReader(), b"G", 1)


def test_a_flood_of_empty_values_makes_no_events() -> None:
    reader = PduReader()
    values = struct.pack(">IBB", 2, 1, 0) * 2000
    reader.feed(struct.pack(">BxI", 4, len(values)) + values)
    assert reader.next() is Mark.P_DATA
    assert reader.next() is Mark.NEED_DATA
    assert not reader.inside_pdu


def test_the_buffer_is_small_before_and_large_after() -> None:
    reader = PduReader()
    assert len(reader.get_buffer()) == SMALL_BUFFER
    reader.use_large_buffer()
    first = reader.get_buffer()
    assert len(first) == LARGE_BUFFER
    assert reader.get_buffer().obj is first.obj  # the same memory each time


def test_data_is_not_copied() -> None:
    reader = PduReader()
    buffer = reader.get_buffer()
    raw = b"".join(p_data(1, is_command=False, data=b"pixels", max_pdu=128))
    buffer[: len(raw)] = raw
    reader.received(len(raw))
    reader.next()
    piece = reader.next()
    assert isinstance(piece, DataReceived)
    assert piece.data.obj is buffer.obj
