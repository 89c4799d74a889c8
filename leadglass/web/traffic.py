"""What the door counts of itself: requests by route and status, how long they took, bytes. No name of anybody."""

from __future__ import annotations

import time
from bisect import bisect_left
from collections import Counter
from typing import Any, Final

from leadglass.web.outgoing import Visit

BOUNDS: Final = (0.005, 0.02, 0.1, 0.5, 2.0, 10.0, 60.0)  # seconds


class Traffic:
    """Counts of one process since it began. Keys are templates of the table of routes, never paths."""

    def __init__(self) -> None:
        self._answers: Counter[tuple[str, str, int]] = Counter()
        self._seconds: dict[str, list[float]] = {}  # by route: answers up to each bound, beyond, and their sum
        self.bytes = 0
        self.open = 0

    def begin(self) -> Visit:
        """A request has come."""
        self.open += 1
        return Visit()

    def end(self, visit: Visit) -> None:
        """It was answered, or not."""
        visit.end()
        self.open -= 1
        self.bytes += visit.bytes
        self._answers[visit.route, visit.method, visit.status] += 1
        taken = time.monotonic() - visit.started
        counts = self._seconds.setdefault(visit.route, [0.0] * (len(BOUNDS) + 2))
        counts[bisect_left(BOUNDS, taken)] += 1
        counts[-1] += taken

    def facts(self) -> dict[str, Any]:
        """All of it, for live.json and the metrics made from it."""
        return {
            "answers": [[*key, count] for key, count in self._answers.items()],
            "seconds": {route: list(counts) for route, counts in self._seconds.items()},
            "bytes": self.bytes,
            "open": self.open,
        }
