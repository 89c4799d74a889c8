"""The web listeners of a web process: each is open while its certificate is in force, and gets a new server beside the
old one, on the same port, when what it shows changes. What the old one answers is answered."""

from __future__ import annotations

import asyncio
import datetime as dt
import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from leadglass.access.certificates import iso_date
from leadglass.app.certificates import Certificates, Now, Shown, utc_now
from leadglass.app.facts import own_addresses
from leadglass.app.web_config import WebListener
from leadglass.app.web_server import WebServer
from leadglass.core.errors import LeadglassError
from leadglass.core.events import EventKind, JournalEvent, Outcome
from leadglass.core.ports import Journal
from leadglass.web.app import WebDoor
from leadglass.web.guard import ListenerRules

log = logging.getLogger("leadglass")


@dataclass(slots=True)
class _Door:
    item: WebListener
    shown: Shown | None = None  # of a listener with TLS
    server: WebServer | None = None
    told: bool = False  # that it is closed

    def expired(self, now: dt.datetime) -> bool:
        return self.shown is not None and self.shown.not_after <= now


class WebDoors:
    """Opens, closes and renews the web listeners of one process.

    `door` makes the application of a listener. Only the `first` process of an archive journals what all of them do.
    """

    def __init__(
        self,
        items: Iterable[WebListener],
        certificates: Certificates,
        door: Callable[[ListenerRules], WebDoor],
        journal: Journal,
        *,
        first: bool,
        now: Now = utc_now,
    ) -> None:
        self._doors = [_Door(item) for item in items]
        self._certificates = certificates
        self._make = door
        self._journal = journal
        self._first = first
        self._now = now
        self._seen: object = None
        self._leaving: set[asyncio.Task[None]] = set()

    async def open(self) -> None:
        """Open every listener whose certificate is in force. USAGE if a file cannot be used, UNAVAILABLE if an address
        cannot be had."""
        self._seen = self._look()
        for door in self._doors:
            await self._tend(door, renew=True)

    async def tend(self) -> None:
        """Follow what changed: certificates, files, the day. What cannot be had leaves what worked; it is logged."""
        seen = self._look()
        changed, self._seen = seen != self._seen, seen
        for door in self._doors:
            try:
                await self._tend(door, renew=changed)
            except (LeadglassError, OSError, ValueError) as error:
                log.error("%s", error.comment if isinstance(error, LeadglassError) else type(error).__name__)

    async def stop(self) -> None:
        """End all; requests at work are answered first."""
        for door in self._doors:
            self._leave(door)
        await asyncio.gather(*self._leaving)

    @property
    def all_open(self) -> bool:
        """Whether no listener is closed for its certificate."""
        return all(door.server is not None for door in self._doors)

    def facts(self) -> list[dict[str, Any]]:
        """What `status` shows of the listeners."""
        return [
            {
                "listener": door.item.label,
                "tls": door.item.tls,
                "open": door.server is not None,
                "certificate_until": iso_date(door.shown.not_after) if door.shown else "",
            }
            for door in self._doors
        ]

    def _look(self) -> object:
        items = [door.item for door in self._doors]
        return self._certificates.look(path for it in items for path in (it.certificate, it.key, it.client_ca))

    async def _tend(self, door: _Door, *, renew: bool) -> None:
        if door.item.tls and renew:
            shown = self._certificates.for_web(door.item)
            if shown != door.shown:
                await self._show(door, shown)
        if door.expired(self._now()):
            self._close(door)
        elif door.server is None:
            door.server, door.told = await self._begin(door.item, door.shown), False

    async def _show(self, door: _Door, shown: Shown) -> None:
        """Serve with something new; where that fails, the old goes on and what follows any change tries again."""
        if shown.not_after > self._now():
            server = await self._begin(door.item, shown)
            self._leave(door)
            door.server, door.told = server, False
        door.shown = shown

    async def _begin(self, item: WebListener, shown: Shown | None) -> WebServer:
        rules = ListenerRules(item.tls, frozenset(_names(item)), item.trusted_proxy, frozenset(item.origins))
        return await WebServer.begin(item, self._make(rules), shown)

    def _leave(self, door: _Door) -> None:
        """Let its server end in its own time."""
        if door.server is not None:
            task = asyncio.get_running_loop().create_task(door.server.stop())
            self._leaving.add(task)
            task.add_done_callback(self._leaving.discard)
            door.server = None

    def _close(self, door: _Door) -> None:
        self._leave(door)
        if door.told:
            return
        door.told = True
        log.error("The web listener %s is closed: its certificate has expired.", door.item.label)
        if self._first:
            details = {"listener": door.item.label, "reason": "its certificate has expired"}
            kind, outcome = EventKind.SECURITY_ALERT, Outcome.SERIOUS_FAILURE
            self._journal.record(JournalEvent(kind, "listener-closed", "leadglass", "", outcome, details))


def _names(item: WebListener) -> set[str]:
    """Host names and addresses that the listener answers to."""
    addresses = {address for _, address in own_addresses()}
    own = addresses if item.host in ("0.0.0.0", "::") else {item.host}  # noqa: S104  # compared, not listened on
    return {*own, *item.names, "localhost"} - {""}
