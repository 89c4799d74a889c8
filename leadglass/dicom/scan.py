"""The header scan of a data set as it arrives: the hot path of every store (PS3.5 chapter 7).

Strategy. A *run* is a stretch of plain, well-formed, ordered elements; it is read by one tight loop that does nothing
else. Whatever is not plain (sequences, items, delimiters, undefined lengths, defects, values that are not here yet)
ends the run and is taken by `_step`, one event at a time, which checks everything and raises every error. Levels lie
on an explicit stack; bulk values are counted, never held. What waits between two calls is one header or one catalogued
value. Errors are UNPARSABLE and carry no value of the data set.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from leadglass.core.errors import ErrorCode, LeadglassError
from leadglass.core.limits import (
    KIB,
    MAX_ELEMENTS,
    MAX_FRAGMENTS,
    MAX_HEADER_BYTES,
    MAX_INDEXED_VALUE,
    MAX_ITEMS,
    MAX_NESTING,
)
from leadglass.core.records import HeaderValue
from leadglass.dicom import index_keys
from leadglass.dicom.dictionary import vr_of
from leadglass.dicom.inflate import BoundedInflater
from leadglass.dicom.reencode import to_explicit_le
from leadglass.dicom.scan_encoding import (
    EXPLICIT_BE,
    EXPLICIT_LE,
    IMPLICIT_LE,
    SEQUENCE_TAGS,
    UNDEFINED,
    Encoding,
    to_little_endian,
)
from leadglass.dicom.transfer_syntaxes import lookup

PIXEL_DATA: Final = 0x7FE00010
PIXEL_TAGS: Final = frozenset({PIXEL_DATA, 0x7FE00008, 0x7FE00009})  # native, float, double float
STUDY_INSTANCE_UID: Final = 0x0020000D
PATIENT_ID: Final = 0x00100020
ISSUER_OF_PATIENT_ID: Final = 0x00100021

_ITEM: Final = 0xE000
_ITEM_END: Final = 0xE00D
_SEQUENCE_END: Final = 0xE0DD
_DELIMITERS: Final = 0xFFFE0000  # this group and the one above it hold no attributes
_FIRST: Final = 0x0007FFFF  # groups 0000..0007 do not belong in a data set (PS3.5 7.1): never part of a run
_WINDOW: Final = 16 * KIB  # what is made contiguous at a time: more than most headers
_FOREVER: Final = 1 << 62
_ODD_VRS: Final = frozenset({b"??", b"  ", b"--"})  # written by old software, with a 16-bit length

# What ends a run at the outermost level: catalogued attributes map to their VR, others of interest to none.
_WANTED: Final[dict[int, str]] = (
    {group << 16: "" for group in (*range(0x08, 0x60, 2), 0x7FE0)}
    | dict.fromkeys(PIXEL_TAGS, "")
    | {tag: vr_of(tag) for tag in index_keys.ALL}
)
_NOTHING: Final[dict[int, str]] = {}
_WANTED_GROUPS: Final = {
    group: {tag & 0xFFFF: vr for tag, vr in _WANTED.items() if tag >> 16 == group}
    for group in {t >> 16 for t in _WANTED}
}
_NO_GROUPS: Final[dict[int, dict[int, str]]] = {}
# The same in Implicit VR, where the dictionary alone says what is a sequence: those end a run at every level.
_SEQUENCES: Final[dict[int, str]] = dict.fromkeys(SEQUENCE_TAGS, "")
_WANTED_OR_SEQUENCE: Final[dict[int, str]] = _WANTED | _SEQUENCES
_IDENTITY: Final = frozenset({PATIENT_ID, ISSUER_OF_PATIENT_ID, STUDY_INSTANCE_UID, 0x00080016, 0x00080018})


# Kinds of level, in an order that is relied on; plain numbers, because they are compared for every event.
_DATA_SET: Final = 0
_IN_ITEM: Final = 1
_IN_SEQUENCE: Final = 2
_IN_FRAGMENTS: Final = 3


@dataclass(frozen=True, slots=True)
class HeaderScan:
    """What a scan found. `values` holds the catalogued attributes of the outermost level.

    `pixel_data_offset` is where the (float, double float) Pixel Data element begins in the data set, of the inflated
    one if it is deflated. `late_identity` says that an identifier came behind StudyInstanceUID though its tag is
    lower, after `HeaderScanner.identified` was true.
    """

    values: Mapping[int, HeaderValue]
    warnings: tuple[str, ...]
    pixel_data_offset: int | None
    elements: int
    late_identity: bool = False


def text_of(scan: HeaderScan, tag: int) -> str:
    """The value of `tag` as ASCII text without padding (UIDs, codes); empty if absent, "?" for what is not ASCII."""
    return text_in(scan.values, tag)


def text_in(values: Mapping[int, HeaderValue], tag: int) -> str:
    """The same of the values of a scan that still goes on."""
    value = values.get(tag)
    if value is None:
        return ""
    return value.raw.decode("ascii", "replace").replace("�", "?").strip(" \0")


def _unparsable(comment: str, tag: int | None = None) -> LeadglassError:
    return LeadglassError(ErrorCode.UNPARSABLE, comment, tags=() if tag is None else (tag,))


def _encoding_of(transfer_syntax_uid: str) -> Encoding:
    syntax = lookup(transfer_syntax_uid)
    if syntax is None:
        raise _unparsable("The transfer syntax is not known")
    if not syntax.explicit_vr:
        return IMPLICIT_LE
    return EXPLICIT_LE if syntax.little_endian else EXPLICIT_BE


class HeaderScanner:
    """Scans one data set. Feed it in order, in pieces of any size, then call `finish`.

    `feed` and `finish` raise LeadglassError UNPARSABLE; the scanner is of no use after that. Raises the same if
    `transfer_syntax_uid` is not in the registry.
    """

    def __init__(self, transfer_syntax_uid: str) -> None:
        encoding = _encoding_of(transfer_syntax_uid)
        syntax = lookup(transfer_syntax_uid)
        assert syntax is not None
        self._encapsulates = syntax.encapsulated
        self._inflater = BoundedInflater() if syntax.deflated else None

        # The level that is open, and those around it.
        self._kind = _DATA_SET
        self._limit = _FOREVER  # offset at which this level ends at the latest
        self._defined = False  # it ends there and not at a delimiter
        self._previous = _FIRST
        self._encoding = encoding
        self._stack: list[tuple[int, int, bool, int, Encoding]] = []
        self._wanted = _WANTED

        # Where the scan is.
        self._base = 0  # offset of the first byte that is not consumed
        self._tail = bytearray()
        self._need = 0  # length at which the tail is worth looking at
        self._skip = 0  # bytes of a value still to come

        # A catalogued sequence on its way by.
        self._capture: bytearray | None = None
        self._capture_tag = 0
        self._capture_depth = 0
        self._capture_encoding = encoding
        self._capture_from = 0  # in the window

        self._values: dict[int, HeaderValue] = {}
        self._warnings: dict[str, None] = {}
        self._pixel_data_offset: int | None = None
        self._late_identity = False
        self._group_end: int | None = None  # where the group length before says that its group ends
        self._odd = 0  # all lengths, or-ed
        self._elements = 0
        self._items = 0
        self._fragments = 0

    @property
    def identified(self) -> bool:
        """Whether StudyInstanceUID, and with it all that is sorted before it, was seen or passed."""
        return (self._stack[0][3] if self._stack else self._previous) >= STUDY_INSTANCE_UID

    @property
    def values(self) -> Mapping[int, HeaderValue]:
        """The catalogued attributes so far; they grow with the next `feed`."""
        return self._values

    @property
    def partial(self) -> HeaderScan:
        """What is known so far."""
        return HeaderScan(
            dict(self._values),
            tuple(self._warnings),
            self._pixel_data_offset,
            self._elements,
            self._late_identity,
        )

    def feed(self, data: bytes | bytearray | memoryview) -> None:
        """Take the next bytes of the data set; they are not kept."""
        length = len(data)
        if self._skip >= length and self._inflater is None and self._capture is None:
            self._skip -= length
            self._base += length
        elif self._inflater is None:
            self._take(memoryview(data))
        else:
            for piece in self._inflater.feed(memoryview(data)):
                self._take(memoryview(piece))

    def finish(self) -> HeaderScan:
        """The data set has ended: what was found. Raises UNPARSABLE if it ends inside something."""
        if self._inflater is not None:
            self._inflater.finish()
            if self._inflater.trailing:
                self._warn("Bytes follow the deflated stream")
        while self._stack and not self._skip and self._base == self._limit:
            self._end_at_limit(0, b"")
        # A few NULs are padding; big endian ones may as well be the start of a tag.
        padding = len(self._tail) < 8 and not self._tail.strip(b"\0") and self._encoding.little
        if self._skip or self._stack or (self._tail and not padding):
            raise _unparsable("The data set is cut short")
        if self._tail:
            self._warn("Padding follows the last attribute")
        if self._odd & 1:
            self._warn("A value has an odd length")
        return self.partial

    # --- bytes to windows ---

    def _take(self, view: memoryview) -> None:
        at, length = 0, len(view)
        while at < length:
            if self._skip:
                step = min(self._skip, length - at)
                if self._capture is not None:
                    self._gather(view[at : at + step])
                self._skip -= step
                self._base += step
                at += step
                continue
            waiting = len(self._tail)
            if waiting + length - at < self._need:
                self._tail += view[at:]
                return
            step = min(max(_WINDOW, self._need - waiting), length - at)
            window = bytes(self._tail + view[at : at + step]) if waiting else bytes(view[at : at + step])
            at += step
            self._walk(window)

    def _walk(self, window: bytes) -> None:
        """Read as much of `window` as can be; the rest becomes the tail."""
        position, end = 0, len(window)
        self._capture_from = 0
        self._need = 0
        while position < end:
            if self._kind <= _IN_ITEM and self._base + position < self._limit:
                if self._encoding.explicit:
                    position = self._explicit_run(window, position, end)
                else:
                    position = self._implicit_run(window, position, end)
                if self._elements > MAX_ELEMENTS:
                    raise _unparsable("The data set has too many attributes")
            taken = self._step(window, position, end)
            if taken < 0:
                break
            position += taken
        used = min(position, end)
        self._skip = position - used
        if self._capture is not None:
            self._gather(window[self._capture_from : used])
        self._tail = bytearray(window[used:])
        self._base += used
        if self._base > MAX_HEADER_BYTES and not self.identified:
            raise _unparsable("The Study Instance UID does not come in time", STUDY_INSTANCE_UID)

    def _gather(self, data: bytes | memoryview) -> None:
        """Keep bytes of the sequence that is captured, as long as it is not too long to catalogue."""
        capture = self._capture
        if capture is not None:
            if len(capture) + len(data) > MAX_INDEXED_VALUE:
                self._capture = None
                self._warn("A value is too long for the catalog")
            else:
                capture += data

    # --- runs ---

    def _explicit_run(self, window: bytes, position: int, end: int) -> int:
        """Read plain elements from `position` on; where the run ends. Made for speed: locals, no calls it can avoid."""
        encoding = self._encoding
        unpack, unpack_wide = encoding.header.unpack_from, encoding.wide.unpack_from
        short, long, names = encoding.short, encoding.long, encoding.names
        little, values, make, cls = encoding.little, self._values, tuple.__new__, HeaderValue
        groups = _NO_GROUPS if self._stack else _WANTED_GROUPS
        previous, odd, elements = self._previous, self._odd, 0
        current, highest, wanted = -1, 0, _NOTHING  # group, element before this one, catalogued elements of the group
        limit = min(end, self._limit - self._base)
        last = limit - 8
        while position <= last:
            group, element, code, length = unpack(window, position)
            if code in short:
                start = position + 8
            elif code in long and position <= last - 4:
                (length,) = unpack_wide(window, position + 8)
                start = position + 12
            else:
                break
            stop = start + length
            if stop > limit:
                break
            if group == current:
                if element <= highest:
                    break
            elif current < group < 0xFFFE and previous < group << 16 | element:
                wanted = groups.get(group, _NOTHING)
            else:
                break
            if element in wanted:
                vr = wanted[element]
                if vr != names[code]:
                    break
                raw = window[start:stop]
                values[group << 16 | element] = make(cls, (vr, raw if little else to_little_endian(vr, raw)))
            current, highest = group, element
            odd |= length
            elements += 1
            position = stop
        if elements:
            self._previous = current << 16 | highest
        self._odd = odd
        self._elements += elements
        return position

    def _implicit_run(self, window: bytes, position: int, end: int) -> int:
        """The same for Implicit VR Little Endian, where the dictionary says what is a sequence."""
        unpack = self._encoding.header.unpack_from
        special = _SEQUENCES if self._stack else _WANTED_OR_SEQUENCE
        values, make, cls = self._values, tuple.__new__, HeaderValue
        previous, odd, elements, too_high = self._previous, self._odd, 0, _DELIMITERS
        limit = min(end, self._limit - self._base)
        last = limit - 8
        while position <= last:
            group, element, length = unpack(window, position)
            tag = group << 16 | element
            start = position + 8
            stop = start + length
            if stop > limit or not previous < tag < too_high:
                break
            if tag in special:
                vr = special[tag]
                if not vr:
                    break
                values[tag] = make(cls, (vr, window[start:stop]))
            previous = tag
            odd |= length
            elements += 1
            position = stop
        self._previous, self._odd = previous, odd
        self._elements += elements
        return position

    # --- everything else, one event at a time ---

    def _step(self, window: bytes, position: int, end: int) -> int:
        """Read one header of any kind at `position`: bytes to go on by, or -1 if more bytes are needed."""
        room = self._limit - self._base - position
        if room == 0:
            self._end_at_limit(position, window)
            return 0
        if room < 8:
            raise _unparsable("An item does not end where its length says")
        if end - position < 8:
            self._need = 8
            return -1
        group, element, length = self._encoding.words.unpack_from(window, position)
        if group == 0xFFFE:
            return self._delimiter(window, position, element, length, room)
        tag = group << 16 | element
        if self._kind > _IN_ITEM:
            raise _unparsable("A sequence holds something that is not an item", tag)
        vr, length, header = self._header(window, position, tag)
        if header < 0:
            self._need = 12
            return -1
        return self._element(window, position, tag, vr, length, header, room)

    def _header(self, window: bytes, position: int, tag: int) -> tuple[str, int, int]:
        """VR, value length and header length of the element at `position`; header length -1: 12 bytes are needed."""
        encoding = self._encoding
        code = window[position + 4 : position + 6]
        letters = code.isalpha() and code.isupper()
        if not encoding.explicit:
            if letters and self._base + position == 0:  # a first value of 16 KiB or more: rather a VR
                raise _unparsable("The data set is not in the transfer syntax that it was sent as")
            return vr_of(tag), encoding.header.unpack_from(window, position)[2], 8
        number, length = encoding.header.unpack_from(window, position)[2:]
        if number in encoding.short:
            return encoding.short[number], length, 8
        if not letters:
            if code in _ODD_VRS:
                self._warn("A VR is not known")
                return "UN", length, 8
            raise _unparsable("The data set is not in the transfer syntax that it was sent as", tag)
        known = "SQ" if code == b"SQ" else encoding.long.get(number)
        if known is None:
            self._warn("A VR is not known")
            if length:  # VRs to come have 32 bits of length behind a zero (PS3.5 7.1.2): this one is not of them
                return "UN", length, 8
        if len(window) - position < 12:
            return "", 0, -1
        return known or "UN", encoding.wide.unpack_from(window, position + 8)[0], 12

    def _element(  # noqa: PLR0917 - a header is many numbers, and a tuple for them costs on the hot path
        self, window: bytes, position: int, tag: int, vr: str, length: int, header: int, room: int
    ) -> int:
        """Take an element of which the header is here."""
        if tag >= _DELIMITERS or tag >> 16 == 0:
            raise _unparsable("An attribute has a group that no data set has", tag)
        fits = header <= room if length == UNDEFINED else header + length <= room
        if not fits:
            raise _unparsable("An attribute is longer than the item around it", tag)
        outermost = not self._stack
        wanted = self._wanted.get(tag)
        group_length = outermost and tag & 0xFFFF == 0 and length == 4
        catalogued = wanted and length <= MAX_INDEXED_VALUE and vr != "SQ" and tag not in SEQUENCE_TAGS
        if (group_length or catalogued) and len(window) - position < header + length:
            self._need = header + length
            return -1
        self._elements += 1
        offset = self._base + position
        fresh = self._note_order(tag)
        if outermost and tag in PIXEL_TAGS:
            self._note_pixel_data(tag, offset, length)
        elif group_length:
            self._note_group_length(offset, offset + header + 4, window[position + header : position + header + 4])
        if length == UNDEFINED:
            self._begin_undefined(tag, vr, offset + header)
        elif vr == "SQ":
            self._push(_IN_SEQUENCE, offset + header + length, True, self._encoding, tag)
        else:
            self._odd |= length
            if wanted and fresh:
                self._keep(tag, vr, wanted, window[position + header : position + header + length], length)
            return header + length
        if wanted == "SQ" and fresh:
            self._begin_capture(tag, position + header)
        return header

    def _begin_undefined(self, tag: int, vr: str, start: int) -> None:
        if tag == PIXEL_DATA or (vr in ("OB", "OW") and self._encoding.explicit):
            if tag == PIXEL_DATA and not (self._encapsulates or self._stack):
                self._warn("Pixel data are encapsulated though the transfer syntax is not")
            self._push(_IN_FRAGMENTS, self._limit, False, self._encoding, tag)
        elif vr == "UN" and self._encoding.explicit:  # its content is Implicit VR Little Endian (PS3.5 6.2.2)
            self._push(_IN_SEQUENCE, self._limit, False, IMPLICIT_LE, tag)
        elif vr in ("SQ", "UN"):
            self._push(_IN_SEQUENCE, self._limit, False, self._encoding, tag)
        else:
            raise _unparsable("An attribute that is not a sequence has undefined length", tag)

    def _delimiter(self, window: bytes, position: int, element: int, length: int, room: int) -> int:
        """Take an item or a delimiter."""
        kind = self._kind
        if element == _ITEM:
            if kind == _IN_FRAGMENTS:
                return self._fragment(length, room)
            if kind != _IN_SEQUENCE:
                raise _unparsable("An item stands outside a sequence")
            if length != UNDEFINED and 8 + length > room:
                raise _unparsable("An item is longer than the sequence around it")
            self._begin_item(length, self._base + position + 8)
            return 8
        if element not in (_ITEM_END, _SEQUENCE_END):
            raise _unparsable("A delimiter is not known")
        if length:
            self._warn("A delimiter has a length")
        if element == _ITEM_END and kind == _IN_ITEM and not self._defined:
            self._pop()
        elif element == _SEQUENCE_END and kind >= _IN_SEQUENCE and not self._defined:
            self._end_sequence(window, position)
        elif element == _SEQUENCE_END and kind == _IN_ITEM and not self._defined and not self._stack[-1][2]:
            self._warn("A delimiter is missing")
            self._pop()
            self._end_sequence(window, position)
        elif kind == _IN_FRAGMENTS:
            raise _unparsable("Pixel data fragments are broken", PIXEL_DATA)
        else:
            self._elements += 1  # so that a million of them is bounded too
            if self._elements > MAX_ELEMENTS:
                raise _unparsable("The data set has too many attributes")
            self._warn("A delimiter stands where none belongs")
        return 8

    def _fragment(self, length: int, room: int) -> int:
        self._fragments += 1
        if self._fragments > MAX_FRAGMENTS:
            raise _unparsable("The pixel data have too many fragments", PIXEL_DATA)
        if length == UNDEFINED or 8 + length > room:
            raise _unparsable("A pixel data fragment has no good length", PIXEL_DATA)
        self._odd |= length
        return 8 + length

    def _begin_item(self, length: int, start: int) -> None:
        self._items += 1
        if self._items > MAX_ITEMS:
            raise _unparsable("The data set has too many items")
        if length == UNDEFINED:
            self._push(_IN_ITEM, self._limit, False, self._encoding, 0)
        elif length:
            self._push(_IN_ITEM, start + length, True, self._encoding, 0)

    # --- levels ---

    def _push(self, kind: int, limit: int, defined: bool, encoding: Encoding, tag: int) -> None:
        if len(self._stack) >= 2 * MAX_NESTING:  # a sequence and its item are two levels
            raise _unparsable("Sequences are nested too deep", tag)
        self._stack.append((self._kind, self._limit, self._defined, self._previous, self._encoding))
        self._kind, self._limit, self._defined, self._encoding = kind, limit, defined, encoding
        self._previous = _FIRST
        self._wanted = _NOTHING

    def _pop(self) -> None:
        self._kind, self._limit, self._defined, self._previous, self._encoding = self._stack.pop()
        if not self._stack:
            self._wanted = _WANTED

    def _end_at_limit(self, position: int, window: bytes) -> None:
        """The open level has reached the end that a length gave it or one around it."""
        if not self._defined:
            self._warn("A delimiter is missing")
        if self._kind == _IN_ITEM:
            self._pop()
        else:
            self._end_sequence(window, position)

    def _end_sequence(self, window: bytes, position: int) -> None:
        if self._capture is not None and self._capture_depth == len(self._stack):
            self._gather(window[self._capture_from : position])
            if self._capture is not None:
                self._keep_sequence(bytes(self._capture))
            self._capture = None
        self._pop()

    # --- what is kept ---

    def _begin_capture(self, tag: int, start: int) -> None:
        self._capture = bytearray()
        self._capture_tag = tag
        self._capture_depth = len(self._stack)
        self._capture_encoding = self._encoding
        self._capture_from = start

    def _keep_sequence(self, raw: bytes) -> None:
        encoding = self._capture_encoding
        if encoding is not EXPLICIT_LE and raw:
            try:
                raw = to_explicit_le(self._capture_tag, raw, encoding)
            except LeadglassError:
                self._warn("A sequence cannot be catalogued")
                return
            if len(raw) > 2 * MAX_INDEXED_VALUE:
                self._warn("A value is too long for the catalog")
                return
        self._values[self._capture_tag] = HeaderValue("SQ", raw)

    def _keep(self, tag: int, vr: str, expected: str, raw: bytes, length: int) -> None:
        if length > MAX_INDEXED_VALUE:
            self._warn("A value is too long for the catalog")
        elif expected == "SQ":
            self._warn("A sequence cannot be catalogued")
        elif vr == "UN":  # what it holds is as in Implicit VR Little Endian (PS3.5 6.2.2)
            self._values[tag] = HeaderValue(expected, raw)
        else:
            if vr != expected:
                self._warn("An attribute has another VR than the standard says")
            self._values[tag] = HeaderValue(vr, raw if self._encoding.little else to_little_endian(vr, raw))

    def _note_order(self, tag: int) -> bool:
        """Keep track of the order of tags; whether `tag` may be new at this level."""
        previous = self._previous
        if tag > previous:
            self._previous = tag
            return True
        if tag <= _FIRST:
            self._warn("An attribute has a group that does not belong in a data set")
            return False
        repeated = tag == previous or (not self._stack and tag in self._values)
        self._warn("An attribute is repeated" if repeated else "Attributes are out of order")
        if not (repeated or self._stack) and tag in _IDENTITY and previous >= STUDY_INSTANCE_UID:
            self._late_identity = True
        return not repeated

    def _note_pixel_data(self, tag: int, offset: int, length: int) -> None:
        if self._pixel_data_offset is None:
            self._pixel_data_offset = offset
        if tag == PIXEL_DATA and self._encapsulates and length != UNDEFINED:
            self._warn("Pixel data are native though the transfer syntax encapsulates them")

    def _note_group_length(self, offset: int, start: int, raw: bytes) -> None:
        """Group lengths are never relied on (PS3.5 7.2); one that the next one shows to be wrong is noted."""
        if self._group_end is not None and self._group_end != offset:
            self._warn("A group length is wrong")
        self._group_end = start + int.from_bytes(raw, "little" if self._encoding.little else "big")

    def _warn(self, text: str) -> None:
        self._warnings[text] = None
