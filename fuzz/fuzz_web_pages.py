"""Fuzz what is read of a web server: how the bytes are cut does not matter, and no word of a page comes into a fact.

Input: one byte for the size of the pieces, then what the server says.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

from harness import pieces

from leadglass.exposure.facts import Fact
from leadglass.exposure.http import HttpLine
from leadglass.exposure.http_answer import HttpAnswer
from leadglass.exposure.pages import consoles, security_txt, viewers
from leadglass.exposure.pages.listing import listing
from leadglass.exposure.probes.dicomweb import is_search
from leadglass.exposure.probes.web import server_of
from leadglass.exposure.redirects import within
from leadglass.exposure.streams import Reason, Unreachable

BASE = "http://127.0.0.1:8042"


class Said:
    """A stream that gives these pieces and ends."""

    def __init__(self, said: list[bytes]) -> None:
        self._said = iter(said)

    async def read(self, limit: int = 65536) -> bytes:
        return next(self._said, b"")

    async def read_exactly(self, count: int) -> bytes:
        raise Unreachable(Reason.RESET)

    async def write(self, data: bytes) -> None:
        assert data.startswith(b"GET / HTTP/1.1\r\n")

    def close(self) -> None:
        pass


def read(data: bytes, size: int) -> HttpAnswer | None:
    """The answer, None if it is none."""
    try:
        return asyncio.run(HttpLine(Said(list(pieces(data, size))), "127.0.0.1").ask("/", "GET", {}))
    except Unreachable as ended:
        assert ended.reason is Reason.RESET
        return None


def check(data: bytes) -> None:
    """Run one input."""
    if not data:
        return
    size, said = data[0] + 1, data[1:]
    whole = read(said, len(said) or 1)
    assert read(said, size) == whole, "pieces matter"
    if whole is None:
        return
    look(whole)
    shown = HttpAnswer(200, {"content-type": "text/plain"}, whole.body, whole.truncated)
    look(shown)


def look(page: HttpAnswer) -> None:
    """Everything that is made of a page."""
    names = (*viewers.viewers(page), *consoles.consoles(page))
    assert all(name.isascii() and name.islower() for name in names)
    found = listing(page)
    assert found is None or (0 <= found.files <= len(page.body) and not found.down.count("/"))
    told = security_txt.told(page)
    assert told is None or isinstance(told, Fact)
    assert is_search(page) in (True, False)
    assert server_of(page).isascii()
    target = within(BASE, "/", page.headers.get("location", ""))
    assert target is None or (target.startswith("/") and not set(target) & set(" \r\n\\")), (
        "a path that cannot be asked"
    )


def seeds() -> Iterator[bytes]:
    """A page of each kind."""
    bodies = (
        b'<title>Index of /</title><a href="DICOM/">x</a><a href=a.dcm>x</a>',
        b"<title>OHIF Viewer</title>",
        b"Contact: mailto:a@example.org\nExpires: 2027-01-01T00:00:00Z\n",
        b'[{"0020000D": {"vr": "UI", "Value": ["1.2"]}}]',
    )
    for body in bodies:
        head = b"HTTP/1.1 200 x\r\nServer: a/1 (b)\r\nLocation: /c?d\r\nContent-Type: application/json\r\n"
        for size in (b"\0", b"\x1f", b"\xff"):
            yield size + head + b"Content-Length: %d\r\n\r\n" % len(body) + body
            yield size + head + b"Transfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n" % (len(body), body)
