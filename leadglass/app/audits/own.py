"""Audits this archive's own listeners as a stranger would: it has to get nowhere.

From this machine with titles that nobody knows, and with each enrolled title from an address that is not its own. What
a router forwards from outside cannot be seen from here; the scope file for a look from outside is written instead.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import ipaddress
import secrets
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import uvloop

from leadglass.app.config import Config
from leadglass.core.device import Device
from leadglass.exposure.asking import line
from leadglass.exposure.audit import Result
from leadglass.exposure.changes import is_open
from leadglass.exposure.dialer import ScopedDialer
from leadglass.exposure.facts import Answer, Fact, Observation
from leadglass.exposure.findings import Rung
from leadglass.exposure.observing import observe
from leadglass.exposure.proposal import LITTLE
from leadglass.exposure.registry import PROBES
from leadglass.exposure.rules.judge import judge
from leadglass.exposure.scope import Pace, Scope
from leadglass.exposure.service import Service
from leadglass.exposure.site import Site
from leadglass.exposure.streams import Unreachable
from leadglass.exposure.upper_layer import Talk, associate, request

_PACE = Pace(per_host=1000, total=1000, concurrent=16, connect_timeout=5, probe_timeout=10)
_ANYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}  # noqa: S104 - as listeners are written

OUTSIDE = """# A look at this archive from outside. Run it on a machine that is not in your network:
#   leadglass scan sign {name}, then leadglass scan run {name}
[permission]
title = "This archive, from outside"
authorised_by = "who answers for this archive"
contact = "who answers for this archive"
from = {begin}
until = {end}

[targets]
networks = ["203.0.113.1"]       # put your outer address here: what the internet sees you as
ports = [{ports}]
"""


@dataclass(frozen=True, slots=True)
class Impostor:
    """An enrolled title called from an address that is not its own. `let_in` None: it could not be tried."""

    device: str
    service: Service
    source: str
    let_in: bool | None


@dataclass(frozen=True, slots=True)
class OwnLook:
    """What a stranger got."""

    results: tuple[Result, ...]
    impostors: tuple[Impostor, ...]

    @property
    def clean(self) -> bool:
        """Whether nothing was open, nobody was let in, and every listener answered."""
        reached = all(result.assessment.rung >= Rung.PORT_OPEN for result in self.results)
        nobody = not any(impostor.let_in for impostor in self.impostors)
        return bool(self.results) and reached and nobody and not any(is_open(result) for result in self.results)


def services_of(config: Config) -> list[tuple[Service, bool]]:
    """The archive's listeners as a stranger reaches them from this machine, and whether each is DICOM."""
    dicom = [(Service(_reached(item.host), item.port), True) for item in config.listeners]
    web = [(Service(_reached(item.host), item.port), False) for item in config.web if not item.unix]
    return dicom + web


def look(config: Config, devices: Sequence[Device]) -> OwnLook:
    """Audit the listeners; the archive has to be serving."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(_look(config, devices))


def outside_scope(config: Config, path: Path) -> None:
    """Write the scope file for a look from outside."""
    today = dt.datetime.now(dt.UTC).date()
    ports = sorted({service.port for service, _ in services_of(config)} | {104, 443, 2762, 11112})
    text = OUTSIDE.format(
        name=path.name, begin=today, end=today + dt.timedelta(days=30), ports=", ".join(map(str, ports))
    )
    path.write_text(text, encoding="utf-8")


async def _look(config: Config, devices: Sequence[Device]) -> OwnLook:
    services = services_of(config)
    scope = _scope(service for service, _ in services)
    secret = secrets.token_bytes(32)
    dialer = ScopedDialer(scope, now=time.time)
    results = []
    for service, _ in services:
        seen = await _seen(service, scope, dialer, secret)
        results.append(Result(seen, judge(seen)))
    impostors = [
        await _impostor(scope, service, device, title, config.ae_titles[0])
        for service, dicom in services
        if dicom
        for device in devices
        for title in device.ae_titles
    ]
    return OwnLook(tuple(results), tuple(impostors))


async def _seen(service: Service, scope: Scope, dialer: ScopedDialer, secret: bytes) -> Observation:
    try:
        await dialer.knock(service)
    except Unreachable:
        now = time.time()
        return Observation(service, now, now, (Fact("T01", Answer.NO, "The listener does not answer."),))
    return await observe(service, scope, dialer, probes=PROBES, now=time.time, secret=secret)


async def _impostor(scope: Scope, service: Service, device: Device, title: str, called: str) -> Impostor:
    source = _foreign(service.address, device)
    if not source:
        return Impostor(device.name, service, "", None)
    dialer = ScopedDialer(scope, now=time.time, source=source)
    site = Site(service, scope, dialer, time.time)
    for tls in (False, True):
        try:
            async with line(site, site.deadline(), tls=tls) as stream:
                answer = await associate(stream, request(called, title, LITTLE))
                if isinstance(answer, Talk):
                    await answer.abort()
                    return Impostor(device.name, service, source, let_in=True)
        except Unreachable:
            continue
    return Impostor(device.name, service, source, let_in=False)


def _foreign(address: str, device: Device) -> str:
    """A loopback address that is not this device's, to call from; "" where the listener is not on loopback."""
    if not ipaddress.ip_address(address).is_loopback or ":" in address:
        return ""
    networks = [ipaddress.ip_network(text, strict=False) for text in device.networks]
    for number in range(99, 109):
        source = ipaddress.ip_address(f"127.0.113.{number}")
        if not any(source in network for network in networks):
            return str(source)
    return ""


def _scope(services: Iterable[Service]) -> Scope:
    """This machine's own listeners and nothing else."""
    listed = list(services)
    now = time.time()
    networks = tuple(ipaddress.ip_network(address) for address in sorted({service.address for service in listed}))
    ports = tuple(sorted({service.port for service in listed}))
    return Scope("the archive itself", "", now - 1, now + 3600, networks, ports=ports, pace=_PACE)


def _reached(host: str) -> str:
    return str(ipaddress.ip_address(_ANYWHERE.get(host, host)))
