"""How the scan reads element headers in each encoding (PS3.5 7.1): struct formats and VR tables, made once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from struct import Struct
from typing import Final

from leadglass.dicom.dictionary import STANDARD_VR

UNDEFINED: Final = 0xFFFFFFFF

SHORT_VRS: Final = ("AE", "AS", "AT", "CS", "DA", "DS", "DT", "FL", "FD", "IS", "LO", "LT", "PN", "SH", "SL", "SS",
                    "ST", "TM", "UI", "UL", "US")  # fmt: skip
LONG_VRS: Final = ("OB", "OD", "OF", "OL", "OV", "OW", "SV", "UC", "UN", "UR", "UT", "UV")  # SQ is told apart

# Widths of the binary numbers in a value, for big endian ones to be turned round (PS3.5 7.3). AT is two of 16 bits.
_WIDTHS: Final = {"US": 2, "SS": 2, "OW": 2, "AT": 2, "UL": 4, "SL": 4, "FL": 4, "OL": 4, "OF": 4,
                  "FD": 8, "OD": 8, "OV": 8, "SV": 8, "UV": 8}  # fmt: skip

SEQUENCE_TAGS: Final = frozenset(tag for tag, vr in STANDARD_VR.items() if vr == "SQ")


@dataclass(frozen=True, slots=True)
class Encoding:
    """One of the three encodings. `short`, `long` and `names` (both) map the VR, read as a number, to its name."""

    explicit: bool
    little: bool
    header: Struct  # explicit: group, element, VR, 16-bit length; implicit: group, element, 32-bit length
    words: Struct  # group, element, 32-bit length: items and delimiters have no VR in any encoding (PS3.5 7.5)
    wide: Struct
    short: Mapping[int, str]
    long: Mapping[int, str]
    names: Mapping[int, str]


def _numbered(names: tuple[str, ...], order: str) -> dict[int, str]:
    number = Struct(order + "H")
    return {number.unpack(name.encode())[0]: name for name in names}


def _encoding(explicit: bool, order: str) -> Encoding:
    return Encoding(
        explicit=explicit,
        little=order == "<",
        header=Struct(order + ("HHHH" if explicit else "HHI")),
        words=Struct(order + "HHI"),
        wide=Struct(order + "I"),
        short=_numbered(SHORT_VRS, order) if explicit else {},
        long=_numbered(LONG_VRS, order) if explicit else {},
        names=_numbered(SHORT_VRS + LONG_VRS, order) if explicit else {},
    )


EXPLICIT_LE: Final = _encoding(True, "<")
EXPLICIT_BE: Final = _encoding(True, ">")
IMPLICIT_LE: Final = _encoding(False, "<")


def to_little_endian(vr: str, raw: bytes) -> bytes:
    """`raw`, a big endian value of `vr`, with its numbers little endian; a ragged end is left out."""
    width = _WIDTHS.get(vr)
    if width is None:
        return raw
    whole = len(raw) - len(raw) % width
    turned = bytearray(whole)
    for place in range(width):
        turned[place::width] = raw[width - 1 - place : whole : width]
    return bytes(turned)
