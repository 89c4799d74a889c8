"""Writes elements in one of the native encodings: the far end of a conversion (PS3.5 chapter 7, annex A)."""

from __future__ import annotations

import struct
from array import array
from typing import Final

from leadglass.dicom.dictionary import AMBIGUOUS_TAGS
from leadglass.dicom.elements import (
    ITEM,
    ITEM_DELIMITER,
    SEQUENCE_DELIMITER,
    SHORT_VRS,
    UNDEFINED_LENGTH,
    ElementSink,
)
from leadglass.dicom.refusal import broken

PIXEL_REPRESENTATION: Final = 0x00280103
LUT_DESCRIPTOR: Final = 0x00283002
LUT_DATA: Final = 0x00283006
_REMEMBERED: Final = frozenset({PIXEL_REPRESENTATION, LUT_DESCRIPTOR})

_WIDTHS: Final = (
    dict.fromkeys(("AT", "OW", "SS", "US"), 2)
    | dict.fromkeys(("FL", "OF", "OL", "SL", "UL"), 4)
    | dict.fromkeys(("FD", "OD", "OV", "SV", "UV"), 8)
)
_ARRAY_CODES: Final = {2: "H", 4: "I", 8: "Q"}
_SPACE_PADDED: Final = frozenset(
    "AE AS CS DA DS DT IS LO LT PN SH ST TM UC UR UT".split()  # noqa: SIM905 - reads like the table
)
_LONGEST_SHORT: Final = 0xFFFE  # PS3.5 6.2.2 note: a longer value of a VR with 16 bits of length is written as UN


class _Layout:
    """Element headers in one byte order: without VR, with 16 bits of length, with 32."""

    def __init__(self, order: str) -> None:
        self.plain: Final = struct.Struct(order + "HHL")
        self.short: Final = struct.Struct(order + "HH2sH")
        self.long: Final = struct.Struct(order + "HH2s2xL")


_LAYOUTS: Final = {True: _Layout("<"), False: _Layout(">")}


class _Scope:
    """What elements of one data set or item decide about later ones beside and below them."""

    __slots__ = ("lut_entries", "signed")

    def __init__(self, signed: bool, lut_entries: int | None = None) -> None:
        self.signed = signed
        self.lut_entries = lut_entries


class Encoder(ElementSink):
    """Writes what it is told in one native encoding; `drain` gives the bytes so far.

    `vr_is_guess`: the source is implicit, so the VRs that the dictionary leaves open are decided here, by Pixel
    Representation where it was met and by `signed` before that.
    """

    def __init__(self, *, implicit: bool, little: bool, vr_is_guess: bool, signed: bool) -> None:
        self._out = bytearray()
        self._implicit = implicit
        self._little = little
        self._vr_is_guess = vr_is_guess
        self._layout = _LAYOUTS[little]
        self._scopes = [_Scope(signed)]
        self._empty: list[bool] = []  # of the open sequences and items
        self._tag = 0
        self._value_little = True
        self._pad = b""
        self._width = 1  # bytes per number that must be turned round, 1 for none
        self._carry = b""  # a number that has arrived in part
        self._dropped = False
        self._remembered: bytearray | None = None

    def drain(self) -> bytes:
        """The bytes written since the last call."""
        out = bytes(self._out)
        self._out.clear()
        return out

    def element(self, tag: int, vr: str, length: int, little: bool) -> None:
        """See ElementSink."""
        self._dropped = tag & 0xFFFF == 0
        if self._dropped:
            return
        if self._vr_is_guess and not self._implicit:
            vr = self._decide(tag, vr, length)
        self._pad = b"" if length % 2 == 0 else b" " if vr in _SPACE_PADDED else b"\0"
        self._width = 1 if little == self._little else _WIDTHS.get(vr, 1)
        self._tag, self._value_little = tag, little
        self._remembered = bytearray() if tag in _REMEMBERED and length <= 16 else None
        self._write_header(tag, vr, length + len(self._pad))

    def value(self, piece: memoryview) -> None:
        """See ElementSink."""
        if self._dropped:
            return
        if self._remembered is not None:
            self._remembered += piece
        if self._width == 1:
            self._out += piece
            return
        data = self._carry + bytes(piece)
        whole = len(data) - len(data) % self._width
        self._carry = data[whole:]
        numbers = array(_ARRAY_CODES[self._width], data[:whole])
        numbers.byteswap()
        self._out += numbers.tobytes()

    def end_element(self) -> None:
        """See ElementSink."""
        if self._dropped:
            return
        self._out += self._carry + self._pad  # a carry is left only where the length lies about the VR
        self._carry = b""
        if self._remembered is not None:
            self._remember(bytes(self._remembered))

    def begin_sequence(self, tag: int, empty: bool) -> None:
        """See ElementSink."""
        self._write_header(tag, "SQ", 0 if empty else UNDEFINED_LENGTH)
        self._empty.append(empty)

    def end_sequence(self) -> None:
        """See ElementSink."""
        if not self._empty.pop():
            self._write_mark(SEQUENCE_DELIMITER, 0)

    def begin_item(self, empty: bool) -> None:
        """See ElementSink."""
        self._write_mark(ITEM, 0 if empty else UNDEFINED_LENGTH)
        self._empty.append(empty)
        self._scopes.append(_Scope(self._scopes[-1].signed))

    def end_item(self) -> None:
        """See ElementSink."""
        self._scopes.pop()
        if not self._empty.pop():
            self._write_mark(ITEM_DELIMITER, 0)

    def encapsulated(self, tag: int) -> None:
        """See ElementSink."""
        raise broken("compressed pixels cannot be written in this transfer syntax")

    def _decide(self, tag: int, vr: str, length: int) -> str:
        """The explicit VR of an element that came without one (PS3.5 annex A.1, PS3.3 C.7.6.3, C.11.1)."""
        scope = self._scopes[-1]
        if tag == LUT_DATA:
            vr = "US" if scope.lut_entries == 1 and length <= _LONGEST_SHORT else "OW"
        elif vr == "US" and tag in AMBIGUOUS_TAGS and scope.signed:
            vr = "SS"
        return "UN" if length > _LONGEST_SHORT and vr in SHORT_VRS else vr

    def _remember(self, value: bytes) -> None:
        if len(value) < 2:
            return
        first = int.from_bytes(value[:2], "little" if self._value_little else "big")
        if self._tag == PIXEL_REPRESENTATION:
            self._scopes[-1].signed = first == 1
        else:
            self._scopes[-1].lut_entries = first

    def _write_mark(self, tag: int, length: int) -> None:
        self._out += self._layout.plain.pack(tag >> 16, tag & 0xFFFF, length)

    def _write_header(self, tag: int, vr: str, length: int) -> None:
        group, element = tag >> 16, tag & 0xFFFF
        if self._implicit:
            self._out += self._layout.plain.pack(group, element, length)
        elif vr in SHORT_VRS:
            self._out += self._layout.short.pack(group, element, vr.encode(), length)
        else:
            self._out += self._layout.long.pack(group, element, vr.encode(), length)
