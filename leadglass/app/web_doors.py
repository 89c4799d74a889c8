"""The web listeners of a web process: each is open while its certificate is in force, and gets a new server beside the
old one, on the same port, when what it shows changes. What the old one answers is answered. A server that ends by
itself is opened again, and a new certificate that cannot be shown is tried again, both less and less often."""

from __future__ import annotations

import asyncio
import datetime as dt
import logging
import time
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import Any

from leadglass.access.certificates import iso_date
from leadglass.app.certificates import EXPIRED, Certificates, Now, Shown, comment_of, utc_now
from leadglass.app.facts import own_addresses
from leadglass.app.retries import Retries
from leadglass.app.web_config import WebListener
from leadglass.app.web_server import WebServer
from leadglass.core.errors import LeadglassError
from leadglass.core.events import EventKind, JournalEvent, Outcome
from leadglass.core.ports import Journal
from leadglass.web.app import WebDoor
from leadglass.web.guard import ListenerRules

log = logging.getLogger("leadglass")

Begin = Callable[[WebListener, WebDoor, Shown | None], Awaitable[WebServer]]


@dataclass(slots=True)
class _Door:
    item: WebListener
    opening: Retries
    renewing: Retries
    stale: bool = False  # what it shows has to be looked at
    shown: Shown | None = None  # of a listener with TLS
    server: WebServer | None = None
    leaving: asyncio.Task[None] | None = None  # the server before
    closed: str = ""  # why, as it was told
    renewal: str = ""  # why what it should show is not shown

    @property
    def fault(self) -> str:
        """Why nobody gets in; empty while it is open."""
        return self.closed or (self.server.fault if self.server is not None else "it was not opened yet")

    def expired(self, now: dt.datetime) -> bool:
        return self.shown is not None and self.shown.not_after <= now


class WebDoors:
    """Opens, closes and renews the web listeners of one process.

    `door` makes the application of a listener. Only the `first` process of an archive journals what all of them do;
    what happens to one of them alone it journals itself. `clock` gives seconds that only go forward.
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
        clock: Callable[[], float] = time.monotonic,
        begin: Begin = WebServer.begin,
    ) -> None:
        self._doors = [_Door(item, Retries(clock), Retries(clock), stale=item.tls) for item in items]
        self._certificates = certificates
        self._make = door
        self._journal = journal
        self._first = first
        self._now = now
        self._begin_server = begin
        self._seen: object = None
        self._leaving: set[asyncio.Task[None]] = set()

    async def open(self) -> None:
        """Open every listener whose certificate is in force. USAGE if a file cannot be used, UNAVAILABLE if an address
        cannot be had."""
        self._seen = self._look()
        for door in self._doors:
            await self._renew(door)
            await self._open(door)

    async def tend(self) -> None:
        """Follow what changed: certificates, files, the day, servers that ended. What cannot be had leaves what
        worked; it is told, and tried again."""
        seen = self._look()
        changed, self._seen = seen != self._seen, seen
        for door in self._doors:
            if changed and door.item.tls:
                door.stale = True
                door.renewing.anew()
            self._notice(door)
            try:
                await self._renew(door)
            except (LeadglassError, OSError, ValueError) as error:
                self._not_renewed(door, comment_of(error))
            try:
                await self._open(door)
            except (LeadglassError, OSError, ValueError) as error:
                log.error("%s", comment_of(error))
                door.opening.failed()

    async def stop(self) -> None:
        """End all; requests at work are answered first."""
        for door in self._doors:
            self._leave(door)
        await asyncio.gather(*self._leaving)

    @property
    def all_open(self) -> bool:
        """Whether no listener is closed, for its certificate or because its server ended."""
        return not any(door.fault for door in self._doors)

    def facts(self) -> list[dict[str, Any]]:
        """What `status` shows of the listeners: why one is closed, and why one does not show what it should."""
        return [
            {
                "listener": door.item.label,
                "tls": door.item.tls,
                "open": not door.fault,
                "closed": door.fault,
                "expired": door.expired(self._now()),
                "certificate_until": iso_date(door.shown.not_after) if door.shown else "",
                "renewal": door.renewal,
            }
            for door in self._doors
        ]

    def _look(self) -> object:
        items = [door.item for door in self._doors]
        return self._certificates.look(path for it in items for path in (it.certificate, it.key, it.client_ca))

    def _notice(self, door: _Door) -> None:
        """See whether its server still works."""
        if door.server is None:
            return
        fault = door.server.fault
        if not fault:
            door.opening.works()
            return
        door.opening.failed()
        self._close(door, fault, mine=True)

    async def _renew(self, door: _Door) -> None:
        """Show what it should show, where that may have changed; where it fails, the old goes on."""
        if not door.stale or not door.renewing.due:
            return
        shown = self._certificates.for_web(door.item)
        if shown != door.shown:
            await self._show(door, shown)
        door.stale, door.renewal = False, ""

    async def _show(self, door: _Door, shown: Shown) -> None:
        if shown.not_after > self._now():
            server = await self._begin(door.item, shown)
            self._leave(door)
            self._opened(door, server)
        door.shown = shown

    async def _open(self, door: _Door) -> None:
        """Open it if it is closed, unless its certificate has expired: then close it."""
        if door.expired(self._now()):
            self._close(door, EXPIRED, mine=self._first)
        elif door.server is None and door.opening.due and not _holds_its_path(door):
            self._opened(door, await self._begin(door.item, door.shown))

    async def _begin(self, item: WebListener, shown: Shown | None) -> WebServer:
        names, origins = frozenset(_names(item)), frozenset(item.origins)
        rules = ListenerRules(item.tls, names, item.trusted_proxy, origins, item.serves)
        return await self._begin_server(item, self._make(rules), shown)

    def _opened(self, door: _Door, server: WebServer) -> None:
        door.server = server
        if door.closed:
            log.info("The web listener %s is open again.", door.item.label)
            if self._first or door.closed != EXPIRED:
                self._record(door, "listener-reopened", door.closed, Outcome.SUCCESS)
        door.closed = ""

    def _leave(self, door: _Door) -> None:
        """Let its server end in its own time."""
        if door.server is not None:
            door.leaving = asyncio.get_running_loop().create_task(door.server.stop())
            self._leaving.add(door.leaving)
            door.leaving.add_done_callback(self._leaving.discard)
            door.server = None

    def _close(self, door: _Door, reason: str, *, mine: bool) -> None:
        """Close it for `reason`, which is told once; `mine`: by this process in the journal too."""
        self._leave(door)
        if door.closed == reason:
            return
        door.closed = reason
        log.error("The web listener %s is closed: %s.", door.item.label, reason)
        if mine:
            self._record(door, "listener-closed", reason, Outcome.SERIOUS_FAILURE)

    def _not_renewed(self, door: _Door, reason: str) -> None:
        """The reason is told once, too."""
        door.renewing.failed()
        if door.renewal == reason:
            return
        door.renewal = reason
        log.error("The web listener %s does not show its new certificate: %s", door.item.label, reason)
        if self._first:
            self._record(door, "certificate-renewal-failed", reason, Outcome.MINOR_FAILURE)

    def _record(self, door: _Door, what: str, reason: str, outcome: Outcome) -> None:
        details = {"listener": door.item.label, "reason": reason}
        self._journal.record(JournalEvent(EventKind.SECURITY_ALERT, what, "leadglass", "", outcome, details))


def _holds_its_path(door: _Door) -> bool:
    """Whether an earlier server is still to remove its Unix socket: it would remove the new one's."""
    return bool(door.item.unix) and door.leaving is not None and not door.leaving.done()


def _names(item: WebListener) -> set[str]:
    """Host names and addresses that the listener answers to; behind a proxy only the outer ones, if they are named."""
    if item.trusted_proxy and item.names:
        return set(item.names)
    addresses = {address for _, address in own_addresses()}
    own = addresses if item.host in ("0.0.0.0", "::") else {item.host}  # noqa: S104  # compared, not listened on
    return {*own, *item.names, "localhost"} - {""}
