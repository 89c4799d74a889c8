"""Shares: studies that a person lets a named recipient see, by a link that expires."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Share:
    """A share as it is kept: `link` and `passcode` are digests. Times are nanoseconds since the epoch, UTC.

    `instances` are the SOP Instance UIDs fixed at creation; with `later` images that come later are shown too.
    `openings` of `most_openings` (0: any number) were used; ten `misses` of the passcode lock it.
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
