"""How the archive stands: what runs and listens, which risks are taken, which certificates end, how full the disk is.

Addresses, counts and dates; nothing of patients. Moments are ISO 8601 texts in UTC, empty where unknown.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Protocol


class Reached(Enum):
    """Who can reach a listener, as far as its address tells: a forwarded port cannot be seen from inside."""

    MACHINE = "machine"  # loopback, or a Unix socket
    NETWORK = "network"  # private addresses
    INTERNET = "internet"  # an address of this machine that the internet routes to


@dataclass(frozen=True, slots=True)
class ListenerStanding:
    """One listener. `serves` is dicom, archive, viewer, shares or metrics; `asks` says whether callers must show a
    certificate; `closed` and `renewal` say why it is not open and why it lacks its new certificate."""

    name: str
    serves: str
    tls: bool
    open: bool
    reached: Reached
    addresses: tuple[str, ...] = ()
    asks: str = ""
    until: str = ""
    closed: str = ""
    renewal: str = ""


@dataclass(frozen=True, slots=True)
class RiskStanding:
    """A reason not to start, that nobody takes."""

    name: str
    sentence: str
    mend: str


@dataclass(frozen=True, slots=True)
class OverrideStanding:
    """A risk that somebody takes for a reason, until a day (ISO 8601). `days` are left."""

    risk: str
    device: str
    reason: str
    until: str
    days: int


@dataclass(frozen=True, slots=True)
class CertificateStanding:
    """A certificate that has ended or ends within 60 days."""

    of: str  # listener, web, metrics, device, authority
    name: str
    until: str
    expired: bool


@dataclass(frozen=True, slots=True)
class ProcessStanding:
    """A process of the archive and what it counts of itself."""

    name: str
    pid: int
    version: str = ""
    started: str = ""
    counts: Mapping[str, int] = field(default_factory=dict)
    journal_writable: bool = True


@dataclass(frozen=True, slots=True)
class Room:
    """Bytes of the disk that holds the images."""

    total: int
    free: int


@dataclass(frozen=True, slots=True)
class ArchiveStanding:
    """All of it, at one moment. `scan` is the command that looks from outside."""

    running: bool
    listeners: tuple[ListenerStanding, ...]
    risks: tuple[RiskStanding, ...]
    overrides: tuple[OverrideStanding, ...]
    certificates: tuple[CertificateStanding, ...]
    processes: tuple[ProcessStanding, ...]
    room: Room
    ae_titles: tuple[str, ...]
    scan: str

    @property
    def troubled(self) -> tuple[ListenerStanding, ...]:
        """Listeners that somebody has to look at."""
        return tuple(item for item in self.listeners if self.running and (not item.open or item.renewal))


class ArchiveWatch(Protocol):
    """Looks at the running archive and its host."""

    def look(self) -> ArchiveStanding:
        """How it stands now."""
        ...
