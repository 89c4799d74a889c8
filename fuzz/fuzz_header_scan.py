"""Fuzz the header scan: pieces do not matter, and where it finds nothing to complain of, pydicom finds the same values.

Input: one byte that chooses the transfer syntax, one for the size of the pieces, then a data set.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from io import BytesIO

from harness import pieces
from pydicom.dataelem import RawDataElement
from pydicom.filereader import data_element_generator

from leadglass.core.errors import ErrorCode, LeadglassError
from leadglass.core.limits import MAX_INDEXED_VALUE
from leadglass.dicom import index_keys, uids
from leadglass.dicom.dictionary import vr_of
from leadglass.dicom.scan import HeaderScan, HeaderScanner

SYNTAXES = (
    uids.IMPLICIT_VR_LE,
    uids.EXPLICIT_VR_LE,
    uids.EXPLICIT_VR_BE,
    uids.DEFLATED_EXPLICIT_VR_LE,
    uids.JPEG_BASELINE,
)
COMPARED = [tag for tag in sorted(index_keys.ALL) if vr_of(tag) != "SQ"]


def scan(syntax: str, data: bytes, size: int) -> HeaderScan | None:
    """What the scan finds, or None if it refuses; anything but UNPARSABLE is a fault."""
    try:
        scanner = HeaderScanner(syntax)
        for piece in pieces(data, size):
            scanner.feed(memoryview(piece))
        return scanner.finish()
    except LeadglassError as error:
        assert error.code is ErrorCode.UNPARSABLE
        return None


def oracle(syntax: str, data: bytes) -> dict[int, bytes] | None:
    """Raw values of the outermost level by pydicom; None where pydicom cannot say."""
    implicit, little = syntax == uids.IMPLICIT_VR_LE, syntax != uids.EXPLICIT_VR_BE
    try:
        found = list(data_element_generator(BytesIO(data), implicit, little))
    except Exception:  # it refuses in many ways, and may be stricter in what the scan need not look into
        return None
    return {int(e.tag): e.value or b"" for e in found if isinstance(e, RawDataElement)}


def check(data: bytes) -> None:
    """Run one input."""
    if len(data) < 2:
        return
    syntax, size, body = SYNTAXES[data[0] % len(SYNTAXES)], data[1] + 1, data[2:]
    whole = scan(syntax, body, len(body) or 1)
    assert scan(syntax, body, size) == whole, "pieces matter"
    if whole is None or whole.warnings or syntax == uids.DEFLATED_EXPLICIT_VR_LE:
        return
    theirs = oracle(syntax, body)
    if theirs is None:
        return
    for tag in COMPARED:
        ours, found = whole.values.get(tag), theirs.get(tag)
        assert (ours is None) == (found is None), f"{tag:08X}: only one of two finds it"
        if ours is None or found is None or len(found) > MAX_INDEXED_VALUE:
            continue
        if syntax == uids.EXPLICIT_VR_BE:  # numbers are turned; their bytes are the same ones
            assert sorted(ours.raw) == sorted(found), f"{tag:08X}: another value"
        else:
            assert ours.raw == found, f"{tag:08X}: another value"


ELEMENTS = (
    (0x00080005, "CS", b"ISO_IR 192"),
    (0x00080016, "UI", b"1.2.840.10008.5.1.4.1.1.2\0"),
    (0x00080018, "UI", b"1.2.3.4\0"),
    (0x00080060, "CS", b"CT"),
    (0x00100010, "PN", b"A^B "),
    (0x0020000D, "UI", b"1.2.3\0"),
    (0x00280010, "US", b"\x02\x00"),
    (0x7FE00010, "OW", b"\0" * 8),
)
ITEMS = (0x00081140, "SQ")  # Referenced Image Sequence


def _element(tag: int, vr: str, value: bytes, *, explicit: bool, order: str = "<") -> bytes:
    head = struct.pack(order + "HH", tag >> 16, tag & 0xFFFF)
    if not explicit:
        return head + struct.pack("<I", len(value)) + value
    if vr in ("OW", "OB", "SQ", "UN"):
        return head + vr.encode() + b"\0\0" + struct.pack(order + "I", len(value)) + value
    return head + vr.encode() + struct.pack(order + "H", len(value)) + value


def _data_set(*, explicit: bool, order: str = "<") -> bytes:
    inner = _element(*ELEMENTS[2], explicit=explicit, order=order)
    item = struct.pack(order + "HHI", 0xFFFE, 0xE000, len(inner)) + inner
    sequence = _element(*ITEMS, item, explicit=explicit, order=order)
    parts = [_element(*element, explicit=explicit, order=order) for element in ELEMENTS]
    return b"".join([*parts[:4], sequence, *parts[4:]])


def _encapsulated() -> bytes:
    native = _data_set(explicit=True)
    head = native[: native.index(b"\xe0\x7f\x10\x00")] + b"\xe0\x7f\x10\x00OB\0\0\xff\xff\xff\xff"
    item = struct.pack("<HHI", 0xFFFE, 0xE000, 4) + b"\xff\xd8\xff\xd9"
    return head + struct.pack("<HHI", 0xFFFE, 0xE000, 0) + item + struct.pack("<HHI", 0xFFFE, 0xE0DD, 0)


def seeds() -> Iterator[bytes]:
    """The same small data set in every transfer syntax."""
    deflater = zlib.compressobj(wbits=-15)
    deflated = deflater.compress(_data_set(explicit=True)) + deflater.flush()
    bodies = (
        _data_set(explicit=False),
        _data_set(explicit=True),
        _data_set(explicit=True, order=">"),
        deflated,
        _encapsulated(),
    )
    for number, body in enumerate(bodies):
        yield bytes((number, 255)) + body
        yield bytes((number, 2)) + body
