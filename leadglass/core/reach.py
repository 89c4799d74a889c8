"""Reach: which studies a principal may see. What lies outside is answered as what is not there."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final


@dataclass(frozen=True, slots=True)
class Reach:
    """Everything, or the studies that any one of the sets names. A Reach without any of them reaches nothing.

    `patients` holds (issuer, Patient ID); an empty issuer stands for any. `institutions` are those of the enrolled
    devices that sent a study, `referring` component groups of (0008,0090); both in the form of `dicom.names`
    (`normalise_text`, `name_groups`). Empty identifiers name nothing. `only`, where given, are the studies outside
    of which nothing is reached, whatever else names it; `instances` likewise the SOP Instance UIDs: of a study that is
    reached the others are not there. What is limited to instances holds no study whole, so nothing is stored to it.
    """

    everything: bool = False
    studies: frozenset[str] = frozenset()
    patients: frozenset[tuple[str, str]] = frozenset()
    institutions: frozenset[str] = frozenset()
    referring: frozenset[str] = frozenset()
    only: frozenset[str] | None = None
    instances: frozenset[str] | None = None

    def __post_init__(self) -> None:
        if self.everything and self.is_narrowed:
            raise ValueError("everything is not narrowed")  # so that nobody who asks for everything overlooks a limit

    def narrowed(self, studies: frozenset[str]) -> Reach:
        """What of it lies within these studies."""
        if self.everything:
            return Reach(studies=studies)
        return replace(self, only=studies if self.only is None else studies & self.only)

    def limited(self, studies: frozenset[str], instances: frozenset[str]) -> Reach:
        """What of it are these instances of these studies."""
        if self.instances is not None:
            instances &= self.instances
        return replace(self.narrowed(studies), instances=instances)

    @property
    def is_narrowed(self) -> bool:
        """Whether it was narrowed to studies or instances."""
        return self.only is not None or self.instances is not None

    def __or__(self, other: Reach) -> Reach:
        """What either of the two reaches. Neither may be a narrowed one: there is no union of those."""
        if self.is_narrowed or other.is_narrowed:
            raise ValueError("a narrowed reach is joined with nothing")
        if self.everything or other.everything:
            return EVERYTHING
        return Reach(
            False,
            self.studies | other.studies,
            self.patients | other.patients,
            self.institutions | other.institutions,
            self.referring | other.referring,
        )

    def names(self, study_uid: str, issuer: str, patient_id: str) -> bool:
        """Whether all of the study is reached by its own UID or its patient, whatever else is known of it."""
        if self.instances is not None:
            return False
        if self.only is not None and study_uid not in self.only:
            return False
        if self.everything or (study_uid and study_uid in self.studies):
            return True
        return bool(patient_id) and bool({(issuer, patient_id), ("", patient_id)} & self.patients)

    def of_institution(self, institution: str) -> bool:
        """Whether every study that this institution sends is reached, whatever it is."""
        limited = self.only is not None or self.instances is not None
        return bool(institution) and not limited and institution in self.institutions


EVERYTHING: Final = Reach(everything=True)
NOTHING: Final = Reach()
