"""Walks a stored data set by its element headers and passes over values (PS3.5 chapter 7).

Strategy: random access through `read`, one window of bytes at a time, recursion per sequence and item with its depth
bounded. What the header scan lets into the archive (dicom.scan) can be walked: the same old VRs, missing delimiters
and stray ones are understood here. A subclass says what happens at a value, a sequence, an item; one that knows how to
get on faster over plain elements does so in `run`. Errors are UNPARSABLE and carry no value of the data set.
"""

from __future__ import annotations

from typing import Final

from leadglass.core.errors import ErrorCode, LeadglassError
from leadglass.core.limits import (
    KIB,
    MAX_ELEMENTS,
    MAX_FRAGMENTS,
    MAX_INFLATED_HEADER,
    MAX_ITEMS,
    MAX_MODEL_HEADER,
    MAX_NESTING,
)
from leadglass.dicom.dictionary import vr_of
from leadglass.dicom.frames import ReadAt
from leadglass.dicom.inflate import BoundedInflater
from leadglass.dicom.scan_encoding import EXPLICIT_BE, EXPLICIT_LE, IMPLICIT_LE, SEQUENCE_TAGS, UNDEFINED, Encoding
from leadglass.dicom.transfer_syntaxes import lookup

PIXEL_DATA: Final = 0x7FE00010

_DELIMITERS: Final = 0xFFFE
_ITEM: Final = 0xE000
_ITEM_END: Final = 0xE00D
_SEQUENCE_END: Final = 0xE0DD
_WINDOW: Final = 64 * KIB  # read at once: the header of most instances is shorter
_FOREVER: Final = 1 << 62
_ODD_VRS: Final = frozenset({b"??", b"  ", b"--"})  # written by old software, with a 16-bit length


def unparsable(comment: str, tag: int | None = None) -> LeadglassError:
    """The error for a data set that cannot be followed."""
    return LeadglassError(ErrorCode.UNPARSABLE, comment, tags=() if tag is None else (tag,))


class Level:
    """One open data set or item. `path` names it: "" or, for an item, tags and item numbers such as "00081140/1/"."""

    __slots__ = ("delimited", "depth", "encoding", "end", "path", "sequence_delimited")

    def __init__(
        self, end: int, encoding: Encoding, depth: int, path: str, *, delimited: bool, sequence_delimited: bool = False
    ) -> None:
        self.end = end
        self.encoding = encoding
        self.depth = depth
        self.path = path
        self.delimited = delimited  # ends at a delimiter, `end` at the latest
        self.sequence_delimited = sequence_delimited  # so does the sequence around it


class InflatedReader:
    """Reads a deflated data set as if it were inflated (PS3.5 A.5), forwards; MAX_INFLATED_HEADER behind are kept."""

    def __init__(self, read: ReadAt) -> None:
        self._read = read
        self._inflater = BoundedInflater()
        self._taken = 0
        self._start = 0  # offset of the first byte kept
        self._kept = bytearray()
        self._ended = False

    def __call__(self, offset: int, length: int) -> bytes:
        """`length` bytes of the inflated data set from `offset`, fewer at its end."""
        while not self._ended and self._start + len(self._kept) < offset + length:
            piece = self._read(self._taken, _WINDOW)
            self._taken += len(piece)
            self._ended = not piece
            for inflated in self._inflater.feed(piece):
                self._kept += inflated
                if len(self._kept) > 2 * MAX_INFLATED_HEADER:
                    self._start += MAX_INFLATED_HEADER
                    del self._kept[:MAX_INFLATED_HEADER]
        if offset < self._start:
            raise unparsable("The deflated data set cannot be read backwards")
        return bytes(self._kept[offset - self._start : offset - self._start + length])


class ElementWalk:
    """A walk over one data set. `length` is that of the data set, None where it is not known.

    Raises LeadglassError UNPARSABLE on a structure that cannot be followed and beyond core.limits.
    """

    def __init__(self, read: ReadAt, transfer_syntax_uid: str, length: int | None = None) -> None:
        syntax = lookup(transfer_syntax_uid)
        if syntax is None:
            raise unparsable("The transfer syntax is not known")
        self._read: ReadAt = InflatedReader(read) if syntax.deflated else read
        self._length = None if syntax.deflated else length
        self._encoding = IMPLICIT_LE if not syntax.explicit_vr else EXPLICIT_LE if syntax.little_endian else EXPLICIT_BE
        self.window = b""
        self.base = 0  # offset of the window in the data set
        self.elements = 0
        self._looked_at = 0
        self._items = 0

    # --- what a subclass says ---

    def run(self, at: int, level: Level) -> int:
        """Take plain elements from `at` on, as many as can be; where the first one stands that was not taken."""
        return at

    def value(self, tag: int, vr: str, at: int, start: int, length: int, level: Level) -> None:  # noqa: PLR0917
        """An element that is no sequence stands at `at`, its value of `length` bytes at `start`; UNDEFINED: fragments
        follow."""
        raise NotImplementedError

    def sequence(  # noqa: PLR0917 - a header is many numbers
        self, tag: int, at: int, start: int, end: int, level: Level, encoding: Encoding, delimited: bool
    ) -> int:
        """A sequence stands at `at`, its items from `start` on; the offset behind it (by `walk_items`)."""
        return self.walk_items(tag, start, end, level, encoding, delimited)

    def item(self, at: int, level: Level) -> int:
        """An item begins; the offset behind it (by `walk`)."""
        return self.walk(at, level)

    # --- bytes ---

    def bytes_at(self, offset: int, length: int) -> bytes:
        """Bytes of the data set, fewer at its end."""
        start = offset - self.base
        if start < 0 or start + length > len(self.window):
            self.base, start = offset, 0
            self.window = self._read(offset, max(length, _WINDOW))
            self._looked_at += len(self.window)
            if self._looked_at > MAX_MODEL_HEADER:
                raise unparsable("The data set has more header than can be worked on")
        return self.window[start : start + length]

    def _head(self, at: int, level: Level) -> tuple[int, int, int] | None:
        """Group, element and 32-bit length at `at`; None where the data set ends."""
        room = level.end - at
        head = self.bytes_at(at, min(8, room))
        if len(head) == 8:
            found: tuple[int, int, int] = level.encoding.words.unpack(head)
            return found
        if level.depth == 0 and (not head or (level.encoding.little and not head.strip(b"\0"))):
            return None  # the end, or a few NULs of padding
        raise unparsable("The data set is cut short" if room >= 8 else "An item does not end where its length says")

    # --- structure ---

    def walk_all(self, root: Level | None = None) -> None:
        """Walk the whole data set."""
        self.walk(0, root or self.root())

    def root(self) -> Level:
        """The outermost level."""
        end = _FOREVER if self._length is None else self._length
        return Level(end, self._encoding, 0, "", delimited=False)

    def walk(self, at: int, level: Level) -> int:
        """Walk the elements of `level` from `at` on; the offset behind it and its delimiter."""
        end = level.end
        while at < end:
            at = self.run(at, level)
            if at >= end:
                break
            head = self._head(at, level)
            if head is None:
                return end
            group, element, _ = head
            self.elements += 1
            if self.elements > MAX_ELEMENTS:
                raise unparsable("The data set has too many attributes")
            if group != _DELIMITERS:
                at = self._element(at, group << 16 | element, level)
            elif element == _ITEM_END and level.delimited:
                return at + 8
            elif element == _SEQUENCE_END and level.delimited and level.sequence_delimited:
                return at  # the item's own delimiter is missing
            elif element in (_ITEM_END, _SEQUENCE_END):
                at += 8  # one that nothing waits for
            else:
                raise unparsable("An item stands outside a sequence")
        return at

    def _element(self, at: int, tag: int, level: Level) -> int:
        vr, length, start = self._header(at, tag, level)
        if length == UNDEFINED:
            return self._undefined(tag, vr, at, start, level)
        stop = start + length
        if stop > level.end:
            raise unparsable("An attribute is longer than what is around it", tag)
        if vr == "SQ":
            return self.sequence(tag, at, start, stop, level, level.encoding, False)
        if vr == "UN" and tag in SEQUENCE_TAGS:  # its items are in Implicit VR Little Endian (PS3.5 6.2.2)
            try:
                return self.sequence(tag, at, start, stop, level, IMPLICIT_LE, False)
            except LeadglassError:
                pass  # no items after all: a value that nobody understands
        self.value(tag, vr, at, start, length, level)
        return stop

    def _undefined(self, tag: int, vr: str, at: int, start: int, level: Level) -> int:
        explicit = level.encoding.explicit
        if tag == PIXEL_DATA or (vr in ("OB", "OW") and explicit):
            self.value(tag, vr, at, start, UNDEFINED, level)
            return self.end_of_fragments(start, level)
        if vr not in ("SQ", "UN"):
            raise unparsable("An attribute that is not a sequence has undefined length", tag)
        encoding = IMPLICIT_LE if vr == "UN" and explicit else level.encoding
        return self.sequence(tag, at, start, level.end, level, encoding, True)

    def _header(self, at: int, tag: int, level: Level) -> tuple[str, int, int]:
        """VR, value length and value offset of the element at `at`."""
        encoding = level.encoding
        head = self.bytes_at(at, min(12, level.end - at))
        if not encoding.explicit:
            return vr_of(tag), encoding.header.unpack_from(head)[2], at + 8
        number, length = encoding.header.unpack_from(head)[2:]
        if number in encoding.short:
            return encoding.short[number], length, at + 8
        code = head[4:6]
        if code in _ODD_VRS:
            return "UN", length, at + 8
        if not (code.isalpha() and code.isupper()):
            raise unparsable("An attribute has no value representation", tag)
        known = "SQ" if code == b"SQ" else encoding.long.get(number)
        if known is None and length:  # VRs to come have 32 bits of length behind a zero (PS3.5 7.1.2)
            return "UN", length, at + 8
        if len(head) < 12:
            raise unparsable("The data set is cut short")
        return known or "UN", encoding.wide.unpack_from(head, 8)[0], at + 12

    def walk_items(  # noqa: PLR0917
        self, tag: int, at: int, end: int, level: Level, encoding: Encoding, delimited: bool
    ) -> int:
        """Walk the items of a sequence whose first stands at `at`; the offset behind it."""
        if level.depth >= MAX_NESTING:
            raise unparsable("Sequences are nested too deep", tag)
        around = Level(end, encoding, level.depth + 1, level.path, delimited=delimited)
        number = 0
        while at < end:
            head = self._head(at, around)
            assert head is not None
            group, element, length = head
            if group != _DELIMITERS:
                raise unparsable("A sequence holds something that is not an item", tag)
            at += 8
            if element == _SEQUENCE_END and delimited:
                break
            if element == _ITEM:
                number += 1
                at = self._item(at, length, around, f"{level.path}{tag:08X}/{number}/")
            else:
                self._count_stray(element)
        return at

    def _count_stray(self, element: int) -> None:
        self.elements += 1
        if element not in (_ITEM_END, _SEQUENCE_END) or self.elements > MAX_ELEMENTS:
            raise unparsable("A sequence holds something that is not an item")

    def _item(self, at: int, length: int, around: Level, path: str) -> int:
        self._items += 1
        if self._items > MAX_ITEMS:
            raise unparsable("The data set has too many items")
        delimited = length == UNDEFINED
        end = around.end if delimited else at + length
        if end > around.end:
            raise unparsable("An item is longer than the sequence around it")
        level = Level(
            end, around.encoding, around.depth, path, delimited=delimited, sequence_delimited=around.delimited
        )
        return self.item(at, level)

    # --- fragments ---

    def end_of_fragments(self, start: int, level: Level) -> int:
        """The offset behind fragments whose first item, the Basic Offset Table, stands at `start` (PS3.5 A.4)."""
        first, length = self._fragment(start, level)
        if not first:
            return start + 8
        after = start + 8 + length
        skipped = self._last_frame(start + 8, length, after, level) if level.depth == 0 else after
        try:
            return self._pass_fragments(skipped, level)
        except LeadglassError:
            if skipped == after:
                raise
            return self._pass_fragments(after, level)  # the table lies

    def _last_frame(self, table: int, length: int, after: int, level: Level) -> int:
        """Where the last frame begins by a Basic Offset Table, so that the others need not be read."""
        if length < 4 or length % 4:
            return after
        place = int.from_bytes(self._apart(table + length - 4, 4), "little")
        return after + place if after + place < level.end else after

    def _pass_fragments(self, at: int, level: Level) -> int:
        for _ in range(MAX_FRAGMENTS):
            if level.depth == 0 and level.end - at == 8:  # only the delimiter can be there
                return level.end
            more, length = self._fragment(at, level)
            at += 8 + length
            if not more:
                return at
        raise unparsable("The pixel data have too many fragments", PIXEL_DATA)

    def _fragment(self, at: int, level: Level) -> tuple[bool, int]:
        """Whether an item stands at `at`, not the delimiter, and its length."""
        head = self._apart(at, 8)
        if len(head) < 8:
            raise unparsable("The pixel data are cut short", PIXEL_DATA)
        group, element, length = level.encoding.words.unpack(head)
        if group != _DELIMITERS or element not in (_ITEM, _SEQUENCE_END):
            raise unparsable("Pixel data fragments are broken", PIXEL_DATA)
        if element == _ITEM and (length == UNDEFINED or at + 8 + length > level.end):
            raise unparsable("A pixel data fragment has no good length", PIXEL_DATA)
        return element == _ITEM, length

    def _apart(self, offset: int, length: int) -> bytes:
        """A few bytes, from the window if they are there; else they alone are read: fragments lie far apart."""
        start = offset - self.base
        if start >= 0 and start + length <= len(self.window):
            return self.window[start : start + length]
        return self._read(offset, length)
