"""Time-based one-time passwords (RFC 6238 over RFC 4226: SHA-1, 30 seconds, 6 digits) and recovery codes. Pure."""

from __future__ import annotations

import base64
import hmac
import re
from collections.abc import Sequence
from typing import Final
from urllib.parse import quote, urlencode

STEP_SECONDS: Final = 30
DIGITS: Final = 6
WINDOW: Final = 1  # steps before and after: clocks that are half a minute off (RFC 6238 5.2)
SECRET_BYTES: Final = 20  # RFC 4226 4, R6
RECOVERY_CODES: Final = 10
RECOVERY_LENGTH: Final = 12  # characters: 60 bits
RECOVERY_RANDOM: Final = RECOVERY_LENGTH  # random bytes each is made of

_ALPHABET: Final = "23456789ABCDEFGHJKLMNPQRSTUVWXYZ"  # 32 of them, without 0, 1, I and O
_CODE: Final = re.compile(r"[0-9]{6}")


def totp(secret: bytes, step: int, digits: int = DIGITS) -> str:
    """The code of a time step (seconds since the epoch // 30)."""
    digest = hmac.digest(secret, step.to_bytes(8, "big"), "sha1")
    offset = digest[-1] & 0x0F  # RFC 4226 5.3
    number = int.from_bytes(digest[offset : offset + 4], "big") & 0x7FFF_FFFF
    return str(number % 10**digits).zfill(digits)


def step_of(secret: bytes, code: str, seconds: float, used: int) -> int | None:
    """The time step that `code` is of, around `seconds` since the epoch and after the step `used`; None if none."""
    code = "".join(code.split())
    if not secret or not _CODE.fullmatch(code):
        return None
    now = int(seconds) // STEP_SECONDS
    fitting = [step for step in range(now - WINDOW, now + WINDOW + 1) if hmac.compare_digest(totp(secret, step), code)]
    return next((step for step in fitting if step > used), None)


def secret_text(secret: bytes) -> str:
    """A secret as people type it into an app: base32 without padding."""
    return base64.b32encode(secret).rstrip(b"=").decode("ascii")


def provisioning_uri(secret: bytes, name: str, issuer: str) -> str:
    """What a QR code tells an authenticator app (the key URI format that they share)."""
    label = f"{quote(issuer, safe='')}:{quote(name, safe='')}"
    query = urlencode({"secret": secret_text(secret), "issuer": issuer, "digits": DIGITS, "period": STEP_SECONDS})
    return f"otpauth://totp/{label}?{query.replace('+', '%20')}"


def recovery_codes(random: Sequence[bytes]) -> list[str]:
    """A code of each of `random`, 12 bytes; in groups of four, as people copy them."""
    codes = ["".join(_ALPHABET[byte & 31] for byte in each[:RECOVERY_LENGTH]) for each in random]
    return ["-".join(code[start : start + 4] for start in range(0, RECOVERY_LENGTH, 4)) for code in codes]


def recovery_digest(token_key: bytes, name: str, code: str) -> bytes:
    """What is kept of a recovery code of the account `name`, however it was typed."""
    typed = "".join(character for character in code.upper() if character.isalnum())
    return hmac.digest(token_key, f"recovery:{name}:{typed}".encode("utf-8", "replace"), "sha256")
