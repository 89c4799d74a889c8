"""Looks at the archive's listeners from another machine, as near as one comes to it without having one.

A network namespace has an address, a neighbour's, that no device is enrolled with, and a line to this machine (a veth
pair). What listens on loopback only must not be reached from there; what listens for others is met as others meet it.
Making it needs the right to configure this machine's network; it goes with the process that looks.
"""

from __future__ import annotations

import ipaddress
import json
import secrets
import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

from leadglass.app.audits.elsewhere_inside import HERE, STRANGER
from leadglass.app.audits.stranger import Impostor
from leadglass.core.device import Device
from leadglass.exposure.audit import Result
from leadglass.exposure.changes import is_open
from leadglass.exposure.facts import from_plain
from leadglass.exposure.findings import Rung
from leadglass.exposure.rules.judge import judge
from leadglass.exposure.service import Service

_Network: TypeAlias = ipaddress.IPv4Network | ipaddress.IPv6Network

_PRIVATE = tuple(map(ipaddress.IPv4Network, ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16")))  # RFC 1918
_ROUTES = Path("/proc/net/route")
_TRIES = 64  # networks by chance in each of the private ones
_PATIENCE = 20  # seconds for a command
_LONG = 600  # seconds for all that the stranger does


class _Impossible(Exception):  # noqa: N818 - not an error: there is the look from loopback
    """No namespace can be made here; the text says why."""


@dataclass(frozen=True, slots=True)
class Listener:
    """Where the archive listens, as configured: an address (unspecified for all), a port, and whether it is DICOM."""

    host: str
    port: int
    dicom: bool


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """What was got from there. `source` is the address that was called from, "" if it could not be; `why` says why not.

    `misplaced` are listeners for loopback alone that were reached all the same.
    """

    source: str = ""
    why: str = ""
    results: tuple[Result, ...] = ()
    impostors: tuple[Impostor, ...] = ()
    misplaced: tuple[Service, ...] = ()

    @property
    def clean(self) -> bool:
        """Whether nothing was got."""
        let_in = any(impostor.let_in for impostor in self.impostors)
        return not (self.misplaced or let_in or any(is_open(result) for result in self.results))


def look_from_elsewhere(listeners: Sequence[Listener], devices: Sequence[Device], called: str) -> Elsewhere:
    """Make the namespace, look from it, and leave nothing of it."""
    try:
        network = _free_network(devices)
        here, there = (str(address) for address in network.hosts())
        services = _services(listeners, here)
        task = {
            "address": f"{there}/{network.prefixlen}",
            "gateway": here,
            "called": called,
            "services": [
                {"address": service.address, "port": service.port, "dicom": listener.dicom}
                for service, listener in services.items()
            ],
            "titles": [{"device": device.name, "title": title} for device in devices for title in device.ae_titles],
        }
        told = _told(task, f"{here}/{network.prefixlen}")
    except _Impossible as reason:
        return Elsewhere(why=str(reason))
    return _understood(told, there, services)


def _services(listeners: Iterable[Listener], here: str) -> dict[Service, Listener]:
    """How each is reached from there: by its own address, or else by this machine's on the line between."""
    found = {}
    for listener in listeners:
        address = ipaddress.ip_address(listener.host or "0.0.0.0")  # noqa: S104 - as listeners are written
        if address.is_unspecified or address.is_loopback:
            found[Service(here, listener.port)] = listener
        elif address.version == 4:
            found[Service(str(address), listener.port)] = listener
    return found


def _understood(told: Mapping[str, Any], source: str, services: Mapping[Service, Listener]) -> Elsewhere:
    seen = [from_plain(plain) for plain in told["observations"]]
    results = tuple(Result(observation, judge(observation)) for observation in seen)
    impostors = tuple(
        Impostor(item["device"], Service(item["address"], item["port"]), source, item["let_in"])
        for item in told["impostors"]
    )
    reached = [result.observation.service for result in results if result.assessment.rung >= Rung.PORT_OPEN]
    misplaced = tuple(service for service in reached if _for_loopback(services[service]))
    return Elsewhere(source, "", results, impostors, misplaced)


def _for_loopback(listener: Listener) -> bool:
    return bool(listener.host) and ipaddress.ip_address(listener.host).is_loopback


def _told(task: Mapping[str, Any], here: str) -> Any:
    ip, unshare = shutil.which("ip"), shutil.which("unshare")
    if ip is None or unshare is None:
        raise _Impossible("ip (iproute2) or unshare (util-linux) is not installed")
    words = [unshare, "--net", sys.executable, "-m", "leadglass.app.audits.elsewhere_inside"]
    pipe = subprocess.PIPE
    with subprocess.Popen(words, stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL, text=True) as inside:  # noqa: S603
        assert inside.stdin is not None
        assert inside.stdout is not None
        try:
            if inside.stdout.readline().strip() != HERE:
                raise _Impossible("this user may not make a network namespace")
            _join(ip, inside.pid, here)
            out, _ = inside.communicate(json.dumps(task), timeout=_LONG)
        except subprocess.TimeoutExpired:
            raise _Impossible("the look from a network namespace took too long") from None
        finally:
            inside.kill()  # and the line between goes with its namespace
    if inside.returncode:
        raise _Impossible("the look from a network namespace failed")
    return json.loads(out)


def _join(ip: str, process: int, here: str) -> None:
    """A line between this machine's network and that of a process, up on our end."""
    name = "lg" + secrets.token_hex(4)
    for words in (
        ("link", "add", name, "type", "veth", "peer", "name", STRANGER, "netns", str(process)),
        ("address", "add", here, "dev", name),
        ("link", "set", name, "up"),
    ):
        done = subprocess.run([ip, *words], capture_output=True, timeout=_PATIENCE, check=False)  # noqa: S603 - ours
        if done.returncode:
            raise _Impossible("this user may not configure this machine's network")


def _free_network(devices: Sequence[Device]) -> ipaddress.IPv4Network:
    """Two private addresses that this machine has no route to and no device is enrolled with."""
    taken: list[_Network] = [*_routed(_ROUTES)]
    taken += [ipaddress.ip_network(text, strict=False) for device in devices for text in device.networks]
    for private in _PRIVATE:
        for _ in range(_TRIES):
            base = int(private.network_address) + secrets.randbelow(private.num_addresses) // 4 * 4
            network = ipaddress.IPv4Network((base, 30))
            if not any(network.overlaps(other) for other in taken if other.version == 4):
                return network
    raise _Impossible("every private address is routed here or enrolled")


def _routed(table: Path) -> Iterator[ipaddress.IPv4Network]:
    """The networks that there is a route to, the default apart (proc(5): little-endian hexadecimal)."""
    try:
        rows = table.read_text("ascii").splitlines()[1:]
    except OSError:
        return
    for row in rows:
        words = row.split()
        mask = _number(words[7])
        if mask:
            yield ipaddress.IPv4Network((_number(words[1]) & mask, mask.bit_count()))


def _number(text: str) -> int:
    return int.from_bytes(bytes.fromhex(text), "little")
