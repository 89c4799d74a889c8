"""Texts that are good once: codes that the state keeps a digest of, and tickets that need no keeping. Pure.

A code is 43 characters base64url (256 random bits); what is kept is an HMAC under the keyset's token key. A ticket goes
to somebody who is not known yet, for whom nothing should be written: random bytes and an end, with an HMAC over both.
Whatever else has to be secret, and the same when the ticket comes back, is derived from it.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import re
from typing import Final

RANDOM_BYTES: Final = 32
TICKET_RANDOM: Final = 16
_MAC: Final = 16
_MOMENT: Final = 8
_TICKET_BYTES: Final = TICKET_RANDOM + _MOMENT + _MAC
_CODE: Final = re.compile(r"[A-Za-z0-9_-]{43}")


def code_text(random: bytes) -> str:
    """The code of 32 random bytes."""
    return _encoded(random)


def code_digest(token_key: bytes, text: str) -> bytes:
    """What is kept of the code `text`; of anything that has not the form of one too, so that it is looked for."""
    return hmac.digest(token_key, b"code:" + text.encode("utf-8", "replace"), "sha256")


def is_code(text: str) -> bool:
    """Whether `text` has the form of a code."""
    return _CODE.fullmatch(text) is not None


def ticket(token_key: bytes, purpose: str, random: bytes, expires: int) -> str:
    """A ticket for `purpose`, good until `expires` (nanoseconds since the epoch), of 16 random bytes."""
    content = random + expires.to_bytes(_MOMENT, "big")
    return _encoded(content + _mac(token_key, purpose, content))


def ticket_ends(token_key: bytes, purpose: str, text: str, now: int) -> int | None:
    """When a ticket ends that is good at `now`; None if it is not one of ours, or over."""
    try:
        raw = base64.b64decode(text.encode("ascii") + b"=" * (-len(text) % 4), b"-_", validate=True)
    except (binascii.Error, ValueError):
        return None
    if len(raw) != _TICKET_BYTES or _encoded(raw) != text:
        return None
    content, mac = raw[:-_MAC], raw[-_MAC:]
    expires = int.from_bytes(content[TICKET_RANDOM:], "big")
    good = hmac.compare_digest(mac, _mac(token_key, purpose, content)) and now < expires
    return expires if good else None


def derived(token_key: bytes, what: str, text: str) -> bytes:
    """32 bytes that only who has the key can tell, the same for the same ticket."""
    return hmac.digest(token_key, b"derived:" + what.encode("ascii") + b":" + text.encode("ascii"), "sha256")


def _mac(token_key: bytes, purpose: str, content: bytes) -> bytes:
    return hmac.digest(token_key, b"ticket:" + purpose.encode("ascii") + b":" + content, "sha256")[:_MAC]


def _encoded(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode("ascii")
