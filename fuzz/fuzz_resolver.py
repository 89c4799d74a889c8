"""Fuzz what is read of a resolver: only addresses in good form and printable names come out, whatever follows them.

Input: one byte for the kind that was asked for and the number of records, then the records.
"""

from __future__ import annotations

import ipaddress
import struct
from collections.abc import Iterator

from leadglass.exposure.dns import Kind, NoAnswer, answers, question

KINDS = (Kind.A, Kind.AAAA, Kind.PTR)
NAME = "5.2.0.192.in-addr.arpa"
NUMBER = 7


def read(records: bytes, kind: Kind, count: int) -> tuple[str, ...] | None:
    """What an answer with these records says, None if it is none."""
    asked = question(NUMBER, NAME, kind)
    message = struct.pack(">6H", NUMBER, 0x8180, 1, count, 0, 0) + asked[12:] + records
    try:
        return answers(message, NUMBER, NAME, kind)
    except NoAnswer:
        return None


def check(data: bytes) -> None:
    """Run one input."""
    if not data:
        return
    kind, count, records = KINDS[data[0] % 3], data[0] // 3, data[1:]
    found = read(records, kind, count)
    if found is None:
        return
    assert read(records + b"\xc0\x00", kind, count) == found, "what follows the records matters"
    for item in found:
        if kind is Kind.PTR:
            assert len(item) <= 255 and item == item.lower() and item.isascii() and (item.isprintable() or not item)
        else:
            assert str(ipaddress.ip_address(item)) == item


def seeds() -> Iterator[bytes]:
    """An answer of each kind, one behind an alias, one with a name that stands elsewhere."""
    four, six = bytes([192, 0, 2, 5]), ipaddress.ip_address("2001:db8::5").packed
    alias = b"\x04real\x07example\0"
    yield b"\x03" + _record(b"\xc0\x0c", 1, four)
    yield b"\x04" + _record(b"\xc0\x0c", 28, six)
    yield b"\x05" + _record(b"\xc0\x0c", 12, b"\x02ct\x08invented\xc0\x1e")
    yield b"\x06" + _record(b"\xc0\x0c", 5, alias) + _record(alias, 1, four)


def _record(owner: bytes, kind: int, data: bytes) -> bytes:
    return owner + struct.pack(">HHIH", kind, 1, 60, len(data)) + data
