"""A bounded pool of memory for what is arriving. An empty pool means back-pressure, then OUT_OF_RESOURCES."""

from __future__ import annotations

import asyncio

from leadglass.core.errors import ErrorCode, LeadglassError
from leadglass.core.limits import INGEST_BUFFER_BUDGET, INGEST_BUFFER_WAIT_SECONDS


class BufferBudget:
    """Counts bytes held in memory by all receptions of one event loop."""

    def __init__(self, limit: int = INGEST_BUFFER_BUDGET, wait: float = INGEST_BUFFER_WAIT_SECONDS) -> None:
        self._limit = limit
        self._wait = wait
        self._used = 0
        self._freed = asyncio.Event()

    @property
    def used(self) -> int:
        """Bytes taken now."""
        return self._used

    @property
    def exhausted(self) -> bool:
        """Whether those who hold bytes should stop reading."""
        return self._used >= self._limit

    def take(self, size: int) -> None:
        """Count `size` more bytes. Never refuses: the bytes are there already; look at `exhausted` afterwards."""
        self._used += size

    def give_back(self, size: int) -> None:
        """Count `size` bytes less."""
        self._used -= size
        if self._used < self._limit:
            self._freed.set()

    async def room(self) -> None:
        """Wait until the pool has room. LeadglassError OUT_OF_RESOURCES after the wait it was made with."""
        try:
            async with asyncio.timeout(self._wait):
                while self.exhausted:
                    self._freed.clear()
                    await self._freed.wait()
        except TimeoutError:
            raise LeadglassError(ErrorCode.OUT_OF_RESOURCES, "The archive's receive buffers are full.") from None
