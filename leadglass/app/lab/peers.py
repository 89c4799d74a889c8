"""The foreign servers of the laboratory, as their makers ship them: those that are installed here, and their truth.

They are enclosed (see `enclosure`), since most of them listen on every address. Orthanc is there twice: open, as too
many stand in the world, and closed by its own settings.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib.util
import json
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from leadglass.app.lab.enclosure import Door, Enclosed, enclosed
from leadglass.app.lab.filling import fill
from leadglass.app.lab.holdings import Holdings, made_up
from leadglass.app.lab.places import DICOM, WEB
from leadglass.app.lab.truth import Place, Truth, says
from leadglass.app.namespaces import enclosing
from leadglass.exposure.findings import Rung

_SEARCHED = os.pathsep.join((os.environ.get("PATH", os.defpath), "/usr/sbin", "/usr/local/sbin", "/sbin"))
_FIRST_INNER = 20_000  # ports inside: any will do, there is nobody else


@dataclass(frozen=True, slots=True)
class Peer:
    """A foreign server. `words` makes its command from its program, its folder and its ports, one for each place.

    `brings` is the package with its program, `finds` the program here, "" if it is not installed; `title` is its AE
    title, by which it is given its holdings.
    """

    brings: str
    finds: Callable[[], str]
    words: Callable[[str, Path, Sequence[int]], tuple[str, ...]]
    places: tuple[Place, ...]
    title: str = ""
    holdings: Holdings | None = None

    @property
    def name(self) -> str:
        """That of its first place."""
        return self.places[0].name


@dataclass(frozen=True, slots=True)
class Absent:
    """A server that cannot be started here, and why."""

    name: str
    why: str


def peers() -> list[Peer]:
    """All of them, installed or not."""
    orthanc, qrscp = Holdings(made_up(60, seed=7, images=3)), Holdings(made_up(40, seed=8, images=3))
    taking = says("read-exposure", "write-exposure", "any-title", "workflow-exposure")
    return [
        Peer("orthanc", _program("Orthanc"), _open_orthanc, (
            Place("orthanc-open", "127.77.2.10", DICOM, "Orthanc, opened to everybody: DICOM",
                  _held(orthanc, taking, "DCMTK")),  # so it says itself
            Place("orthanc-open-web", "127.77.2.10", WEB, "Orthanc, opened to everybody: REST and Explorer",
                  _held(orthanc, says("read-exposure", "write-exposure", "viewer-open"), "Orthanc", exact=False)),
        ), "ORTHANC", orthanc),
        Peer("orthanc", _program("Orthanc"), _closed_orthanc, (
            Place("orthanc-closed", "127.77.2.11", DICOM, "Orthanc, closed: DICOM", Truth(Rung.PDU_ANSWERED)),
            Place("orthanc-closed-web", "127.77.2.11", WEB, "Orthanc, closed: asks for a password",
                  Truth(Rung.PORT_OPEN, product="Orthanc")),
        )),
        Peer("dcmtk", _program("dcmqrscp"), _dcmqrscp, (
            Place("dcmqrscp", "127.77.2.12", DICOM, "DCMTK's archive, for ANY who knows its title",
                  Truth(Rung.PDU_ANSWERED)),
        )),
        Peer("dcmtk", _program("storescp"), _storescp, (
            Place("storescp", "127.77.2.13", DICOM, "DCMTK's receiver",
                  Truth(Rung.ECHO_ANSWERED, says("write-exposure", "any-title"), product="DCMTK")),
        )),
        Peer("pynetdicom and sqlalchemy", _qrscp_is_here, _qrscp, (
            Place("qrscp", "127.77.2.14", DICOM, "pynetdicom's archive",
                  _held(qrscp, taking | says("worklist-exposure"), "pynetdicom", exact=False)),  # counts no images
        ), "QRSCP", qrscp),
    ]  # fmt: skip


def chosen_peers(closed: frozenset[str]) -> tuple[list[Peer], list[Absent]]:
    """Those that can be started here without those that are closed, and those that cannot."""
    wanted = [peer for peer in peers() if peer.name not in closed]
    if not enclosing():
        why = "this system lets nobody make a network namespace, and it would listen on every address"
        return [], [Absent(peer.name, why) for peer in wanted]
    missing = [Absent(peer.name, f"{peer.brings}: not installed") for peer in wanted if not peer.finds()]
    return [peer for peer in wanted if peer.finds()], missing


@contextlib.contextmanager
def served(chosen: Sequence[Peer]) -> Iterator[list[Place]]:
    """These, filled, until the end of this; what they hold is removed then. Raises LeadglassError."""
    if not chosen:
        yield []
        return
    with tempfile.TemporaryDirectory(prefix="leadglass-lab-", ignore_cleanup_errors=True) as folder:
        inner = iter(range(_FIRST_INNER, 65536))
        servers = [_server(peer, Path(folder) / peer.name, inner) for peer in chosen]
        with enclosed(servers):
            asyncio.run(_fill(chosen))
            yield [place for peer in chosen for place in peer.places]


def _server(peer: Peer, folder: Path, inner: Iterator[int]) -> Enclosed:
    folder.mkdir(mode=0o700)
    doors = tuple(Door(place.address, place.port, next(inner)) for place in peer.places)
    words = peer.words(peer.finds(), folder, [door.inner for door in doors])
    return Enclosed(peer.name, words, folder, doors)


async def _fill(chosen: Sequence[Peer]) -> None:
    for peer in chosen:
        if peer.holdings is not None:
            place = peer.places[0]
            await fill(place.address, place.port, peer.title, peer.holdings)


def _held(holdings: Holdings, findings: frozenset[str], product: str, *, exact: bool = True) -> Truth:
    return Truth(Rung.COUNTED, findings, len(holdings.studies), holdings.images, exact, product)


def _program(name: str) -> Callable[[], str]:
    return lambda: shutil.which(name, path=_SEARCHED) or ""


def _qrscp_is_here() -> str:
    found = all(importlib.util.find_spec(name) for name in ("pynetdicom", "sqlalchemy"))
    return sys.executable if found else ""


def _open_orthanc(program: str, folder: Path, ports: Sequence[int]) -> tuple[str, ...]:
    settings = {
        "DicomAlwaysAllowFind": True,
        "DicomAlwaysAllowGet": True,
        "RemoteAccessAllowed": True,
        "AuthenticationEnabled": False,
    }
    return _orthanc(program, folder, ports, settings)


def _closed_orthanc(program: str, folder: Path, ports: Sequence[int]) -> tuple[str, ...]:
    settings = {
        "DicomAet": "INVENTED2",
        "DicomCheckCalledAet": True,
        "DicomAlwaysAllowEcho": False,
        "DicomAlwaysAllowStore": False,
        "RemoteAccessAllowed": True,
        "AuthenticationEnabled": True,
        "RegisteredUsers": {"nobody": os.urandom(16).hex()},  # known to nobody
    }
    return _orthanc(program, folder, ports, settings)


def _orthanc(program: str, folder: Path, ports: Sequence[int], settings: Mapping[str, object]) -> tuple[str, ...]:
    usual: dict[str, object] = {
        "StorageDirectory": str(folder),
        "IndexDirectory": str(folder),
        "Plugins": [],
        "DicomPort": ports[0],
        "HttpPort": ports[1],
    }
    file = folder / "orthanc.json"
    file.touch(mode=0o600)
    file.write_text(json.dumps({**usual, **settings}))
    return (program, str(file))


def _dcmqrscp(program: str, folder: Path, ports: Sequence[int]) -> tuple[str, ...]:
    area, file = folder / "area", folder / "dcmqrscp.cfg"
    area.mkdir()
    file.write_text(
        f"NetworkTCPPort = {ports[0]}\nMaxPDUSize = 16384\nMaxAssociations = 16\nHostTable BEGIN\nHostTable END\n"
        f"VendorTable BEGIN\nVendorTable END\nAETable BEGIN\nCOMMON {area} RW (200, 1024mb) ANY\nAETable END\n"
    )
    return (program, "-c", str(file))


def _storescp(program: str, folder: Path, ports: Sequence[int]) -> tuple[str, ...]:
    return (program, "-od", str(folder), str(ports[0]))


def _qrscp(program: str, folder: Path, ports: Sequence[int]) -> tuple[str, ...]:
    words = ("-m", "pynetdicom", "qrscp", "--port", str(ports[0]))
    where = ("--database-location", str(folder / "index.sqlite"), "--instance-location", str(folder / "instances"))
    return (program, *words, *where)
