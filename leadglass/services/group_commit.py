"""The order of a store, steps 3 to 5: batch written, synced once for all that wait, catalogued, then told.

One thread does this for all associations. Whoever waits is resolved only after the catalog's transaction; a failure of
the vault fails everybody in the batch, and the next batch goes to a new segment (the vault sees to that). Records that
are durable but could not be catalogued are owed to the catalog and go first next time, so that no mark passes them.
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
from leadglass.core.ports import AddOutcome, Catalog, SealedRecord, Vault
from leadglass.core.records import InstanceEntry, Location, ReplayMark

MAX_BATCH = 128  # records that share one sync
MAX_BATCH_BYTES = 32 * MIB  # and their size: a sync of more delays those who wait
MAX_OWED = 10_000  # durable records that the catalog could not take; beyond it stores are refused


@dataclass(slots=True)
class _Pending:
    record: SealedRecord
    entry_at: Callable[[Location], InstanceEntry]
    future: asyncio.Future[AddOutcome]
    loop: asyncio.AbstractEventLoop


@dataclass(slots=True)
class _Result:
    pending: _Pending
    outcome: AddOutcome | None = None
    error: LeadglassError | None = None


@dataclass(slots=True)
class _Owed:
    entries: list[InstanceEntry] = field(default_factory=list)
    marks: list[ReplayMark] = field(default_factory=list)


class GroupCommit:
    """Makes records durable and known, many at once. Started by its first `submit`."""

    def __init__(self, vault: Vault, catalog: Catalog) -> None:
        self._vault = vault
        self._catalog = catalog
        self._queue: queue.SimpleQueue[_Pending | None] = queue.SimpleQueue()
        self._owed = _Owed()
        self._thread = threading.Thread(target=self._run, name="group-commit", daemon=True)
        self._thread.start()

    def submit(self, record: SealedRecord, entry_at: Callable[[Location], InstanceEntry]) -> asyncio.Future[AddOutcome]:
        """Have `record` stored; the future resolves after the catalog's transaction or with a LeadglassError."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[AddOutcome] = loop.create_future()
        self._queue.put(_Pending(record, entry_at, future, loop))
        return future

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
        if len(self._owed.entries) > MAX_OWED:
            self._pay([], [])
        locations = self._vault.append([item.record for item in batch])
        marks = self._vault.sync()
        entries = [item.entry_at(location) for item, location in zip(batch, locations, strict=True)]
        crashpoints.reached("store.before-catalog")
        outcomes = self._pay(entries, marks)
        crashpoints.reached("store.catalogued")
        return [_Result(item, outcome=outcome) for item, outcome in zip(batch, outcomes, strict=True)]

    def _pay(self, entries: list[InstanceEntry], marks: list[ReplayMark]) -> list[AddOutcome]:
        owed = self._owed
        owed.entries.extend(entries)
        owed.marks.extend(marks)
        outcomes = self._catalog.add(owed.entries, owed.marks)
        self._owed = _Owed()
        return outcomes[len(outcomes) - len(entries) :]

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
        elif result.outcome is not None:
            future.set_result(result.outcome)
