"""Passcodes of devices (user identity type 2, PS3.7 D.3.3.7): argon2id, compared in constant time."""

from __future__ import annotations

import argon2

from leadglass.core.errors import ErrorCode, LeadglassError

MIN_LENGTH = 12  # characters
MAX_LENGTH = 1024  # bytes: the field of PS3.7 D.3.3.7 holds 65,535, no device's menu does
_HASHER = argon2.PasswordHasher()


def hash_passcode(passcode: str) -> str:
    """The form in which a passcode is kept. LeadglassError(USAGE) if it is too short to withstand guessing."""
    if not (len(passcode) >= MIN_LENGTH and len(passcode.encode()) <= MAX_LENGTH):
        raise LeadglassError(ErrorCode.USAGE, f"A passcode has {MIN_LENGTH} characters at least, {MAX_LENGTH} at most.")
    return _HASHER.hash(passcode)


def passcode_fits(passcode: bytes, kept: str) -> bool:
    """Whether `passcode` is the one kept. One that is longer than any kept is not hashed at all."""
    if len(passcode) > MAX_LENGTH:
        return False
    try:
        return _HASHER.verify(kept, passcode)
    except (argon2.exceptions.VerificationError, argon2.exceptions.InvalidHashError):
        return False
