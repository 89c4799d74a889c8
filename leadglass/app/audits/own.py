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
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import uvloop

from leadglass.app.audits.elsewhere import Elsewhere, Listener, look_from_elsewhere
from leadglass.app.audits.stranger import Impostor, is_let_in, look_at, own_scope
from leadglass.app.config import Config
from leadglass.core.device import Device
from leadglass.exposure.audit import Result
from leadglass.exposure.changes import is_open
from leadglass.exposure.dialer import ScopedDialer
from leadglass.exposure.findings import Rung
from leadglass.exposure.scope import Scope
from leadglass.exposure.service import Service

_ANYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}  # noqa: S104 - as listeners are written
_UNASKED = "it was not asked for"

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
class OwnLook:
    """What a stranger got: on this machine, and from a network namespace where one could be made."""

    results: tuple[Result, ...]
    impostors: tuple[Impostor, ...]
    elsewhere: Elsewhere = field(default_factory=lambda: Elsewhere(why=_UNASKED))

    @property
    def clean(self) -> bool:
        """Whether nothing was open, nobody was let in, and every listener answered."""
        reached = all(result.assessment.rung >= Rung.PORT_OPEN for result in self.results)
        nobody = not any(impostor.let_in for impostor in self.impostors)
        shut = not any(is_open(result) for result in self.results)
        return bool(self.results) and reached and nobody and shut and self.elsewhere.clean


def services_of(config: Config) -> list[tuple[Service, bool]]:
    """The archive's listeners as a stranger reaches them from this machine, and whether each is DICOM."""
    dicom = [(Service(_reached(item.host), item.port), True) for item in config.listeners]
    web = [(Service(_reached(item.host), item.port), False) for item in config.web if not item.unix]
    return dicom + web


def look(config: Config, devices: Sequence[Device], *, elsewhere: bool = True) -> OwnLook:
    """Audit the listeners of a served archive; with `elsewhere` from a network namespace, too."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        results, impostors = runner.run(_look(config, devices))
    if not elsewhere:
        return OwnLook(results, impostors)
    dicom = [Listener(item.host, item.port, dicom=True) for item in config.listeners]
    web = [Listener(item.host, item.port, dicom=False) for item in config.web if not item.unix]
    return OwnLook(results, impostors, look_from_elsewhere([*dicom, *web], devices, config.ae_titles[0]))


def outside_scope(config: Config, path: Path) -> None:
    """Write the scope file for a look from outside."""
    today = dt.datetime.now(dt.UTC).date()
    ports = sorted({service.port for service, _ in services_of(config)} | {104, 443, 2762, 11112})
    text = OUTSIDE.format(
        name=path.name, begin=today, end=today + dt.timedelta(days=30), ports=", ".join(map(str, ports))
    )
    path.write_text(text, encoding="utf-8")


async def _look(config: Config, devices: Sequence[Device]) -> tuple[tuple[Result, ...], tuple[Impostor, ...]]:
    services = services_of(config)
    scope = own_scope(service for service, _ in services)
    secret = secrets.token_bytes(32)
    dialer = ScopedDialer(scope, now=time.time)
    results = [await look_at(service, scope, dialer, secret) for service, _ in services]
    impostors = [
        await _impostor(scope, service, device, title, config.ae_titles[0])
        for service, dicom in services
        if dicom
        for device in devices
        for title in device.ae_titles
    ]
    return tuple(results), tuple(impostors)


async def _impostor(scope: Scope, service: Service, device: Device, title: str, called: str) -> Impostor:
    source = _foreign(service.address, device)
    if not source:
        return Impostor(device.name, service, "", None)
    dialer = ScopedDialer(scope, now=time.time, source=source)
    return Impostor(device.name, service, source, await is_let_in(service, scope, dialer, called, title))


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


def _reached(host: str) -> str:
    return str(ipaddress.ip_address(_ANYWHERE.get(host, host)))
