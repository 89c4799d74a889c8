"""A sender that goes away while a thread spills its large instance: nothing is left, no other file is written."""

from __future__ import annotations

import asyncio
import functools
import os
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from archives import device, make
from objects import CT, data_set, encoded, store_one, uid

from leadglass.app import archive as composition
from leadglass.app.archive import Archive, open_archive
from leadglass.app.cli.opening import keys_of
from leadglass.app.config import read_config
from leadglass.app.home import Home
from leadglass.core.errors import LeadglassError
from leadglass.core.limits import MIB, SMALL_RECORD
from leadglass.core.principal import SYSTEM
from leadglass.dicom.uids import EXPLICIT_VR_LE
from leadglass.services.budget import BufferBudget
from leadglass.services.ingest import Announced, Reception
from leadglass.vault.disk import Buffer, Disk
from leadglass.vault.store import SegmentVault

PATIENCE = 20.0  # seconds for a thread that must come


class HaltingDisk(Disk):
    """Halts the next call of one method, and sees whether the file it was meant for is still the one it reaches."""

    def __init__(self) -> None:
        self.halt_at = ""
        self.halted, self.go_on = threading.Event(), threading.Event()
        self.strayed = False

    def create(self, path: Path) -> int:
        descriptor = super().create(path)
        if self.halt_at == "create":
            self._halt()
        return descriptor

    def write(self, descriptor: int, buffers: Sequence[Buffer], offset: int) -> int:
        if self.halt_at == "write" and len(buffers) > 1:
            before = os.fstat(descriptor).st_ino
            self._halt()
            self.strayed = not _is_open(descriptor, before)
        return super().write(descriptor, buffers, offset)

    def _halt(self) -> None:
        self.halt_at = ""
        self.halted.set()
        assert self.go_on.wait(PATIENCE)


def _is_open(descriptor: int, inode: int) -> bool:
    try:
        return os.fstat(descriptor).st_ino == inode
    except OSError:
        return False


@pytest.fixture
def disk() -> HaltingDisk:
    return HaltingDisk()


@pytest.fixture
def budget() -> BufferBudget:
    return BufferBudget()


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return make(tmp_path, [device("ct")])


@pytest.fixture
def archive(home: Home, disk: HaltingDisk, budget: BufferBudget, monkeypatch: pytest.MonkeyPatch) -> Iterator[Archive]:
    monkeypatch.setattr(composition, "SegmentVault", functools.partial(SegmentVault, disk=disk))
    config = read_config(home.config)
    with open_archive(home, config, keys_of(home, config), budget=budget) as opened:
        yield opened


def begin_large(archive: Archive) -> tuple[Reception, bytes]:
    """A reception of which more is in memory than a small record has, and what comes next."""
    data = encoded(data_set(2, 1, size=SMALL_RECORD + 4 * MIB))
    reception = archive.ingest.begin(SYSTEM, Announced(CT, uid(2, 1), EXPLICIT_VR_LE))
    for start in range(0, SMALL_RECORD + MIB, MIB):
        reception.feed(data[start : start + MIB])
    return reception, data[SMALL_RECORD + MIB :]


async def relieving(reception: Reception, disk: HaltingDisk, halt_at: str) -> asyncio.Task[None]:
    """`relieve` on its way, halted in its thread."""
    assert reception.congested
    disk.halt_at = halt_at
    task = asyncio.ensure_future(reception.relieve())
    assert await asyncio.to_thread(disk.halted.wait, PATIENCE)
    return task


def parts(home: Home) -> list[Path]:
    return list(home.vault.rglob("*.part"))


@pytest.mark.parametrize("halt_at", ["create", "write"])
async def test_abort_waits_for_the_thread_that_spills(
    home: Home, archive: Archive, disk: HaltingDisk, budget: BufferBudget, halt_at: str
) -> None:
    await store_one(archive, 2, 2)  # the study has its key: what follows writes at once
    reception, _rest = begin_large(archive)
    task = await relieving(reception, disk, halt_at)
    reception.abort()
    disk.go_on.set()
    await asyncio.gather(task, return_exceptions=True)
    assert not disk.strayed
    assert parts(home) == []
    assert budget.used == 0
    assert archive.catalog.lookup(uid(2, 1)) is None
    await store_one(archive, 2, 1, size=SMALL_RECORD + MIB)
    assert archive.maintenance.check(SYSTEM, read_data=True).problems == []


async def test_bad_bytes_that_come_while_the_thread_spills_are_refused(
    home: Home, archive: Archive, disk: HaltingDisk, budget: BufferBudget
) -> None:
    await store_one(archive, 2, 2)
    reception, rest = begin_large(archive)
    task = await relieving(reception, disk, "write")
    reception.feed(rest[:-1_000])
    disk.go_on.set()
    await task
    with pytest.raises(LeadglassError):
        await reception.complete()
    assert parts(home) == []
    assert budget.used == 0
