"""Events that a hostile or misconfigured peer can cause at will: the first of a minute is written, the rest counted.

Refused associations and failed sign-ins go through here, so that a flood cannot fill the disk or hide what else
happens. What is alike is given by kind, what, address and the detail `reason`.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from time import time
from typing import TypeAlias

from leadglass.core.events import EventKind, JournalEvent
from leadglass.core.ports import Journal

MINUTE_SECONDS = 60
MAX_KEYS = 4096  # kinds of repetition told apart at a time; beyond it they are counted together
_Key: TypeAlias = "tuple[EventKind, str, str, str]"


@dataclass(slots=True)
class _Count:
    event: JournalEvent
    minute: float
    further: int = 0


class RepeatedEvents:
    """For any thread, never blocks; `flush` is to be called regularly (ChainedJournal.each_cycle)."""

    def __init__(self, journal: Journal, clock: Callable[[], float] = time) -> None:
        self._journal = journal
        self._clock = clock
        self._lock = threading.Lock()
        self._counts: dict[_Key, _Count] = {}

    def record(self, event: JournalEvent) -> None:
        """Write `event` if it is the first of its kind in this minute, else count it."""
        minute = self._clock() // MINUTE_SECONDS
        key = (event.kind, event.what, event.address, str(event.details.get("reason", "")))
        ended = None
        with self._lock:
            if key not in self._counts and len(self._counts) >= MAX_KEYS:
                key = (event.kind, event.what, "", "")
                event = replace(event, principal="", address="", details={"from": "many addresses"})
            known = self._counts.get(key)
            if known is not None and known.minute == minute:
                known.further += 1
                return
            ended = known
            self._counts[key] = _Count(event, minute)
        if ended is not None:
            self._write_further(ended)
        self._journal.record(event)

    def flush(self, now: float) -> None:
        """Write the counts of minutes that are over at `now` (seconds since the epoch, as `clock` gives)."""
        self._flush(lambda count: count.minute != now // MINUTE_SECONDS)

    def close(self) -> None:
        """Write all counts, at the end of the process."""
        self._flush(lambda count: True)

    def _flush(self, over: Callable[[_Count], bool]) -> None:
        with self._lock:
            ended = {key: count for key, count in self._counts.items() if over(count)}
            for key in ended:
                del self._counts[key]
        for count in ended.values():
            self._write_further(count)

    def _write_further(self, count: _Count) -> None:
        if count.further:
            details = {**count.event.details, "further": count.further}
            self._journal.record(replace(count.event, details=details))
