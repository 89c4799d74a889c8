"""core.standing.ArchiveWatch: from the configuration, what the processes say of themselves, and the host."""

from __future__ import annotations

import datetime as dt
import ipaddress
import shutil
from collections.abc import Iterator, Mapping
from typing import Any

from leadglass.app.certificates import utc_now
from leadglass.app.config import Config
from leadglass.app.facts import own_addresses
from leadglass.app.home import Home
from leadglass.app.live import read_web
from leadglass.app.standing import Standing, look
from leadglass.core.ports import State
from leadglass.core.standing import (
    ArchiveStanding,
    CertificateStanding,
    ListenerStanding,
    OverrideStanding,
    ProcessStanding,
    Reached,
    RiskStanding,
    Room,
)

_COUNTS = ("associations", "connections", "refused", "failed")


class Watch:
    """Looks at the archive at `home`."""

    def __init__(self, home: Home, config: Config, state: State, ca_key: bytes) -> None:
        self._home = home
        self._config = config
        self._state = state
        self._ca_key = ca_key

    def look(self) -> ArchiveStanding:
        """How it stands now (core.standing)."""
        seen = look(self._home, self._config, self._state, self._ca_key)
        today = utc_now().date()
        usage = shutil.disk_usage(self._home.vault)
        return ArchiveStanding(
            running=seen.running,
            listeners=tuple(self._listeners(seen)),
            risks=tuple(RiskStanding(risk.name, risk.sentence, risk.mend) for risk in seen.unsafe),
            overrides=tuple(
                OverrideStanding(item.risk, item.device, item.reason, str(item.until), (item.until - today).days)
                for item in seen.overrides
            ),
            certificates=tuple(
                CertificateStanding(item.kind, item.name, f"{item.until:%Y-%m-%d}", item.expired)
                for item in seen.endings
            ),
            processes=tuple(self._processes(seen)),
            room=Room(usage.total, usage.free),
            ae_titles=self._config.ae_titles,
            scan=seen.scan,
        )

    def _listeners(self, seen: Standing) -> Iterator[ListenerStanding]:
        own = [address for _, address in own_addresses()]
        asked = {(item.host, item.port): item.client_certificates for item in self._config.listeners if item.tls}
        for row in seen.listeners:
            place = (row["host"], row["port"])
            yield _listener(
                f"{row['host']}:{row['port']}", "dicom", row, _addresses(row["host"], own), asked.get(place, "")
            )
        by_label = {item.label: item for item in self._config.web}
        for row in seen.web:
            item = by_label[row["listener"]]
            yield _listener(
                item.label, item.serves, row, _addresses(item.host, own), "require" if item.client_ca else ""
            )
        metrics = self._config.metrics
        if metrics is not None:
            tls = bool(metrics.certificate)
            row = {"tls": tls, "open": seen.running, "closed": "", "renewal": ""}
            yield _listener(f"{metrics.host}:{metrics.port}", "metrics", row, _addresses(metrics.host, own))

    def _processes(self, seen: Standing) -> Iterator[ProcessStanding]:
        if seen.live is not None:
            yield _process("DICOM", seen.live, {name: int(seen.live[name]) for name in _COUNTS})
        for number, facts in read_web(self._home).items() if seen.running else ():
            answers = facts["traffic"]["answers"]
            counts = {
                "requests": sum(int(row[-1]) for row in answers),
                "failed_requests": sum(int(row[-1]) for row in answers if int(row[2]) >= 500),
                "open_requests": int(facts["traffic"]["open"]),
                "sent": int(facts["traffic"]["bytes"]),
            }
            yield _process(f"web {number}", facts, counts)


def _listener(
    name: str, serves: str, row: Mapping[str, Any], reachable: tuple[str, ...], asks: str = ""
) -> ListenerStanding:
    return ListenerStanding(
        name=name,
        serves=serves,
        tls=bool(row["tls"]),
        open=bool(row["open"]),
        reached=_reached(reachable),
        addresses=reachable,
        asks=asks,
        until=str(row.get("certificate_until", ""))[:10],
        closed=str(row["closed"]),
        renewal=str(row["renewal"]),
    )


def _process(name: str, facts: Mapping[str, Any], counts: Mapping[str, int]) -> ProcessStanding:
    started = facts.get("started")
    return ProcessStanding(
        name=name,
        pid=int(facts["pid"]),
        version=str(facts.get("version", "")),
        started=f"{dt.datetime.fromtimestamp(float(started), dt.UTC):%Y-%m-%d %H:%M} UTC" if started else "",
        counts=counts,
        journal_writable=bool(facts.get("journal_writable", True)),
    )


def _addresses(host: str, own: list[str]) -> tuple[str, ...]:
    """Where it can be reached: all of this machine's addresses if it listens on any; none for a Unix socket."""
    if not host:
        return ()
    address = ipaddress.ip_address(host)
    if not address.is_unspecified:
        return (host,)
    return tuple(text for text in own if address.version == 6 or ipaddress.ip_address(text).version == 4)


def _reached(addresses: tuple[str, ...]) -> Reached:
    found = [ipaddress.ip_address(text) for text in addresses]
    if any(address.is_global for address in found):
        return Reached.INTERNET
    return Reached.MACHINE if all(address.is_loopback for address in found) else Reached.NETWORK
