"""Looking up and listing instances of the catalog."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from leadglass.core.identity import InstanceIdentity, PatientKey
from leadglass.core.query import Level, Selection
from leadglass.core.records import Location, ReplayMark, SeriesState, StoredInstance
from leadglass.index.catalog_schema import SERIES_SHIFT
from leadglass.index.hiding import HIDDEN, SERVED
from leadglass.index.sqlite_engine import Row, SqlCipherEngine
from leadglass.index.text import storable
from leadglass.index.uid_key import uid_key
from leadglass.index.within import Within

_STORED = """SELECT c.text, i.uid, s.study_uid, e.series_uid, p.issuer, p.patient_id, x.text, g.name, i.offset,
    i.length, i.key_id, i.digest, i.version"""
# What changes when other instances, or other versions, are served: UID keys are keyed hashes; 44 bits of each can be
# added up for every instance a series can hold.
_STATE = (
    "SELECT s.study_uid, e.series_uid, min(i.key_id), count(*), sum(i.uid_key >> 20), sum(i.version), sum(i.length)"
)
_SMALL = "JOIN terms c ON c.id = i.class JOIN terms x ON x.id = i.syntax JOIN segments g ON g.id = i.segment"
_FROM_INSTANCE = f"""FROM instances i JOIN series e ON e.id = (i.id >> {SERIES_SHIFT})
    JOIN studies s ON s.id = e.study JOIN patients p ON p.id = s.patient {_SMALL}"""
_IN_SERIES = f"i.id >= (e.id << {SERIES_SHIFT}) AND i.id < ((e.id + 1) << {SERIES_SHIFT})"
_FROM_SERIES = f"""FROM studies s JOIN patients p ON p.id = s.patient CROSS JOIN series e ON e.study = s.id
    CROSS JOIN instances i ON {_IN_SERIES} {_SMALL}"""
_FROM_SEGMENT = f"""FROM segment_series n CROSS JOIN series e ON e.id = n.series CROSS JOIN instances i
    ON {_IN_SERIES} AND i.segment = n.segment JOIN studies s ON s.id = e.study JOIN patients p ON p.id = s.patient
    {_SMALL}"""

# Every text is a constant of this module with places for values.
_ONE = f"{_STORED} {_FROM_INSTANCE} WHERE i.uid_key = ? AND i.uid = ? AND i.served"
_ANY = "SELECT 1 FROM instances WHERE uid_key = ? LIMIT 1"  # by the index alone: nearly always there is none
_VERSIONS = f"{_STORED} {_FROM_INSTANCE} WHERE i.uid_key = ? AND i.uid = ? ORDER BY i.served DESC, i.version"
_TRASHED = f"SELECT s.trashed OR i.served = {HIDDEN} {_FROM_INSTANCE} WHERE i.uid_key = ? AND i.uid = ? AND i.served"
_OF_SEGMENT = f"{_STORED} {_FROM_SEGMENT} WHERE n.segment = ? ORDER BY i.offset"
_COUNT = f"""SELECT count(*) FROM studies s JOIN series e ON e.study = s.id
    JOIN instances i ON {_IN_SERIES} WHERE s.study_uid = ? AND i.served"""  # noqa: S608 - constants only
_LISTED = "IN (SELECT value FROM json_each(:{}))"

_STATISTICS = """SELECT
    (SELECT count(*) FROM patients) - (SELECT count(*) FROM patients WHERE visible = 0),
    (SELECT count(*) FROM studies) - (SELECT count(*) FROM studies WHERE visible = 0),
    (SELECT count(*) FROM series) - (SELECT count(*) FROM series WHERE visible = 0),
    (SELECT coalesce(sum(served), 0) FROM segments), (SELECT coalesce(sum(versions), 0) FROM segments),
    (SELECT count(DISTINCT study_uid) FROM studies WHERE trashed), (SELECT coalesce(sum(bytes), 0) FROM segments)"""
_STATISTIC_NAMES = ("patients", "studies", "series", "instances", "versions", "trashed_studies", "bytes")

# Only segments that something came into since then: what is older is not read.
_ARRIVALS = f"""SELECT i.received_at / :day, count(*), sum(i.length)
    FROM segments g CROSS JOIN segment_series n ON n.segment = g.id CROSS JOIN series e ON e.id = n.series
    CROSS JOIN instances i ON {_IN_SERIES} AND i.segment = g.id
    WHERE g.last_order >= :since AND i.received_at >= :since GROUP BY 1 ORDER BY 1"""  # noqa: S608 - constants only
_DAY = 24 * 3600 * 1_000_000_000  # nanoseconds

_UNSERVED = f"""SELECT i.uid, i.version, s.study_uid, e.series_uid, i.received_at
    {_FROM_INSTANCE} WHERE i.served = 0 ORDER BY i.received_at, i.id"""
_OF_TWO = """SELECT s.study_uid, p.issuer, p.patient_id FROM studies s JOIN patients p ON p.id = s.patient
    WHERE s.study_uid <> '' AND s.study_uid IN (SELECT study_uid FROM studies GROUP BY study_uid HAVING count(*) > 1)
    ORDER BY s.study_uid, s.id"""


class CatalogReader:
    """Reads of one catalog. May be used by several threads."""

    def __init__(self, engine: SqlCipherEngine, salt: bytes) -> None:
        self._engine = engine
        self._salt = salt

    def lookup(self, sop_instance_uid: str) -> StoredInstance | None:
        """The served version, in the trash or not."""
        named = self._named(sop_instance_uid)
        if not self._engine.read_hot(_ANY, named[:1]):
            return None
        row = self._engine.read_one(_ONE, named)
        return None if row is None else _stored(row)

    def is_trashed(self, sop_instance_uid: str) -> bool:
        """Whether the served version lies in the trash, by itself or with its study."""
        row = self._engine.read_one(_TRASHED, self._named(sop_instance_uid))
        return row is not None and bool(row[0])

    def versions(self, sop_instance_uid: str) -> list[StoredInstance]:
        """All versions, the served one first, then in order of arrival."""
        return [_stored(row) for row in self._engine.read(_VERSIONS, self._named(sop_instance_uid))]

    def select(self, selection: Selection) -> list[StoredInstance]:
        """Served instances within reach and outside the trash, by study, series, instance number (where that is equal,
        in order of arrival)."""
        return self._select(selection, SERVED)

    def hidden_of(self, selection: Selection) -> list[StoredInstance]:
        """The same of instances that lie in the trash by themselves."""
        return self._select(selection, HIDDEN)

    def _select(self, selection: Selection, served: int) -> list[StoredInstance]:
        selection = _compared(selection)
        where, values = self._where(selection)
        if not where:
            return []
        tables = _FROM_INSTANCE if selection.level is Level.IMAGE else _FROM_SERIES
        within = Within(selection.reach)
        order = "s.id, e.number IS NULL, e.number, e.id, i.number IS NULL, i.number, i.id"
        reached = within.of_study("s", "i")
        sql = (
            f"{_STORED} {tables} WHERE i.served = {served} AND NOT s.trashed AND {reached} AND {where} ORDER BY {order}"
        )
        return [_stored(row) for row in self._engine.read(sql, values | within.parameters)]

    def series_states(self, selection: Selection) -> list[SeriesState]:
        """The series that hold what `select` would give, in its order, and how they are now."""
        where, values = self._where(selection)
        if not where:
            return []
        within = Within(selection.reach)
        reached = within.of_study("s", "i")
        sql = (
            f"{_STATE} {_FROM_SERIES} WHERE i.served = {SERVED} AND NOT s.trashed AND {reached} AND {where} "
            "GROUP BY e.id ORDER BY s.id, e.number IS NULL, e.number, e.id"
        )
        rows = self._engine.read(sql, values | within.parameters)
        return [SeriesState(row[0], row[1], row[2], row[3], ".".join(map(str, row[3:]))) for row in rows]

    def studies_of(self, selection: Selection) -> list[str]:
        """Study Instance UIDs that a selection touches and its reach holds whole, trashed ones too, as they arrived."""
        where, values = self._where(selection)
        if not where:
            return []
        if selection.level is Level.IMAGE:
            tables = _FROM_INSTANCE
        elif selection.level is Level.SERIES:
            tables = "FROM studies s JOIN patients p ON p.id = s.patient JOIN series e ON e.study = s.id"
        else:
            tables = "FROM studies s JOIN patients p ON p.id = s.patient"
        within = Within(selection.reach)
        conditions = f"s.study_uid <> '' AND {within.whole_study('s')} AND {where}"
        sql = f"SELECT DISTINCT s.study_uid {tables} WHERE {conditions} ORDER BY s.id"
        return [row[0] for row in self._engine.read(sql, values | within.parameters)]

    def count_of(self, study_uid: str) -> int:
        """How many served instances a study has."""
        row = self._engine.read_one(_COUNT, (study_uid,))
        return int(row[0]) if row else 0

    def _where(self, selection: Selection) -> tuple[str, dict[str, Any]]:
        """Conditions of a selection, its reach aside; empty if it names nothing at its level."""
        named = {
            Level.PATIENT: bool(selection.patient_id),
            Level.STUDY: bool(selection.study_uids),
            Level.SERIES: bool(selection.series_uids),
            Level.IMAGE: bool(selection.sop_instance_uids),
        }
        if not named[selection.level]:
            return "", {}
        conditions: list[str] = []
        values: dict[str, Any] = {}
        if selection.patient_id:
            conditions.append("p.patient_id = :patient_id")
            values["patient_id"] = storable(selection.patient_id)
        if selection.issuer is not None:
            conditions.append("p.issuer = :issuer")
            values["issuer"] = storable(selection.issuer)
        lists = [("s.study_uid", "studies", selection.study_uids)]
        if selection.level in (Level.SERIES, Level.IMAGE):
            lists.append(("e.series_uid", "series", selection.series_uids))
        if selection.level is Level.IMAGE:
            lists.append(("i.uid", "instances", selection.sop_instance_uids))
            keys = [uid_key(storable(uid), self._salt) for uid in selection.sop_instance_uids]
            conditions.append(_one_of("i.uid_key", "uid_keys", keys, values))
        for column, name, uids in lists:
            if uids:
                conditions.append(_one_of(column, name, [storable(uid) for uid in uids], values))
        return " AND ".join(conditions), values

    def conflicts(self) -> list[Mapping[str, str | int]]:
        """Unserved versions (kind "version") and studies known with two patients (kind "patient", one per patient)."""
        found: list[Mapping[str, str | int]] = [
            {
                "kind": "version",
                "sop_instance_uid": row[0],
                "version": row[1],
                "study_uid": row[2],
                "series_uid": row[3],
                "received_at": row[4],
            }
            for row in self._engine.read(_UNSERVED)
        ]
        found += [
            {"kind": "patient", "study_uid": row[0], "issuer": row[1], "patient_id": row[2]}
            for row in self._engine.read(_OF_TWO)
        ]
        return found

    def arrivals(self, since: int) -> list[tuple[int, int, int]]:
        """What came each day from `since` on: days since the epoch, instances of all versions, bytes."""
        rows = self._engine.read(_ARRIVALS, {"day": _DAY, "since": since})
        return [(int(day), int(count), int(size)) for day, count, size in rows]

    def trashed(self) -> list[str]:
        """Studies that are hidden, those still to come too."""
        return [row[0] for row in self._engine.read("SELECT study_uid FROM trashed ORDER BY study_uid")]

    def unread(self) -> tuple[int, int]:
        """Number of unserved versions, and their bytes."""
        sql = "SELECT coalesce(sum(versions), 0), coalesce(sum(version_bytes), 0) FROM segments"
        count, size = self._engine.read(sql)[0]
        return count, size

    def last_order(self) -> int:
        """The largest order of a trailer that was added."""
        return int(self._engine.read("SELECT coalesce(max(last_order), 0) FROM segments")[0][0])

    def marks(self) -> dict[str, ReplayMark]:
        """Replay marks by segment."""
        rows = self._engine.read("SELECT name, mark, sealed FROM segments WHERE mark IS NOT NULL")
        return {name: ReplayMark(name, mark, bool(sealed)) for name, mark, sealed in rows}

    def statistics(self) -> Mapping[str, int]:
        """Counts: patients, studies, series, instances (served), versions (unserved), trashed_studies, bytes."""
        return dict(zip(_STATISTIC_NAMES, self._engine.read(_STATISTICS)[0], strict=True))

    def instances(self) -> Iterator[StoredInstance]:
        """Every version of every instance, by segment and offset; a segment's rows are read at once."""
        for (segment,) in self._engine.read("SELECT id FROM segments ORDER BY name"):
            yield from (_stored(row) for row in self._engine.read(_OF_SEGMENT, (segment,)))

    def _named(self, sop_instance_uid: str) -> tuple[int, str]:
        uid = storable(sop_instance_uid)
        return uid_key(uid, self._salt), uid


def _compared(selection: Selection) -> Selection:
    """Instances that are named, within a reach that is limited to some: what is not among these is named no more. To
    compare here is quicker than to hand the database a list of thousands for a point look-up."""
    limit = selection.reach.instances
    if selection.level is not Level.IMAGE or limit is None:
        return selection
    named = tuple(uid for uid in selection.sop_instance_uids if uid in limit)
    return replace(selection, sop_instance_uids=named, reach=replace(selection.reach, instances=None))


def _one_of(column: str, name: str, wanted: list[Any], values: dict[str, Any]) -> str:
    """A condition; its parameter is put among `values`. One value is compared: a list costs twice the time."""
    if len(wanted) == 1:
        values[name] = wanted[0]
        return f"{column} = :{name}"
    values[name] = json.dumps(wanted)
    return f"{column} {_LISTED.format(name)}"


def _stored(row: Row) -> StoredInstance:
    identity = InstanceIdentity(row[0], row[1], row[2], row[3], PatientKey(row[4], row[5]))
    return StoredInstance(identity, row[6], Location(row[7], row[8], row[9]), row[10], row[11], row[12])
