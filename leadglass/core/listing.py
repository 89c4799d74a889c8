"""The list of studies as people search it: one field that understands all, filters, an order, a page."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import Final

from leadglass.core.attributes import AttributeSet
from leadglass.core.reach import EVERYTHING, Reach

MAX_COUNTED: Final = 1000  # matches that are counted, and put in order by name; of more it is said that there are more
MAX_LIST_OFFSET: Final = 10_000  # how far somebody pages; who looks for more narrows the search
MAX_SEARCH_TEXT: Final = 200  # characters of one field


class StudyOrder(Enum):
    """In which order studies are listed."""

    NEWEST = "newest"
    OLDEST = "oldest"
    NAME = "name"


@dataclass(frozen=True, slots=True)
class StudySearch:
    """What is looked for. Every field that is given must fit.

    `text` holds words of any field: each begins a word of the patient's name or ID, the accession number, the
    description, a modality or the date (2024, 2024-05, 17.05.2024, or a range 2024-05-01..2024-06-30). Case, accents
    and the order of words do not matter. `since` and `until` are YYYYMMDD, both included. `modalities` holds those of
    which the study has one. `reach` is set by the services.
    """

    text: str = ""
    name: str = ""
    patient_id: str = ""
    accession: str = ""
    description: str = ""
    modalities: tuple[str, ...] = ()
    since: str = ""
    until: str = ""
    order: StudyOrder = StudyOrder.NEWEST
    offset: int = 0
    limit: int = 50
    reach: Reach = EVERYTHING

    @property
    def given(self) -> tuple[str, ...]:
        """Names of the fields that narrow it: for the journal, which keeps no values."""
        names = ("text", "name", "patient_id", "accession", "description", "modalities", "since", "until")
        return tuple(name for name in names if getattr(self, name))


@dataclass(frozen=True, slots=True)
class StudyPage:
    """Studies in order; how many match, counted to MAX_COUNTED; whether there are more behind this page. `partial`
    says that only the newest MAX_COUNTED matches were put in order."""

    matches: list[AttributeSet] = field(default_factory=list)
    count: int = 0
    counted: bool = True
    more: bool = False
    partial: bool = False
