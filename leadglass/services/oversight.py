"""Looking over the archive: how it stands, what raised an alarm lately, how full it is. It changes nothing."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from leadglass.core.audit import JournalBook, JournalEntry, JournalFilter
from leadglass.core.events import EventKind, JournalEvent
from leadglass.core.ports import Catalog, Journal, State
from leadglass.core.principal import Principal, Right
from leadglass.core.standing import ArchiveStanding, ArchiveWatch
from leadglass.services.admit import Gate, use_case
from leadglass.services.journal_reading import VERIFIED
from leadglass.services.refused import DAY, Refused, gathered

ALARM_DAYS: Final = 7
GLASS: Final = "glass-broken"
_MOST: Final = 5_000  # events that are looked at, the newest


@dataclass(frozen=True, slots=True)
class Broken:
    """Somebody broke the glass: when (ns since the epoch), who, and the reason that was given."""

    at: int
    who: str
    reason: str


@dataclass(frozen=True, slots=True)
class Alarms:
    """What raised an alarm within ALARM_DAYS, the latest first. `verified` is when the journal was last verified (0:
    never), `unsound` whether problems were found then."""

    broken: tuple[Broken, ...]
    refused: tuple[Refused, ...]
    verified: int
    unsound: bool


@dataclass(frozen=True, slots=True)
class Holdings:
    """Counts of the catalog, and what came each day: days since the epoch, instances, bytes; days without left out."""

    counts: Mapping[str, int]
    days: Sequence[tuple[int, int, int]]


class Oversight:
    """`now` is in nanoseconds."""

    def __init__(
        self,
        gate: Gate,
        *,
        watch: ArchiveWatch,
        book: JournalBook,
        catalog: Catalog,
        state: State,
        journal: Journal,
        now: Callable[[], int] = time.time_ns,
    ) -> None:
        self.gate = gate
        self._watch = watch
        self._book = book
        self._catalog = catalog
        self._state = state
        self._journal = journal
        self._now = now

    @use_case(Right.ADMINISTER, EventKind.APPLICATION_ACTIVITY)
    def standing(self, principal: Principal) -> ArchiveStanding:
        """How the archive stands now."""
        self._note(principal, "standing-read")
        return self._watch.look()

    @use_case(Right.ADMINISTER, EventKind.APPLICATION_ACTIVITY)
    def alarms(self, principal: Principal) -> Alarms:
        """What raised an alarm lately."""
        self._note(principal, "alarms-read")
        since = self._now() - ALARM_DAYS * DAY
        kinds = frozenset({EventKind.SECURITY_ALERT})
        # Each for itself: a flood of refusals must not push what was broken out of the newest.
        broken = self._book.newest(JournalFilter(kinds=kinds, since=since, text=GLASS), _MOST)
        refused = self._book.newest(JournalFilter(kinds=kinds, since=since, text="refused"), _MOST)
        last = json.loads(self._state.setting(VERIFIED) or "{}")
        return Alarms(
            tuple(_broken(entry) for entry in broken if entry.event.what == GLASS),
            tuple(gathered(refused)),
            int(last.get("at", 0)),
            bool(last.get("problems")),
        )

    @use_case(Right.ADMINISTER, EventKind.APPLICATION_ACTIVITY)
    def holdings(self, principal: Principal, days: int) -> Holdings:
        """How much there is, and what came within the last `days` days, today included."""
        self._note(principal, "holdings-read")
        today = self._now() // DAY
        return Holdings(self._catalog.statistics(), self._catalog.arrivals((today - days + 1) * DAY))

    def _note(self, principal: Principal, what: str) -> None:
        event = JournalEvent(EventKind.APPLICATION_ACTIVITY, what, principal.name, principal.address)
        self._journal.record(event)


def _broken(entry: JournalEntry) -> Broken:
    return Broken(entry.time, entry.event.principal, str(entry.event.details.get("reason", "")))
