"""What the readers of DICOM JSON and Native XML share: checked tags, VRs and values, bounds, and what they make."""

from __future__ import annotations

import binascii
import math
import re
from base64 import b64decode
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from leadglass.core.attributes import Attribute, AttributeSet
from leadglass.core.limits import MAX_ELEMENTS, MAX_ITEMS, MAX_MODEL_DOCUMENT, MAX_MODEL_VALUES, MAX_NESTING
from leadglass.dicom.charset import UTF_8
from leadglass.dicom.index_keys import SPECIFIC_CHARACTER_SET
from leadglass.dicom.numbers import NUMBER_VRS
from leadglass.dicom.scan_encoding import LONG_VRS, SHORT_VRS
from leadglass.dicom.values import BYTES_VRS, decode_raw
from leadglass.dicom.walk import unparsable

TRANSFER_SYNTAX_UID: Final = 0x00020010

_VRS: Final = frozenset((*SHORT_VRS, *LONG_VRS, "SQ"))
_TAG: Final = re.compile(r"[0-9A-Fa-f]{8}")
_FLOATS: Final = frozenset({"FL", "FD"})
_LONGEST_DECIMAL: Final = 16  # characters of a DS (PS3.5 6.2)
_LONGEST_URI: Final = 2048
_NO_DATA_SET_GROUPS: Final = frozenset({0x0000, 0x0002})


@dataclass(frozen=True, slots=True)
class BulkReference:
    """A value that stands elsewhere. `path` says where it belongs, as in dicom.bulk."""

    path: str
    tag: int
    vr: str
    uri: str


@dataclass(frozen=True, slots=True)
class ReadModel:
    """A data set that was read. Attributes of `references` are there without a value; `transfer_syntax_uid` is what
    the model says of its bulk data in (0002,0010), else empty."""

    attributes: AttributeSet
    references: tuple[BulkReference, ...] = ()
    transfer_syntax_uid: str = ""


def check_size(document: bytes) -> None:
    """Refuse a document that would take too much memory to read."""
    if len(document) > MAX_MODEL_DOCUMENT:
        raise unparsable("The metadata are longer than their limit")


def tag_of(text: str) -> int:
    """A tag of eight hex digits that a data set may hold."""
    if _TAG.fullmatch(text) is None:
        raise unparsable("A tag is not eight hex digits")
    tag = int(text, 16)
    if tag >= 0xFFFE0000:
        raise unparsable("An attribute has a group that no data set has", tag)
    return tag


def vr_of_text(text: object, tag: int) -> str:
    """A VR that is known."""
    if not isinstance(text, str) or text not in _VRS:
        raise unparsable("A value representation is not known", tag)
    return text


class Gatherer:
    """Gathers one data set: counts against core.limits, keeps references, leaves out what does not belong."""

    def __init__(self) -> None:
        self._elements = self._items = self._values = 0
        self.references: list[BulkReference] = []
        self.transfer_syntax_uid = ""

    def count_item(self, depth: int) -> None:
        """An item begins in a sequence at `depth`."""
        self._items += 1
        if self._items > MAX_ITEMS or depth >= MAX_NESTING:
            raise unparsable("Sequences are nested too deep, or hold too many items")

    def count_values(self, count: int) -> None:
        """So many values more."""
        self._values += count
        if self._values > MAX_MODEL_VALUES:
            raise unparsable("The metadata have too many values")

    def put(self, level: dict[int, Attribute], tag: int, attribute: Attribute, *, outermost: bool) -> None:
        """Add an attribute to its level."""
        self._elements += 1
        if self._elements > MAX_ELEMENTS:
            raise unparsable("The data set has too many attributes")
        if tag in level:
            raise unparsable("An attribute is repeated", tag)
        if tag == TRANSFER_SYNTAX_UID and outermost and len(attribute.values) == 1:
            self.transfer_syntax_uid = str(attribute.values[0])
        if tag == SPECIFIC_CHARACTER_SET:  # the model is Unicode, whatever it says; it is written once, as UTF-8
            attribute = Attribute("CS", (UTF_8,))
        level[tag] = attribute

    def refer(self, path: str, tag: int, vr: str, uri: str) -> Attribute:
        """A value that stands elsewhere."""
        if vr == "SQ" or tag == SPECIFIC_CHARACTER_SET or not uri or len(uri) > _LONGEST_URI:
            raise unparsable("A bulk data reference is malformed", tag)
        self.references.append(BulkReference(path, tag, vr, uri))
        return Attribute(vr)

    def result(self, attributes: dict[int, Attribute]) -> ReadModel:
        """The data set whose outermost level is `attributes`."""
        return ReadModel(cleaned(attributes, outermost=True), tuple(self.references), self.transfer_syntax_uid)


def cleaned(attributes: dict[int, Attribute], *, outermost: bool) -> dict[int, Attribute]:
    """A level, ascending, without group lengths, groups 0000 and 0002, and (0008,0005) of items."""
    return {
        tag: attributes[tag]
        for tag in sorted(attributes)
        if tag & 0xFFFF and tag >> 16 not in _NO_DATA_SET_GROUPS and (outermost or tag != SPECIFIC_CHARACTER_SET)
    }


def inline(vr: str, text: str, tag: int) -> Attribute:
    """An InlineBinary. Of a text VR it is the text in UTF-8 (see dicom.xml_model)."""
    try:
        raw = b64decode("".join(text.split()), validate=True)
    except (binascii.Error, ValueError):
        raise unparsable("An inline value is not base64", tag) from None
    if vr == "SQ":
        raise unparsable("A sequence has a binary value", tag)
    if vr in BYTES_VRS or vr in NUMBER_VRS:
        return Attribute(vr, (raw,) if raw else ())
    return decode_raw(vr, raw, (UTF_8,))


def plain(vr: str, texts: Sequence[str], tag: int) -> Attribute:
    """Values that came as text."""
    if vr in BYTES_VRS:
        raise unparsable("A binary value stands as text", tag)
    if vr in NUMBER_VRS:
        texts = [number(vr, text, tag) for text in texts]
    return Attribute(vr, tuple(texts))


def number(vr: str, text: str, tag: int) -> str:
    """A number in the form of core.attributes; a DS rounded to its 16 characters if need be."""
    text = text.strip()
    try:
        if vr == "AT":
            if _TAG.fullmatch(text):
                return text.upper()
        elif vr in _FLOATS:
            return repr(float(text or "nan"))  # some write what is not a number as null
        elif vr == "DS":
            return _decimal(text)
        elif text.lstrip("+-").isdecimal():
            return text
        elif (value := float(text)).is_integer() and abs(value) < 2**53:
            return str(int(value))
    except ValueError:
        pass
    raise unparsable("A number is malformed", tag)


def _decimal(text: str) -> str:
    """A decimal in 16 characters, rounded where it must be."""
    if len(text) <= _LONGEST_DECIMAL:
        return text
    value = float(text)
    if math.isfinite(value):
        for digits in range(16, 8, -1):
            rounded = f"{value:.{digits}g}"
            if len(rounded) <= _LONGEST_DECIMAL:
                return rounded
    raise ValueError
