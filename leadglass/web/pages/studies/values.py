"""What catalogued attributes say, as people read it. Every text is a stranger's: without controls, cut to a bound."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from typing import Final

from leadglass.core.attributes import Attribute, AttributeSet
from leadglass.dicom.dictionary import tag_of

LONGEST: Final = 120  # characters of one value that a page shows
_CUT: Final = "…"
# Controls, and what turns the direction of text around: a name must not rearrange what stands beside it.
_HIDDEN: Final = frozenset({"Cc", "Cf", "Cs", "Co", "Zl", "Zp"})
_SEX: Final = frozenset({"F", "M", "O"})


@dataclass(frozen=True, slots=True)
class Patient:
    """Who a study is about. `born` is YYYY-MM-DD, `sex` F, M, O or empty."""

    name: str
    identifier: str
    issuer: str
    born: str
    sex: str


@dataclass(frozen=True, slots=True)
class StudyRow:
    """A study as lists and headings show it."""

    uid: str
    patient: Patient
    date: str
    time: str
    accession: str
    description: str
    modalities: tuple[str, ...]
    series: int
    instances: int


@dataclass(frozen=True, slots=True)
class SeriesRow:
    """A series of a study."""

    uid: str
    number: str
    modality: str
    description: str
    body_part: str
    instances: int


def plain(text: str, longest: int = LONGEST) -> str:
    """`text` in one line, without what is invisible or turns directions, cut to `longest`."""
    kept = "".join(" " if c.isspace() else c for c in text[: longest * 4] if c.isspace() or _shown(c))
    line = " ".join(kept.split())
    return line if len(line) <= longest else line[: longest - 1] + _CUT


def _shown(character: str) -> bool:
    return unicodedata.category(character) not in _HIDDEN


def texts(found: AttributeSet, keyword: str) -> tuple[str, ...]:
    """The values of an attribute that are texts and not empty."""
    attribute: Attribute | None = found.get(tag_of(keyword))
    values = attribute.values if attribute is not None else ()
    return tuple(plain(value) for value in values if isinstance(value, str) and value.strip(" \0"))


def text(found: AttributeSet, keyword: str) -> str:
    """The first value of an attribute, "" if there is none."""
    return next(iter(texts(found, keyword)), "")


def exact(found: AttributeSet, keyword: str) -> str:
    """The first value as it is: for identifiers that go into addresses, not onto the page."""
    attribute = found.get(tag_of(keyword))
    value = attribute.values[0] if attribute is not None and attribute.values else ""
    return value.strip(" \0") if isinstance(value, str) else ""


def name(value: str) -> str:
    """A person name (PS3.5 6.2.1): "Rossi, Anna Maria", other scripts in brackets behind."""
    groups = [_group(group) for group in value.split("=")[:3]]
    first, *others = [group for group in dict.fromkeys(groups) if group] or [""]
    return plain(first + "".join(f" ({group})" for group in others))


def _group(text_of: str) -> str:
    parts = [part.strip() for part in text_of.split("^")]
    family, *given = parts
    rest = " ".join(part for part in given[:2] if part)
    title = " ".join(part for part in given[2:4] if part)
    whole = ", ".join(part for part in (family, rest) if part)
    return f"{whole} ({title})" if title and whole else whole or title


def date(value: str) -> str:
    """YYYYMMDD as YYYY-MM-DD; what is none as it is."""
    return f"{value[:4]}-{value[4:6]}-{value[6:]}" if len(value) == 8 and value.isdigit() else value


def time(value: str) -> str:
    """HHMMSS as HH:MM; "" for what is none."""
    return f"{value[:2]}:{value[2:4]}" if len(value) >= 4 and value[:4].isdigit() else ""


def count(found: AttributeSet, keyword: str) -> int:
    """A number that the catalog counted."""
    value = text(found, keyword)
    return int(value) if value.isascii() and value.isdigit() and len(value) < 10 else 0


def patient_of(found: AttributeSet) -> Patient:
    """The patient of a study."""
    sex = text(found, "PatientSex")
    return Patient(
        name(exact(found, "PatientName")),
        text(found, "PatientID"),
        text(found, "IssuerOfPatientID"),
        date(text(found, "PatientBirthDate")),
        sex if sex in _SEX else "",
    )


def study_of(found: AttributeSet) -> StudyRow:
    """A study that was found."""
    return StudyRow(
        exact(found, "StudyInstanceUID"),
        patient_of(found),
        date(text(found, "StudyDate")),
        time(text(found, "StudyTime")),
        text(found, "AccessionNumber"),
        text(found, "StudyDescription"),
        texts(found, "ModalitiesInStudy")[:8],
        count(found, "NumberOfStudyRelatedSeries"),
        count(found, "NumberOfStudyRelatedInstances"),
    )


def series_of(found: AttributeSet) -> SeriesRow:
    """A series that was found."""
    return SeriesRow(
        exact(found, "SeriesInstanceUID"),
        text(found, "SeriesNumber"),
        text(found, "Modality"),
        text(found, "SeriesDescription"),
        text(found, "BodyPartExamined"),
        count(found, "NumberOfSeriesRelatedInstances"),
    )
