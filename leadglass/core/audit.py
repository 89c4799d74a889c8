"""The journal as it is read: its entries, what is looked for, and the port through which services do."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, Protocol

from leadglass.core.events import EventKind, JournalEvent, Outcome


@dataclass(frozen=True, slots=True)
class JournalEntry:
    """An event as it was kept: when (ns since the epoch, UTC), and where in the journal."""

    time: int
    event: JournalEvent
    file_id: bytes
    sequence: int

    @property
    def place(self) -> tuple[int, bytes, int]:
        """What entries are ordered by, the same at every reading."""
        return self.time, self.file_id, self.sequence


@dataclass(frozen=True, slots=True)
class JournalFilter:
    """What to show. Empty or None means any; times are ns since the epoch, `since` included, `until` not."""

    kinds: frozenset[EventKind] = frozenset()
    principal: str = ""
    since: int | None = None
    until: int | None = None
    text: str = ""  # in what happened, who, from where or any detail, without regard to case
    outcomes: frozenset[Outcome] = frozenset()

    def takes(self, entry: JournalEntry) -> bool:
        """Whether `entry` is to be shown."""
        event = entry.event
        return (
            (not self.kinds or event.kind in self.kinds)
            and (not self.outcomes or event.outcome in self.outcomes)
            and (not self.principal or event.principal == self.principal)
            and (self.since is None or entry.time >= self.since)
            and (self.until is None or entry.time < self.until)
            and (not self.text or self._mentions(entry))
        )

    def _mentions(self, entry: JournalEntry) -> bool:
        event = entry.event
        texts = (event.what, event.principal, event.address, *map(str, event.details.values()))
        return any(self.text.casefold() in text.casefold() for text in texts)


EVERYTHING: Final = JournalFilter()


@dataclass(frozen=True, slots=True)
class Proof:
    """What verifying the whole journal gave. `problems` mean tampering or damage; `notes` are limits of what can be
    seen."""

    entries: int
    problems: tuple[str, ...]
    notes: tuple[str, ...]


class JournalBook(Protocol):
    """The journal as it is read, all processes' entries, those of this one up to now. Damage is told, never hidden."""

    def newest(
        self,
        wanted: JournalFilter,
        count: int,
        before: tuple[int, bytes, int] | None = None,
        on_damage: Callable[[str], None] = lambda problem: None,
    ) -> list[JournalEntry]:
        """The `count` newest that are wanted, the newest first; with `before` only those ahead of that place."""
        ...

    def entries(
        self, wanted: JournalFilter, on_damage: Callable[[str], None] = lambda problem: None
    ) -> Iterator[JournalEntry]:
        """All that are wanted, the oldest first."""
        ...

    def document(self, entry: JournalEntry) -> Mapping[str, Any]:
        """An entry as `leadglass journal show --json` prints it."""
        ...

    def audit_message(self, entry: JournalEntry) -> str:
        """An entry as an audit message of PS3.15 A.5, one line of XML."""
        ...

    def verify(self, progress: Callable[[int, int], None]) -> Proof:
        """Follow every chain. `progress` is told how many files of how many are done; what it raises ends it."""
        ...
