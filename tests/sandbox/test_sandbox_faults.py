"""A decoder that hangs, crashes, lies or grows fails its own job only (D1, D6); the next works."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from leadglass.core.errors import ErrorCode, LeadglassError
from leadglass.core.ports import PixelDescription
from leadglass.sandbox.pool import SandboxPool
from leadglass.sandbox.process import Launch

GRAY = PixelDescription("1.2.840.10008.1.2.5", 2, 2, 1, 8, 8, 0, "MONOCHROME2", 0, 1)

FAULTY = """
import ctypes, os
from leadglass.sandbox import protocol, worker

def decode(description, frame):
    if frame == b"hang":
        while True:
            pass
    if frame == b"crash":
        ctypes.string_at(0)
    if frame == b"exit":
        os._exit(0)
    if frame == b"grow":
        return bytes(16 << 30), "MONOCHROME2"
    if frame == b"raise":
        raise ValueError
    if frame == b"long":
        return bytes(5), "MONOCHROME2"
    if frame == b"short":
        return bytes(3), "MONOCHROME2"
    if frame == b"word":
        return bytes(4), "MONOCHROME3"
    if frame == b"huge":
        os.write(1, protocol.message(protocol.PIXELS, 1 << 62))
    if frame == b"noise":
        os.write(1, b"\\xff" * 4096)
    return bytes(4), "MONOCHROME2"

def main():
    worker.main(decode=decode)
"""


@pytest.fixture(scope="module")
def pool(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SandboxPool]:
    folder = tmp_path_factory.mktemp("faulty")
    (folder / "faulty.py").write_text(FAULTY)
    pool = SandboxPool(2, frame_seconds=1.0, wait_seconds=0.2, launch=Launch("faulty", (str(folder),)))
    yield pool
    pool.close()


FAULTS = ("hang", "crash", "exit", "grow", "raise", "long", "short", "word", "huge", "noise")


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_fails_its_job_and_the_next_works(pool: SandboxPool, fault: str) -> None:
    frames = pool.decode(GRAY, [b"good", fault.encode(), b"good"])
    assert next(frames).pixels == bytes(4)
    with pytest.raises(LeadglassError) as caught:
        next(frames)
    assert caught.value.code is ErrorCode.CANNOT_CONVERT
    assert [frame.pixels for frame in pool.decode(GRAY, [b"good", b"good"])] == [bytes(4)] * 2


def test_a_job_that_failed_decodes_nothing_more(pool: SandboxPool) -> None:
    with pool.job() as job:
        with pytest.raises(LeadglassError):
            list(job.decode(GRAY, [b"raise"]))
        with pytest.raises(LeadglassError):
            list(job.decode(GRAY, [b"good"]))


def test_a_job_serves_several_objects(pool: SandboxPool) -> None:
    with pool.job() as job:
        assert [len(list(job.decode(GRAY, [b"good"] * n))) for n in (1, 3)] == [1, 3]


def test_a_job_beside_a_hanging_one_is_not_disturbed(pool: SandboxPool) -> None:
    failed = threading.Event()

    def hang() -> None:
        try:
            list(pool.decode(GRAY, [b"hang"]))
        except LeadglassError:
            failed.set()

    thread = threading.Thread(target=hang)
    thread.start()
    assert len(list(pool.decode(GRAY, [b"good"] * 20))) == 20
    thread.join(30)
    assert failed.is_set()


def test_a_full_pool_says_so_and_recovers(pool: SandboxPool) -> None:
    with pool.job(), pool.job():
        with pytest.raises(LeadglassError) as caught:
            list(pool.decode(GRAY, [b"good"]))
        assert caught.value.code is ErrorCode.CANNOT_CONVERT
    assert len(list(pool.decode(GRAY, [b"good"]))) == 1


def test_a_spare_that_died_is_replaced(pool: SandboxPool) -> None:
    os.kill(pool._spares[0].pid, signal.SIGKILL)
    assert len(list(pool.decode(GRAY, [b"good"]))) == 1


def test_an_abandoned_job_ends_its_worker_and_frees_its_place(pool: SandboxPool) -> None:
    for _ in range(3):
        frames = pool.decode(GRAY, [b"good"] * 3)
        next(frames)
        frames.close()
    assert len(list(pool.decode(GRAY, [b"good"]))) == 1


def test_a_worker_that_cannot_start_is_an_error(tmp_path: Path) -> None:
    pool = SandboxPool(1, spares=0, launch=Launch("no_such_module_here", (str(tmp_path),)))
    with pytest.raises(LeadglassError) as caught:
        list(pool.decode(GRAY, [b"good"]))
    assert caught.value.code is ErrorCode.CANNOT_CONVERT


def test_close_ends_the_spares(tmp_path: Path) -> None:
    pool = SandboxPool(1, spares=2)
    pids = [worker.pid for worker in pool._spares]
    pool.close()
    assert len(pids) == 2
    assert not any(Path(f"/proc/{pid}").exists() for pid in pids)
