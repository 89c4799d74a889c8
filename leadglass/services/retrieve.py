"""Retrieve: which instances, and their bytes in a transfer syntax that the receiver has.

Reading is journalled before the first byte leaves: one durable event per principal, study and five minutes.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from leadglass.core.events import EventKind
from leadglass.core.ports import Catalog, PixelDecoder, Vault
from leadglass.core.principal import Principal, Right
from leadglass.core.query import Selection
from leadglass.core.records import StoredInstance
from leadglass.services.admit import Gate, use_case
from leadglass.services.read_ahead import AccessJournal, RetrieveSource

T = TypeVar("T")


class Retrieve:
    """The use case behind C-GET, C-MOVE and, later, WADO-RS."""

    def __init__(
        self,
        gate: Gate,
        *,
        vault: Vault,
        catalog: Catalog,
        accesses: AccessJournal,
        decoder: PixelDecoder,
        threads: ThreadPoolExecutor,
        decoding: ThreadPoolExecutor,
    ) -> None:
        """`decoding` are the threads that wait for the decoder, so that nobody else waits for it."""
        self.gate = gate
        self._vault = vault
        self._catalog = catalog
        self._accesses = accesses
        self._decoder = decoder
        self._threads = threads
        self._decoding = decoding

    @use_case(Right.RETRIEVE, EventKind.INSTANCES_ACCESSED)
    async def select(self, principal: Principal, selection: Selection) -> list[StoredInstance]:
        """The instances of `selection`, in order; none is not an error."""
        return await self._in_thread(lambda: self._catalog.select(selection))

    @use_case(Right.RETRIEVE, EventKind.INSTANCES_ACCESSED)
    def source(self, principal: Principal, *, small_pieces: bool = False) -> RetrieveSource:
        """A source that opens instances in the name of `principal`; `small_pieces` as of RetrieveSource."""
        return RetrieveSource(
            principal,
            self._vault,
            self._accesses,
            self._decoder,
            threads=self._threads,
            decoding=self._decoding,
            small_pieces=small_pieces,
        )

    async def _in_thread(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._threads, work)
