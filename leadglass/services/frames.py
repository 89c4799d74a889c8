"""Frames and bulk data of single instances (WADO-RS), without parsing or decompressing more than is asked for."""

from __future__ import annotations

import asyncio
import itertools
import threading
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from typing import Final, TypeAlias, TypeVar, overload

from leadglass.core.errors import ErrorCode, LeadglassError
from leadglass.core.events import EventKind
from leadglass.core.limits import MIB
from leadglass.core.pictures import Owner, PictureMaker
from leadglass.core.ports import Catalog, PixelDecoder
from leadglass.core.principal import Principal, Right
from leadglass.core.query import Selection
from leadglass.core.records import StoredInstance
from leadglass.dicom.bulk import BulkPlace, find_bulk
from leadglass.dicom.encodable import EncodableFrames
from leadglass.dicom.frames import FrameLocator, ReadAt
from leadglass.dicom.layout import InstanceLayout
from leadglass.services.admit import Gate, use_case
from leadglass.services.open_records import OpenRecord, OpenRecords
from leadglass.services.read_ahead import AccessJournal

T = TypeVar("T")
Piece: TypeAlias = "tuple[int, list[bytes]]"  # number of the frame, and more bytes of it
Span: TypeAlias = "tuple[int, int]"  # offset in the data set and length

STEP: Final = 2 * MIB  # read in one thread job
AT_ONCE: Final = MIB  # a native frame up to here is cut on the event loop if memory has it: it costs 0.3 ms


class Frames:
    """The use case behind frames and bulk data."""

    def __init__(
        self,
        gate: Gate,
        *,
        records: OpenRecords,
        catalog: Catalog,
        accesses: AccessJournal,
        decoder: PixelDecoder,
        encoder: PictureMaker,
        threads: ThreadPoolExecutor,
        decoding: ThreadPoolExecutor,
    ) -> None:
        """`decoding` are the threads that wait for decoder and encoder, so that nobody else waits for them."""
        self.gate = gate
        self._records = records
        self._catalog = catalog
        self._accesses = accesses
        self._decoder = decoder
        self._encoder = encoder
        self._threads = threads
        self._decoding = decoding

    @use_case(Right.RETRIEVE, EventKind.INSTANCES_ACCESSED)
    async def instance(self, principal: Principal, selection: Selection) -> InstanceContent | None:
        """The content of the one instance that `selection` names; None if it is not there or out of reach.

        Reading it is journalled when this returns; UNAVAILABLE if it cannot be.
        """
        found = self._catalog.select(selection)  # a point look-up
        if not found:
            return None
        stored = found[0]
        who = (principal.name, principal.address, stored.identity.study_uid)
        if not self._accesses.is_open(*who):
            loop = asyncio.get_running_loop()
            await loop.run_in_executor(self._threads, self._accesses.begin, *who)
        self._accesses.note(*who, 1)
        coders = Coders(Owner.of(principal, stored.identity.study_uid), self._decoder, self._encoder)
        return InstanceContent(stored, self._records, coders, self._threads, self._decoding)


@dataclass(frozen=True, slots=True)
class Coders:
    """What works on pixels in the sandbox, and for whom."""

    owner: Owner
    decoder: PixelDecoder
    encoder: PictureMaker


class InstanceContent:
    """What can be read of one instance, for who was let in. One user; closed with `close` or as a context."""

    def __init__(
        self,
        stored: StoredInstance,
        records: OpenRecords,
        coders: Coders,
        threads: ThreadPoolExecutor,
        decoding: ThreadPoolExecutor,
    ) -> None:
        self.stored = stored
        self._records = records
        self._coders = coders
        self._threads = threads
        self._decoding = decoding
        self._record: OpenRecord | None = None

    async def __aenter__(self) -> InstanceContent:
        await self._opened()
        return self

    async def __aexit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Read no more. Safe to call again."""
        record, self._record = self._record, None
        if record is not None:
            self._records.give_back(record)

    async def layout(self) -> InstanceLayout:
        """Where its pixel data lie. UNPARSABLE if the data set cannot be followed."""
        return (await self._opened()).layout

    async def frame_count(self) -> int:
        """How many frames there are."""
        return (await self._opened()).frame_count

    async def frame(self, number: int, *, native: bool, target: str = "") -> list[bytes]:
        """Frame `number` (from 1) whole, in pieces: as Explicit VR Little Endian has it, encoded in the transfer syntax
        `target` (of core.pictures.ENCODABLE), or as stored.

        NOT_FOUND if there is none, CANNOT_CONVERT if it cannot be cut out or decoded.
        """
        record = await self._opened()
        _require(record, number)
        at_hand = None if target else self._frame_at_hand(record, number)
        if at_hand is not None:
            return at_hand
        pieces: list[bytes] = []
        async for _, more in self.frames([number], native=native, target=target):
            pieces += more
        return pieces

    async def frames(self, numbers: Sequence[int], *, native: bool, target: str = "") -> AsyncIterator[Piece]:
        """Frames in the order of `numbers`, a few MiB at a time. Errors as of `frame`."""
        record = await self._opened()
        for number in (min(numbers), max(numbers)) if numbers else ():
            _require(record, number)
        if target:
            pieces, threads = _encoded(record, numbers, self._coders, target), self._decoding
        elif native and record.layout.encapsulated:
            pieces, threads = _decoded(record, numbers, self._coders.decoder), self._decoding
        else:
            pieces, threads = _stored(record, numbers), self._threads
        async for piece in self._in_steps(threads, pieces):
            yield piece

    async def place(self, path: str) -> BulkPlace:
        """Where the value lies that `path` names (dicom.bulk). NOT_FOUND if there is none."""
        record = await self._opened()
        length = None if record.layout.deflated else record.reader.data_set_length
        syntax = self.stored.transfer_syntax_uid
        return await self._job(record, self._threads, lambda: find_bulk(record.read(), syntax, path, length))

    async def spans(self, place: BulkPlace) -> list[Span]:
        """Where the bytes of a value lie: the value, or its fragments without their headers."""
        if not place.encapsulated:
            return [(place.offset, place.length)]
        record = await self._opened()
        return await self._job(record, self._threads, lambda: _fragments(record.read(), place))

    async def value(self, spans: Sequence[Span]) -> AsyncIterator[bytes]:
        """The bytes of `spans`, a few MiB at a time."""
        record = await self._opened()
        pieces: Iterator[Piece] = ((0, pieces) for pieces in _read(record, spans))
        async for _, more in self._in_steps(self._threads, pieces):
            for piece in more:
                yield piece

    def _frame_at_hand(self, record: OpenRecord, number: int) -> list[bytes] | None:
        if record.layout.encapsulated or record.layout.deflated:
            return None
        frames = record.native()
        if not frames.as_stored or frames.frame_length > AT_ONCE:
            return None
        return record.reader.pieces_at_hand(*frames.place(number - 1))

    async def _opened(self) -> OpenRecord:
        if self._record is None:
            self._record = self._records.borrow_at_hand(self.stored) or await self._borrowed()
        return self._record

    async def _borrowed(self) -> OpenRecord:
        future = self._threads.submit(self._records.borrow, self.stored)
        try:
            return await asyncio.wrap_future(future)
        except asyncio.CancelledError:
            future.add_done_callback(self._give_back_unwanted)
            raise

    def _give_back_unwanted(self, borrowed: Future[OpenRecord]) -> None:
        if not borrowed.cancelled() and borrowed.exception() is None:
            self._records.give_back(borrowed.result())

    async def _job(self, record: OpenRecord, threads: ThreadPoolExecutor, work: Callable[[], T]) -> T:
        """`work` in a thread, with a hold on the record of its own: it may go on when nobody waits any more."""
        self._records.hold(record)
        future = threads.submit(work)
        future.add_done_callback(lambda _: self._records.give_back(record))
        return await asyncio.wrap_future(future)

    async def _in_steps(self, threads: ThreadPoolExecutor, pieces: Iterator[Piece]) -> AsyncIterator[Piece]:
        """What `pieces` gives, in thread jobs of about STEP bytes."""
        record = await self._opened()
        steps = _Steps(pieces)
        try:
            ended = False
            while not ended:
                taken, ended = await self._job(record, threads, steps.take)
                for piece in taken:
                    yield piece
        finally:
            steps.stop(threads)


class _Steps:
    """Takes from an iterator a step at a time, in whatever thread, and ends it."""

    def __init__(self, pieces: Iterator[Piece]) -> None:
        self._pieces = pieces
        self._lock = threading.Lock()

    def take(self) -> tuple[list[Piece], bool]:
        """Pieces of STEP bytes or a little more together, and whether they were the last."""
        taken: list[Piece] = []
        size = 0
        with self._lock:
            for piece in self._pieces:
                taken.append(piece)
                size += sum(map(len, piece[1]))
                if size >= STEP:
                    return taken, False
        return taken, True

    def stop(self, threads: ThreadPoolExecutor) -> None:
        """End the iterator, and a decoder with it, once a step that is under way has ended."""
        with suppress(RuntimeError):  # no threads any more: the process ends
            threads.submit(self._end)

    def _end(self) -> None:
        close = getattr(self._pieces, "close", None)
        with self._lock:
            if close is not None:
                close()


def _require(record: OpenRecord, number: int) -> None:
    if not 0 < number <= record.frame_count:
        raise LeadglassError(ErrorCode.NOT_FOUND, "There is no such frame.")


def _stored(record: OpenRecord, numbers: Sequence[int]) -> Iterator[Piece]:
    """Frames as they lie; native ones as Explicit VR Little Endian has them."""
    if record.layout.encapsulated:
        located = record.located()
        for number in numbers:
            spans = [(fragment.offset, fragment.length) for fragment in located.fragments(number - 1)]
            for pieces in _read(record, spans):
                yield number, pieces
        return
    frames, read = record.native(), record.read()
    for number in numbers:
        place = frames.place(number - 1)
        if frames.as_stored:
            for pieces in _read(record, [place], read):
                yield number, pieces
        else:
            yield number, [frames.frame(number - 1, read(*place))]


def _decoded(record: OpenRecord, numbers: Sequence[int], decoder: PixelDecoder) -> Iterator[Piece]:
    description = record.layout.description()
    decoded = decoder.decode(description, _Chosen(record.located(), numbers))
    for number, frame in zip(numbers, decoded, strict=True):
        yield number, [frame.pixels]


def _encoded(record: OpenRecord, numbers: Sequence[int], coders: Coders, target: str) -> Iterator[Piece]:
    native = _decoded(record, numbers, coders.decoder) if record.layout.encapsulated else _stored(record, numbers)
    form = EncodableFrames(record.layout)
    for number, frame in _whole(native):
        yield number, [coders.encoder.encode(coders.owner, form.description, target, form.by_pixel(frame))]


def _whole(pieces: Iterator[Piece]) -> Iterator[tuple[int, bytes]]:
    """Frames whose pieces follow one another, each joined."""
    for number, several in itertools.groupby(pieces, key=lambda piece: piece[0]):
        yield number, b"".join(piece for _, more in several for piece in more)


class _Chosen(Sequence[bytes]):
    """Some frames of all, read when they are asked for."""

    def __init__(self, located: FrameLocator, numbers: Sequence[int]) -> None:
        self._located = located
        self._numbers = numbers

    def __len__(self) -> int:
        return len(self._numbers)

    @overload
    def __getitem__(self, index: int) -> bytes: ...

    @overload
    def __getitem__(self, index: slice) -> list[bytes]: ...

    def __getitem__(self, index: int | slice) -> bytes | list[bytes]:
        if isinstance(index, slice):
            return [self._located.frame(number - 1) for number in self._numbers[index]]
        return self._located.frame(self._numbers[index] - 1)


def _read(record: OpenRecord, spans: Sequence[Span], inflated: ReadAt | None = None) -> Iterator[list[bytes]]:
    """The bytes of `spans`, at most STEP at a time. `inflated` reads a data set that is deflated."""
    inflated = inflated or record.read()
    for offset, length in spans:
        for start in range(offset, offset + length, STEP):
            size = min(STEP, offset + length - start)
            pieces = [inflated(start, size)] if record.layout.deflated else record.reader.pieces(start, size)
            if sum(map(len, pieces)) != size:
                raise LeadglassError(ErrorCode.UNPARSABLE, "The data set is cut short")
            yield pieces


def _fragments(read: ReadAt, place: BulkPlace) -> list[Span]:
    return [(fragment.offset, fragment.length) for fragment in FrameLocator(read, place.offset, 1).fragments(0)]
