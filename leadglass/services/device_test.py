"""Calling a device to see whether it answers: a C-ECHO to where it listens."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from leadglass.core.errors import ErrorCode, LeadglassError
from leadglass.core.events import EventKind, JournalEvent, Outcome
from leadglass.core.ports import DeviceCaller, Journal, State
from leadglass.core.principal import Principal, Right
from leadglass.services.admit import Gate, use_case


@dataclass(frozen=True, slots=True)
class Answered:
    """The device's status (PS3.7 annex C; 0 is success), and how long it took in seconds."""

    status: int
    seconds: float


class DeviceTest:
    """`clock` gives seconds that never go back."""

    def __init__(
        self,
        gate: Gate,
        state: State,
        caller: DeviceCaller,
        journal: Journal,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self.gate = gate
        self._state = state
        self._caller = caller
        self._journal = journal
        self._clock = clock

    @use_case(Right.ADMINISTER, EventKind.APPLICATION_ACTIVITY)
    async def echo(self, principal: Principal, name: str) -> Answered:
        """Call it. NOT_FOUND, USAGE if it has no address to call, or what the calling raised."""
        device = self._state.device(name)  # a point look-up
        if device is None:
            raise LeadglassError(ErrorCode.NOT_FOUND, "There is no device of that name.")
        began, outcome = self._clock(), Outcome.MINOR_FAILURE
        try:
            if device.listens is None:
                raise LeadglassError(ErrorCode.USAGE, "The device has no address to call.")
            status = await self._caller.echo(device)
            outcome = Outcome.MINOR_FAILURE if status else Outcome.SUCCESS
        finally:
            what, kind = "device-tested", EventKind.APPLICATION_ACTIVITY
            details = {"device": name}
            self._journal.record(JournalEvent(kind, what, principal.name, principal.address, outcome, details))
        return Answered(status, self._clock() - began)
