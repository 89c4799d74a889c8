"""Passcodes of devices (user identity type 2, PS3.7 D.3.3.7): argon2id, compared in constant time."""

from __future__ import annotations

import argon2

MIN_LENGTH = 12
_HASHER = argon2.PasswordHasher()


def hash_passcode(passcode: str) -> str:
    """The form in which a passcode is kept."""
    return _HASHER.hash(passcode)


def passcode_fits(passcode: bytes, kept: str) -> bool:
    """Whether `passcode` is the one kept."""
    try:
        return _HASHER.verify(kept, passcode)
    except (argon2.exceptions.VerificationError, argon2.exceptions.InvalidHashError):
        return False
