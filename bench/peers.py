"""The systems that are measured, each started fresh on loopback with an empty store, and ended afterwards by its id."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

HERE = Path(__file__).parent


@dataclass
class Running:
    """A system that accepts associations."""

    name: str
    port: int
    ae_title: str
    pids: list[int]
    folder: Path
    details: dict[str, str] = field(default_factory=dict)


def resident(pids: Iterable[int]) -> int:
    """The largest resident memory of some processes, in bytes."""
    return max((_resident(pid) for pid in pids), default=0)


def _resident(pid: int) -> int:
    try:
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) * 1024
    except OSError:
        pass
    return 0


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for_port(port: int, process: subprocess.Popen[bytes], seconds: float = 30.0) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise RuntimeError(f"it ended with {process.returncode} before it listened")
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1.0):
            return
        time.sleep(0.05)
    raise RuntimeError("it did not listen in time")


@contextlib.contextmanager
def started(command: list[str], port: int, **options: object) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **options)  # type: ignore[call-overload]
    try:
        wait_for_port(port, process)
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@contextlib.contextmanager
def scratch_folder() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="leadglass-bench-"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def dcmtk_environment(nodelay: bool) -> dict[str, str]:
    """DCMTK reads TCP_NODELAY from the environment, in senders and in receivers (storescp and Orthanc too)."""
    environment = {key: value for key, value in os.environ.items() if key != "TCP_NODELAY"}
    return {**environment, "TCP_NODELAY": "1"} if nodelay else environment


@contextlib.contextmanager
def orthanc(nodelay: bool = True) -> Iterator[Running]:
    """Orthanc as packaged: SQLite, files on disk, syncs as its defaults say."""
    program = shutil.which("Orthanc") or "/usr/sbin/Orthanc"
    with scratch_folder() as folder:
        port, http = free_port(), free_port()
        settings = {
            "Name": "bench",
            "StorageDirectory": str(folder / "db"),
            "IndexDirectory": str(folder / "db"),
            "DicomPort": port,
            "HttpPort": http,
            "RemoteAccessAllowed": False,
            "DicomAet": "ORTHANC",
            "DicomAlwaysAllowFind": True,
            "DicomAlwaysAllowGet": True,
            "DicomAlwaysAllowMove": True,
            "DicomModalities": {"sink": ["SINK", "127.0.0.1", int(os.environ.get("BENCH_SINK_PORT", "11199"))]},
        }
        config = folder / "orthanc.json"
        config.write_text(json.dumps(settings))
        with started([program, str(config)], port, env=dcmtk_environment(nodelay)) as process:
            yield Running("orthanc", port, "ORTHANC", [process.pid], folder, {"http": str(http)})


@contextlib.contextmanager
def storescp(nodelay: bool = True) -> Iterator[Running]:
    """DCMTK storescp: writes files, keeps no index, does not sync."""
    with scratch_folder() as folder:
        (folder / "out").mkdir()
        port = free_port()
        command = ["storescp", "--fork", "-od", str(folder / "out"), str(port)]
        with started(command, port, env=dcmtk_environment(nodelay)) as process:
            yield Running("storescp", port, "STORESCP", [process.pid], folder)


@contextlib.contextmanager
def python_peer(script: str, nodelay: bool = True) -> Iterator[Running]:
    """A Python peer of this folder: `pynetdicom_scp` (files, no sync) or `bare_reader` (nothing kept)."""
    with scratch_folder() as folder:
        port = free_port()
        command = [sys.executable, str(HERE / f"{script}.py"), str(port), str(folder)]
        with started(command, port) as process:
            yield Running(script, port, "PEER", [process.pid], folder)


@contextlib.contextmanager
def leadglass(nodelay: bool = True) -> Iterator[Running]:
    """Leadglass with the whole promise: encrypted, catalogued, synced, journalled; one plain device on loopback."""
    with scratch_folder() as folder:
        port = free_port()
        command = [sys.executable, "-m", "bench.archive", str(folder), str(port)]
        with started(command, port, cwd=HERE.parent) as process:
            yield Running("leadglass", port, "LEADGLASS", family(process.pid), folder)


def family(pid: int) -> list[int]:
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [pid, *(grandchild for child in children for grandchild in family(int(child)))]
