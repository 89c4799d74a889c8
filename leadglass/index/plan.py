"""A query as SQL: which rows can match at all. Python looks at each of them afterwards, so a filter may let through too
many and never too few. Patterns do not reach SQL: only the text before their first wildcard does, as a range."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any, Final

from leadglass.core.attributes import Attribute
from leadglass.core.query import Level, Query
from leadglass.dicom.dictionary import tag_of
from leadglass.dicom.names import name_words
from leadglass.index import moments
from leadglass.index.catalog_schema import SERIES_SHIFT
from leadglass.index.matching import interval_of, is_universal, texts
from leadglass.index.text import has_wildcard, literal_prefix, name_prefix, storable
from leadglass.index.uid_key import uid_key
from leadglass.index.within import Within

LEVELS: Final = tuple(Level)
DEPTH: Final = {level: depth for depth, level in enumerate(LEVELS)}
ALIAS: Final = ("p", "s", "e", "i")
_TABLES: Final = ("patients p", "studies s", "series e", "instances i")
_JOINS: Final = (  # how a level hangs on the one above
    "",
    "s.patient = p.id",
    "e.study = s.id",
    f"e.id = (i.id >> {SERIES_SHIFT})",
)
_DOWN_TO_INSTANCES: Final = f"i.id >= (e.id << {SERIES_SHIFT}) AND i.id < ((e.id + 1) << {SERIES_SHIFT})"
_VISIBLE: Final = (
    "p.visible AND EXISTS (SELECT 1 FROM studies t WHERE t.patient = p.id AND t.visible AND NOT t.trashed)",
    "s.visible AND NOT s.trashed",
    "e.visible",
    "i.served = 1",
)
_LAST: Final = "\U0010ffff"  # behind every text that begins alike

PATIENT_ID: Final = tag_of("PatientID")
ISSUER: Final = tag_of("IssuerOfPatientID")
PATIENT_NAME: Final = tag_of("PatientName")
STUDY_UID: Final = tag_of("StudyInstanceUID")
SERIES_UID: Final = tag_of("SeriesInstanceUID")
SOP_UID: Final = tag_of("SOPInstanceUID")
SOP_CLASS: Final = tag_of("SOPClassUID")
STUDY_DATE: Final = tag_of("StudyDate")
STUDY_TIME: Final = tag_of("StudyTime")
ACCESSION: Final = tag_of("AccessionNumber")
MODALITY: Final = tag_of("Modality")
MODALITIES: Final = tag_of("ModalitiesInStudy")
_ZONE_DAYS: Final = 2  # from UTC-12 to UTC+14 a moment may lie two dates apart


@dataclass(slots=True)
class Plan:
    """Conditions gathered from the keys; `driver` is the depth of the level that narrows best."""

    depth: int
    driver: int
    conditions: list[str] = field(default_factory=list)
    parameters: dict[str, Any] = field(default_factory=dict)

    def bind(self, value: object) -> str:
        """A parameter holding `value`; its place in SQL."""
        name = f"k{len(self.parameters)}"
        self.parameters[name] = value
        return f":{name}"

    def among(self, column: str, values: list[str] | list[int]) -> None:
        """`column` is one of `values`, however many."""
        if len(values) == 1:
            self.conditions.append(f"{column} = {self.bind(values[0])}")
        else:
            place = self.bind(json.dumps(values))
            self.conditions.append(f"{column} IN (SELECT value FROM json_each({place}))")  # noqa: S608

    def page_sql(self) -> str:
        """SELECT of the identifiers of candidates behind :after, ascending, :count at most."""
        order = [self.driver, *range(self.driver - 1, -1, -1), *range(self.driver + 1, self.depth + 1)]
        where = list(self.conditions)
        top = 0 if self.depth == 0 else 1
        where += [_VISIBLE[level] for level in range(top, self.depth + 1)]
        where += [_JOINS[level] for level in range(1, max(order) + 1)]
        if self.depth == 3 and self.driver < 3:
            where.append(_DOWN_TO_INSTANCES)
        target = f"{ALIAS[self.depth]}.id"
        tables = " CROSS JOIN ".join(_TABLES[level] for level in order)
        return (
            f"SELECT {target} FROM {tables} WHERE {' AND '.join(where)} AND {target} > :after "  # noqa: S608 - our names
            f"ORDER BY {target} LIMIT :count"
        )


def make_plan(query: Query, salt: bytes, within: Within) -> Plan:
    """The plan of `query`: filters from its indexed keys, the reach it has, and the level to begin at."""
    depth = DEPTH[query.level]
    plan = Plan(depth, depth)
    if not within.everything:
        plan.conditions += _within(within, depth)
        plan.parameters |= within.parameters
    rank = [0]

    def narrow(level: int, weight: int) -> None:
        if weight > rank[0]:
            rank[0], plan.driver = weight, level

    keys = {tag: key for tag, key in query.keys.items() if not is_universal(key)}
    if depth == 3 and SOP_UID in keys:
        plan.among("i.uid_key", [uid_key(storable(uid), salt) for uid in texts(keys[SOP_UID])])
        narrow(3, 100)
    for level, tag, column, weight in ((2, SERIES_UID, "e.series_uid", 90), (1, STUDY_UID, "s.study_uid", 80)):
        if depth >= level and tag in keys:
            plan.among(column, [storable(uid) for uid in texts(keys[tag])])
            narrow(level, weight)
    for level, tag, column, weight in (
        (1, ACCESSION, "s.accession", 70),
        (0, PATIENT_ID, "p.patient_id", 60),
        (2, MODALITY, "e.modality", 0),
    ):
        if depth >= level and tag in keys and _text_filter(plan, column, keys[tag]):
            narrow(level, weight)
    if PATIENT_NAME in keys and _name_filter(plan, keys[PATIENT_NAME], fuzzy=query.fuzzy):
        narrow(0, 50)
    if depth >= 1:
        if STUDY_DATE in keys and _date_filter(plan, keys[STUDY_DATE], bool(query.timezone)):
            narrow(1, 40)
        _modalities_filter(plan, keys.get(MODALITIES))
        plan.conditions.append("s.study_uid <> ''")  # objects without a patient are in no query model
    return plan


def _within(within: Within, depth: int) -> list[str]:
    """The conditions of a reach on a row of the level and of those above it."""
    if depth == 0:
        return [within.patient("p")]
    if depth == len(LEVELS) - 1:
        return [within.of_study("s", "i")]
    return [within.study("s"), within.series("e")] if depth == DEPTH[Level.SERIES] else [within.study("s")]


def _text_filter(plan: Plan, column: str, key: Attribute) -> bool:
    """Exact values, or what a single pattern begins with."""
    given = [storable(text) for text in texts(key)]
    if not any(has_wildcard(text) for text in given):
        plan.among(column, given)
        return True
    prefix = literal_prefix(given[0]) if len(given) == 1 else ""
    if prefix:
        low, high = plan.bind(prefix), plan.bind(prefix + _LAST)
        plan.conditions.append(f"{column} >= {low} AND {column} < {high}")
    return bool(prefix)


def _name_filter(plan: Plan, key: Attribute, *, fuzzy: bool) -> bool:
    """What some name (a group, or with `fuzzy` a word) of every patient that fits begins with."""
    given = texts(key)
    longest = max(name_words(given[0]), key=len, default="") if fuzzy and len(given) == 1 else ""
    prefix = storable(longest or name_prefix(given[0])) if len(given) == 1 else ""
    if prefix:
        low, high = plan.bind(prefix), plan.bind(prefix + _LAST)
        names = f"SELECT patient FROM patient_names WHERE name >= {low} AND name < {high}"  # noqa: S608 - places only
        plan.conditions.append(f"p.id IN ({names})")
    return bool(prefix)


def _date_filter(plan: Plan, key: Attribute, zoned: bool) -> bool:
    given = texts(key)
    wanted = interval_of("DA", given[0], moments.date) if len(given) == 1 else None
    if wanted is None:
        return False
    low, high = wanted
    if zoned:
        low = moments.days_around(low, -_ZONE_DAYS) if low else None
        high = moments.days_around(high, _ZONE_DAYS) if high else None
    if low:
        plan.conditions.append(f"s.date >= {plan.bind(low)}")
    if high:
        plan.conditions.append(f"s.date <= {plan.bind(high)}")
    return bool(low or high)


def _modalities_filter(plan: Plan, key: Attribute | None) -> None:
    given = texts(key)
    if given and not any(has_wildcard(text) for text in given):
        place = plan.bind(json.dumps([storable(text) for text in given]))
        one = f"m.modality IN (SELECT value FROM json_each({place}))"  # noqa: S608 - places only
        found = f"SELECT 1 FROM series m WHERE m.study = s.id AND m.visible AND {one}"  # noqa: S608 - places only
        plan.conditions.append(f"EXISTS ({found})")
