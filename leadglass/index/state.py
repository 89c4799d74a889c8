"""Decisions: devices, trash, settings. Truth, durable when a method returns (core.ports.State)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from leadglass.core.device import Device
from leadglass.core.device_json import device_from_dict, device_to_dict
from leadglass.core.errors import ErrorCode, LeadglassError
from leadglass.core.ports import TrashedStudy
from leadglass.index.sqlite_engine import SqlCipherEngine
from leadglass.index.state_schema import STATE


class SqliteState:
    """core.ports.State on one SQLCipher database."""

    def __init__(self, path: Path, key: bytes) -> None:
        """Open or create the state at `path` with its 32-byte `key`; errors as of SqlCipherEngine."""
        self._engine = SqlCipherEngine(path, key, STATE)

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

    def close(self) -> None:
        """Let go of the file."""
        self._engine.close()

    @contextmanager
    def _change(self) -> Iterator[Any]:
        """A write transaction that counts the rights epoch up: in doubt a cached right is looked up again."""
        with self._engine.write() as connection:
            yield connection
            connection.execute("UPDATE epochs SET value = value + 1 WHERE name = 'rights'")


def _device(document: str) -> Device:
    try:
        plain = json.loads(document)
    except ValueError:
        raise LeadglassError(ErrorCode.DAMAGED, "A stored device is not readable JSON.") from None
    return device_from_dict(plain)
