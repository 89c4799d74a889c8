"""Certificates that end: what `status` and `serve` say of them, and the journal once a day."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from leadglass.access.authority import renewal_due
from leadglass.access.certificates import end_of, expiry
from leadglass.app.certificates import given_certificate
from leadglass.app.config import Config
from leadglass.core.device import Device
from leadglass.core.events import EventKind, JournalEvent, Outcome


@dataclass(frozen=True, slots=True)
class Ending:
    """A certificate that has expired or ends within 60 days. `kind` is listener, web, metrics, device or
    authority."""

    kind: str
    name: str
    until: dt.datetime
    expired: bool

    @property
    def sentence(self) -> str:
        """For people, with the next step."""
        happens, mend = _WORDS[self.kind]
        when = f"{'expired on' if self.expired else 'ends on'} {self.until:%Y-%m-%d}"
        return f"The certificate of {self.kind} {self.name} {when}; {happens} {mend.format(name=self.name)}"

    def event(self) -> JournalEvent:
        """For the journal."""
        what = "certificate-expired" if self.expired else "certificate-expiring"
        outcome = Outcome.SERIOUS_FAILURE if self.expired else Outcome.MINOR_FAILURE
        details = {"of": f"{self.kind} {self.name}", "until": f"{self.until:%Y-%m-%d}"}
        return JournalEvent(EventKind.SECURITY_ALERT, what, "leadglass", "", outcome, details)


_WORDS = {
    "listener": ("an expired one closes its listener.", "Put a new certificate and key in its files."),
    "web": ("an expired one closes its listener.", "Put a new certificate and key in its files."),
    "metrics": ("Prometheus believes no expired one.", "Put a new certificate and key in its files and restart."),
    "device": ("with an expired one it is refused.", "leadglass device certify {name} ..."),
    "authority": ("nothing it issued is believed after that.", "Devices need certificates of a new archive CA."),
}


def endings(
    config: Config, devices: Iterable[Device], authority_until: dt.datetime | None, now: dt.datetime
) -> list[Ending]:
    """What has ended or ends soon, the first first. Our own server certificates renew themselves and are none of it.

    LeadglassError(USAGE) if a listener's certificate cannot be read.
    """
    dates = [*_of_listeners(config), *_of_metrics(config), *_of_devices(devices)]
    if authority_until is not None:
        dates.append(("authority", "of the archive", authority_until))
    found = [Ending(kind, name, until, until <= now) for kind, name, until in dates if renewal_due(until, now)]
    return sorted(found, key=lambda ending: ending.until)


def _of_listeners(config: Config) -> Iterator[tuple[str, str, dt.datetime]]:
    for item in config.listeners:
        if item.tls and item.certificate:
            yield "listener", f"{item.host}:{item.port}", end_of(given_certificate(item)[0])
    for web in config.web:
        if web.tls and web.certificate:
            yield "web", web.label, end_of(given_certificate(web)[0])


def _of_metrics(config: Config) -> Iterator[tuple[str, str, dt.datetime]]:
    item = config.metrics
    if item is not None and item.certificate:
        yield "metrics", f"https://{item.host}:{item.port}", end_of(given_certificate(item)[0])


def _of_devices(devices: Iterable[Device]) -> Iterator[tuple[str, str, dt.datetime]]:
    """The certificate that lasts longest counts: during a change of certificates the old one may end."""
    for device in devices:
        if device.enabled and device.certificates:
            yield "device", device.name, max(expiry(item) for item in device.certificates)
