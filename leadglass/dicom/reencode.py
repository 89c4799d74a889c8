"""Writes a captured sequence as Explicit VR Little Endian (PS3.5 7.5), whatever it was written in."""

from __future__ import annotations

import struct
from typing import Final

from leadglass.dicom import uids
from leadglass.dicom.dictionary import STANDARD_VR
from leadglass.dicom.scan_encoding import LONG_VRS, SHORT_VRS, UNDEFINED, Encoding
from leadglass.dicom.transcode import Transcoder

_HEADER: Final = struct.Struct("<HHI")
_SHORT: Final = struct.Struct("<HH2sH")
_LONG: Final = struct.Struct("<HH2sHI")
_ITEM: Final = 0xE000
_ITEM_END: Final = 0xE00D
_SEQUENCE_END: Final = 0xE0DD
_VR_CODES: Final = {vr: vr.encode() for vr in SHORT_VRS}
_LONG_CODES: Final = {vr: vr.encode() for vr in LONG_VRS}


def to_explicit_le(tag: int, raw: bytes, encoding: Encoding) -> bytes:
    """The items in `raw`, which a scan has found sound, as Explicit VR Little Endian. `tag` is their sequence's.

    Raises LeadglassError CANNOT_CONVERT where they hold what cannot be written so.
    """
    if not encoding.explicit:
        written = _plain_items(raw)
        if written is not None:
            return written
    group, element = tag >> 16, tag & 0xFFFF
    if encoding.explicit:
        head = encoding.words.pack(group, element, 0x53510000) + encoding.wide.pack(UNDEFINED)  # "SQ", big endian
    else:
        head = encoding.words.pack(group, element, UNDEFINED)
    transcoder = Transcoder(uids.IMPLICIT_VR_LE if not encoding.explicit else uids.EXPLICIT_VR_BE, uids.EXPLICIT_VR_LE)
    written = b"".join(transcoder.feed(head + raw + encoding.words.pack(0xFFFE, _SEQUENCE_END, 0)))
    return (written + b"".join(transcoder.finish()))[12:-8]


def _plain_items(raw: bytes) -> bytes | None:
    """The same for Implicit VR items that hold plain attributes of the dictionary only; None if they hold others.

    Most catalogued sequences are like that, and most images come in Implicit VR: a store should not wait for more.
    """
    out = bytearray()
    at, end = 0, len(raw)
    while at + 8 <= end:
        group, element, length = _HEADER.unpack_from(raw, at)
        at += 8
        if group != 0xFFFE or element != _ITEM:
            return None
        out += b"\xfe\xff\x00\xe0\xff\xff\xff\xff"
        if length != UNDEFINED:
            stopped = _plain_attributes(raw, at, at + length, out)
            at += length
        else:
            stopped = _plain_attributes(raw, at, end, out)
            at = stopped + 8
        if stopped < 0:
            return None
        out += b"\xfe\xff\x0d\xe0\x00\x00\x00\x00"
    return bytes(out) if at == end else None


def _plain_attributes(raw: bytes, at: int, end: int, out: bytearray) -> int:
    """Write attributes up to `end` or to an item delimiter; where that is, or -1 if one is not plain."""
    while at + 8 <= end:
        group, element, length = _HEADER.unpack_from(raw, at)
        if group == 0xFFFE:
            return at if element == _ITEM_END else -1
        vr = STANDARD_VR.get(group << 16 | element, "")
        stop = at + 8 + length
        if stop > end:
            return -1
        if vr in _VR_CODES and length <= 0xFFFE:
            out += _SHORT.pack(group, element, _VR_CODES[vr], length)
        elif vr in _LONG_CODES:
            out += _LONG.pack(group, element, _LONG_CODES[vr], 0, length)
        else:
            return -1
        out += raw[at + 8 : stop]
        at = stop
    return at if at == end else -1
