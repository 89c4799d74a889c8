"""Goes through a segment record by record, and finds the next good one behind a bad stretch.

A bad stretch with a good record behind it is damage. In a segment that is not sealed, a tail with nothing good behind
it is the end: a writer died there. In a sealed one the footer says where the end is, so a bad tail is damage too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from leadglass.core.errors import ErrorCode, LeadglassError
from leadglass.core.limits import MIB
from leadglass.core.ports import ReplayedRecord
from leadglass.core.records import Damage, Location
from leadglass.vault.record_format import ALIGNMENT, HEADER_SIZE, MAGIC, aligned, parse_header
from leadglass.vault.record_reader import SegmentRecordReader
from leadglass.vault.segment_directory import SegmentDirectory, SegmentFile
from leadglass.vault.segment_format import HEADER_SIZE as START
from leadglass.vault.segment_format import parse_segment_header
from leadglass.vault.study_key import OpenStudyKey

_BAD_BLOCK = 4096  # skipped when the medium does not give it


class Walk:
    """One open segment. `sealed` and `end` tell what its footer says; an unsealed one ends where good records end."""

    def __init__(
        self, directory: SegmentDirectory, segment: SegmentFile, key_of: Callable[[bytes], OpenStudyKey]
    ) -> None:
        """Raises OSError if the segment cannot be looked at."""
        self._disk = directory.disk
        self._segment = segment
        self._key_of = key_of
        footer = directory.footer(segment)
        self.sealed = footer is not None
        self.end = footer.end if footer else self._disk.size(segment.descriptor)
        self._known_bad = dict(footer.damaged) if footer else {}

    def records(self, offset: int, *, authenticate: bool) -> Iterator[ReplayedRecord | Damage]:
        """Records and damage from `offset` on. With `authenticate` a record is good only if all its chunks are.

        A record's reader works until the next one is asked for.
        """
        at = aligned(max(offset, START))
        if offset < START and parse_segment_header(self._disk.read(self._segment.descriptor, START, 0)) is None:
            yield Damage(self._segment.name, 0, START, "The segment's header is damaged.")
        while at < self.end:
            good, reason = self._good_record(at, authenticate)
            if good is not None:
                yield good
                at = good.end
                continue
            following = self._next_good(at, authenticate)
            if following is None:
                if not self.sealed:
                    return
                following = self.end
            yield Damage(self._segment.name, at, following - at, reason)
            at = following

    def _good_record(self, at: int, authenticate: bool) -> tuple[ReplayedRecord | None, str]:
        if at in self._known_bad:
            return None, "It was bad already when the segment was sealed."
        try:
            reader = SegmentRecordReader(self._disk, self._segment.descriptor, at, self.end, self._key_of, owns=False)
            if authenticate:
                reader.authenticate()
        except LeadglassError as problem:
            if problem.code is not ErrorCode.DAMAGED:
                raise
            return None, problem.comment
        location = Location(self._segment.name, at, reader.data_set_length)
        return ReplayedRecord(location, reader.header.key_id, at + aligned(reader.header.end), reader), ""

    def _next_good(self, bad: int, authenticate: bool) -> int | None:
        """Where the next good record behind `bad` begins."""
        at = bad + self._known_bad.get(bad, ALIGNMENT)
        for candidate in self._headers(at):
            if self._good_record(candidate, authenticate)[0] is not None:
                return candidate
        return None

    def _headers(self, at: int) -> Iterator[int]:
        """Offsets from `at` on where something with a record's magic and a sound header lies."""
        while at < self.end:
            data = self._disk.next_data(self._segment.descriptor, at)
            if data is None or data >= self.end:
                return
            at = max(at, data // ALIGNMENT * ALIGNMENT)
            try:
                block = self._disk.read(self._segment.descriptor, min(MIB, self.end - at), at)
            except OSError:
                at += _BAD_BLOCK
                continue
            if not block:
                return
            yield from self._headers_in(block, at)
            at += aligned(len(block))

    def _headers_in(self, block: bytes, start: int) -> Iterator[int]:
        place = block.find(MAGIC)
        while place >= 0:
            if place % ALIGNMENT == 0 and self._is_header(start + place):
                yield start + place
            place = block.find(MAGIC, place + 1)

    def _is_header(self, at: int) -> bool:
        try:
            return parse_header(self._disk.read(self._segment.descriptor, HEADER_SIZE, at)) is not None
        except OSError:
            return False
