"""The metrics process: tells Prometheus what the other processes say of themselves. It has no keys and opens nothing
of the archive but their `run/*.json`.

Started by the supervisor as `python -m leadglass.app.metrics_process HOME UNUSED READY_DESCRIPTOR UNUSED`.
"""

from __future__ import annotations

import asyncio
import hmac
import logging
import os
import shutil
import signal
import stat
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import uvloop
from granian.constants import Interfaces, SSLProtocols
from granian.http import HTTP1Settings
from granian.server.embed import Server
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.types import Receive, Scope, Send

from leadglass.app.config import read_config
from leadglass.app.home import Home
from leadglass.app.live import read_live, read_web
from leadglass.app.metrics_config import MetricsListener
from leadglass.app.metrics_text import MEDIA_TYPE, Seen, metrics_text
from leadglass.core.errors import ErrorCode, LeadglassError
from leadglass.web.problem import problem

SHORTEST: Final = 32  # characters of the token
LONGEST: Final = 256
START_SECONDS: Final = 10.0
HEADER_MILLISECONDS: Final = 10_000

log = logging.getLogger("leadglass")


class MetricsDoor:
    """GET /metrics for who shows the token; for all others there is nothing else to see either (ASGI 3)."""

    def __init__(self, token: Callable[[], bytes], look: Callable[[], Seen]) -> None:
        self._token = token
        self._look = look

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] == "http":
            await self._answer(Request(scope))(scope, receive, send)

    def _answer(self, request: Request) -> Response:
        if not self._known(request.headers.getlist("authorization")):
            headers = {"www-authenticate": 'Bearer realm="leadglass-metrics"'}
            return problem(401, "This needs the bearer token of the metrics.", headers)
        if request.url.path != "/metrics":
            return problem(404, "There is nothing here but /metrics.")
        if request.method != "GET":
            return problem(405, "This takes GET.", {"allow": "GET"})
        text = metrics_text(self._look())
        return PlainTextResponse(text, headers={"cache-control": "no-store"}, media_type=MEDIA_TYPE)

    def _known(self, words: list[str]) -> bool:
        try:
            token = self._token()
        except LeadglassError as error:
            log.error("%s", error.comment)
            return False
        return len(words) == 1 and hmac.compare_digest(words[0].encode("utf-8", "replace"), b"Bearer " + token)


def token_in(path: Path) -> bytes:
    """The token of a file; UNSAFE if others can read it, if it is too short or cannot be read."""
    try:
        with path.open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            token = file.read(LONGEST + 2).strip()
    except OSError as error:
        raise _unsafe(path, f"cannot be read: {error.strerror}") from error
    if stat.S_IMODE(mode) & 0o077:
        raise _unsafe(path, "can be read by others; chmod 600 it")
    if not SHORTEST <= len(token) <= LONGEST or not token.isascii() or not token.decode("ascii").isprintable():
        raise _unsafe(path, f"must hold {SHORTEST} to {LONGEST} printable characters; openssl rand -hex 32 makes them")
    return token


def look(home: Home) -> Seen:
    """What is known now."""
    usage = shutil.disk_usage(home.root)
    return Seen(read_live(home.live), read_web(home), usage.free, usage.total)


def main() -> None:
    """Run until SIGTERM or SIGINT."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    home, ready = Home(Path(sys.argv[1])), int(sys.argv[3])
    item = read_config(home.config).metrics
    if item is None:
        sys.exit(1)
    try:
        token_in(item.token_file)
        uvloop.run(_serve(home, item, ready))  # with asyncio's own loop Granian's threads abort the process at its end
    except LeadglassError as error:
        log.error("%s", error.comment)
        sys.exit(1)


async def _serve(home: Home, item: MetricsListener, ready: int) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    door = MetricsDoor(lambda: token_in(item.token_file), lambda: look(home))
    secured: dict[str, Any] = {
        "ssl_cert": Path(item.certificate),
        "ssl_key": Path(item.key),
        "ssl_protocol_min": SSLProtocols.tls12,
    }
    server = Server(
        door,
        address=item.host,
        port=item.port,
        interface=Interfaces.ASGINL,
        websockets=False,
        log_enabled=False,
        http1_settings=HTTP1Settings(header_read_timeout=HEADER_MILLISECONDS),
        **(secured if item.certificate else {}),
    )
    serving = asyncio.ensure_future(server.serve())
    await _until_heard(item, serving)
    os.write(ready, b"1")
    os.close(ready)
    await stop.wait()
    server.stop()  # type: ignore[no-untyped-call]  # Granian's own
    await serving


async def _until_heard(item: MetricsListener, serving: asyncio.Future[None]) -> None:
    deadline = asyncio.get_running_loop().time() + START_SECONDS
    while not serving.done() and asyncio.get_running_loop().time() < deadline:
        try:
            _, writer = await asyncio.open_connection(item.host, item.port)
        except OSError:
            await asyncio.sleep(0.02)
        else:
            writer.close()
            return
    raise LeadglassError(ErrorCode.UNAVAILABLE, f"The metrics cannot listen on {item.host} port {item.port}.")


def _unsafe(path: Path, what: str) -> LeadglassError:
    return LeadglassError(ErrorCode.UNSAFE, f"The metrics' token file {path} {what}.")


if __name__ == "__main__":
    main()
