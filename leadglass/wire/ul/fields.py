"""The small parts PDUs are made of: items, AE titles, UIDs. Every length is checked before a byte behind it is used."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from functools import lru_cache

from leadglass.core.limits import MAX_UID_LENGTH

ITEM_HEADER = struct.Struct(">BxH")  # item type, reserved, length (PS3.8 9.3.2)
UINT16 = struct.Struct(">H")
AE_TITLE_LENGTH = 16
VERSION_NAME_LENGTH = 16  # PS3.7 D.3.3.2.3


class InvalidPduError(ValueError):
    """Bytes that are not the PDU they claim to be. Its text is a fixed sentence without the peer's bytes."""


def walk_items(body: memoryview) -> Iterator[tuple[int, memoryview]]:
    """Yield (type, value) of the items or sub-items in `body`; they must fill it exactly."""
    offset, end = 0, len(body)
    while offset < end:
        if end - offset < ITEM_HEADER.size:
            raise InvalidPduError("an item header is cut short")
        kind, length = ITEM_HEADER.unpack_from(body, offset)
        offset += ITEM_HEADER.size
        if length > end - offset:
            raise InvalidPduError("an item reaches beyond what holds it")
        yield kind, body[offset : offset + length]
        offset += length


def item(kind: int, value: bytes) -> bytes:
    """One item or sub-item. ValueError if `value` is over 65,535 bytes."""
    if len(value) > 0xFFFF:
        raise ValueError("an item holds at most 65,535 bytes")
    return ITEM_HEADER.pack(kind, len(value)) + value


def take(body: memoryview, offset: int, length: int) -> memoryview:
    """`length` bytes of `body` at `offset`, or InvalidPduError."""
    if length > len(body) - offset:
        raise InvalidPduError("a field reaches beyond its item")
    return body[offset : offset + length]


def take_counted(body: memoryview, offset: int) -> tuple[memoryview, int]:
    """A field that a 16-bit length precedes, and the offset behind it."""
    (length,) = UINT16.unpack(take(body, offset, 2))
    return take(body, offset + 2, length), offset + 2 + length


def counted(value: bytes) -> bytes:
    """`value` behind its 16-bit length."""
    if len(value) > 0xFFFF:
        raise ValueError("a field holds at most 65,535 bytes")
    return UINT16.pack(len(value)) + value


def decode_ae(raw: memoryview) -> str:
    """An AE title without outer spaces and NULs. Bytes outside ASCII survive as Latin-1: they match no device."""
    return bytes(raw).decode("latin-1").strip(" \0")


def encode_ae(title: str) -> bytes:
    """An AE title padded to 16 bytes. ValueError if longer or not Latin-1."""
    raw = title.encode("latin-1")
    if len(raw) > AE_TITLE_LENGTH:
        raise ValueError("an AE title has at most 16 characters")
    return raw.ljust(AE_TITLE_LENGTH)


def decode_uid(raw: memoryview) -> str:
    """A UID without outer spaces and trailing NULs (PS3.8 annex F pads none, some peers do); at most 64 characters."""
    if len(raw) > MAX_UID_LENGTH + 1:
        raise InvalidPduError("a UID is longer than 64 characters")
    return _uid_text(bytes(raw))


@lru_cache(maxsize=4096)  # the UIDs of contexts are few, and each association repeats them
def _uid_text(raw: bytes) -> str:
    text = raw.rstrip(b"\0").strip(b" ")
    if len(text) > MAX_UID_LENGTH:
        raise InvalidPduError("a UID is longer than 64 characters")
    try:
        return text.decode("ascii")
    except UnicodeDecodeError as error:
        raise InvalidPduError("a UID is not ASCII") from error


def encode_uid(uid: str) -> bytes:
    """A UID without padding. ValueError if over 64 characters or not ASCII."""
    raw = uid.encode("ascii")
    if len(raw) > MAX_UID_LENGTH:
        raise ValueError("a UID has at most 64 characters")
    return raw
