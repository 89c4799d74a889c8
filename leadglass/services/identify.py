"""From a header scan to the identity of an instance, with the refusals of PS3.4 B.2.3 for identifiers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from leadglass.core.errors import ErrorCode, LeadglassError
from leadglass.core.identity import InstanceIdentity, KeyScope, PatientKey
from leadglass.core.records import HeaderValue
from leadglass.dicom.charset import decode_text, parse_specific_character_set
from leadglass.dicom.scan import HeaderScan, text_in, text_of
from leadglass.dicom.sop_classes import is_patientless
from leadglass.dicom.uids import is_valid_uid

SPECIFIC_CHARACTER_SET = 0x00080005
SOP_CLASS_UID = 0x00080016
SOP_INSTANCE_UID = 0x00080018
PATIENT_ID = 0x00100020
ISSUER_OF_PATIENT_ID = 0x00100021
STUDY_INSTANCE_UID = 0x0020000D
SERIES_INSTANCE_UID = 0x0020000E


class Claims(Protocol):
    """What the sender said of the instance (services.ingest.Announced)."""

    @property
    def sop_class_uid(self) -> str:
        """Affected SOP Class UID, equal to the context's abstract syntax."""
        ...

    @property
    def sop_instance_uid(self) -> str:
        """Affected SOP Instance UID."""
        ...

    @property
    def study_uid(self) -> str:
        """The study of which it must be; empty if any."""
        ...

    @property
    def issuer(self) -> str:
        """The device's issuer of patient identifiers."""
        ...

    @property
    def assumed_character_set(self) -> str:
        """The device's character set."""
        ...


def identity_of(scan: HeaderScan, claims: Claims) -> InstanceIdentity:
    """The identity of a complete instance.

    Raises LeadglassError IDENTITY_MISMATCH, INVALID_UID, MISSING_UID or UNPARSABLE, with the offending tag.
    """
    sop_class = _matching(scan, SOP_CLASS_UID, claims.sop_class_uid)
    sop_instance = text_of(scan, SOP_INSTANCE_UID)
    if sop_instance and not is_valid_uid(sop_instance):  # first: what is no ASCII reads differently in the command
        raise LeadglassError(ErrorCode.INVALID_UID, "The SOP Instance UID is not a UID.", tags=(SOP_INSTANCE_UID,))
    sop_instance = _matching(scan, SOP_INSTANCE_UID, claims.sop_instance_uid)
    study = _grouping_uid(scan, STUDY_INSTANCE_UID, sop_class)
    if claims.study_uid and study != claims.study_uid:
        comment = "The object belongs to another study than the one it was sent to."
        raise LeadglassError(ErrorCode.IDENTITY_MISMATCH, comment, tags=(STUDY_INSTANCE_UID,))
    series = _grouping_uid(scan, SERIES_INSTANCE_UID, sop_class)
    return InstanceIdentity(sop_class, sop_instance, study, series, _patient_of(scan.values, claims))


def key_scope_of(values: Mapping[int, HeaderValue], claims: Claims) -> KeyScope | None:
    """What key covers the instance, once everything up to the Study Instance UID was seen; None if there is no UID."""
    study = text_in(values, STUDY_INSTANCE_UID)
    if study:
        return KeyScope(_patient_of(values, claims), study)
    if is_patientless(claims.sop_class_uid):
        return KeyScope(PatientKey("", ""), "", claims.sop_class_uid)
    return None


def _matching(scan: HeaderScan, tag: int, claimed: str) -> str:
    found = text_of(scan, tag)
    if not found or found != claimed:
        comment = "A SOP UID of the data set is absent or not the one announced."
        raise LeadglassError(ErrorCode.IDENTITY_MISMATCH, comment, tags=(tag,))
    return found


def _grouping_uid(scan: HeaderScan, tag: int, sop_class: str) -> str:
    found = text_of(scan, tag)
    if not found:
        if is_patientless(sop_class):
            return ""
        raise LeadglassError(ErrorCode.MISSING_UID, "The data set has no Study or Series Instance UID.", tags=(tag,))
    if not is_valid_uid(found):
        raise LeadglassError(ErrorCode.UNPARSABLE, "The Study or Series Instance UID is not a UID.", tags=(tag,))
    return found


def _patient_of(values: Mapping[int, HeaderValue], claims: Claims) -> PatientKey:
    declared = values.get(SPECIFIC_CHARACTER_SET)
    sets, _ = parse_specific_character_set(declared.raw if declared else None, claims.assumed_character_set)
    patient_id = _text(values, PATIENT_ID, sets)
    issuer = _text(values, ISSUER_OF_PATIENT_ID, sets) or claims.issuer
    return PatientKey(issuer, patient_id)


def _text(values: Mapping[int, HeaderValue], tag: int, sets: tuple[str, ...]) -> str:
    value = values.get(tag)
    return decode_text(value.raw, "LO", sets).strip(" \0") if value else ""
