"""Searching the list of studies: words of the index in the order of the list, rows read for one page only."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, Final

from leadglass.core.attributes import Attribute, AttributeSet
from leadglass.core.listing import MAX_COUNTED, StudyOrder, StudyPage, StudySearch
from leadglass.core.reach import Reach
from leadglass.dicom.dictionary import tag_of, vr_of
from leadglass.dicom.names import normalise_name
from leadglass.index.sqlite_engine import SqlCipherEngine
from leadglass.index.study_words import FIELDS, KEY_BITS, KEY_MASK, MAX_REACH_WORDS, reach_words, words
from leadglass.index.within import Within

SHOWN: Final = (
    "PatientName PatientID IssuerOfPatientID PatientBirthDate PatientSex StudyDate StudyTime AccessionNumber "
    "ModalitiesInStudy StudyInstanceUID StudyDescription NumberOfStudyRelatedSeries NumberOfStudyRelatedInstances"
)
_SHOWN_KEYS: Final[AttributeSet] = {tag_of(keyword): Attribute(vr_of(tag_of(keyword))) for keyword in SHOWN.split()}
_NAME: Final = tag_of("PatientName")
_NAME_ONLY: Final[AttributeSet] = {_NAME: Attribute("PN")}
MAX_ASKED: Final = 16  # words of one field that are looked for
_LAST_DAY: Final = 99_999_999
_ISO: Final = re.compile(r"(\d{4})(?:-(\d{2})(?:-(\d{2}))?)?")
_LOCAL: Final = re.compile(r"(?:(?:(\d{1,2})[./])?(\d{1,2})[./])?(\d{4})")  # 17.5.2024, 5/2024: day before month
_COMPACT: Final = re.compile(r"\d{8}")

# Studies by their rows' keys, with these attributes, within a reach.
Rows = Callable[[Sequence[int], AttributeSet, Reach], list[AttributeSet]]


def day_of(text: str) -> str:
    """A date that somebody wrote, or the part of one, as the beginning of YYYYMMDD; "" if it is none."""
    if _COMPACT.fullmatch(text):
        return text
    if found := _ISO.fullmatch(text):
        return "".join(part or "" for part in found.groups())
    if found := _LOCAL.fullmatch(text):
        day, month, year = found.groups()
        return year + (month.zfill(2) if month else "") + (day.zfill(2) if day else "")
    return ""


class StudyList:
    """Searches one catalog's list. May be used by several threads."""

    def __init__(self, engine: SqlCipherEngine, rows: Rows) -> None:
        self._engine = engine
        self._rows = rows

    def search(self, search: StudySearch) -> StudyPage:
        """core.ports.Catalog.list_studies."""
        wanted = max(MAX_COUNTED, search.offset + search.limit) + 1
        found = self._found(search, wanted)
        count, more = len(found), len(found) > search.offset + search.limit
        partial = False
        if search.order is StudyOrder.NAME:
            partial, found = count > MAX_COUNTED, self._by_name(found[:MAX_COUNTED], search)
            more = len(found) > search.offset + search.limit
        shown = self._rows(found[search.offset : search.offset + search.limit], _SHOWN_KEYS, search.reach)
        return StudyPage(shown, min(count, MAX_COUNTED), counted=count <= MAX_COUNTED, more=more, partial=partial)

    def _found(self, search: StudySearch, limit: int) -> list[int]:
        """Keys of studies that match, in order."""
        text, since, until = _range_in(search)
        low, high = int(since or 0) << KEY_BITS, (int(until or _LAST_DAY) + 1) << KEY_BITS
        within = Within(search.reach)
        match = _match(replace(search, text=text))
        parameters: dict[str, Any] = {"low": low, "high": high, "limit": limit, **within.parameters}
        if match:
            source, place, condition = "study_words", "study_words.rowid", "study_words MATCH :match AND "
            parameters["match"] = match
        else:
            source, place, condition = "listed", "listed.place", ""
        order = "ASC" if search.order is StudyOrder.OLDEST else "DESC"
        sql = (
            f"SELECT s.id FROM {source} CROSS JOIN studies s ON s.id = ({place} & {KEY_MASK}) "  # noqa: S608 - our names
            f"WHERE {condition}{place} >= :low AND {place} < :high "
            f"AND s.visible AND NOT s.trashed AND {within.study('s')} ORDER BY {place} {order} LIMIT :limit"
        )
        return [row[0] for row in self._engine.read(sql, parameters)]

    def _by_name(self, keys: list[int], search: StudySearch) -> list[int]:
        places = ", ".join("?" * len(keys))
        sql = f"""SELECT s.id, p.id FROM studies s JOIN patients p ON p.id = s.patient
            WHERE s.id IN ({places})"""  # noqa: S608 - places only
        patient: dict[int, int] = dict(self._engine.read(sql, keys))
        first = {patient[key]: key for key in reversed(keys) if key in patient}
        named = self._rows(list(first.values()), _NAME_ONLY, search.reach)
        names = {whose: normalise_name(_text(match.get(_NAME))) for whose, match in zip(first, named, strict=False)}
        return sorted((key for key in keys if key in patient), key=lambda key: names.get(patient[key], ""))


def _text(attribute: Attribute | None) -> str:
    return str(attribute.values[0]) if attribute and attribute.values else ""


def _range_in(search: StudySearch) -> tuple[str, str, str]:
    """The text without a range of dates that stands in it, and the days from and to which is looked."""
    rest, since, until = [], search.since, search.until
    for word in search.text.split():
        low, dots, high = word.partition("..")
        first, last = day_of(low), day_of(high)
        if not dots and _COMPACT.fullmatch(word[:8]) and word[8:9] == "-" and _COMPACT.fullmatch(word[9:]):
            first, last, dots = word[:8], word[9:], "-"
        if dots and (first or last) and (first or not low) and (last or not high):
            since = max(since, first.ljust(8, "0")) if first else since
            until = min(until or str(_LAST_DAY), last.ljust(8, "9")) if last else until
        else:
            rest.append(word)
    return " ".join(rest), since, until


def _match(search: StudySearch) -> str:
    """The question to the full-text index; "" if it narrows nothing. Words are letters and digits only."""
    parts = [_anywhere(search.text)]
    for column, found in (
        ("name", words(search.name)),
        ("number", words(search.patient_id)),
        ("accession", words(search.accession)),
        ("about", words(search.description)),
    ):
        parts += [f'{{{column}}} : ("{word}" *)' for word in found[:MAX_ASKED]]
    modalities = [word for text in search.modalities for word in words(text)][:MAX_ASKED]
    if modalities:
        parts.append("{modality} : (" + " OR ".join(f'"{word}"' for word in modalities) + ")")
    if not search.reach.everything:
        sealed = reach_words(search.reach)
        if len(sealed) <= MAX_REACH_WORDS:
            parts.append("{reach} : (" + (" OR ".join(f'"{word}"' for word in sealed) or '"nothing"') + ")")
    return " AND ".join(part for part in parts if part)


def _anywhere(text: str) -> str:
    asked: list[str] = []
    days: list[str] = []
    for word in text.split():
        day = day_of(word) if not word.isdigit() else ""
        days += [f'{{day}} : ("{day}" *)'] if day else []
        asked += [] if day else words(word)
    columns = " ".join(FIELDS)
    asked = asked[:MAX_ASKED]
    free = [f"{{{columns}}} : ({' AND '.join(f'{chr(34)}{word}{chr(34)} *' for word in asked)})"] if asked else []
    return " AND ".join(free + days[:MAX_ASKED])
