"""Shares: studies that a person lets a named recipient see, by a link that expires."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import Final

MOST_MISSES: Final = 10  # wrong passcodes; then the share is locked
MOST_SHOWN: Final = 100  # openings that are kept to be shown, the last ones


class ShareState(Enum):
    """Whether a share shows anything."""

    OPEN = "open"
    USED_UP = "used-up"  # who has opened it goes on; nobody opens it again
    EXPIRED = "expired"
    LOCKED = "locked"
    REVOKED = "revoked"


@dataclass(frozen=True, slots=True)
class Opening:
    """Somebody opened a share with its passcode. `at` is in nanoseconds since the epoch, UTC."""

    at: int
    address: str
    agent: str = ""


@dataclass(frozen=True, slots=True)
class Share:
    """A share as it is kept: `link` and `passcode` are digests. Times are nanoseconds since the epoch, UTC.

    `instances` are the SOP Instance UIDs fixed at creation; with `later` images that come later are shown too.
    `openings` of `most_openings` (0: any number) were used, the last of which are `opened`; ten `misses` of the
    passcode lock it.
    """

    identifier: str
    sharer: str
    recipient: str
    studies: tuple[str, ...]
    instances: frozenset[str]
    link: bytes = field(repr=False)
    passcode: str = field(repr=False)
    created: int
    expires: int
    most_openings: int = 0
    openings: int = 0
    misses: int = 0
    download: bool = False
    later: bool = False
    revoked: int = 0
    note: str = ""
    opened: tuple[Opening, ...] = ()

    def state(self, now: int) -> ShareState:
        """What it is at `now`: what its sharer did goes before what came by itself."""
        if self.revoked:
            return ShareState.REVOKED
        if self.misses >= MOST_MISSES:
            return ShareState.LOCKED
        if now >= self.expires:
            return ShareState.EXPIRED
        if self.most_openings and self.openings >= self.most_openings:
            return ShareState.USED_UP
        return ShareState.OPEN

    def shows(self, now: int) -> bool:
        """Whether who has opened it sees anything."""
        return self.state(now) in (ShareState.OPEN, ShareState.USED_UP)
