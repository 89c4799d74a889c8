"""Kills at each named step, power cuts, full and failing disks: the acknowledged is there, the rest heals."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import textwrap
import threading
from collections import Counter

import pytest

from leadglass.core import crashpoints
from leadglass.core.errors import ErrorCode, LeadglassError
from leadglass.core.identity import KeyScope
from leadglass.core.records import Damage
from leadglass.vault.key_ring import RingFinding
from leadglass.vault.record_format import parse_header

WRITER = textwrap.dedent("""
    import os, signal, sys, threading
    from pathlib import Path
    from blake3 import blake3
    from leadglass.core import crashpoints
    from leadglass.core.identity import InstanceIdentity, KeyScope, PatientKey
    from leadglass.core.records import RecordTrailer
    from leadglass.vault.store import SegmentVault

    root, archive_id, ring_key, point, times, first, count = sys.argv[1:]
    left = int(times)
    def hook(name):
        global left
        if name == point:
            left -= 1
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)
    crashpoints.install(hook)
    vault = SegmentVault(Path(root), bytes.fromhex(archive_id), bytes.fromhex(ring_key), segment_size=150_000)
    for number in range(int(first), int(first) + int(count)):
        identity = InstanceIdentity("1.2", f"1.3.{number}", f"1.2.{number % 5}", "1.9", PatientKey("h", "p"))
        data = number.to_bytes(4, "big") * (15_000 if number % 4 else 40_000)
        writer = vault.begin(vault.obtain_key(KeyScope.of(identity)))
        writer.write(data)
        if number % 4 == 0:
            writer.spill()
        trailer = RecordTrailer(identity, "1.2", 1, writer.digest(), "", "", "", "", "")
        locations = vault.append([writer.finish(trailer)])
        vault.sync()
        where = locations[0]
        sys.stdout.write(f"{number} {where.segment} {where.offset} {where.data_set_length}\\n")
        sys.stdout.flush()
    if point == "die":
        os.kill(os.getpid(), signal.SIGKILL)
    vault.close()
""")


def start(archive, point: str, times: int, first: int, count: int) -> subprocess.Popen[str]:
    arguments = [archive.root, archive.archive_id.hex(), archive.ring_key.hex(), point, times, first, count]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(["", *sys.path])}
    command = [sys.executable, "-c", WRITER, *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)


def recover(archive):
    """Open, replay and adopt everything: SOP Instance UIDs that are whole, and all (key id, salt) pairs."""
    vault = archive.open()
    found: Counter[str] = Counter()
    for segment in vault.segments():
        for item in vault.replay(segment, 0):
            assert not isinstance(item, Damage), item
            found[item.reader.trailer.identity.sop_instance_uid] += 1
        vault.adopt(segment)
    assert not [item for item in vault.check(read_data=True) if isinstance(item, Damage)]
    vault.close()
    assert not list(archive.root.rglob("*.part"))
    return found


@pytest.mark.parametrize("times", [1, 3])
@pytest.mark.parametrize("point", [name for name in crashpoints.STORE_POINTS if "catalog" not in name][:-1])
def test_killed_at_each_step_nothing_acknowledged_is_lost(archive, point, times):
    process = start(archive, point, times, 0, 12)
    out, _ = process.communicate(timeout=60)
    assert process.returncode == -9
    acknowledged = {f"1.3.{line.split()[0]}" for line in out.splitlines()}
    found = recover(archive)
    assert acknowledged <= found.keys()
    assert len(found) - len(acknowledged) <= 1  # at most the one that was under way
    vault = archive.open()
    assert not [item for item in vault.check(read_data=False) if isinstance(item, RingFinding)]
    archive.store(vault, b"works again", archive.identity(99))
    vault.close()


def salts(archive) -> list[tuple[bytes, bytes]]:
    pairs = []
    for path in (archive.root / "segments").rglob("*"):
        content = path.read_bytes() if path.is_file() else b""
        for at in range(4096, len(content), 64):
            header = parse_header(content[at : at + 128])
            if header is not None:
                pairs.append((header.key_id, header.salt))
    return pairs


def test_no_key_and_nonce_twice_over_processes_and_kills(archive):
    """Nonces are chunk numbers under a key from (study key, salt): a pair of these comes once, then so does each."""
    acknowledged = set()
    for turn in range(3):
        running = [
            start(archive, point, 5, turn * 100 + at * 10, 10)
            for at, point in enumerate(["store.written", "store.before-write", "store.synced", "die"])
        ]
        for process in running:
            out, _ = process.communicate(timeout=60)
            acknowledged |= {f"1.3.{line.split()[0]}" for line in out.splitlines()}
    pairs = salts(archive)
    assert len(pairs) == len(set(pairs)) >= len(acknowledged) > 50
    assert len({key_id for key_id, _ in pairs}) == 5  # one key per study, whoever asked first
    assert acknowledged <= recover(archive).keys()


def test_a_power_cut_after_each_sync_loses_nothing_acknowledged(archive, losing_disk):
    vault = archive.open(losing_disk, segment_size=150_000)
    stored = {}
    for number in range(8):
        identity = archive.identity(number, study=number % 3)
        data = os.urandom(30_000 + number)
        stored[number] = (identity, archive.store(vault, data, identity, spill=number % 4 == 1), data)
    unsynced = archive.seal(vault, os.urandom(1000), archive.identity(50, study=1))
    vault.append([unsynced])
    archive.crash(vault)
    losing_disk.power_cut(archive.root)
    found = recover(archive)
    assert found.keys() == {archive.identity(number, number % 3).sop_instance_uid for number in range(8)}
    vault = archive.open()
    for identity, location, data in stored.values():
        assert archive.fetch(vault, location, identity) == data
    vault.close()


@pytest.mark.parametrize("opened", ["before", "after"])
def test_a_power_cut_before_the_ring_is_synced_leaves_no_key_in_use(archive, losing_disk, opened):
    vault = archive.open(losing_disk)
    early = archive.open(losing_disk) if opened == "before" else None
    archive.store(vault, b"first", archive.identity(1, study=1))

    class Cut(BaseException):
        pass

    def hook(name):
        if name == "store.ring-written":
            raise Cut

    crashpoints.install(hook)
    try:
        with pytest.raises(Cut):
            vault.obtain_key(KeyScope.of(archive.identity(1, study=2)))
    finally:
        crashpoints.install(None)
    other = early or archive.open(losing_disk)  # sees the entry in the cache and must sync it before use
    location = archive.store(other, b"second", archive.identity(1, study=2))
    archive.crash(vault)
    archive.crash(other)
    losing_disk.power_cut(archive.root)
    vault = archive.open()
    assert archive.fetch(vault, location, archive.identity(1, study=2)) == b"second"
    vault.close()


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EIO, errno.EDQUOT, errno.EROFS, errno.EMFILE])
@pytest.mark.parametrize("spill", [False, True])
def test_each_failing_call_is_an_honest_refusal_and_the_vault_lives(archive, faulty_disk, code, spill):
    vault = archive.open(faulty_disk, segment_size=150_000)
    kept = {}
    kept[0] = (archive.store(vault, b"kept" * 1000, archive.identity(0, study=0)), b"kept" * 1000)
    for at in range(40):
        calls = 0

        def fault(name, at=at):
            nonlocal calls
            if threading.current_thread() is not threading.main_thread():
                return
            calls += 1
            if calls - 1 == at:
                raise OSError(code, os.strerror(code))

        number, data = at + 1, os.urandom(60_000)
        identity = archive.identity(number, study=number)
        faulty_disk.fault = fault
        try:
            location = archive.store(vault, data, identity, spill=spill)
        except LeadglassError as problem:
            assert problem.code is ErrorCode.OUT_OF_RESOURCES
        else:
            kept[number] = (location, data)
        faulty_disk.fault = lambda name: None
        again = archive.identity(number + 1000, study=number)
        kept[number + 1000] = (archive.store(vault, data, again, spill=spill), data)
    assert len(kept) < 80  # some did fail
    archive.crash(vault)
    vault = archive.open()
    for segment in vault.segments():
        archive.replayed(vault, segment)
        vault.adopt(segment)
    for number, (location, data) in kept.items():
        identity = archive.identity(number, study=number % 1000)
        assert archive.fetch(vault, location, identity) == data
    assert not [item for item in vault.check(read_data=True) if isinstance(item, RingFinding)]
    vault.close()


def test_a_failed_sync_is_never_believed_afterwards(archive, faulty_disk):
    vault = archive.open(faulty_disk)
    first = archive.store(vault, b"first", archive.identity(1))
    vault.append([archive.seal(vault, b"lost", archive.identity(2))])
    fail_once = iter([True])

    def fault(name):
        if name == "sync" and next(fail_once, False):
            raise OSError(errno.EIO, "")

    faulty_disk.fault = fault
    with pytest.raises(LeadglassError) as caught:
        vault.sync()
    assert caught.value.code is ErrorCode.OUT_OF_RESOURCES
    assert vault.sync() == []
    second = archive.store(vault, b"second", archive.identity(2))
    assert second.segment != first.segment
    assert first.segment not in vault.segments()
    assert archive.fetch(vault, first, archive.identity(1)) == b"first"
    size = archive.path(first.segment).stat().st_size
    vault.close()
    assert archive.path(first.segment).stat().st_size == size  # given up: not even sealed
    vault = archive.open()
    vault.adopt(first.segment)
    assert archive.fetch(vault, first, archive.identity(1)) == b"first"
    vault.close()


def test_a_failed_write_takes_the_waiting_records_with_it(archive, faulty_disk):
    vault = archive.open(faulty_disk)
    archive.store(vault, b"durable", archive.identity(1))
    vault.append([archive.seal(vault, b"waits", archive.identity(2))])
    record = archive.seal(vault, b"fails", archive.identity(3))

    def fault(name):
        if name == "write":
            raise OSError(errno.ENOSPC, "")

    faulty_disk.fault = fault
    with pytest.raises(LeadglassError):
        vault.append([record])
    faulty_disk.fault = lambda name: None
    with pytest.raises(LeadglassError):
        vault.sync()  # the record that waited is on a segment that is not trusted any more
    vault.append([archive.seal(vault, b"after", archive.identity(4))])
    assert len(vault.sync()) == 1
    vault.close()


def test_no_room_for_another_segment_leaves_the_present_one_in_use(archive, faulty_disk):
    vault = archive.open(faulty_disk, segment_size=100_000)
    first = archive.store(vault, os.urandom(30_000), archive.identity(1))
    faulty_disk.fault = lambda name: (_ for _ in ()).throw(OSError(errno.ENOSPC, "")) if name == "create" else None
    with pytest.raises(LeadglassError):
        archive.store(vault, os.urandom(90_000), archive.identity(2))
    small = archive.store(vault, os.urandom(1000), archive.identity(3))
    assert small.segment == first.segment
    faulty_disk.fault = lambda name: None
    assert archive.store(vault, os.urandom(90_000), archive.identity(2)).segment != first.segment
    vault.close()


def test_short_writes_are_finished(archive, monkeypatch):
    real = os.pwritev
    monkeypatch.setattr(os, "pwritev", lambda fd, buffers, offset: real(fd, [bytes(buffers[0])[:7]], offset))
    vault = archive.open()
    data = os.urandom(200_000)
    location = archive.store(vault, data)
    monkeypatch.undo()
    assert archive.fetch(vault, location) == data
    vault.close()


def test_more_buffers_than_one_call_takes(archive):
    vault = archive.open(segment_size=8 * 2**20)
    sealed = [archive.seal(vault, bytes([number % 251]) * 500, archive.identity(number)) for number in range(1500)]
    locations = vault.append(sealed)
    vault.sync()
    for number in range(0, 1500, 149):
        assert archive.fetch(vault, locations[number], archive.identity(number)) == bytes([number % 251]) * 500
    vault.close()
