"""Reads a data set as it arrives and tells a sink what it meets (PS3.5 chapter 7).

Strategy: a stack of levels (data set or item, sequence, fragments), each with its own encoding, because the content
of an undefined-length UN is Implicit VR Little Endian whatever surrounds it (PS3.5 6.2.2). Values are handed on in
pieces and never gathered; what waits between two calls of `feed` is at most one element header.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal, Protocol, TypeAlias

from leadglass.core.limits import MAX_ELEMENTS, MAX_FRAGMENTS, MAX_ITEMS, MAX_NESTING
from leadglass.dicom.dictionary import vr_of
from leadglass.dicom.refusal import broken

UNDEFINED_LENGTH: Final = 0xFFFFFFFF
ITEM: Final = 0xFFFEE000
ITEM_DELIMITER: Final = 0xFFFEE00D
SEQUENCE_DELIMITER: Final = 0xFFFEE0DD
DELIMITER_GROUP: Final = 0xFFFE

# VRs whose explicit length has 16 bits (PS3.5 table 7.1-2); every other one, future ones too, has 32.
SHORT_VRS: Final = frozenset(
    "AE AS AT CS DA DS DT FL FD IS LO LT PN SH SL SS ST TM UI UL US".split()  # noqa: SIM905 - reads like the table
)
_LONG_VRS: Final = frozenset("OB OD OF OL OV OW SQ SV UC UN UR UT UV".split())  # noqa: SIM905 - reads like the table
_ByteOrder: TypeAlias = Literal["little", "big"]
_VRS: Final = {vr.encode(): vr for vr in SHORT_VRS | _LONG_VRS}


class ElementSink(Protocol):
    """What a reader tells, in the order of the data set. Values are little endian unless `little` says otherwise."""

    def element(self, tag: int, vr: str, length: int, little: bool) -> None:
        """An element of `length` value bytes begins. `vr` as declared, or from the dictionary if implicit."""
        ...

    def value(self, piece: memoryview) -> None:
        """The next bytes of the value; the buffer is reused afterwards."""
        ...

    def end_element(self) -> None:
        """The value is complete (also called for an empty one)."""
        ...

    def begin_sequence(self, tag: int, empty: bool) -> None:
        """A sequence begins; `empty` if it is known to hold no item."""
        ...

    def end_sequence(self) -> None:
        """The innermost sequence ends."""
        ...

    def begin_item(self, empty: bool) -> None:
        """An item begins; `empty` if it is known to hold no element."""
        ...

    def end_item(self) -> None:
        """The innermost item ends."""
        ...

    def encapsulated(self, tag: int) -> None:
        """Fragments of `tag` follow; they are passed over. May raise to refuse them."""
        ...


@dataclass(frozen=True, slots=True)
class Stop:
    """Where reading stopped: offsets of the element and of its value in the data set, declared VR and length."""

    offset: int
    value_offset: int
    vr: str
    length: int


class _Level:
    """One open data set, item, sequence or run of fragments. `end` is None where a delimiter ends it."""

    __slots__ = ("end", "fragments", "implicit", "items", "little")

    def __init__(self, *, end: int | None, implicit: bool, little: bool, items: bool, fragments: bool = False) -> None:
        self.end = end
        self.implicit = implicit
        self.little = little
        self.items = items  # holds items, not elements
        self.fragments = fragments


class ElementReader:
    """An incremental reader of one data set.

    `stop_at` is a tag of the outermost level before which reading stops (`stopped` then says where); data fed after
    that are ignored. Raises LeadglassError CANNOT_CONVERT on a structure that cannot be followed and on limits.
    """

    def __init__(self, sink: ElementSink, *, implicit: bool, little: bool, stop_at: int | None = None) -> None:
        self._sink = sink
        self._levels = [_Level(end=None, implicit=implicit, little=little, items=False)]
        self._waiting = b""  # an unfinished element header
        self._base = 0  # offset in the data set of the first byte that is not consumed
        self._remaining = 0  # bytes of the current value that are still to come
        self._in_value = False
        self._skipping = False
        self._elements = self._items = self._fragments = 0
        self._stop_at = stop_at
        self.stopped: Stop | None = None

    def feed(self, data: bytes | bytearray | memoryview) -> None:
        """Take more of the data set."""
        if self.stopped is not None:
            return
        view = memoryview(self._waiting + bytes(data)) if self._waiting else memoryview(data)
        position = 0
        while self.stopped is None:
            if self._in_value:
                taken = self._take(view[position:])
                position += taken
                self._base += taken
                if self._in_value:
                    break
            else:
                used = self._close_level() or self._header(view[position:])
                if used < 0:
                    break
                position += used
                self._base += used
        self._waiting = b"" if self.stopped is not None else bytes(view[position:])

    def finish(self) -> None:
        """The data set has ended. Raises if it ended inside an element, item or sequence."""
        while self._close_level():
            pass
        if self.stopped is None and (self._in_value or self._waiting or len(self._levels) > 1):
            raise broken("data set is cut short")

    def _take(self, view: memoryview) -> int:
        taken = min(self._remaining, len(view))
        if taken and not self._skipping:
            self._sink.value(view[:taken])
        self._remaining -= taken
        if not self._remaining:
            self._in_value = False
            if not self._skipping:
                self._sink.end_element()
            self._skipping = False
        return taken

    def _close_level(self) -> int:
        """End the levels whose length is used up; always 0, so that it can stand before `_header`."""
        while (end := self._levels[-1].end) is not None and self._base >= end:
            self._pop()
        return 0

    def _pop(self) -> None:
        level = self._levels.pop()
        if level.fragments:
            return
        if level.items:
            self._sink.end_sequence()
        else:
            self._sink.end_item()

    def _push(self, length: int, header: int, *, implicit: bool, little: bool, items: bool) -> None:
        if len(self._levels) > 2 * MAX_NESTING:
            raise broken("sequences are nested too deep")
        end = None if length == UNDEFINED_LENGTH else self._base + header + length
        self._levels.append(_Level(end=end, implicit=implicit, little=little, items=items))

    def _header(self, view: memoryview) -> int:
        """Read one header at the start of `view`: bytes used, or -1 if more are needed."""
        if len(view) < 8:
            return -1
        level = self._levels[-1]
        order: _ByteOrder = "little" if level.little else "big"
        tag = int.from_bytes(view[:2], order) << 16 | int.from_bytes(view[2:4], order)
        if level.items or tag >> 16 == DELIMITER_GROUP:
            return self._delimiter(level, tag, int.from_bytes(view[4:8], order))
        if level.implicit:
            vr, length, used = vr_of(tag), int.from_bytes(view[4:8], order), 8
        else:
            vr, length, used = _explicit(view, order)
            if used < 0:
                return -1
        if tag == self._stop_at and len(self._levels) == 1:
            self.stopped = Stop(self._base, self._base + used, vr, length)
            return 0
        self._elements += 1
        if self._elements > MAX_ELEMENTS:
            raise broken("data set has too many elements")
        self._begin(level, tag, vr, length, used)
        return used

    def _begin(self, level: _Level, tag: int, vr: str, length: int, used: int) -> None:
        self._check_fits(level, used, length)
        if length == UNDEFINED_LENGTH:
            self._begin_undefined(level, tag, vr, used)
        elif vr == "SQ":
            self._sink.begin_sequence(tag, length == 0)
            self._push(length, used, implicit=level.implicit, little=level.little, items=True)
        else:
            self._sink.element(tag, vr, length, level.little)
            self._remaining = length
            self._in_value = True

    def _begin_undefined(self, level: _Level, tag: int, vr: str, used: int) -> None:
        if vr == "SQ" or (vr == "UN" and level.implicit):
            self._sink.begin_sequence(tag, False)
            self._push(UNDEFINED_LENGTH, used, implicit=level.implicit, little=level.little, items=True)
        elif vr == "UN":  # PS3.5 6.2.2: its content is Implicit VR Little Endian
            self._sink.begin_sequence(tag, False)
            self._push(UNDEFINED_LENGTH, used, implicit=True, little=True, items=True)
        elif vr in ("OB", "OW") and not level.implicit and level.little:
            self._sink.encapsulated(tag)
            fragments = _Level(end=None, implicit=False, little=True, items=True, fragments=True)
            self._levels.append(fragments)
        else:
            raise broken("an element that is no sequence has undefined length")

    def _check_fits(self, level: _Level, used: int, length: int) -> None:
        if level.end is None:
            return
        needed = used if length == UNDEFINED_LENGTH else used + length
        if self._base + needed > level.end:
            raise broken("an element is longer than the item around it")

    def _delimiter(self, level: _Level, tag: int, length: int) -> int:
        if level.items and tag == ITEM:
            self._item(level, length)
        elif tag not in (ITEM_DELIMITER, SEQUENCE_DELIMITER) or length:
            raise broken("sequence holds something that is no item")
        elif level.end is None and len(self._levels) > 1:
            if level.items != (tag == SEQUENCE_DELIMITER):
                raise broken("a sequence or item ends with the wrong delimiter")
            self._pop()
        return 8  # a delimiter that nothing waits for is passed over

    def _item(self, level: _Level, length: int) -> None:
        self._check_fits(level, 8, length)
        if level.fragments:
            self._fragments += 1
            if length == UNDEFINED_LENGTH or self._fragments > MAX_FRAGMENTS:
                raise broken("pixel data fragments are malformed or too many")
            self._remaining = length
            self._in_value = self._skipping = True
            return
        self._items += 1
        if self._items > MAX_ITEMS:
            raise broken("data set has too many items")
        self._sink.begin_item(length == 0)
        self._push(length, 8, implicit=level.implicit, little=level.little, items=False)


def _explicit(view: memoryview, order: _ByteOrder) -> tuple[str, int, int]:
    """VR, value length and header length of an explicit VR element; header length -1 if more bytes are needed.

    A VR that is not known is written out with 32 bits of length (PS3.5 7.1.2) unless its reserved bytes are not
    zero: then it is one of the old two-byte form.
    """
    code = bytes(view[4:6])
    vr = _VRS.get(code)
    if vr in SHORT_VRS:
        return vr, int.from_bytes(view[6:8], order), 8
    if vr is None and not (code.isalpha() and code.isupper()):
        raise broken("an element has no value representation")
    if vr is None and (view[6] or view[7]):
        return "UN", int.from_bytes(view[6:8], order), 8
    if len(view) < 12:
        return "UN", 0, -1
    return vr or "UN", int.from_bytes(view[8:12], order), 12
