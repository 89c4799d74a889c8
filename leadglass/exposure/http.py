"""HTTP/1.1 (RFC 9112) over a `Stream`, by h11: a few requests over one connection, all bounded.

No cookie is kept, nothing is sent that logs in, and no redirect is followed: its target is another service.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import h11

from leadglass.exposure.asking import line
from leadglass.exposure.site import MAX_ANSWER, Site
from leadglass.exposure.streams import Reason, Stream, Unreachable

MAX_BODY = 1024 * 1024  # bytes of a body that are kept; the rest of the answer is not read
_USER_AGENT = "Leadglass-audit"
_UNAUTHORISED = (401, 403, 407)


@dataclass(frozen=True, slots=True)
class HttpAnswer:
    """Status, headers by lower-case name (the first of a name), and at most MAX_BODY bytes of the body."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    truncated: bool

    @property
    def ok(self) -> bool:
        """Whether the answer is a success."""
        return 200 <= self.status < 300

    @property
    def refused(self) -> bool:
        """Whether the peer wants to know first who is asking."""
        return self.status in _UNAUTHORISED

    def json(self) -> Any:
        """The body as JSON, None if it is none. Depth and size are bounded by the body's."""
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError):
            return None

    @property
    def media_type(self) -> str:
        """Content-Type without parameters, in lower case."""
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()


class HttpLine:
    """A connection to an HTTP server. Its `ask` raises Unreachable; NOT_HTTP answers are RESET."""

    def __init__(self, stream: Stream, host: str) -> None:
        self._stream = stream
        self._host = host
        self._http = h11.Connection(h11.CLIENT, max_incomplete_event_size=32 * 1024)

    @property
    def usable(self) -> bool:
        """Whether another request may be sent."""
        return self._http.our_state is h11.IDLE

    async def ask(self, path: str, *, method: str = "GET", headers: Mapping[str, str] | None = None) -> HttpAnswer:
        """Ask for `path`, which is ours and never a peer's word."""
        if not self.usable:
            raise Unreachable(Reason.RESET)
        sent = {"Host": self._host, "User-Agent": _USER_AGENT, "Accept": "*/*", **(headers or {})}
        request = h11.Request(method=method, target=path, headers=list(sent.items()))
        try:
            await self._send(request)
            await self._send(h11.EndOfMessage())
            return await self._answer()
        except h11.ProtocolError:
            raise Unreachable(Reason.RESET) from None

    async def _send(self, event: h11.Event) -> None:
        data = self._http.send(event)
        if data:
            await self._stream.write(data)

    async def _answer(self) -> HttpAnswer:
        head: h11.Response | None = None
        body = bytearray()
        while True:
            event = self._http.next_event()
            if event is h11.NEED_DATA:
                self._http.receive_data(await self._stream.read())
            elif isinstance(event, h11.Response):
                head = event
            elif isinstance(event, h11.Data):
                body += event.data
                if len(body) > MAX_BODY:
                    return self._made(head, bytes(body[:MAX_BODY]), truncated=True)
            elif isinstance(event, h11.EndOfMessage):
                answer = self._made(head, bytes(body), truncated=False)
                if self._http.our_state is h11.DONE and self._http.their_state is h11.DONE:
                    self._http.start_next_cycle()
                return answer
            elif isinstance(event, h11.ConnectionClosed):
                raise Unreachable(Reason.RESET)

    def _made(self, head: h11.Response | None, body: bytes, *, truncated: bool) -> HttpAnswer:
        if head is None:
            raise Unreachable(Reason.RESET)
        headers: dict[str, str] = {}
        for name, value in head.headers:
            headers.setdefault(name.decode("latin-1").lower(), value.decode("latin-1"))
        return HttpAnswer(head.status_code, headers, body, truncated)


class Http:
    """Asks one site, over one connection as long as it lasts, and at most so many in all."""

    def __init__(self, site: Site, deadline: float, *, tls: bool, connections: int) -> None:
        self._site = site
        self._deadline = deadline
        self._tls = tls
        self._left = connections
        self._line: HttpLine | None = None
        self._held: Any = None

    async def ask(self, path: str, *, method: str = "GET", headers: Mapping[str, str] | None = None) -> HttpAnswer:
        """See `HttpLine.ask`. RESET, too, when the connections that a probe may open are used up."""
        if self._line is None or not self._line.usable:
            await self._open()
        assert self._line is not None
        return await self._line.ask(path, method=method, headers=headers)

    async def _open(self) -> None:
        await self.close()
        if self._left == 0:
            raise Unreachable(Reason.RESET)
        self._left -= 1
        held = line(self._site, self._deadline, tls=self._tls, bound=MAX_ANSWER)
        stream = await held.__aenter__()
        self._held = held
        self._line = HttpLine(stream, host_of(self._site))

    async def close(self) -> None:
        """End the connection, if there is one."""
        held, self._held, self._line = self._held, None, None
        if held is not None:
            await held.__aexit__(None, None, None)


@asynccontextmanager
async def http(site: Site, *, tls: bool | None = None, connections: int = 4) -> AsyncIterator[Http]:
    """To ask a site by HTTP. `tls` None: as W00 found."""
    over = bool(site.facts.value("W00", "tls")) if tls is None else tls
    asking = Http(site, site.deadline(), tls=over, connections=connections)
    try:
        yield asking
    finally:
        await asking.close()


def host_of(site: Site) -> str:
    """The Host of a request (RFC 9110 7.2)."""
    service = site.service
    host = service.name or (f"[{service.address}]" if ":" in service.address else service.address)
    return f"{host}:{service.port}"
