"""Reads what an image is shown by: one walk up to the pixel data that keeps a few attributes and passes over the rest.

Strategy: only sequences that can hold such attributes are entered; another one with a length is jumped over. Values
are raw little-endian bytes, for `dicom.presentation` to read where it needs them.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, field
from typing import Final

from leadglass.core.limits import MAX_PICTURE_ATTRIBUTES
from leadglass.dicom import pixels
from leadglass.dicom.frames import ReadAt
from leadglass.dicom.layout import DESCRIBING, PIXEL_TAGS, InstanceLayout, PixelPlace, layout_of
from leadglass.dicom.refusal import broken
from leadglass.dicom.scan_encoding import UNDEFINED, Encoding, to_little_endian
from leadglass.dicom.transfer_syntaxes import lookup
from leadglass.dicom.walk import ElementWalk, Level

SPECIFIC_CHARACTER_SET: Final = 0x00080005
IMAGE_TYPE: Final = 0x00080008
STUDY_DATE: Final = 0x00080020
MODALITY: Final = 0x00080060
SERIES_DESCRIPTION: Final = 0x0008103E
DISPLAY_FRAME_RATE: Final = 0x00082144
PATIENT_NAME: Final = 0x00100010
PATIENT_ID: Final = 0x00100020
BIRTH_DATE: Final = 0x00100030
SEX: Final = 0x00100040
CINE_RATE: Final = 0x00180040
SLICE_THICKNESS: Final = 0x00180050
FRAME_TIME: Final = 0x00181063
FRAME_TIME_VECTOR: Final = 0x00181065
IMAGER_PIXEL_SPACING: Final = 0x00181164
NOMINAL_SCANNED_PIXEL_SPACING: Final = 0x00182010
SERIES_NUMBER: Final = 0x00200011
INSTANCE_NUMBER: Final = 0x00200013
SLICE_LOCATION: Final = 0x00201041
PIXEL_SPACING: Final = 0x00280030
PIXEL_ASPECT_RATIO: Final = 0x00280034
HIGH_BIT: Final = 0x00280102
PIXEL_PADDING_VALUE: Final = 0x00280120
PIXEL_PADDING_RANGE_LIMIT: Final = 0x00280121
FLOAT_PADDING_VALUE: Final = 0x00280122
DOUBLE_PADDING_VALUE: Final = 0x00280123
FLOAT_PADDING_RANGE_LIMIT: Final = 0x00280124
DOUBLE_PADDING_RANGE_LIMIT: Final = 0x00280125
WINDOW_CENTER: Final = 0x00281050
WINDOW_WIDTH: Final = 0x00281051
RESCALE_INTERCEPT: Final = 0x00281052
RESCALE_SLOPE: Final = 0x00281053
VOI_LUT_FUNCTION: Final = 0x00281056
PALETTE_DESCRIPTORS: Final = (0x00281101, 0x00281102, 0x00281103)
PALETTE_DATA: Final = (0x00281201, 0x00281202, 0x00281203)
SEGMENTED_PALETTE_DATA: Final = (0x00281221, 0x00281222, 0x00281223)
MODALITY_LUT_SEQUENCE: Final = 0x00283000
LUT_DESCRIPTOR: Final = 0x00283002
LUT_DATA: Final = 0x00283006
VOI_LUT_SEQUENCE: Final = 0x00283010
PIXEL_MEASURES_SEQUENCE: Final = 0x00289110
FRAME_VOI_LUT_SEQUENCE: Final = 0x00289132
PIXEL_VALUE_TRANSFORMATION_SEQUENCE: Final = 0x00289145
PRESENTATION_LUT_SHAPE: Final = 0x20500020
SHARED_FUNCTIONAL_GROUPS: Final = 0x52009229
PER_FRAME_FUNCTIONAL_GROUPS: Final = 0x52009230
OVERLAY_ROWS: Final = 0x60000010  # of the first group; others are 2 apart
OVERLAY_COLUMNS: Final = 0x60000011
OVERLAY_FRAMES: Final = 0x60000015
OVERLAY_ORIGIN: Final = 0x60000050
OVERLAY_FRAME_ORIGIN: Final = 0x60000051
OVERLAY_BIT_POSITION: Final = 0x60000102
OVERLAY_DATA: Final = 0x60003000

_TRANSFORMING: Final = frozenset(
    {WINDOW_CENTER, WINDOW_WIDTH, VOI_LUT_FUNCTION, RESCALE_INTERCEPT, RESCALE_SLOPE, PIXEL_SPACING}
)  # fmt: skip
_TABLES: Final = frozenset({LUT_DESCRIPTOR, LUT_DATA})
_WANTED: Final = (
    DESCRIBING
    | _TRANSFORMING
    | frozenset({
        SPECIFIC_CHARACTER_SET, IMAGE_TYPE, STUDY_DATE, MODALITY, SERIES_DESCRIPTION, DISPLAY_FRAME_RATE, PATIENT_NAME,
        PATIENT_ID, BIRTH_DATE, SEX, CINE_RATE, SLICE_THICKNESS, FRAME_TIME, FRAME_TIME_VECTOR, IMAGER_PIXEL_SPACING,
        NOMINAL_SCANNED_PIXEL_SPACING, SERIES_NUMBER, INSTANCE_NUMBER, SLICE_LOCATION, PIXEL_ASPECT_RATIO, HIGH_BIT,
        PIXEL_PADDING_VALUE, PIXEL_PADDING_RANGE_LIMIT, FLOAT_PADDING_VALUE, DOUBLE_PADDING_VALUE,
        FLOAT_PADDING_RANGE_LIMIT, DOUBLE_PADDING_RANGE_LIMIT, PRESENTATION_LUT_SHAPE, *PALETTE_DESCRIPTORS,
        *PALETTE_DATA, *SEGMENTED_PALETTE_DATA,
    })
)  # fmt: skip
_WANTED_OVERLAY: Final = frozenset(
    {OVERLAY_ROWS, OVERLAY_COLUMNS, OVERLAY_FRAMES, OVERLAY_ORIGIN, OVERLAY_FRAME_ORIGIN, OVERLAY_BIT_POSITION}
)
# Sequences that are entered, and what is kept in their items.
_ENTERED: Final = {
    MODALITY_LUT_SEQUENCE: _TABLES,
    VOI_LUT_SEQUENCE: _TABLES,
    SHARED_FUNCTIONAL_GROUPS: frozenset[int](),
    PER_FRAME_FUNCTIONAL_GROUPS: frozenset[int](),
    PIXEL_MEASURES_SEQUENCE: _TRANSFORMING,
    FRAME_VOI_LUT_SEQUENCE: _TRANSFORMING,
    PIXEL_VALUE_TRANSFORMATION_SEQUENCE: _TRANSFORMING,
}
_NOTHING: Final = frozenset[int]()


@dataclass(slots=True)
class Attributes:
    """Raw values and items that were kept of a data set or item."""

    values: dict[int, bytes] = field(default_factory=dict)
    items: dict[int, list[Attributes]] = field(default_factory=dict)

    def first(self, tag: int) -> Attributes | None:
        """The first item of a sequence."""
        items = self.items.get(tag)
        return items[0] if items else None


@dataclass(frozen=True, slots=True)
class PictureHeader:
    """What was read of an image: kept attributes, where its pixels lie, and where overlay data lie by tag."""

    attributes: Attributes
    layout: InstanceLayout
    overlays: dict[int, tuple[int, int]]
    big_endian: bool
    size: int  # bytes kept


class _Ended(Exception):  # noqa: N818 - no error
    """The pixel data were met."""


class _PictureWalk(ElementWalk):
    def __init__(self, read: ReadAt, syntax: str, length: int | None) -> None:
        super().__init__(read, syntax, length)
        self.place = PixelPlace()
        self.overlays: dict[int, tuple[int, int]] = {}
        self.size = 0
        self.root_attributes = self._open = Attributes()
        self._wanted: frozenset[int] = _WANTED
        self._below: frozenset[int] = _NOTHING
        self._gathered: list[Attributes] = []

    @property
    def little(self) -> bool:
        return self._encoding.little

    def run(self, at: int, level: Level) -> int:
        """Pass over short elements that nobody wants. Made for speed: locals, no calls it can avoid."""
        window, base, wanted = self.window, self.base, self._wanted
        encoding = level.encoding
        explicit, unpack, short = encoding.explicit, encoding.header.unpack_from, encoding.short
        position, last = at - base, min(len(window), level.end - base) - 8
        if not explicit:  # sequences cannot be told from values
            return at
        while 0 <= position <= last:
            group, element, code, length = unpack(window, position)
            if code not in short or group << 16 | element in wanted or group >= 0x6000:
                break
            stop = position + 8 + length
            if stop > last:
                break
            position = stop
        return position + base

    def value(self, tag: int, vr: str, at: int, start: int, length: int, level: Level) -> None:  # noqa: PLR0917
        """See ElementWalk."""
        if not level.depth and tag >= pixels.EXTENDED_OFFSET_TABLE:
            self.place.note(tag, vr, at, start, length)
            if tag in PIXEL_TAGS:
                raise _Ended
        if tag in self._wanted and length != UNDEFINED:
            self._keep(tag, vr, start, length, level)
        elif not level.depth and 0x6000 <= tag >> 16 <= 0x601E:
            if tag & 0xFF00FFFF in _WANTED_OVERLAY:
                self._keep(tag, vr, start, length, level)
            elif tag & 0xFF00FFFF == OVERLAY_DATA and length != UNDEFINED:
                self.overlays[tag] = (start, length)

    def _keep(self, tag: int, vr: str, start: int, length: int, level: Level) -> None:
        self.size += length + 64
        if self.size > MAX_PICTURE_ATTRIBUTES:
            raise broken("an image has more to show it by than can be worked on")
        raw = self.bytes_at(start, length)
        if len(raw) < length:
            raise broken("the data set is cut short")
        if not level.encoding.little:
            raw = to_little_endian(vr, raw)
        self._open.values.setdefault(tag, raw)

    def sequence(  # noqa: PLR0917 - as there
        self, tag: int, at: int, start: int, end: int, level: Level, encoding: Encoding, delimited: bool
    ) -> int:
        """See ElementWalk."""
        below = _ENTERED.get(tag)
        if below is None:
            if not delimited:
                return end
            below = _NOTHING
        saved = self._open, self._wanted, self._below, self._gathered
        self._below, self._gathered = below, []
        after = self.walk_items(tag, start, end, level, encoding, delimited)
        gathered = self._gathered
        self._open, self._wanted, self._below, self._gathered = saved
        if tag in _ENTERED:
            self._open.items.setdefault(tag, gathered)
        return after

    def item(self, at: int, level: Level) -> int:
        """See ElementWalk."""
        self._open, self._wanted = Attributes(), self._below
        self._gathered.append(self._open)
        self.size += 64
        if self.size > MAX_PICTURE_ATTRIBUTES:
            raise broken("an image has more to show it by than can be worked on")
        return self.walk(at, level)


def read_picture_header(read: ReadAt, transfer_syntax_uid: str, length: int | None = None) -> PictureHeader:
    """The header of an image by `read`. Its layout has no pixel tag if it has no pixels.

    Offsets are of the inflated data set where the syntax is deflated (`inflated_read`). Raises LeadglassError
    UNPARSABLE or CANNOT_CONVERT where the data set cannot be followed or is over core.limits.
    """
    walk = _PictureWalk(read, transfer_syntax_uid, length)
    with contextlib.suppress(_Ended):
        walk.walk_all()
    syntax = lookup(transfer_syntax_uid)
    layout = layout_of(
        transfer_syntax_uid,
        walk.root_attributes.values,
        walk.place,
        little=True,  # kept values were turned round
        deflated=syntax is not None and syntax.deflated,
    )
    return PictureHeader(walk.root_attributes, layout, walk.overlays, not walk.little, walk.size + 1024)
