"""A segment file's header block and footer. Format: docs/formats/vault.md."""

from __future__ import annotations

import hmac
import struct
import zlib
from dataclasses import dataclass

from leadglass.vault.record_format import aligned

MAGIC = b"LGsegmnt"
FOOTER_MAGIC = b"LGfooter"
VERSION = 1
HEADER_SIZE = 4096  # one page: records start behind it
FOOTER_SIZE = 128
ENTRY_SIZE = 16  # a replaced segment's id, or offset and length of a damaged stretch

_HEADER = struct.Struct(">8sHHI16s16sQ68x")  # magic, version, flags, header size, archive id, segment id, created
_FOOTER = struct.Struct(">8sHHI16sQQII16s52x")
_CRC = struct.Struct(">I")
_STRETCH = struct.Struct(">QQ")


@dataclass(frozen=True, slots=True)
class SegmentHeader:
    """The clear block at a segment's start. `created` is nanoseconds since the epoch, UTC."""

    archive_id: bytes
    segment_id: bytes
    created: int

    def pack(self) -> bytes:
        """The block of HEADER_SIZE bytes."""
        body = _HEADER.pack(MAGIC, VERSION, 0, HEADER_SIZE, self.archive_id, self.segment_id, self.created)
        return (body + _CRC.pack(zlib.crc32(body))).ljust(HEADER_SIZE, b"\0")


def parse_segment_header(data: bytes) -> SegmentHeader | None:
    """The header in `data`, or None if it is none."""
    if len(data) < _HEADER.size + _CRC.size:
        return None
    body = data[: _HEADER.size]
    if _CRC.unpack_from(data, _HEADER.size)[0] != zlib.crc32(body):
        return None
    magic, version, _, size, archive_id, segment_id, created = _HEADER.unpack(body)
    if magic != MAGIC or version != VERSION or size != HEADER_SIZE:
        return None
    return SegmentHeader(archive_id, segment_id, created)


@dataclass(frozen=True, slots=True)
class Footer:
    """What seals a segment.

    `end` is the offset behind the last record, `damaged` the stretches (offset, length) that were bad already when it
    was sealed, `replaces` the ids of the segments whose records compaction moved into this one.
    """

    segment_id: bytes
    count: int
    end: int
    replaces: tuple[bytes, ...] = ()
    damaged: tuple[tuple[int, int], ...] = ()

    def pack(self, mac_key: bytes) -> bytes:
        """Lists, padding and the fixed block, which is the file's last FOOTER_SIZE bytes."""
        lists = b"".join(self.replaces) + b"".join(_STRETCH.pack(*stretch) for stretch in self.damaged)
        lists = lists.ljust(aligned(len(lists)), b"\0")
        body = self._body(bytes(16))
        body = self._body(hmac.digest(mac_key, lists + body, "sha256")[:16])
        return lists + body + _CRC.pack(zlib.crc32(body))

    def _body(self, mac: bytes) -> bytes:
        counts = (len(self.replaces), len(self.damaged))
        return _FOOTER.pack(FOOTER_MAGIC, VERSION, 0, FOOTER_SIZE, self.segment_id, self.count, self.end, *counts, mac)

    @property
    def lists_size(self) -> int:
        """Bytes between `end` and the fixed block."""
        return aligned(ENTRY_SIZE * (len(self.replaces) + len(self.damaged)))


@dataclass(frozen=True, slots=True)
class FooterBlock:
    """The fixed block as read: where the lists lie and how long they are."""

    segment_id: bytes
    end: int
    lists_size: int


def parse_footer_block(data: bytes, file_size: int) -> FooterBlock | None:
    """The block in the file's last FOOTER_SIZE bytes, or None if the file is not sealed."""
    if len(data) != FOOTER_SIZE or not data.startswith(FOOTER_MAGIC):
        return None
    body = data[: _FOOTER.size]
    if _CRC.unpack_from(data, _FOOTER.size)[0] != zlib.crc32(body):
        return None
    _, version, _, size, segment_id, _, end, replaced, damaged, _ = _FOOTER.unpack(body)
    lists_size = aligned(ENTRY_SIZE * (replaced + damaged))
    if version != VERSION or size != FOOTER_SIZE or end < HEADER_SIZE or end + lists_size + FOOTER_SIZE != file_size:
        return None
    return FooterBlock(segment_id, end, lists_size)


def parse_footer(lists: bytes, block: bytes, mac_key: bytes) -> Footer | None:
    """The footer of `lists` and fixed `block` (found by `parse_footer_block`), or None if it does not authenticate."""
    _, _, _, _, segment_id, count, end, replaced, damaged, _ = _FOOTER.unpack(block[: _FOOTER.size])
    at = replaced * ENTRY_SIZE
    replaces = tuple(lists[start : start + ENTRY_SIZE] for start in range(0, at, ENTRY_SIZE))
    stretches = tuple(_STRETCH.unpack_from(lists, at + number * ENTRY_SIZE) for number in range(damaged))
    footer = Footer(segment_id, count, end, replaces, tuple((start, length) for start, length in stretches))
    return footer if hmac.compare_digest(footer.pack(mac_key), lists + block) else None
