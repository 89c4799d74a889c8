"""HTTP/1.1 (RFC 9112) over a `Stream`, by h11: a few requests over one connection, all bounded.

No cookie is kept, nothing is sent that logs in, and no redirect is followed by itself: its target is another request,
which a probe may make if it leads to the same service (`redirects`).
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager

import h11

from leadglass.exposure.asking import line
from leadglass.exposure.http_answer import HttpAnswer
from leadglass.exposure.site import MAX_ANSWER, Site
from leadglass.exposure.streams import Reason, Stream, Unreachable

MAX_BODY = 1024 * 1024  # bytes of a body that are kept; the rest of the answer is not read
_MAX_HEAD = 32 * 1024  # bytes of a status line and headers
_HTTP_1 = b"HTTP/1."
_USER_AGENT = "Leadglass-audit"
_BROKEN_OFF = (Reason.RESET, Reason.TLS)  # TLS: without a word of farewell
_DEFAULT_PORT = {False: 80, True: 443}  # by whether it is TLS


class NotReadable(Unreachable):
    """The peer speaks HTTP/1, and not as the standard has it: endless headers, names that are none, two lengths."""

    def __init__(self) -> None:
        super().__init__(Reason.RESET)


class HttpLine:
    """A connection to an HTTP server.

    Its `ask` raises Unreachable: RESET for an answer that is no HTTP, NotReadable for one that is and cannot be read.
    """

    def __init__(self, stream: Stream, host: str) -> None:
        self._stream = stream
        self._host = host
        self._http = h11.Connection(h11.CLIENT, max_incomplete_event_size=_MAX_HEAD)
        self._answers = 0
        self._first = b""  # bytes of the last answer

    @property
    def usable(self) -> bool:
        """Whether another request may be sent."""
        return self._http.our_state is h11.IDLE

    @property
    def stale(self) -> bool:
        """Whether the peer, having answered before, ended the connection instead of hearing the last request.

        Servers end connections that were idle; the request may be sent again (RFC 9110 9.2.2).
        """
        return self._answers > 0 and not self._first

    async def ask(self, path: str, method: str, headers: Mapping[str, str]) -> HttpAnswer:
        """Send one request, read one answer."""
        sent = {
            "Host": self._host,
            "User-Agent": _USER_AGENT,
            "Accept": "*/*",
            "Accept-Encoding": "identity",  # a body that has to be unpacked has no bound
            **headers,
        }
        self._first = b""
        try:
            await self._send(h11.Request(method=method, target=path, headers=list(sent.items())))
            await self._send(h11.EndOfMessage())
            answer = await self._answer()
        except h11.ProtocolError:
            raise NotReadable if self._first == _HTTP_1 else Unreachable(Reason.RESET) from None
        self._answers += 1
        return answer

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
                await self._receive()
            elif isinstance(event, h11.Response):
                head = event
            elif isinstance(event, h11.Data):
                body += event.data
                if len(body) > MAX_BODY:
                    return _made(head, bytes(body[:MAX_BODY]), truncated=True)
            elif isinstance(event, h11.EndOfMessage):
                self._next()
                return _made(head, bytes(body), truncated=False)
            elif not isinstance(event, h11.InformationalResponse):
                raise Unreachable(Reason.RESET)

    async def _receive(self) -> None:
        data = await self._stream.read()
        self._first += data[: len(_HTTP_1) - len(self._first)]
        self._http.receive_data(data)

    def _next(self) -> None:
        if self._http.our_state is h11.DONE and self._http.their_state is h11.DONE:
            self._http.start_next_cycle()


def _made(head: h11.Response | None, body: bytes, *, truncated: bool) -> HttpAnswer:
    if head is None:
        raise Unreachable(Reason.RESET)
    headers: dict[str, str] = {}
    for name, value in head.headers:
        headers.setdefault(name.decode("latin-1").lower(), value.decode("latin-1"))
    return HttpAnswer(head.status_code, headers, body, truncated)


class Http:
    """Asks one site, over one connection as long as it lasts, and over at most so many in all."""

    def __init__(
        self, site: Site, *, tls: bool, connections: int, seconds: float | None = None, bound: int = MAX_ANSWER
    ) -> None:
        self.tls = tls
        self._site = site
        self._deadline = site.deadline(seconds)
        self._bound = bound
        pace = site.scope.pace
        self._grace = max(pace.probe_timeout, connections / pace.per_host)  # seconds for turns, in all
        self._left = connections
        self._line: HttpLine | None = None
        self._held = AsyncExitStack()

    async def ask(self, path: str, *, method: str = "GET", headers: Mapping[str, str] | None = None) -> HttpAnswer:
        """Ask for `path`. Raises Unreachable: RESET, too, when the connections of a probe are used up."""
        asked = await self._usable()
        try:
            return await asked.ask(path, method, headers or {})
        except Unreachable as ended:
            if ended.reason not in _BROKEN_OFF or not asked.stale:
                raise
        asked = await self._open()
        return await asked.ask(path, method, headers or {})

    async def close(self) -> None:
        """End the connection, if there is one."""
        self._line = None
        await self._held.aclose()

    async def _usable(self) -> HttpLine:
        return self._line if self._line is not None and self._line.usable else await self._open()

    async def _open(self) -> HttpLine:
        await self.close()
        if self._left == 0:
            raise Unreachable(Reason.RESET)
        self._left -= 1
        clock = asyncio.get_running_loop().time
        began = clock()
        held = line(self._site, self._deadline, tls=self.tls, bound=self._bound)
        stream = await self._held.enter_async_context(held)
        waited = min(clock() - began, self._grace)  # for the most part for a turn of this host
        self._grace -= waited
        self._deadline += waited
        self._line = HttpLine(stream, host_of(self._site, tls=self.tls))
        return self._line


@asynccontextmanager
async def http(
    site: Site,
    *,
    tls: bool | None = None,
    connections: int = 4,
    seconds: float | None = None,
    bound: int = MAX_ANSWER,
) -> AsyncIterator[Http]:
    """To ask a site by HTTP. `tls` None: as W00 found. `seconds` and `bound` (bytes) as for `Site`."""
    over = bool(site.facts.value("W00", "tls")) if tls is None else tls
    asking = Http(site, tls=over, connections=connections, seconds=seconds, bound=bound)
    try:
        yield asking
    finally:
        await asking.close()


def host_of(site: Site, *, tls: bool) -> str:
    """The Host of a request (RFC 9110 7.2): the name that the scope lists, so that the right archive answers."""
    service = site.service
    host = service.name or (f"[{service.address}]" if ":" in service.address else service.address)
    return host if service.port == _DEFAULT_PORT[tls] else f"{host}:{service.port}"
