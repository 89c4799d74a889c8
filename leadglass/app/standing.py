"""How an archive stands: what runs, what is unsafe, which risks are taken, which certificates end."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from leadglass.app.certificates import EXPIRED, authority_of, utc_now
from leadglass.app.config import Config, Override
from leadglass.app.expiry import Ending, endings
from leadglass.app.home import Home
from leadglass.app.judging import situation
from leadglass.app.live import read_live, read_web
from leadglass.app.lock import is_served
from leadglass.app.safety import Risk, overrides_in_force, standing
from leadglass.core.errors import LeadglassError
from leadglass.core.ports import State

USUAL_PORTS = (104, 2762, 11112)
_NOTHING_TOLD = {"closed": "", "expired": False, "renewal": ""}  # by a server that was started before an update


@dataclass(frozen=True, slots=True)
class Standing:
    """How an archive stands."""

    home: str
    running: bool
    listeners: list[dict[str, Any]]
    web: list[dict[str, Any]]
    live: dict[str, Any] | None
    unsafe: list[Risk]
    overrides: list[Override]
    endings: list[Ending]
    scan: str

    @property
    def bad(self) -> bool:
        """Whether somebody has to act now: unsafe settings, a listener that is closed, one whose certificate has
        expired, or one that cannot show its new certificate."""
        closed = any(item["expired"] or item["renewal"] or not item["open"] for item in self._listening)
        expired = any(item.expired and item.kind in ("listener", "web") for item in self.endings)
        return bool(self.unsafe) or expired or closed

    @property
    def _listening(self) -> list[dict[str, Any]]:
        """What should listen now."""
        return [*self.listeners, *self.web] if self.running else []


def outside_scan(config: Config) -> str:
    """The scan to run from outside: the usual ports of DICOM and the archive's own."""
    own = {*(item.port for item in config.listeners), *(item.port for item in config.web if not item.unix)}
    ports = sorted({*USUAL_PORTS, *own})
    return f"nmap -Pn -sV -p {','.join(map(str, ports))} YOUR-PUBLIC-ADDRESS"


def look(home: Home, config: Config, state: State, ca_key: bytes) -> Standing:
    """How the archive at `home` stands now."""
    judged = situation(home, config, state)
    found = [risk for risk in standing(judged) if risk.name != "core-dumps"]  # this process's own, not the server's
    running, live = is_served(home.lock), read_live(home.live)
    try:
        ending = endings(config, judged.devices, authority_of(state, ca_key).not_after, utc_now())
    except LeadglassError as error:
        ending = []
        found.append(Risk("certificate-unreadable", error.comment, "Correct its path or rights.", overridable=False))
    return Standing(
        home=str(home.root),
        running=running,
        listeners=_listeners(config, live if running else None, ending, running=running),
        web=_web(config, list(read_web(home).values()) if running else [], ending, running=running),
        live=live if running else None,
        unsafe=found,
        overrides=overrides_in_force(judged),
        endings=ending,
        scan=outside_scan(config),
    )


def _listeners(
    config: Config, live: dict[str, Any] | None, ending: list[Ending], *, running: bool
) -> list[dict[str, Any]]:
    """As the running server says; else as configured."""
    if live is not None:
        return [_NOTHING_TOLD | row for row in live["listeners"]]
    return [
        {"host": item.host, "port": item.port}
        | _not_open(item.tls, ("listener", f"{item.host}:{item.port}"), ending, running=running)
        for item in config.listeners
    ]


def _web(config: Config, live: list[dict[str, Any]], ending: list[Ending], *, running: bool) -> list[dict[str, Any]]:
    """The same of the web listeners: one is open where it is in every web process, for they share its port."""
    told: dict[str, list[dict[str, Any]]] = {}
    for row in (row for facts in live for row in facts["listeners"]):
        told.setdefault(row["listener"], []).append(_NOTHING_TOLD | row)
    return [
        _worst(told[item.label])
        if item.label in told
        else {"listener": item.label} | _not_open(item.tls, ("web", item.label), ending, running=running)
        for item in config.web
    ]


def _worst(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """What several processes say of one listener."""
    reasons = {key: next((row[key] for row in rows if row[key]), "") for key in ("closed", "renewal")}
    until = min(row["certificate_until"] for row in rows)
    return {
        **rows[0],
        **reasons,
        "open": all(row["open"] for row in rows),
        "expired": any(row["expired"] for row in rows),
        "certificate_until": until,
    }


def _not_open(tls: bool, named: tuple[str, str], ending: list[Ending], *, running: bool) -> dict[str, Any]:
    expired = any((item.kind, item.name) == named and item.expired for item in ending)
    closed = EXPIRED if expired else "no process serves it now" if running else "the archive does not run"
    return _NOTHING_TOLD | {"tls": tls, "open": False, "closed": closed, "expired": expired, "certificate_until": ""}
