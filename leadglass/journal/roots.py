"""The root chain: the heads of all journal files, authenticated together, entry upon entry.

A root entry lists files with their count and head. It carries an HMAC-SHA256 over the root head before it, so that
nobody without the journal key can extend, edit or reorder the chain; its own head is what is printed or shipped.
The chain lies in files of bounded size; a new one opens with the head of the one before and an entry that carries
the files still open, so that a starting process reads only the last. Layout: docs/formats/journal.md.
"""

from __future__ import annotations

import hashlib
import hmac
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntFlag
from pathlib import Path

from leadglass.journal.format import DIGEST_SIZE, NO_DIGEST, Position
from leadglass.keys.derive import hkdf

ROOT_MAGIC = b"LGROOT\x00\x01"
ROOT_PATTERN = "root-*.chain"
LOCK_NAME = "lock"

_HEADER = struct.Struct(">8sIQ32sQ")
ROOT_HEADER_SIZE = _HEADER.size + DIGEST_SIZE
_LENGTH = struct.Struct(">I")
_BODY = struct.Struct(">QQH")
_RECORD = struct.Struct(">B16sQQ32s")
_MAX_BODY = _BODY.size + 65_535 * _RECORD.size


class Mark(IntFlag):
    """What a record of the root chain says of its file, beyond its head."""

    SIGNED = 0
    OPENED = 1  # the file begins here
    CLOSED = 2  # nothing follows
    CARRIED = 4  # repeated at the start of a new root file


@dataclass(frozen=True, slots=True)
class FileRecord:
    """A journal file's head at some moment."""

    file_id: bytes
    position: Position
    mark: Mark = Mark.SIGNED


@dataclass(frozen=True, slots=True)
class RootHead:
    """The root chain's head behind entry `sequence`. Kept elsewhere, it shows any later cut."""

    sequence: int
    digest: bytes

    def __str__(self) -> str:
        return f"{self.sequence}:{self.digest.hex()}"


NO_ROOT = RootHead(0, NO_DIGEST)


@dataclass(frozen=True, slots=True)
class RootEntry:
    """One entry; `end` is the offset behind it in its file."""

    time: int
    records: tuple[FileRecord, ...]
    head: RootHead
    end: int


@dataclass(frozen=True, slots=True)
class RootHeader:
    """What a root file opens with; `start` is the chain's state behind it."""

    index: int
    previous: RootHead
    created: int
    start: RootHead


def root_key(journal_key: bytes) -> bytes:
    """The key of the root chain's HMACs."""
    return hkdf(journal_key, b"", b"leadglass journal root v1")


def root_path(directory: Path, index: int) -> Path:
    """Where root file `index` (from 1) lies."""
    return directory / f"root-{index:08d}.chain"


def root_indexes(directory: Path) -> list[int]:
    """The root files that are there, ascending."""
    stems = (path.stem.removeprefix("root-") for path in directory.glob(ROOT_PATTERN))
    return sorted(int(stem) for stem in stems if stem.isascii() and stem.isdigit())


def pack_root_header(index: int, previous: RootHead, created: int, key: bytes) -> bytes:
    """ROOT_HEADER_SIZE bytes."""
    body = _HEADER.pack(ROOT_MAGIC, index, previous.sequence, previous.digest, created)
    return body + hmac.digest(key, body, "sha256")


def unpack_root_header(data: bytes, key: bytes) -> RootHeader | None:
    """The header at the start of `data`, or None if it is cut short or not of this key."""
    if len(data) < ROOT_HEADER_SIZE:
        return None
    body, mac = data[: _HEADER.size], data[_HEADER.size : ROOT_HEADER_SIZE]
    if not hmac.compare_digest(hmac.digest(key, body, "sha256"), mac):
        return None
    magic, index, sequence, digest, created = _HEADER.unpack(body)
    if magic != ROOT_MAGIC:
        return None
    start = RootHead(sequence, hashlib.sha256(digest + body + mac).digest())
    return RootHeader(index, RootHead(sequence, digest), created, start)


def pack_root_entry(
    previous: RootHead, time: int, records: tuple[FileRecord, ...], key: bytes
) -> tuple[bytes, RootHead]:
    """An entry's bytes and the head behind it."""
    body = _BODY.pack(previous.sequence + 1, time, len(records)) + b"".join(
        _RECORD.pack(record.mark, record.file_id, record.position.count, record.position.offset, record.position.head)
        for record in records
    )
    signed = _LENGTH.pack(len(body)) + body
    mac = hmac.digest(key, previous.digest + signed, "sha256")
    return signed + mac, RootHead(previous.sequence + 1, hashlib.sha256(previous.digest + signed + mac).digest())


def follow_roots(data: bytes, offset: int, start: RootHead, key: bytes) -> Iterator[RootEntry]:
    """Entries from `offset` on, as long as sequence, chain and HMAC are right."""
    head = start
    while (entry := _root_entry_at(data, offset, head, key)) is not None:
        yield entry
        head, offset = entry.head, entry.end


def is_torn_root(data: bytes, offset: int) -> bool:
    """Whether what stands at `offset` is a root entry that was never finished (and nothing else)."""
    if len(data) - offset < _LENGTH.size:
        return True
    length: int = _LENGTH.unpack_from(data, offset)[0]
    return _BODY.size <= length <= _MAX_BODY and len(data) - offset < _LENGTH.size + length + DIGEST_SIZE


def _root_entry_at(data: bytes, offset: int, previous: RootHead, key: bytes) -> RootEntry | None:
    if len(data) - offset < _LENGTH.size + _BODY.size + DIGEST_SIZE:
        return None
    (length,) = _LENGTH.unpack_from(data, offset)
    end = offset + _LENGTH.size + length + DIGEST_SIZE
    if not _BODY.size <= length <= _MAX_BODY or end > len(data):
        return None
    signed, mac = data[offset : end - DIGEST_SIZE], data[end - DIGEST_SIZE : end]
    if not hmac.compare_digest(hmac.digest(key, previous.digest + signed, "sha256"), mac):
        return None
    sequence, time, count = _BODY.unpack_from(signed, _LENGTH.size)
    if sequence != previous.sequence + 1 or length != _BODY.size + count * _RECORD.size:
        return None
    records = tuple(
        FileRecord(file_id, Position(entries, place, head), Mark(mark))
        for mark, file_id, entries, place, head in _RECORD.iter_unpack(signed[_LENGTH.size + _BODY.size :])
    )
    head = RootHead(sequence, hashlib.sha256(previous.digest + signed + mac).digest())
    return RootEntry(time, records, head, end)
