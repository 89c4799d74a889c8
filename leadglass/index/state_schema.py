"""Schema of the state database, by numbered migrations. A migration that was released is never edited.

Accounts, tokens, shares, grants, decisions on conflicts, corrections, commitments, forwards and jobs get their tables
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

STATE: Final = Profile(
    name="state",
    application_id=0x4C475354,  # "LGST"
    synchronous="FULL",
    migrations=(_V1,),
    writer_cache_kib=2048,
    wal_autocheckpoint=200,
)
