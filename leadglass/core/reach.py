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
    of which nothing is reached, whatever else names it.
    """

    everything: bool = False
    studies: frozenset[str] = frozenset()
    patients: frozenset[tuple[str, str]] = frozenset()
    institutions: frozenset[str] = frozenset()
    referring: frozenset[str] = frozenset()
    only: frozenset[str] | None = None

    def narrowed(self, studies: frozenset[str]) -> Reach:
        """What of it lies within these studies."""
        if self.everything:
            return Reach(studies=studies)
        return replace(self, only=studies if self.only is None else studies & self.only)

    def __or__(self, other: Reach) -> Reach:
        """What either of the two reaches. Neither may be a narrowed one: there is no union of those."""
        if self.only is not None or other.only is not None:
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
        """Whether the study is reached by its own UID or its patient, whatever else is known of it."""
        if self.only is not None and study_uid not in self.only:
            return False
        if self.everything or (study_uid and study_uid in self.studies):
            return True
        return bool(patient_id) and bool({(issuer, patient_id), ("", patient_id)} & self.patients)


EVERYTHING: Final = Reach(everything=True)
NOTHING: Final = Reach()
