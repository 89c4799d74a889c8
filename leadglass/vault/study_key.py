"""An opened study key."""

from __future__ import annotations

from leadglass.keys.derive import hkdf
from leadglass.vault.record_format import RecordCipher


class OpenStudyKey:
    """core.ports.StudyKey. Its bytes leave it only as record ciphers and as keys derived from it."""

    __slots__ = ("_archive_id", "_key", "key_id")

    def __init__(self, archive_id: bytes, key_id: bytes, key: bytes) -> None:
        self.key_id = key_id
        self._archive_id = archive_id
        self._key = key

    def cipher(self, salt: bytes) -> RecordCipher:
        """The cipher of the one record that has this salt."""
        return RecordCipher(self._key, self._archive_id, self.key_id, salt)

    def derive(self, salt: bytes, purpose: bytes) -> bytes:
        """A key of the study's for something else than records: `purpose` tells what."""
        return hkdf(self._key, salt, purpose + self._archive_id)

    def __repr__(self) -> str:
        return f"OpenStudyKey({self.key_id.hex()})"
