"""Faults of the machine under a served archive: a disk that is really full, a stop amid stores, a second server."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from archives import Server, device, make, opened, served
from asking import Asker, Given
from objects import CT, data_set, encoded, read_back, uid

from leadglass.app.home import Home
from leadglass.core.limits import MIB
from leadglass.core.principal import SYSTEM
from leadglass.dicom.uids import EXPLICIT_VR_LE

DISK = 300 * MIB  # two segments and what belongs beside them
SIZE = 4 * MIB


def given(study: int, number: int, size: int = SIZE) -> Given:
    return Given(CT, uid(study, number), EXPLICIT_VR_LE, encoded(data_set(study, number, size=size)))


def judge(home: Home, acknowledged: dict[str, bytes]) -> None:
    """Start again: every acknowledged instance reads back, and nothing is damaged."""
    with opened(home) as archive:
        assert archive.recovery.replay(SYSTEM).damage == []
        for name, data in acknowledged.items():
            stored = archive.catalog.lookup(name)
            assert stored is not None, "acknowledged and lost"
            assert read_back(archive, stored) == data
        assert archive.maintenance.check(SYSTEM, read_data=True).problems == []


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of its own, which only root can mount."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={DISK},mode=700", "tmpfs", folder], check=False)
    if mounted.returncode:
        pytest.skip("no file system can be mounted here")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", folder], check=True)


@pytest.mark.slow
async def test_a_disk_that_fills_up_refuses_and_serves_on(small_disk: Path) -> None:
    """Everything is on the full disk: segments, databases, journal. What is said to be stored is, and space heals."""
    home = make(small_disk, [device("ct", "CT")])
    asker, acknowledged = Asker(0, "CT"), {}
    with served(home) as server:
        asker.port = server.port
        refused = 0
        for number in range(1, 150):
            item = given(1, number)
            (answer,) = await asker.store([item])
            if answer.status == 0x0000:
                acknowledged[item.sop_instance] = item.data
            else:
                assert answer.status == 0xA700
                refused += 1
            if refused == 10:
                break
        assert refused == 10
        assert len(acknowledged) > 20
        filler = small_disk / "filler"  # and the last bytes are gone too
        with contextlib.suppress(OSError), filler.open("wb") as file:
            while True:
                file.write(bytes(4096))
        for number in range(200, 210):
            (answer,) = await asker.store([given(2, number, 30_000)])
            assert answer.status in (0x0000, 0xA700)
            if answer.status == 0x0000:
                acknowledged[uid(2, number)] = given(2, number, 30_000).data
        assert server.process.poll() is None
        filler.unlink()
        subprocess.run(["mount", "-o", f"remount,size={2 * DISK}", small_disk], check=True)
        for number in range(300, 305):
            item = given(3, number)
            (answer,) = await asker.store([item])
            assert answer.status == 0x0000, "space is back"
            acknowledged[item.sop_instance] = item.data
    judge(home, acknowledged)


async def test_a_stop_amid_stores_answers_them(tmp_path: Path) -> None:
    """SIGTERM while 50 associations store: what is complete is answered and there, what is not is not half there."""
    home = make(tmp_path, [device("ct", "CT")])
    acknowledged: dict[str, bytes] = {}
    started = asyncio.Event()

    async def send(port: int, number: int) -> None:
        asker = Asker(port, "CT")
        for following in range(1, 100):
            item = given(number, following, 300_000)
            with contextlib.suppress(Exception):
                (answer,) = await asker.store([item])
                if answer.status == 0x0000:
                    acknowledged[item.sop_instance] = item.data
                    if len(acknowledged) > 50:
                        started.set()
                    continue
            return

    with served(home) as server:
        senders = [asyncio.create_task(send(server.port, number)) for number in range(1, 51)]
        await asyncio.wait_for(started.wait(), 60)
        os.kill(server.process.pid, signal.SIGTERM)
        assert await asyncio.to_thread(server.process.wait, 60) == 0
        await asyncio.gather(*senders)
    judge(home, acknowledged)


def worker_of(server: Server) -> int:
    (child,) = server._workers()
    return child


async def test_a_worker_that_is_killed_is_started_again(tmp_path: Path) -> None:
    """As the kernel does when memory runs out."""
    home = make(tmp_path, [device("ct", "CT")])
    item = given(1, 1, 30_000)
    with served(home) as server:
        asker = Asker(server.port, "CT")
        assert [answer.status for answer in await asker.store([item])] == [0x0000]
        first = worker_of(server)
        os.kill(first, signal.SIGKILL)
        async with asyncio.timeout(60):
            while True:
                with contextlib.suppress(Exception):
                    (answer,) = await asker.store([given(1, 2, 30_000)])
                    if answer.status == 0x0000:
                        break
                await asyncio.sleep(0.1)
        assert worker_of(server) != first
    judge(home, {item.sop_instance: item.data})


def test_a_second_server_is_refused(tmp_path: Path) -> None:
    home = make(tmp_path, [device("ct", "CT")])
    command = [sys.executable, "-m", "leadglass.app", "serve", "--home", str(home.root)]
    with served(home) as server:
        second = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        assert second.returncode != 0
        assert "Another Leadglass process has this archive open" in second.stderr
        assert server.process.poll() is None
