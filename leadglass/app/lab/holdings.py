"""What a made-up archive of the laboratory holds, and how it answers queries: honestly, or in a planted wrong way.

Every identifying value is invented, looks it, and carries a canary: a word that must never be found in what an audit
writes.
"""

from __future__ import annotations

import datetime as dt
import random
from collections.abc import Iterator
from dataclasses import dataclass

from leadglass.core.attributes import Attribute, AttributeSet
from leadglass.dicom.values import read_attributes, write_attributes

CANARY = "ZZCANARYZZ"

_LEVEL, _DATE, _TIME, _MODALITIES = 0x00080052, 0x00080020, 0x00080030, 0x00080061
_STUDY = 0x0020000D


@dataclass(frozen=True, slots=True)
class Study:
    """One study. `date` and `time` are as DA and TM have them, "" if it has none."""

    number: int
    date: str
    time: str
    modality: str
    instances: int

    @property
    def uid(self) -> str:
        """Study Instance UID, made up."""
        return f"2.25.{987654321000000 + self.number}"


@dataclass(frozen=True, slots=True)
class Holdings:
    """The studies of one archive. `limit` answers at most so many and says nothing; `ignores_ranges` all of them."""

    studies: tuple[Study, ...]
    limit: int = 0
    ignores_ranges: bool = False

    @property
    def images(self) -> int:
        """Of all studies."""
        return sum(study.instances for study in self.studies)

    def answers(self, identifier: bytes, transfer_syntax: str) -> Iterator[bytes]:
        """The identifiers that answer a query. LeadglassError if it is no data set."""
        asked = read_attributes(identifier, transfer_syntax, "")
        sent = 0
        for study in self.studies:
            if self.limit and sent == self.limit:
                return
            if self._matches(study, asked):
                sent += 1
                yield write_attributes(_answer(study, asked), transfer_syntax, "")

    def _matches(self, study: Study, asked: AttributeSet) -> bool:
        uid, modality = _text(asked, _STUDY), _text(asked, _MODALITIES)
        if (uid and uid != study.uid) or (modality and modality != study.modality):
            return False
        if self.ignores_ranges:
            return True
        return _within(study.date, _text(asked, _DATE)) and _within(study.time, _text(asked, _TIME))


def made_up(count: int, *, seed: int = 1, years: int = 12, images: int = 60, undated: int = 0) -> tuple[Study, ...]:
    """So many studies with dates over some years, the same for a seed; the last `undated` have no date."""
    dice = random.Random(seed)  # noqa: S311 - invented studies
    first = dt.date(2014, 1, 1)
    studies = []
    for number in range(count):
        day = first + dt.timedelta(days=dice.randrange(365 * years))
        seconds = dice.randrange(86400)
        time = f"{seconds // 3600:02}{seconds // 60 % 60:02}{seconds % 60:02}"
        dated = number < count - undated
        studies.append(
            Study(
                seed * 10_000_000 + number,
                f"{day:%Y%m%d}" if dated else "",
                time if dated else "",
                dice.choice(("CT", "MR", "US", "CR", "DX", "MG", "SC")),
                1 + dice.randrange(images),
            )
        )
    return tuple(studies)


def _answer(study: Study, asked: AttributeSet) -> AttributeSet:
    held = {
        _DATE: Attribute("DA", (study.date,) if study.date else ()),
        _TIME: Attribute("TM", (study.time,) if study.time else ()),
        0x00080050: Attribute("SH", (f"{CANARY}A{study.number % 100}",)),
        _LEVEL: Attribute("CS", ("STUDY",)),
        _MODALITIES: Attribute("CS", (study.modality,)),
        0x00080090: Attribute("PN", (f"{CANARY}^Referrer",)),
        0x00081030: Attribute("LO", (f"{CANARY} of the invented knee",)),
        0x00100010: Attribute("PN", (f"{CANARY}^Invented{study.number}",)),
        0x00100020: Attribute("LO", (f"{CANARY}{study.number}",)),
        0x00100030: Attribute("DA", ("19000229",)),
        0x00101040: Attribute("LO", (f"{CANARY} Street 0",)),
        _STUDY: Attribute("UI", (study.uid,)),
        0x00201206: Attribute("IS", ("2",)),
        0x00201208: Attribute("IS", (str(study.instances),)),
    }
    return {tag: value for tag, value in held.items() if tag in asked}


def _within(value: str, asked: str) -> bool:
    """Whether a DA or TM lies in a range (PS3.4 C.2.2.2.5)."""
    if not asked:
        return True
    if not value:
        return False
    first, dash, last = asked.partition("-")
    if not dash:
        return value == first
    return (not first or value >= first) and (not last or value <= last.partition(".")[0])


def _text(attributes: AttributeSet, tag: int) -> str:
    attribute = attributes.get(tag)
    return str(attribute.values[0]) if attribute and attribute.values else ""
