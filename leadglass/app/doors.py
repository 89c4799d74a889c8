"""The listeners of a running archive: each is open while its certificate is in force, and associations of devices that
were changed, disabled or removed are ended."""

from __future__ import annotations

import asyncio
import datetime as dt
import weakref
from dataclasses import dataclass, field
from typing import Any

from leadglass.access.certificates import iso_date
from leadglass.app.certificates import EXPIRED, Certificates, Now, Presented, utc_now
from leadglass.app.config import ListenerConfig
from leadglass.core.errors import ErrorCode, LeadglassError
from leadglass.core.events import EventKind, JournalEvent, Outcome
from leadglass.core.ports import Journal
from leadglass.net.connection import Connection
from leadglass.net.listener import Listener, ListenOptions, listen
from leadglass.scp.association import AssociationHandler
from leadglass.scp.doorway import Doorway

CLOSED_DOOR = 10  # exit code of a process: some listener was closed for its certificate (done in part)


@dataclass(slots=True)
class _Door:
    item: ListenerConfig
    presented: Presented | None = None
    listener: Listener | None = None
    told: bool = False  # that its certificate has expired
    earlier: list[Listener] = field(default_factory=list)  # closed, with associations that may still run

    @property
    def closed(self) -> str:
        """Why nobody gets in; empty while it is open."""
        if self.listener is not None:
            return ""
        return EXPIRED if self.told else "its address cannot be had"

    def expired(self, now: dt.datetime) -> bool:
        return self.presented is not None and self.presented.not_after <= now


class Doors:
    """Opens, closes and watches the listeners of one archive."""

    def __init__(self, doorway: Doorway, certificates: Certificates, journal: Journal, now: Now = utc_now) -> None:
        self._doorway = doorway
        self._certificates = certificates
        self._journal = journal
        self._now = now
        self._doors: list[_Door] = []
        self._handlers: weakref.WeakSet[AssociationHandler] = weakref.WeakSet()
        self._epoch = -1

    async def open(self, items: tuple[ListenerConfig, ...]) -> None:
        """Open every listener whose certificate is in force. UNAVAILABLE if an address cannot be had, UNSAFE if none
        is left to open."""
        for item in items:
            presented = self._certificates.for_listening(item) if item.tls else None
            self._doors.append(_Door(item, presented))
        await self.tend()
        if items and not any(door.listener for door in self._doors):
            raise LeadglassError(ErrorCode.UNSAFE, "The certificate of every listener has expired; give new ones.")

    async def tend(self) -> None:
        """Close the listeners whose certificate has expired, open those that have one again."""
        for door in self._doors:
            if door.expired(self._now()):
                self._close(door)
            elif door.listener is None:
                door.listener, door.told = await self._listen(door), False

    def recheck(self) -> None:
        """End the associations of devices that are not as they were."""
        epoch = self._doorway.admission.rights_epoch()
        if epoch != self._epoch:
            self._epoch = epoch
            for handler in tuple(self._handlers):
                handler.recheck()

    async def drain(self, seconds: float) -> None:
        """Accept nobody any more, and let what runs be answered."""
        await asyncio.gather(*(listener.drain(seconds) for listener in self._listeners()))

    @property
    def connections(self) -> list[Connection]:
        """Every connection of every listener."""
        return [conn for listener in self._listeners() for conn in listener.connections]

    @property
    def all_open(self) -> bool:
        """Whether no listener is closed for its certificate."""
        return all(door.listener is not None for door in self._doors)

    def facts(self) -> list[dict[str, Any]]:
        """What `status` shows of the listeners."""
        return [
            {
                "host": door.item.host,
                "port": door.listener.port if door.listener else door.item.port,
                "tls": door.item.tls,
                "open": door.listener is not None,
                "closed": door.closed,
                "expired": door.expired(self._now()),
                "certificate_until": iso_date(door.presented.not_after) if door.presented else "",
                "renewal": door.presented.renewal if door.presented else "",
            }
            for door in self._doors
        ]

    def _listeners(self) -> list[Listener]:
        return [found for door in self._doors for found in (*door.earlier, door.listener) if found is not None]

    async def _listen(self, door: _Door) -> Listener:
        item = door.item
        options = ListenOptions(
            ssl_context=door.presented.source if door.presented else None,
            admission=self._doorway.admission.is_device_address,
        )
        try:
            return await listen(item.host, item.port, self._handler, options)
        except OSError as error:
            comment = f"Cannot listen on {item.host} port {item.port}: {error.strerror}."
            raise LeadglassError(ErrorCode.UNAVAILABLE, comment) from error

    def _handler(self) -> AssociationHandler:
        made = AssociationHandler(self._doorway)
        self._handlers.add(made)
        return made

    def _close(self, door: _Door) -> None:
        if door.listener is not None:
            door.listener.close()
            door.earlier.append(door.listener)
            door.listener = None
        if door.told:
            return
        door.told = True
        details = {"listener": f"{door.item.host}:{door.item.port}", "reason": EXPIRED}
        kind, outcome = EventKind.SECURITY_ALERT, Outcome.SERIOUS_FAILURE
        self._journal.record(JournalEvent(kind, "listener-closed", "leadglass", "", outcome, details))
