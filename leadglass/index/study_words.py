"""The words by which a study is found in the list, and its place there.

Strategy: one row per study of a full-text index (SQLite FTS5, contentless, with the beginnings of words). Its number
is the study's place in the list, made of date and key, so that the index itself is in the order in which studies are
shown: a search reads from the newest and stops when the page is full, however many match. What the index tells is a
candidate; visibility, the trash and the reach are asked of the study's own row.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

from blake3 import blake3

from leadglass.core.reach import Reach
from leadglass.dicom.dictionary import tag_of
from leadglass.dicom.names import normalise_text
from leadglass.index.entity import Entity
from leadglass.index.sqlite_engine import SqlCipherEngine
from leadglass.index.text import storable

FIELDS: Final = ("name", "number", "accession", "about", "day", "modality")
KEY_BITS: Final = 32  # of a place; the date stands above them
KEY_MASK: Final = (1 << KEY_BITS) - 1
MAX_WORDS: Final = 64  # of one field of one study: no description of a study is longer
MAX_WORD: Final = 64
MAX_REACH_WORDS: Final = 500  # more are not looked for in the index; their rows are asked one by one
AT_ONCE: Final = 1000  # studies of an older catalog that are listed in one transaction

_SEPARATORS: Final = re.compile(r"[\W_]+")
_NAME, _DESCRIPTION = tag_of("PatientName"), tag_of("StudyDescription")
_ROW: Final = """SELECT s.study_uid, s.date, s.accession, s.attributes, p.issuer, p.patient_id, p.attributes
    FROM studies s JOIN patients p ON p.id = s.patient WHERE s.id = ? AND s.visible AND s.study_uid <> ''"""
_MODALITIES: Final = "SELECT DISTINCT modality FROM series WHERE study = ? AND visible AND modality IS NOT NULL"
_INSTITUTIONS: Final = "SELECT institution FROM study_institutions WHERE study = ?"
_REFERRERS: Final = "SELECT name FROM study_referrers WHERE study = ?"
_COLUMNS: Final = (*FIELDS, "reach")
_INSERT: Final = (
    f"INSERT INTO study_words (rowid, {', '.join(_COLUMNS)}) VALUES ({', '.join('?' * (len(_COLUMNS) + 1))})"  # noqa: S608
)


def words(text: str) -> list[str]:
    """The words of `text`, normalised: runs of letters and digits of any script."""
    found = _SEPARATORS.split(storable(normalise_text(text)))
    return [word[:MAX_WORD] for word in found if word][:MAX_WORDS]


def number_words(text: str) -> list[str]:
    """The words of an identifier, and all of them as one: AB-12 is found by AB12 too."""
    found = words(text)
    return [*found, "".join(found)[:MAX_WORD]] if len(found) > 1 else found


def place_of(day: str | None, study: int) -> int:
    """The place of a study in the list. `day` is YYYYMMDD; without one it stands behind all others."""
    return int(day or 0) << KEY_BITS | study


def reach_words(reach: Reach) -> list[str]:
    """What the index holds of studies that the reach may name."""
    return [
        *(_sealed("i", name) for name in reach.institutions),
        *(_sealed("r", name) for name in reach.referring),
        *(_sealed("u", uid) for uid in reach.studies),
        *(_sealed("p", patient_id) for _, patient_id in reach.patients),
    ]


def _sealed(kind: str, text: str) -> str:
    """A word of one kind. Two texts that share one by chance do no harm: the row itself is asked."""
    return kind + blake3(storable(text).encode()).hexdigest(length=6)


class StudyLister:
    """Keeps the list as the catalog is written. Works inside the writer's transactions."""

    def __init__(self, engine: SqlCipherEngine) -> None:
        self._engine = engine
        self._execute = engine.writer.execute

    def relist(self, studies: Iterable[int]) -> None:
        """Put studies (their rows' keys) into the list, or anew. Called in a transaction."""
        for study in studies:
            before = self._execute("SELECT place FROM listed WHERE study = ?", (study,)).fetchone()
            if before is not None:
                self._execute("DELETE FROM study_words WHERE rowid = ?", before)
                self._execute("DELETE FROM listed WHERE place = ?", before)
            row = self._execute(_ROW, (study,)).fetchone()
            if row is not None:
                place = place_of(row[1], study)
                found = self._fields(study, row)
                self._execute("INSERT INTO listed VALUES (?, ?)", (place, study))
                self._execute(_INSERT, (place, *(" ".join(found[column]) for column in _COLUMNS)))

    def catch_up(self) -> None:
        """List what a catalog of an earlier schema holds, in transactions that let others in between."""
        while self._engine.read_one("SELECT 1 FROM unlisted LIMIT 1") is not None:
            with self._engine.write():
                rows = self._execute("SELECT study FROM unlisted LIMIT ?", (AT_ONCE,)).fetchall()
                self.relist(study for (study,) in rows)
                for row in rows:
                    self._execute("DELETE FROM unlisted WHERE study = ?", row)

    def _fields(self, study: int, row: tuple[Any, ...]) -> Mapping[str, list[str]]:
        study_uid, day, accession, attributes, _issuer, patient_id, of_patient = row
        institutions, referrers = self._column(_INSTITUTIONS, study), self._column(_REFERRERS, study)
        reach = Reach(
            studies=frozenset({study_uid}),
            patients=frozenset({("", patient_id)} if patient_id else ()),
            institutions=frozenset(institutions),
            referring=frozenset(referrers),
        )
        return {
            "name": _words_of(Entity.of_blob(of_patient, {}), _NAME),
            "number": number_words(patient_id),
            "accession": number_words(accession or ""),
            "about": _words_of(Entity.of_blob(attributes, {}), _DESCRIPTION),
            "day": [day] if day else [],
            "modality": [word for text in self._column(_MODALITIES, study) for word in words(text)],
            "reach": reach_words(reach),
        }

    def _column(self, sql: str, study: int) -> list[str]:
        return [text for (text,) in self._execute(sql, (study,)).fetchall()]


def _words_of(entity: Entity, tag: int) -> list[str]:
    found = entity.attribute(tag)
    texts = [value for value in found.values if isinstance(value, str)] if found else []
    return [word for text in texts[:8] for word in words(text)][:MAX_WORDS]
