"""Which product an implementation says it is, from its class UID and version name (PS3.7 D.3.3.2).

Self-declared, so it is evidence and no proof; a version is told only if the peer told it.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import NamedTuple


class Product(NamedTuple):
    """A product's name, and its version as far as it was told ("" if not)."""

    name: str
    version: str = ""


_DCMTK = re.compile(r"OFFIS_DCMTK_(\d)(\d)(\d)\w*")
_PYNETDICOM = re.compile(r"PYNETDICOM_(\d)(\d)(\d)")
_DCM4CHE = re.compile(r"dcm4che-(\d[\w.]*)")
_FO_DICOM = re.compile(r"fo-dicom (\d[\w.]*)")
_LEADGLASS = re.compile(r"LEADGLASS_(\d+)_(\d+)")


def _dotted(pattern: re.Pattern[str]) -> Callable[[str], str]:
    def version(name: str) -> str:
        found = pattern.match(name)
        return ".".join(found.groups()) if found else ""

    return version


def _untold(_: str) -> str:
    return ""


class _Maker(NamedTuple):
    root: str  # of the implementation class UID
    name: str
    version: Callable[[str], str]


# exposure.md "Fingerprints", gathered from conformance statements. A longer root stands before a shorter one.
_MAKERS = (
    _Maker("1.2.276.0.7230010.3.0", "DCMTK", _dotted(_DCMTK)),
    _Maker("1.2.40.0.13.1", "dcm4che", _dotted(_DCM4CHE)),
    _Maker("1.2.826.0.1.3680043.9.3811", "pynetdicom", _dotted(_PYNETDICOM)),
    _Maker("1.3.6.1.4.1.30071.8", "fo-dicom", _dotted(_FO_DICOM)),
    _Maker("1.3.6.1.4.1.25403", "ClearCanvas", _untold),
    _Maker("1.2.826.0.1.3680043.2.135.1066.101", "Conquest", _untold),
    _Maker("1.2.826.0.1.3680043.2.1143", "GDCM", _untold),
    _Maker("2.25.175220362680028036156011002668768058626", "DICOM-rs", _untold),
    _Maker("2.25.109228336091678222757009252952059556140", "Leadglass", _dotted(_LEADGLASS)),
    _Maker("1.2.826.0.1.3680043.8.1057", "OsiriX/Horos", _untold),
    _Maker("1.2.840.113619", "GE", _untold),
    _Maker("1.3.12.2.1107", "Siemens", _untold),
    _Maker("1.2.840.113704", "Philips", _untold),
    _Maker("1.3.46.670589", "Philips", _untold),
    _Maker("1.2.840.114257", "Agfa", _untold),
    _Maker("1.2.840.113564", "Carestream", _untold),
    _Maker("1.2.392.200036", "Fujifilm", _untold),
    _Maker("1.2.840.113669", "Merge", _untold),
)


def product_of(class_uid: str, version_name: str) -> Product | None:
    """The product that implements this, None if it is not known. Orthanc's DICOM side says that it is DCMTK."""
    for maker in _MAKERS:
        if class_uid == maker.root or class_uid.startswith(maker.root + "."):
            return Product(maker.name, maker.version(version_name))
    return None
