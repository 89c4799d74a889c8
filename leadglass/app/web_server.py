"""The HTTP servers of a web process: one Granian server per listener, renewed without a pause when its certificate is.

A renewal starts the new server beside the old one on the same port and then lets the old one end: what it answers is
answered. Granian reads the private key from a file: it lies in memory, for the owner alone, until it was read.
"""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import logging
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryptography import x509
from granian.constants import HTTPModes, Interfaces, SSLProtocols
from granian.http import HTTP1Settings, HTTP2Settings
from granian.server.embed import Server

from leadglass.access.authority import renewal_due
from leadglass.app.archive import Archive
from leadglass.app.certificates import authority_of
from leadglass.app.facts import own_addresses
from leadglass.app.web_config import WebListener
from leadglass.core.errors import ErrorCode, LeadglassError
from leadglass.web.app import WebDoor
from leadglass.web.doorway import WebDoorway
from leadglass.web.guard import ListenerRules
from leadglass.web.traffic import Traffic

BACKLOG = 1024
BACKPRESSURE = 256  # requests at work per process; more wait in the socket
HEADER_MILLISECONDS = 10_000  # a request's head must have come by then (E4)
MAX_HEADER_BYTES = 64 * 1024  # HTTP/2
READ_BUFFER = 400 * 1024  # HTTP/1: a body comes in pieces of up to this; a head has no more either
MAX_STREAMS = 64  # per HTTP/2 connection
START_SECONDS = 10.0
STOP_SECONDS = 30.0

log = logging.getLogger("leadglass")


@dataclass(frozen=True, slots=True)
class _Certified:
    """Chain and key in PEM, and when the chain's first certificate ends."""

    chain: bytes
    key: bytes
    not_after: dt.datetime


class _Serving:
    """One Granian server at work."""

    def __init__(self, server: Server, not_after: dt.datetime | None) -> None:
        self.not_after = not_after
        self._server = server
        self._task = asyncio.get_running_loop().create_task(server.serve())

    @property
    def failed(self) -> bool:
        """Whether it has ended by itself."""
        return self._task.done()

    async def stop(self) -> None:
        """End it; requests at work are answered first."""
        self._server.stop()  # type: ignore[no-untyped-call]  # Granian's own
        with contextlib.suppress(asyncio.TimeoutError):
            await asyncio.wait_for(asyncio.shield(self._task), STOP_SECONDS)


class WebServers:
    """All web listeners of one process. `first` serves what cannot be shared (Unix sockets)."""

    def __init__(self, archive: Archive, doorway: WebDoorway, *, first: bool) -> None:
        self._archive = archive
        self._doorway = doorway
        self._items = [item for item in archive.config.web if first or not item.unix]
        self._serving: dict[WebListener, _Serving] = {}
        self.traffic = Traffic()

    async def start(self) -> None:
        """Listen everywhere. UNAVAILABLE if one address cannot be had."""
        for item in self._items:
            self._serving[item] = await self._begin(item)

    async def renew(self) -> None:
        """Serve with new certificates where the old ones end soon, or where another file was given."""
        now = dt.datetime.now(dt.UTC)
        for item, serving in list(self._serving.items()):
            if serving.not_after is not None and renewal_due(serving.not_after, now):
                self._serving[item] = await self._begin(item)
                await serving.stop()

    def facts(self) -> list[dict[str, str]]:
        """What is said of the listeners: their address and the end of their certificate."""
        return [
            {"listener": item.label, "certificate_until": serving.not_after.isoformat() if serving.not_after else ""}
            for item, serving in self._serving.items()
        ]

    async def stop(self) -> None:
        """End all."""
        await asyncio.gather(*(serving.stop() for serving in self._serving.values()))

    async def _begin(self, item: WebListener) -> _Serving:
        certified = self._certified(item) if item.tls else None
        rules = ListenerRules(item.tls, frozenset(self._names(item)), item.trusted_proxy)
        door = WebDoor(self._doorway, rules, lambda: self._archive.journal.writable, traffic=self.traffic)
        with self._secrets(item, certified) as options:
            server = Server(
                door,
                interface=Interfaces.ASGINL,
                http=HTTPModes.auto,
                websockets=False,
                log_enabled=False,
                backlog=BACKLOG,
                backpressure=BACKPRESSURE,
                http1_settings=HTTP1Settings(header_read_timeout=HEADER_MILLISECONDS, max_buffer_size=READ_BUFFER),
                http2_settings=HTTP2Settings(max_concurrent_streams=MAX_STREAMS, max_headers_size=MAX_HEADER_BYTES),
                **options,
            )
            serving = _Serving(server, certified.not_after if certified else None)
            await self._until_heard(item, serving)
        return serving

    async def _until_heard(self, item: WebListener, serving: _Serving) -> None:
        deadline = asyncio.get_running_loop().time() + START_SECONDS
        while asyncio.get_running_loop().time() < deadline and not serving.failed:
            with contextlib.suppress(OSError):
                if item.unix:
                    _, writer = await asyncio.open_unix_connection(item.unix)
                else:
                    _, writer = await asyncio.open_connection(_reachable(item.host), item.port)
                writer.close()
                return
            await asyncio.sleep(0.02)
        raise LeadglassError(ErrorCode.UNAVAILABLE, f"The web listener {item.label} cannot listen.")

    def _certified(self, item: WebListener) -> _Certified:
        if item.certificate:
            chain, key = _given(item)
        else:
            own = authority_of(self._archive.state, self._archive.keys.ca)
            issued = own.issue_server(sorted(self._names(item)), dt.datetime.now(dt.UTC))
            chain, key = issued.chain_pem, issued.key_pem
        try:
            return _Certified(chain, key, x509.load_pem_x509_certificate(chain).not_valid_after_utc)
        except ValueError:
            raise LeadglassError(ErrorCode.USAGE, f"The certificate of {item.label} is no PEM certificate.") from None

    @staticmethod
    def _names(item: WebListener) -> set[str]:
        addresses = {address for _, address in own_addresses()}
        own = addresses if item.host in ("0.0.0.0", "::") else {item.host}  # noqa: S104  # compared, not listened on
        return {*own, *item.names, "localhost"} - {""}

    @contextlib.contextmanager
    def _secrets(self, item: WebListener, certified: _Certified | None) -> Iterator[dict[str, Any]]:
        """Granian's options for address and TLS. The files it reads are gone when this ends."""
        if item.unix:
            Path(item.unix).unlink(missing_ok=True)
            yield {"uds": Path(item.unix)}
            return
        address: dict[str, Any] = {"address": item.host, "port": item.port}
        if certified is None:
            yield address
            return
        with tempfile.TemporaryDirectory(prefix="leadglass-web-", dir=_memory()) as folder:
            chain, key = Path(folder, "chain.pem"), Path(folder, "key.pem")
            chain.write_bytes(certified.chain)
            key.write_bytes(certified.key)
            yield {
                **address,
                "ssl_cert": chain,
                "ssl_key": key,
                "ssl_protocol_min": SSLProtocols.tls12,
                "ssl_ca": Path(item.client_ca) if item.client_ca else None,
                "ssl_client_verify": bool(item.client_ca),
            }


def _given(item: WebListener) -> tuple[bytes, bytes]:
    try:
        return Path(item.certificate).read_bytes(), Path(item.key).read_bytes()
    except OSError as error:
        comment = f"The certificate of {item.label} cannot be read: {error.strerror}."
        raise LeadglassError(ErrorCode.USAGE, comment) from error


def _reachable(host: str) -> str:
    return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104  # compared, not listened on


def _memory() -> str | None:
    """A file system in memory, where there is one: a key that never reaches a disk need not be wiped from it."""
    return "/dev/shm" if Path("/dev/shm").is_dir() else None  # noqa: S108  # a private folder is made in it
