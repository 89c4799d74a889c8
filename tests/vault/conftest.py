"""Makes vaults, instances and faulty disks for the tests of this room."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from blake3 import blake3
from media import LosesUnsynced

from leadglass.core.identity import InstanceIdentity, KeyScope, PatientKey
from leadglass.core.limits import MIB
from leadglass.core.ports import SealedRecord
from leadglass.core.records import Damage, Location, RecordTrailer
from leadglass.vault.disk import Disk
from leadglass.vault.store import SegmentVault


@dataclass
class Archive:
    """A vault's place and keys, to open it as often as a test wants."""

    root: Path
    archive_id: bytes
    ring_key: bytes

    def open(self, disk: Disk | None = None, segment_size: int = MIB) -> SegmentVault:
        return SegmentVault(self.root, self.archive_id, self.ring_key, disk, segment_size=segment_size)

    def path(self, segment: str) -> Path:
        return self.root / "segments" / segment[:2] / segment

    def identity(self, number: int = 1, study: int = 1) -> InstanceIdentity:
        patient = PatientKey("hospital", f"P{study}")
        return InstanceIdentity("1.2.840.10008.5.1.4.1.1.2", f"1.2.3.{study}.{number}", f"1.2.{study}", "1.9", patient)

    def trailer(self, identity: InstanceIdentity, data: bytes, file_meta: bytes = b"") -> RecordTrailer:
        return RecordTrailer(
            *(identity, "1.2.840.10008.1.2.1", 1_700_000_000_000_000_000, blake3(data).digest(), "ct-1", "CT1"),
            *("192.0.2.7", "Ospedale", "ISO_IR 100", file_meta),
        )

    def seal(
        self, vault: SegmentVault, data: bytes, identity: InstanceIdentity | None = None, *, spill: bool = False
    ) -> SealedRecord:
        identity = identity or self.identity()
        writer = vault.begin(vault.obtain_key(KeyScope.of(identity)))
        for start in range(0, len(data), 100_000):
            writer.write(data[start : start + 100_000])
            if spill:
                writer.spill()
        return writer.finish(self.trailer(identity, data))

    def store(
        self, vault: SegmentVault, data: bytes, identity: InstanceIdentity | None = None, *, spill: bool = False
    ) -> Location:
        (location,) = vault.append([self.seal(vault, data, identity, spill=spill)])
        vault.sync()
        return location

    def fetch(self, vault: SegmentVault, location: Location, identity: InstanceIdentity | None = None) -> bytes:
        reader = vault.open(location, identity or self.identity())
        try:
            return b"".join(reader.chunks())
        finally:
            reader.close()

    def replayed(self, vault: SegmentVault, segment: str, offset: int = 0) -> tuple[list[str], list[Damage]]:
        """SOP Instance UIDs of the good records, and the damage."""
        uids, damage = [], []
        for found in vault.replay(segment, offset):
            if isinstance(found, Damage):
                damage.append(found)
            else:
                uids.append(found.reader.trailer.identity.sop_instance_uid)
        return uids, damage

    def crash(self, vault: SegmentVault) -> None:
        """Let go of all files as a killed process does: nothing is sealed or removed."""
        appender: Any = vault._appender
        appender._ahead_worker.shutdown(wait=True)
        files = [segment.file for segment in (*appender._full, appender._current) if segment]
        if appender._ahead is not None and appender._ahead.exception() is None:
            files.append(appender._ahead.result())
        for file in files:
            os.close(file.descriptor)
        vault._ring.close()


@pytest.fixture
def archive(tmp_path: Path) -> Archive:
    root = tmp_path / "vault"
    root.mkdir()
    return Archive(root, os.urandom(16), os.urandom(32))


class FaultyDisk(Disk):
    """Calls `fault` with the name of each call before it is made; `fault` may raise OSError."""

    METHODS = (
        *("create", "open", "open_or_create", "size", "allocate", "fill", "write", "read", "truncate", "sync"),
        *("begin_sync", "sync_directory", "rename", "unlink", "make_directory", "names", "lock"),
    )

    def __init__(self) -> None:
        self.fault: Callable[[str], None] = lambda name: None
        for name in self.METHODS:
            setattr(self, name, self._wrapped(name))

    def _wrapped(self, name: str) -> Callable[..., Any]:
        plain = getattr(Disk, name)

        def call(*args: Any, **kwargs: Any) -> Any:
            self.fault(name)
            return plain(self, *args, **kwargs)

        return call


@pytest.fixture
def faulty_disk() -> FaultyDisk:
    return FaultyDisk()


@pytest.fixture
def losing_disk() -> LosesUnsynced:
    return LosesUnsynced()
