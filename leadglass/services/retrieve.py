"""Retrieve: which instances, and their bytes in a transfer syntax that the receiver has.

Reading is journalled before the first byte leaves: one durable event per principal, study and five minutes.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol, TypeVar

from leadglass.core.errors import ErrorCode, LeadglassError
from leadglass.core.events import EventKind
from leadglass.core.ports import Catalog, OutgoingDataSet, PixelDecoder, RecordReader, Vault
from leadglass.core.principal import Principal, Right
from leadglass.core.query import Selection
from leadglass.core.records import StoredInstance
from leadglass.services.admit import Gate, use_case
from leadglass.services.convert import conversion_target, converted, needs_decoder

T = TypeVar("T")


class AccessJournal(Protocol):
    """Writes instances-accessed events, at most one open per principal and study (journal.AccessLedger)."""

    def begin(self, principal: str, address: str, study_uid: str) -> None:
        """Durable when it returns; LeadglassError UNAVAILABLE if it cannot be written."""
        ...

    def note(self, principal: str, address: str, study_uid: str, count: int) -> None:
        """Count instances that left."""
        ...


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
    def source(self, principal: Principal) -> RetrieveSource:
        """A source that opens instances in the name of `principal`."""
        return RetrieveSource(
            principal, self._vault, self._accesses, self._decoder, threads=self._threads, decoding=self._decoding
        )

    async def _in_thread(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._threads, work)


class RetrieveSource:
    """Opens stored instances for one principal (core.ports.OutgoingSource)."""

    def __init__(
        self,
        principal: Principal,
        vault: Vault,
        accesses: AccessJournal,
        decoder: PixelDecoder,
        *,
        threads: ThreadPoolExecutor,
        decoding: ThreadPoolExecutor,
    ) -> None:
        self._principal = principal
        self._vault = vault
        self._accesses = accesses
        self._decoder = decoder
        self._threads = threads
        self._decoding = decoding

    async def open(self, stored: StoredInstance, accepted: Sequence[str]) -> OutgoingDataSet:
        """See core.ports.OutgoingSource."""
        target = conversion_target(stored.transfer_syntax_uid, accepted)
        if target is None:
            raise LeadglassError(ErrorCode.CANNOT_CONVERT, "The receiver accepts no transfer syntax that fits.")
        loop = asyncio.get_running_loop()
        threads = self._decoding if needs_decoder(stored.transfer_syntax_uid, target) else self._threads
        first, rest = await loop.run_in_executor(threads, self._open_and_read, stored, target)
        return OutgoingDataSet(target, self._stream(first, rest, threads))

    def _open_and_read(self, stored: StoredInstance, target: str) -> tuple[bytes, Iterator[bytes]]:
        """Journal, open, and read the first piece, so that errors come before anything was sent."""
        who, study = self._principal, stored.identity.study_uid
        self._accesses.begin(who.name, who.address, study)
        reader = self._vault.open(stored.location, stored.identity)
        pieces = _closing(reader, converted(reader, stored.transfer_syntax_uid, target, self._decoder))
        first = next(pieces, b"")
        self._accesses.note(who.name, who.address, study, 1)
        return first, pieces

    @staticmethod
    async def _stream(first: bytes, rest: Iterator[bytes], threads: ThreadPoolExecutor) -> AsyncIterator[bytes]:
        loop = asyncio.get_running_loop()
        yield first
        while piece := await loop.run_in_executor(threads, next, rest, b""):
            yield piece


def _closing(reader: RecordReader, pieces: Iterator[bytes]) -> Iterator[bytes]:
    try:
        yield from (piece for piece in pieces if piece)
    finally:
        reader.close()
