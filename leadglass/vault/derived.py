"""What is derived from a study's images and kept beside them (metadata, thumbnails), encrypted with the study's key.

One small file each. Its name is a keyed hash of what it holds, so nothing of an identifier shows in a listing. The
stamp is bound to the ciphertext: what was made of another state of the study does not open, and is made again. Losing
any of it loses nothing, so it is not synced.

File: "LGD1", key id (16), salt (32), then AES-256-GCM of the content under HKDF(study key, salt), nonce zero: a salt
serves one file ever.
"""

from __future__ import annotations

import hmac
import struct
from collections.abc import Callable
from os import urandom
from pathlib import Path
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from leadglass.core.errors import LeadglassError
from leadglass.core.limits import MIB
from leadglass.vault.disk import Disk
from leadglass.vault.study_key import OpenStudyKey

MAX_DERIVED: Final = 256 * MIB  # of one file: metadata of a series of some 50,000 instances
_MAGIC: Final = b"LGD1"
_HEAD: Final = struct.Struct("<4s16s32s")
_NONCE: Final = bytes(12)


class DerivedFiles:
    """core.ports.Derived in a folder. Several processes may use it; the last one that writes counts."""

    def __init__(self, root: Path, name_key: bytes, key_of: Callable[[bytes], OpenStudyKey], disk: Disk) -> None:
        """`key_of` gives the study key of an id; LeadglassError if there is none."""
        self._root = root
        self._name_key = name_key
        self._key_of = key_of
        self._disk = disk

    def get(self, key_id: bytes, kind: str, name: str, stamp: str) -> bytes | None:
        """See core.ports.Derived."""
        try:
            key = self._key_of(key_id)
            content = self._content(self._path(key, kind, name))
            magic, sealed_under, salt = _HEAD.unpack_from(content)
        except (LeadglassError, OSError, struct.error):
            return None
        if magic != _MAGIC or sealed_under != key_id:
            return None
        try:
            return AESGCM(key.derive(salt, b"leadglass derived v1")).decrypt(
                _NONCE, memoryview(content)[_HEAD.size :], _bound(kind, name, stamp)
            )
        except InvalidTag:
            return None

    def put(self, key_id: bytes, kind: str, name: str, stamp: str, content: bytes) -> None:
        """See core.ports.Derived."""
        if len(content) > MAX_DERIVED:
            return
        try:
            key = self._key_of(key_id)
        except LeadglassError:
            return
        salt = urandom(32)
        sealed = AESGCM(key.derive(salt, b"leadglass derived v1")).encrypt(_NONCE, content, _bound(kind, name, stamp))
        path = self._path(key, kind, name)
        draft = path.with_suffix(f".{urandom(8).hex()}")
        try:
            self._disk.make_directory(path.parent)
            descriptor = self._disk.create(draft)
            try:
                self._disk.write(descriptor, [_HEAD.pack(_MAGIC, key_id, salt), sealed], 0)
            finally:
                self._disk.close(descriptor)
            self._disk.rename(draft, path)
        except OSError:
            self._forget(draft)  # it is made again when it is asked for

    def _content(self, path: Path) -> bytes:
        descriptor = self._disk.open(path)
        try:
            return self._disk.read(descriptor, min(self._disk.size(descriptor), MAX_DERIVED + _HEAD.size + 16), 0)
        finally:
            self._disk.close(descriptor)

    def _forget(self, path: Path) -> None:
        try:
            self._disk.unlink(path)
        except OSError:
            return

    def _path(self, key: OpenStudyKey, kind: str, name: str) -> Path:
        digest = hmac.digest(self._name_key, key.key_id + f"{kind}\0{name}".encode(), "sha256").hex()
        return self._root / digest[:2] / digest[2:]


def _bound(kind: str, name: str, stamp: str) -> bytes:
    return f"{kind}\0{name}\0{stamp}".encode()
