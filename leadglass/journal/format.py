"""Layout of the journal's files, byte for byte (docs/formats/journal.md). No I/O here; all numbers are big-endian.

A journal file is a header and entries. Each entry is AES-256-GCM under a key of this file alone, its nonce is its
sequence number, and a chain of SHA-256 runs over the ciphertexts, so heads can be checked without any key.
"""

from __future__ import annotations

import hashlib
import hmac
import struct
from collections.abc import Iterator
from dataclasses import dataclass

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from leadglass.keys.derive import hkdf

FILE_MAGIC = b"LGJRNL\x00\x01"  # the last byte is the version
FILE_SUFFIX = ".journal"
ID_SIZE = 16
DIGEST_SIZE = 32
TAG_SIZE = 16
NO_FILE = bytes(ID_SIZE)
NO_DIGEST = bytes(DIGEST_SIZE)
MAX_PLAINTEXT = 64 * 1024  # one event; the codec keeps far below it

_HEADER = struct.Struct(">8s16s32sQ16sQ32s")
HEADER_SIZE = _HEADER.size + DIGEST_SIZE
_PREFIX = struct.Struct(">IQ")
PREFIX_SIZE = _PREFIX.size
_SMALLEST_ENTRY = PREFIX_SIZE + TAG_SIZE + DIGEST_SIZE


@dataclass(frozen=True, slots=True)
class FileHeader:
    """What a journal file opens with: who it is and which head of which file it follows."""

    file_id: bytes
    salt: bytes
    created: int  # ns since the epoch, UTC
    predecessor: bytes = NO_FILE
    predecessor_count: int = 0
    predecessor_head: bytes = NO_DIGEST


@dataclass(frozen=True, slots=True)
class Position:
    """A place between two entries: how many are before it, its offset in the file, and the chain's head there."""

    count: int
    offset: int
    head: bytes


@dataclass(frozen=True, slots=True)
class ChainEntry:
    """An entry that follows the chain; `after` is the place behind it."""

    sequence: int
    ciphertext: bytes
    after: Position


def pack_header(header: FileHeader, journal_key: bytes) -> bytes:
    """The header's HEADER_SIZE bytes, with its HMAC-SHA256."""
    body = _HEADER.pack(
        FILE_MAGIC,
        header.file_id,
        header.salt,
        header.created,
        header.predecessor,
        header.predecessor_count,
        header.predecessor_head,
    )
    return body + hmac.digest(_header_key(journal_key), body, "sha256")


def unpack_header(data: bytes, journal_key: bytes) -> FileHeader | None:
    """The header at the start of `data`, or None if it is cut short or was not written under this key."""
    if len(data) < HEADER_SIZE:
        return None
    body = data[: _HEADER.size]
    if not hmac.compare_digest(hmac.digest(_header_key(journal_key), body, "sha256"), data[_HEADER.size : HEADER_SIZE]):
        return None
    magic, *values = _HEADER.unpack(body)
    return FileHeader(*values) if magic == FILE_MAGIC else None


def start_of(header_bytes: bytes) -> Position:
    """The place behind the header: the chain starts with the header's SHA-256."""
    return Position(0, HEADER_SIZE, hashlib.sha256(header_bytes[:HEADER_SIZE]).digest())


class EntryCipher:
    """Encrypts and opens the entries of one file."""

    def __init__(self, header: FileHeader, journal_key: bytes) -> None:
        self._file_id = header.file_id
        self._cipher = AESGCM(hkdf(journal_key, header.salt, b"leadglass journal file v1" + header.file_id))

    def seal(self, plaintext: bytes, at: Position) -> tuple[bytes, Position]:
        """The entry's bytes at place `at`, and the place behind it. Never call twice for one place of one file."""
        sequence = at.count + 1
        prefix = _PREFIX.pack(len(plaintext) + TAG_SIZE, sequence)
        ciphertext = self._cipher.encrypt(_nonce(sequence), plaintext, self._file_id + prefix)
        head = hashlib.sha256(at.head + prefix + ciphertext).digest()
        entry = prefix + ciphertext + head
        return entry, Position(sequence, at.offset + len(entry), head)

    def open(self, entry: ChainEntry) -> bytes | None:
        """The plaintext, or None if it does not authenticate."""
        prefix = _PREFIX.pack(len(entry.ciphertext), entry.sequence)
        try:
            return self._cipher.decrypt(_nonce(entry.sequence), entry.ciphertext, self._file_id + prefix)
        except InvalidTag:
            return None


def follow(data: bytes, start: Position) -> Iterator[ChainEntry]:
    """Entries of a file's bytes from `start` on, as long as sequence and chain are right."""
    at = start
    while (entry := _entry_at(data, at.offset, at.head)) is not None:
        end = entry.after.offset
        if entry.sequence != at.count + 1 or data[end - DIGEST_SIZE : end] != entry.after.head:
            return
        yield entry
        at = entry.after


def is_torn(data: bytes, offset: int) -> bool:
    """Whether what stands at `offset` is an entry that was never finished (and nothing else)."""
    if len(data) - offset < PREFIX_SIZE:
        return True
    length: int = _PREFIX.unpack_from(data, offset)[0]
    return TAG_SIZE <= length <= MAX_PLAINTEXT + TAG_SIZE and len(data) - offset < PREFIX_SIZE + length + DIGEST_SIZE


def candidates(data: bytes, offset: int, above: int) -> Iterator[ChainEntry]:
    """What may be entries behind damage at `offset`, with sequence numbers over `above`; to be proved by opening."""
    place = offset
    while (zeros := data.find(b"\x00\x00\x00\x00", place + 4)) >= 0:  # the upper half of a sequence number
        place = zeros - 3
        entry = _entry_at(data, zeros - 4, NO_DIGEST)
        if entry is not None and entry.sequence > above:
            yield entry


def _entry_at(data: bytes, offset: int, head: bytes) -> ChainEntry | None:
    if offset < 0 or len(data) - offset < _SMALLEST_ENTRY:
        return None
    length, sequence = _PREFIX.unpack_from(data, offset)
    end = offset + PREFIX_SIZE + length + DIGEST_SIZE
    if not TAG_SIZE <= length <= MAX_PLAINTEXT + TAG_SIZE or end > len(data):
        return None
    ciphertext = data[offset + PREFIX_SIZE : end - DIGEST_SIZE]
    digest = hashlib.sha256(head + data[offset : offset + PREFIX_SIZE] + ciphertext).digest()
    return ChainEntry(sequence, ciphertext, Position(sequence, end, digest))


def _nonce(sequence: int) -> bytes:
    return sequence.to_bytes(12, "big")


def _header_key(journal_key: bytes) -> bytes:
    return hkdf(journal_key, b"", b"leadglass journal header v1")
