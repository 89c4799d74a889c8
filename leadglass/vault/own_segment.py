"""A segment that holds one large record, written while its data arrive. It has no name until the record is appended."""

from __future__ import annotations

from collections.abc import Sequence

from leadglass.core.errors import ErrorCode
from leadglass.core.limits import MIB
from leadglass.core.records import Location, ReplayMark
from leadglass.vault.disk import Buffer, failing_as
from leadglass.vault.record_format import HEADER_SIZE, RecordHeader, aligned
from leadglass.vault.segment_directory import SegmentDirectory
from leadglass.vault.segment_format import HEADER_SIZE as START

_SYNC_EVERY = 128 * MIB  # dirty bytes before they are synced: the group commit of others must not wait for gigabytes
_FAILED = "The large instance could not be written."


class OwnSegment:
    """Made at the first spill; `complete`, `publish` and `settle` follow in this order, or `discard` at any time."""

    def __init__(self, directory: SegmentDirectory) -> None:
        self._directory = directory
        self._disk = directory.disk
        with failing_as(ErrorCode.OUT_OF_RESOURCES, _FAILED):
            self._segment = directory.create(0)
        self._offset = START + HEADER_SIZE
        self._synced = 0
        self._open = True
        self._header: RecordHeader | None = None

    @property
    def name(self) -> str:
        """The segment's name to be."""
        return self._segment.name

    @property
    def location(self) -> Location:
        """Where the record will lie; known once it is complete."""
        assert self._header is not None
        return Location(self._segment.name, START, self._header.data_set_length)

    def write(self, buffers: Sequence[Buffer]) -> None:
        """Write more ciphertext. OUT_OF_RESOURCES if it fails, and the record is lost."""
        with failing_as(ErrorCode.OUT_OF_RESOURCES, _FAILED):
            self._offset = self._disk.write(self._segment.descriptor, buffers, self._offset)
            if self._offset - self._synced >= _SYNC_EVERY:
                self._disk.sync(self._segment.descriptor)
                self._synced = self._offset

    def complete(self, header: RecordHeader) -> None:
        """All chunks are written: make them durable. The place of the header stays empty."""
        with failing_as(ErrorCode.OUT_OF_RESOURCES, _FAILED):
            padding = START + aligned(header.end) - self._offset
            self._offset = self._disk.write(self._segment.descriptor, [bytes(padding)], self._offset)
            self._disk.sync(self._segment.descriptor)
        self._header = header

    def publish(self) -> None:
        """Write the record's header and give the segment its name, durably. Raises OSError."""
        assert self._header is not None
        self._disk.write(self._segment.descriptor, [self._header.pack()], START)
        self._directory.publish(self._segment)

    def settle(self) -> ReplayMark:
        """Seal the published segment and let it go; its final mark. The record is durable even if the seal fails."""
        sealed = True
        try:
            self._directory.seal(self._segment, 1, self._offset)
        except OSError:
            sealed = False  # the next start adopts it
        self._open = False
        self._disk.close(self._segment.descriptor)
        return ReplayMark(self._segment.name, self._offset, sealed)

    def discard(self) -> None:
        """Remove the file, unless it is settled or removed already."""
        if self._open:
            self._open = False
            self._directory.remove(self._segment)
