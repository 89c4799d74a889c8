"""Workers that wait a few seconds for the next image of the principal and study they serve.

A lease is never given to anybody else: it is taken by its owner or it ends. A worker starts in a third of a second, an
image is rendered in a few milliseconds; without leases a viewer that scrolls would wait for starts only.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from dataclasses import dataclass, field

from leadglass.core.pictures import Owner
from leadglass.sandbox.process import Worker


@dataclass(slots=True)
class Lease:
    """A worker and whom it serves. `since` and `idle_since` are monotonic seconds."""

    worker: Worker
    owner: Owner
    since: float = field(default_factory=time.monotonic)
    idle_since: float = 0.0


class IdleLeases:
    """At most `most` leases that nobody uses now; each ends after `idle_seconds`, or once it is `seconds` old.

    Thread-safe.
    """

    def __init__(self, most: int, idle_seconds: float, seconds: float) -> None:
        self._most = most
        self._idle_seconds = idle_seconds
        self._seconds = seconds
        self._changed = threading.Condition()
        self._idle: OrderedDict[int, Lease] = OrderedDict()  # by worker, the longest idle first
        self._closed = False
        self._reaper: threading.Thread | None = None

    def take(self, owner: Owner) -> Lease | None:
        """The lease of `owner` that was used last; None if there is none."""
        with self._changed:
            for key in reversed(self._idle):
                if self._idle[key].owner == owner:
                    return self._idle.pop(key)
        return None

    def give(self, lease: Lease) -> None:
        """Keep `lease` for its owner; or end it, and what is too many."""
        lease.idle_since = time.monotonic()
        ending: list[Lease] = []
        with self._changed:
            if self._closed or lease.idle_since - lease.since > self._seconds:
                ending.append(lease)
            else:
                self._idle[id(lease)] = lease
                while len(self._idle) > self._most:
                    ending.append(self._idle.popitem(last=False)[1])
                self._start()
        for item in ending:
            item.worker.end()

    def close(self) -> None:
        """End all that are idle; those in use end when they are given back."""
        with self._changed:
            self._closed = True
            ending = list(self._idle.values())
            self._idle.clear()
            self._changed.notify_all()
        for lease in ending:
            lease.worker.end()

    def _start(self) -> None:
        if self._reaper is None:
            self._reaper = threading.Thread(target=self._reap, name="leases", daemon=True)
            self._reaper.start()

    def _reap(self) -> None:
        """End leases whose time has come; without any left, this thread ends too."""
        while (ending := self._next_over()) is not None:
            for lease in ending:
                lease.worker.end()

    def _next_over(self) -> list[Lease] | None:
        with self._changed:
            if not self._idle or self._closed:
                self._reaper = None
                return None
            oldest = next(iter(self._idle.values()))
            left = oldest.idle_since + self._idle_seconds - time.monotonic()
            if left > 0:
                self._changed.wait(left)
                return []
            self._idle.popitem(last=False)
            return [oldest]
