"""Adding to the catalog: the hot path of a store.

An entry of a known series costs one look-up by UID key, one INSERT and one UPDATE of its segment's row. What is
known of series, segments and terms is remembered in bounded caches. All of it is forgotten after a failed
transaction, because it may tell of rows that were rolled back, and when another process has written, because it may
have added to a series.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import sqlcipher3.dbapi2 as sqlite  # type: ignore[import-untyped]  # has no stubs

from leadglass.core.errors import ErrorCode, LeadglassError
from leadglass.core.ports import Added, AddOutcome
from leadglass.core.records import InstanceEntry, ReplayMark
from leadglass.dicom.dictionary import tag_of
from leadglass.dicom.names import name_groups, name_words, normalise_text
from leadglass.index import blobs, moments
from leadglass.index.catalog_schema import MAX_SERIES_INSTANCES, SERIES_SHIFT
from leadglass.index.entity import Entity
from leadglass.index.sqlite_engine import SqlCipherEngine
from leadglass.index.study_words import StudyLister
from leadglass.index.text import storable
from leadglass.index.uid_key import uid_key

MAX_REMEMBERED = 4096  # series, segments, terms: more than a day's open work, about 2 MB

_PATIENT_NAME = tag_of("PatientName")
_STUDY_DATE = tag_of("StudyDate")
_ACCESSION_NUMBER = tag_of("AccessionNumber")
_REFERRING = tag_of("ReferringPhysicianName")
_MODALITY = tag_of("Modality")
_SERIES_NUMBER = tag_of("SeriesNumber")
_INSTANCE_NUMBER = tag_of("InstanceNumber")
_MAX_NUMBER_TEXT = 18  # digits that fit a column; IS has 12 at most

_FIND_UID = "SELECT id, uid, version, segment, offset, digest, syntax FROM instances WHERE uid_key = ?"
_MOVE = "UPDATE instances SET segment = ?, offset = ?, key_id = ? WHERE id = ? RETURNING served, length"
_INSERT = "INSERT INTO instances VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
_TALLY = """UPDATE segments SET served = served + ?, versions = versions + ?, bytes = bytes + ?,
    version_bytes = version_bytes + ?, last_order = max(last_order, ?)"""
_TALLY_ONLY = f"{_TALLY} WHERE id = ?"
_TALLY_AND_MARK = f"{_TALLY}, mark = max(coalesce(mark, 0), ?), sealed = max(sealed, ?) WHERE id = ?"


class _Series:
    """What the writer remembers of a series row."""

    __slots__ = ("classes", "institutions", "next", "pk", "segment", "study", "visible")

    def __init__(self, pk: int, study: int, following: int, visible: bool) -> None:
        self.pk = pk
        self.study = study
        self.next = following
        self.visible = visible
        self.classes: set[int] = set()
        self.institutions: set[str] = set()
        self.segment = 0


class _Tally:
    """What a transaction adds to a segment's row."""

    __slots__ = ("bytes", "last_order", "mark", "sealed", "served", "version_bytes", "versions")

    def __init__(self) -> None:
        self.served = self.versions = self.bytes = self.version_bytes = self.last_order = 0
        self.mark: int | None = None
        self.sealed = False


class CatalogWriter:
    """Adds entries and marks. Used by one thread at a time."""

    def __init__(self, engine: SqlCipherEngine, salt: bytes) -> None:
        self._engine = engine
        self._execute = engine.writer.execute
        self._salt = salt
        self._others = 0  # changes with every commit of another connection
        self._lister = StudyLister(engine)
        self._changed = False  # whether a row above the instance at hand was made or redefined
        self.forget()

    def forget(self) -> None:
        """Empty the caches."""
        self._series: dict[tuple[str, str, str, str], _Series] = {}
        self._segments: dict[str, int] = {}
        self._terms: dict[str, int] = {}
        self._to_list: set[int] = set()

    def add(
        self,
        entries: Sequence[InstanceEntry],
        marks: Sequence[ReplayMark],
        settle: Callable[[], Sequence[ReplayMark]] | None = None,
    ) -> list[Added]:
        """Add all in one transaction (core.ports.Catalog.add)."""
        engine = self._engine
        try:
            engine.begin()
            try:
                self._follow()
                tallies: dict[int, _Tally] = {}
                outcomes = [self._add(entry, tallies) for entry in entries]
                added = self._with_trash(entries, outcomes)
                self._lister.relist(sorted(self._to_list))
                self._to_list.clear()
                for mark in (*marks, *settle()) if settle is not None else marks:
                    tally = tallies.setdefault(self._segment(mark.segment), _Tally())
                    tally.mark = max(tally.mark or 0, mark.offset)
                    tally.sealed = tally.sealed or mark.sealed
                self._count(tallies)
            except BaseException:
                engine.rollback()
                raise
            engine.commit()
        except (sqlite.Error, OSError) as error:
            self.forget()
            raise engine.translate(error) from None
        except BaseException:
            self.forget()
            raise
        return added

    def _follow(self) -> None:
        """Forget what was remembered if others have written since; asked inside the transaction, where nobody can."""
        others = self._execute("PRAGMA data_version").fetchone()[0]
        if others != self._others:
            self._others = others
            self.forget()

    def _with_trash(self, entries: Sequence[InstanceEntry], outcomes: list[AddOutcome]) -> list[Added]:
        """The outcomes, and which of the entries belong to a study in the trash. Asked inside the transaction: whoever
        trashes the study later trashes these instances with it."""
        if not self._execute("SELECT EXISTS (SELECT 1 FROM trashed)").fetchone()[0]:
            return [Added(outcome) for outcome in outcomes]
        studies = [storable(entry.trailer.identity.study_uid) for entry in entries]
        trashed = {study for study in set(studies) if self._is_trashed(study)}
        return [Added(outcome, study in trashed) for outcome, study in zip(outcomes, studies, strict=True)]

    def _is_trashed(self, study_uid: str) -> bool:
        return self._execute("SELECT 1 FROM trashed WHERE study_uid = ?", (study_uid,)).fetchone() is not None

    def _add(self, entry: InstanceEntry, tallies: dict[int, _Tally]) -> AddOutcome:
        trailer, location = entry.trailer, entry.location
        identity = trailer.identity
        uid = storable(identity.sop_instance_uid)
        key = uid_key(uid, self._salt)
        segment = self._segment(location.segment)
        syntax = self._term(trailer.transfer_syntax_uid)
        version = 1
        for pk, known, number, *place, digest, encoding in self._execute(_FIND_UID, (key,)).fetchall():
            if known == uid:
                if place == [segment, location.offset]:
                    return AddOutcome.KNOWN  # met in replay
                if digest == trailer.digest and encoding == syntax:
                    if not trailer.mends:
                        return AddOutcome.KNOWN  # sent again after a store that was answered as failed
                    self._move(pk, place[0], segment, entry, tallies)
                    return AddOutcome.ADDED
                version = max(version, number + 1)
        served = version == 1
        series = self._series_of(entry, served)
        number = series.next
        if number >= MAX_SERIES_INSTANCES:
            raise LeadglassError(ErrorCode.OUT_OF_RESOURCES, "A series holds as many instances as the catalog can.")
        sop_class = self._term(identity.sop_class_uid)
        row = (
            series.pk << SERIES_SHIFT | number,
            key,
            uid,
            version,
            served,
            sop_class,
            syntax,
            segment,
            location.offset,
            location.data_set_length,
            trailer.received_at,
            _instance_number(entry),
            entry.key_id,
            trailer.digest,
            blobs.pack(entry.header, blobs.IMAGE, trailer.assumed_character_set),
        )
        self._execute(_INSERT, row)
        series.next = number + 1
        self._note(series, segment, sop_class, served)
        if served and trailer.institution and trailer.institution not in series.institutions and identity.study_uid:
            self._sent_by(series, trailer.institution)
        tally = tallies.get(segment)
        if tally is None:
            tally = tallies[segment] = _Tally()
        tally.bytes += location.data_set_length
        tally.last_order = max(tally.last_order, trailer.came)
        if served:
            tally.served += 1
            return AddOutcome.ADDED
        tally.versions += 1
        tally.version_bytes += location.data_set_length
        return AddOutcome.VERSION

    def _move(self, pk: int, old: int, new: int, entry: InstanceEntry, tallies: dict[int, _Tally]) -> None:
        """Have a row point to another record of the same bytes, because the one before is damaged."""
        served, length = self._execute(_MOVE, (new, entry.location.offset, entry.key_id, pk)).fetchone()
        self._execute("INSERT OR IGNORE INTO segment_series VALUES (?, ?)", (new, pk >> SERIES_SHIFT))
        for segment, change in ((old, -1), (new, 1)):
            tally = tallies.setdefault(segment, _Tally())
            tally.bytes += change * length
            tally.served += change * (served > 0)  # what lies in the trash too
            tally.versions += change * (not served)
            tally.version_bytes += change * length * (not served)
        tallies[new].last_order = max(tallies[new].last_order, entry.trailer.came)

    def _note(self, series: _Series, segment: int, sop_class: int, served: bool) -> None:
        """What changes beside the row, nearly always nothing."""
        if series.segment != segment:
            self._execute("INSERT OR IGNORE INTO segment_series VALUES (?, ?)", (segment, series.pk))
            series.segment = segment
        if not served:
            self._execute("UPDATE series SET unserved = unserved + 1 WHERE id = ?", (series.pk,))
        elif sop_class not in series.classes:
            self._execute("INSERT OR IGNORE INTO series_classes VALUES (?, ?)", (series.pk, sop_class))
            series.classes.add(sop_class)

    def _sent_by(self, series: _Series, institution: str) -> None:
        """A study is of every institution whose device sent a served instance of it."""
        row = (series.study, storable(normalise_text(institution)))
        self._execute("INSERT OR IGNORE INTO study_institutions VALUES (?, ?)", row)
        series.institutions.add(institution)
        self._to_list.add(series.study)

    def _count(self, tallies: dict[int, _Tally]) -> None:
        for segment, tally in tallies.items():
            counts = (tally.served, tally.versions, tally.bytes, tally.version_bytes, tally.last_order)
            if tally.mark is None:
                self._execute(_TALLY_ONLY, (*counts, segment))
            else:
                self._execute(_TALLY_AND_MARK, (*counts, tally.mark, tally.sealed, segment))

    # --- small tables ------------------------------------------------------------------------------------------------

    def _segment(self, name: str) -> int:
        known = self._segments.get(name)
        if known is None:
            known = self._intern("segments", "name", name)
            _bound(self._segments)
            self._segments[name] = known
        return known

    def _term(self, text: str) -> int:
        known = self._terms.get(text)
        if known is None:
            known = self._intern("terms", "text", storable(text))
            _bound(self._terms)
            self._terms[text] = known
        return known

    def _intern(self, table: str, column: str, text: str) -> int:
        row = self._execute(f"SELECT id FROM {table} WHERE {column} = ?", (text,)).fetchone()  # noqa: S608 - our names
        if row is None:
            sql = f"INSERT INTO {table} ({column}) VALUES (?) RETURNING id"  # noqa: S608 - our names
            row = self._execute(sql, (text,)).fetchone()
        return int(row[0])

    # --- patient, study, series: on first sight ----------------------------------------------------------------------

    def _series_of(self, entry: InstanceEntry, served: bool) -> _Series:
        identity = entry.trailer.identity
        patient = identity.patient
        key = (patient.issuer, patient.patient_id, identity.study_uid, identity.series_uid)
        series = self._series.get(key)
        if series is None or (served and not series.visible and identity.study_uid):
            series = self._meet(entry, served and bool(identity.study_uid))
            _bound(self._series)
            self._series[key] = series
        return series

    def _meet(self, entry: InstanceEntry, visible: bool) -> _Series:
        """The rows above an instance. The first served one of an entity defines its attributes; until then it is
        hidden, because all it has are versions that nobody chose (or it is no patient's object)."""
        entity = Entity(entry.header, {}, assumed=entry.trailer.assumed_character_set)
        self._changed = False
        patient = self._patient(entry, entity, visible)
        study = self._study(entry, entity, patient, visible)
        identity = entry.trailer.identity
        fields = {
            "number": _whole(entity.text(_SERIES_NUMBER)),
            "modality": entity.text(_MODALITY) or None,
            "attributes": self._pack(entry, blobs.SERIES),
        }
        unique = {"series_uid": storable(identity.series_uid), "study": study}
        pk, seen = self._upsert("series", unique, fields, {"unserved": 0}, visible)
        if self._changed and visible:
            self._to_list.add(study)
        last = self._execute(
            "SELECT id FROM instances WHERE id >= ? AND id < ? ORDER BY id DESC LIMIT 1",
            (pk << SERIES_SHIFT, (pk + 1) << SERIES_SHIFT),
        ).fetchone()
        return _Series(pk, study, 0 if last is None else (last[0] & MAX_SERIES_INSTANCES - 1) + 1, seen)

    def _patient(self, entry: InstanceEntry, entity: Entity, visible: bool) -> int:
        identity = entry.trailer.identity
        unique = {
            "patient_id": storable(identity.patient.patient_id),
            "issuer": storable(identity.patient.issuer),
            "lone_study": "" if identity.patient.patient_id else storable(identity.study_uid),
        }
        before = self._find("patients", unique)
        pk, _seen = self._upsert("patients", unique, {"attributes": self._pack(entry, blobs.PATIENT)}, {}, visible)
        if before is None or (visible and not before[1]):
            if before is not None:
                self._execute("DELETE FROM patient_names WHERE patient = ?", (pk,))
            for name in _groups(entity, _PATIENT_NAME) | _words(entity, _PATIENT_NAME):
                self._execute("INSERT INTO patient_names VALUES (?, ?)", (name, pk))
        return pk

    def _study(self, entry: InstanceEntry, entity: Entity, patient: int, visible: bool) -> int:
        study_uid = storable(entry.trailer.identity.study_uid)
        day = moments.date(entity.text(_STUDY_DATE))
        fields = {
            "date": day[0] if day else None,
            "accession": storable(entity.text(_ACCESSION_NUMBER)) or None,
            "attributes": self._pack(entry, blobs.STUDY),
        }
        trashed = self._is_trashed(study_uid)
        unique = {"study_uid": study_uid, "patient": patient}
        before = self._find("studies", unique)
        pk, _seen = self._upsert("studies", unique, fields, {"trashed": trashed}, visible)
        if visible and (before is None or not before[1]):  # of hidden ones nothing is told to anybody
            for group in _groups(entity, _REFERRING):
                self._execute("INSERT OR IGNORE INTO study_referrers VALUES (?, ?)", (group, pk))
        return pk

    def _pack(self, entry: InstanceEntry, tags: frozenset[int]) -> bytes:
        return blobs.pack(entry.header, tags, entry.trailer.assumed_character_set)

    def _find(self, table: str, unique: Mapping[str, object]) -> tuple[int, bool] | None:
        where = " AND ".join(f"{column} = :{column}" for column in unique)
        row = self._execute(f"SELECT id, visible FROM {table} WHERE {where}", unique).fetchone()  # noqa: S608 - our names
        return None if row is None else (int(row[0]), bool(row[1]))

    def _upsert(
        self,
        table: str,
        unique: Mapping[str, object],
        fields: Mapping[str, object],
        once: Mapping[str, object],
        visible: bool,
    ) -> tuple[int, bool]:
        """The row of an entity, made if it is new, redefined if it now becomes visible; and whether it is visible."""
        known = self._find(table, unique)
        if known is None:
            values = {**unique, **fields, **once, "visible": visible}
            columns, places = ", ".join(values), ", ".join(f":{column}" for column in values)
            sql = f"INSERT INTO {table} ({columns}) VALUES ({places}) RETURNING id"  # noqa: S608 - our names
            self._changed = True
            return int(self._execute(sql, values).fetchone()[0]), visible
        pk, seen = known
        if visible and not seen:
            self._changed = True
            sets = ", ".join(f"{column} = :{column}" for column in fields)
            self._execute(f"UPDATE {table} SET visible = 1, {sets} WHERE id = :id", {**fields, "id": pk})  # noqa: S608
        return pk, seen or visible


def _words(entity: Entity, tag: int) -> set[str]:
    """The words of a person name: what fuzzy matching looks for."""
    return {storable(word) for text in _texts(entity, tag) for word in name_words(text)}


def _texts(entity: Entity, tag: int) -> list[str]:
    found = entity.attribute(tag)
    return [value for value in found.values if isinstance(value, str)] if found else []


def _groups(entity: Entity, tag: int) -> set[str]:
    """The component groups of a name, as they are compared and kept."""
    return {storable(group) for text in _texts(entity, tag) for group in name_groups(text) if group}


def _bound(cache: dict[Any, Any]) -> None:
    """Make room: the oldest half goes, what is in use comes back by one look-up."""
    if len(cache) >= MAX_REMEMBERED:
        for key in list(cache)[: MAX_REMEMBERED // 2]:
            del cache[key]


def _instance_number(entry: InstanceEntry) -> int | None:
    value = entry.header.get(_INSTANCE_NUMBER)
    return None if value is None else _whole(value.raw.decode("latin-1"))


def _whole(text: str) -> int | None:
    text = text.strip(" \0")
    if len(text) > _MAX_NUMBER_TEXT:
        return None
    try:
        return int(text)
    except ValueError:
        return None
