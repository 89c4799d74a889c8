"""Servers that are no archives: silent, talkative, or of another trade."""

from __future__ import annotations

import asyncio
from typing import cast


class Tarpit(asyncio.Protocol):
    """Accepts a connection and never says a word."""


class Garbage(asyncio.Protocol):
    """Sends what is no protocol at all, and goes on while it is read."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See asyncio.Protocol."""
        self._transport = cast(asyncio.Transport, transport)
        self.resume_writing()

    def resume_writing(self) -> None:
        """See asyncio.Protocol."""
        if not self._transport.is_closing():
            self._transport.write(bytes(range(256)) * 512)


_PAGE = b"<!DOCTYPE html><html><head><title>Router</title></head><body>Welcome.</body></html>"
_FILES = "".join(f'<li><a href="/scans/image{number:04}.dcm">image{number:04}.dcm</a></li>' for number in range(240))
_LISTING = (
    "<!DOCTYPE html><html><head><title>Index of /scans</title></head><body><h1>Index of /scans</h1><ul>"
    f'<li><a href="/scans/ZZCANARYZZ_Invented.dcm">ZZCANARYZZ_Invented.dcm</a></li>{_FILES}</ul></body></html>'
).encode()


class Page(asyncio.Protocol):
    """An HTTP server with one page at its root."""

    page = _PAGE

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See asyncio.Protocol."""
        self._transport = cast(asyncio.Transport, transport)
        self._asked = bytearray()

    def data_received(self, data: bytes) -> None:
        """See asyncio.Protocol."""
        self._asked += data
        if len(self._asked) > 65536 or (self._asked[:1] and not self._asked[:1].isalpha()):
            self._transport.abort()
            return
        while b"\r\n\r\n" in self._asked:
            head, _, rest = bytes(self._asked).partition(b"\r\n\r\n")
            self._asked = bytearray(rest)
            self._answer(head)

    def _answer(self, head: bytes) -> None:
        found = head.split(b" ", 2)[1:2] == [b"/"]
        status, body = (b"200 OK", self.page) if found else (b"404 Not Found", b"")
        self._transport.write(
            b"HTTP/1.1 %s\r\nServer: lab\r\nContent-Type: text/html\r\nContent-Length: %d\r\n\r\n%s"
            % (status, len(body), body)
        )


class Listing(Page):
    """One whose page is a directory of DICOM files."""

    page = _LISTING
