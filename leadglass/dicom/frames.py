"""Finds the frames of encapsulated pixel data without reading the pixels (PS3.5 A.4, PS3.3 C.7.6.3.1.8).

Strategy: with an Extended or a Basic Offset Table each frame is found on its own, and what the table says is compared
with the item headers that stand there; without one all item headers are walked once, and frames are told apart by the
number of fragments. A table that lies is refused, never guessed around.
"""

from __future__ import annotations

import struct
from array import array
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, overload

from leadglass.core.limits import MAX_FRAGMENTS, MAX_FRAME_BYTES
from leadglass.dicom.elements import ITEM, SEQUENCE_DELIMITER, UNDEFINED_LENGTH
from leadglass.dicom.refusal import broken

ReadAt = Callable[[int, int], bytes]  # (offset, length) in the data set -> bytes, cut at its end

_WINDOW: Final = 64 * 1024  # item headers of small fragments are read together
_HEADER: Final = struct.Struct("<HHL")


@dataclass(frozen=True, slots=True)
class Fragment:
    """Where bytes of a frame lie in the data set."""

    offset: int
    length: int


class _Window:
    """Reads small pieces through one larger read."""

    def __init__(self, read: ReadAt) -> None:
        self._read = read
        self._offset = 0
        self._bytes = b""

    def get(self, offset: int, length: int) -> bytes:
        start = offset - self._offset
        if start < 0 or start + length > len(self._bytes):
            self._offset, self._bytes = offset, self._read(offset, max(length, _WINDOW))
            start = 0
        return self._bytes[start : start + length]


class FrameLocator(Sequence[bytes]):
    """The frames of one encapsulated Pixel Data value, as a sequence of their compressed bytes.

    `read` gives bytes of the data set; `value_offset` is where the value begins (the Basic Offset Table item).
    `extended` holds the raw values of Extended Offset Table and its Lengths. Frames are read when they are asked for.
    Raises LeadglassError CANNOT_CONVERT wherever tables, fragments and `number_of_frames` do not agree.
    """

    def __init__(
        self, read: ReadAt, value_offset: int, number_of_frames: int, extended: tuple[bytes, bytes] | None = None
    ) -> None:
        if not 0 < number_of_frames <= MAX_FRAGMENTS:
            raise broken("number of frames is out of range")
        self._read = read
        self._window = _Window(read)
        self._count = number_of_frames
        tag, length = self._item(value_offset)
        if tag != ITEM or length % 4 or length > 4 * MAX_FRAGMENTS:
            raise broken("pixel data has no basic offset table item")
        self._base = value_offset + 8 + length  # offsets count from the first fragment's item
        self._lengths: array[int] | None = None
        if extended is not None:
            if length:
                raise broken("pixel data has two offset tables")
            self._starts = _numbers("Q", extended[0], number_of_frames)
            self._lengths = _numbers("Q", extended[1], number_of_frames)
        elif length:
            self._starts = _numbers("I", read(value_offset + 8, length), number_of_frames)
        else:
            self._starts = self._by_fragments()
        self._check_order()

    def __len__(self) -> int:
        return self._count

    @overload
    def __getitem__(self, index: int) -> bytes: ...

    @overload
    def __getitem__(self, index: slice) -> list[bytes]: ...

    def __getitem__(self, index: int | slice) -> bytes | list[bytes]:
        if isinstance(index, slice):
            return [self.frame(number) for number in range(*index.indices(self._count))]
        if not -self._count <= index < self._count:
            raise IndexError(index)
        return self.frame(index % self._count)

    def __iter__(self) -> Iterator[bytes]:
        return (self.frame(number) for number in range(self._count))

    def frame(self, number: int) -> bytes:
        """The compressed bytes of frame `number` (from 0), its fragments joined."""
        fragments = self.fragments(number)
        if sum(fragment.length for fragment in fragments) > MAX_FRAME_BYTES:
            raise broken("a compressed frame is too large")
        pieces = [self._read(fragment.offset, fragment.length) for fragment in fragments]
        if any(len(piece) != fragment.length for piece, fragment in zip(pieces, fragments, strict=True)):
            raise broken("pixel data is cut short")
        return b"".join(pieces)

    def fragments(self, number: int) -> list[Fragment]:
        """Where frame `number` (from 0) lies."""
        start = self._base + self._starts[number]
        if self._lengths is not None:
            return [self._whole(start, self._lengths[number])]
        end = self._base + self._starts[number + 1] if number + 1 < self._count else None
        found: list[Fragment] = []
        for fragment in self._walk(start):
            found.append(fragment)
            after = fragment.offset + fragment.length
            if end is not None and after >= end:
                if after > end:
                    raise broken("an offset table points into a fragment")
                break
        else:
            if end is not None:
                raise broken("an offset table points behind the pixel data")
        if not found:
            raise broken("a frame has no fragments")
        return found

    def end(self) -> int:
        """Offset in the data set behind the pixel data's delimiter."""
        after = self._base + self._starts[-1]
        for fragment in self._walk(after):
            after = fragment.offset + fragment.length
        return after + 8

    def _whole(self, start: int, length: int) -> Fragment:
        """A frame in one fragment, by the extended table; the fragment may be one padding byte longer."""
        tag, item_length = self._item(start)
        if tag != ITEM or item_length not in (length, length + length % 2) or not length:
            raise broken("the extended offset table does not fit the fragments")
        return Fragment(start + 8, length)

    def _by_fragments(self) -> array[int]:
        starts = array("Q")
        for fragment in self._walk(self._base):
            starts.append(fragment.offset - 8 - self._base)
        if self._count == 1 and starts:
            return starts[:1]
        if len(starts) != self._count:
            raise broken("frames cannot be told apart: no offset table, and more or fewer fragments than frames")
        return starts

    def _check_order(self) -> None:
        ordered = all(a < b for a, b in zip(self._starts, self._starts[1:], strict=False))
        if self._starts[0] != 0 or not ordered:
            raise broken("an offset table is out of order")

    def _walk(self, offset: int) -> Iterator[Fragment]:
        """Fragments from the item at `offset` to the delimiter, which must be there."""
        for _ in range(MAX_FRAGMENTS):
            tag, length = self._item(offset)
            if tag == SEQUENCE_DELIMITER and length == 0:
                return
            if tag != ITEM or length == UNDEFINED_LENGTH:
                raise broken("pixel data fragments are malformed")
            yield Fragment(offset + 8, length)
            offset += 8 + length
        raise broken("pixel data has too many fragments")

    def _item(self, offset: int) -> tuple[int, int]:
        header = self._window.get(offset, 8)
        if len(header) < 8:
            raise broken("pixel data is cut short")
        group, element, length = _HEADER.unpack(header)
        return group << 16 | element, length


def _numbers(code: str, raw: bytes, count: int) -> array[int]:
    """`count` little-endian numbers; the table must hold exactly as many."""
    size = struct.calcsize("<" + code)
    if len(raw) != size * count:
        raise broken("an offset table does not have one entry per frame")
    return array("Q", struct.unpack(f"<{count}{code}", raw))
