"""Schema of the catalog database, by numbered migrations. A migration that was released is never edited.

Instances are keyed (series << 24) + number in series, numbers given in order of arrival: a series' rows lie together,
an insert touches the page that the last one touched, and how many there are is the last number, not a count.
SOP Instance UIDs are indexed by a 64-bit hash that keeps neighbours together (uid_key.py). One insert writes three
pages: the row's, the hash's, the segment's mark.
"""

from __future__ import annotations

from typing import Final

from leadglass.index.sqlite_engine import Profile

SERIES_SHIFT: Final = 24
MAX_SERIES_INSTANCES: Final = 1 << SERIES_SHIFT

_V1: Final = (
    "CREATE TABLE meta (name TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID",
    "INSERT INTO meta VALUES ('uid_salt', randomblob(16))",
    "CREATE TABLE terms (id INTEGER PRIMARY KEY, text TEXT NOT NULL UNIQUE)",
    """CREATE TABLE segments (
        id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, mark INTEGER, sealed INTEGER NOT NULL DEFAULT 0,
        served INTEGER NOT NULL DEFAULT 0, versions INTEGER NOT NULL DEFAULT 0, bytes INTEGER NOT NULL DEFAULT 0
    )""",
    """CREATE TABLE patients (
        id INTEGER PRIMARY KEY, issuer TEXT NOT NULL, patient_id TEXT NOT NULL, lone_study TEXT NOT NULL,
        visible INTEGER NOT NULL, attributes BLOB NOT NULL
    )""",
    "CREATE UNIQUE INDEX patients_identity ON patients (patient_id, issuer, lone_study)",
    "CREATE INDEX patients_hidden ON patients (id) WHERE visible = 0",
    """CREATE TABLE patient_names (
        name TEXT NOT NULL, patient INTEGER NOT NULL, PRIMARY KEY (name, patient)
    ) WITHOUT ROWID""",
    "CREATE INDEX patient_names_patient ON patient_names (patient)",
    """CREATE TABLE studies (
        id INTEGER PRIMARY KEY, patient INTEGER NOT NULL, study_uid TEXT NOT NULL, visible INTEGER NOT NULL,
        trashed INTEGER NOT NULL, date TEXT, accession TEXT, attributes BLOB NOT NULL
    )""",
    "CREATE UNIQUE INDEX studies_uid ON studies (study_uid, patient)",
    "CREATE INDEX studies_patient ON studies (patient)",
    "CREATE INDEX studies_date ON studies (date)",
    "CREATE INDEX studies_accession ON studies (accession)",
    "CREATE INDEX studies_hidden ON studies (id) WHERE visible = 0",
    """CREATE TABLE series (
        id INTEGER PRIMARY KEY, study INTEGER NOT NULL, series_uid TEXT NOT NULL, visible INTEGER NOT NULL,
        unserved INTEGER NOT NULL, number INTEGER, modality TEXT, attributes BLOB NOT NULL
    )""",
    "CREATE UNIQUE INDEX series_uid ON series (series_uid, study)",
    "CREATE INDEX series_study ON series (study)",
    "CREATE INDEX series_hidden ON series (id) WHERE visible = 0",
    """CREATE TABLE series_classes (
        series INTEGER NOT NULL, class INTEGER NOT NULL, PRIMARY KEY (series, class)
    ) WITHOUT ROWID""",
    """CREATE TABLE segment_series (
        segment INTEGER NOT NULL, series INTEGER NOT NULL, PRIMARY KEY (segment, series)
    ) WITHOUT ROWID""",
    """CREATE TABLE instances (
        id INTEGER PRIMARY KEY, uid_key INTEGER NOT NULL, uid TEXT NOT NULL, version INTEGER NOT NULL,
        served INTEGER NOT NULL, class INTEGER NOT NULL, syntax INTEGER NOT NULL, segment INTEGER NOT NULL,
        offset INTEGER NOT NULL, length INTEGER NOT NULL, received_at INTEGER NOT NULL, number INTEGER,
        key_id BLOB NOT NULL, digest BLOB NOT NULL, attributes BLOB NOT NULL
    )""",
    "CREATE INDEX instances_uid ON instances (uid_key)",
    "CREATE INDEX instances_unserved ON instances (id) WHERE served = 0",
    "CREATE TABLE trashed (study_uid TEXT PRIMARY KEY) WITHOUT ROWID",
)

_V2: Final = (
    "ALTER TABLE segments ADD COLUMN version_bytes INTEGER NOT NULL DEFAULT 0",
    "ALTER TABLE segments ADD COLUMN last_order INTEGER NOT NULL DEFAULT 0",
    """UPDATE segments SET version_bytes = added.size, last_order = added.last FROM (
        SELECT segment, sum(CASE WHEN served THEN 0 ELSE length END) AS size, max(received_at) AS last
        FROM instances GROUP BY segment
    ) AS added WHERE added.segment = segments.id""",
)

# Who sent a study and who referred it, for rights per study. What is in an older catalog does not tell the first, so it
# is emptied with its marks: the replay at the next start reads every record's header again, in order of receipt.
_V3: Final = (
    """CREATE TABLE study_institutions (
        study INTEGER NOT NULL, institution TEXT NOT NULL, PRIMARY KEY (study, institution)
    ) WITHOUT ROWID""",
    """CREATE TABLE study_referrers (
        name TEXT NOT NULL, study INTEGER NOT NULL, PRIMARY KEY (name, study)
    ) WITHOUT ROWID""",
    "CREATE INDEX study_referrers_study ON study_referrers (study)",
    "DELETE FROM instances",
    "DELETE FROM segment_series",
    "DELETE FROM series_classes",
    "DELETE FROM series",
    "DELETE FROM studies",
    "DELETE FROM patient_names",
    "DELETE FROM patients",
    "DELETE FROM segments",
    "DELETE FROM terms",
    "DELETE FROM trashed",
)

# The list of studies (study_words.py). What an older catalog holds is listed when it is opened.
_V4: Final = (
    """CREATE VIRTUAL TABLE study_words USING fts5 (
        name, number, accession, about, day, modality, reach,
        detail = column, prefix = '1 2 3 4 5 6', tokenize = 'ascii', content = '', contentless_delete = 1
    )""",
    "CREATE TABLE listed (place INTEGER PRIMARY KEY, study INTEGER NOT NULL)",
    "CREATE UNIQUE INDEX listed_study ON listed (study)",
    "CREATE TABLE unlisted (study INTEGER PRIMARY KEY)",
    "INSERT INTO unlisted SELECT id FROM studies WHERE visible",
)

# Single instances in the trash: served = 2 (hiding.py). An earlier release would show them.
_V5: Final = ("CREATE INDEX instances_hidden ON instances (id) WHERE served = 2",)

DERIVED_TABLES: Final = (
    "study_words",
    "listed",
    "unlisted",
    "instances",
    "segment_series",
    "series_classes",
    "series",
    "study_institutions",
    "study_referrers",
    "studies",
    "patient_names",
    "patients",
    "segments",
    "terms",
    "trashed",
)

CATALOG: Final = Profile(
    name="catalog",
    application_id=0x4C474354,  # "LGCT"
    synchronous="NORMAL",
    migrations=(_V1, _V2, _V3, _V4, _V5),
    writer_cache_kib=48 * 1024,  # the index over two million SOP Instance UIDs
    wal_autocheckpoint=8000,  # 16 MiB: hot pages are folded back once for many commits
)
