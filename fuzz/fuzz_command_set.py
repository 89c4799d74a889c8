"""Fuzz command sets: fragments do not matter, what is decoded is encoded again, and pydicom reads the same values.

Input: one byte for the size of the fragments, then a command set.
"""

from __future__ import annotations

from collections.abc import Iterator
from io import BytesIO

from harness import pieces
from pydicom.dataelem import RawDataElement
from pydicom.filereader import data_element_generator

from leadglass.core.errors import ErrorCode, LeadglassError
from leadglass.wire.dimse import commands as c
from leadglass.wire.dimse.messages import CommandReceived, MessageAssembler
from leadglass.wire.ul.events import DataReceived


def decode(raw: bytes) -> c.Command | None:
    """The command, or None if it is refused; anything but UNPARSABLE is a fault."""
    try:
        return c.decode_command(raw)
    except LeadglassError as error:
        assert error.code is ErrorCode.UNPARSABLE
        return None


def assemble(raw: bytes, size: int) -> c.Command | None:
    """The same from fragments."""
    assembler = MessageAssembler()
    told: object = None
    parts = list(pieces(raw, size)) or [b""]
    try:
        for number, part in enumerate(parts, 1):
            told = assembler.feed(DataReceived(1, True, number == len(parts), memoryview(part)))
    except LeadglassError as error:
        assert error.code is ErrorCode.UNPARSABLE
        return None
    assert isinstance(told, CommandReceived)
    return told.command


def compare(command: c.Command, raw: bytes) -> None:
    """Every element is what pydicom finds in the same bytes."""
    theirs = {
        int(element.tag): element.value or b""
        for element in data_element_generator(BytesIO(raw), True, True)
        if isinstance(element, RawDataElement)
    }
    for number, value in command.elements.items():
        found = theirs[number]
        if isinstance(value, int):
            assert int.from_bytes(found, "little") == value, "another number"
        elif isinstance(value, str):
            assert value.encode("latin-1") in found, "another text"
        else:
            assert len(value) * 4 == len(found), "another list"


def check(data: bytes) -> None:
    """Run one input."""
    if not data:
        return
    raw = data[1:]
    command = decode(raw)
    assert assemble(raw, data[0] + 1) == command, "fragments matter"
    if command is None:
        return
    compare(command, raw)
    again = decode(c.encode_command(command))
    assert again is not None, "what is written is refused"
    assert again.field is command.field
    # A comment is shortened and made ASCII on the way out, all else must stay.
    assert {**again.elements, 0x0902: ""} == {**command.elements, 0x0902: ""}, "another command after writing"
    assert c.encode_command(again) == c.encode_command(command)
    if not command.is_response and command.field is not c.CommandField.C_CANCEL_RQ:
        answer = decode(c.encode_command(c.response_to(command, 0xA700, error_comment="No.")))
        assert answer is not None
        assert answer.message_id_responded_to == command.message_id


def seeds() -> Iterator[bytes]:
    """Requests and responses of several shapes."""
    store = c.c_store_rq(7, "1.2.840.10008.5.1.4.1.1.2", "1.2.3.4", move_originator_ae="MOVER")
    get = c.c_get_rq(8, "1.2.840.10008.5.1.4.1.2.2.3")
    for command in (
        store,
        c.c_store_rsp(store, 0xA900, error_comment="Other class.", offending_elements=(0x00080016,)),
        c.c_get_rsp(get, 0xFF00, remaining=1, completed=2, failed=3, warning=4),
        c.c_move_rq(9, "1.2.840.10008.5.1.4.1.2.2.2", "THERE"),
        c.c_cancel_rq(9),
        c.n_get_rq(2, "1.2", "1.3", (0x00100010,)),
    ):
        yield b"\xff" + c.encode_command(command)
        yield b"\x02" + c.encode_command(command)
