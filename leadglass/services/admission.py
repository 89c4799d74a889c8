"""Admission: from a caller to a Principal, or a refusal with the wire's own reason. Every refusal is journalled."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from leadglass.core.device import Device
from leadglass.core.errors import ErrorCode, LeadglassError
from leadglass.core.ports import State
from leadglass.core.principal import Principal, Right

REFRESH_SECONDS = 1.0  # a disabled device is out within two seconds, running associations too


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
