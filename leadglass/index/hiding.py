"""Single instances in the trash: their rows stay, and nothing shows, counts or sends them.

A row's `served` is 0 for a version that nobody chose, 1 for what is served, 2 for what would be and lies in the trash.
What has nothing left to show is hidden with its last instance, up to its patient.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final

from leadglass.index.catalog_schema import SERIES_SHIFT
from leadglass.index.sqlite_engine import SqlCipherEngine
from leadglass.index.study_words import StudyLister
from leadglass.index.text import storable
from leadglass.index.uid_key import uid_key

SERVED: Final = 1
HIDDEN: Final = 2

_SET: Final = "UPDATE instances SET served = ? WHERE uid_key = ? AND uid = ? AND served = ? RETURNING id"
_COUNT: Final = "UPDATE series SET unserved = unserved + ? WHERE id = ?"
_ROWS: Final = f"id >= (:series << {SERIES_SHIFT}) AND id < ((:series + 1) << {SERIES_SHIFT}) AND served = {SERVED}"
_STUDY: Final = "(SELECT study FROM series WHERE id = :series)"
_SETTLE: Final = (
    "DELETE FROM series_classes WHERE series = :series",
    f"INSERT INTO series_classes SELECT DISTINCT :series, class FROM instances WHERE {_ROWS}",  # noqa: S608 - constants
    # What belongs to no patient and study is never shown by searches.
    f"""UPDATE series SET visible = EXISTS (SELECT 1 FROM instances WHERE {_ROWS})
        WHERE id = :series AND study IN (SELECT id FROM studies WHERE study_uid <> '')""",  # noqa: S608
    f"""UPDATE studies SET visible = EXISTS (SELECT 1 FROM series e WHERE e.study = studies.id AND e.visible)
        WHERE id = {_STUDY}""",  # noqa: S608
    f"""UPDATE patients SET visible = EXISTS (SELECT 1 FROM studies s WHERE s.patient = patients.id AND s.visible)
        WHERE id = (SELECT patient FROM studies WHERE id = {_STUDY})""",  # noqa: S608
)


class Hiding:
    """Hides instances of one catalog and shows them again. `forget` empties what the writer remembers of series."""

    def __init__(self, engine: SqlCipherEngine, salt: bytes, forget: Callable[[], None]) -> None:
        self._engine = engine
        self._salt = salt
        self._forget = forget
        self._lister = StudyLister(engine)

    def set(self, sop_instance_uids: Iterable[str], hidden: bool) -> int:
        """Hide or show the served version of each, in one transaction; how many were not so before."""
        before, after = (SERVED, HIDDEN) if hidden else (HIDDEN, SERVED)
        changed: dict[int, int] = {}
        with self._engine.write() as connection:
            for text in sop_instance_uids:
                uid = storable(text)
                row = (after, uid_key(uid, self._salt), uid, before)
                for (key,) in connection.execute(_SET, row).fetchall():
                    changed[key >> SERIES_SHIFT] = changed.get(key >> SERIES_SHIFT, 0) + 1
            for series, count in changed.items():
                connection.execute(_COUNT, (count if hidden else -count, series))
                for sql in _SETTLE:
                    connection.execute(sql, {"series": series})
                self._lister.relist([connection.execute(f"SELECT {_STUDY}", {"series": series}).fetchone()[0]])
            self._forget()
        return sum(changed.values())

    def hidden(self) -> list[str]:
        """SOP Instance UIDs of all that are hidden, in order."""
        sql = f"SELECT uid FROM instances WHERE served = {HIDDEN} ORDER BY uid"  # noqa: S608 - a constant
        return [row[0] for row in self._engine.read(sql)]
