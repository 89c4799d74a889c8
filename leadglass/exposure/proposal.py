"""What the auditor asks for in one association: enough to see what a stranger would get, and no more than 32 contexts.

Names here are those of fact values (`study-root-find`, ...); SOP classes are those of PS3.4 and PS3.6 annex A.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from leadglass.dicom import uids
from leadglass.wire.ul.pdu import ProposedContext

QUERIES: Mapping[str, str] = MappingProxyType(
    {
        "study-root-find": uids.STUDY_ROOT_FIND,
        "patient-root-find": uids.PATIENT_ROOT_FIND,
        "worklist-find": uids.MODALITY_WORKLIST_FIND,
    }
)
GETS: Mapping[str, str] = MappingProxyType({"study-root": uids.STUDY_ROOT_GET, "patient-root": uids.PATIENT_ROOT_GET})
MOVES: Mapping[str, str] = MappingProxyType(
    {"study-root": uids.STUDY_ROOT_MOVE, "patient-root": uids.PATIENT_ROOT_MOVE}
)
STORES: Mapping[str, str] = MappingProxyType(
    {
        "CT Image": uids.CT_IMAGE,
        "Enhanced CT Image": uids.ENHANCED_CT_IMAGE,
        "MR Image": uids.MR_IMAGE,
        "Computed Radiography Image": "1.2.840.10008.5.1.4.1.1.1",
        "Digital X-Ray Image": uids.DIGITAL_XRAY_IMAGE,
        "Digital Mammography X-Ray Image": "1.2.840.10008.5.1.4.1.1.1.2",
        "Ultrasound Image": uids.ULTRASOUND_IMAGE,
        "Ultrasound Multi-frame Image": uids.ULTRASOUND_MULTIFRAME_IMAGE,
        "X-Ray Angiographic Image": "1.2.840.10008.5.1.4.1.1.12.1",
        "Positron Emission Tomography Image": "1.2.840.10008.5.1.4.1.1.128",
        "Nuclear Medicine Image": "1.2.840.10008.5.1.4.1.1.20",
        "Secondary Capture Image": uids.SECONDARY_CAPTURE_IMAGE,
        "VL Photographic Image": "1.2.840.10008.5.1.4.1.1.77.1.4",
        "Encapsulated PDF": uids.ENCAPSULATED_PDF,
        "Comprehensive SR": uids.COMPREHENSIVE_SR,
    }
)
OTHERS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "storage-commitment": (uids.STORAGE_COMMITMENT_PUSH,),
        "mpps": (uids.MODALITY_PERFORMED_PROCEDURE_STEP,),
        "print": ("1.2.840.10008.5.1.1.9", "1.2.840.10008.5.1.1.18"),  # grayscale, colour print management (meta)
        "ups": ("1.2.840.10008.5.1.4.34.6.1", "1.2.840.10008.5.1.4.34.6.4"),  # push, event
    }
)
SYNTAXES = (uids.EXPLICIT_VR_LE, uids.IMPLICIT_VR_LE)

_ASKED = (
    uids.VERIFICATION,
    *QUERIES.values(),
    *GETS.values(),
    *MOVES.values(),
    *STORES.values(),
    *(uid for group in OTHERS.values() for uid in group),
)

EVERYTHING = tuple(ProposedContext(2 * number + 1, uid, SYNTAXES) for number, uid in enumerate(_ASKED))
LITTLE = (ProposedContext(1, uids.VERIFICATION, SYNTAXES),)
