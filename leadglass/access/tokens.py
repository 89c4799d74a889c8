"""The text of an API token, and what is kept of it. Pure.

`lg_`, 43 characters base64url (256 random bits), 6 characters CRC-32 of those 43 in base62 (0-9A-Za-z, leading zeros).
Prefix and checksum let scanners for leaked secrets find tokens, and a mistyped one is refused without a look-up.
What is kept is HMAC-SHA256 of the whole text under the keyset's token key: the state alone tests no guess.
"""

from __future__ import annotations

import base64
import hmac
import re
import zlib
from typing import Final

PREFIX: Final = "lg_"
RANDOM_BYTES: Final = 32
DEFAULT_DAYS: Final = 90
MAX_DAYS: Final = 366

_BASE62: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_CHECK_LENGTH: Final = 6  # 62**6 > 2**32
_TEXT: Final = re.compile(r"lg_([A-Za-z0-9_-]{43})([0-9A-Za-z]{6})")
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


def token_text(random: bytes) -> str:
    """The token of 32 random bytes."""
    secret = base64.urlsafe_b64encode(random).rstrip(b"=").decode("ascii")
    return f"{PREFIX}{secret}{_checksum(secret)}"


def is_token_text(text: str) -> bool:
    """Whether `text` has the form of a token and its checksum fits."""
    found = _TEXT.fullmatch(text)
    return found is not None and _checksum(found[1]) == found[2]


def token_digest(token_key: bytes, text: str) -> bytes:
    """What is kept of the token `text`."""
    return hmac.digest(token_key, text.encode("ascii"), "sha256")


def is_token_name(name: str) -> bool:
    """Whether a token may have this name: it stands in journals, and must not look like another kind's."""
    return _NAME.fullmatch(name) is not None and name != "leadglass"


def _checksum(secret: str) -> str:
    value = zlib.crc32(secret.encode("ascii"))
    digits = ""
    for _ in range(_CHECK_LENGTH):
        value, digit = divmod(value, 62)
        digits = _BASE62[digit] + digits
    return digits
