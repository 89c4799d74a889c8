"""A store that was answered as failed is sent again: it is stored once, and no conflict is made of it."""

from __future__ import annotations

import asyncio
import errno
import functools
from collections.abc import Iterator
from pathlib import Path

import pytest
from archives import device, make, opened
from objects import data_set, encoded, read_back, store, store_one, uid

from leadglass.app import archive as composition
from leadglass.app.archive import Archive
from leadglass.app.home import Home
from leadglass.core.errors import ErrorCode, LeadglassError
from leadglass.core.principal import SYSTEM
from leadglass.services.ingest import StoreOutcome
from leadglass.vault.disk import Disk
from leadglass.vault.store import SegmentVault


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return make(tmp_path, [device("ct")])


@pytest.fixture
def archive(home: Home) -> Iterator[Archive]:
    with opened(home) as opened_archive:
        yield opened_archive


def fail_once(monkeypatch: pytest.MonkeyPatch, room: object, method: str) -> None:
    """Have the next call of `method` fail."""

    def failing(*args: object) -> None:
        monkeypatch.undo()
        raise LeadglassError(ErrorCode.OUT_OF_RESOURCES, "injected")

    monkeypatch.setattr(room, method, failing)


async def refused(archive: Archive, data: bytes) -> None:
    with pytest.raises(LeadglassError) as error:
        await store(archive, data, uid(1, 1))
    assert error.value.code is ErrorCode.OUT_OF_RESOURCES


def assert_stored_once(archive: Archive, data: bytes) -> None:
    (only,) = archive.catalog.versions(uid(1, 1))
    assert read_back(archive, only) == data
    assert archive.maintenance.conflicts(SYSTEM) == []
    assert archive.maintenance.check(SYSTEM, read_data=True).problems == []


async def test_after_the_catalog_could_not_take_it(archive: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    data = encoded(data_set())
    fail_once(monkeypatch, archive.catalog, "add")
    await refused(archive, data)
    assert (await store(archive, data, uid(1, 1))).outcome is StoreOutcome.STORED
    assert_stored_once(archive, data)


class SyncFails(Disk):
    """A disk whose next sync fails when it is told to, though the bytes arrive."""

    def __init__(self) -> None:
        self.told = False

    def sync(self, descriptor: int) -> None:
        super().sync(descriptor)
        if self.told:
            self.told = False
            raise OSError(errno.EIO, "injected")


async def test_after_the_sync_failed_though_the_bytes_arrived(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """The segment is given up; the next start finds the record in it, and the one that was sent again beside it."""
    disk, data = SyncFails(), encoded(data_set(1, 1))
    with monkeypatch.context() as patch:
        patch.setattr(composition, "SegmentVault", functools.partial(SegmentVault, disk=disk))
        with opened(home) as archive:
            await store_one(archive, 1, 2)
            disk.told = True
            await refused(archive, data)
            assert (await store(archive, data, uid(1, 1))).outcome is StoreOutcome.STORED
            assert_stored_once(archive, data)
    for begin in ("replay", "reindex"):
        with opened(home) as archive:
            getattr(archive.recovery, begin)(SYSTEM)
            assert_stored_once(archive, data)
            assert archive.maintenance.check(SYSTEM).records == 3


async def test_by_two_senders_at_once(archive: Archive) -> None:
    data = encoded(data_set())
    results = await asyncio.gather(*(store(archive, data, uid(1, 1)) for _ in range(8)))
    assert all(result.outcome is not StoreOutcome.VERSION for result in results)
    assert_stored_once(archive, data)
