"""Running a query: candidates from SQL in pages, each looked at by the predicates, answers as they were asked for.

Pages are cut by key ("behind this identifier"), not by an open cursor: no read transaction lasts longer than a page,
what is added meanwhile does no harm, and the order is the order of arrival.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

from leadglass.core.attributes import Attribute, AttributeSet
from leadglass.core.query import FindPage, Query, never
from leadglass.dicom import index_keys
from leadglass.dicom.dictionary import vr_of
from leadglass.index import moments, plan, related
from leadglass.index.catalog_schema import SERIES_SHIFT
from leadglass.index.entity import Entity
from leadglass.index.matching import Predicate, compile_date_time, compile_key, project
from leadglass.index.sqlite_engine import Row, SqlCipherEngine
from leadglass.index.within import Within

_FIRST_PAGE: Final = 256
_LAST_PAGE: Final = 16_384
_ROWS_AT_ONCE: Final = 256

_LEVEL_KEYS: Final = (
    frozenset(index_keys.PATIENT_KEYS),
    frozenset(index_keys.STUDY_KEYS),
    frozenset(index_keys.SERIES_KEYS),
    frozenset(index_keys.IMAGE_KEYS),
)
_COLUMNS: Final = (
    "p.id, p.patient_id, p.issuer, p.attributes",
    "s.id, s.study_uid, s.attributes",
    "e.id, e.series_uid, e.attributes",
    "i.id, i.uid, (SELECT text FROM terms WHERE id = i.class), i.attributes",
)
_ROWS_FROM: Final = (
    "patients p",
    "studies s JOIN patients p ON p.id = s.patient",
    "series e JOIN studies s ON s.id = e.study JOIN patients p ON p.id = s.patient",
    f"instances i JOIN series e ON e.id = (i.id >> {SERIES_SHIFT}) JOIN studies s ON s.id = e.study "
    "JOIN patients p ON p.id = s.patient",
)
_WIDTHS: Final = (4, 3, 3, 4)
_MOMENTS: Final = frozenset({"DA", "DT", "TM"})


def supported_depth(tag: int, depth: int) -> int | None:
    """The level (0 patient .. 3 image), at or above `depth`, that `tag` is an attribute of; None if of none."""
    for level in range(depth, -1, -1):
        if tag in _LEVEL_KEYS[level] or tag in related.COMPUTED[level]:
            return level
    return depth if tag == related.AVAILABILITY else None


class _Candidate:
    """One row: the entities of the query's level and of those above it."""

    def __init__(self, engine: SqlCipherEngine, entities: Sequence[tuple[int, Entity]], within: Within) -> None:
        self._engine = engine
        self._within = within
        self._entities = entities
        self._computed: dict[int, Attribute] = {}

    def attribute(self, level: int, tag: int) -> Attribute | None:
        pk, entity = self._entities[level]
        computation = related.ONLINE if tag == related.AVAILABILITY else related.COMPUTED[level].get(tag)
        if computation is None:
            return entity.attribute(tag)
        if tag not in self._computed:
            self._computed[tag] = computation(self._engine, pk, self._within)
        return self._computed[tag]

    def zone(self, levels: set[int]) -> str:
        """The zone that moments of these levels are told in; empty if it is not known or not one for all of them."""
        zones = {self._entities[level][1].zone for level in levels}
        return zones.pop() if len(zones) == 1 else ""


class Finder:
    """Answers queries over one catalog. May be used by several threads."""

    def __init__(self, engine: SqlCipherEngine, salt: bytes) -> None:
        self._engine = engine
        self._salt = salt

    def find(self, query: Query, stopped: Callable[[], bool] = never) -> FindPage:
        """core.ports.Catalog.find. INVALID_QUERY if a key cannot be understood."""
        depth = plan.DEPTH[query.level]
        asked = {tag: level for tag in sorted(query.keys) if (level := supported_depth(tag, depth)) is not None}
        matches = _compile(query, asked)
        page = FindPage()
        skip = query.offset
        for candidate in self._candidates(query):
            if stopped():
                return FindPage(page.matches, True)
            if not matches(candidate):
                continue
            if skip > 0:
                skip -= 1
                continue
            if len(page.matches) >= query.limit:
                return FindPage(page.matches, True)
            page.matches.append(_answer(query, asked, candidate))
        return page

    def studies(self, keys: Sequence[int], query: Query) -> list[AttributeSet]:
        """The studies of these rows in their order, with the attributes that `query` asks for; no key is matched."""
        asked = {tag: level for tag in sorted(query.keys) if (level := supported_depth(tag, 1)) is not None}
        within = Within(query.reach)
        above: list[tuple[int, Entity] | None] = [None, None]
        found = {}
        for row in self._rows(1, list(keys)) if keys else ():
            entities = _entities(row, 1, above, query.timezone)
            found[entities[1][0]] = _answer(query, asked, _Candidate(self._engine, entities, within))
        return [found[key] for key in keys if key in found]

    def _candidates(self, query: Query) -> Iterator[_Candidate]:
        within = Within(query.reach)
        made = plan.make_plan(query, self._salt, within)
        sql = made.page_sql()
        above: list[tuple[int, Entity] | None] = [None] * (made.depth + 1)
        after, count = 0, _FIRST_PAGE
        while True:
            found = [row[0] for row in self._engine.read(sql, made.parameters | {"after": after, "count": count})]
            for start in range(0, len(found), _ROWS_AT_ONCE):
                for row in self._rows(made.depth, found[start : start + _ROWS_AT_ONCE]):
                    yield _Candidate(self._engine, _entities(row, made.depth, above, query.timezone), within)
            if len(found) < count:
                return
            after, count = found[-1], min(count * 4, _LAST_PAGE)

    def _rows(self, depth: int, pks: list[int]) -> list[Row]:
        columns = ", ".join(_COLUMNS[: depth + 1])
        target = plan.ALIAS[depth] + ".id"
        places = ", ".join("?" * len(pks))
        sql = f"SELECT {columns} FROM {_ROWS_FROM[depth]} WHERE {target} IN ({places}) ORDER BY {target}"  # noqa: S608
        return self._engine.read(sql, pks)


def _entities(row: Row, depth: int, above: list[tuple[int, Entity] | None], timezone: str) -> list[tuple[int, Entity]]:
    """The row's entities from the patient down; one that the row before had too is taken from `above`."""
    entities = []
    place = 0
    for level in range(depth + 1):
        part = row[place : place + _WIDTHS[level]]
        place += _WIDTHS[level]
        known = above[level]
        if known is None or known[0] != part[0]:
            known = above[level] = part[0], Entity.of_blob(part[-1], _columns(level, part), timezone)
        entities.append(known)
    return entities


def _columns(level: int, part: Sequence[Any]) -> dict[int, Attribute]:
    if level == 0:
        columns = {plan.PATIENT_ID: Attribute("LO", (part[1],) if part[1] else ())}
        if part[2]:
            columns[plan.ISSUER] = Attribute("LO", (part[2],))
        return columns
    if level == 1:
        return {plan.STUDY_UID: Attribute("UI", (part[1],))}
    if level == 2:
        return {plan.SERIES_UID: Attribute("UI", (part[1],))}
    return {plan.SOP_UID: Attribute("UI", (part[1],)), plan.SOP_CLASS: Attribute("UI", (part[2],))}


def _compile(query: Query, asked: dict[int, int]) -> Callable[[_Candidate], bool]:
    together: list[tuple[int, int, int, Callable[[Attribute | None, Attribute | None], bool]]] = []
    done: set[int] = set()
    if query.combined_datetime:
        for tag, level in asked.items():
            date, time = moments.PAIRS.get(tag, (0, 0))
            if tag == date and time in asked:
                combined = compile_date_time(query.keys[date], query.keys[time])
                if combined is not None:
                    together.append((level, date, time, combined))
                    done |= {date, time}
    tests: list[tuple[int, int, Predicate]] = []
    for tag, level in asked.items():
        predicate = None if tag in done else compile_key(tag, query.keys[tag], query.timezone, fuzzy=query.fuzzy)
        if predicate is not None:
            tests.append((level, tag, predicate))
    tests.sort(key=lambda test: test[1] in related.COMPUTED[test[0]])  # what costs SQL comes last

    def matches(candidate: _Candidate) -> bool:
        return all(
            fits(candidate.attribute(level, date), candidate.attribute(level, time))
            for level, date, time, fits in together
        ) and all(predicate(candidate.attribute(level, tag)) for level, tag, predicate in tests)

    return matches


def _answer(query: Query, asked: dict[int, int], candidate: _Candidate) -> AttributeSet:
    answer = {}
    for tag, level in asked.items():
        found = candidate.attribute(level, tag)
        answer[tag] = Attribute(vr_of(tag)) if found is None else project(query.keys[tag], found)
    moments_of = {asked[tag] for tag, told in answer.items() if asked[tag] and told.vr in _MOMENTS and told.values}
    if zone := candidate.zone(moments_of):  # PS3.4 C.4.1.1.3.2; a date of birth has no zone
        answer[index_keys.TIMEZONE_OFFSET] = Attribute("SH", (zone,))
    return answer
