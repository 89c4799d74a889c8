"""Schema of the state database, by numbered migrations. A migration that was released is never edited.

Decisions on conflicts, corrections, commitments, forwards and jobs get their tables
by later migrations; nothing here is in their way.
"""

from __future__ import annotations

from typing import Final

from leadglass.index.sqlite_engine import Profile

_V1: Final = (
    "CREATE TABLE epochs (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID",
    "INSERT INTO epochs VALUES ('rights', 1)",
    "CREATE TABLE devices (name TEXT PRIMARY KEY, document TEXT NOT NULL) WITHOUT ROWID",
    """CREATE TABLE trash (
        study_uid TEXT PRIMARY KEY, trashed_at INTEGER NOT NULL, principal TEXT NOT NULL, reason TEXT NOT NULL
    ) WITHOUT ROWID""",
    "CREATE TABLE settings (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID",
)

_V2: Final = (
    """CREATE TABLE tokens (
        name TEXT PRIMARY KEY, digest BLOB NOT NULL UNIQUE, document TEXT NOT NULL, created INTEGER NOT NULL,
        created_by TEXT NOT NULL, expires INTEGER NOT NULL, revoked INTEGER NOT NULL, last_used INTEGER NOT NULL
    ) WITHOUT ROWID""",
    """CREATE TABLE grants (
        principal TEXT NOT NULL, study_uid TEXT NOT NULL, patient_id TEXT NOT NULL, issuer TEXT NOT NULL,
        granted INTEGER NOT NULL, granted_by TEXT NOT NULL, PRIMARY KEY (principal, study_uid, patient_id, issuer)
    ) WITHOUT ROWID""",
)

_V3: Final = (
    "CREATE TABLE accounts (name TEXT PRIMARY KEY, subject TEXT NOT NULL, document TEXT NOT NULL) WITHOUT ROWID",
    "CREATE UNIQUE INDEX accounts_by_subject ON accounts (subject) WHERE subject <> ''",
    """CREATE TABLE sessions (
        digest BLOB PRIMARY KEY, owner TEXT NOT NULL, share INTEGER NOT NULL, audience TEXT NOT NULL,
        parent BLOB NOT NULL, created INTEGER NOT NULL, expires INTEGER NOT NULL, last_seen INTEGER NOT NULL,
        document TEXT NOT NULL
    ) WITHOUT ROWID""",
    "CREATE INDEX sessions_by_owner ON sessions (owner)",
    "CREATE INDEX sessions_by_parent ON sessions (parent)",
    """CREATE TABLE codes (
        digest BLOB PRIMARY KEY, purpose TEXT NOT NULL, subject TEXT NOT NULL, expires INTEGER NOT NULL,
        document TEXT NOT NULL
    ) WITHOUT ROWID""",
    """CREATE TABLE shares (
        identifier TEXT PRIMARY KEY, link BLOB NOT NULL UNIQUE, sharer TEXT NOT NULL, created INTEGER NOT NULL,
        document TEXT NOT NULL
    ) WITHOUT ROWID""",
)

_V4: Final = (
    """CREATE TABLE instance_trash (
        sop_instance_uid TEXT PRIMARY KEY, study_uid TEXT NOT NULL, series_uid TEXT NOT NULL,
        trashed_at INTEGER NOT NULL, principal TEXT NOT NULL, reason TEXT NOT NULL
    ) WITHOUT ROWID""",
)

STATE: Final = Profile(
    name="state",
    application_id=0x4C475354,  # "LGST"
    synchronous="FULL",
    migrations=(_V1, _V2, _V3, _V4),
    writer_cache_kib=2048,
    wal_autocheckpoint=200,
)
