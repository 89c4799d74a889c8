"""What the interop tests share: running a peer's program, and keeping one running as a server."""

from __future__ import annotations

import os
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import archives
import pytest

from leadglass.app.home import Home

SECONDS = 60  # after this long a peer hangs, and the test says so

Runner = Callable[..., "subprocess.CompletedProcess[str]"]
Starter = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def free_port() -> Callable[[], int]:
    """Ask for a TCP port that nobody on loopback uses at this moment."""

    def ask() -> int:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            return int(probe.getsockname()[1])

    return ask


@pytest.fixture
def run_peer(tmp_path: Path) -> Runner:
    """Run a peer's program to its end, with its output as text (stderr joined to stdout)."""

    def run(
        command: Sequence[str | Path], *, check: bool = True, env: dict[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        result = subprocess.run(
            [str(part) for part in command],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            timeout=SECONDS,
            cwd=tmp_path,
            env={**os.environ, **(env or {})},
            check=False,
        )
        assert not check or result.returncode == 0, f"{command[0]} ended {result.returncode}:\n{result.stdout}"
        return result

    return run


@pytest.fixture
def start_peer(tmp_path: Path) -> Iterator[Starter]:
    """Start a peer as a server and wait until it listens on `port`; it is ended with the test."""
    started: list[subprocess.Popen[str]] = []

    def start(command: Sequence[str | Path], port: int, env: dict[str, str] | None = None) -> subprocess.Popen[str]:
        with (tmp_path / f"peer-{len(started)}.log").open("w") as log:
            process = subprocess.Popen(
                [str(part) for part in command],
                stdout=log,
                stderr=subprocess.STDOUT,
                text=True,
                cwd=tmp_path,
                env={**os.environ, **(env or {})},
            )
        started.append(process)
        _wait_until_it_listens(process, port)
        return process

    yield start
    for process in started:
        process.terminate()
    for process in started:
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait_until_it_listens(process: subprocess.Popen[str], port: int) -> None:
    pause = threading.Event()
    for _ in range(SECONDS * 20):
        assert process.poll() is None, f"the peer ended with {process.returncode} instead of listening"
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        pause.wait(0.05)
    raise AssertionError("the peer did not listen in time")


TITLES = ("ECHOSCU", "STORESCU", "FINDSCU", "MOVESCU", "GETSCU", "GDCMSCU", "PYNETDICOM", "LGCLI", "QRSCP")


@dataclass(frozen=True)
class Served:
    """A served archive that knows every peer of these tests; `sinks` are the ports where its receivers would listen."""

    port: int
    sinks: Mapping[str, int]
    home: Home


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A served archive, one for each module."""
    sinks = {title: archives.free_port() for title in ("STORESCP", "PYSCP", "ORTHANC", "NOBODY")}
    receivers = [archives.sink(title.lower(), port) for title, port in sinks.items()]
    receivers = [replace(item, ae_titles=(item.name.upper(),)) for item in receivers]
    allowed = tuple(item.name for item in receivers)
    peers = replace(archives.device("peers"), ae_titles=TITLES, destinations=allowed)
    home = archives.make(tmp_path_factory.mktemp("served"), [peers, *receivers])
    with archives.served(home) as server:
        yield Served(server.port, sinks, home)
