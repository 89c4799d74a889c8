"""Web servers of a few lines for the auditor's tests, and the site that they are to a probe."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import time
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field

from leadglass.exposure.dialer import ScopedDialer
from leadglass.exposure.facts import Fact, Facts
from leadglass.exposure.scope import Pace, Scope
from leadglass.exposure.service import Service
from leadglass.exposure.site import Probe, Site
from leadglass.exposure.streams import Reason, Stream, Unreachable

FAST = Pace(per_host=1e6, total=1e6, concurrent=64, connect_timeout=30, probe_timeout=60)


@dataclass(frozen=True)
class Reply:
    """What is said to a request. `closes`: the connection ends with it."""

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    closes: bool = False

    def encoded(self) -> bytes:
        lines = [f"HTTP/1.1 {self.status} x", f"Content-Length: {len(self.body)}"]
        lines += [f"{name}: {value}" for name, value in self.headers.items()]
        lines += ["Connection: close"] if self.closes else []
        return "\r\n".join([*lines, "", ""]).encode() + self.body


def json_reply(text: str, media_type: str = "application/json", **headers: str) -> Reply:
    return Reply(200, text.encode(), {"Content-Type": media_type, **headers})


def page_reply(text: str, **headers: str) -> Reply:
    return Reply(200, text.encode(), {"Content-Type": "text/html", **headers})


@dataclass(frozen=True)
class Asked:
    """A request that came in."""

    method: str
    path: str
    headers: Mapping[str, str]


class WebFake:
    """Answers paths (without their query) by a table, others with 404, and remembers what it was asked.

    `refuses`: everything is answered 401, with this realm. `then_drops`: it ends each connection
    after so many answers without saying so.
    """

    def __init__(
        self,
        replies: Mapping[str, Reply | Callable[[Asked], Reply]] | None = None,
        *,
        refuses: str = "",
        then_drops: int = 0,
    ) -> None:
        self.replies = {} if replies is None else replies
        self.refuses = refuses
        self.then_drops = then_drops
        self.asked: list[Asked] = []
        self.connections = 0

    @property
    def paths(self) -> list[str]:
        return [request.path for request in self.asked]

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        answers = 0
        while head := await self._head(reader):
            reply = self._reply(head)
            writer.write(reply.encoded())
            await writer.drain()
            answers += 1
            if reply.closes or answers == self.then_drops:
                return

    async def _head(self, reader: asyncio.StreamReader) -> Asked | None:
        try:
            lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        except (asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            return None
        method, path, _ = lines[0].split(" ", 2)
        headers = dict(line.lower().split(": ", 1) for line in lines[1:] if line)
        return Asked(method, path, headers)

    def _reply(self, head: Asked) -> Reply:
        self.asked.append(head)
        if self.refuses:
            return Reply(401, headers={"WWW-Authenticate": f'Basic realm="{self.refuses}"'})
        found = self.replies.get(head.path.partition("?")[0], Reply(404))
        return found(head) if callable(found) else found


@contextlib.asynccontextmanager
async def listening(serve, *, name: str = "", host: str = "127.0.0.1", context=None, **pace) -> AsyncIterator[Site]:
    """A site whose service does with each connection what `serve` does."""

    async def met(reader, writer):
        with contextlib.suppress(ConnectionError):
            await serve(reader, writer)
        writer.close()

    server = await asyncio.start_server(met, host, 0, ssl=context)
    port = server.sockets[0].getsockname()[1]
    try:
        yield site_at(port, name=name, host=host, **pace)
    finally:
        server.close()


def site_at(port: int, *, name: str = "", host: str = "127.0.0.1", **pace) -> Site:
    """The site of what listens on this port of loopback."""
    usual = {slot: getattr(FAST, slot) for slot in Pace.__dataclass_fields__}
    scope = Scope(
        authorised_by="The test",
        contact="mailto:test@example.org",
        valid_from=0,
        valid_until=time.time() + 3600,
        networks=(ipaddress.ip_network("127.0.0.0/8"), ipaddress.ip_network("::1/128")),
        names=(name,) if name else (),
        ports=(port,),
        pace=Pace(**{**usual, **pace}),
    )
    return Site(Service(host, port, name), scope, ScopedDialer(scope, now=time.time), time.time)


async def found_by(site: Site, *probes: Probe) -> Facts:
    """What these probes find, one after the other, each only where it is wanted."""
    for probe in probes:
        if probe.wanted(site.facts):
            site.facts.add(await probe.run(site))
    return site.facts


def fact(facts: Facts, check: str) -> Fact:
    """The fact, which must be there."""
    found = facts.get(check)
    assert found is not None, f"{check} was not answered"
    return found


class Script(Stream):
    """A stream that gives these pieces, whatever is written to it, and then ends."""

    def __init__(self, pieces: list[bytes]) -> None:
        self.pieces = list(pieces)
        self.written = b""

    async def read(self, limit: int = 65536) -> bytes:
        if not self.pieces:
            return b""
        piece = self.pieces.pop(0)
        if len(piece) > limit:
            self.pieces.insert(0, piece[limit:])
        return piece[:limit]

    async def read_exactly(self, count: int) -> bytes:
        raise Unreachable(Reason.RESET)

    async def write(self, data: bytes) -> None:
        self.written += data

    def close(self) -> None:
        self.pieces = []
