"""What a bulk data part of a Store request is (PS3.18 8.6.1.2.2, 8.7.3, 10.5.2): where it belongs, in which transfer
syntax it is, how long; and what the image pixel module says of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from leadglass.core.attributes import AttributeSet
from leadglass.core.errors import ErrorCode, LeadglassError
from leadglass.dicom import pixels
from leadglass.dicom.transfer_syntaxes import lookup
from leadglass.dicom.uids import EXPLICIT_VR_LE, IMPLICIT_VR_LE
from leadglass.web.negotiation import MediaRange, media_type

_JPEG: Final = "1.2.840.10008.1.2.4."
# What a compressed media type means without its transfer-syntax parameter (PS3.18 table 8.7.3-2 and -3).
_DEFAULTS: Final[Mapping[str, str]] = {
    "image/jpeg": _JPEG + "70",
    "image/jls": _JPEG + "80",
    "image/jp2": _JPEG + "90",
    "image/jpx": _JPEG + "92",
    "image/jphc": _JPEG + "201",
    "image/jxl": _JPEG + "110",
    "image/dicom-rle": "1.2.840.10008.1.2.5",
    "image/x-dicom-rle": "1.2.840.10008.1.2.5",
    "video/mpeg": _JPEG + "100",
    "video/mpeg2": _JPEG + "100",
    "video/mp4": _JPEG + "102",
    "video/h265": _JPEG + "107",
}
_AS_IT_IS: Final = frozenset({"", EXPLICIT_VR_LE, IMPLICIT_VR_LE})  # little endian: as values are written here
_LONGEST_NUMBER: Final = 12


@dataclass(frozen=True, slots=True)
class BulkPart:
    """The head of a bulk data part. `syntax` is empty for values that are not compressed; `length` None if unsaid."""

    location: str
    syntax: str
    length: int | None
    video: bool = False


def bulk_part(headers: Mapping[str, str]) -> BulkPart:
    """What the header of a part says. UNSUPPORTED if it is in a transfer syntax that cannot be taken."""
    location = headers.get("content-location", "").strip()
    if not location and headers.get("content-id"):
        location = "cid:" + headers["content-id"].strip("<> ")
    try:
        kind = media_type(headers.get("content-type", "") or "application/octet-stream")
    except LeadglassError:
        kind = MediaRange("application/octet-stream")
    syntax = kind.syntax or _DEFAULTS.get(kind.kind, "")
    known = lookup(syntax)
    if syntax in _AS_IT_IS:
        syntax = ""
    elif known is None or not known.encapsulated:
        raise LeadglassError(ErrorCode.UNSUPPORTED, "Bulk data are in a transfer syntax that is not taken.")
    text = headers.get("content-length", "")
    length = int(text) if text.isascii() and text.isdigit() and len(text) <= _LONGEST_NUMBER else None
    return BulkPart(location, syntax, length, kind.kind.startswith("video/"))


def frame_count(attributes: AttributeSet) -> int:
    """Number of Frames; 1 without one."""
    return _number(attributes, pixels.NUMBER_OF_FRAMES) or 1


def native_length(attributes: AttributeSet) -> int | None:
    """The length of native pixel data that the image pixel module gives; None if it does not say."""
    bits = _number(attributes, pixels.BITS_ALLOCATED)
    rows, columns = _number(attributes, pixels.ROWS), _number(attributes, pixels.COLUMNS)
    samples = _number(attributes, pixels.SAMPLES_PER_PIXEL) or 1
    if not (bits and rows and columns):
        return None
    photometric = attributes.get(pixels.PHOTOMETRIC_INTERPRETATION)
    if photometric is not None and photometric.values == ("YBR_FULL_422",):
        samples = 2  # two pixels share their colour (PS3.3 C.7.6.3.1.2)
    return (rows * columns * samples * frame_count(attributes) * bits + 7) // 8


def _number(attributes: AttributeSet, tag: int) -> int:
    attribute = attributes.get(tag)
    text = str(attribute.values[0]).strip() if attribute is not None and attribute.values else ""
    return int(text) if text.isascii() and text.isdigit() and len(text) <= _LONGEST_NUMBER else 0
