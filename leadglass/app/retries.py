"""When something that failed is tried again."""

from __future__ import annotations

from collections.abc import Callable

FIRST = 2.0  # seconds until it is tried again
LONGEST = 64.0  # seconds between two tries, however often it failed


class Retries:
    """Waits twice as long after each failure, from FIRST to LONGEST; what held for LONGEST is believed again.

    `clock` gives seconds that only go forward.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._wait = 0.0
        self._next = clock()

    @property
    def due(self) -> bool:
        """Whether it may be tried now."""
        return self._clock() >= self._next

    def failed(self) -> None:
        """It failed, or what it gave has ended: wait before the next try."""
        self._wait = min(max(2 * self._wait, FIRST), LONGEST)
        self._next = self._clock() + self._wait

    def works(self) -> None:
        """It works now; once that is so for long enough, the next failure is a first one."""
        if self._clock() >= self._next + LONGEST:
            self._wait = 0.0

    def anew(self) -> None:
        """What it depends on has changed: it may be tried at once, and earlier failures say nothing."""
        self._wait, self._next = 0.0, self._clock()
