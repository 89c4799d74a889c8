"""Storage SOP classes: the standard's (PS3.4 annex B, GG and retired ones) and the common private ones of vendors."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from pydicom._uid_dict import UID_dictionary

from leadglass.dicom import uids

_COMPOSITE_ROOT: Final = "1.2.840.10008.5.1.4.1.1."

# The dictionary has no name for these two retired ones.
_UNNAMED: Final = {
    _COMPOSITE_ROOT + "12.77": "Zeiss OPT Storage (Retired)",
    _COMPOSITE_ROOT + "40": "MR Image Storage Zero Padded (Retired)",
}

# Registered after the edition that pydicom's dictionary was made from.
_LATER: Final = {
    _COMPOSITE_ROOT + "66.7": "Label Map Segmentation Storage",
    _COMPOSITE_ROOT + "66.8": "Height Map Segmentation Storage",
}

# Named "Storage" but not stored by C-STORE.
_NOT_STORED: Final = frozenset({uids.MEDIA_STORAGE_DIRECTORY, "1.2.840.10008.1.20.1", "1.2.840.10008.1.20.2"})

# Objects without patient, study and series (PS3.4 annex GG).
_PATIENTLESS: Final = frozenset(
    {
        "1.2.840.10008.5.1.4.38.1",  # Hanging Protocol
        "1.2.840.10008.5.1.4.39.1",  # Color Palette
        "1.2.840.10008.5.1.4.43.1",  # Generic Implant Template
        "1.2.840.10008.5.1.4.44.1",  # Implant Assembly Template
        "1.2.840.10008.5.1.4.45.1",  # Implant Template Group
        _COMPOSITE_ROOT + "200.1",  # CT Defined Procedure Protocol
        _COMPOSITE_ROOT + "200.3",  # Protocol Approval
        _COMPOSITE_ROOT + "200.7",  # XA Defined Procedure Protocol
        _COMPOSITE_ROOT + "201.1",  # Inventory
    }
)

# Seen in conformance statements; kept as opaque objects.
_PRIVATE: Final = {
    "1.2.124.113532.3500.7": "Agfa Basic Attribute Presentation State",
    "1.2.124.113532.3500.8.1": "Agfa Arrival Transaction",
    "1.2.124.113532.3500.8.2": "Agfa Dictation Transaction",
    "1.2.124.113532.3500.8.3": "Agfa Report Transcription Transaction",
    "1.2.124.113532.3500.8.4": "Agfa Report Approval Transaction",
    "1.2.276.0.48.5.1.4.1.1.7": "TomTec Annotation",
    "1.2.392.200036.9116.7.8.1.1.1": "Toshiba US Image",
    "1.2.392.200036.9125.1.1.2": "Fuji CR Image",
    "1.2.528.1.1001.5.1.1.1": "GE Collage",
    "1.2.826.0.1.3680043.293.1.0.1": "eRAD Practice Builder Report Text",
    "1.2.826.0.1.3680043.293.1.0.2": "eRAD Practice Builder Report Dictation",
    "1.2.840.113543.6.6.1.3.10001": "Philips HP Live 3D 01",
    "1.2.840.113543.6.6.1.3.10002": "Philips HP Live 3D 02",
    "1.2.840.113619.4.2": "GE MR Image Info Object",
    "1.2.840.113619.4.3": "GE CT Image Info Object",
    "1.2.840.113619.4.4": "GE Display Image Info Object",
    "1.2.840.113619.4.5.249": "GE RT Plan",
    "1.2.840.113619.4.26": "GE 3D Model",
    "1.2.840.113619.4.27": "GE eNTEGRA Protocol or NM Genie",
    "1.2.840.113619.4.30": "GE PET Raw Data",
    "1.3.6.1.4.1.5962.301.1": "PixelMed Legacy Converted Enhanced CT Image",
    "1.3.6.1.4.1.5962.301.2": "PixelMed Legacy Converted Enhanced MR Image",
    "1.3.6.1.4.1.5962.301.3": "PixelMed Legacy Converted Enhanced PET Image",
    "1.3.6.1.4.1.5962.301.9": "PixelMed Floating Point Image",
    "1.3.12.2.1107.5.9.1": "Siemens CSA Non-Image",
    "1.3.12.2.1107.5.99.3.10": "Siemens CT MR Volume",
    "1.3.12.2.1107.5.99.3.11": "Siemens AX Frame Sets",
    "1.3.46.670589.2.3.1.1": "Philips Specialised XA",
    "1.3.46.670589.2.4.1.1": "Philips CX Image",
    "1.3.46.670589.2.5.1.1": "Philips 3D Presentation State",
    "1.3.46.670589.2.8.1.1": "Philips VRML",
    "1.3.46.670589.2.11.1.1": "Philips Volume Set",
    "1.3.46.670589.5.0.1": "Philips Volume (Retired)",
    "1.3.46.670589.5.0.1.1": "Philips Volume",
    "1.3.46.670589.5.0.2": "Philips 3D Object (Retired)",
    "1.3.46.670589.5.0.2.1": "Philips 3D Object",
    "1.3.46.670589.5.0.3": "Philips Surface (Retired)",
    "1.3.46.670589.5.0.3.1": "Philips Surface",
    "1.3.46.670589.5.0.4": "Philips Composite Object",
    "1.3.46.670589.5.0.7": "Philips MR Cardio Profile",
    "1.3.46.670589.5.0.8": "Philips MR Cardio (Retired)",
    "1.3.46.670589.5.0.8.1": "Philips MR Cardio",
    "1.3.46.670589.5.0.9": "Philips CT Synthetic Image",
    "1.3.46.670589.5.0.10": "Philips MR Synthetic Image",
    "1.3.46.670589.5.0.11": "Philips MR Cardio Analysis (Retired)",
    "1.3.46.670589.5.0.11.1": "Philips MR Cardio Analysis",
    "1.3.46.670589.5.0.12": "Philips CX Synthetic Image",
    "1.3.46.670589.5.0.13": "Philips Perfusion",
    "1.3.46.670589.5.0.14": "Philips Perfusion Image",
    "1.3.46.670589.7.8.1618510091": "Philips X-Ray Multi-frame",
    "1.3.46.670589.7.8.1618510092": "Philips Live Run",
    "1.3.46.670589.7.8.16185100129": "Philips Run",
    "1.3.46.670589.7.8.16185100130": "Philips Reconstruction",
    "1.3.46.670589.11.0.0.12.1": "Philips MR Spectrum",
    "1.3.46.670589.11.0.0.12.2": "Philips MR Series Data",
    "1.3.46.670589.11.0.0.12.3": "Philips MR Color Image",
    "1.3.46.670589.11.0.0.12.4": "Philips MR Examcard",
    "2.16.840.1.114033.5.1.4.1.1.130": "PMOD Multi-frame Image",
}


def _standard() -> dict[str, str]:
    return {
        uid: entry[0]
        for uid, entry in UID_dictionary.items()
        if entry[1] == "SOP Class" and "Storage" in entry[0] and uid not in _NOT_STORED
    }


STORAGE_SOP_CLASSES: Final[Mapping[str, str]] = MappingProxyType(
    _LATER | _UNNAMED | _standard() | {uid: f"{name} (private)" for uid, name in _PRIVATE.items()}
)


def is_patientless(uid: str) -> bool:
    """Whether objects of SOP class `uid` belong to no patient and so have no Study and Series Instance UID."""
    return uid in _PATIENTLESS
