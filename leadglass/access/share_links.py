"""The link and the passcode of a share, the export's passphrase: their texts, and what is kept of them. Pure.

A link carries 43 characters base64url (256 random bits); what is kept is HMAC-SHA256 under the keyset's token key. A
passcode is made here, never chosen: 12 characters out of 23 that look like no other ones (no 0 O, 1 I L, 2 Z, 5 S, 8 B,
U V), 54 random bits, in groups of four. It is told over the telephone, so small letters and gaps count for nothing.
"""

from __future__ import annotations

import base64
import hmac
import re
import secrets
from typing import Final

LINK_BYTES: Final = 32
PASSCODE_LENGTH: Final = 12
PASSPHRASE_LENGTH: Final = 24  # 108 bits: who has a file has all the time there is
_GROUP: Final = 4
_PLAIN: Final = "34679ACDEFGHJKMNPQRTWXY"
_LINK: Final = re.compile(r"[A-Za-z0-9_-]{43}")
_GAPS: Final = re.compile(r"[\s\u2010-\u2015-]+")
_MAX_TYPED: Final = 64
_IDENTIFIER_LENGTH: Final = 10


def new_link() -> str:
    """The text of a new link, which is nowhere else."""
    return base64.urlsafe_b64encode(secrets.token_bytes(LINK_BYTES)).rstrip(b"=").decode("ascii")


def link_digest(token_key: bytes, text: str) -> bytes:
    """What is kept of a link; of anything that has not the form of one too, so that it is looked for."""
    return hmac.digest(token_key, b"share:" + text[:_MAX_TYPED].encode("utf-8", "replace"), "sha256")


def is_link(text: str) -> bool:
    """Whether `text` has the form of a link."""
    return _LINK.fullmatch(text) is not None


def new_passcode() -> str:
    """A new passcode as it is shown: 9ACD-EF3G-7HJK."""
    return grouped(_chosen(PASSCODE_LENGTH))


def plain_passcode(typed: str) -> str:
    """A passcode as it is compared, however it was typed."""
    return _GAPS.sub("", typed[:_MAX_TYPED]).upper()


def passphrase_of(random: bytes) -> str:
    """A passphrase made of 32 random bytes, as it is shown."""
    number, text = int.from_bytes(random, "big"), ""
    for _ in range(PASSPHRASE_LENGTH):
        number, place = divmod(number, len(_PLAIN))
        text += _PLAIN[place]
    return grouped(text)


def new_identifier() -> str:
    """How a new share is called. Capital letters: no account is called so."""
    return _chosen(_IDENTIFIER_LENGTH)


def grouped(text: str) -> str:
    """In groups of four."""
    return "-".join(text[start : start + _GROUP] for start in range(0, len(text), _GROUP))


def _chosen(length: int) -> str:
    return "".join(secrets.choice(_PLAIN) for _ in range(length))
