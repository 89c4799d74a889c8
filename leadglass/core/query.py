"""Queries and what they answer, the same for C-FIND and, later, QIDO-RS (PS3.4 C.2)."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum

from leadglass.core.attributes import AttributeSet
from leadglass.core.limits import DEFAULT_QUERY_LIMIT
from leadglass.core.reach import EVERYTHING, Reach


class Level(Enum):
    """Query/Retrieve Level (0008,0052), from the top down."""

    PATIENT = "PATIENT"
    STUDY = "STUDY"
    SERIES = "SERIES"
    IMAGE = "IMAGE"


@dataclass(frozen=True, slots=True)
class Query:
    """What is looked for. `keys` holds matching keys and, with no values, universal (return) keys; items of a
    sequence key are AttributeSets. A value list on a UI key is a list of UIDs; ranges and wildcards stand in the
    text as the peer sent it. `timezone` is the request's (0008,0201), e.g. "+0100", or empty. With
    `combined_datetime` a date and its time are one range (PS3.4 C.2.2.2.5, where both sides negotiated it). With
    `fuzzy` a name matches if each word of the key begins some word of it, in any order. `reach` is set by the services,
    to that of who asks; whatever a door puts there is replaced."""

    level: Level
    keys: AttributeSet
    limit: int = DEFAULT_QUERY_LIMIT
    offset: int = 0
    timezone: str = ""
    combined_datetime: bool = False
    fuzzy: bool = False
    reach: Reach = EVERYTHING


@dataclass(frozen=True, slots=True)
class Selection:
    """What is retrieved, deleted or exported: entities of one level, named by their unique keys.

    Empty tuples above `level` mean "any"; at `level` at least one UID (or a patient) is named. `reach` as
    of Query.
    """

    level: Level
    patient_id: str = ""
    issuer: str | None = None
    study_uids: tuple[str, ...] = ()
    series_uids: tuple[str, ...] = ()
    sop_instance_uids: tuple[str, ...] = ()
    reach: Reach = EVERYTHING


def never() -> bool:
    """What a search that nobody can stop asks."""
    return False


@dataclass(frozen=True, slots=True)
class FindPage:
    """Answers in a stable order, and whether the limit, or who asked, cut them short."""

    matches: list[AttributeSet] = field(default_factory=list)
    truncated: bool = False
