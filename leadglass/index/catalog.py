"""The catalog: what is known of the stored instances, on one SQLCipher database (core.ports.Catalog)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from leadglass.core.attributes import AttributeSet
from leadglass.core.errors import ErrorCode, LeadglassError
from leadglass.core.listing import StudyPage, StudySearch
from leadglass.core.ports import Added
from leadglass.core.query import FindPage, Level, Query, Selection, never
from leadglass.core.reach import Reach
from leadglass.core.records import InstanceEntry, ReplayMark, SeriesState, StoredInstance
from leadglass.index.catalog_reader import CatalogReader
from leadglass.index.catalog_schema import CATALOG, DERIVED_TABLES
from leadglass.index.catalog_writer import CatalogWriter
from leadglass.index.find import Finder
from leadglass.index.hiding import Hiding
from leadglass.index.sqlite_engine import SqlCipherEngine
from leadglass.index.study_list import StudyList
from leadglass.index.study_words import StudyLister
from leadglass.index.text import storable


class SqliteCatalog:
    """core.ports.Catalog. Docstrings of the port are its contract."""

    def __init__(self, path: Path, key: bytes) -> None:
        """Open or create the catalog at `path` with its 32-byte `key`; errors as of SqlCipherEngine."""
        self._engine = SqlCipherEngine(path, key, CATALOG)
        row = self._engine.read_one("SELECT value FROM meta WHERE name = 'uid_salt'")
        if row is None:
            self._engine.close()
            raise LeadglassError(ErrorCode.DAMAGED, "The catalog has lost its salt; delete it and run reindex.")
        salt = bytes(row[0])
        self._writer = CatalogWriter(self._engine, salt)
        self._reader = CatalogReader(self._engine, salt)
        self._hiding = Hiding(self._engine, salt, self._writer.forget)
        self._finder = Finder(self._engine, salt)
        self._list = StudyList(self._engine, self._listed)
        StudyLister(self._engine).catch_up()

    def add(
        self,
        entries: Sequence[InstanceEntry],
        marks: Sequence[ReplayMark],
        settle: Callable[[], Sequence[ReplayMark]] | None = None,
    ) -> list[Added]:
        """Add entries and replay marks in one transaction."""
        return self._writer.add(entries, marks, settle)

    def lookup(self, sop_instance_uid: str) -> StoredInstance | None:
        """The served version of an instance, in the trash or not."""
        return self._reader.lookup(sop_instance_uid)

    def is_trashed(self, sop_instance_uid: str) -> bool:
        """Whether the served version lies in the trash, by itself or with its study."""
        return self._reader.is_trashed(sop_instance_uid)

    def versions(self, sop_instance_uid: str) -> list[StoredInstance]:
        """All versions, the served one first."""
        return self._reader.versions(sop_instance_uid)

    def find(self, query: Query, stopped: Callable[[], bool] = never) -> FindPage:
        """Entities that match `query`, in order of arrival."""
        return self._finder.find(query, stopped)

    def list_studies(self, search: StudySearch) -> StudyPage:
        """A page of the list of studies."""
        return self._list.search(search)

    def _listed(self, keys: Sequence[int], asked: AttributeSet, reach: Reach) -> list[AttributeSet]:
        return self._finder.studies(keys, Query(Level.STUDY, asked, reach=reach))

    def select(self, selection: Selection) -> list[StoredInstance]:
        """The served instances of a selection, in order of study, series, instance number."""
        return self._reader.select(selection)

    def series_states(self, selection: Selection) -> list[SeriesState]:
        """The series of a selection, and how they are now."""
        return self._reader.series_states(selection)

    def studies_of(self, selection: Selection) -> list[str]:
        """Study Instance UIDs that a selection touches, trashed ones too."""
        return self._reader.studies_of(selection)

    def set_trashed(self, study_uid: str, trashed: bool) -> int:
        """Hide or show a study, known or still to come; how many instances it has now, unserved versions aside."""
        uid = storable(study_uid)
        with self._engine.write() as connection:
            if trashed:
                connection.execute("INSERT OR IGNORE INTO trashed VALUES (?)", (uid,))
            else:
                connection.execute("DELETE FROM trashed WHERE study_uid = ?", (uid,))
            connection.execute("UPDATE studies SET trashed = ? WHERE study_uid = ?", (trashed, uid))
        return self._reader.count_of(uid)

    def set_hidden(self, sop_instance_uids: Iterable[str], hidden: bool) -> int:
        """Hide or show instances, and what then has nothing to show; how many were not so before."""
        return self._hiding.set(sop_instance_uids, hidden)

    def hidden(self) -> list[str]:
        """SOP Instance UIDs of instances that are hidden by themselves."""
        return self._hiding.hidden()

    def hidden_of(self, selection: Selection) -> list[StoredInstance]:
        """As `select`, of what is hidden by itself."""
        return self._reader.hidden_of(selection)

    def conflicts(self) -> list[Mapping[str, str | int]]:
        """Unserved versions, and studies known with two patients."""
        return self._reader.conflicts()

    def arrivals(self, since: int) -> list[tuple[int, int, int]]:
        """What came each day from `since` on."""
        return self._reader.arrivals(since)

    def trashed(self) -> list[str]:
        """Study Instance UIDs that are hidden, those of studies still to come too."""
        return self._reader.trashed()

    def unread(self) -> tuple[int, int]:
        """How many unserved versions there are, and the bytes of their data sets."""
        return self._reader.unread()

    def last_order(self) -> int:
        """The largest `order` of a trailer that was added; 0 if none was."""
        return self._reader.last_order()

    def marks(self) -> dict[str, ReplayMark]:
        """Replay marks by segment."""
        return self._reader.marks()

    def statistics(self) -> Mapping[str, int]:
        """Counts: patients, studies, series, instances, versions, trashed_studies, bytes."""
        return self._reader.statistics()

    def instances(self) -> Iterator[StoredInstance]:
        """Every version of every instance, trash too, by segment and offset."""
        return self._reader.instances()

    def clear(self) -> None:
        """Forget everything, marks and trash flags too."""
        with self._engine.write() as connection:
            for table in DERIVED_TABLES:
                connection.execute(f"DELETE FROM {table}")  # noqa: S608 - our names
            self._writer.forget()

    def close(self) -> None:
        """Let go of the file."""
        self._engine.close()
