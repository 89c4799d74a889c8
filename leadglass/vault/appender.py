"""The one writer of this process: fills segments, makes them durable, seals them, gives up those that failed.

A segment on which a write or a sync failed is never written again and no later sync of it is believed: the kernel
reports a failed write-back once and then calls the same pages clean.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor

from leadglass.core import crashpoints
from leadglass.core.errors import ErrorCode, LeadglassError
from leadglass.core.limits import KIB, MIB
from leadglass.core.records import Location, ReplayMark
from leadglass.vault.disk import Buffer, failing_as
from leadglass.vault.own_segment import OwnSegment
from leadglass.vault.record_writer import SealedRecord
from leadglass.vault.segment_directory import SegmentDirectory, SegmentFile
from leadglass.vault.segment_format import FOOTER_SIZE, HEADER_SIZE

_FAILED = "The archive's disk does not take the data."
SMALL_ON_AVERAGE = 128 * KIB  # up to here a sync costs more than writing the bytes twice
FILLED_AT_START = 32 * MIB  # of the first segment: enough for a first burst, done within a moment


class _Shared:
    """A segment being filled. Records are planned first, written by `flush`, durable after a sync."""

    def __init__(self, file: SegmentFile, size: int) -> None:
        self.file = file
        self.size = size
        self.planned = self.written = self.durable = HEADER_SIZE
        self.queue: list[Buffer] = []
        self.waiting = 0  # records in the queue
        self.count = 0

    def has_room(self, size: int) -> bool:
        return self.planned + size + FOOTER_SIZE <= self.size

    def plan(self, record: SealedRecord) -> Location:
        location = Location(self.file.name, self.planned, record.data_set_length)
        self.queue += record.buffers()
        self.planned += record.size
        self.waiting += 1
        return location

    def forget_plan(self) -> None:
        self.queue = []
        self.planned = self.written
        self.waiting = 0


class Appender:
    """Appends records to shared segments, and takes spilled ones into the same order of events."""

    def __init__(self, directory: SegmentDirectory, segment_size: int) -> None:
        self._directory = directory
        self._disk = directory.disk
        self._segment_size = segment_size
        self._current: _Shared | None = None
        self._full: list[_Shared] = []  # written, not yet synced and sealed
        self._own: list[OwnSegment] = []  # published, not yet settled
        self._lost_unsynced = False  # a given-up segment held records that wait for a sync
        self._given_up: set[str] = set()
        self._ahead: Future[SegmentFile] | None = None
        self._ahead_lock = threading.Lock()
        self._ahead_worker = ThreadPoolExecutor(1, "segment-ahead")

    @property
    def given_up(self) -> frozenset[str]:
        """Segments of this process that failed; they rest until another start."""
        return frozenset(self._given_up)

    def prepare(self) -> None:
        """Have the next segment made in the background if there is none to write to. Never blocks."""
        if self._current is None:
            self._make_ahead(min(FILLED_AT_START, self._segment_size))

    def append(self, records: Sequence[SealedRecord]) -> list[Location]:
        """Write `records`. OUT_OF_RESOURCES if it fails: none of them counts."""
        touched: list[_Shared] = []
        try:
            with failing_as(ErrorCode.OUT_OF_RESOURCES, _FAILED):
                locations = [self._plan(record, touched) for record in records]
        except LeadglassError:
            self._forget(touched, records)
            raise
        crashpoints.reached("store.before-write")
        others_wait = any(segment.written > segment.durable for segment in touched)
        try:
            with failing_as(ErrorCode.OUT_OF_RESOURCES, _FAILED):
                for segment in touched:
                    self._flush(segment)
                self._publish(records)
        except LeadglassError:
            self._lost_unsynced |= others_wait
            self._give_up(touched)
            self._discard(records)
            raise
        for record in records:
            record.release()
        crashpoints.reached("store.written")
        self._look_ahead()
        return locations

    def sync(self) -> list[ReplayMark]:
        """Make what was appended durable; marks. OUT_OF_RESOURCES if it fails: nothing since the last sync counts."""
        current = self._current
        dirty = [*self._full, *([current] if current and current.written > current.durable else [])]
        own, self._own = self._own, []
        try:
            with failing_as(ErrorCode.OUT_OF_RESOURCES, _FAILED):
                for segment in dirty:
                    self._disk.sync(segment.file.descriptor)
            if self._lost_unsynced:
                raise LeadglassError(ErrorCode.OUT_OF_RESOURCES, _FAILED)
        except LeadglassError:
            self._lost_unsynced = False
            self._give_up(dirty)
            for spilled in own:
                spilled.discard()
            raise
        crashpoints.reached("store.synced")
        self._full = []
        marks = []
        for segment in dirty:
            segment.durable = segment.written
            sealed = segment is not current and self._seal(segment)
            marks.append(ReplayMark(segment.file.name, segment.durable, sealed))
        return marks + [spilled.settle() for spilled in own]

    def close(self) -> None:
        """Seal what is durable, remove what was never used. Records not synced are left to the next start."""
        self._ahead_worker.shutdown(wait=True)
        if self._ahead is not None and self._ahead.exception() is None:
            self._directory.remove(self._ahead.result())
        self._ahead = None
        for segment in [*self._full, *([self._current] if self._current else [])]:
            if segment.written == HEADER_SIZE:
                self._directory.remove(segment.file)
            elif segment.written == segment.durable:
                self._seal(segment)
            else:
                self._disk.close(segment.file.descriptor)
        self._current, self._full = None, []

    def _plan(self, record: SealedRecord, touched: list[_Shared]) -> Location:
        if record.own is not None:
            return record.own.location
        if self._current is None or not self._current.has_room(record.size):
            segment = self._next_segment(record.size)
            if self._current is not None:
                self._full.append(self._current)
            self._current = segment
        if self._current not in touched:
            touched.append(self._current)
        return self._current.plan(record)

    def _flush(self, segment: _Shared) -> None:
        descriptor, start = segment.file.descriptor, segment.written
        self._disk.write(descriptor, segment.queue, start)
        self._disk.begin_sync(descriptor, start, segment.planned - start)
        segment.written = segment.planned
        segment.count += segment.waiting
        segment.queue = []
        segment.waiting = 0

    def _publish(self, records: Sequence[SealedRecord]) -> None:
        for record in records:
            if record.own is not None:
                record.own.publish()
                self._own.append(record.own)

    def _forget(self, touched: list[_Shared], records: Sequence[SealedRecord]) -> None:
        """Nothing was written yet: the segments are as good as before."""
        for segment in touched:
            segment.forget_plan()
        self._discard(records)

    def _discard(self, records: Sequence[SealedRecord]) -> None:
        for record in records:
            if record.own is not None:
                if record.own in self._own:
                    self._own.remove(record.own)
                record.own.discard()

    def _give_up(self, segments: list[_Shared]) -> None:
        for segment in segments:
            self._given_up.add(segment.file.name)
            if segment.durable == HEADER_SIZE:
                self._directory.remove(segment.file)  # nothing in it was ever acknowledged
            else:
                self._disk.close(segment.file.descriptor)
            if segment in self._full:
                self._full.remove(segment)
            if segment is self._current:
                self._current = None

    def _seal(self, segment: _Shared) -> bool:
        """Seal and let go; False if it fails, which loses nothing: the next start adopts the segment."""
        try:
            self._directory.seal(segment.file, segment.count, segment.durable)
        except OSError:
            return False
        finally:
            self._disk.close(segment.file.descriptor)
        return True

    def _next_segment(self, size: int) -> _Shared:
        """The segment made ahead if it is good and large enough, else a new one."""
        needed = HEADER_SIZE + size + FOOTER_SIZE
        with self._ahead_lock:
            ahead, self._ahead = self._ahead, None
        if ahead is not None and ahead.exception() is None:
            file = ahead.result()
            if needed <= self._segment_size:
                return _Shared(file, self._segment_size)
            self._directory.remove(file)
        length = max(self._segment_size, needed)
        return _Shared(self._make(length), length)

    def _make(self, length: int, *, fill: int = 0) -> SegmentFile:
        file = self._directory.create(length, fill=fill)
        try:
            self._directory.publish(file)
        except OSError:
            self._directory.remove(file)
            raise
        crashpoints.reached("store.segment-created")
        return file

    def _look_ahead(self) -> None:
        """Zeros written ahead halve the cost of a sync, and double the bytes written: worth it for small records."""
        current = self._current
        if current is not None and current.written > self._segment_size // 2:
            small = current.written < current.count * SMALL_ON_AVERAGE
            self._make_ahead(self._segment_size if small else 0)

    def _make_ahead(self, fill: int) -> None:
        with self._ahead_lock:
            if self._ahead is None:
                self._ahead = self._ahead_worker.submit(self._make, self._segment_size, fill=fill)
