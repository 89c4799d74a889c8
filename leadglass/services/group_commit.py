"""The order of a store, steps 3 to 5: batch written, synced once for all that wait, catalogued, then told.

One thread does this for all associations. The catalog's rows are put into their transaction while the medium works on
the batch; the sync is waited for inside, before the commit, so no row counts that is not durable. Whoever waits is
resolved only after the commit. A failure of the vault fails everybody in the batch, and the next batch goes to a new
segment (the vault sees to that). Records that are durable but could not be catalogued are owed to the catalog and go
first next time, so that no mark passes them.
"""

from __future__ import annotations

import asyncio
import queue
import threading
from collections.abc import Callable
from dataclasses import dataclass, field

from leadglass.core import crashpoints
from leadglass.core.errors import ErrorCode, LeadglassError
from leadglass.core.limits import MIB
from leadglass.core.ports import Added, Catalog, SealedRecord, Vault
from leadglass.core.records import InstanceEntry, Location, ReplayMark

MAX_BATCH = 128  # records that share one sync
MAX_BATCH_BYTES = 32 * MIB  # and their size: a sync of more delays those who wait
MAX_OWED = 10_000  # durable records that the catalog could not take; beyond it stores are refused


@dataclass(slots=True)
class _Pending:
    record: SealedRecord
    entry_at: Callable[[Location], InstanceEntry]
    future: asyncio.Future[Added]
    loop: asyncio.AbstractEventLoop


@dataclass(slots=True)
class _Result:
    pending: _Pending
    added: Added | None = None
    error: LeadglassError | None = None


@dataclass(slots=True)
class _Owed:
    entries: list[InstanceEntry] = field(default_factory=list)
    marks: list[ReplayMark] = field(default_factory=list)


class _Sync:
    """The sync of one batch, made once, whether the catalog comes to ask for it or fails before."""

    def __init__(self, vault: Vault) -> None:
        self._vault = vault
        self._error: BaseException | None = None
        self._marks: list[ReplayMark] | None = None

    def settle(self) -> list[ReplayMark]:
        """Make the batch durable; its marks."""
        try:
            self._marks = self._vault.sync()
        except BaseException as error:
            self._error = error
            raise
        crashpoints.reached("store.before-catalog")
        return self._marks

    def marks_after_all(self) -> list[ReplayMark]:
        """The marks, after a failure: what is written is made durable if it was not tried yet."""
        if self._error is not None:
            raise self._error
        return self.settle() if self._marks is None else self._marks


class GroupCommit:
    """Makes records durable and known, many at once. Started by its first `submit`."""

    def __init__(self, vault: Vault, catalog: Catalog) -> None:
        self._vault = vault
        self._catalog = catalog
        self._queue: queue.SimpleQueue[_Pending | None] = queue.SimpleQueue()
        self._owed = _Owed()
        self.stored = 0
        self._thread = threading.Thread(target=self._run, name="group-commit", daemon=True)
        self._thread.start()

    def submit(self, record: SealedRecord, entry_at: Callable[[Location], InstanceEntry]) -> asyncio.Future[Added]:
        """Have `record` stored; the future resolves after the catalog's transaction or with a LeadglassError."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Added] = loop.create_future()
        self._queue.put(_Pending(record, entry_at, future, loop))
        return future

    @property
    def waiting(self) -> int:
        """Records that were submitted and are not looked at yet."""
        return self._queue.qsize()

    def close(self) -> None:
        """Finish what was submitted and end the thread."""
        self._queue.put(None)
        self._thread.join()

    def _run(self) -> None:
        while (first := self._queue.get()) is not None:
            batch, ended = self._gather(first)
            self._tell(self._commit(batch))
            if ended:
                return

    def _gather(self, first: _Pending) -> tuple[list[_Pending], bool]:
        batch = [first]
        size = first.record.size
        while len(batch) < MAX_BATCH and size < MAX_BATCH_BYTES:
            try:
                item = self._queue.get_nowait()
            except queue.Empty:
                break
            if item is None:
                return batch, True
            batch.append(item)
            size += item.record.size
        return batch, False

    def _commit(self, batch: list[_Pending]) -> list[_Result]:
        try:
            return self._commit_or_raise(batch)
        except LeadglassError as error:
            return [_Result(item, error=error) for item in batch]
        except Exception as error:  # the thread must outlive a defect: everybody who waits is told "not stored"
            fault = LeadglassError(ErrorCode.INTERNAL, f"The store failed ({type(error).__name__}).")
            return [_Result(item, error=fault) for item in batch]

    def _commit_or_raise(self, batch: list[_Pending]) -> list[_Result]:
        owed = self._owed
        if len(owed.entries) > MAX_OWED:
            self._catalog.add(owed.entries, owed.marks)
            owed = self._owed = _Owed()
        locations = self._vault.append([item.record for item in batch])
        entries = [item.entry_at(location) for item, location in zip(batch, locations, strict=True)]
        sync = _Sync(self._vault)
        try:
            added = self._catalog.add([*owed.entries, *entries], owed.marks, sync.settle)
        except BaseException:
            owed.marks.extend(sync.marks_after_all())  # raises if the batch is not durable: then nothing is owed for it
            owed.entries.extend(entries)
            raise
        crashpoints.reached("store.catalogued")
        self._owed = _Owed()
        self.stored += len(batch)
        return [_Result(item, added=one) for item, one in zip(batch, added[len(owed.entries) :], strict=True)]

    @staticmethod
    def _tell(results: list[_Result]) -> None:
        loops = {result.pending.loop for result in results}
        for loop in loops:
            mine = [result for result in results if result.pending.loop is loop]
            try:
                loop.call_soon_threadsafe(_resolve, mine)
            except RuntimeError:  # that loop is closed: nobody waits there any more
                continue


def _resolve(results: list[_Result]) -> None:
    for result in results:
        future = result.pending.future
        if future.done():
            continue
        if result.error is not None:
            future.set_exception(result.error)
        elif result.added is not None:
            future.set_result(result.added)
