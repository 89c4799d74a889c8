"""From callbacks on the event loop to one coroutine that reads: bounded by having the connection read no further."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Generic, Protocol, TypeVar

T = TypeVar("T")


class Reader(Protocol):
    """What can be told to read on or not (net.Connection)."""

    def pause_reading(self) -> None:
        """Read no further."""
        ...

    def resume_reading(self) -> None:
        """Go on."""
        ...


class Gate:
    """Lets several holders pause one reader; it reads on when the last of them lets go."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self._holders = 0

    @property
    def closed(self) -> bool:
        """Whether the reader is paused on our side."""
        return self._holders > 0

    def hold(self) -> None:
        """One more holder."""
        self._holders += 1
        if self._holders == 1:
            self._reader.pause_reading()

    def let_go(self) -> None:
        """One holder fewer."""
        self._holders -= 1
        if self._holders == 0:
            self._reader.resume_reading()


class Mailbox(Generic[T]):
    """Items in order, for one reader. Above `high_water` (sum of weights) the gate is held until half is taken.

    What was on its way when the gate closed is still taken in: one read of the connection beyond the mark.
    """

    def __init__(self, gate: Gate, high_water: int) -> None:
        self._gate = gate
        self._high_water = high_water
        self._items: deque[tuple[T, int]] = deque()
        self._weight = 0
        self._holding = False
        self._error: Exception | None = None
        self._reader: asyncio.Future[None] | None = None

    def put(self, item: T, weight: int) -> None:
        """Add an item."""
        self._items.append((item, weight))
        self._weight += weight
        if self._weight >= self._high_water and not self._holding:
            self._holding = True
            self._gate.hold()
        self._wake()

    def fail(self, error: Exception) -> None:
        """No more items come: `get` raises `error` once what is there is taken."""
        if self._error is None:
            self._error = error
        self._wake()

    async def get(self) -> T:
        """The next item; waits for it. Raises what `fail` was given."""
        while not self._items:
            if self._error is not None:
                raise self._error
            self._reader = asyncio.get_running_loop().create_future()
            await self._reader
        item, weight = self._items.popleft()
        self._weight -= weight
        if self._holding and self._weight * 2 <= self._high_water:
            self._release()
        return item

    def discard(self) -> None:
        """Forget what is there."""
        self._items.clear()
        self._weight = 0
        if self._holding:
            self._release()

    def _release(self) -> None:
        self._holding = False
        self._gate.let_go()

    def _wake(self) -> None:
        if self._reader is not None and not self._reader.done():
            self._reader.set_result(None)
