"""What is wrong with catalogued values though it is tolerated: told in fixed phrases, kept as it came.

Hospitals send such objects every day; whoever looks into a display that shows "?" finds the reason in the journal.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

from leadglass.dicom.charset import TEXT_VRS, decode_checked, parse_specific_character_set
from leadglass.dicom.dictionary import tag_of
from leadglass.dicom.index_keys import SPECIFIC_CHARACTER_SET
from leadglass.dicom.scan import HeaderScan
from leadglass.dicom.sop_classes import is_patientless

# Type 2 of the Patient, General Study, General Series and General Image modules (PS3.3 C.7): present, empty or not.
_TYPE_2: Final = {
    tag_of(keyword): keyword
    for keyword in (
        *("PatientName", "PatientID", "PatientBirthDate", "PatientSex"),
        *("StudyDate", "StudyTime", "AccessionNumber", "ReferringPhysicianName", "StudyID", "SeriesNumber"),
    )
}
_UIDS: Final = tuple(map(tag_of, ("SOPClassUID", "SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID")))
_ODD_COMPONENT: Final = re.compile(rb"(?:^|\.)(?:0\d|\.|$)")  # a leading zero, or nothing between dots
_PLAIN_UIDS: Final = re.compile(rb"(?:(?:0|[1-9]\d*)(?:\.(?:0|[1-9]\d*))*\0?,)*")
_LONGEST_DECLARATION: Final = 1024  # bytes of (0008,0005) that are looked at
_sets_of: Final = lru_cache(64)(parse_specific_character_set)  # a modality declares the same in every object


def value_defects(scan: HeaderScan, sop_class_uid: str, assumed_character_set: str) -> tuple[str, ...]:
    """Phrases without a value of the object, beside those of the scan itself; empty if all is well.

    `assumed_character_set` counts where the object declares none.
    """
    found = [*_text_defects(scan, assumed_character_set), *_uid_defects(scan)]
    if not _TYPE_2.keys() <= scan.values.keys() and not is_patientless(sop_class_uid):
        found.append("Missing: " + ", ".join(keyword for tag, keyword in _TYPE_2.items() if tag not in scan.values))
    return tuple(found)


def _text_defects(scan: HeaderScan, assumed: str) -> list[str]:
    declared = scan.values.get(SPECIFIC_CHARACTER_SET)
    sets, warning = _sets_of(declared.raw[:_LONGEST_DECLARATION] if declared else None, assumed)
    found = [warning] if warning else []
    texts = [value for value in scan.values.values() if value.vr in TEXT_VRS]
    together = b"".join([value.raw for value in texts])
    if together.isascii() and b"\x1b" not in together:
        return found
    if not all(decode_checked(value.raw, value.vr, sets)[1] for value in texts):
        found.append("A text is not in its character set")
    return found


def _uid_defects(scan: HeaderScan) -> list[str]:
    raws = [scan.values[tag].raw for tag in _UIDS if tag in scan.values]
    if _PLAIN_UIDS.fullmatch(b",".join(raws) + b","):
        return []
    found = []
    if any(_ODD_COMPONENT.search(raw.strip(b" \0")) for raw in raws):
        found.append("A UID has leading zeros or an empty component")
    if any(raw.endswith((b" ", b"\0\0")) or raw.startswith((b" ", b"\0")) for raw in raws):
        found.append("A UID has other padding than one NUL")
    return found
