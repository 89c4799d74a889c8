"""Which SOP classes have pictures, and what those without are (PS3.4 annex B): for thumbnails."""

from __future__ import annotations

from enum import Enum
from typing import Final

from leadglass.dicom.sop_classes import STORAGE_SOP_CLASSES


class PictureKind(Enum):
    """What an object of a SOP class shows. The order is that in which a study is best shown by one of them."""

    IMAGE = "image"
    DERIVED = "derived"  # segmentations, maps, dose: pixels, and an image beside them says more
    CAPTURE = "capture"  # a screen or a scanned page
    UNKNOWN = "unknown"  # private and later classes: they may have pixels
    FILM = "film"
    REPORT = "report"
    DOCUMENT = "document"
    WAVEFORM = "waveform"
    PLAN = "plan"
    MODEL = "model"
    STATE = "state"
    OTHER = "other"


PICTURED: Final = (PictureKind.IMAGE, PictureKind.DERIVED, PictureKind.CAPTURE, PictureKind.UNKNOWN)

_ROOT: Final = "1.2.840.10008.5.1.4.1.1."
# The longest of these prefixes below _ROOT decides; a class of the root that none begins is an image.
_PREFIXES: Final = {
    "4.2": PictureKind.OTHER,  # MR spectroscopy
    "7": PictureKind.CAPTURE,
    "8": PictureKind.OTHER,  # stand-alone overlays, curves, modality and VOI tables (retired)
    "9": PictureKind.WAVEFORM,
    "9.1": PictureKind.WAVEFORM,
    "10": PictureKind.OTHER,
    "11": PictureKind.STATE,
    "30": PictureKind.DERIVED,  # parametric map
    "66": PictureKind.OTHER,  # raw data, registrations, fiducials
    "66.4": PictureKind.DERIVED,
    "66.5": PictureKind.MODEL,
    "66.6": PictureKind.MODEL,
    "66.7": PictureKind.DERIVED,
    "66.8": PictureKind.DERIVED,
    "67": PictureKind.OTHER,
    "68": PictureKind.MODEL,
    "77.1.1.1": PictureKind.FILM,
    "77.1.2.1": PictureKind.FILM,
    "77.1.4.1": PictureKind.FILM,
    "77.1.5.3": PictureKind.OTHER,  # stereometric relationship
    "78": PictureKind.OTHER,  # measurements of the eye
    "79": PictureKind.OTHER,
    "80": PictureKind.OTHER,
    "81": PictureKind.IMAGE,  # ophthalmic thickness map
    "82": PictureKind.OTHER,
    "88": PictureKind.REPORT,
    "90": PictureKind.OTHER,
    "91": PictureKind.OTHER,
    "104": PictureKind.DOCUMENT,
    "104.3": PictureKind.MODEL,  # STL, OBJ, MTL
    "104.4": PictureKind.MODEL,
    "104.5": PictureKind.MODEL,
    "129": PictureKind.WAVEFORM,  # PET curve
    "131": PictureKind.OTHER,
    "200": PictureKind.OTHER,
    "201": PictureKind.OTHER,
    "481": PictureKind.PLAN,
    "481.1": PictureKind.IMAGE,
    "481.2": PictureKind.DERIVED,
    "481.23": PictureKind.IMAGE,
    "481.24": PictureKind.IMAGE,
    "501.3": PictureKind.REPORT,
}
_HARDCOPY: Final = frozenset({"1.2.840.10008.5.1.1.29", "1.2.840.10008.5.1.1.30"})  # retired images of another root


def picture_kind(sop_class_uid: str) -> PictureKind:
    """What an object of this class shows."""
    if sop_class_uid in _HARDCOPY:
        return PictureKind.IMAGE
    if not sop_class_uid.startswith(_ROOT):
        named = STORAGE_SOP_CLASSES.get(sop_class_uid, "(private)")
        return PictureKind.UNKNOWN if "(private)" in named else PictureKind.OTHER
    if sop_class_uid not in STORAGE_SOP_CLASSES:
        return PictureKind.UNKNOWN
    parts = sop_class_uid[len(_ROOT) :].split(".")
    prefixes = (".".join(parts[:length]) for length in range(len(parts), 0, -1))
    return next((kind for prefix in prefixes if (kind := _PREFIXES.get(prefix)) is not None), PictureKind.IMAGE)
