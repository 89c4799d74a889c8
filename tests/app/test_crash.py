"""kill -9 at every named step of a store, under four parallel senders: what was acknowledged is there afterwards."""

from __future__ import annotations

import asyncio
import itertools
import os
import signal
import struct
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from archives import TITLE, device, make, opened
from blake3 import blake3
from objects import CT, data_set, encoded, read_back, uid

from leadglass.app.cli.opening import keys_of
from leadglass.app.config import read_config
from leadglass.app.home import Home
from leadglass.app.key_pipe import write_keys
from leadglass.core.crashpoints import STORE_POINTS
from leadglass.core.errors import LeadglassError
from leadglass.core.principal import SYSTEM
from leadglass.dicom.uids import EXPLICIT_VR_LE
from leadglass.net.proposals import association_request, propose_one
from leadglass.net.requestor import dial
from leadglass.vault.record_format import ALIGNMENT, HEADER_SIZE, MAGIC, parse_header

SENDERS = 4
AT_MOST = 80  # instances of one sender in one round; the process is dead before
PER_STUDY = 4  # then the sender goes on with a new study: the key ring has work too

# Which time a point is reached the process dies, one round after the other in one archive.
TIMES = {
    **dict.fromkeys(STORE_POINTS, (1, 14)),
    **dict.fromkeys(("store.before-ring", "store.ring-written", "store.ring-synced"), (1, 7)),
    "store.segment-created": (1, 3),
}

# The DICOM process as it is, with small segments, and a hook that ends it without farewell.
CHILD = """
import functools, itertools, os, signal, sys
point, times = sys.argv[1], int(sys.argv[2])
del sys.argv[1:3]
from leadglass.app import archive, dicom_process
from leadglass.core import crashpoints
archive.SegmentVault = functools.partial(archive.SegmentVault, segment_size=2 * 1024 * 1024)
reached = itertools.count(1)
def hook(name):
    if name == point and next(reached) == times:
        os.kill(os.getpid(), signal.SIGKILL)
crashpoints.install(hook)
dicom_process.main()
"""


@dataclass
class Ground:
    """One archive, and what its senders were told is stored."""

    home: Home
    port: int
    acknowledged: dict[str, bytes] = field(default_factory=dict)
    studies: Iterator[int] = field(default_factory=lambda: itertools.count(1))


@pytest.fixture
def ground(tmp_path: Path) -> Ground:
    home = make(tmp_path, [device("ct", "CT")])
    return Ground(home, read_config(home.config).listeners[0].port)


def start(ground: Ground, point: str, times: int) -> subprocess.Popen[bytes]:
    """Start the DICOM process as the supervisor does; it listens when this returns."""
    key_read, key_write = os.pipe()
    ready_read, ready_write = os.pipe()
    process = subprocess.Popen(
        [sys.executable, "-c", CHILD, point, str(times), str(ground.home.root), str(key_read), str(ready_write)],
        pass_fds=(key_read, ready_write),
        cwd=Path(__file__).parents[2],
        stderr=(ground.home.root.parent / "log").open("ab"),
    )
    os.close(key_read)
    os.close(ready_write)
    write_keys(key_write, keys_of(ground.home, read_config(ground.home.config)))
    ready = os.read(ready_read, 1)
    os.close(ready_read)
    assert ready, (ground.home.root.parent / "log").read_text()[-2_000:]
    return process


async def send(ground: Ground) -> None:
    """Store one instance after the other until the archive dies."""
    contexts = propose_one([(CT, (EXPLICIT_VR_LE,))])
    try:
        requestor = await dial("127.0.0.1", ground.port, association_request(TITLE, "CT", contexts))
        context = requestor.context_for(CT)
        for number in range(AT_MOST):
            if number % PER_STUDY == 0:
                study = next(ground.studies)
            data = encoded(data_set(study, number, size=20_000 + 7_000 * (number % 5)))
            response = await requestor.store(context, uid(study, number), data)
            assert response.status == 0x0000
            ground.acknowledged[uid(study, number)] = blake3(data).digest()
        requestor.abort()
    except LeadglassError:
        pass  # the archive is gone


def judge(ground: Ground) -> None:
    """Start again, and look for everything."""
    with opened(ground.home) as archive:
        report = archive.recovery.replay(SYSTEM)
        assert report.damage == []
        for name, digest in ground.acknowledged.items():
            stored = archive.catalog.lookup(name)
            assert stored is not None, "acknowledged and lost"
            assert stored.digest == digest
            assert blake3(read_back(archive, stored)).digest() == digest
        assert archive.maintenance.check(SYSTEM, read_data=True).problems == []
        assert archive.maintenance.statistics(SYSTEM)["versions"] == 0


def record_salts(vault: Path) -> list[tuple[bytes, bytes]]:
    """(key id, salt) of every record header that was ever written, those of torn records too."""
    found = []
    for segment in (vault / "segments").rglob("*"):
        content = segment.read_bytes() if segment.is_file() else b""
        place = content.find(MAGIC)
        while place >= 0:
            header = parse_header(content[place : place + HEADER_SIZE])
            if header is not None and place % ALIGNMENT == 0:
                found.append((header.key_id, header.salt))
            place = content.find(MAGIC, place + 1)
    return found


RING_ENTRY = struct.Struct(">4sBBHI16s16sQ12s")  # magic, version, kind, padding, length, key id, tag, created, nonce


def ring_entries(copy: Path) -> list[tuple[bytes, bytes]]:
    """(nonce, entry) of every entry in one copy of the key ring."""
    content = copy.read_bytes()
    found = []
    for place in range(0, len(content) - RING_ENTRY.size, 16):
        if content[place : place + 4] == b"LGke":
            _, _, _, _, length, _, _, _, nonce = RING_ENTRY.unpack_from(content, place)
            found.append((nonce, content[place : place + length]))
    return found


def assert_no_nonce_twice(vault: Path) -> None:
    salts = record_salts(vault)
    assert salts
    assert len(set(salts)) == len(salts)
    copies = [ring_entries(vault / "ring-a" / "ring.a"), ring_entries(vault / "ring-b" / "ring.b")]
    for entries in copies:
        assert len({nonce for nonce, _ in entries}) == len(entries) > 0
    both = {entry for entries in copies for entry in entries}
    assert len({nonce for nonce, _ in both}) == len(both)


@pytest.mark.slow
@pytest.mark.parametrize("point", STORE_POINTS)
async def test_what_was_acknowledged_survives(ground: Ground, point: str) -> None:
    for times in TIMES[point]:
        process = start(ground, point, times)
        try:
            await asyncio.gather(*(send(ground) for _ in range(SENDERS)))
            assert process.wait(20) == -signal.SIGKILL, "the point was not reached"
        finally:
            process.kill()
            process.wait()
        judge(ground)
    assert ground.acknowledged
    assert_no_nonce_twice(ground.home.vault)
