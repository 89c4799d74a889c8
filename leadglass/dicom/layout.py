"""Where the pixel data of a stored instance lie and what they are, to serve frames without parsing again."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import astuple, dataclass
from typing import Any, Final

from leadglass.core.ports import PixelDescription
from leadglass.dicom import pixels
from leadglass.dicom.scan_encoding import UNDEFINED
from leadglass.dicom.walk import unparsable

FLOAT_PIXEL_DATA: Final = 0x7FE00008
DOUBLE_FLOAT_PIXEL_DATA: Final = 0x7FE00009
PIXEL_TAGS: Final = frozenset({pixels.PIXEL_DATA, FLOAT_PIXEL_DATA, DOUBLE_FLOAT_PIXEL_DATA})
OFFSET_TABLES: Final = frozenset(
    {pixels.EXTENDED_OFFSET_TABLE, pixels.EXTENDED_OFFSET_TABLE_LENGTHS, pixels.ENCAPSULATED_TOTAL_LENGTH}
)

_NUMBERS: Final = (
    pixels.ROWS,
    pixels.COLUMNS,
    pixels.SAMPLES_PER_PIXEL,
    pixels.BITS_ALLOCATED,
    pixels.BITS_STORED,
    pixels.PIXEL_REPRESENTATION,
    pixels.PLANAR_CONFIGURATION,
)
DESCRIBING: Final = frozenset({*_NUMBERS, pixels.NUMBER_OF_FRAMES, pixels.PHOTOMETRIC_INTERPRETATION})
MAX_DESCRIBING: Final = 64  # bytes of a value of these attributes
_MAX_FRAMES: Final = 0x7FFFFFFF  # an IS has 32 bits with its sign
_FORMAT: Final = 1
_BINARY: Final = struct.Struct("<B65s16sIB2sQQIQQQQ7HI")


@dataclass(frozen=True, slots=True)
class InstanceLayout:
    """Where pixel data lie in the (for deflated ones: inflated) data set, and what the image pixel module says.

    `pixel_tag` is 0 where there are no pixel data. `value_length` is scan_encoding.UNDEFINED where fragments stand at
    `value_offset`, which then is that of the Basic Offset Table item. `extended_offsets` and `extended_lengths` are
    (offset, length) of the Extended Offset Table's values, (0, 0) if absent. Numbers that are absent or malformed are
    0; `number_of_frames` is 1 where the attribute is absent.
    """

    transfer_syntax_uid: str
    photometric_interpretation: str
    pixel_tag: int
    deflated: bool
    vr: str
    element_offset: int
    value_offset: int
    value_length: int
    extended_offsets: tuple[int, int]
    extended_lengths: tuple[int, int]
    rows: int
    columns: int
    samples_per_pixel: int
    bits_allocated: int
    bits_stored: int
    pixel_representation: int
    planar_configuration: int
    number_of_frames: int

    @property
    def encapsulated(self) -> bool:
        """Whether the pixel data are fragments."""
        return self.pixel_tag != 0 and self.value_length == UNDEFINED

    def description(self) -> PixelDescription:
        """What a decoder is told. Raises LeadglassError CANNOT_CONVERT if it is contradictory or over limits."""
        description = PixelDescription(
            transfer_syntax_uid=self.transfer_syntax_uid,
            rows=self.rows,
            columns=self.columns,
            samples_per_pixel=self.samples_per_pixel,
            bits_allocated=self.bits_allocated,
            bits_stored=self.bits_stored,
            pixel_representation=self.pixel_representation,
            photometric_interpretation=self.photometric_interpretation,
            planar_configuration=self.planar_configuration,
            number_of_frames=self.number_of_frames,
        )
        pixels.check(description)
        return description

    def to_bytes(self) -> bytes:
        """The layout in 159 bytes (docs/formats/layout.md)."""
        texts = (self.transfer_syntax_uid.encode(), self.photometric_interpretation.encode())
        flat = [part for value in astuple(self)[2:] for part in (value if isinstance(value, tuple) else (value,))]
        flat[2] = self.vr.encode()
        return _BINARY.pack(_FORMAT, *texts, *flat)

    @classmethod
    def from_bytes(cls, data: bytes) -> InstanceLayout:
        """The layout that `to_bytes` wrote. Raises LeadglassError UNPARSABLE if it is none."""
        if len(data) != _BINARY.size or data[0] != _FORMAT:
            raise unparsable("The layout of an instance is not in a known form")
        _, syntax, photometric, tag, deflated, vr, *rest = _BINARY.unpack(data)
        try:
            texts = [text.rstrip(b"\0").decode("ascii") for text in (syntax, photometric, vr)]
        except UnicodeDecodeError:
            raise unparsable("The layout of an instance is not in a known form") from None
        element, start, length, *tables = rest[:7]
        values: list[Any] = [*texts[:2], tag, bool(deflated), texts[2], element, start, length]
        values += [(tables[0], tables[1]), (tables[2], tables[3]), *rest[7:]]
        return cls(*values)


@dataclass(slots=True)
class PixelPlace:
    """Where a walk met pixel data and offset tables."""

    tag: int = 0
    vr: str = ""
    element_offset: int = 0
    value_offset: int = 0
    value_length: int = 0
    extended_offsets: tuple[int, int] = (0, 0)
    extended_lengths: tuple[int, int] = (0, 0)

    def note(self, tag: int, vr: str, at: int, start: int, length: int) -> None:
        """An element of the outermost level stands at `at`, its value of `length` bytes at `start`. What comes first
        counts."""
        if tag in PIXEL_TAGS and not self.tag:
            self.tag, self.vr, self.element_offset, self.value_offset, self.value_length = tag, vr, at, start, length
        elif tag == pixels.EXTENDED_OFFSET_TABLE and length != UNDEFINED:
            self.extended_offsets = (start, length)
        elif tag == pixels.EXTENDED_OFFSET_TABLE_LENGTHS and length != UNDEFINED:
            self.extended_lengths = (start, length)


def layout_of(
    transfer_syntax_uid: str, values: Mapping[int, bytes], place: PixelPlace, *, little: bool, deflated: bool
) -> InstanceLayout:
    """The layout by raw values of the attributes in DESCRIBING, in the byte order of the data set."""
    numbers = {tag: _number(values.get(tag, b""), little) for tag in _NUMBERS}
    return InstanceLayout(
        transfer_syntax_uid=transfer_syntax_uid,
        photometric_interpretation=_text(values.get(pixels.PHOTOMETRIC_INTERPRETATION, b""))[:16],
        pixel_tag=place.tag,
        deflated=deflated,
        vr=place.vr,
        element_offset=place.element_offset,
        value_offset=place.value_offset,
        value_length=place.value_length,
        extended_offsets=place.extended_offsets,
        extended_lengths=place.extended_lengths,
        rows=numbers[pixels.ROWS],
        columns=numbers[pixels.COLUMNS],
        samples_per_pixel=numbers[pixels.SAMPLES_PER_PIXEL],
        bits_allocated=numbers[pixels.BITS_ALLOCATED],
        bits_stored=numbers[pixels.BITS_STORED],
        pixel_representation=numbers[pixels.PIXEL_REPRESENTATION],
        planar_configuration=numbers[pixels.PLANAR_CONFIGURATION],
        number_of_frames=_frames(_text(values.get(pixels.NUMBER_OF_FRAMES, b""))),
    )


def _number(raw: bytes, little: bool) -> int:
    return int.from_bytes(raw, "little" if little else "big") if len(raw) == 2 else 0


def _text(raw: bytes) -> str:
    return raw.decode("ascii", "replace").replace("�", "?").strip(" \0")


def _frames(text: str) -> int:
    if not text:
        return 1
    return min(int(text), _MAX_FRAMES) if text.isascii() and text.isdigit() and len(text) <= 12 else 0
