"""Lookup tables as data sets carry them: modality, VOI and palette (PS3.3 C.11.1, C.11.2, C.7.6.3.1.5, C.7.9.2).

Every count is compared with what is there before anything is made (a descriptor is a peer's number).
"""

from __future__ import annotations

import struct
from array import array

from leadglass.core.errors import LeadglassError
from leadglass.core.limits import MAX_LUT_ENTRIES
from leadglass.core.pictures import LookupTable
from leadglass.dicom.refusal import broken

_DISCRETE, _LINEAR, _INDIRECT = 0, 1, 2  # segment types (C.7.9.2)


def read_table(descriptor: bytes, data: bytes, *, signed: bool) -> LookupTable:
    """A table by its descriptor and data; `signed` says how the descriptor's second number is read.

    Raises LeadglassError CANNOT_CONVERT if the data are shorter than the descriptor says.
    """
    count, first, bits = _descriptor(descriptor, signed)
    if len(data) >= 2 * count:
        entries = data[: 2 * count]
    elif bits <= 8 and len(data) >= count:  # two entries in a word (C.11.1.1)
        wide = bytearray(2 * count)
        wide[::2] = data[:count]
        entries = bytes(wide)
    else:
        raise broken("a lookup table is shorter than its descriptor says")
    return LookupTable(first, _significant(entries, bits), entries)


def read_segmented(descriptor: bytes, data: bytes, *, signed: bool) -> LookupTable:
    """A palette table in segments (C.7.9.2). Raises CANNOT_CONVERT if they do not give what the descriptor says."""
    count, first, bits = _descriptor(descriptor, signed)
    words = data if bits <= 8 and _bytewise(data, count) else _words(data)
    entries = _expanded(words, count, narrow=bits <= 8 and words is data)
    return LookupTable(first, bits, struct.pack(f"<{count}H", *entries))


def _descriptor(raw: bytes, signed: bool) -> tuple[int, int, int]:
    if len(raw) != 6:
        raise broken("a lookup table has no descriptor")
    count, first, bits = struct.unpack("<HhH" if signed else "<HHH", raw)
    if not 1 <= bits <= 16:
        raise broken("a lookup table has an impossible number of bits")
    return count or MAX_LUT_ENTRIES, first, bits


def _significant(entries: bytes, bits: int) -> int:
    """The bits that entries really use: descriptors that say 16 for 12-bit tables, or 8 for wider ones, are common."""
    highest = max(_words(entries))
    return max(8, highest.bit_length()) if highest >> bits else bits


def _words(data: bytes) -> tuple[int, ...]:
    return struct.unpack(f"<{len(data) // 2}H", data[: len(data) // 2 * 2])


def _bytewise(data: bytes, count: int) -> bool:
    """Whether 8-bit segments stand in bytes, not words: read as bytes they give as many entries as are wanted."""
    try:
        _expanded(data, count, narrow=True)
    except LeadglassError:
        return False
    return True


def _expanded(segments: bytes | tuple[int, ...], count: int, *, narrow: bool) -> array[int]:
    out = array("H")
    at = 0
    while len(out) < count and at + 2 <= len(segments):  # each segment gives an entry at least
        at = _segment(segments, at, out, count, narrow, nested=False)
    if len(out) != count:
        raise broken("a segmented palette has another number of entries than its descriptor says")
    return out


def _segment(
    segments: bytes | tuple[int, ...], at: int, out: array[int], count: int, narrow: bool, *, nested: bool
) -> int:
    """Append what the segment at `at` gives; where the next one stands."""
    kind, length = segments[at], segments[at + 1]
    if not length or len(out) + (length if kind != _INDIRECT else 1) > count:
        raise broken("a segmented palette has a segment of an impossible length")
    if kind == _DISCRETE and at + 2 + length <= len(segments):
        out.extend(segments[at + 2 : at + 2 + length])
        return at + 2 + length
    if kind == _LINEAR and out and at + 3 <= len(segments):
        start, end = out[-1], segments[at + 2]
        out.extend(round(start + (end - start) * step / length) for step in range(1, length + 1))
        return at + 3
    step = 4 if narrow else 2
    if kind == _INDIRECT and not nested and at + 2 + step <= len(segments):
        offset = _offset(segments[at + 2 : at + 2 + step], narrow)
        for _ in range(length):
            if offset + 2 > len(segments) or offset >= at:
                raise broken("a segmented palette points outside itself")
            offset = _segment(segments, offset, out, count, narrow, nested=True)
        return at + 2 + step
    raise broken("a segmented palette is malformed")


def _offset(parts: bytes | tuple[int, ...], narrow: bool) -> int:
    """The place (in entries) that an indirect segment copies from: a 32-bit byte offset, lowest part first."""
    width = 8 if narrow else 16
    value = sum(part << width * place for place, part in enumerate(parts))
    return value if narrow else value // 2
