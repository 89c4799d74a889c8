"""Questions to a resolver and its answers (RFC 1035, RFC 3596), as bytes: addresses of a name, names of an address.

An answer is read strictly: of another question, cut short or out of form it is none.
"""

from __future__ import annotations

import ipaddress
import struct
from enum import IntEnum
from typing import NamedTuple

MAX_MESSAGE = 65_535  # bytes over TCP (RFC 1035 4.2.2)
_HEAD = struct.Struct(">6H")
_FIXED = struct.Struct(">HHIH")  # of a record: type, class, time to live, length of data
_QUESTION = struct.Struct(">HH")
_RECURSE, _ANSWER, _OPCODE, _CUT, _RCODE = 0x0100, 0x8000, 0x7800, 0x0200, 0x000F
_IN = 1
_NO_SUCH_NAME = 3
_MAX_RECORDS = 64  # that are looked at
_MAX_JUMPS = 32  # from one part of a name to another
_MAX_ALIASES = 8
_MAX_NAME = 255  # bytes (RFC 1035 2.3.4)


class Kind(IntEnum):
    """What is asked for (RFC 1035 3.2.2, RFC 3596 2.1)."""

    A = 1
    CNAME = 5
    PTR = 12
    AAAA = 28


class NoAnswer(Exception):  # noqa: N818 - a state of the resolver, not an error of ours
    """The resolver did not answer the question: it refused, failed, or what came is no answer to it."""


class _Record(NamedTuple):
    owner: str
    kind: int
    at: int  # where its data begin
    length: int


def question(number: int, name: str, kind: Kind) -> bytes:
    """A message that asks this. ValueError if it is no name."""
    labels = [label.encode("ascii") for label in name.rstrip(".").split(".")]
    if not all(0 < len(label) < 64 for label in labels) or sum(len(label) + 1 for label in labels) >= _MAX_NAME:
        raise ValueError("a name has labels of 1 to 63 characters, and 253 in all")
    asked = b"".join(bytes([len(label)]) + label for label in labels) + b"\0"
    return _HEAD.pack(number, _RECURSE, 1, 0, 0, 0) + asked + _QUESTION.pack(kind, _IN)


def answers(message: bytes, number: int, name: str, kind: Kind) -> tuple[str, ...]:
    """The addresses or names that a message answers, none if there are none. Raises NoAnswer."""
    try:
        return _answers(message, number, name.rstrip(".").lower(), kind)
    except (struct.error, IndexError):
        raise NoAnswer from None


def _answers(message: bytes, number: int, name: str, kind: Kind) -> tuple[str, ...]:
    told, flags, questions, count, _, _ = _HEAD.unpack_from(message)
    if told != number or not flags & _ANSWER or flags & (_OPCODE | _CUT) or questions != 1:
        raise NoAnswer
    asked, at = _name(message, _HEAD.size)
    if (asked, *_QUESTION.unpack_from(message, at)) != (name, kind, _IN):
        raise NoAnswer
    if flags & _RCODE == _NO_SUCH_NAME:
        return ()
    if flags & _RCODE:
        raise NoAnswer
    records = _records(message, at + _QUESTION.size, min(count, _MAX_RECORDS))
    owner = _behind_aliases(message, records, name)
    found = (_value(message, record) for record in records if (record.owner, record.kind) == (owner, kind))
    return tuple(dict.fromkeys(found))


def _records(message: bytes, at: int, count: int) -> list[_Record]:
    records = []
    for _ in range(count):
        owner, at = _name(message, at)
        kind, group, _, length = _FIXED.unpack_from(message, at)
        at += _FIXED.size
        if at + length > len(message):
            raise NoAnswer
        if group == _IN:
            records.append(_Record(owner, kind, at, length))
        at += length
    return records


def _behind_aliases(message: bytes, records: list[_Record], name: str) -> str:
    aliases = {record.owner: record for record in records if record.kind == Kind.CNAME}
    for _ in range(_MAX_ALIASES):
        alias = aliases.get(name)
        if alias is None:
            return name
        name, _ = _name(message, alias.at)
    raise NoAnswer


def _value(message: bytes, record: _Record) -> str:
    if record.kind == Kind.PTR:
        return _name(message, record.at)[0]
    data = message[record.at : record.at + record.length]
    if len(data) != (4 if record.kind == Kind.A else 16):
        raise NoAnswer
    return str(ipaddress.ip_address(data))


def _name(message: bytes, at: int) -> tuple[str, int]:
    """A name in lower case and where it ends; its parts may stand elsewhere, before it (RFC 1035 4.1.4)."""
    labels: list[str] = []
    end, size = 0, 0
    for _ in range(_MAX_JUMPS):
        while 0 < (length := message[at]) < 64:
            label = message[at + 1 : at + 1 + length]
            size += length + 1
            if len(label) < length or size > _MAX_NAME or not all(32 < byte < 127 and byte != 46 for byte in label):
                raise NoAnswer
            labels.append(label.decode("ascii").lower())
            at += 1 + length
        if not length:
            return ".".join(labels), end or at + 1
        target = int.from_bytes(message[at : at + 2]) & 0x3FFF
        if length < 0xC0 or target >= at:
            raise NoAnswer
        end = end or at + 2
        at = target
    raise NoAnswer
