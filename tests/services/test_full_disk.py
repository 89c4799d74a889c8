"""A disk that is full or broken: the store fails honestly, nothing of it is visible, and later stores work."""

from __future__ import annotations

import errno
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from objects import data_set, encoded, read_back, store, store_one, uid

from leadglass.app import archive as composition
from leadglass.app.archive import Archive, open_archive
from leadglass.app.cli.opening import keys_of
from leadglass.app.config import read_config
from leadglass.app.home import Home
from leadglass.core.errors import ErrorCode, LeadglassError
from leadglass.core.limits import MIB, SMALL_RECORD
from leadglass.core.principal import SYSTEM
from leadglass.vault.disk import Disk
from leadglass.vault.store import SegmentVault
from leadglass.wire.dimse.failures import STORE, status_of

WRITES = ("create", "open_or_create", "allocate", "fill", "write", "begin_sync", "sync", "sync_directory", "rename")


class FailingDisk(Disk):
    """Counts the calls that change the medium, and fails them from the `fails_from`-th on with `error`."""

    def __init__(self) -> None:
        self.calls = 0
        self.fails_from: int | None = None
        self.failed = 0
        self.error = errno.ENOSPC
        for name in WRITES:
            setattr(self, name, self._counted(getattr(Disk, name)))

    def _counted(self, plain: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            self.calls += 1
            if self.fails_from is not None and self.calls >= self.fails_from:
                self.failed += 1
                raise OSError(self.error, "injected")
            return plain(self, *args, **kwargs)

        return call

    def fail_after(self, calls: int, error: int) -> None:
        self.calls, self.fails_from, self.failed, self.error = 0, calls + 1, 0, error

    def recover(self) -> None:
        self.fails_from = None


@pytest.fixture
def disk() -> FailingDisk:
    return FailingDisk()


@pytest.fixture
def archive(home: Home, disk: FailingDisk, monkeypatch: pytest.MonkeyPatch) -> Iterator[Archive]:
    def vault(root: Path, archive_id: bytes, ring_key: bytes) -> SegmentVault:
        return SegmentVault(root, archive_id, ring_key, disk, segment_size=2 * MIB)

    monkeypatch.setattr(composition, "SegmentVault", vault)
    config = read_config(home.config)
    with open_archive(home, config, keys_of(home, config)) as opened:
        yield opened


async def attempt(archive: Archive, study: int, size: int) -> LeadglassError | None:
    try:
        await store_one(archive, study, size=size)
    except LeadglassError as error:
        return error
    return None


@pytest.mark.parametrize("error", [errno.ENOSPC, errno.EIO], ids=["ENOSPC", "EIO"])
@pytest.mark.parametrize("size", [50_000, SMALL_RECORD + 2 * MIB], ids=["shared-segment", "own-segment"])
@pytest.mark.parametrize("fresh", [True, False], ids=["first-store", "later-store"])
async def test_at_every_write(archive: Archive, disk: FailingDisk, error: int, size: int, fresh: bool) -> None:
    """The n-th change of the medium and all behind it fail, for each n until a whole store gets through."""
    if not fresh:
        await store_one(archive, 1_000)
    failures = 0
    for number in range(40):
        study = number + 1
        disk.fail_after(number, error)
        problem = await attempt(archive, study, size)
        disk.recover()
        if problem is None:
            break
        failures += 1
        assert problem.code is ErrorCode.OUT_OF_RESOURCES
        assert status_of(problem, STORE) == 0xA700
        assert archive.catalog.lookup(uid(study, 1)) is None
        data = encoded(data_set(study, 1, size=size))
        await store(archive, data, uid(study, 1))  # space is back: the same object, the same study
        stored = archive.catalog.lookup(uid(study, 1))
        assert stored is not None
        assert read_back(archive, stored) == data
    else:
        pytest.fail("no store got through")
    assert failures >= 3
    problems = archive.maintenance.check(SYSTEM, read_data=True).problems
    assert [problem for problem in problems if "was mended" not in problem] == []  # the ring's second copy was behind
    assert archive.maintenance.statistics(SYSTEM)["versions"] == 0


async def test_a_full_disk_fails_store_after_store_and_then_none(archive: Archive, disk: FailingDisk) -> None:
    await store_one(archive, 1)
    disk.fail_after(0, errno.ENOSPC)
    for study in range(2, 12):
        problem = await attempt(archive, study, 20_000)
        assert problem is not None
        assert problem.code is ErrorCode.OUT_OF_RESOURCES
    disk.recover()
    for study in range(2, 12):
        assert await attempt(archive, study, 20_000) is None
    assert archive.maintenance.statistics(SYSTEM)["instances"] == 11


async def test_what_was_stored_before_stays_readable_while_the_disk_is_full(
    archive: Archive, disk: FailingDisk
) -> None:
    data = await store_one(archive, 1)
    disk.fail_after(0, errno.ENOSPC)
    assert await attempt(archive, 2, 20_000) is not None
    stored = archive.catalog.lookup(uid(1, 1))
    assert stored is not None
    assert read_back(archive, stored) == data
    disk.recover()
