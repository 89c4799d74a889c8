"""Reading ahead of a receiver: while it takes and stores some instances, the next ones are opened and decrypted.

A thread job opens as many instances as READ_AHEAD holds: one hop between threads per small instance would cost more
than the work. A receiver has one job under way, and what it brought is taken before the next but one begins. A larger
instance comes in pieces, some read while those before are sent. One that must be converted is a job of its own.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol, TypeAlias

from leadglass.core.errors import ErrorCode, LeadglassError
from leadglass.core.limits import READ_AHEAD
from leadglass.core.ports import (
    Buffer,
    OpenedInstance,
    OutgoingDataSet,
    PixelDecoder,
    RecordReader,
    Vault,
)
from leadglass.core.principal import Principal
from leadglass.core.records import StoredInstance
from leadglass.services.convert import conversion_target, converted, needs_decoder

Wanted: TypeAlias = tuple[StoredInstance, str | None]  # and the syntax to send it in, None if there is none
INSTANCES_AT_ONCE = 64  # opened in one thread job, however small: others wait for the thread


class AccessJournal(Protocol):
    """Writes instances-accessed events, at most one open per principal and study (journal.AccessLedger)."""

    def begin(self, principal: str, address: str, study_uid: str) -> None:
        """Durable when it returns; LeadglassError UNAVAILABLE if it cannot be written."""
        ...

    def is_open(self, principal: str, address: str, study_uid: str) -> bool:
        """Whether `begin` would return at once. Never blocks."""
        ...

    def note(self, principal: str, address: str, study_uid: str, count: int) -> None:
        """Count instances that left. Never blocks."""
        ...


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
        small_pieces: bool = False,
    ) -> None:
        """`decoding` are the threads that wait for the decoder, so that nobody else waits for it. `small_pieces`: what
        leaves as stored comes in bytes of 64 KiB as they were decrypted, for receivers that would copy larger ones."""
        self._principal = principal
        self._vault = vault
        self._accesses = accesses
        self._decoder = decoder
        self._threads = threads
        self._decoding = decoding
        self._small_pieces = small_pieces

    def open_all(
        self, instances: Sequence[StoredInstance], accepted: Callable[[StoredInstance], Sequence[str]]
    ) -> ReadAhead:
        """See core.ports.OutgoingSource."""
        wanted = ((stored, conversion_target(stored.transfer_syntax_uid, accepted(stored))) for stored in instances)
        return ReadAhead(self._open, self._left, _batches(wanted), self._threads_for)

    def _threads_for(self, batch: Sequence[Wanted]) -> ThreadPoolExecutor:
        decode = any(target and needs_decoder(stored.transfer_syntax_uid, target) for stored, target in batch)
        return self._decoding if decode else self._threads

    def _left(self, stored: StoredInstance) -> None:
        who = self._principal
        self._accesses.note(who.name, who.address, stored.identity.study_uid, 1)

    def _open(self, stored: StoredInstance, target: str | None) -> tuple[list[Buffer], Iterator[Buffer] | None]:
        """Journal, open, and read the first piece, so that errors come before anything was sent."""
        if target is None:
            raise LeadglassError(ErrorCode.CANNOT_CONVERT, "The receiver accepts no transfer syntax that fits.")
        who = self._principal
        self._accesses.begin(who.name, who.address, stored.identity.study_uid)
        reader = self._vault.open(stored.location, stored.identity, whole=True)
        if self._small_pieces and target == stored.transfer_syntax_uid:
            made: Iterator[Buffer] = _in_small_pieces(reader)
        else:
            made = converted(reader, stored.transfer_syntax_uid, target, self._decoder)
        pieces = _closing(reader, made)
        first, ended = _take(pieces)
        return first, None if ended else pieces


Opener: TypeAlias = Callable[[StoredInstance, str | None], tuple[list[Buffer], Iterator[Buffer] | None]]


class ReadAhead:
    """core.ports.OpenedInstances: `open_one` is called in a thread for batch after batch, `left` on the event loop for
    each instance that is taken."""

    def __init__(
        self,
        open_one: Opener,
        left: Callable[[StoredInstance], None],
        batches: Iterator[list[Wanted]],
        threads_for: Callable[[Sequence[Wanted]], ThreadPoolExecutor],
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._open_one = open_one
        self._left = left
        self._batches = batches
        self._threads_for = threads_for
        self._opened: deque[OpenedInstance] = deque()
        self._reading: asyncio.Future[list[OpenedInstance]] | None = None
        self._begin_next()

    def ready(self) -> OpenedInstance | None:
        """See core.ports.OpenedInstances."""
        if not self._opened and self._reading is not None and self._reading.done():
            self._turn(self._reading.result())
        return self._give() if self._opened else None

    async def next(self) -> OpenedInstance | None:
        """See core.ports.OpenedInstances."""
        if not self._opened and self._reading is not None:
            self._turn(await self._reading)
        return self._give() if self._opened else None

    def close(self) -> None:
        """See core.ports.OpenedInstances."""
        self._opened.clear()
        self._reading = None

    def _give(self) -> OpenedInstance:
        item = self._opened.popleft()
        if isinstance(item.outgoing, OutgoingDataSet):
            self._left(item.stored)
        return item

    def _turn(self, opened: list[OpenedInstance]) -> None:
        self._opened.extend(opened)
        self._begin_next()

    def _begin_next(self) -> None:
        batch = next(self._batches, None)
        if batch is None:
            self._reading = None
        else:
            threads = self._threads_for(batch)
            self._reading = self._loop.run_in_executor(threads, self._open_batch, batch, threads)

    def _open_batch(self, batch: list[Wanted], threads: ThreadPoolExecutor) -> list[OpenedInstance]:
        return [OpenedInstance(stored, self._open(stored, target, threads)) for stored, target in batch]

    def _open(
        self, stored: StoredInstance, target: str | None, threads: ThreadPoolExecutor
    ) -> OutgoingDataSet | LeadglassError:
        try:
            first, rest = self._open_one(stored, target)
        except LeadglassError as error:
            return error
        return OutgoingDataSet(target or "", first, self._rest(rest, threads) if rest is not None else None)

    async def _rest(self, pieces: Iterator[Buffer], threads: ThreadPoolExecutor) -> AsyncIterator[Buffer]:
        """What comes behind the first pieces; some are read while those before are sent."""
        reading = self._loop.run_in_executor(threads, _take, pieces)
        ended = False
        while not ended:
            taken, ended = await reading
            if not ended:
                reading = self._loop.run_in_executor(threads, _take, pieces)
            for piece in taken:
                yield piece


def _batches(wanted: Iterable[Wanted]) -> Iterator[list[Wanted]]:
    """What one thread job opens. The first job has one instance: the receiver is not to wait for more."""
    batch: list[Wanted] = []
    size, most = 0, 1
    for stored, target in wanted:
        length = stored.location.data_set_length
        alone = target != stored.transfer_syntax_uid
        if batch and (alone or len(batch) >= most or size + length > READ_AHEAD):
            yield batch
            batch, size, most = [], 0, INSTANCES_AT_ONCE
        batch.append((stored, target))
        size += READ_AHEAD if alone else length
    if batch:
        yield batch


def _take(pieces: Iterator[Buffer]) -> tuple[list[Buffer], bool]:
    """Pieces of READ_AHEAD bytes or a little more together, and whether they were the last."""
    taken: list[Buffer] = []
    size = 0
    for piece in pieces:
        taken.append(piece)
        size += len(piece)
        if size >= READ_AHEAD:
            return taken, False
    return taken, True


def _in_small_pieces(reader: RecordReader) -> Iterator[Buffer]:
    for start in range(0, reader.data_set_length, READ_AHEAD):
        yield from reader.pieces(start, READ_AHEAD)


def _closing(reader: RecordReader, pieces: Iterator[Buffer]) -> Iterator[Buffer]:
    try:
        yield from pieces
    finally:
        reader.close()
