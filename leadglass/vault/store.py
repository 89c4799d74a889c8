"""The vault on a local disk: what core.ports.Vault promises, put together from ring, segments, writers and readers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from leadglass.core.errors import ErrorCode, LeadglassError
from leadglass.core.identity import InstanceIdentity, KeyScope
from leadglass.core.limits import SEGMENT_SIZE
from leadglass.core.ports import RecordWriter, ReplayedRecord, SealedRecord, StudyKey
from leadglass.core.records import CheckedRecord, Damage, Location, ReplayMark, RingFinding
from leadglass.keys.derive import hkdf
from leadglass.vault.appender import Appender
from leadglass.vault.buffer_pool import BufferPool
from leadglass.vault.derived import DerivedFiles
from leadglass.vault.disk import Disk, failing_as
from leadglass.vault.key_ring import KeyRing
from leadglass.vault.own_segment import OwnSegment
from leadglass.vault.record_reader import SegmentRecordReader
from leadglass.vault.record_writer import SealedRecord as SegmentSealedRecord
from leadglass.vault.record_writer import SegmentRecordWriter
from leadglass.vault.scrub import scrub
from leadglass.vault.segment_directory import SegmentDirectory
from leadglass.vault.segment_format import HEADER_SIZE
from leadglass.vault.study_key import OpenStudyKey
from leadglass.vault.walk import Walk

_UNREADABLE = "The segment cannot be read."


class SegmentVault:
    """core.ports.Vault. Several processes may have one archive open; each writes segments of its own."""

    def __init__(
        self,
        root: Path,
        archive_id: bytes,
        ring_key: bytes,
        disk: Disk | None = None,
        *,
        segment_size: int = SEGMENT_SIZE,
    ) -> None:
        """Open the vault in `root`, an existing directory; make it if the directory is empty.

        UNAVAILABLE if the ring key or archive id is another's, DAMAGED if there are segments and no key ring,
        OUT_OF_RESOURCES if the disk does not give it.
        """
        self._disk = disk or Disk()
        mac_key = hkdf(ring_key, archive_id, b"leadglass segment footer v1")
        with failing_as(ErrorCode.OUT_OF_RESOURCES, "The vault cannot be opened."):
            self._directory = SegmentDirectory(root, archive_id, mac_key, self._disk)
            may_create = not self._directory.names()
        self._ring = KeyRing(root, archive_id, ring_key, self._disk, may_create=may_create)
        self._buffers = BufferPool()
        self._appender = Appender(self._directory, segment_size)
        name_key = hkdf(ring_key, archive_id, b"leadglass derived names v1")
        self.derived = DerivedFiles(root / "derived", name_key, self._ring.by_id, self._disk)

    def known_key(self, scope: KeyScope) -> StudyKey | None:
        """The study key of `scope` if it is in memory. Never blocks."""
        return self._ring.known(scope)

    def obtain_key(self, scope: KeyScope) -> StudyKey:
        """The study key of `scope`, made durable first if it is new. OUT_OF_RESOURCES if it cannot be."""
        return self._ring.obtain(scope)

    def begin(self, key: StudyKey) -> RecordWriter:
        """A writer for a new record."""
        assert isinstance(key, OpenStudyKey)
        self._appender.prepare()
        return SegmentRecordWriter(key, self._own_segment, self._buffers)

    def prepare(self, key: StudyKey) -> None:
        """Do ahead what the next `begin` with `key` will need."""
        assert isinstance(key, OpenStudyKey)
        key.prepare()

    def append(self, records: Sequence[SealedRecord]) -> list[Location]:
        """Write records. OUT_OF_RESOURCES if it fails, and none of them counts."""
        sealed = [record for record in records if isinstance(record, SegmentSealedRecord)]
        assert len(sealed) == len(records)
        return self._appender.append(sealed)

    def sync(self) -> list[ReplayMark]:
        """Make what was appended durable."""
        return self._appender.sync()

    def open(self, location: Location, identity: InstanceIdentity, *, whole: bool = False) -> SegmentRecordReader:
        """The record at `location`, if it is the one of `identity`; see core.ports.Vault."""
        segment = self._directory.open(location.segment)
        try:
            with failing_as(ErrorCode.DAMAGED, _UNREADABLE):
                size = self._disk.size(segment.descriptor)
            reader = SegmentRecordReader(
                self._disk,
                segment.descriptor,
                location.offset,
                size,
                self._ring.by_id,
                owns=True,
                expected=location.data_set_length if whole else None,
            )
            if reader.trailer.identity != identity or reader.data_set_length != location.data_set_length:
                raise LeadglassError(ErrorCode.DAMAGED, "The record is of another instance.")
        except BaseException:
            self._disk.close(segment.descriptor)
            raise
        return reader

    def segments(self) -> list[str]:
        """Segments that can be replayed: not those of living writers, nor those this process gave up."""
        given_up = self._appender.given_up
        with failing_as(ErrorCode.OUT_OF_RESOURCES, _UNREADABLE):
            return [name for name in self._all() if name not in given_up and not self._directory.is_living(name)]

    def replay(self, segment: str, offset: int) -> Iterator[ReplayedRecord | Damage]:
        """Records and damage of `segment` from `offset` on, read from the medium; a reader works until the next."""
        opened = self._directory.open(segment)
        try:
            with failing_as(ErrorCode.OUT_OF_RESOURCES, _UNREADABLE):
                self._disk.drop_cache(opened.descriptor)
                walk = Walk(self._directory, opened, self._ring.by_id)
                yield from walk.records(offset, authenticate=not walk.sealed)
        finally:
            self._disk.close(opened.descriptor)

    def adopt(self, segment: str) -> ReplayMark:
        """Seal a dead writer's segment. IN_USE if its writer lives, OUT_OF_RESOURCES if it cannot be written."""
        opened = self._directory.take_over(segment)
        try:
            with failing_as(ErrorCode.OUT_OF_RESOURCES, "The segment could not be sealed."):
                self._disk.drop_cache(opened.descriptor)
                walk = Walk(self._directory, opened, self._ring.by_id)
                if walk.sealed:
                    return ReplayMark(segment, walk.end, sealed=True)
                count, end, damaged = 0, HEADER_SIZE, []
                for found in walk.records(0, authenticate=True):
                    if isinstance(found, Damage):
                        if found.offset >= HEADER_SIZE:
                            damaged.append((found.offset, found.length))
                    else:
                        count, end = count + 1, found.end
                self._directory.seal(opened, count, end, tuple(damaged))
                return ReplayMark(segment, end, sealed=True)
        finally:
            self._disk.close(opened.descriptor)

    def check(
        self, read_data: bool, from_position: str | None = None
    ) -> Iterator[CheckedRecord | Damage | RingFinding]:
        """Compare the ring's copies, then go through every segment, living writers' too.

        With `read_data` each data set is read from the medium and compared with its digest. `from_position` is the
        `position` of the last CheckedRecord of an earlier run, which this one continues (the ring is then left out).
        Nothing is changed.
        """
        if from_position is None:
            yield from self._ring.check()
        yield from scrub(self._directory, self._ring.by_id, read_data, from_position)

    def close(self) -> None:
        """Seal this process's segment and let go of everything."""
        self._appender.close()
        self._ring.close()

    def _all(self) -> list[str]:
        return self._directory.names()

    def _own_segment(self) -> OwnSegment:
        return OwnSegment(self._directory)
