"""Opens one record: header, key, trailer; then gives authenticated pieces of its data set."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from cryptography.exceptions import InvalidTag

from leadglass.core.errors import ErrorCode, LeadglassError
from leadglass.core.limits import CHUNK_SIZE
from leadglass.core.records import RecordTrailer
from leadglass.vault.disk import Disk, failing_as
from leadglass.vault.record_format import (
    ALIGNMENT,
    HEADER_SIZE,
    TAG_SIZE,
    RecordHeader,
    decode_trailer,
    parse_header,
)
from leadglass.vault.segment_format import HEADER_SIZE as START
from leadglass.vault.study_key import OpenStudyKey

_SEALED_CHUNK = CHUNK_SIZE + TAG_SIZE
_CHUNKS_PER_READ = 16  # 1 MiB from the medium at once


def damaged(comment: str) -> LeadglassError:
    """DAMAGED with its sentence."""
    return LeadglassError(ErrorCode.DAMAGED, comment)


class SegmentRecordReader:
    """core.ports.RecordReader."""

    def __init__(
        self, disk: Disk, descriptor: int, offset: int, end: int, key_of: Callable[[bytes], OpenStudyKey], *, owns: bool
    ) -> None:
        """Open the record whose header is at `offset`; the record must lie before `end`.

        DAMAGED if it does not authenticate. With `owns` the descriptor is closed with the reader.
        """
        self._disk = disk
        self._descriptor = descriptor
        self._offset = offset
        self._owns = owns
        self.header = self._read_header(end)
        self._cipher = key_of(self.header.key_id).cipher(self.header.salt)
        self._tail = self._open_chunks(self.header.data_set_length // CHUNK_SIZE, self.header.chunk_count)
        self._trailer = decode_trailer(self._tail[self.header.data_set_length % CHUNK_SIZE :])

    @property
    def trailer(self) -> RecordTrailer:
        """What is kept beside the data set."""
        return self._trailer

    @property
    def data_set_length(self) -> int:
        """Length of the data set in bytes."""
        return self.header.data_set_length

    def read(self, start: int, length: int) -> bytes:
        """Data set bytes [start, start+length), cut at the end."""
        start = max(start, 0)
        end = min(start + max(length, 0), self.data_set_length)
        if start >= end:
            return b""
        first, last = start // CHUNK_SIZE, -(-end // CHUNK_SIZE)
        plain = b"".join(self._pieces(first, last))
        return plain[start - first * CHUNK_SIZE : end - first * CHUNK_SIZE]

    def chunks(self) -> Iterator[bytes]:
        """The whole data set in pieces of at most 64 KiB."""
        return self._pieces(0, -(-self.data_set_length // CHUNK_SIZE))

    def authenticate(self) -> None:
        """Read all of it. DAMAGED if a chunk does not authenticate."""
        for _ in self.chunks():
            pass

    def close(self) -> None:
        """Let go of the segment."""
        if self._owns:
            self._owns = False
            self._disk.close(self._descriptor)

    def _read_header(self, end: int) -> RecordHeader:
        if self._offset < START or self._offset % ALIGNMENT:
            raise damaged("No record can begin here.")
        header = parse_header(self._read(HEADER_SIZE, self._offset))
        if header is None:
            raise damaged("There is no record's header here.")
        if self._offset + header.end > end:
            raise damaged("The record is cut short.")
        return header

    def _pieces(self, first: int, last: int) -> Iterator[bytes]:
        """Plaintext of chunks [first, last) without the trailer's bytes; what was opened for the trailer is reused."""
        tail_first = self.header.data_set_length // CHUNK_SIZE
        for start in range(first, min(last, tail_first), _CHUNKS_PER_READ):
            count = min(_CHUNKS_PER_READ, min(last, tail_first) - start)
            sealed = memoryview(self._read(count * _SEALED_CHUNK, self._chunk_offset(start)))
            for number in range(count):
                yield self._open(start + number, sealed[number * _SEALED_CHUNK : (number + 1) * _SEALED_CHUNK])
        if last > tail_first:
            yield self._tail[: self.header.data_set_length % CHUNK_SIZE]

    def _open_chunks(self, first: int, last: int) -> bytes:
        end = min(self._chunk_offset(last), self._offset + self.header.end)
        sealed = memoryview(self._read(end - self._chunk_offset(first), self._chunk_offset(first)))
        numbers = range(first, last)
        return b"".join(
            self._open(number, sealed[at : at + _SEALED_CHUNK])
            for number, at in zip(numbers, range(0, len(sealed), _SEALED_CHUNK), strict=False)
        )

    def _open(self, number: int, sealed: memoryview) -> bytes:
        try:
            return self._cipher.open(number, sealed, self.header)
        except InvalidTag as problem:
            raise damaged("The record does not authenticate.") from problem

    def _chunk_offset(self, number: int) -> int:
        return self._offset + HEADER_SIZE + number * _SEALED_CHUNK

    def _read(self, length: int, offset: int) -> bytes:
        with failing_as(ErrorCode.DAMAGED, "The medium does not give the record."):
            return self._disk.read(self._descriptor, length, offset)
