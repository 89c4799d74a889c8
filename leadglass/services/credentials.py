"""What a device may prove itself with: certificates of the archive's own small CA. Each is in the journal."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable

from leadglass.access.authority import Authority, Issued
from leadglass.access.devices import well_formed
from leadglass.core.device import Device
from leadglass.core.events import EventKind, JournalEvent
from leadglass.core.ports import Journal
from leadglass.core.principal import Principal, Right
from leadglass.services.admit import Gate, use_case


class Credentials:
    """Issues certificates for devices. `authority` opens the archive's own CA; times are now in UTC."""

    def __init__(
        self,
        gate: Gate,
        journal: Journal,
        authority: Callable[[], Authority],
        now: Callable[[], dt.datetime] = lambda: dt.datetime.now(dt.UTC),
    ) -> None:
        self.gate = gate
        self._journal = journal
        self._authority = authority
        self._now = now

    @use_case(Right.ADMINISTER, EventKind.APPLICATION_ACTIVITY)
    def authority(self, principal: Principal) -> bytes:
        """The certificate (PEM) of the archive's own CA: what a device must trust to know the archive."""
        event = JournalEvent(EventKind.APPLICATION_ACTIVITY, "authority-read", principal.name, principal.address)
        self._journal.record(event)
        return self._authority().pem

    @use_case(Right.ADMINISTER, EventKind.SECURITY_ALERT)
    def issue(self, principal: Principal, device: Device) -> Issued:
        """A key and a certificate for `device`. The key is in the answer and nowhere else: it is not kept."""
        well_formed(device)
        return self._noted(principal, device, self._authority().issue_device(device.name, self._now(), _names(device)))

    @use_case(Right.ADMINISTER, EventKind.SECURITY_ALERT)
    def sign(self, principal: Principal, device: Device, request: bytes) -> Issued:
        """A certificate for the device's own key (PKCS#10). USAGE if the request is none or its key weak."""
        well_formed(device)
        issued = self._authority().sign_request(request, device.name, self._now(), _names(device))
        return self._noted(principal, device, issued)

    def _noted(self, principal: Principal, device: Device, issued: Issued) -> Issued:
        """In the journal, durably, before it leaves."""
        binding = issued.binding()
        details = {"device": device.name, "sha256": binding.value, "until": binding.not_after}
        what, kind = "certificate-issued", EventKind.SECURITY_ALERT
        event = JournalEvent(kind, what, principal.name, principal.address, details=details)
        self._journal.record(event, durable=True)
        return issued


def _names(device: Device) -> tuple[str, ...]:
    """A device that listens is a server there."""
    return (device.listens.host,) if device.listens else ()
