"""The keyset file: the archive's keys, each wrapped by AES-256-GCM under the master key.

The file is JSON, written whole beside the old one and renamed. Every key has a list of wraps, one per master key that
opens it, so that a new master can be added before an old one is taken away. Format: docs/formats/keys.md.
"""

from __future__ import annotations

import hmac
import json
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from leadglass.core.errors import ErrorCode, LeadglassError
from leadglass.keys.derive import KEY_SIZE, Argon2Parameters, hkdf

FORMAT = "leadglass-keyset"
VERSION = 1
ARCHIVE_ID_SIZE = 16
KEY_NAMES = ("ring", "state", "catalog", "journal", "ca", "token")
_MAX_FILE = 1024 * 1024


@dataclass(frozen=True, slots=True)
class KeySet:
    """The archive's keys, 32 random bytes each, and its 16-byte id. Keys stay out of `repr`."""

    archive_id: bytes
    ring: bytes = field(repr=False)
    state: bytes = field(repr=False)
    catalog: bytes = field(repr=False)
    journal: bytes = field(repr=False)
    ca: bytes = field(repr=False)
    token: bytes = field(repr=False)

    @classmethod
    def generate(cls) -> KeySet:
        """Fresh random keys and a fresh archive id."""
        return cls(os.urandom(ARCHIVE_ID_SIZE), *(os.urandom(KEY_SIZE) for _ in KEY_NAMES))

    def by_name(self) -> dict[str, bytes]:
        """Keys by the name they have in the file."""
        return {item.name: getattr(self, item.name) for item in fields(self) if item.name in KEY_NAMES}


def master_id(master: bytes) -> str:
    """16 hex digits that name a master key without telling anything of it."""
    return hmac.digest(_checked(master), b"leadglass master id", "sha256")[:8].hex()


def create(
    path: Path, master: bytes, *, derivation: Argon2Parameters | None = None, keyset: KeySet | None = None
) -> KeySet:
    """Write a new keyset file (mode 0600) of fresh keys, or of `keyset`, wrapped under `master` (32 bytes).

    `derivation` is kept when `master` comes of a passphrase. USAGE if the file exists already.
    """
    keyset = keyset or KeySet.generate()
    document: dict[str, Any] = {
        "format": FORMAT,
        "version": VERSION,
        "archive": keyset.archive_id.hex(),
        "created": time.time_ns(),
        "masters": {},
        "keys": {name: [] for name in KEY_NAMES},
    }
    _wrap_all(document, keyset, master, derivation)
    _write(path, document, replace=False)
    return keyset


def open_keyset(path: Path, master: bytes) -> KeySet:
    """The keys of the file at `path`.

    NOT_FOUND if there is none, NOT_AUTHORISED if `master` is not one of its masters, DAMAGED if it does not
    authenticate or is not a keyset, UNAVAILABLE if a newer program wrote it.
    """
    return _unwrap_all(_read(path), master)


def add_master(path: Path, present: bytes, new: bytes, *, derivation: Argon2Parameters | None = None) -> None:
    """Let `new` open the keyset too. Nothing else changes; NOT_AUTHORISED if `present` does not open it."""
    document = _read(path)
    _wrap_all(document, _unwrap_all(document, present), new, derivation)
    _write(path, document, replace=True)


def passphrase_parameters(path: Path) -> Argon2Parameters | None:
    """How the passphrase of this keyset becomes its master key; None if its master comes of elsewhere."""
    for master in _read(path)["masters"].values():
        derivation = master.get("argon2id")
        if derivation:
            return _decode_derivation(derivation)
    return None


def archive_id(path: Path) -> bytes:
    """The archive id, which stands in clear."""
    return bytes.fromhex(_read(path)["archive"])


def _checked(master: bytes) -> bytes:
    if len(master) != KEY_SIZE:
        raise LeadglassError(ErrorCode.USAGE, "A master key is 32 bytes.")
    return master


def _wrapping(document: Mapping[str, Any], master: bytes) -> AESGCM:
    return AESGCM(hkdf(_checked(master), bytes.fromhex(document["archive"]), b"leadglass keyset wrap v1"))


def _associated(document: Mapping[str, Any], name: str, opener: str) -> bytes:
    return f"{FORMAT} v{document['version']} {document['archive']} {name} {opener}".encode()


def _wrap_all(document: dict[str, Any], keyset: KeySet, master: bytes, derivation: Argon2Parameters | None) -> None:
    opener = master_id(master)
    if opener in document["masters"]:
        return
    document["masters"][opener] = {"argon2id": _encode_derivation(derivation)} if derivation else {}
    wrapping = _wrapping(document, master)
    for name, key in keyset.by_name().items():
        nonce = os.urandom(12)
        wrapped = wrapping.encrypt(nonce, key, _associated(document, name, opener))
        document["keys"][name].append({"master": opener, "nonce": nonce.hex(), "wrapped": wrapped.hex()})


def _unwrap_all(document: Mapping[str, Any], master: bytes) -> KeySet:
    opener = master_id(master)
    if opener not in document["masters"]:
        raise LeadglassError(ErrorCode.NOT_AUTHORISED, "This master key does not open the keyset.")
    wrapping = _wrapping(document, master)
    keys = {}
    for name in KEY_NAMES:
        try:
            wrap = next(item for item in document["keys"][name] if item["master"] == opener)
            nonce, wrapped = bytes.fromhex(wrap["nonce"]), bytes.fromhex(wrap["wrapped"])
            keys[name] = wrapping.decrypt(nonce, wrapped, _associated(document, name, opener))
        except (InvalidTag, StopIteration, LookupError, TypeError, ValueError) as problem:
            raise LeadglassError(ErrorCode.DAMAGED, f"The {name} key in the keyset does not authenticate.") from problem
        _checked(keys[name])
    return KeySet(archive_id=bytes.fromhex(document["archive"]), **keys)


def _encode_derivation(parameters: Argon2Parameters) -> dict[str, Any]:
    return {
        "salt": parameters.salt.hex(),
        "time": parameters.time,
        "memory_kib": parameters.memory_kib,
        "lanes": parameters.lanes,
    }


def _decode_derivation(values: Mapping[str, Any]) -> Argon2Parameters:
    try:
        salt = bytes.fromhex(values["salt"])
        return Argon2Parameters(salt, int(values["time"]), int(values["memory_kib"]), int(values["lanes"]))
    except (LookupError, TypeError, ValueError) as problem:
        raise LeadglassError(ErrorCode.DAMAGED, "The passphrase parameters in the keyset are damaged.") from problem


def _read(path: Path) -> dict[str, Any]:
    """The document, with the shape that the functions above rely on."""
    try:
        with path.open("rb") as file:
            document = json.loads(file.read(_MAX_FILE))
    except FileNotFoundError as problem:
        raise LeadglassError(ErrorCode.NOT_FOUND, "There is no keyset file.") from problem
    except OSError as problem:
        raise LeadglassError(ErrorCode.UNAVAILABLE, "The keyset file cannot be read.") from problem
    except (ValueError, RecursionError) as problem:
        raise LeadglassError(ErrorCode.DAMAGED, "The keyset file is damaged.") from problem
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        raise LeadglassError(ErrorCode.DAMAGED, "The file is not a keyset.")
    if document.get("version") != VERSION:
        raise LeadglassError(ErrorCode.UNAVAILABLE, "A newer version of the program wrote this keyset.")
    try:
        sound = (
            len(bytes.fromhex(document["archive"])) == ARCHIVE_ID_SIZE
            and isinstance(document["masters"], dict)
            and all(isinstance(item, dict) for item in document["masters"].values())
            and all(isinstance(document["keys"][name], list) for name in KEY_NAMES)
        )
    except (LookupError, TypeError, ValueError):
        sound = False
    if not sound:
        raise LeadglassError(ErrorCode.DAMAGED, "The keyset file is damaged.")
    return document


def _write(path: Path, document: Mapping[str, Any], *, replace: bool) -> None:
    """Write beside, sync, then take the name; the directory is synced too, so a power cut leaves old or new."""
    beside = path.with_name(f".{path.name}.{os.urandom(4).hex()}")
    try:
        descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            json.dump(document, file, indent=1)
            file.write("\n")
            file.flush()
            os.fsync(file.fileno())
        if replace:
            beside.replace(path)
        else:
            path.hardlink_to(beside)
        directory = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)
    except FileExistsError as problem:
        raise LeadglassError(ErrorCode.USAGE, "There is a keyset file already.") from problem
    except OSError as problem:
        raise LeadglassError(ErrorCode.OUT_OF_RESOURCES, "The keyset file could not be written.") from problem
    finally:
        beside.unlink(missing_ok=True)
