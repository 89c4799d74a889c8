"""Sessions of people in a browser, and codes that are good once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum


class Audience(Enum):
    """Which origin a session is good at; none is good at another's."""

    PAGES = "pages"
    VIEWER = "viewer"
    SHARE = "share"


@dataclass(frozen=True, slots=True)
class Session:
    """A session as it is kept: its cookie is not, only `digest`, an HMAC-SHA256 under the token key.

    `owner` is an account's name, or a share's id where `share` says so. Times are nanoseconds since the epoch, UTC.
    `raised` is when its owner last proved who it is; `studies`, where not empty, are all that it reaches; `parent`
    is the digest of the session it came from and ends with. `emergency` is the reason for breaking the glass.
    """

    digest: bytes = field(repr=False)
    audience: Audience
    owner: str
    created: int
    expires: int
    last_seen: int
    raised: int = 0
    address: str = ""
    agent: str = ""
    share: bool = False
    studies: frozenset[str] = frozenset()
    parent: bytes = field(default=b"", repr=False)
    emergency: str = ""


class Purpose(Enum):
    """What a one-time code is for."""

    SET_UP = "set-up"  # the first administrator
    ENROL = "enrol"  # an account's owner sets a password
    SECOND_FACTOR = "second-factor"  # between the password and the second factor
    VIEWER = "viewer"  # from the pages into the viewer's origin
    USED = "used"  # the challenge of a passkey or a provider's answer, kept so that it is good no second time


@dataclass(frozen=True, slots=True)
class OneTimeCode:
    """A code that is good once, until `expires`; only its digest is kept."""

    digest: bytes = field(repr=False)
    purpose: Purpose
    subject: str
    expires: int
    details: Mapping[str, str] = field(default_factory=dict)
