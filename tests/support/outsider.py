"""Reads an archive by docs/formats/*.md and nothing else: no module of the archive is imported here.

What cannot be done with this file is not documented. It reads whole files, and knows no repair.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import sqlcipher3.dbapi2 as sqlcipher
from argon2.low_level import Type, hash_secret_raw
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF


def hkdf(key: bytes, salt: bytes, info: bytes) -> bytes:
    return HKDF(SHA256(), 32, salt, info).derive(key)


def hmac16(key: bytes, data: bytes) -> bytes:
    return hmac.digest(key, data, "sha256")[:16]


def aligned(number: int) -> int:
    return -(-number // 64) * 64


def crc_holds(block: bytes) -> bool:
    return int.from_bytes(block[-4:], "big") == zlib.crc32(block[:-4])


# --- keys.md ---------------------------------------------------------------------------------------------------------


def master_of_file(path: Path) -> bytes:
    content = path.read_bytes()
    return content if len(content) == 32 else bytes.fromhex(content.decode().strip())


def master_id(master: bytes) -> str:
    return hmac.digest(master, b"leadglass master id", "sha256")[:8].hex()


@dataclass
class Keys:
    archive: bytes
    by_name: dict[str, bytes]


def open_keyset(path: Path, master: bytes) -> Keys:
    document = json.loads(path.read_text("ascii"))
    assert (document["format"], document["version"]) == ("leadglass-keyset", 1)
    archive, opener = document["archive"], master_id(master)
    assert opener in document["masters"]
    wrapping = AESGCM(hkdf(master, bytes.fromhex(archive), b"leadglass keyset wrap v1"))
    keys = {}
    for name, wraps in document["keys"].items():
        wrap = next(wrap for wrap in wraps if wrap["master"] == opener)
        about = f"leadglass-keyset v1 {archive} {name} {opener}".encode("ascii")
        keys[name] = wrapping.decrypt(bytes.fromhex(wrap["nonce"]), bytes.fromhex(wrap["wrapped"]), about)
    return Keys(bytes.fromhex(archive), keys)


def open_kit(text: str, passphrase: str) -> tuple[bytes, Keys]:
    """Master key and keys of a recovery kit."""
    begin, end = (f"-----{word} LEADGLASS RECOVERY KIT-----" for word in ("BEGIN", "END"))
    lines = [line.strip() for line in text.partition(begin)[2].partition(end)[0].splitlines() if line.strip()]
    head = dict(line.split(": ") for line in lines[:3])
    assert head["version"] == "1"
    derivation = dict(word.split("=") for word in head["argon2id"].split())
    letters = ""
    for number, line in enumerate(lines[3:], 1):
        label, _, rest = line.upper().partition(":")
        characters, _, check = rest.replace(" ", "").partition("-")
        crc = zlib.crc32(f"{number} {characters}".encode())
        assert int(label) == number
        assert base64.b32encode(crc.to_bytes(4, "big"))[:4].decode() == check
        letters += characters
    box = base64.b32decode(letters + "=" * (-len(letters) % 8))
    time, memory, lanes = (int(derivation[name]) for name in ("time", "memory", "lanes"))
    salt = bytes.fromhex(derivation["salt"])
    key = hash_secret_raw(passphrase.encode(), salt, time, memory, lanes, 32, Type.ID)
    about = f"leadglass recovery kit v1 {head['archive']} {salt.hex()} {time} {memory} {lanes}".encode()
    plain = AESGCM(key).decrypt(box[:12], box[12:], about)
    names = ("ring", "state", "catalog", "journal", "ca", "token")
    keys = {name: plain[32 * place : 32 * place + 32] for place, name in enumerate(names, 1)}
    return plain[:32], Keys(bytes.fromhex(head["archive"]), keys)


# --- vault.md: key ring ----------------------------------------------------------------------------------------------


@dataclass
class StudyKey:
    key: bytes
    scope: list[str]


def read_ring(copy: Path, keys: Keys) -> dict[bytes, StudyKey]:
    """Study keys by key id, of one copy."""
    content, ring = copy.read_bytes(), keys.by_name["ring"]
    magic, version, _, length, archive, check, _, _ = struct.unpack_from(">8sHHI16s16sQI", content)
    tag_key = hkdf(ring, archive, b"leadglass ring scope tag v1")
    assert (magic, version, length, archive) == (b"LGring\r\n", 1, 64, keys.archive)
    assert check == hmac16(tag_key, b"leadglass ring key check")
    assert crc_holds(content[:64])
    wrapping = AESGCM(hkdf(ring, archive, b"leadglass ring wrap v1"))
    found: dict[bytes, StudyKey] = {}
    at = 64
    while at < len(content):
        magic, version, kind, padding, length, key_id, tag, created, nonce = struct.unpack_from(
            ">4sBBHI16s16sQ12s", content, at
        )
        entry = content[at : at + length]
        assert (magic, version) == (b"LGke", 1)
        assert crc_holds(entry)
        if kind == 1:
            about = b"leadglass ring entry v1" + archive + key_id + tag + created.to_bytes(8, "big")
            plain = wrapping.decrypt(nonce, entry[64 : length - 4 - padding], about)
            assert tag == hmac16(tag_key, plain[32:])
            found[key_id] = StudyKey(plain[:32], json.loads(plain[32:]))
        at += length
    return found


# --- vault.md: segments and records ----------------------------------------------------------------------------------


@dataclass
class Record:
    segment: str
    offset: int
    data_set: bytes
    trailer: dict[str, Any]
    key_id: bytes


@dataclass
class Segment:
    name: str
    content: bytes
    end: int
    sealed: bool
    records: int | None = None  # as the footer says


def open_segment(path: Path, keys: Keys) -> Segment:
    content = path.read_bytes()
    magic, version, _, length, archive, name = struct.unpack_from(">8sHHI16s16s", content)
    assert (magic, version, length) == (b"LGsegmnt", 1, 4096)
    assert (archive, name.hex()) == (keys.archive, path.name)
    assert path.parent.name == path.name[:2]
    assert crc_holds(content[:128])
    block = content[-128:]
    fields = struct.unpack_from(">8sHHI16sQQII16s", block)
    magic, version, _, length, name, count, end, replaced, damaged, tag = fields
    lists = content[end:-128]
    sound = (magic, version, length, name.hex()) == (b"LGfooter", 1, 128, path.name) and crc_holds(block)
    if sound and end + len(lists) + 128 == len(content) and len(lists) == aligned(16 * (replaced + damaged)):
        key = hkdf(keys.by_name["ring"], keys.archive, b"leadglass segment footer v1")
        if tag == hmac16(key, lists + block[:56] + bytes(16) + block[72:124]):
            return Segment(path.name, content, end, True, count)
    return Segment(path.name, content, len(content), False)


def read_record(segment: Segment, offset: int, keys: Keys, ring: dict[bytes, StudyKey]) -> tuple[Record, int] | None:
    """The record at `offset` and the offset behind it; None if no header stands there."""
    header = segment.content[offset : offset + 128]
    if not header.startswith(b"LGrecord"):
        return None
    _, version, _, chunk, key_id, salt, data_length, trailer_length = struct.unpack_from(">8sHHI16s32sQI", header)
    assert (version, chunk) == (1, 65536)
    assert crc_holds(header)
    cipher = AESGCM(hkdf(ring[key_id].key, salt, b"leadglass record v1" + keys.archive))
    total = data_length + trailer_length
    plain, place = b"", offset + 128
    for number in range(-(-total // chunk)):
        size = min(chunk, total - number * chunk)
        last = (number + 1) * chunk >= total
        about = struct.pack(">H16s16s32sQ", version, keys.archive, key_id, salt, number)
        about += struct.pack(">BQI", 1, data_length, trailer_length) if last else bytes(13)
        sealed = segment.content[place : place + size + 16]
        plain += cipher.decrypt(number.to_bytes(12, "big"), sealed, about)
        place += size + 16
    trailer = json.loads(plain[data_length:])
    return Record(segment.name, offset, plain[:data_length], trailer, key_id), aligned(place)


def read_records(vault: Path, keys: Keys) -> Iterator[Record]:
    """Every record of an undamaged vault."""
    ring = read_ring(vault / "ring-a" / "ring.a", keys)
    for path in sorted(vault.glob("segments/??/*")):
        if path.suffix == ".part":
            continue
        segment = open_segment(path, keys)
        at, count = 4096, 0
        while at < segment.end:
            found = read_record(segment, at, keys, ring)
            if found is None:
                assert not segment.sealed
                break
            yield found[0]
            at, count = found[1], count + 1
        assert segment.records in (None, count)


# --- index.md --------------------------------------------------------------------------------------------------------

PRAGMAS = (
    "PRAGMA cipher_page_size = 2048",
    "PRAGMA cipher_use_hmac = ON",
    "PRAGMA cipher_hmac_algorithm = HMAC_SHA256",
    "PRAGMA cipher_kdf_algorithm = PBKDF2_HMAC_SHA512",
    "PRAGMA cipher_plaintext_header_size = 0",
)


def open_database(path: Path, key: bytes) -> Any:
    connection = sqlcipher.connect(str(path))
    connection.execute(f"PRAGMA key = \"x'{key.hex()}'\"")
    for pragma in PRAGMAS:
        connection.execute(pragma)
    return connection


def uid_key(uid: str, salt: bytes) -> int:
    prefix = uid[: uid.rindex(".") + 1] if "." in uid else ""
    parts = ((prefix, 5), (uid, 3))
    digits = b"".join(hashlib.blake2b(text.encode(), digest_size=size, key=salt).digest() for text, size in parts)
    return int.from_bytes(digits, "big", signed=True)


def unpack_attributes(blob: bytes) -> dict[int, tuple[str, bytes]]:
    found, at = {}, 0
    while at < len(blob):
        tag, vr, length = struct.unpack_from("<I2sI", blob, at)
        found[tag] = (vr.decode("ascii"), blob[at + 10 : at + 10 + length])
        at += 10 + length
    return found


# --- journal.md ------------------------------------------------------------------------------------------------------


@dataclass
class JournalFile:
    file_id: bytes
    heads: list[bytes]  # heads[n] is the head behind n entries
    offsets: list[int]
    events: list[dict[str, Any]]
    predecessor: bytes
    predecessor_count: int
    predecessor_head: bytes


def read_journal(path: Path, keys: Keys) -> JournalFile:
    content, journal = path.read_bytes(), keys.by_name["journal"]
    magic, file_id, salt, _, predecessor, count, before = struct.unpack_from(">8s16s32sQ16sQ32s", content)
    assert (magic, file_id.hex()) == (b"LGJRNL\0\1", path.stem)
    assert content[120:152] == hmac.digest(hkdf(journal, b"", b"leadglass journal header v1"), content[:120], "sha256")
    cipher = AESGCM(hkdf(journal, salt, b"leadglass journal file v1" + file_id))
    file = JournalFile(file_id, [hashlib.sha256(content[:152]).digest()], [152], [], predecessor, count, before)
    at = 152
    while at < len(content):
        length, sequence = struct.unpack_from(">IQ", content, at)
        if at + 12 + length + 32 > len(content):
            break  # an unfinished entry
        prefix, sealed = content[at : at + 12], content[at + 12 : at + 12 + length]
        head = hashlib.sha256(file.heads[-1] + prefix + sealed).digest()
        assert sequence == len(file.heads)
        assert head == content[at + 12 + length : at + 44 + length]
        file.events.append(json.loads(cipher.decrypt(sequence.to_bytes(12, "big"), sealed, file_id + prefix)))
        at += 44 + length
        file.heads.append(head)
        file.offsets.append(at)
    return file


@dataclass
class Signed:
    """One record of the root chain."""

    mark: int
    file_id: bytes
    count: int
    offset: int
    head: bytes


def read_roots(folder: Path, keys: Keys) -> tuple[list[Signed], str]:
    """Records of all root files in order, and the root head as `journal head` prints it."""
    key = hkdf(keys.by_name["journal"], b"", b"leadglass journal root v1")
    found, sequence, head = [], 0, bytes(32)
    for number, path in enumerate(sorted(folder.glob("root-*.chain")), 1):
        content = path.read_bytes()
        magic, index, before, digest, _ = struct.unpack_from(">8sIQ32sQ", content)
        assert (magic, index, before, digest) == (b"LGROOT\0\1", number, sequence, head)
        assert content[60:92] == hmac.digest(key, content[:60], "sha256")
        head = hashlib.sha256(head + content[:92]).digest()
        at = 92
        while at < len(content):
            (length,) = struct.unpack_from(">I", content, at)
            entry, mac = content[at : at + 4 + length], content[at + 4 + length : at + 36 + length]
            assert mac == hmac.digest(key, head + entry, "sha256")
            head = hashlib.sha256(head + entry + mac).digest()
            sequence, _, count = struct.unpack_from(">QQH", entry, 4)
            found += [Signed(*struct.unpack_from(">B16sQQ32s", entry, 22 + 65 * place)) for place in range(count)]
            at += 36 + length
    return found, f"{sequence}:{head.hex()}"
