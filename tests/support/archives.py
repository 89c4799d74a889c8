"""Archives for tests: made new in a folder, opened in this process, or served by the real supervisor on loopback."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from leadglass.app.archive import Archive, open_archive
from leadglass.app.cli.opening import keys_of, operator
from leadglass.app.config import read_config
from leadglass.app.home import Home
from leadglass.app.making import Plan, make_archive
from leadglass.core.device import Device, Endpoint
from leadglass.core.principal import Right

ALL = frozenset({Right.ECHO, Right.STORE, Right.FIND, Right.RETRIEVE, Right.RECEIVE})
TITLE = "LEADGLASS"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def device(name: str, title: str = "", **changes: object) -> Device:
    """A plain device on 127.0.0.1 that may do everything (find and retrieve need the override, see `make`)."""
    fields: dict[str, object] = {"rights": ALL, "plain": True, **changes}
    return Device(name, (title or name.upper(),), ("127.0.0.1/32",), **fields)  # type: ignore[arg-type]


def sink(name: str, port: int) -> Device:
    """A device that listens on loopback and may receive."""
    return device(name, listens=Endpoint("127.0.0.1", port, name.upper(), tls=False))


def make(
    folder: Path,
    devices: Sequence[Device],
    port: int = 0,
    *,
    tls: bool = False,
    web_port: int = 0,
    web_tls: bool = False,
) -> Home:
    """A new archive below `folder` with `devices` enrolled, and the overrides that a test machine needs. With `tls` it
    has a second listener, for TLS; with `web_port` one for DICOMweb."""
    home = Home(folder / "archive")
    risks = [("running-as-root", "test", ""), ("no-recovery-kit", "test", "")]
    risks += [("plain-retrieve", "test", item.name) for item in devices]
    ports = {"port": port or free_port(), "tls_port": free_port() if tls else 0}
    web = {"web_port": web_port, "web_tls": web_tls}
    make_archive(home, Plan(folder / "key" / "master.key", overrides=tuple(risks), **ports, **web))
    with opened(home) as archive:
        for item in devices:
            archive.devices.enrol(operator(), item)
    return home


@contextlib.contextmanager
def opened(home: Home) -> Iterator[Archive]:
    """The archive, open in this process."""
    config = read_config(home.config)
    with open_archive(home, config, keys_of(home, config)) as archive:
        yield archive


@dataclass
class Server:
    """A running archive: `leadglass serve` in a process of its own."""

    home: Home
    port: int
    tls_port: int
    process: subprocess.Popen[str]

    def kill_worker(self) -> None:
        """kill -9 of supervisor and DICOM process, as a power cut would."""
        os.killpg(self.process.pid, signal.SIGKILL)
        for child in self._workers():
            with contextlib.suppress(ProcessLookupError):
                os.kill(child, signal.SIGKILL)
        self.process.wait()

    def _workers(self) -> list[int]:
        live = self.home.live
        with contextlib.suppress(OSError, ValueError, KeyError):
            return [int(json.loads(live.read_text())["pid"])]
        return []


@contextlib.contextmanager
def served(home: Home) -> Iterator[Server]:
    """Serve the archive until the end of the block; it is ready when this yields."""
    listeners = read_config(home.config).listeners
    port = listeners[0].port
    tls_port = next((item.port for item in listeners if item.tls), 0)
    log = (home.root.parent / "serve.log").open("a+")
    process = subprocess.Popen(
        [sys.executable, "-m", "leadglass.app", "serve", "--home", str(home.root)],
        stdout=subprocess.PIPE,
        stderr=log,
        text=True,
        start_new_session=True,
    )
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        if "Listening" not in line:
            log.seek(0)
            raise AssertionError(f"the archive did not start: {line} {log.read()[-2000:]}")
        yield Server(home, port, tls_port, process)
    finally:
        process.terminate()
        try:
            process.wait(60)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        log.close()
