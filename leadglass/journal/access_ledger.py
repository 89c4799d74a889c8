"""Who read which study: one event per principal, address, study and five minutes, durable before the first byte leaves.

The window's opening is written durably; when it has passed, a second event closes it with the count of instances.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeAlias

from leadglass.core.events import EventKind, JournalEvent
from leadglass.core.ports import Journal

WINDOW_SECONDS = 300.0
_Key: TypeAlias = "tuple[str, str, str]"  # principal, address, study


@dataclass(slots=True)
class _Window:
    opened: float
    count: int = 0
    settled: threading.Event = field(default_factory=threading.Event)
    failed: bool = False


class AccessLedger:
    """Keeps the open windows. For any thread; `flush` is to be called regularly (ChainedJournal.each_cycle)."""

    def __init__(self, journal: Journal, clock: Callable[[], float] = time.time) -> None:
        self._journal = journal
        self._clock = clock
        self._lock = threading.Lock()
        self._windows: dict[_Key, _Window] = {}

    def begin(self, principal: str, address: str, study_uid: str) -> None:
        """Return when an event that covers this reading is durable (blocking, unless `is_open`).

        LeadglassError(UNAVAILABLE) if it cannot be written: then nothing may leave.
        """
        key = (principal, address, study_uid)
        while True:
            with self._lock:
                window = self._windows.get(key)
                if window is None or self._is_over(window, self._clock()):
                    break
            window.settled.wait()
            if not window.failed:
                return
        self._open(key)

    def is_open(self, principal: str, address: str, study_uid: str) -> bool:
        """Whether `begin` would return at once. Never blocks."""
        with self._lock:
            window = self._windows.get((principal, address, study_uid))
            return window is not None and window.settled.is_set() and not self._is_over(window, self._clock())

    def note(self, principal: str, address: str, study_uid: str, count: int) -> None:
        """Count instances that left. Never blocks. A reading that outlasts its window goes on in another."""
        key = (principal, address, study_uid)
        with self._lock:
            window = self._windows.get(key)
            if window is not None:
                window.count += count
                return
            window = self._windows[key] = _Window(self._clock(), count)
            window.settled.set()
        self._journal.record(_event("instances-access-continued", key, {}))

    def flush(self, now: float) -> None:
        """Close the windows that are over at `now` (seconds since the epoch, as `clock` gives)."""
        self._close(lambda window: self._is_over(window, now))

    def close(self) -> None:
        """Close all windows, at the end of the process."""
        self._close(lambda window: True)

    def _open(self, key: _Key) -> None:
        window = _Window(self._clock())
        with self._lock:
            previous = self._windows.get(key)
            if previous is not None and not self._is_over(previous, window.opened):
                lost = True  # another thread was faster
            else:
                lost = False
                self._windows[key] = window
        if lost:
            self.begin(*key)
            return
        if previous is not None:
            self._journal.record(_closing_event(key, previous))
        try:
            self._journal.record(_event("instances-access-begun", key, {}), durable=True)
        except BaseException:
            window.failed = True
            with self._lock:
                if self._windows.get(key) is window:
                    del self._windows[key]
            raise
        finally:
            window.settled.set()

    def _close(self, over: Callable[[_Window], bool]) -> None:
        with self._lock:
            closing = [
                (key, window) for key, window in self._windows.items() if window.settled.is_set() and over(window)
            ]
            for key, _ in closing:
                del self._windows[key]
        for key, window in closing:
            self._journal.record(_closing_event(key, window))

    @staticmethod
    def _is_over(window: _Window, now: float) -> bool:
        """Also when the clock was set back: a window must not stay open for longer than it is meant to."""
        return not 0 <= now - window.opened < WINDOW_SECONDS


def _closing_event(key: _Key, window: _Window) -> JournalEvent:
    return _event("instances-accessed", key, {"instances": window.count})


def _event(what: str, key: _Key, counts: dict[str, str | int]) -> JournalEvent:
    principal, address, study_uid = key
    return JournalEvent(
        EventKind.INSTANCES_ACCESSED, what, principal, address, details={"study_uid": study_uid, **counts}
    )
