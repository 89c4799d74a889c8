"""Enrolment: which devices there are. Decisions in state, rules in access, every change in the journal."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from leadglass.access.devices import checked
from leadglass.core.device import Device
from leadglass.core.errors import ErrorCode, LeadglassError
from leadglass.core.events import EventKind, JournalEvent
from leadglass.core.people import People
from leadglass.core.ports import Journal, State
from leadglass.core.principal import Principal, Right
from leadglass.services.admit import Gate, use_case


class DeviceRegister:
    """Enrol, change, disable and remove devices. `gateways` and `internal` are the host's and the configuration's;
    `overridden` says whether a risk is taken for a device by name."""

    def __init__(
        self,
        gate: Gate,
        state: State,
        journal: Journal,
        *,
        gateways: Sequence[str],
        internal: Sequence[str],
        people: People,
        overridden: Callable[[str, str], bool] = lambda risk, device: False,
    ) -> None:
        self.gate = gate
        self._state = state
        self._journal = journal
        self._gateways = gateways
        self._internal = internal
        self._people = people
        self._overridden = overridden

    @use_case(Right.ADMINISTER, EventKind.APPLICATION_ACTIVITY)
    def devices(self, principal: Principal) -> list[Device]:
        """All devices, by name."""
        self._note(principal, "devices-listed", "", EventKind.APPLICATION_ACTIVITY)
        return sorted(self._state.devices(), key=lambda device: device.name)

    @use_case(Right.ADMINISTER, EventKind.APPLICATION_ACTIVITY)
    def examine(self, principal: Principal, device: Device) -> None:
        """Raise what `enrol` or `change` would raise of the description itself, and change nothing."""
        self._note(principal, "device-examined", device.name, EventKind.APPLICATION_ACTIVITY)
        self._check(device)

    @use_case(Right.ADMINISTER, EventKind.SECURITY_ALERT)
    def enrol(self, principal: Principal, device: Device) -> None:
        """Enrol a new device. USAGE if the name is taken or badly described, UNSAFE if it would open the archive."""
        if self._state.device(device.name) is not None:
            raise LeadglassError(ErrorCode.USAGE, f"There is a device named {device.name} already.")
        if self._state.token(device.name) is not None:
            raise LeadglassError(ErrorCode.USAGE, "A token has that name; journals could not tell them apart.")
        if self._people.account(device.name.lower()) is not None:
            raise LeadglassError(ErrorCode.USAGE, "An account has that name; journals could not tell them apart.")
        self._put(principal, "device-enrolled", device)

    @use_case(Right.ADMINISTER, EventKind.SECURITY_ALERT)
    def change(self, principal: Principal, device: Device) -> None:
        """Replace a device's description. NOT_FOUND if there is none of that name."""
        self._known(device.name)
        self._put(principal, "device-changed", device)

    @use_case(Right.ADMINISTER, EventKind.SECURITY_ALERT)
    def enable(self, principal: Principal, name: str, *, enabled: bool) -> None:
        """Let a device in, or keep it out from now on (running associations end within two seconds)."""
        device = replace(self._known(name), enabled=enabled)
        self._put(principal, "device-enabled" if enabled else "device-disabled", device)

    @use_case(Right.ADMINISTER, EventKind.SECURITY_ALERT)
    def remove(self, principal: Principal, name: str) -> None:
        """Forget a device. NOT_FOUND if there is none of that name."""
        self._note(principal, "device-removed", name)
        if not self._state.remove_device(name):
            raise LeadglassError(ErrorCode.NOT_FOUND, "There is no device of that name.")

    @use_case(Right.ADMINISTER, EventKind.APPLICATION_ACTIVITY)
    def device(self, principal: Principal, name: str) -> Device:
        """One device. NOT_FOUND if there is none of that name."""
        self._note(principal, "device-read", name, EventKind.APPLICATION_ACTIVITY)
        return self._known(name)

    def _known(self, name: str) -> Device:
        device = self._state.device(name)
        if device is None:
            raise LeadglassError(ErrorCode.NOT_FOUND, "There is no device of that name.")
        return device

    def _check(self, device: Device) -> None:
        def taken(risk: str) -> bool:
            return self._overridden(risk, device.name)

        checked(device, self._gateways, self._internal, self._state.devices(), taken)

    def _put(self, principal: Principal, what: str, device: Device) -> None:
        if device.enabled:
            self._check(device)
        self._note(principal, what, device.name)
        self._state.put_device(device)

    def _note(self, principal: Principal, what: str, name: str, kind: EventKind = EventKind.SECURITY_ALERT) -> None:
        details = {"device": name} if name else {}
        event = JournalEvent(kind, what, principal.name, principal.address, details=details)
        self._journal.record(event, durable=kind is EventKind.SECURITY_ALERT)
