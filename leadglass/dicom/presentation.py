"""How an image is shown: from its header to what a worker is told of each frame (PS3.3 C.7.6.3, C.11.1, C.11.2)."""

from __future__ import annotations

import math
import struct
from collections.abc import Sequence
from typing import Final

from leadglass.core.limits import MAX_PICTURE_PIXELS
from leadglass.core.pictures import Grey, LookupTable, OverlayPlane, Window, WindowFunction
from leadglass.dicom import picture_header as tags
from leadglass.dicom.layout import DOUBLE_FLOAT_PIXEL_DATA, FLOAT_PIXEL_DATA
from leadglass.dicom.lookup_tables import read_segmented, read_table
from leadglass.dicom.picture_header import Attributes, PictureHeader
from leadglass.dicom.refusal import broken

MONOCHROME: Final = frozenset({"MONOCHROME1", "MONOCHROME2"})
_FUNCTIONS: Final = {
    "LINEAR": WindowFunction.LINEAR,
    "LINEAR_EXACT": WindowFunction.LINEAR_EXACT,
    "SIGMOID": WindowFunction.SIGMOID,
}
_MAX_MAGNITUDE: Final = 1e30  # of slope, intercept and windows: arithmetic on them stays finite
_DEFAULT_DELAY: Final = 100  # milliseconds
_SHORTEST_DELAY, _LONGEST_DELAY = 20, 60_000  # browsers slow anything faster than 20 ms down to 100


def grey(header: PictureHeader, frame: int, asked: Window | None) -> Grey:
    """How frame `frame` (from 0) of a monochrome image is shown; `asked` goes before the data set's own window.

    A window, rescale or padding value of the data set that is not usable is as if absent.
    """
    root = header.attributes
    modality = _table_in(root.first(tags.MODALITY_LUT_SEQUENCE), signed=_signed(header))
    slope, intercept = _rescale(root, frame)
    window = asked or _window(_group(root, frame, tags.FRAME_VOI_LUT_SEQUENCE)) or _window(root)
    voi = None if window else _table_in(root.first(tags.VOI_LUT_SEQUENCE), signed=_voi_signed(header, intercept))
    layout = header.layout
    if window is None and voi is None and modality is None and (slope, intercept) == (1.0, 0.0):
        window = _whole_range(header)
    return Grey(
        slope=slope if modality is None else 1.0,
        intercept=intercept if modality is None else 0.0,
        modality=modality,
        window=window,
        voi=voi,
        inverse=layout.photometric_interpretation == "MONOCHROME1"
        or _text(root, tags.PRESENTATION_LUT_SHAPE) == "INVERSE",
        padding=_padding(header),
    )


def _whole_range(header: PictureHeader) -> Window | None:
    """Bytes and single bits without any window are grey as they are."""
    layout = header.layout
    if layout.bits_stored > 8 or layout.pixel_representation or is_floating(header):
        return None
    highest = (1 << max(layout.bits_stored, 1)) - 1
    return Window(highest / 2, highest, WindowFunction.LINEAR_EXACT)


def palette(header: PictureHeader) -> tuple[LookupTable, ...]:
    """Red, green and blue table. Raises CANNOT_CONVERT if one is absent or lies (PS3.3 C.7.6.3.1.5, C.7.9.2)."""
    values = header.attributes.values
    made = []
    for descriptor, plain, segmented in zip(
        tags.PALETTE_DESCRIPTORS, tags.PALETTE_DATA, tags.SEGMENTED_PALETTE_DATA, strict=True
    ):
        described = values.get(descriptor, b"")
        if plain in values:
            made.append(read_table(described, values[plain], signed=_signed(header)))
        elif segmented in values:
            made.append(read_segmented(described, values[segmented], signed=_signed(header)))
        else:
            raise broken("a palette colour image has no palette")
    return tuple(made)


def aspect(header: PictureHeader, frame: int) -> float:
    """Height of a pixel by its width (row spacing by column spacing)."""
    root = header.attributes
    measures = _group(root, frame, tags.PIXEL_MEASURES_SEQUENCE)
    found = [_numbers(measures, tags.PIXEL_SPACING)] if measures else []
    found += [
        _numbers(root, tag)
        for tag in (
            tags.PIXEL_SPACING,
            tags.IMAGER_PIXEL_SPACING,
            tags.NOMINAL_SCANNED_PIXEL_SPACING,
            tags.PIXEL_ASPECT_RATIO,
        )
    ]
    for pair in found:
        if len(pair) == 2 and pair[0] > 0 and pair[1] > 0:
            return pair[0] / pair[1]
    return 1.0


def delay(header: PictureHeader, frame: int) -> int:
    """Milliseconds that frame `frame` is shown in an animation."""
    root = header.attributes
    vector = _numbers(root, tags.FRAME_TIME_VECTOR)
    time = next(iter(_numbers(root, tags.FRAME_TIME)), 0.0)
    rate = next(iter(_numbers(root, tags.DISPLAY_FRAME_RATE) or _numbers(root, tags.CINE_RATE)), 0.0)
    if rate > 0:
        milliseconds = 1000 / rate
    elif len(vector) > frame + 1:
        milliseconds = vector[frame + 1]  # the time between this frame and the next
    else:
        milliseconds = time
    if milliseconds <= 0:
        milliseconds = _DEFAULT_DELAY
    return round(min(max(milliseconds, _SHORTEST_DELAY), _LONGEST_DELAY))


def is_floating(header: PictureHeader) -> bool:
    """Whether pixels are Float or Double Float Pixel Data."""
    return header.layout.pixel_tag in (FLOAT_PIXEL_DATA, DOUBLE_FLOAT_PIXEL_DATA)


def is_localiser(header: PictureHeader) -> bool:
    """Whether Image Type (0008,0008) calls it a localiser (scout)."""
    return "LOCALIZER" in _text(header.attributes, tags.IMAGE_TYPE).upper().split("\\")


def overlay_planes(header: PictureHeader, frame: int) -> list[tuple[OverlayPlane, int]]:
    """The overlays over frame `frame`, without their data, and the tag of the data (0: in the pixels themselves).

    Those that do not lie near the image, or whose data are too short, are left out (PS3.3 C.9.2).
    """
    found = []
    for group in sorted({tag & 0xFFFF0000 for tag in header.attributes.values if 0x6000 <= tag >> 16 <= 0x601E}):
        planes = _plane(header, group, frame)
        if planes is not None:
            found.append(planes)
    return found


def _plane(header: PictureHeader, group: int, frame: int) -> tuple[OverlayPlane, int] | None:
    values = header.attributes.values
    offset = group - 0x60000000

    def word(tag: int) -> int:
        raw = values.get(tag + offset, b"")
        return int.from_bytes(raw, "little") if len(raw) == 2 else 0

    rows, columns, position = word(tags.OVERLAY_ROWS), word(tags.OVERLAY_COLUMNS), word(tags.OVERLAY_BIT_POSITION)
    raw_origin = values.get(tags.OVERLAY_ORIGIN + offset, b"")
    row, column = struct.unpack("<hh", raw_origin) if len(raw_origin) == 4 else (1, 1)
    if not rows or not columns or rows * columns > MAX_PICTURE_PIXELS:
        return None
    place = header.overlays.get(tags.OVERLAY_DATA + offset)
    if place is None:
        layout = header.layout
        if not 0 < position < layout.bits_allocated or layout.encapsulated:
            return None
        return OverlayPlane(layout.rows, layout.columns, 0, 0, embedded=position), 0
    frames = max(1, int(next(iter(_numbers(header.attributes, tags.OVERLAY_FRAMES + offset)), 1)))
    origin = max(1, word(tags.OVERLAY_FRAME_ORIGIN))
    number = frame - (origin - 1) if frames > 1 else 0
    if not 0 <= number < frames or rows * columns * (number + 1) > place[1] * 8:
        return None
    return OverlayPlane(
        rows, columns, row - 1, column - 1, first_bit=rows * columns * number
    ), tags.OVERLAY_DATA + offset


def _group(root: Attributes, frame: int, sequence: int) -> Attributes | None:
    """The first item of a functional group: the frame's own, else the shared one (PS3.3 C.7.6.16)."""
    frames = root.items.get(tags.PER_FRAME_FUNCTIONAL_GROUPS, [])
    own = frames[frame].first(sequence) if frame < len(frames) else None
    if own is not None:
        return own
    shared = root.first(tags.SHARED_FUNCTIONAL_GROUPS)
    return shared.first(sequence) if shared is not None else None


def _rescale(root: Attributes, frame: int) -> tuple[float, float]:
    for item in (_group(root, frame, tags.PIXEL_VALUE_TRANSFORMATION_SEQUENCE), root):
        if item is None:
            continue
        slope = next(iter(_numbers(item, tags.RESCALE_SLOPE)), None)
        intercept = next(iter(_numbers(item, tags.RESCALE_INTERCEPT)), None)
        if slope is not None or intercept is not None:
            return slope or 1.0, intercept or 0.0
    return 1.0, 0.0


def _window(item: Attributes | None) -> Window | None:
    """The first window that can be used."""
    if item is None:
        return None
    function = _FUNCTIONS.get(_text(item, tags.VOI_LUT_FUNCTION), WindowFunction.LINEAR)
    for center, width in zip(_numbers(item, tags.WINDOW_CENTER), _numbers(item, tags.WINDOW_WIDTH), strict=False):
        window = Window(center, width, function)
        if is_usable(window):
            return window
    return None


def is_usable(window: Window) -> bool:
    """Whether the numbers of a window make sense (PS3.3 C.11.2.1.2: width at least 1 for LINEAR, else above 0)."""
    if not (math.isfinite(window.center) and math.isfinite(window.width)):
        return False
    if max(abs(window.center), window.width) > _MAX_MAGNITUDE:
        return False
    return window.width >= 1 if window.function is WindowFunction.LINEAR else window.width > 1 / _MAX_MAGNITUDE


def _table_in(item: Attributes | None, *, signed: bool) -> LookupTable | None:
    if item is None or tags.LUT_DATA not in item.values:
        return None
    return read_table(item.values.get(tags.LUT_DESCRIPTOR, b""), item.values[tags.LUT_DATA], signed=signed)


def _signed(header: PictureHeader) -> bool:
    return header.layout.pixel_representation == 1


def _voi_signed(header: PictureHeader, intercept: float) -> bool:
    """What a VOI LUT is applied to is signed if the modality transformation can give values below 0 (C.11.2.1.1)."""
    return _signed(header) or intercept < 0


def _padding(header: PictureHeader) -> tuple[float, float] | None:
    values = header.attributes.values
    pairs = {
        FLOAT_PIXEL_DATA: (tags.FLOAT_PADDING_VALUE, tags.FLOAT_PADDING_RANGE_LIMIT, "<f"),
        DOUBLE_FLOAT_PIXEL_DATA: (tags.DOUBLE_PADDING_VALUE, tags.DOUBLE_PADDING_RANGE_LIMIT, "<d"),
    }
    plain = (tags.PIXEL_PADDING_VALUE, tags.PIXEL_PADDING_RANGE_LIMIT, "<h" if _signed(header) else "<H")
    value_tag, limit_tag, form = pairs.get(header.layout.pixel_tag, plain)
    size = struct.calcsize(form)
    value, limit = values.get(value_tag, b""), values.get(limit_tag, b"")
    if len(value) != size:
        return None
    (first,) = struct.unpack(form, value)
    (last,) = struct.unpack(form, limit) if len(limit) == size else (first,)
    if not (math.isfinite(first) and math.isfinite(last)):
        return None
    return min(first, last), max(first, last)


def _numbers(item: Attributes, tag: int) -> Sequence[float]:
    """Finite decimal numbers (DS, IS) of bounded size; a list with one that is none counts as absent."""
    found = []
    for text in item.values.get(tag, b"").decode("ascii", "replace").split("\\"):
        try:
            number = float(text.strip(" \0") or "nan")
        except ValueError:
            return ()
        if not abs(number) <= _MAX_MAGNITUDE:
            return ()
        found.append(number)
    return found


def _text(item: Attributes, tag: int) -> str:
    return item.values.get(tag, b"").decode("ascii", "replace").strip(" \0")
