"""What the frames of an image are, checked before any of them is read: a peer's numbers become sizes of memory."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from leadglass.core.limits import MAX_FRAME_BYTES
from leadglass.core.pictures import FrameForm
from leadglass.core.ports import PixelDescription
from leadglass.dicom import picture_header as tags
from leadglass.dicom.layout import DOUBLE_FLOAT_PIXEL_DATA, FLOAT_PIXEL_DATA, InstanceLayout
from leadglass.dicom.media_types import media_type_of
from leadglass.dicom.picture_header import PictureHeader
from leadglass.dicom.refusal import broken

_FLOAT_BITS: Final = {FLOAT_PIXEL_DATA: 32, DOUBLE_FLOAT_PIXEL_DATA: 64}


def has_picture(layout: InstanceLayout) -> bool:
    """Whether there are frames that could be shown: pixel data that are no film."""
    return layout.pixel_tag != 0 and not is_video(layout.transfer_syntax_uid)


def is_video(transfer_syntax_uid: str) -> bool:
    """Whether a transfer syntax holds a film (MPEG-2, H.264, H.265) and no single frames."""
    return media_type_of(transfer_syntax_uid).startswith("video/")


def frame_form(header: PictureHeader) -> FrameForm:
    """The form of every frame. Raises LeadglassError CANNOT_CONVERT if there are none, or they are contradictory or
    over core.limits."""
    layout = header.layout
    if not layout.pixel_tag:
        raise broken("the instance has no pixels")
    if not has_picture(layout):
        raise broken("the instance is a film; it can only be had as it is stored")
    description = _description(layout)
    return FrameForm(
        description,
        encapsulated=layout.encapsulated,
        high_bit=_high_bit(header, description),
        floating=layout.pixel_tag in _FLOAT_BITS,
    )


def _description(layout: InstanceLayout) -> PixelDescription:
    if not layout.number_of_frames:
        raise broken("the image has no frames")
    special = layout.pixel_tag in _FLOAT_BITS or layout.bits_allocated == 1
    if special:
        _check_special(layout)
        kind = replace(layout, bits_allocated=8, bits_stored=8, pixel_representation=0, planar_configuration=0)
        one = replace(kind, number_of_frames=1).description()
        bits = layout.bits_allocated
        return replace(one, bits_allocated=bits, bits_stored=bits, number_of_frames=layout.number_of_frames)
    one = replace(layout, number_of_frames=1).description()  # what is bound for all frames is a native value
    if layout.photometric_interpretation == "YBR_FULL_422" and not layout.encapsulated:
        _check_halved(one)
    return replace(one, number_of_frames=layout.number_of_frames)


def _check_special(layout: InstanceLayout) -> None:
    """Single bits and floating point numbers: one sample, never compressed here."""
    if layout.samples_per_pixel != 1 or layout.encapsulated:
        raise broken("pixels of this kind cannot be shown")
    if layout.bits_allocated != _FLOAT_BITS.get(layout.pixel_tag, 1):
        raise broken("bits allocated do not fit the kind of pixel data")
    if layout.rows * layout.columns * layout.bits_allocated // 8 > MAX_FRAME_BYTES:
        raise broken("the image is too large")


def _check_halved(description: PixelDescription) -> None:
    if description.columns % 2 or description.bits_allocated != 8 or description.samples_per_pixel != 3:
        raise broken("an image with halved chrominance has an odd number of columns or no bytes")


def _high_bit(header: PictureHeader, description: PixelDescription) -> int:
    raw = header.attributes.values.get(tags.HIGH_BIT, b"")
    high = int.from_bytes(raw, "little") if len(raw) == 2 else 0
    fits = description.bits_stored - 1 <= high < description.bits_allocated
    return high if fits and not header.layout.encapsulated else description.bits_stored - 1
