"""Media types of bulk data and their transfer syntaxes (PS3.18 tables 8.7.3-4 and 8.7.3-5)."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from leadglass.dicom import uids

OCTET_STREAM: Final = "application/octet-stream"

_JPEG: Final = "1.2.840.10008.1.2.4."
_BY_TYPE: Final[Mapping[str, tuple[str, ...]]] = {
    "image/jpeg": ("70", "50", "51", "53", "55", "57"),
    "image/jls": ("80", "81"),
    "image/jp2": ("90", "91"),
    "image/jpx": ("92", "93"),
    "image/jphc": ("201", "202", "203"),
    "image/jxl": ("110", "111", "112"),
    "video/mpeg2": ("100", "100.1", "101", "101.1"),
    "video/mp4": ("102", "102.1", "103", "103.1", "104", "104.1", "105", "105.1", "106", "106.1"),
    "video/h265": ("107", "108"),
}
# Names that clients of earlier editions ask by; they are answered by the same name.
ALIASES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "image/x-jls": "image/jls",
        "image/x-dicom-rle": "image/dicom-rle",
        "image/rle": "image/dicom-rle",
        "video/mpeg": "video/mpeg2",
    }
)
_TYPES: Final[dict[str, str]] = {
    **{_JPEG + number: kind for kind, numbers in _BY_TYPE.items() for number in numbers},
    uids.RLE_LOSSLESS: "image/dicom-rle",
}


def media_type_of(transfer_syntax_uid: str) -> str:
    """The type of a frame as it lies in this transfer syntax: application/octet-stream for what has none of its own."""
    return _TYPES.get(transfer_syntax_uid, OCTET_STREAM)
