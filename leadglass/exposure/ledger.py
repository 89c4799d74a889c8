"""Every audit, in an SQLite file of its own. It holds facts, which can hold no patient's value."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from leadglass.exposure.audit import Audit, Result
from leadglass.exposure.facts import from_plain, to_plain
from leadglass.exposure.rules.judge import judge

_VERSION = 1
_SCHEMA = """
CREATE TABLE audit (
    id TEXT PRIMARY KEY, started REAL NOT NULL, ended REAL NOT NULL, scope TEXT NOT NULL, title TEXT NOT NULL,
    authorised_by TEXT NOT NULL, contact TEXT NOT NULL, addresses INTEGER NOT NULL, ports TEXT NOT NULL,
    contacted INTEGER NOT NULL, unanswered INTEGER NOT NULL, complete INTEGER NOT NULL,
    shard INTEGER NOT NULL, shards INTEGER NOT NULL
) STRICT;
CREATE TABLE observation (
    audit TEXT NOT NULL REFERENCES audit (id) ON DELETE CASCADE,
    address TEXT NOT NULL, port INTEGER NOT NULL, name TEXT NOT NULL, facts TEXT NOT NULL,
    PRIMARY KEY (audit, address, port, name)
) STRICT;
CREATE TABLE notice (
    owner TEXT PRIMARY KEY, audit TEXT NOT NULL, state TEXT NOT NULL, changed REAL NOT NULL, services TEXT NOT NULL
) STRICT;
"""


class LedgerError(Exception):
    """The file is none, or of a later version. The message is for people."""


class AuditHead(NamedTuple):
    """An audit without its results, for lists. `services` is how many were found open as ports."""

    id: str
    started: float
    ended: float
    title: str
    complete: bool
    services: int


class Notice(NamedTuple):
    """What an owner was told: `state` is drafted, sent, answered, fixed or silent. Times are seconds since 1970."""

    owner: str
    audit: str
    state: str
    changed: float
    services: tuple[str, ...]


class Ledger:
    """The file at `path`, made if it is not there. Several processes may write to it."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._path = path
        try:
            with self._open() as db:
                self._prepare(db)
        except sqlite3.DatabaseError as error:
            raise LedgerError(f"{path.name} is not a ledger of audits.") from error
        path.chmod(0o600)

    def record(self, audit: Audit) -> None:
        """Keep an audit; one of the same id is replaced."""
        with self._open() as db:
            db.execute("DELETE FROM audit WHERE id = ?", (audit.id,))
            db.execute(
                "INSERT INTO audit VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    audit.id, audit.started, audit.ended, audit.scope, audit.title, audit.authorised_by, audit.contact,
                    audit.addresses, json.dumps(audit.ports), audit.contacted, audit.unanswered, audit.complete,
                    *audit.shard,
                ),
            )  # fmt: skip
            db.executemany(
                "INSERT INTO observation VALUES (?, ?, ?, ?, ?)",
                [(audit.id, *_key(result), json.dumps(to_plain(result.observation))) for result in audit.results],
            )

    def audits(self) -> list[AuditHead]:
        """Every audit, the oldest first."""
        query = (
            "SELECT id, started, ended, title, complete,"
            " (SELECT count(*) FROM observation WHERE audit = audit.id) FROM audit ORDER BY id"
        )
        with self._open() as db:
            return [
                AuditHead(name, started, ended, title, bool(complete), services)
                for name, started, ended, title, complete, services in db.execute(query)
            ]

    def audit(self, id: str) -> Audit:  # noqa: A002 - the noun's own name
        """One audit, judged by today's rules. Raises KeyError if there is none."""
        with self._open() as db:
            row = db.execute("SELECT * FROM audit WHERE id = ?", (id,)).fetchone()
            if row is None:
                raise KeyError(id)
            found = db.execute(
                "SELECT facts FROM observation WHERE audit = ? ORDER BY address, port, name", (id,)
            ).fetchall()
        observations = sorted((from_plain(json.loads(text)) for (text,) in found), key=lambda item: item.service)
        results = tuple(Result(observation, judge(observation)) for observation in observations)
        return _audit(row, results)

    def notices(self) -> list[Notice]:
        """What owners were told, by owner."""
        with self._open() as db:
            rows = db.execute("SELECT owner, audit, state, changed, services FROM notice ORDER BY owner")
            return [
                Notice(owner, audit, state, changed, tuple(json.loads(services)))
                for owner, audit, state, changed, services in rows
            ]

    def note(self, notice: Notice) -> None:
        """Keep the state of a notice."""
        with self._open() as db:
            db.execute(
                "INSERT OR REPLACE INTO notice VALUES (?, ?, ?, ?, ?)",
                (notice.owner, notice.audit, notice.state, notice.changed, json.dumps(notice.services)),
            )

    def _prepare(self, db: sqlite3.Connection) -> None:
        (version,) = db.execute("PRAGMA user_version").fetchone()
        if version > _VERSION:
            raise LedgerError(f"{self._path.name} was written by a later version of Leadglass.")
        if version == 0:
            for statement in _SCHEMA.split(";\n"):
                if statement.strip():
                    db.execute(statement)
            db.execute(f"PRAGMA user_version = {_VERSION}")

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        db = sqlite3.connect(self._path, timeout=30, isolation_level=None)
        try:
            db.execute("PRAGMA foreign_keys = ON")
            db.execute("BEGIN IMMEDIATE")
            yield db
            db.execute("COMMIT")
        finally:
            db.close()


def _key(result: Result) -> tuple[Any, ...]:
    service = result.observation.service
    return service.address, service.port, service.name


def _audit(row: tuple[Any, ...], results: tuple[Result, ...]) -> Audit:
    (name, started, ended, scope, title, authorised_by, contact, addresses, ports, contacted, unanswered) = row[:11]
    complete, shard, shards = row[11:]
    return Audit(
        id=name,
        started=started,
        ended=ended,
        scope=scope,
        title=title,
        authorised_by=authorised_by,
        contact=contact,
        addresses=addresses,
        ports=tuple(json.loads(ports)),
        contacted=contacted,
        unanswered=unanswered,
        complete=bool(complete),
        shard=(shard, shards),
        results=results,
    )
