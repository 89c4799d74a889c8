"""Who was turned away lately: for whoever has to let a device in, or to see that strangers call."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

from leadglass.core.audit import JournalBook, JournalEntry, JournalFilter
from leadglass.core.events import EventKind, JournalEvent
from leadglass.core.ports import Journal
from leadglass.core.principal import Principal, Right
from leadglass.services.admit import Gate, use_case

DAY: Final = 24 * 3600 * 1_000_000_000  # nanoseconds
REFUSALS: Final = ("association-refused", "tls-refused")
_MOST: Final = 5_000  # events that are looked at, the newest


@dataclass(frozen=True, slots=True)
class Refusal:
    """One kind of caller that was turned away. `title` came from a stranger: it may hold anything printable."""

    address: str
    title: str
    cause: str
    hint: str
    device: str
    tls: bool

    @classmethod
    def of(cls, event: JournalEvent) -> Refusal:
        """From the journal's event."""
        details = event.details
        cause = str(details.get("reason", ""))
        return cls(
            address=event.address,
            title=str(details.get("title", "")),
            cause=cause,
            hint=str(details.get("hint", cause)),
            device=event.principal,
            tls=bool(details.get("tls", 0)),
        )


@dataclass(frozen=True, slots=True)
class Refused:
    """A kind of caller, when it was last turned away (ns since the epoch), and how often."""

    caller: Refusal
    last: int
    times: int


class RefusedCallers:
    """Reads them out of the journal. `now` is in nanoseconds."""

    def __init__(self, gate: Gate, book: JournalBook, journal: Journal, now: Callable[[], int] = time.time_ns) -> None:
        self.gate = gate
        self._book = book
        self._journal = journal
        self._now = now

    @use_case(Right.ADMINISTER, EventKind.APPLICATION_ACTIVITY)
    def lately(self, principal: Principal, days: int) -> list[Refused]:
        """Those of the last `days` days, the latest first."""
        event = JournalEvent(EventKind.APPLICATION_ACTIVITY, "refused-read", principal.name, principal.address)
        self._journal.record(event)
        wanted = JournalFilter(
            kinds=frozenset({EventKind.SECURITY_ALERT}), since=self._now() - days * DAY, text="refused"
        )
        return gathered(self._book.newest(wanted, _MOST))


def gathered(newest_first: Iterable[JournalEntry]) -> list[Refused]:
    """Refusals among the entries, alike ones as one. Events of one minute are counted in a `further` of the last."""
    found: dict[Refusal, Refused] = {}
    for entry in newest_first:
        if entry.event.what in REFUSALS:
            caller, times = Refusal.of(entry.event), int(entry.event.details.get("further", 1))
            known = found.get(caller, Refused(caller, entry.time, 0))
            found[caller] = Refused(caller, known.last, known.times + times)
    return list(found.values())
