"""Admission: from a caller to a Principal, or a refusal with the wire's own reason. Every refusal is journalled."""

from __future__ import annotations

import asyncio
import datetime as dt
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from leadglass.access.addresses import address_of, contained, plain_source_allowed
from leadglass.access.limits import (
    LOCAL_LIMIT_EXCEEDED,
    TEMPORARY_CONGESTION,
    DeviceAssociations,
    PasscodeGuard,
    TitleGuard,
)
from leadglass.access.policy import (
    REFUSAL_HINTS,
    Admitted,
    Caller,
    Matches,
    Refused,
    Rules,
    identify,
    title_of,
)
from leadglass.core.device import Device
from leadglass.core.errors import ErrorCode, LeadglassError
from leadglass.core.events import EventKind, JournalEvent, Outcome
from leadglass.core.ports import State
from leadglass.core.principal import Principal, Right

REFRESH_SECONDS = 1.0  # a disabled device is out within two seconds, running associations too


class EventSink(Protocol):
    """Takes events that a peer can cause at will, and counts repetitions (journal.RepeatedEvents)."""

    def record(self, event: JournalEvent) -> None:
        """Never blocks."""
        ...


@dataclass(frozen=True, slots=True)
class _Registry:
    epoch: int
    devices: tuple[Device, ...]


class Devices:
    """The enrolled devices as state has them, looked at again when the rights epoch changes."""

    def __init__(self, state: State, now: Callable[[], float] = time.monotonic) -> None:
        self._state = state
        self._now = now
        self._lock = threading.Lock()
        self._registry = _Registry(state.rights_epoch(), tuple(state.devices()))
        self._looked = now()

    def current(self) -> tuple[Device, ...]:
        """All devices, at most REFRESH_SECONDS old."""
        return self._fresh().devices

    def epoch(self) -> int:
        """The rights epoch, at most REFRESH_SECONDS old."""
        return self._fresh().epoch

    def refresh(self) -> None:
        """Look at state now (when somebody knocks)."""
        self._looked = 0.0
        self._fresh()

    def _fresh(self) -> _Registry:
        if self._now() - self._looked < REFRESH_SECONDS:
            return self._registry
        with self._lock:
            epoch = self._state.rights_epoch()
            if epoch != self._registry.epoch:
                self._registry = _Registry(epoch, tuple(self._state.devices()))
            self._looked = self._now()
        return self._registry


def destination_of(devices: Devices, principal: Principal, title: str) -> Device:
    """The device that a C-MOVE by `principal` to AE title `title` goes to.

    UNKNOWN_DESTINATION if no enabled device with `receive` listens under that title; NOT_AUTHORISED if the caller
    may not move there. A device may move to itself and to the destinations listed for it.
    """
    candidates = [
        device
        for device in devices.current()
        if device.enabled and device.listens and device.listens.ae_title == title and Right.RECEIVE in device.rights
    ]
    if not candidates:
        raise LeadglassError(ErrorCode.UNKNOWN_DESTINATION, "The move destination is not known here.")
    caller = next((device for device in devices.current() if device.name == principal.name), None)
    allowed = {principal.name, *(caller.destinations if caller else ())}
    for device in candidates:
        if device.name in allowed:
            return device
    raise LeadglassError(ErrorCode.NOT_AUTHORISED, "This device may not move images to that destination.")


@dataclass(frozen=True, slots=True)
class AdmissionSettings:
    """What the configuration says of callers. `plain_retrieve` maps a device's name to the override's last day."""

    ae_titles: tuple[str, ...]
    internal_networks: tuple[str, ...] = ()
    own_gateways: tuple[str, ...] = ()
    plain_retrieve: Mapping[str, dt.date] = field(default_factory=dict)


class Admission:
    """Where a connection becomes a Principal. Not a use case: it is how principals come to be.

    Refusals are journalled, the first of an address and reason at once, the others of the minute as a count.
    """

    def __init__(
        self,
        state: State,
        *,
        refusals: EventSink,
        settings: AdmissionSettings,
        matches: Matches,
        passcode_fits: Callable[[bytes, str], bool],
        today: Callable[[], dt.date] = lambda: dt.datetime.now(dt.UTC).date(),
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._devices = Devices(state)
        self._refusals = refusals
        self._settings = settings
        self._matches = matches
        self._passcode_fits = passcode_fits
        self._today = today
        self._now = now
        self._titles = TitleGuard()
        self._passcodes = PasscodeGuard()
        self._associations = DeviceAssociations()
        self._hashing = asyncio.Lock()

    def is_device_address(self, address: str) -> bool:
        """Whether some enabled device may call from `address` (reserved places at the listener)."""
        caller = address_of(address)
        return any(device.enabled and contained(caller, device.networks) for device in self._devices.current())

    def may_connect(self, address: str, *, tls: bool) -> bool:
        """Whether a connection from `address` is looked at at all: plain ones not from outside (and an alarm then)."""
        if tls or plain_source_allowed(address, self._settings.internal_networks):
            return True
        self._refuse(address, "plain-from-outside", outcome=Outcome.SERIOUS_FAILURE)
        return False

    def decide(self, caller: Caller) -> Admitted | Refused:
        """Admit or refuse a caller, and journal a refusal. One that brings a passcode goes through `decide_slowly`."""
        return self._decide(caller, lambda passcode, kept: False)

    async def decide_slowly(self, caller: Caller) -> Admitted | Refused:
        """As `decide`, for a caller with a passcode: hashing is slow on purpose, so it runs in a thread and nobody
        else waits for it; one at a time, since each takes 64 MiB."""
        async with self._hashing:
            kept = self._to_compare(caller)
            passcode = caller.passcode or b""
            fits = bool(kept) and await asyncio.to_thread(self._passcode_fits, passcode, kept)
            return self._decide(caller, lambda passcode, asked: fits and asked == kept)

    def _to_compare(self, caller: Caller) -> str:
        """The hash that the caller's passcode is to be compared with; empty if it does not come so far."""
        asked: list[str] = []

        def note(passcode: bytes, kept: str) -> bool:
            if not self._passcodes.blocks(caller.address, kept, self._now()):
                asked.append(kept)
            return False

        self._devices.refresh()
        identify(caller, self._devices.current(), self._rules(), self._matches, note)
        return asked[0] if asked else ""

    def _decide(self, caller: Caller, passcode_fits: Callable[[bytes, str], bool]) -> Admitted | Refused:
        self._devices.refresh()
        decision = self._limited(caller, self._identified(caller, passcode_fits))
        if isinstance(decision, Refused):
            title = title_of(caller.calling_title)
            self._refuse(caller.address, decision.cause, title=title, device=decision.device, tls=caller.tls)
        return decision

    def left(self, admitted: Admitted) -> None:
        """An association that was admitted has ended."""
        self._associations.give_back(admitted.device.name)

    def _identified(self, caller: Caller, passcode_fits: Callable[[bytes, str], bool]) -> Admitted | Refused:
        now = self._now()

        def fits(passcode: bytes, kept: str) -> bool:
            """Somebody who guesses is refused unheard."""
            if self._passcodes.blocks(caller.address, kept, now):
                return False
            if passcode_fits(passcode, kept):
                self._passcodes.note_right(caller.address, kept)
                return True
            self._passcodes.note_wrong(caller.address, kept, now)
            return False

        return identify(caller, self._devices.current(), self._rules(), self._matches, fits)

    def _limited(self, caller: Caller, decision: Admitted | Refused) -> Admitted | Refused:
        """Guessing titles, and a device with too many associations, are put off (transient)."""
        address, title, now = caller.address, title_of(caller.calling_title), self._now()
        if isinstance(decision, Refused):
            if decision.cause in ("unknown-title", "unknown-address"):
                self._titles.note_refused(address, title, now)
            return decision
        device = decision.device
        proved = bool(device.certificates) and caller.certificate is not None
        if not proved and self._titles.puts_off(address, title, now):
            return Refused(*TEMPORARY_CONGESTION, "guessing", device.name)
        if not self._associations.take(device.name, device.max_associations):
            return Refused(*LOCAL_LIMIT_EXCEEDED, "too-many-associations", device.name)
        self._titles.note_admitted(address, title)
        return decision

    def rights_epoch(self) -> int:
        """A number that changes whenever a device may have changed; at most REFRESH_SECONDS old."""
        return self._devices.epoch()

    def still_admitted(self, admitted: Admitted) -> bool:
        """Whether the device is as it was when it was admitted: changed, disabled or removed ones are not."""
        return admitted.device in self._devices.current()

    def destination(self, principal: Principal, title: str) -> Device:
        """Where a C-MOVE goes; see `destination_of`."""
        return destination_of(self._devices, principal, title)

    def note_identity_off_tls(self, address: str) -> None:
        """A user identity came without TLS: it is ignored and forgotten, and somebody should know."""
        self._refusals.record(
            JournalEvent(
                EventKind.SECURITY_ALERT,
                "user-identity-in-clear",
                "",
                address,
                Outcome.MINOR_FAILURE,
                {"reason": "user identity without TLS was ignored"},
            )
        )

    def note_tls_failed(self, address: str, detail: str) -> None:
        """No TLS with somebody: no certificate, an expired or a foreign one, old cryptography. Nobody knows who."""
        details: dict[str, str | int] = {"reason": detail, "hint": f"no TLS connection: {detail}", "tls": 1}
        event = JournalEvent(EventKind.SECURITY_ALERT, "tls-refused", "", address, Outcome.MINOR_FAILURE, details)
        self._refusals.record(event)

    def note_end(self, address: str, device: str, reason: str) -> None:
        """An association ended out of order."""
        self._refusals.record(
            JournalEvent(
                EventKind.NETWORK_ENTRY, "association-ended", device, address, Outcome.MINOR_FAILURE, {"reason": reason}
            )
        )

    def _rules(self) -> Rules:
        settings, today = self._settings, self._today()
        in_force = frozenset(name for name, until in settings.plain_retrieve.items() if today <= until)
        return Rules(settings.ae_titles, settings.internal_networks, settings.own_gateways, in_force)

    def _refuse(
        self,
        address: str,
        cause: str,
        *,
        title: str = "",
        device: str = "",
        tls: bool = False,
        outcome: Outcome = Outcome.MINOR_FAILURE,
    ) -> None:
        hint = REFUSAL_HINTS.get(cause, cause)
        details: dict[str, str | int] = {"reason": cause, "title": printable(title), "hint": hint, "tls": int(tls)}
        event = JournalEvent(EventKind.SECURITY_ALERT, "association-refused", device, address, outcome, details)
        self._refusals.record(event)


def printable(title: str) -> str:
    """An AE title as it may stand in a journal: printable ASCII, at most 16 characters."""
    return "".join(character if " " <= character <= "~" else "?" for character in title)[:16]
