"""Whose turn it is: one connection at a time for a host, so many a second for a host and in all.

Time is an argument: the clock and the sleep are handed in.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from contextlib import suppress

from leadglass.exposure.scope import Pace

_TIDY_EVERY = 4096  # turns between two looks for hosts that need no remembering
_GRAIN = 0.002  # seconds: a shorter wait is not worth a timer, the next longer one makes up for it


class _Host:
    """`free_at` is when its next connection may begin."""

    __slots__ = ("busy", "free_at", "waiting")

    def __init__(self) -> None:
        self.busy = False
        self.free_at = 0.0
        self.waiting: deque[asyncio.Future[None]] = deque()


class Turns:
    """Hands out turns by a pace. Remembers only hosts that are busy or were asked a moment ago."""

    def __init__(
        self, pace: Pace, clock: Callable[[], float], sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    ) -> None:
        self._sleep = sleep
        self._clock = clock
        self._interval = 1.0 / pace.total
        self._host_interval = 1.0 / pace.per_host
        self._next = 0.0
        self._free = pace.concurrent
        self._queue: deque[asyncio.Future[None]] = deque()
        self._hosts: dict[str, _Host] = {}
        self._taken = 0

    @property
    def remembered(self) -> int:
        """How many hosts are in memory."""
        return len(self._hosts)

    def slow_down(self) -> None:
        """Halve the rate in all, as after a sign of congestion."""
        self._interval *= 2

    async def take(self, host: str) -> None:
        """Wait for a turn of this host. Whoever has it gives it back."""
        entry = self._hosts.get(host)
        if entry is None:
            entry = self._hosts[host] = _Host()
        if entry.busy:
            await _stand(entry.waiting, lambda: self._leave(host, entry))  # it is handed on busy
        entry.busy = True
        try:
            await self._slot()
        except BaseException:
            self._leave(host, entry)
            raise
        try:
            await self._when(entry)
        except BaseException:
            self.give_back(host)
            raise

    def give_back(self, host: str) -> None:
        """The connection is over."""
        if not _first(self._queue):
            self._more()
        entry = self._hosts.get(host)
        if entry is not None:
            self._leave(host, entry)

    async def _slot(self) -> None:
        if self._free > 0 and not self._queue:
            self._free -= 1
        else:
            await _stand(self._queue, self._more)

    def _more(self) -> None:
        self._free += 1

    async def _when(self, entry: _Host) -> None:
        now = self._clock()
        begin = max(now, self._next, entry.free_at)
        self._next = max(now, self._next) + self._interval
        entry.free_at = begin + self._host_interval
        if begin - now > _GRAIN:
            await self._sleep(begin - now)
        self._taken += 1
        if self._taken % _TIDY_EVERY == 0:
            self._tidy(now)

    def _leave(self, host: str, entry: _Host) -> None:
        if not _first(entry.waiting):
            entry.busy = False
            if entry.free_at <= self._clock():
                self._hosts.pop(host, None)

    def _tidy(self, now: float) -> None:
        old = [host for host, entry in self._hosts.items() if not entry.busy and entry.free_at <= now]
        for host in old:
            del self._hosts[host]


async def _stand(queue: deque[asyncio.Future[None]], leave: Callable[[], None]) -> None:
    """Wait in line until whoever leaves hands over. Who is cancelled after that hands on, or does `leave`."""
    mine = asyncio.get_running_loop().create_future()
    queue.append(mine)
    try:
        await mine
    except asyncio.CancelledError:
        if mine.cancelled():
            with suppress(ValueError):  # whoever hands over may have passed it over already
                queue.remove(mine)
        elif not _first(queue):
            leave()
        raise


def _first(queue: deque[asyncio.Future[None]]) -> bool:
    """Hand over to the first who still waits, if there is one."""
    while queue:
        waiting = queue.popleft()
        if not waiting.done():
            waiting.set_result(None)
            return True
    return False
