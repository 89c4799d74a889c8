"""One record as bytes: clear header, associated data of its chunks, encrypted trailer. Format: docs/formats/vault.md.

Plaintext = data set || trailer, cut into chunks of CHUNK_SIZE (the last one shorter, never empty). Each chunk is
AES-256-GCM under the record key with its number as nonce; a record key serves one record ever, so no nonce comes twice.
"""

from __future__ import annotations

import base64
import json
import struct
import zlib
from dataclasses import dataclass
from typing import Any

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from leadglass.core.errors import ErrorCode, LeadglassError
from leadglass.core.identity import InstanceIdentity, PatientKey
from leadglass.core.limits import CHUNK_SIZE, MAX_HEADER_BYTES
from leadglass.core.records import RecordTrailer
from leadglass.keys.derive import hkdf
from leadglass.vault.disk import Buffer

MAGIC = b"LGrecord"
VERSION = 1
HEADER_SIZE = 128
SALT_SIZE = 32
TAG_SIZE = 16
ALIGNMENT = 64
MAX_TRAILER = MAX_HEADER_BYTES  # File Meta kept aside may hold private information; all else is short
MAX_DATA_SET = 1 << 44  # 16 TiB: more than a file system holds, so lengths never overflow

_HEADER = struct.Struct(">8sHHI16s32sQI48x")  # magic, version, flags, chunk size, key id, salt, lengths
_CRC = struct.Struct(">I")
_CHUNK = struct.Struct(">QBQI")  # number, last, data set length, trailer length (lengths only in the last one)
_TRAILER_VERSION = 1
_JSON = json.JSONEncoder(separators=(",", ":"))  # made once: json.dumps makes one for every call


@dataclass(frozen=True, slots=True)
class RecordHeader:
    """What stands in clear before a record's chunks."""

    key_id: bytes
    salt: bytes
    data_set_length: int
    trailer_length: int

    @property
    def plain_length(self) -> int:
        """Bytes of plaintext."""
        return self.data_set_length + self.trailer_length

    @property
    def chunk_count(self) -> int:
        """Number of chunks."""
        return -(-self.plain_length // CHUNK_SIZE)

    @property
    def end(self) -> int:
        """Bytes from the header's first to the ciphertext's last."""
        return HEADER_SIZE + self.plain_length + TAG_SIZE * self.chunk_count

    def pack(self) -> bytes:
        """The header's 128 bytes."""
        lengths = (self.data_set_length, self.trailer_length)
        body = _HEADER.pack(MAGIC, VERSION, 0, CHUNK_SIZE, self.key_id, self.salt, *lengths)
        return body + _CRC.pack(zlib.crc32(body))


def parse_header(data: bytes) -> RecordHeader | None:
    """The header in 128 bytes, or None if they are none (magic, version, bounds or CRC are off)."""
    if len(data) < HEADER_SIZE or not data.startswith(MAGIC):
        return None
    body = data[: HEADER_SIZE - _CRC.size]
    if _CRC.unpack_from(data, len(body))[0] != zlib.crc32(body):
        return None
    _, version, flags, chunk_size, key_id, salt, data_set_length, trailer_length = _HEADER.unpack(body)
    if version != VERSION or flags or chunk_size != CHUNK_SIZE:
        return None
    if data_set_length > MAX_DATA_SET or not 0 < trailer_length <= MAX_TRAILER:
        return None
    return RecordHeader(key_id, salt, data_set_length, trailer_length)


def aligned(length: int) -> int:
    """`length` rounded up to the alignment of records."""
    return -(-length // ALIGNMENT) * ALIGNMENT


class RecordCipher:
    """The record key in use, with the part of the associated data that all chunks share."""

    __slots__ = ("_cipher", "_prefix")

    def __init__(self, study_key: bytes, archive_id: bytes, key_id: bytes, salt: bytes) -> None:
        self._cipher = AESGCM(hkdf(study_key, salt, b"leadglass record v1" + archive_id))
        self._prefix = struct.pack(">H", VERSION) + archive_id + key_id + salt

    def seal(self, number: int, plain: Buffer, sealed: bytearray) -> None:
        """Encrypt a chunk that is not the last into `sealed`, TAG_SIZE bytes longer."""
        associated = self._prefix + _CHUNK.pack(number, 0, 0, 0)
        self._cipher.encrypt_into(number.to_bytes(12, "big"), plain, associated, sealed)

    def seal_last(self, number: int, plain: Buffer, lengths: tuple[int, int]) -> bytes:
        """Ciphertext of the last chunk, which also binds the header's data set and trailer `lengths`."""
        return self._cipher.encrypt(number.to_bytes(12, "big"), plain, self._prefix + _CHUNK.pack(number, 1, *lengths))

    def open_into(self, number: int, sealed: Buffer, plain: memoryview) -> None:
        """Plaintext of a chunk that is not the last into `plain`, TAG_SIZE bytes shorter; InvalidTag as `open`."""
        associated = self._prefix + _CHUNK.pack(number, 0, 0, 0)
        self._cipher.decrypt_into(number.to_bytes(12, "big"), sealed, associated, plain)

    def open(self, number: int, sealed: Buffer, header: RecordHeader) -> bytes:
        """Plaintext of chunk `number`; cryptography's InvalidTag if it is not that chunk of that record."""
        last = number == header.chunk_count - 1
        lengths = (header.data_set_length, header.trailer_length) if last else (0, 0)
        associated = self._prefix + _CHUNK.pack(number, last, *lengths)
        return self._cipher.decrypt(number.to_bytes(12, "big"), sealed, associated)


def encode_trailer(trailer: RecordTrailer) -> bytes:
    """The trailer as compact ASCII JSON, the same bytes for the same trailer. UNPARSABLE beyond MAX_TRAILER."""
    identity = trailer.identity
    values: dict[str, Any] = {
        "v": _TRAILER_VERSION,
        "class": identity.sop_class_uid,
        "instance": identity.sop_instance_uid,
        "study": identity.study_uid,
        "series": identity.series_uid,
        "issuer": identity.patient.issuer,
        "patient": identity.patient.patient_id,
        "syntax": trailer.transfer_syntax_uid,
        "received": trailer.received_at,
        "blake3": trailer.digest.hex(),
        "principal": trailer.principal,
        "ae": trailer.ae_title,
        "address": trailer.address,
        "institution": trailer.institution,
        "charset": trailer.assumed_character_set,
    }
    if trailer.file_meta:
        values["meta"] = base64.b64encode(trailer.file_meta).decode("ascii")
    if trailer.order:
        values["order"] = trailer.order
    if trailer.mends:
        values["mends"] = True
    encoded = _JSON.encode(values).encode("ascii")
    if len(encoded) > MAX_TRAILER:
        raise LeadglassError(ErrorCode.UNPARSABLE, "What comes with the data set is too long.")
    return encoded


def decode_trailer(data: bytes) -> RecordTrailer:
    """The trailer in `data`; names that a later version added are passed over. DAMAGED if it is none."""
    try:
        values = json.loads(data)
        text = {name: _text(values, name) for name in _TEXTS}
        received, order = values["received"], values.get("order", 0)
        if not isinstance(received, int) or not isinstance(order, int):
            raise TypeError
        patient = PatientKey(text["issuer"], text["patient"])
        return RecordTrailer(
            InstanceIdentity(text["class"], text["instance"], text["study"], text["series"], patient),
            text["syntax"],
            received,
            bytes.fromhex(text["blake3"]),
            text["principal"],
            text["ae"],
            text["address"],
            text["institution"],
            text["charset"],
            base64.b64decode(values.get("meta", "")),
            order,
            values.get("mends") is True,
        )
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as problem:
        raise LeadglassError(ErrorCode.DAMAGED, "A record's trailer cannot be read.") from problem


_TEXTS = (
    *("class", "instance", "study", "series", "issuer", "patient", "syntax", "blake3"),
    *("principal", "ae", "address", "institution", "charset"),
)


def _text(values: dict[str, Any], name: str) -> str:
    value = values[name]
    if not isinstance(value, str):
        raise TypeError
    return value
