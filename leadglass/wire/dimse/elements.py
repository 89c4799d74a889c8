"""Elements of a command set (PS3.7 annex E), read and written in Implicit VR Little Endian.

Strategy: values are read whole and checked at once, so a `Command` is valid from birth; an element that this table does
not know is skipped by its length, as PS3.7 6.3.1 asks for retired ones.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from typing import Final, TypeAlias

from leadglass.core.errors import ErrorCode, LeadglassError
from leadglass.core.limits import MAX_COMMAND_SET_LENGTH

Value: TypeAlias = int | str | tuple[int, ...]

GROUP_LENGTH: Final = 0x0000
AFFECTED_SOP_CLASS_UID: Final = 0x0002
REQUESTED_SOP_CLASS_UID: Final = 0x0003
COMMAND_FIELD: Final = 0x0100
MESSAGE_ID: Final = 0x0110
MESSAGE_ID_RESPONDED_TO: Final = 0x0120
MOVE_DESTINATION: Final = 0x0600
PRIORITY: Final = 0x0700
DATA_SET_TYPE: Final = 0x0800
STATUS: Final = 0x0900
OFFENDING_ELEMENT: Final = 0x0901
ERROR_COMMENT: Final = 0x0902
ERROR_ID: Final = 0x0903
AFFECTED_SOP_INSTANCE_UID: Final = 0x1000
REQUESTED_SOP_INSTANCE_UID: Final = 0x1001
EVENT_TYPE_ID: Final = 0x1002
ATTRIBUTE_IDENTIFIER_LIST: Final = 0x1005
ACTION_TYPE_ID: Final = 0x1008
REMAINING: Final = 0x1020
COMPLETED: Final = 0x1021
FAILED: Final = 0x1022
WARNING: Final = 0x1023
MOVE_ORIGINATOR_AE: Final = 0x1030
MOVE_ORIGINATOR_MESSAGE_ID: Final = 0x1031

MAX_ERROR_COMMENT = 64  # LO

_HEADER = struct.Struct("<II")  # (element << 16 | group), value length
_SHORT = struct.Struct("<H")
_US_ELEMENT = struct.Struct("<IIH")


def violation(comment: str) -> LeadglassError:
    """The error of a message that breaks PS3.7; its association is to be aborted. `comment` is a fixed sentence."""
    return LeadglassError(ErrorCode.UNPARSABLE, comment)


def _read_us(raw: bytes) -> int | None:
    if len(raw) != 2:
        if not raw:
            return None
        raise violation("A number of the command set has a wrong length.")
    return raw[0] | raw[1] << 8


def _read_uid(raw: bytes) -> str:
    return raw.decode("latin-1").rstrip("\0 ")


def _read_text(raw: bytes) -> str:
    return raw.decode("latin-1").strip("\0 ")


def _read_tags(raw: bytes) -> tuple[int, ...]:
    if len(raw) % 4:
        raise violation("A list of tags in the command set has a wrong length.")
    halves = struct.unpack(f"<{len(raw) // 2}H", raw)
    return tuple(group << 16 | element for group, element in zip(halves[::2], halves[1::2], strict=True))


def _write_uid(value: str) -> bytes:
    raw = value.encode("latin-1")
    return raw + b"\0" if len(raw) & 1 else raw


def _write_ae(value: str) -> bytes:
    raw = value.encode("latin-1")
    return raw + b" " if len(raw) & 1 else raw


def _write_comment(value: str) -> bytes:
    raw = value.encode("ascii", "replace")[:MAX_ERROR_COMMENT]
    return raw + b" " if len(raw) & 1 else raw


def _write_tags(value: tuple[int, ...]) -> bytes:
    return b"".join(struct.pack("<HH", tag >> 16, tag & 0xFFFF) for tag in value)


_US = (
    COMMAND_FIELD,
    MESSAGE_ID,
    MESSAGE_ID_RESPONDED_TO,
    PRIORITY,
    DATA_SET_TYPE,
    STATUS,
    ERROR_ID,
    EVENT_TYPE_ID,
    ACTION_TYPE_ID,
    REMAINING,
    COMPLETED,
    FAILED,
    WARNING,
    MOVE_ORIGINATOR_MESSAGE_ID,
)
_UI = (AFFECTED_SOP_CLASS_UID, REQUESTED_SOP_CLASS_UID, AFFECTED_SOP_INSTANCE_UID, REQUESTED_SOP_INSTANCE_UID)
_AE = (MOVE_DESTINATION, MOVE_ORIGINATOR_AE)
_AT = (OFFENDING_ELEMENT, ATTRIBUTE_IDENTIFIER_LIST)

_READERS: Mapping[int, Callable[[bytes], Value | None]] = {
    **dict.fromkeys(_US, _read_us),
    **dict.fromkeys(_UI, _read_uid),
    **dict.fromkeys((*_AE, ERROR_COMMENT), _read_text),
    **dict.fromkeys(_AT, _read_tags),
}
_STRING_WRITERS: Mapping[int, Callable[[str], bytes]] = {
    **dict.fromkeys(_UI, _write_uid),
    **dict.fromkeys(_AE, _write_ae),
    ERROR_COMMENT: _write_comment,
}


def read_elements(raw: bytes) -> dict[int, Value]:
    """Read a command set: element number (group 0000) -> value. A wrong group length (0000,0000) is tolerated.

    UNPARSABLE: over MAX_COMMAND_SET_LENGTH, cut short, an element of another group, an element twice, or a number or
    tag list of a wrong length. Numbers without a value count as absent.
    """
    end = len(raw)
    if end > MAX_COMMAND_SET_LENGTH:
        raise violation("The command set is too long.")
    values: dict[int, Value] = {}
    position, unpack, readers = 0, _HEADER.unpack_from, _READERS
    while position < end:
        if end - position < 8:
            raise violation("The command set is cut short.")
        tag, length = unpack(raw, position)
        start = position + 8
        position = start + length
        if position > end:
            raise violation("The command set is cut short.")
        if tag & 0xFFFF:
            raise violation("The command set has an element of another group.")
        number = tag >> 16
        reader = readers.get(number)
        if reader is None:
            continue
        if number in values:
            raise violation("The command set has an element twice.")
        value = reader(raw[start:position])
        if value is not None:
            values[number] = value
    return values


def _element(number: int, value: Value) -> bytes:
    if isinstance(value, int):
        return _US_ELEMENT.pack(number << 16, 2, value)
    raw = _STRING_WRITERS[number](value) if isinstance(value, str) else _write_tags(value)
    return _HEADER.pack(number << 16, len(raw)) + raw


def write_elements(values: Mapping[int, Value]) -> bytes:
    """Write a command set with its group length, in order. A comment is made ASCII and cut to 64 characters."""
    body = b"".join([_element(number, values[number]) for number in sorted(values)])
    return b"\0\0\0\0\x04\0\0\0" + len(body).to_bytes(4, "little") + body
