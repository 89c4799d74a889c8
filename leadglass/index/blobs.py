"""A level's catalogued attributes as one blob: what answers are decoded from.

Each attribute is its tag (u32), VR (2 bytes), length (u32), value, little endian, one behind the other. Values are raw,
as in the object; (0008,0005) and (0008,0201) are in every blob that needs them. Tag 0 is not an attribute: it holds
the character set that the sending device is assumed to use, where that is not the default.
"""

from __future__ import annotations

import functools
import struct
from collections.abc import Collection, Mapping

from leadglass.core.records import HeaderValue
from leadglass.dicom import index_keys

DEFAULT_CHARACTER_SET = "ISO_IR 100"
ASSUMED = 0
_HEAD = struct.Struct("<I2sI")

# Columns hold these; a blob does not repeat them.
_IN_COLUMNS = frozenset({0x00080016, 0x00080018, 0x0020000D, 0x0020000E})
_WITH_ALL = frozenset({index_keys.SPECIFIC_CHARACTER_SET, index_keys.TIMEZONE_OFFSET})

PATIENT = frozenset(index_keys.PATIENT_KEYS) | _WITH_ALL
STUDY = (frozenset(index_keys.STUDY_KEYS) | _WITH_ALL) - _IN_COLUMNS
SERIES = (frozenset(index_keys.SERIES_KEYS) | _WITH_ALL) - _IN_COLUMNS
IMAGE = (frozenset(index_keys.IMAGE_KEYS) | _WITH_ALL) - _IN_COLUMNS


@functools.lru_cache(maxsize=8192)
def _head(tag: int, vr: str, length: int) -> bytes:
    """The head of an attribute; objects of one device repeat them."""
    return _HEAD.pack(tag, vr.encode("latin-1", "replace"), length)


def pack(header: Mapping[int, HeaderValue], tags: Collection[int], assumed: str) -> bytes:
    """The attributes of `header` that are in `tags`, as a blob."""
    pieces = []
    for tag, value in header.items():
        if tag in tags:
            raw = value.raw
            pieces.append(_head(tag, value.vr, len(raw)))
            pieces.append(raw)
    if assumed != DEFAULT_CHARACTER_SET:
        raw = assumed.encode("ascii", "replace")
        pieces.append(_head(ASSUMED, "CS", len(raw)))
        pieces.append(raw)
    return b"".join(pieces)


def unpack(blob: bytes) -> dict[int, HeaderValue]:
    """What `pack` put in, with tag 0 for the assumed character set."""
    values = {}
    position = 0
    while position < len(blob):
        tag, vr, length = _HEAD.unpack_from(blob, position)
        position += _HEAD.size
        values[tag] = HeaderValue(vr.decode("latin-1"), blob[position : position + length])
        position += length
    return values
