"""Opens one record: header, key, trailer; then gives authenticated pieces of its data set.

An instance of usual size is read from the medium at once, a larger one piece by piece. Chunks are decrypted into the
buffer that is given out: between the medium and the network nothing is copied.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator

from cryptography.exceptions import InvalidTag

from leadglass.core.errors import ErrorCode, LeadglassError
from leadglass.core.limits import CHUNK_SIZE, MIB
from leadglass.core.records import RecordTrailer
from leadglass.vault.disk import Buffer, Disk, failing_as
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
_CHUNKS_PER_READ = 2 * MIB // CHUNK_SIZE  # from the medium at once
_USUAL_TRAILER = 4096  # bytes: a trailer with some File Meta kept aside


class _Sealed(threading.local):
    """A buffer per thread: pages that are fresh each time cost as much as what is read into them."""

    SIZE = 18 * _SEALED_CHUNK  # a MiB wherever it begins

    def __init__(self) -> None:
        self.buffer = bytearray(self.SIZE)


_sealed = _Sealed()


def damaged(comment: str) -> LeadglassError:
    """DAMAGED with its sentence."""
    return LeadglassError(ErrorCode.DAMAGED, comment)


class SegmentRecordReader:
    """core.ports.RecordReader."""

    def __init__(
        self,
        disk: Disk,
        descriptor: int,
        offset: int,
        end: int,
        key_of: Callable[[bytes], OpenStudyKey],
        *,
        owns: bool,
        expected: int | None = None,
    ) -> None:
        """Open the record whose header is at `offset`; the record must lie before `end`.

        DAMAGED if it does not authenticate. With `owns` the descriptor is closed with the reader. `expected` bytes of
        data set, if they are not many, are read together with the header; None: they may not be wanted.
        """
        self._disk = disk
        self._descriptor = descriptor
        self._offset = offset
        self._owns = owns
        self._window: Buffer = b""  # what was read from `offset` on with the header
        if expected is not None and expected <= _CHUNKS_PER_READ * CHUNK_SIZE:
            chunks = expected // CHUNK_SIZE + 1
            length = HEADER_SIZE + expected + _USUAL_TRAILER + TAG_SIZE * chunks
            self._window = memoryview(self._read(min(length, max(end - offset, 0)), offset))
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

    def pieces(self, start: int, length: int) -> list[bytes]:
        """Data set bytes [start, start+length), cut at the end, in pieces of at most 64 KiB."""
        return self._cut(start, length, self._read) or []

    def pieces_at_hand(self, start: int, length: int) -> list[bytes] | None:
        """As `pieces`; None rather than wait for the medium."""
        return self._cut(start, length, self._sealed_at_hand)

    def chunks(self) -> Iterator[Buffer]:
        """The whole data set in pieces of at most 2 MiB."""
        return self._pieces(0, -(-self.data_set_length // CHUNK_SIZE))

    def authenticate(self) -> None:
        """Read all of it. DAMAGED if a chunk does not authenticate."""
        for _ in self.chunks():
            pass

    def close(self) -> None:
        """Let go of the segment."""
        self._window = b""
        if self._owns:
            self._owns = False
            self._disk.close(self._descriptor)

    def _read_header(self, end: int) -> RecordHeader:
        if self._offset < START or self._offset % ALIGNMENT:
            raise damaged("No record can begin here.")
        header = parse_header(bytes(self._read(HEADER_SIZE, self._offset)))
        if header is None:
            raise damaged("There is no record's header here.")
        if self._offset + header.end > end:
            raise damaged("The record is cut short.")
        return header

    def _pieces(self, first: int, last: int) -> Iterator[Buffer]:
        """Plaintext of chunks [first, last) without the trailer's bytes; what was opened for the trailer is reused."""
        tail_first = self.header.data_set_length // CHUNK_SIZE
        for start in range(first, min(last, tail_first), _CHUNKS_PER_READ):
            yield self._open_whole(start, min(_CHUNKS_PER_READ, min(last, tail_first) - start))
        if last > tail_first:
            yield self._tail[: self.header.data_set_length % CHUNK_SIZE]

    def _cut(self, start: int, length: int, read: Callable[[int, int], Buffer | None]) -> list[bytes] | None:
        """Plaintext chunks as they are, the first and the last one cut. None if `read` gives nothing."""
        start = max(start, 0)
        end = min(start + max(length, 0), self.data_set_length)
        behind = self.data_set_length // CHUNK_SIZE * CHUNK_SIZE  # from there on `_tail` has it
        found: list[bytes] = []
        if start < min(end, behind):
            first, last = start // CHUNK_SIZE, -(-min(end, behind) // CHUNK_SIZE)
            sealed = read((last - first) * _SEALED_CHUNK, self._chunk_offset(first))
            if sealed is None:
                return None
            found = self._open_each(first, last, memoryview(sealed))
            found[-1] = found[-1][: min(end, behind) - (last - 1) * CHUNK_SIZE]
            found[0] = found[0][start - first * CHUNK_SIZE :]
        if start < end and end > behind:
            found.append(self._tail[max(start - behind, 0) : end - behind])
        return found

    def _sealed_at_hand(self, length: int, offset: int) -> memoryview | None:
        """Ciphertext in a buffer of this thread, which the next call uses again."""
        buffer = _sealed.buffer if length <= _Sealed.SIZE else bytearray(length)
        view = memoryview(buffer)[:length]
        return view if self._disk.read_at_hand(self._descriptor, view, offset) else None

    def _open_each(self, first: int, last: int, sealed: memoryview) -> list[bytes]:
        if len(sealed) < (last - first) * _SEALED_CHUNK:
            raise damaged("The record is cut short.")
        return [
            self._open(first + number, sealed[number * _SEALED_CHUNK : (number + 1) * _SEALED_CHUNK])
            for number in range(last - first)
        ]

    def _open_whole(self, first: int, count: int) -> memoryview:
        """Plaintext of `count` chunks that are full and not the last."""
        sealed = memoryview(self._read(count * _SEALED_CHUNK, self._chunk_offset(first)))
        plain = memoryview(bytearray(count * CHUNK_SIZE))
        if len(sealed) < count * _SEALED_CHUNK:
            raise damaged("The record is cut short.")
        try:
            for number in range(count):
                chunk = sealed[number * _SEALED_CHUNK : (number + 1) * _SEALED_CHUNK]
                self._cipher.open_into(first + number, chunk, plain[number * CHUNK_SIZE : (number + 1) * CHUNK_SIZE])
        except InvalidTag as problem:
            raise damaged("The record does not authenticate.") from problem
        return plain

    def _open_chunks(self, first: int, last: int) -> bytes:
        end = min(self._chunk_offset(last), self._offset + self.header.end)
        sealed = memoryview(self._read(end - self._chunk_offset(first), self._chunk_offset(first)))
        numbers = range(first, last)
        return b"".join(
            self._open(number, sealed[at : at + _SEALED_CHUNK])
            for number, at in zip(numbers, range(0, len(sealed), _SEALED_CHUNK), strict=False)
        )

    def _open(self, number: int, sealed: Buffer) -> bytes:
        try:
            return self._cipher.open(number, sealed, self.header)
        except InvalidTag as problem:
            raise damaged("The record does not authenticate.") from problem

    def _chunk_offset(self, number: int) -> int:
        return self._offset + HEADER_SIZE + number * _SEALED_CHUNK

    def _read(self, length: int, offset: int) -> Buffer:
        start = offset - self._offset
        if start + length <= len(self._window):
            return self._window[start : start + length]
        with failing_as(ErrorCode.DAMAGED, "The medium does not give the record."):
            return self._disk.read(self._descriptor, length, offset)
