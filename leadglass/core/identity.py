"""Who and what an instance is: the identifiers that the archive keys on."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class PatientKey:
    """A patient is (issuer, Patient ID). An empty Patient ID never joins two studies."""

    issuer: str
    patient_id: str


@dataclass(frozen=True, slots=True)
class InstanceIdentity:
    """The identifiers of one SOP instance, as text without padding.

    `study_uid` and `series_uid` are empty only for objects without a patient (colour palettes and the like).
    """

    sop_class_uid: str
    sop_instance_uid: str
    study_uid: str
    series_uid: str
    patient: PatientKey


@dataclass(frozen=True, slots=True)
class KeyScope:
    """What one study key covers: a patient's study, or, for objects without a patient, one SOP class."""

    patient: PatientKey
    study_uid: str
    sop_class_uid: str = ""

    @classmethod
    def of(cls, identity: InstanceIdentity) -> KeyScope:
        """The scope that `identity` belongs to."""
        if identity.study_uid:
            return cls(identity.patient, identity.study_uid)
        return cls(PatientKey("", ""), "", identity.sop_class_uid)
