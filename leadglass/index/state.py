"""Decisions: devices, tokens, grants, trash, settings. Truth, durable when a method returns (core.ports.State)."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from leadglass.core.device import Device
from leadglass.core.device_json import device_from_dict, device_to_dict
from leadglass.core.errors import ErrorCode, LeadglassError
from leadglass.core.ports import TrashedInstance, TrashedStudy
from leadglass.core.reach_json import reach_from_dict, reach_to_dict
from leadglass.core.tokens import ApiToken, Grant, Scope
from leadglass.index.people import SqlitePeople
from leadglass.index.sqlite_engine import Row, SqlCipherEngine
from leadglass.index.state_schema import STATE


class SqliteState:
    """core.ports.State on one SQLCipher database."""

    def __init__(self, path: Path, key: bytes) -> None:
        """Open or create the state at `path` with its 32-byte `key`; errors as of SqlCipherEngine."""
        self._engine = SqlCipherEngine(path, key, STATE)
        self.people = SqlitePeople(self._engine, self._change, self.rights_epoch)

    def rights_epoch(self) -> int:
        """A number that grows with every change of the state."""
        row = self._engine.read_one("SELECT value FROM epochs WHERE name = 'rights'")
        if row is None:
            raise LeadglassError(ErrorCode.DAMAGED, "The state has lost its rights epoch.")
        return int(row[0])

    def devices(self) -> list[Device]:
        """All devices by name."""
        return [_device(row[0]) for row in self._engine.read("SELECT document FROM devices ORDER BY name")]

    def device(self, name: str) -> Device | None:
        """The device called `name`."""
        row = self._engine.read_one("SELECT document FROM devices WHERE name = ?", (name,))
        return None if row is None else _device(row[0])

    def put_device(self, device: Device) -> None:
        """Add `device`, or replace the one of its name."""
        document = json.dumps(device_to_dict(device), sort_keys=True, separators=(",", ":"))
        with self._change() as connection:
            connection.execute("INSERT OR REPLACE INTO devices VALUES (?, ?)", (device.name, document))

    def remove_device(self, name: str) -> bool:
        """Forget a device; whether there was one."""
        with self._change() as connection:
            return bool(connection.execute("DELETE FROM devices WHERE name = ?", (name,)).rowcount)

    def put_trash(self, entry: TrashedStudy) -> None:
        """Decide that a study lies in the trash."""
        row = (entry.study_uid, entry.trashed_at, entry.principal, entry.reason)
        with self._change() as connection:
            connection.execute("INSERT OR REPLACE INTO trash VALUES (?, ?, ?, ?)", row)

    def remove_trash(self, study_uid: str) -> bool:
        """Take a study out of the trash; whether it was there."""
        with self._change() as connection:
            return bool(connection.execute("DELETE FROM trash WHERE study_uid = ?", (study_uid,)).rowcount)

    def trash(self) -> list[TrashedStudy]:
        """All trashed studies, the oldest decision first."""
        sql = "SELECT study_uid, trashed_at, principal, reason FROM trash ORDER BY trashed_at, study_uid"
        return [TrashedStudy(*row) for row in self._engine.read(sql)]

    def put_instance_trash(self, entries: Sequence[TrashedInstance]) -> None:
        """Decide that instances lie in the trash, all at once."""
        rows = [
            (item.sop_instance_uid, item.study_uid, item.series_uid, item.trashed_at, item.principal, item.reason)
            for item in entries
        ]
        with self._change() as connection:
            connection.executemany("INSERT OR REPLACE INTO instance_trash VALUES (?, ?, ?, ?, ?, ?)", rows)

    def remove_instance_trash(self, sop_instance_uids: Sequence[str]) -> int:
        """Take instances out of the trash; how many were there."""
        sql = "DELETE FROM instance_trash WHERE sop_instance_uid = ?"
        with self._change() as connection:
            return sum(connection.execute(sql, (uid,)).rowcount for uid in sop_instance_uids)

    def instance_trash(self) -> list[TrashedInstance]:
        """All trashed instances, the oldest decision first."""
        sql = """SELECT sop_instance_uid, study_uid, series_uid, trashed_at, principal, reason FROM instance_trash
            ORDER BY trashed_at, study_uid, series_uid, sop_instance_uid"""
        return [TrashedInstance(*row) for row in self._engine.read(sql)]

    def setting(self, name: str) -> str | None:
        """The small decision called `name`."""
        row = self._engine.read_one("SELECT value FROM settings WHERE name = ?", (name,))
        return None if row is None else str(row[0])

    def put_setting(self, name: str, value: str) -> None:
        """Keep a small decision."""
        with self._change() as connection:
            connection.execute("INSERT OR REPLACE INTO settings VALUES (?, ?)", (name, value))

    def settle(self, name: str, value: str) -> str:
        """Keep a small decision unless there is one; of several processes that settle it, one wins for all."""
        with self._change() as connection:
            connection.execute("INSERT OR IGNORE INTO settings VALUES (?, ?)", (name, value))
            (kept,) = connection.execute("SELECT value FROM settings WHERE name = ?", (name,)).fetchone()
            return str(kept)

    def tokens(self) -> list[ApiToken]:
        """Every token, by name."""
        return [_token(row) for row in self._engine.read(f"{_TOKENS} ORDER BY name")]

    def token(self, name: str) -> ApiToken | None:
        """The token called `name`."""
        row = self._engine.read_one(f"{_TOKENS} WHERE name = ?", (name,))
        return None if row is None else _token(row)

    def token_by_digest(self, digest: bytes) -> ApiToken | None:
        """The token with this digest."""
        row = self._engine.read_one(f"{_TOKENS} WHERE digest = ?", (digest,))
        return None if row is None else _token(row)

    def put_token(self, token: ApiToken) -> None:
        """Keep `token`, or replace the one of its name."""
        document = {"scopes": sorted(scope.value for scope in token.scopes), "reach": reach_to_dict(token.reach)}
        row = (
            token.name,
            token.digest,
            json.dumps(document, sort_keys=True, separators=(",", ":")),
            token.created,
            token.created_by,
            token.expires,
            token.revoked,
            token.last_used,
        )
        with self._change() as connection:
            connection.execute("INSERT OR REPLACE INTO tokens VALUES (?, ?, ?, ?, ?, ?, ?, ?)", row)

    def revoke_token(self, name: str, moment: int) -> bool:
        """Let nobody in by this token any more."""
        with self._change() as connection:
            sql = "UPDATE tokens SET revoked = ? WHERE name = ? AND revoked = 0"
            return bool(connection.execute(sql, (moment, name)).rowcount)

    def note_token_uses(self, uses: Mapping[str, int]) -> None:
        """When tokens were last used."""
        with self._engine.write() as connection:
            sql = "UPDATE tokens SET last_used = max(last_used, ?) WHERE name = ?"
            connection.executemany(sql, [(moment, name) for name, moment in uses.items()])

    def grants(self, principal: str | None = None) -> list[Grant]:
        """Explicit grants, all or those to one principal."""
        columns = "principal, study_uid, patient_id, issuer, granted, granted_by"
        sql = f"SELECT {columns} FROM grants WHERE ? IS NULL OR principal = ? ORDER BY {columns}"  # noqa: S608 - ours
        return [Grant(*row) for row in self._engine.read(sql, (principal, principal))]

    def put_grant(self, grant: Grant) -> None:
        """Grant a study or a patient."""
        row = (*_key(grant), grant.granted, grant.granted_by)
        with self._change() as connection:
            connection.execute("INSERT OR REPLACE INTO grants VALUES (?, ?, ?, ?, ?, ?)", row)

    def remove_grant(self, grant: Grant) -> bool:
        """Take back a grant."""
        sql = "DELETE FROM grants WHERE principal = ? AND study_uid = ? AND patient_id = ? AND issuer = ?"
        with self._change() as connection:
            return bool(connection.execute(sql, _key(grant)).rowcount)

    def close(self) -> None:
        """Let go of the file."""
        self._engine.close()

    @contextmanager
    def _change(self) -> Iterator[Any]:
        """A write transaction that counts the rights epoch up: in doubt a cached right is looked up again."""
        with self._engine.write() as connection:
            yield connection
            connection.execute("UPDATE epochs SET value = value + 1 WHERE name = 'rights'")


_TOKENS = "SELECT name, digest, document, created, created_by, expires, revoked, last_used FROM tokens"


def _token(row: Row) -> ApiToken:
    name, digest, document, created, created_by, expires, revoked, last_used = row
    try:
        plain = json.loads(document)
        scopes, reach = frozenset(Scope(text) for text in plain.pop("scopes")), reach_from_dict(plain.pop("reach"))
        if plain:
            raise ValueError  # what is not understood may be a restriction
    except (ValueError, TypeError, LookupError, AttributeError):
        raise LeadglassError(ErrorCode.DAMAGED, "A stored token cannot be read.") from None
    return ApiToken(name, scopes, reach, created, created_by, expires, bytes(digest), last_used, revoked)


def _key(grant: Grant) -> tuple[str, str, str, str]:
    return grant.principal, grant.study_uid, grant.patient_id, grant.issuer


def _device(document: str) -> Device:
    try:
        plain = json.loads(document)
    except ValueError:
        raise LeadglassError(ErrorCode.DAMAGED, "A stored device is not readable JSON.") from None
    return device_from_dict(plain)
