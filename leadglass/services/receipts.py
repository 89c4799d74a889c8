"""When instances came, and which of two came first: the clock may be set back, the order may not."""

from __future__ import annotations

import time
from collections.abc import Callable


class Receipts:
    """Stamps what is stored. `last` tells the largest order of before; it is asked once, at the first stamp."""

    def __init__(self, last: Callable[[], int]) -> None:
        self._last_of_before = last
        self._last: int | None = None

    def stamp(self) -> tuple[int, int]:
        """Time of receipt in nanoseconds since the epoch, and the order: 0 as long as the time is in order itself."""
        now = time.time_ns()
        last = self._last_of_before() if self._last is None else self._last
        self._last = max(now, last + 1)
        return now, 0 if now > last else self._last
