"""The sums over all distinct studies that were seen."""

from __future__ import annotations

from collections.abc import Iterable

from leadglass.exposure.counting.rows import Row

MAX_STUDIES = 1_000_000  # that are kept apart in memory, some 100 bytes each
BURNED_IN = frozenset({"SC", "OT", "DOC", "SR", "US", "ES", "XC", "OP", "IVUS"})  # likely to carry identity (P04)


class Tally:
    """Counts studies once, however often they are answered."""

    def __init__(self) -> None:
        self.studies: set[bytes] = set()
        self.patients: set[bytes] = set()
        self.series = 0
        self.instances = 0
        self.untold_series = False  # a study did not say how many series it has
        self.untold_instances = False
        self.untold_patients = False
        self.undated = 0
        self.years: set[int] = set()
        self.modalities: set[str] = set()
        self.likely: dict[str, int] = {}  # studies with a modality of BURNED_IN

    @property
    def full(self) -> bool:
        """Whether no more studies can be kept apart."""
        return len(self.studies) >= MAX_STUDIES

    def add(self, rows: Iterable[Row]) -> None:
        """Count these."""
        for row in rows:
            if row.study and row.study not in self.studies and not self.full:
                self.studies.add(row.study)
                self._add(row)

    def _add(self, row: Row) -> None:
        if row.series is None:
            self.untold_series = True
        if row.instances is None:
            self.untold_instances = True
        self.series += row.series or 0
        self.instances += row.instances or 0
        if row.patient is None:
            self.untold_patients = True
        else:
            self.patients.add(row.patient)
        if row.date is None:
            self.undated += 1
        else:
            self.years.add(row.date.year)
        self.modalities.update(row.modalities)
        for modality in set(row.modalities) & BURNED_IN:
            self.likely[modality] = self.likely.get(modality, 0) + 1
