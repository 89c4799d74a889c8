"""A journal's sink and a clock, for tests of who is let in."""

from __future__ import annotations

from leadglass.core.events import JournalEvent


class Sink:
    def __init__(self) -> None:
        self.events: list[JournalEvent] = []

    def record(self, event: JournalEvent) -> None:
        self.events.append(event)

    @property
    def causes(self) -> list[object]:
        return [event.details["reason"] for event in self.events if event.what == "program-refused"]


class Clock:
    def __init__(self) -> None:
        self.now = 1_700_000_000.0

    def __call__(self) -> float:
        return self.now

    def ns(self) -> int:
        return int(self.now * 1e9)
