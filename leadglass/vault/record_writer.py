"""Encrypts one record as its bytes arrive: the hot path of a store.

Whole chunks are sealed straight from the caller's buffer; only what does not fill a chunk is copied. Ciphertext waits
as a list of chunks, never joined, until `append` writes it with one gathering call. A large record is spilled into a
segment of its own, so that memory stays bounded.
"""

from __future__ import annotations

from collections.abc import Callable

from blake3 import blake3

from leadglass.core.errors import ErrorCode, LeadglassError
from leadglass.core.limits import CHUNK_SIZE
from leadglass.core.records import RecordTrailer
from leadglass.vault.buffer_pool import BUFFER_SIZE, BufferPool
from leadglass.vault.disk import Buffer
from leadglass.vault.own_segment import OwnSegment
from leadglass.vault.record_format import (
    MAX_DATA_SET,
    RecordHeader,
    aligned,
    encode_trailer,
)
from leadglass.vault.study_key import OpenStudyKey


class SealedRecord:
    """core.ports.SealedRecord: header and ciphertext in memory, or a finished segment of its own."""

    __slots__ = ("_chunks", "_header", "_last", "_pool", "data_set_length", "own", "size")

    def __init__(
        self, header: RecordHeader, chunks: list[bytearray], last: bytes, own: OwnSegment | None, pool: BufferPool
    ) -> None:
        self._header = header
        self._chunks = chunks
        self._last = last
        self._pool = pool
        self.own = own
        self.data_set_length = header.data_set_length
        self.size = aligned(header.end)

    def buffers(self) -> list[Buffer]:
        """What `append` writes, padded with zeros to the alignment of records."""
        return [self._header.pack(), *self._chunks, self._last + bytes(self.size - self._header.end)]

    def release(self) -> None:
        """It is written: the buffers may serve another record."""
        self._pool.give(self._chunks)
        self._chunks = []


class SegmentRecordWriter:
    """core.ports.RecordWriter."""

    __slots__ = (
        *("_chunks", "_cipher", "_count", "_ended", "_fill", "_hash", "_hashed", "_key_id", "_length"),
        *("_own", "_own_factory", "_pending", "_pool", "_salt"),
    )

    def __init__(self, key: OpenStudyKey, own_factory: Callable[[], OwnSegment], pool: BufferPool) -> None:
        self._key_id = key.key_id
        self._salt, self._cipher = key.fresh()
        self._own_factory = own_factory
        self._own: OwnSegment | None = None
        self._pool = pool
        self._pending = memoryview(pool.take())[:CHUNK_SIZE]
        self._fill = 0  # bytes of _pending in use
        self._hashed = 0  # of which these are in _hash already
        self._hash = blake3()
        self._chunks: list[bytearray] = []  # sealed and in memory
        self._count = 0  # chunks sealed so far
        self._length = 0  # data set bytes so far
        self._ended = False

    @property
    def buffered(self) -> int:
        """Bytes held in memory."""
        return len(self._chunks) * BUFFER_SIZE + self._fill

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Take more of the data set."""
        self._alive()
        view = memoryview(data)
        length = len(view)
        self._length += length
        start = 0
        if self._fill:
            start = min(length, CHUNK_SIZE - self._fill)
            self._keep(view[:start])
            if self._fill < CHUNK_SIZE:
                return
            self._hash.update(self._pending[self._hashed :])
            self._seal(self._pending)
            self._fill = self._hashed = 0
        whole = start + (length - start) // CHUNK_SIZE * CHUNK_SIZE
        if whole > start:
            self._hash.update(view[start:whole])
            for at in range(start, whole, CHUNK_SIZE):
                self._seal(view[at : at + CHUNK_SIZE])
        if whole < length:
            self._keep(view[whole:])

    def spill(self) -> None:
        """Write the sealed chunks into a segment of the record's own. OUT_OF_RESOURCES if it fails."""
        self._alive()
        if self._own is None:
            self._own = self._own_factory()
        self._own.write(self._chunks)
        self._pool.give(self._chunks)
        self._chunks = []

    def digest(self) -> bytes:
        """BLAKE3-256 of the data set bytes so far."""
        if self._hashed < self._fill:
            self._hash.update(self._pending[self._hashed : self._fill])
            self._hashed = self._fill
        return self._hash.digest()

    def finish(self, trailer: RecordTrailer) -> SealedRecord:
        """End the record. UNPARSABLE if the trailer or the whole is beyond its bounds."""
        self._alive()
        encoded = encode_trailer(trailer)
        if self._length > MAX_DATA_SET:
            raise LeadglassError(ErrorCode.UNPARSABLE, "The data set is too long.")
        header = RecordHeader(self._key_id, self._salt, self._length, len(encoded))
        rest = memoryview(bytes(self._pending[: self._fill]) + encoded)
        while len(rest) > CHUNK_SIZE:
            self._seal(rest[:CHUNK_SIZE])
            rest = rest[CHUNK_SIZE:]
        last = self._cipher.seal_last(self._count, rest, (self._length, len(encoded)))
        if self._own is not None:
            self.spill()
            self._own.write([last])
            self._own.complete(header)
        chunks, self._chunks = self._chunks, []
        self._end()
        return SealedRecord(header, chunks, last, self._own, self._pool)

    def abort(self) -> None:
        """Forget the record. After `finish` too, as long as the record was not appended."""
        if not self._ended:
            self._end()
        if self._own is not None:
            self._own.discard()

    def _end(self) -> None:
        self._ended = True
        self._pool.give(self._chunks)
        self._chunks = []
        pending = self._pending.obj
        self._fill = self._hashed = 0
        self._pending = memoryview(b"")
        if isinstance(pending, bytearray):
            self._pool.give([pending])

    def _alive(self) -> None:
        if self._ended:
            raise LeadglassError(ErrorCode.INTERNAL, "The record is ended.")

    def _keep(self, view: memoryview) -> None:
        end = self._fill + len(view)
        self._pending[self._fill : end] = view
        self._fill = end

    def _seal(self, plain: memoryview) -> None:
        chunk = self._pool.take()
        self._cipher.seal(self._count, plain, chunk)
        self._chunks.append(chunk)
        self._count += 1
