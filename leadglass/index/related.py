"""What is counted or gathered over related entities when it is asked for (PS3.4 C.3.4, C.6.1.1)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from leadglass.core.attributes import Attribute
from leadglass.dicom.dictionary import tag_of
from leadglass.index.catalog_schema import SERIES_SHIFT
from leadglass.index.sqlite_engine import Row, SqlCipherEngine
from leadglass.index.within import Within

# Numbers in a series are given without gaps, so the last one tells how many there are.
_ALL_IN_SERIES = f"""coalesce((SELECT (i.id & {(1 << SERIES_SHIFT) - 1}) + 1 FROM instances i
    WHERE i.id >= (e.id << {SERIES_SHIFT}) AND i.id < ((e.id + 1) << {SERIES_SHIFT})
    ORDER BY i.id DESC LIMIT 1), 0) - e.unserved"""  # noqa: S608 - constants only
_ROWS = f"i.id >= (e.id << {SERIES_SHIFT}) AND i.id < ((e.id + 1) << {SERIES_SHIFT}) AND i.served = 1"
# Where the conditions stand that a study, a series and an instance are within reach, and a series' number of these.
_REACHED, _REACHED_SERIES, _REACHED_INSTANCE, _IN_SERIES = "<study>", "<series>", "<instance>", "<count>"
_STUDIES = f"FROM studies s WHERE s.patient = :pk AND s.visible AND NOT s.trashed AND {_REACHED}"
_SERIES = f"""FROM studies s JOIN series e ON e.study = s.id
    WHERE s.patient = :pk AND s.visible AND NOT s.trashed AND {_REACHED} AND e.visible AND {_REACHED_SERIES}"""
_OF_STUDY = f"FROM series e WHERE e.study = :pk AND e.visible AND {_REACHED_SERIES}"
_CLASSES = """SELECT DISTINCT t.text FROM series e JOIN series_classes c ON c.series = e.id
    JOIN terms t ON t.id = c.class WHERE e.study = :pk AND e.visible ORDER BY t.text"""
_CLASSES_OF_SOME = f"""SELECT DISTINCT t.text FROM series e JOIN instances i ON {_ROWS}
    JOIN terms t ON t.id = i.class WHERE e.study = :pk AND {_REACHED_INSTANCE} ORDER BY t.text"""  # noqa: S608


Computation = Callable[[SqlCipherEngine, int, Within], Attribute]


def _count(sql: str) -> Computation:
    return lambda engine, pk, within: Attribute("IS", (str(_rows(engine, sql, pk, within)[0][0]),))


def _gather(vr: str, sql: str) -> Computation:
    return lambda engine, pk, within: Attribute(vr, tuple(row[0] for row in _rows(engine, sql, pk, within)))


def _rows(engine: SqlCipherEngine, sql: str, pk: int, within: Within) -> list[Row]:
    bound = {"pk": pk, **within.parameters} if within.limited or _REACHED in sql else {"pk": pk}
    if within.limited and sql == _CLASSES:
        sql = _CLASSES_OF_SOME
    counted = f"(SELECT count(*) FROM instances i WHERE {_ROWS} AND {within.instance('i')})"  # noqa: S608 - constants
    conditions = {
        _REACHED: within.study("s"),
        _REACHED_SERIES: within.series("e"),
        _REACHED_INSTANCE: within.instance("i"),
        _IN_SERIES: counted if within.limited else _ALL_IN_SERIES,
    }
    for place, condition in conditions.items():
        sql = sql.replace(place, condition)
    return engine.read(sql, bound)


def _online(_engine: SqlCipherEngine, _pk: int, _within: Within) -> Attribute:
    return Attribute("CS", ("ONLINE",))


AVAILABILITY: Final = tag_of("InstanceAvailability")  # at every level

# By level (0 patient .. 3 image): tag -> what computes it from the entity's row.
COMPUTED: Final[tuple[Mapping[int, Computation], ...]] = (
    {
        tag_of("NumberOfPatientRelatedStudies"): _count(f"SELECT count(*) {_STUDIES}"),
        tag_of("NumberOfPatientRelatedSeries"): _count(f"SELECT count(*) {_SERIES}"),
        tag_of("NumberOfPatientRelatedInstances"): _count(f"SELECT coalesce(sum({_IN_SERIES}), 0) {_SERIES}"),
    },
    {
        tag_of("NumberOfStudyRelatedSeries"): _count(f"SELECT count(*) {_OF_STUDY}"),
        tag_of("NumberOfStudyRelatedInstances"): _count(f"SELECT coalesce(sum({_IN_SERIES}), 0) {_OF_STUDY}"),
        tag_of("ModalitiesInStudy"): _gather(
            "CS", f"SELECT DISTINCT e.modality {_OF_STUDY} AND e.modality IS NOT NULL ORDER BY e.modality"
        ),
        tag_of("SOPClassesInStudy"): _gather("UI", _CLASSES),
    },
    {tag_of("NumberOfSeriesRelatedInstances"): _count(f"SELECT {_IN_SERIES} FROM series e WHERE e.id = :pk")},  # noqa: S608
    {},
)
ONLINE: Final[Computation] = _online
