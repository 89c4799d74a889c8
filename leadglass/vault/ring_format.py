"""The key ring as bytes: header, entries, and how two copies are settled into one. Format: docs/formats/vault.md."""

from __future__ import annotations

import hmac
import json
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from os import urandom

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from leadglass.core.errors import ErrorCode, LeadglassError
from leadglass.core.identity import KeyScope, PatientKey
from leadglass.keys.derive import KEY_SIZE, hkdf

MAGIC = b"LGring\r\n"
VERSION = 1
HEADER_SIZE = 64
ALIGNMENT = 16
MAX_ENTRY = 1024 * 1024  # a scope is a few UIDs; a Patient ID of absurd length must not become a key's name
STUDY_KEY = 1  # kind of entry; 2 is reserved for a destroyed key, whose box is overwritten with zeros
DESTROYED = 2

_ENTRY_MAGIC = b"LGke"
_HEADER = struct.Struct(">8sHHI16s16sQ4x")  # magic, version, flags, header size, archive id, key check, created
_ENTRY = struct.Struct(">4sBBHI16s16sQ12s")  # magic, version, kind, padding, length, key id, scope tag, created, nonce
_CRC = struct.Struct(">I")


@dataclass(frozen=True, slots=True)
class RingEntry:
    """One entry as it lies in the file; `box` is sealed."""

    kind: int
    key_id: bytes
    tag: bytes
    created: int
    nonce: bytes
    box: bytes
    length: int


class RingCipher:
    """The ring key in use: makes headers and entries, opens boxes, tags scopes."""

    def __init__(self, ring_key: bytes, archive_id: bytes) -> None:
        self._archive_id = archive_id
        self._wrapping = AESGCM(hkdf(ring_key, archive_id, b"leadglass ring wrap v1"))
        self._tagging = hkdf(ring_key, archive_id, b"leadglass ring scope tag v1")

    def header(self, created: int) -> bytes:
        """A ring's first 64 bytes."""
        body = _HEADER.pack(MAGIC, VERSION, 0, HEADER_SIZE, self._archive_id, self._key_check(), created)
        return body + _CRC.pack(zlib.crc32(body))

    def is_own_header(self, data: bytes) -> bool:
        """Whether `data` begins with a sound header. UNAVAILABLE if it is of another archive, key or version."""
        if len(data) < HEADER_SIZE or not data.startswith(MAGIC):
            return False
        if zlib.crc32(data[: _HEADER.size]) != _CRC.unpack_from(data, _HEADER.size)[0]:
            return False
        _, version, _, size, archive_id, check, _ = _HEADER.unpack_from(data)
        if version != VERSION or size != HEADER_SIZE:
            raise LeadglassError(ErrorCode.UNAVAILABLE, "A newer version of the program wrote this key ring.")
        if archive_id != self._archive_id or not hmac.compare_digest(check, self._key_check()):
            raise LeadglassError(ErrorCode.UNAVAILABLE, "The key ring belongs to another archive or another keyset.")
        return True

    def tag(self, scope: KeyScope) -> bytes:
        """16 bytes that stand for a scope in the ring and tell nothing of it without the ring key."""
        return hmac.digest(self._tagging, encode_scope(scope), "sha256")[:16]

    def seal(self, scope: KeyScope, key_id: bytes, key: bytes, created: int) -> bytes:
        """An entry for a new study key. UNPARSABLE if the scope is longer than any entry may be."""
        tag, nonce = self.tag(scope), urandom(12)
        associated = self._associated(key_id, tag, created)
        box = self._wrapping.encrypt(nonce, key + encode_scope(scope), associated)
        padding = -(_ENTRY.size + len(box) + _CRC.size) % ALIGNMENT
        length = _ENTRY.size + len(box) + padding + _CRC.size
        if length > MAX_ENTRY:
            raise LeadglassError(ErrorCode.UNPARSABLE, "The patient or study identifiers are too long.")
        body = _ENTRY.pack(_ENTRY_MAGIC, VERSION, STUDY_KEY, padding, length, key_id, tag, created, nonce)
        body += box + bytes(padding)
        return body + _CRC.pack(zlib.crc32(body))

    def open(self, entry: RingEntry) -> tuple[bytes, KeyScope]:
        """Study key and scope of an entry. DAMAGED if it does not authenticate."""
        try:
            plain = self._wrapping.decrypt(
                entry.nonce, entry.box, self._associated(entry.key_id, entry.tag, entry.created)
            )
            scope = decode_scope(plain[KEY_SIZE:])
        except (InvalidTag, ValueError) as problem:
            raise LeadglassError(ErrorCode.DAMAGED, "An entry of the key ring does not authenticate.") from problem
        return plain[:KEY_SIZE], scope

    def _key_check(self) -> bytes:
        return hmac.digest(self._tagging, b"leadglass ring key check", "sha256")[:16]

    def _associated(self, key_id: bytes, tag: bytes, created: int) -> bytes:
        return b"leadglass ring entry v1" + self._archive_id + key_id + tag + created.to_bytes(8, "big")


def encode_scope(scope: KeyScope) -> bytes:
    """The canonical text of a scope: a JSON list in ASCII."""
    parts = [scope.patient.issuer, scope.patient.patient_id, scope.study_uid, scope.sop_class_uid]
    return json.dumps(parts, separators=(",", ":")).encode("ascii")


def decode_scope(text: bytes) -> KeyScope:
    """The scope of a canonical text; ValueError if it is none."""
    parts = json.loads(text)
    if not isinstance(parts, list) or len(parts) != 4 or not all(isinstance(part, str) for part in parts):
        raise ValueError
    issuer, patient_id, study_uid, sop_class_uid = parts
    return KeyScope(PatientKey(issuer, patient_id), study_uid, sop_class_uid)


def parse_entry(data: bytes, at: int) -> RingEntry | None:
    """The entry at offset `at` of `data`, or None if there is no whole sound one."""
    if len(data) - at < _ENTRY.size + _CRC.size or data[at : at + 4] != _ENTRY_MAGIC:
        return None
    _, version, kind, padding, length, key_id, tag, created, nonce = _ENTRY.unpack_from(data, at)
    end = at + length
    if version != VERSION or length > MAX_ENTRY or length % ALIGNMENT or end > len(data):
        return None
    box_end = end - _CRC.size - padding
    if box_end <= at + _ENTRY.size or zlib.crc32(data[at : end - 4]) != _CRC.unpack_from(data, end - 4)[0]:
        return None
    return RingEntry(kind, key_id, tag, created, nonce, data[at + _ENTRY.size : box_end], length)


def parse_entries(data: bytes) -> Iterator[tuple[int, RingEntry]]:
    """Sound entries one behind the other from the start of `data`, with offsets, up to the first that is not."""
    at = 0
    while (entry := parse_entry(data, at)) is not None:
        yield at, entry
        at += entry.length


@dataclass(frozen=True, slots=True)
class Settled:
    """What two copies of a stretch of the ring amount to. `lost` are stretches (offset, length) bad in both."""

    content: bytes
    entries: tuple[tuple[int, RingEntry], ...]
    lost: tuple[tuple[int, int], ...]


def settle(first: bytes, second: bytes) -> Settled:
    """Take each entry from the copy where it is sound. What is bad in both is kept if an entry follows, else cut."""
    pieces: list[bytes] = []
    entries: list[tuple[int, RingEntry]] = []
    lost: list[tuple[int, int]] = []
    at = 0
    while at < max(len(first), len(second)):
        entry, source = _either(first, second, at)
        if entry is None:
            following = _next_entry(first, second, at + ALIGNMENT)
            if following is None:
                break
            lost.append((at, following - at))
            pieces.append((first if len(first) >= following else second)[at:following])
            at = following
            continue
        entries.append((at, entry))
        pieces.append(source[at : at + entry.length])
        at += entry.length
    return Settled(b"".join(pieces), tuple(entries), tuple(lost))


def _either(first: bytes, second: bytes, at: int) -> tuple[RingEntry | None, bytes]:
    one, other = parse_entry(first, at), parse_entry(second, at)
    if other is not None and (one is None or other.kind == DESTROYED):
        return other, second  # a key destroyed in one copy is destroyed
    return one, first


def _next_entry(first: bytes, second: bytes, at: int) -> int | None:
    found = [place for data in (first, second) if (place := _find_entry(data, at)) is not None]
    return min(found, default=None)


def _find_entry(data: bytes, at: int) -> int | None:
    place = data.find(_ENTRY_MAGIC, at)
    while place >= 0:
        if place % ALIGNMENT == 0 and parse_entry(data, place) is not None:
            return place
        place = data.find(_ENTRY_MAGIC, place + 1)
    return None
