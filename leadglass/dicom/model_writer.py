"""Writes a data set that came as a model and bulk data: Explicit VR Little Endian, UTF-8, streamed.

Bulk data of the outermost level, which may be large, pass through in pieces; those of items are held in memory, within
core.limits.MAX_RESOLVED_BULK together.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias

from leadglass.core.attributes import Attribute, AttributeSet
from leadglass.core.limits import MAX_FRAGMENTS, MAX_RESOLVED_BULK
from leadglass.dicom.charset import TEXT_VRS, UTF_8
from leadglass.dicom.elements import ITEM, SEQUENCE_DELIMITER, UNDEFINED_LENGTH
from leadglass.dicom.index_keys import SPECIFIC_CHARACTER_SET
from leadglass.dicom.model_reader import BulkReference, ReadModel
from leadglass.dicom.pixels import PIXEL_DATA
from leadglass.dicom.scan_encoding import EXPLICIT_LE
from leadglass.dicom.values import explicit_le_header, needs_character_set, padding, write_explicit_le
from leadglass.dicom.walk import unparsable

_LONGEST_VALUE: Final = 0xFFFFFFFE  # PS3.5 7.1.1


@dataclass(frozen=True, slots=True)
class Bulk:
    """A value by its length and its bytes in pieces, little endian, text in UTF-8; padding is not needed."""

    length: int
    pieces: Iterable[bytes]


@dataclass(frozen=True, slots=True)
class Fragments:
    """Compressed pixel data: one fragment per frame, in order, each of which is a Bulk."""

    frames: Iterable[Bulk]


Resolve: TypeAlias = Callable[[BulkReference], "Bulk | Fragments"]


def data_set_pieces(model: ReadModel, resolve: Resolve) -> Iterator[bytes]:
    """The data set of `model` in pieces. `resolve` is asked for the value of each reference, in the order of tags at
    the outermost level and before them all for items; it may raise.

    (0008,0005) is written where a text needs it or the model has it. Raises LeadglassError CANNOT_CONVERT if a text or
    number cannot be written, UNPARSABLE if a bulk value is not as long as it says, too long, or is fragments where
    those do not belong.
    """
    outermost = {reference.tag: reference for reference in model.references if "/" not in reference.path}
    attributes = dict(_Filler(model, resolve).filled(model.attributes, "") if model.references else model.attributes)
    if needs_character_set(attributes) or any(reference.vr in TEXT_VRS for reference in model.references):
        attributes[SPECIFIC_CHARACTER_SET] = Attribute("CS", (UTF_8,))
    waiting: dict[int, Attribute] = {}
    for tag in sorted(attributes):
        if tag not in outermost:
            waiting[tag] = attributes[tag]
            continue
        yield write_explicit_le(waiting)
        waiting = {}
        yield from _bulk_element(outermost[tag], resolve(outermost[tag]))
    yield write_explicit_le(waiting)


def _bulk_element(reference: BulkReference, found: Bulk | Fragments) -> Iterator[bytes]:
    if isinstance(found, Fragments):
        if reference.tag != PIXEL_DATA:
            raise unparsable("Compressed bulk data stand for something other than pixel data", reference.tag)
        yield explicit_le_header(PIXEL_DATA, "OB", UNDEFINED_LENGTH) + _mark(ITEM, 0)
        for number, frame in enumerate(found.frames):
            if number >= MAX_FRAGMENTS:
                raise unparsable("The pixel data have too many fragments", PIXEL_DATA)
            yield _mark(ITEM, _even(frame.length, reference.tag))
            yield from _whole(frame, reference.tag, "OB")
        yield _mark(SEQUENCE_DELIMITER, 0)
        return
    yield explicit_le_header(reference.tag, reference.vr, _even(found.length, reference.tag))
    yield from _whole(found, reference.tag, reference.vr)


def _even(length: int, tag: int) -> int:
    if not 0 <= length <= _LONGEST_VALUE:
        raise unparsable("A bulk data value is too long", tag)
    return length + length % 2


def _mark(tag: int, length: int) -> bytes:
    return EXPLICIT_LE.words.pack(tag >> 16, tag & 0xFFFF, length)


def _whole(bulk: Bulk, tag: int, vr: str) -> Iterator[bytes]:
    """The pieces, which must be as long together as they should, and padding."""
    left = bulk.length
    for piece in bulk.pieces:
        left -= len(piece)
        if left < 0:
            break
        yield piece
    if left:
        raise unparsable("A bulk data value is not as long as it says", tag)
    yield padding(vr, bulk.length)


class _Filler:
    """Puts bulk data into items."""

    def __init__(self, model: ReadModel, resolve: Resolve) -> None:
        self._nested: Mapping[str, BulkReference] = {r.path: r for r in model.references if "/" in r.path}
        self._resolve = resolve
        self._room = MAX_RESOLVED_BULK

    def filled(self, attributes: AttributeSet, path: str) -> AttributeSet:
        """`attributes` with the values of references below `path` in their places."""
        if not self._nested:
            return attributes
        return {tag: self._attribute(attribute, f"{path}{tag:08X}") for tag, attribute in attributes.items()}

    def _attribute(self, attribute: Attribute, path: str) -> Attribute:
        if attribute.vr == "SQ":
            items = enumerate(attribute.values, 1)
            filled = tuple(self.filled(v, f"{path}/{n}/") if isinstance(v, Mapping) else v for n, v in items)
            return Attribute("SQ", filled)
        reference = self._nested.get(path)
        return attribute if reference is None else Attribute(attribute.vr, (self._bytes(reference),))

    def _bytes(self, reference: BulkReference) -> bytes:
        found = self._resolve(reference)
        if isinstance(found, Fragments):
            raise unparsable("Compressed bulk data stand inside a sequence", reference.tag)
        self._room -= _even(found.length, reference.tag)
        if self._room < 0:
            raise unparsable("Bulk data inside sequences are longer than their limit", reference.tag)
        return b"".join(_whole(found, reference.tag, reference.vr))
