"""DICOM files: preamble and File Meta Information (PS3.10 chapter 7), read with tolerance and written anew."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Final, NamedTuple

from leadglass.core.errors import ErrorCode, LeadglassError
from leadglass.core.limits import MIB
from leadglass.dicom import uids
from leadglass.dicom.scan_encoding import LONG_VRS, SHORT_VRS

MAX_FILE_META: Final = MIB  # fixed elements take under 1 KiB; private information (0002,0102) the rest

_PREAMBLE: Final = 128
_PREFIX: Final = b"DICM"
_TRANSFER_SYNTAX: Final = 0x0010
_VRS: Final = frozenset(vr.encode() for vr in (*SHORT_VRS, *LONG_VRS, "SQ"))
_LONG: Final = frozenset(vr.encode() for vr in (*LONG_VRS, "SQ"))
# Kept from a file's own meta when its header is built anew: who sent it, addresses, private information.
_KEPT: Final = frozenset({0x0016, 0x0017, 0x0018, 0x0026, 0x0027, 0x0028, 0x0031, 0x0032, 0x0033, 0x0035, 0x0036,
                          0x0037, 0x0038, 0x0100, 0x0102})  # fmt: skip


class FileStart(NamedTuple):
    """The start of a file: File Meta Information as it lies, transfer syntax, and where the data set begins."""

    file_meta: bytes
    transfer_syntax_uid: str
    data_set_offset: int


def _unparsable(comment: str) -> LeadglassError:
    return LeadglassError(ErrorCode.UNPARSABLE, comment)


def _elements(data: bytes, start: int) -> Iterator[tuple[int, int, bytes]]:
    """(element, offset behind it, its bytes whole) of the group 2 elements from `start` on.

    Group lengths are not relied on; Implicit VR, which some software writes here, is understood.
    """
    at = start
    while data[at : at + 2] == b"\x02\x00":
        if at + 8 > len(data) or at - start > MAX_FILE_META:
            raise _unparsable("The File Meta Information is cut short or too long")
        vr = data[at + 4 : at + 6]
        if vr in _LONG:
            header, length = 12, int.from_bytes(data[at + 8 : at + 12], "little")
        elif vr in _VRS:
            header, length = 8, int.from_bytes(data[at + 6 : at + 8], "little")
        else:
            header, length = 8, int.from_bytes(data[at + 4 : at + 8], "little")
        end = at + header + length
        if end > len(data) or end - start > MAX_FILE_META:
            raise _unparsable("The File Meta Information is cut short or too long")
        yield int.from_bytes(data[at + 2 : at + 4], "little"), end, data[at:end]
        at = end


def _value(element: bytes) -> bytes:
    header = 12 if element[4:6] in _LONG else 8
    return element[header:]


def _guess(data_set: bytes) -> str:
    """The native transfer syntax that `data_set` looks like, where the file does not say."""
    if data_set[4:6] not in _VRS:
        return uids.IMPLICIT_VR_LE
    return uids.EXPLICIT_VR_BE if data_set[:1] == b"\0" else uids.EXPLICIT_VR_LE


def _start_of_meta(head: bytes) -> int:
    if head[_PREAMBLE : _PREAMBLE + 4] == _PREFIX:
        return _PREAMBLE + 4
    return 4 if head.startswith(_PREFIX) else 0


def split_file(head: bytes) -> FileStart:
    """Take apart the start of a file. `head` holds all of its File Meta Information and 6 bytes more.

    A missing preamble, prefix or File Meta Information is tolerated if the data set then begins with an attribute
    of group 0008; a missing transfer syntax is guessed from the data set. Raises LeadglassError UNPARSABLE otherwise.
    """
    start = _start_of_meta(head)
    offset, transfer_syntax_uid = start, ""
    for element, end, raw in _elements(head, start):
        if element == _TRANSFER_SYNTAX:
            transfer_syntax_uid = _value(raw).decode("ascii", "replace").strip(" \0")
        offset = end
    if offset == 0 and head[:2] not in (b"\x08\x00", b"\x00\x08"):
        raise _unparsable("This is not a DICOM file")
    if transfer_syntax_uid and not uids.is_valid_uid(transfer_syntax_uid):
        raise _unparsable("The transfer syntax of the file is not a UID")
    return FileStart(head[start:offset], transfer_syntax_uid or _guess(head[offset:]), offset)


def _element(number: int, vr: str, value: bytes) -> bytes:
    padding = (b"\0" if vr in ("UI", "OB") else b" ") * (len(value) & 1)
    value += padding
    if vr == "OB":
        return struct.pack("<HH2sHI", 2, number, b"OB", 0, len(value)) + value
    return struct.pack("<HH2sH", 2, number, vr.encode(), len(value)) + value


def build_file_header(
    sop_class: str, sop_instance: str, transfer_syntax: str, source_ae: str = "", kept_meta: bytes = b""
) -> bytes:
    """Preamble, prefix and File Meta Information of a file that this archive writes.

    The preamble is zero, whatever the file came with, so that none passes for another format. From `kept_meta` (File
    Meta Information of the object as it came) sender, addresses and private information are taken over; `source_ae`
    counts only where it has no sender. UIDs are ASCII text, `source_ae` at most 16 characters.
    """
    elements = {
        0x0001: _element(0x0001, "OB", b"\x00\x01"),
        0x0002: _element(0x0002, "UI", sop_class.encode("ascii", "replace")),
        0x0003: _element(0x0003, "UI", sop_instance.encode("ascii", "replace")),
        0x0010: _element(0x0010, "UI", transfer_syntax.encode("ascii", "replace")),
        0x0012: _element(0x0012, "UI", uids.IMPLEMENTATION_CLASS_UID.encode()),
        0x0013: _element(0x0013, "SH", uids.IMPLEMENTATION_VERSION_NAME.encode()),
    }
    if source_ae:
        elements[0x0016] = _element(0x0016, "AE", source_ae.encode("ascii", "replace"))
    for number, _, raw in _elements(kept_meta, 0):
        if number in _KEPT and raw[4:6] in _VRS:
            elements[number] = raw
    meta = b"".join(elements[number] for number in sorted(elements))
    return bytes(_PREAMBLE) + _PREFIX + _element(0x0000, "UL", struct.pack("<I", len(meta))) + meta
