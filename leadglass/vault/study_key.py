"""An opened study key.

Instances of a study come one behind the other, so the cipher of the next record (a salt, two HMACs, a key schedule)
is made ahead, while the sender reads our answer, and not while it waits for one.
"""

from __future__ import annotations

from os import urandom

from leadglass.keys.derive import hkdf
from leadglass.vault.record_format import SALT_SIZE, RecordCipher


class OpenStudyKey:
    """core.ports.StudyKey. Its bytes leave it only as record ciphers and as keys derived from it."""

    __slots__ = ("_ahead", "_archive_id", "_key", "key_id")

    def __init__(self, archive_id: bytes, key_id: bytes, key: bytes) -> None:
        self.key_id = key_id
        self._archive_id = archive_id
        self._key = key
        self._ahead: list[tuple[bytes, RecordCipher]] = []  # one at most, and taken once: pop is atomic

    def prepare(self) -> None:
        """Make the next `fresh` cipher now."""
        if not self._ahead:
            self._ahead.append(self._make())

    def fresh(self) -> tuple[bytes, RecordCipher]:
        """A new random salt and the cipher of the one record that will have it."""
        try:
            return self._ahead.pop()
        except IndexError:
            return self._make()

    def _make(self) -> tuple[bytes, RecordCipher]:
        salt = urandom(SALT_SIZE)
        return salt, self.cipher(salt)

    def cipher(self, salt: bytes) -> RecordCipher:
        """The cipher of the one record that has this salt."""
        return RecordCipher(self._key, self._archive_id, self.key_id, salt)

    def derive(self, salt: bytes, purpose: bytes) -> bytes:
        """A key of the study's for something else than records: `purpose` tells what."""
        return hkdf(self._key, salt, purpose + self._archive_id)

    def __repr__(self) -> str:
        return f"OpenStudyKey({self.key_id.hex()})"
