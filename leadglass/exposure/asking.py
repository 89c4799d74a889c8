"""Opens a connection to a site the way DICOM is spoken there: in plain text, or in TLS if that was found."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from leadglass.exposure.site import MAX_ANSWER, Site
from leadglass.exposure.streams import Stream
from leadglass.exposure.tls_stream import any_server, wrap


@asynccontextmanager
async def line(
    site: Site, deadline: float, *, tls: bool | None = None, bound: int = MAX_ANSWER
) -> AsyncIterator[Stream]:
    """A connection, closed at the end whatever happens. `tls` None: as D01 found. Raises Unreachable."""
    stream: Stream = await site.connect(deadline, bound)
    try:
        if site.facts.value("D01", "tls") is True if tls is None else tls:
            stream = await wrap(stream, any_server(), site.service.name)
        yield stream
    finally:
        stream.close()


def unknown_title(site: Site) -> str:
    """A called AE title that nobody has: the same for a service during a run, another in the next one."""
    seed = site.secret + f"{site.service.address} {site.service.port}".encode()
    return "LG" + hashlib.blake2b(seed, digest_size=6).hexdigest().upper()
