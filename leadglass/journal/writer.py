"""The writer: callers queue events, one thread encrypts, writes and syncs them together, and signs the heads.

A write or sync that fails gives the file up. Until a new one can be opened (tried every few seconds) `writable` is
False, events that need not be durable wait in memory, bounded, and the first entry afterwards is a gap event that
says since when, why, and how many were lost.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from leadglass.core.errors import ErrorCode, LeadglassError
from leadglass.core.events import EventKind, JournalEvent, Outcome
from leadglass.journal.chain_file import ChainFile, closing_records
from leadglass.journal.codec import encode_event, iso_time
from leadglass.journal.medium import Medium
from leadglass.journal.root_chain import RootChain
from leadglass.journal.roots import Mark, RootHead

FILE_SIZE = 16 * 1024 * 1024  # then a new file begins; a file is read whole by reader and verifier
MAX_PENDING = 20_000  # events waiting in memory while the medium fails, some 10 MB
MAX_BATCH = 2_000  # entries per write, so that a durable one never waits for all of MAX_PENDING
DURABLE_SECONDS = 30.0  # a caller does not wait longer for a medium that hangs

_NOT_WRITABLE = "The journal cannot be written, so this is not done."


@dataclass(slots=True)
class _Ticket:
    """What a caller waits on."""

    done: threading.Event = field(default_factory=threading.Event)
    failed: bool = False

    def settle(self, *, failed: bool) -> None:
        self.failed = failed
        self.done.set()


@dataclass(slots=True)
class _Pending:
    encoded: bytes
    ticket: _Ticket | None = None


@dataclass(frozen=True, slots=True)
class Rhythm:
    """How often the thread does what, in seconds."""

    flush: float = 0.5
    sign: float = 60.0
    retry: float = 3.0


class ChainedJournal:
    """core.ports.Journal over hash-chained encrypted files in `directory` (made if absent, mode 0700).

    `key` is the journal key of 32 bytes; `clock` gives nanoseconds since the epoch, `ticks` seconds that never go
    back. A medium that fails at the start leaves a journal that is not writable yet.
    """

    def __init__(
        self,
        directory: Path,
        key: bytes,
        clock: Callable[[], int] = time.time_ns,
        *,
        ticks: Callable[[], float] = time.monotonic,
        medium: Medium | None = None,
        rhythm: Rhythm = Rhythm(),
        file_size: int = FILE_SIZE,
    ) -> None:
        self._directory, self._key = directory, key
        self._clock, self._ticks = clock, ticks
        self._medium = medium or Medium()
        self._rhythm, self._file_size = rhythm, file_size
        self._roots = RootChain(directory, key, self._medium)
        self._file: ChainFile | None = None
        self._signed_at = self._tried_at = ticks()
        self._failed_since: int | None = None
        self._failure = ""
        self._lost = 0
        self._changed = threading.Condition()
        self._pending: deque[_Pending] = deque()
        self._barriers: list[_Ticket] = []
        self._each_cycle: list[Callable[[float], None]] = []
        self._hurry = self._closing = False
        self._open_or_wait()
        self._thread = threading.Thread(target=self._run, name="journal", daemon=True)
        self._thread.start()

    @property
    def writable(self) -> bool:
        """False once a write has failed, until a new file is open."""
        return self._file is not None

    def record(self, event: JournalEvent, *, durable: bool = False) -> None:
        """Append an event (core.ports.Journal). With `durable`, LeadglassError(UNAVAILABLE) if it is not on disk."""
        pending = _Pending(encode_event(event, self._clock()), _Ticket() if durable else None)
        with self._changed:
            if durable and (self._closing or not self.writable):
                raise LeadglassError(ErrorCode.UNAVAILABLE, _NOT_WRITABLE)
            if not durable and len(self._pending) >= MAX_PENDING:
                self._lost += 1
                return
            self._pending.append(pending)
            if durable:
                self._hurry = True
                self._changed.notify()
        if pending.ticket is not None and (not pending.ticket.done.wait(DURABLE_SECONDS) or pending.ticket.failed):
            raise LeadglassError(ErrorCode.UNAVAILABLE, _NOT_WRITABLE)

    def each_cycle(self, call: Callable[[float], None]) -> None:
        """Have `call(now)` called by the journal's thread about twice a second, now in seconds since the epoch; it may
        record events, durable ones excepted."""
        self._each_cycle.append(call)

    def flush(self) -> bool:
        """Return when the thread has been round once from now; whether the journal is writable then."""
        barrier = _Ticket()
        with self._changed:
            if self._closing:
                return False
            self._barriers.append(barrier)
            self._hurry = True
            self._changed.notify()
        barrier.done.wait(DURABLE_SECONDS)
        return self.writable

    def head(self) -> RootHead:
        """The root head, signed now if anything was written since. To be kept elsewhere."""
        with self._changed:
            self._signed_at = float("-inf")
        self.flush()
        return self._roots.head

    def close(self) -> None:
        """Write what waits, sign and close. The journal takes nothing afterwards."""
        with self._changed:
            self._closing = True
            self._changed.notify()
        self._thread.join(DURABLE_SECONDS)

    # --- the thread ------------------------------------------------------------------------------------------

    def _run(self) -> None:
        while not self._closing:
            with self._changed:
                if not self._hurry and not self._closing:
                    self._changed.wait(self._rhythm.flush)
                self._hurry = False
                barriers, self._barriers = self._barriers, []
            self._guarded_cycle()
            for barrier in barriers:
                barrier.settle(failed=False)
        self._finish()

    def _guarded_cycle(self) -> None:
        try:
            self._cycle()
        except Exception as problem:  # the thread must live: a dead one would let every durable caller hang
            self._fail(problem, [])

    def _cycle(self) -> None:
        now = self._clock() / 1e9
        for call in self._each_cycle:
            call(now)
        if self._file is None and self._ticks() - self._tried_at >= self._rhythm.retry:
            self._open_or_wait()
        while self._file is not None and self._write_batch(self._file):
            pass
        if self._file is not None and self._ticks() - self._signed_at >= self._rhythm.sign:
            self._sign(self._file)

    def _write_batch(self, file: ChainFile) -> bool:
        """Write one batch; whether more may be waiting."""
        with self._changed:
            batch = [self._pending.popleft() for _ in range(min(len(self._pending), MAX_BATCH))]
            lost, since = self._lost, self._failed_since
        gap = [self._gap_event(lost, since)] if lost or since is not None else []
        if not batch and not gap:
            return False
        try:
            file.append([*gap, *(pending.encoded for pending in batch)])
        except OSError as problem:
            self._fail(problem, batch)
            return False
        with self._changed:
            self._lost -= lost
            self._failed_since = None
        for pending in batch:
            if pending.ticket is not None:
                pending.ticket.settle(failed=False)
        if file.position.offset >= self._file_size:
            self._renew(file)
        return len(batch) == MAX_BATCH

    def _fail(self, problem: Exception, batch: list[_Pending]) -> None:
        """Give the file up. Who waits is told; what nobody waits for is written later."""
        with self._changed:
            file, self._file = self._file, None
            self._tried_at = self._ticks()
            if self._failed_since is None:
                self._failed_since = self._clock()
            self._failure = type(problem).__name__ + (f" {problem.errno}" if isinstance(problem, OSError) else "")
            waiting = [*batch, *self._pending]
            self._pending = deque(pending for pending in waiting if pending.ticket is None)
        for pending in waiting:
            if pending.ticket is not None:
                pending.ticket.settle(failed=True)
        if file is not None:
            file.give_up()

    def _open_or_wait(self) -> None:
        self._tried_at = self._ticks()
        try:
            self._medium.prepare(self._directory)
            file, damaged = self._open()
        except OSError as problem:
            self._fail(problem, [])
            return
        self._file = file
        for file_id in damaged:
            self.record(_missing_event(file_id))

    def _open(self) -> tuple[ChainFile, list[bytes]]:
        """A new file, announced in the root chain; dead writers' files are closed in the same entry."""
        with self._roots.locked():
            now = self._clock()
            closing, damaged = closing_records(self._directory, self._medium, self._roots)
            newest = self._roots.newest
            before = next((record for record in closing if newest and record.file_id == newest.file_id), newest)
            file = ChainFile(self._directory, self._key, self._medium, before, now)
            try:
                self._roots.append(now, (*closing, file.record(Mark.OPENED)))
            except OSError:
                file.close()
                raise
            self._signed_at = self._ticks()
            return file, damaged

    def _renew(self, file: ChainFile) -> None:
        """Go on in a new file; the old one is closed in the same root entry, since its lock is let go first."""
        file.close()
        self._open_or_wait()

    def _sign(self, file: ChainFile, mark: Mark = Mark.SIGNED) -> None:
        try:
            with self._roots.locked():
                known = self._roots.open_files.get(file.file_id)
                if mark or known is None or known.position != file.position:
                    self._roots.append(self._clock(), (file.record(mark),))
        except OSError as problem:
            self._fail(problem, [])
            return
        self._signed_at = self._ticks()

    def _finish(self) -> None:
        self._guarded_cycle()
        if self._file is not None:
            self._sign(self._file, Mark.CLOSED)
        with self._changed:
            file, self._file = self._file, None
            waiting = [*self._pending]
            self._pending.clear()
        for pending in waiting:
            if pending.ticket is not None:
                pending.ticket.settle(failed=True)
        for barrier in self._barriers:
            barrier.settle(failed=True)
        if file is not None:
            file.close()

    def _gap_event(self, lost: int, since: int | None) -> bytes:
        details: dict[str, str | int] = {"lost": lost}
        if since is not None:
            details |= {"since": iso_time(since), "failure": self._failure}
        event = JournalEvent(EventKind.SECURITY_ALERT, "journal-gap", "leadglass", "", Outcome.MAJOR_FAILURE, details)
        return encode_event(event, self._clock())


def _missing_event(file_id: bytes) -> JournalEvent:
    return JournalEvent(
        EventKind.SECURITY_ALERT,
        "journal-file-missing-or-cut",
        "leadglass",
        "",
        Outcome.MAJOR_FAILURE,
        {"file": file_id.hex()},
    )
