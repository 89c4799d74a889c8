"""What every answer passes on its way out: fixed headers are added, bytes are counted, and paced by a quota."""

from __future__ import annotations

import time
from typing import Final

from starlette.types import Message, Send

from leadglass.services.quotas import Lease

Headers = tuple[tuple[bytes, bytes], ...]

# On every answer that does not say otherwise: it is no page; nothing is sniffed, framed or told to another site.
FIXED: Final[Headers] = (
    (b"x-content-type-options", b"nosniff"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
    (b"referrer-policy", b"no-referrer"),
)
SAME_ORIGIN: Final = (b"cross-origin-resource-policy", b"same-origin")
# Of a listener for strangers: what it shows is kept and found by nobody.
UNKEPT: Final[Headers] = ((b"x-robots-tag", b"noindex, nofollow, noarchive"), (b"cache-control", b"no-store"))
_FOR_EVER: Final = b"public"  # style sheets and scripts: the same for everybody
_NO_STORE: Final = (b"cache-control", b"no-store")  # unless the answer says otherwise itself


class Visit:
    """One request on its way through the door. `route` is the template of its path, once it has one."""

    def __init__(self) -> None:
        self.started = time.monotonic()
        self.route = ""
        self.method = ""
        self.status = 0
        self.bytes = 0
        self.lease: Lease | None = None
        self.headers: Headers = (SAME_ORIGIN,)

    def end(self) -> None:
        """Whatever became of it, its place is free."""
        if self.lease is not None:
            self.lease.end()


class Outgoing:
    """The `send` of a response."""

    def __init__(self, send: Send, visit: Visit) -> None:
        self._send = send
        self._visit = visit

    async def __call__(self, message: Message) -> None:
        """Pass a message on."""
        visit = self._visit
        if message["type"] == "http.response.start":
            visit.status = message["status"]
            message["headers"] = _sealed([*message.get("headers", ())], visit.headers)
            await self._send(message)
            return
        await self._send(message)
        size = len(message.get("body", b""))
        visit.bytes += size
        if visit.lease is not None and size:
            await visit.lease.moved(size, more=message.get("more_body", False))


def _sealed(headers: list[tuple[bytes, bytes]], further: Headers) -> list[tuple[bytes, bytes]]:
    if _NO_STORE in further:  # whatever the answer says itself, but for what is the same for everybody
        headers = [header for header in headers if header[0] != b"cache-control" or header[1].startswith(_FOR_EVER)]
        further = tuple(header for header in further if header != _NO_STORE)
    known = {name for name, _ in headers}
    headers += [header for header in FIXED if header[0] not in known] + [*further]
    if b"cache-control" not in known:
        headers.append(_NO_STORE)
    return headers
