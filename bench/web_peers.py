"""Archives with DICOMweb on loopback: Leadglass with a token, and Orthanc with its DICOMweb plugin."""

from __future__ import annotations

import contextlib
import json
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

from bench import peers
from leadglass.app.archive import Archive, open_archive
from leadglass.app.cli.opening import keys_of, operator
from leadglass.app.config import read_config
from leadglass.app.home import Home
from leadglass.app.making import Plan, make_archive
from leadglass.core.tokens import Scope
from leadglass.services.tokens import Wanted

PLUGIN = "/usr/share/orthanc/plugins/libOrthancDicomWeb.so"
RISKS = (("running-as-root", "measuring", ""), ("no-recovery-kit", "measuring", ""))
_TLS = '\n[[web]]\nhost = "127.0.0.1"\nport = {port}\ntls = true\n'


@dataclass
class Target:
    """A DICOMweb service below `base`; `tls_base` is the same over TLS, where there is one."""

    name: str
    base: str
    dicom_port: int
    ae_title: str
    pid: int
    token: str = ""
    tls_base: str = ""

    @property
    def pids(self) -> list[int]:
        """Its processes, those that have come since too."""
        return peers.family(self.pid)

    def headers(self, *more: str) -> list[str]:
        """Header lines of a request."""
        return [*more, *([f"Authorization: Bearer {self.token}"] if self.token else [])]


def _nothing(_archive: Archive) -> None:
    """An archive that stays empty."""


@contextlib.contextmanager
def leadglass(folder: Path, prepare: Callable[[Archive], None] = _nothing) -> Iterator[Target]:
    """Leadglass with a plain and a TLS listener on loopback and a token that may store and read.

    `prepare` is given the archive before it is served.
    """
    home, port, tls_port = Home(folder / "archive"), peers.free_port(), peers.free_port()
    ports = {"port": peers.free_port(), "web_port": port, "viewer_port": peers.free_port()}
    make_archive(home, Plan(folder / "key", overrides=RISKS, web_tls=False, **ports))
    with home.config.open("a") as more:
        more.write(_TLS.format(port=tls_port))
    config = read_config(home.config)
    with open_archive(home, config, keys_of(home, config)) as archive:
        token = archive.tokens.issue(operator(), Wanted("bench", frozenset({Scope.STORE, Scope.READ}))).text
        prepare(archive)
    command = [sys.executable, "-m", "leadglass.app", "serve", "--home", str(home.root)]
    with peers.started(command, port) as process:
        bases = (f"http://127.0.0.1:{port}/dicom-web", f"https://127.0.0.1:{tls_port}/dicom-web")
        yield Target("leadglass", bases[0], 0, "", process.pid, token, bases[1])


@contextlib.contextmanager
def orthanc(folder: Path) -> Iterator[Target]:
    """Orthanc as packaged, with its DICOMweb plugin. Neither encrypted nor signed in."""
    port, dicom_port = peers.free_port(), peers.free_port()
    settings = {
        "Name": "bench",
        "StorageDirectory": str(folder / "db"),
        "IndexDirectory": str(folder / "db"),
        "DicomPort": dicom_port,
        "DicomCheckCalledAet": False,
        "DicomAlwaysAllowStore": True,
        "HttpPort": port,
        "RemoteAccessAllowed": False,
        "Plugins": [PLUGIN],
    }
    config = folder / "orthanc.json"
    config.write_text(json.dumps(settings))
    environment = peers.dcmtk_environment(nodelay=True)
    with peers.started(["/usr/sbin/Orthanc", str(config)], port, env=environment) as process:
        yield Target("orthanc", f"http://127.0.0.1:{port}/dicom-web", dicom_port, "ORTHANC", process.pid)


SYSTEMS: dict[str, Callable[[Path], AbstractContextManager[Target]]] = {"leadglass": leadglass, "orthanc": orthanc}


def web_workers(target: Target) -> list[int]:
    """The processes of Leadglass that answer HTTP."""
    return [pid for pid in target.pids if b"leadglass.app.web_process" in Path(f"/proc/{pid}/cmdline").read_bytes()]


def cpu_of(target: Target) -> float:
    """Seconds of processor time that its processes have used."""
    fields = [Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split() for pid in target.pids]
    return sum(int(item[11]) + int(item[12]) for item in fields) / os.sysconf("SC_CLK_TCK")
