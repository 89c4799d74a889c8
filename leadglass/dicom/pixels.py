"""What the image pixel module says, and the header as it must read once the pixels are native (PS3.3 C.7.6.3)."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from leadglass.core.limits import MAX_FRAME_BYTES, MAX_HEADER_BYTES, MAX_NATIVE_PIXEL_BYTES
from leadglass.core.ports import PixelDescription
from leadglass.dicom.codestreams import frame_length
from leadglass.dicom.elements import ElementReader, ElementSink, Stop
from leadglass.dicom.frames import ReadAt
from leadglass.dicom.overlay import RootEdit
from leadglass.dicom.refusal import broken
from leadglass.dicom.transfer_syntaxes import lookup
from leadglass.dicom.uids import JPEG_BASELINE, JPEG_EXTENDED, JPEG_LS_NEAR_LOSSLESS

SAMPLES_PER_PIXEL: Final = 0x00280002
PHOTOMETRIC_INTERPRETATION: Final = 0x00280004
PLANAR_CONFIGURATION: Final = 0x00280006
NUMBER_OF_FRAMES: Final = 0x00280008
ROWS: Final = 0x00280010
COLUMNS: Final = 0x00280011
BITS_ALLOCATED: Final = 0x00280100
BITS_STORED: Final = 0x00280101
PIXEL_REPRESENTATION: Final = 0x00280103
LOSSY_IMAGE_COMPRESSION: Final = 0x00282110
ICON_IMAGE_SEQUENCE: Final = 0x00880200
EXTENDED_OFFSET_TABLE: Final = 0x7FE00001
EXTENDED_OFFSET_TABLE_LENGTHS: Final = 0x7FE00002
ENCAPSULATED_TOTAL_LENGTH: Final = 0x7FE00003
PIXEL_DATA: Final = 0x7FE00010

_SMALL: Final = frozenset(
    {
        SAMPLES_PER_PIXEL,
        PHOTOMETRIC_INTERPRETATION,
        PLANAR_CONFIGURATION,
        NUMBER_OF_FRAMES,
        ROWS,
        COLUMNS,
        BITS_ALLOCATED,
        BITS_STORED,
        PIXEL_REPRESENTATION,
        LOSSY_IMAGE_COMPRESSION,
    }
)
_TABLES: Final = frozenset({EXTENDED_OFFSET_TABLE, EXTENDED_OFFSET_TABLE_LENGTHS})
_MAX_SMALL: Final = 64  # bytes of a value of these attributes
# Objects in these syntaxes were compressed with loss (PS3.3 C.7.6.1.1.5). JPEG 2000 (.91) and HTJ2K (.203) may hold
# lossless codestreams too, so there the object's own word is left as it is.
_ALWAYS_LOSSY: Final = frozenset({JPEG_BASELINE, JPEG_EXTENDED, JPEG_LS_NEAR_LOSSLESS})


@dataclass(frozen=True, slots=True)
class PixelHeader:
    """What was read of a data set up to its pixel data.

    `values` are raw little-endian values of image pixel attributes and offset tables; `pixel_data` says where the
    element stands; `icon_encapsulated` whether an icon in the header is compressed too.
    """

    values: Mapping[int, bytes]
    pixel_data: Stop
    icon_encapsulated: bool = False


@dataclass(slots=True)
class _Collector(ElementSink):
    """Keeps image pixel attributes of the outermost level."""

    values: dict[int, bytes] = field(default_factory=dict)
    icon_encapsulated: bool = False
    _depth: int = 0
    _root_sequence: int = 0
    _tag: int = 0
    _little: bool = True
    _value: bytearray | None = None

    def element(self, tag: int, vr: str, length: int, little: bool) -> None:
        """See ElementSink."""
        wanted = not self._depth and (tag in _TABLES or (tag in _SMALL and length <= _MAX_SMALL))
        self._tag, self._little, self._value = tag, little, bytearray() if wanted else None

    def value(self, piece: memoryview) -> None:
        """See ElementSink."""
        if self._value is not None:
            self._value += piece

    def end_element(self) -> None:
        """See ElementSink."""
        if self._value is None:
            return
        raw = bytes(self._value)
        if not self._little and self._tag not in (PHOTOMETRIC_INTERPRETATION, NUMBER_OF_FRAMES):
            raw = raw[::-1]  # single numbers of two bytes
        self.values[self._tag] = raw

    def begin_sequence(self, tag: int, empty: bool) -> None:
        """See ElementSink."""
        if not self._depth:
            self._root_sequence = tag
        self._depth += 1

    def end_sequence(self) -> None:
        """See ElementSink."""
        self._depth -= 1

    def begin_item(self, empty: bool) -> None:
        """See ElementSink."""

    def end_item(self) -> None:
        """See ElementSink."""

    def encapsulated(self, tag: int) -> None:
        """See ElementSink."""
        if not self._depth or self._root_sequence != ICON_IMAGE_SEQUENCE:
            raise broken("compressed pixels stand where they cannot be converted")
        self.icon_encapsulated = True


def read_pixel_header(read: ReadAt, transfer_syntax_uid: str) -> PixelHeader:
    """Read a data set (not a deflated one) up to its Pixel Data. Raises CANNOT_CONVERT if it has none."""
    syntax = lookup(transfer_syntax_uid)
    if syntax is None or syntax.deflated or syntax.pixels_elsewhere:
        raise broken("pixels cannot be read in this transfer syntax")
    collector = _Collector()
    reader = ElementReader(collector, implicit=not syntax.explicit_vr, little=syntax.little_endian, stop_at=PIXEL_DATA)
    offset = 0
    while reader.stopped is None:
        piece = read(offset, 64 * 1024)
        if not piece or offset > MAX_HEADER_BYTES:
            raise broken("data set has no pixel data where it can be found")
        reader.feed(piece)
        offset += len(piece)
    return PixelHeader(collector.values, reader.stopped, collector.icon_encapsulated)


def describe(header: PixelHeader, transfer_syntax_uid: str) -> PixelDescription:
    """The description of the pixels. Raises CANNOT_CONVERT if attributes are absent, contradictory or over limits."""
    values = header.values
    description = PixelDescription(
        transfer_syntax_uid=transfer_syntax_uid,
        rows=_number(values, ROWS),
        columns=_number(values, COLUMNS),
        samples_per_pixel=_number(values, SAMPLES_PER_PIXEL),
        bits_allocated=_number(values, BITS_ALLOCATED),
        bits_stored=_number(values, BITS_STORED),
        pixel_representation=_number(values, PIXEL_REPRESENTATION, 0),
        photometric_interpretation=_text(values, PHOTOMETRIC_INTERPRETATION),
        planar_configuration=_number(values, PLANAR_CONFIGURATION, 0),
        number_of_frames=_frames(values),
    )
    check(description)
    return description


def native_edits(header: PixelHeader, description: PixelDescription, photometric: str) -> dict[int, RootEdit | None]:
    """How the header changes when the pixels leave native, colour by pixel, in `photometric` (PS3.5 8.2).

    Offset tables go; lossy history stays, and is written where the syntax could not be anything but lossy; an icon
    that is itself compressed is left out (type 3).
    """
    edits: dict[int, RootEdit | None] = {
        EXTENDED_OFFSET_TABLE: None,
        EXTENDED_OFFSET_TABLE_LENGTHS: None,
        ENCAPSULATED_TOTAL_LENGTH: None,
    }
    if header.icon_encapsulated:
        edits[ICON_IMAGE_SEQUENCE] = None
    if photometric != description.photometric_interpretation:
        edits[PHOTOMETRIC_INTERPRETATION] = RootEdit("CS", photometric.encode() + b" " * (len(photometric) % 2))
    if description.samples_per_pixel > 1:
        edits[PLANAR_CONFIGURATION] = RootEdit("US", b"\0\0")
    lossy = header.values.get(LOSSY_IMAGE_COMPRESSION, b"").strip(b" \0")
    if description.transfer_syntax_uid in _ALWAYS_LOSSY and lossy != b"01":
        edits[LOSSY_IMAGE_COMPRESSION] = RootEdit("CS", b"01")
    return edits


def native_pixel_data_header(description: PixelDescription) -> bytes:
    """The Explicit VR Little Endian header of the native Pixel Data element, for its padded length."""
    length = frame_length(description) * description.number_of_frames
    vr = b"OW" if description.bits_allocated > 8 else b"OB"
    return struct.pack("<HH2s2xL", PIXEL_DATA >> 16, PIXEL_DATA & 0xFFFF, vr, length + length % 2)


def _number(values: Mapping[int, bytes], tag: int, default: int | None = None) -> int:
    raw = values.get(tag, b"")
    if len(raw) == 2:
        return int.from_bytes(raw, "little")
    if raw or default is None:
        raise broken("an attribute that describes the pixels is absent or malformed")
    return default


def _text(values: Mapping[int, bytes], tag: int) -> str:
    return values.get(tag, b"").decode("ascii", "replace").strip(" \0")


def _frames(values: Mapping[int, bytes]) -> int:
    text = _text(values, NUMBER_OF_FRAMES)
    if not text:
        return 1
    if not (text.isascii() and text.isdigit()):
        raise broken("number of frames is not a number")
    return int(text)


def check(description: PixelDescription) -> None:
    """Raise CANNOT_CONVERT if the description is contradictory or over limits."""
    sizes = description.rows and description.columns and description.number_of_frames
    if not sizes or description.samples_per_pixel not in (1, 3):
        raise broken("the image has no pixels, or samples per pixel are not 1 or 3")
    if description.bits_allocated not in (8, 16, 32) or not 0 < description.bits_stored <= description.bits_allocated:
        raise broken("bits allocated and bits stored cannot be converted")
    if (
        frame_length(description) > MAX_FRAME_BYTES
        or frame_length(description) * description.number_of_frames > MAX_NATIVE_PIXEL_BYTES
    ):
        raise broken("the image is too large for a native transfer syntax")
