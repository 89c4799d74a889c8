"""Key derivation: HKDF-SHA256 (RFC 5869) for keys from keys, argon2id (RFC 9106) for keys from passphrases."""

from __future__ import annotations

import hmac
from dataclasses import dataclass
from os import urandom

from argon2.low_level import Type, hash_secret_raw

from leadglass.core.errors import ErrorCode, LeadglassError

KEY_SIZE = 32
MAX_ARGON2_MEMORY_KIB = 4 * 1024 * 1024  # a file must not make us ask for more than 4 GiB
MAX_ARGON2_TIME = 64  # nor to compute for minutes
MAX_ARGON2_LANES = 64


def hkdf(key: bytes, salt: bytes, info: bytes) -> bytes:
    """32 bytes of HKDF-SHA256: extract and one block of expand (RFC 5869 2.2, 2.3)."""
    return hmac.digest(hmac.digest(salt, key, "sha256"), info + b"\x01", "sha256")


@dataclass(frozen=True, slots=True)
class Argon2Parameters:
    """How a passphrase becomes a key. The default is RFC 9106's second recommendation with twice its memory."""

    salt: bytes
    time: int = 3
    memory_kib: int = 128 * 1024
    lanes: int = 4

    @classmethod
    def fresh(cls) -> Argon2Parameters:
        """The defaults with a random salt."""
        return cls(urandom(16))


def from_passphrase(passphrase: str, parameters: Argon2Parameters) -> bytes:
    """The 32-byte key of a passphrase. Blocks for a fraction of a second; DAMAGED if the parameters are absurd."""
    sane = (
        8 <= len(parameters.salt) <= 64
        and 1 <= parameters.time <= MAX_ARGON2_TIME
        and 1 <= parameters.lanes <= MAX_ARGON2_LANES
        and 8 * parameters.lanes <= parameters.memory_kib <= MAX_ARGON2_MEMORY_KIB
    )
    if not sane:
        raise LeadglassError(ErrorCode.DAMAGED, "The passphrase parameters are outside their bounds.")
    return hash_secret_raw(
        passphrase.encode(),
        parameters.salt,
        time_cost=parameters.time,
        memory_cost=parameters.memory_kib,
        parallelism=parameters.lanes,
        hash_len=KEY_SIZE,
        type=Type.ID,
    )
