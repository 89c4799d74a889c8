"""security.txt (RFC 9116): whom to tell, and until when that holds (W11)."""

from __future__ import annotations

import datetime as dt
import re

from leadglass.exposure.facts import Answer as Answered
from leadglass.exposure.facts import Fact, Value, technical
from leadglass.exposure.http_answer import HttpAnswer

PATHS = ("/.well-known/security.txt", "/security.txt")  # RFC 9116 3: the second is the older place
_MAX_READ = 32 * 1024  # bytes (RFC 9116 5.3 asks for a limit)
_MAX_CONTACTS = 8
_CONTACT = re.compile(r"^Contact:[ \t]*((?:mailto:|https://)[\x21-\x7e]{3,180})[ \t]*\r?$", re.I | re.M)
_EXPIRES = re.compile(r"^Expires:[ \t]*([0-9T:.+Zz-]{16,40})[ \t]*\r?$", re.I | re.M)


def told(page: HttpAnswer) -> Fact | None:
    """W11, None if this is no security.txt with a contact."""
    if not page.ok or page.media_type != "text/plain":  # RFC 9116 3
        return None
    text = page.body[:_MAX_READ].decode("utf-8", "replace")
    contacts = dict.fromkeys(technical(found.group(1)) for found in _CONTACT.finditer(text))
    if not contacts:
        return None
    values: dict[str, Value] = {"contact": tuple(contacts)[:_MAX_CONTACTS]}
    expires = _EXPIRES.search(text)
    moment = _moment(expires.group(1)) if expires else None
    if moment is not None:
        values["expires"] = moment
    return Fact("W11", Answered.YES, "", values)


def _moment(text: str) -> int | None:
    """A date and time of RFC 3339 as seconds since 1970, None if it is none."""
    try:
        found = dt.datetime.fromisoformat(text.upper())
        return int(found.timestamp()) if found.tzinfo else None
    except (ValueError, OverflowError):
        return None
