"""A web process: opens the archive with the keys it is given and answers DICOMweb on every web listener.

Started by the supervisor as `python -m leadglass.app.web_process HOME KEY_DESCRIPTOR READY_DESCRIPTOR NUMBER`, as many
times as there are processors to feed (two at most); they share the ports. The HTTP server is
Granian (docs/decisions/0009).
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import sys
from pathlib import Path

import uvloop

from leadglass.app.archive import Archive, open_archive
from leadglass.app.config import read_config
from leadglass.app.facts import forbid_core_dumps
from leadglass.app.heap import keep_buffers
from leadglass.app.home import Home
from leadglass.app.key_pipe import read_keys
from leadglass.app.live import write_live
from leadglass.app.web_server import WebServers
from leadglass.app.web_wiring import doorway_of
from leadglass.core.errors import LeadglassError
from leadglass.services.programs import USES_SECONDS

LIVE_SECONDS = 2.0
RENEWAL_SECONDS = 3600.0  # how often certificates are looked at
SWITCH_INTERVAL = 0.0005  # seconds: decryption in threads must not wait long for the loop

log = logging.getLogger("leadglass")


def main() -> None:
    """Run until SIGTERM or SIGINT."""
    forbid_core_dumps()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    sys.setswitchinterval(SWITCH_INTERVAL)
    keep_buffers()
    home, keys, ready = Home(Path(sys.argv[1])), read_keys(int(sys.argv[2])), int(sys.argv[3])
    config = read_config(home.config)
    try:
        with open_archive(home, config, keys) as archive:
            uvloop.run(_serve(archive, ready, int(sys.argv[4])))
    except LeadglassError as error:
        log.error("%s", error.comment)
        sys.exit(1)


async def _serve(archive: Archive, ready: int, number: int) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for name in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(name, stop.set)
    servers = WebServers(archive, doorway_of(archive), first=number == 1)
    await servers.start()
    os.write(ready, b"1")
    os.close(ready)
    live = archive.home.live_web(number)
    works = (_renew(servers), _write_uses(archive), _tell(archive, servers, live))
    tasks = [loop.create_task(work) for work in works]
    await stop.wait()
    for task in tasks:
        task.cancel()
    await servers.stop()
    live.unlink(missing_ok=True)


async def _renew(servers: WebServers) -> None:
    while True:
        await asyncio.sleep(RENEWAL_SECONDS)
        await servers.renew()


async def _tell(archive: Archive, servers: WebServers, live: Path) -> None:
    """Say how it goes, for `status` and the metrics: counts, nothing of anybody."""
    while True:
        facts = {
            "pid": os.getpid(),
            "listeners": servers.facts(),
            "traffic": servers.traffic.facts(),
            "ingest": dict(archive.ingest.facts),
            "journal_writable": archive.journal.writable,
        }
        with contextlib.suppress(OSError):  # a full disk; the metrics tell of that too
            write_live(live, facts)
        await asyncio.sleep(LIVE_SECONDS)


async def _write_uses(archive: Archive) -> None:
    loop = asyncio.get_running_loop()
    while True:
        await asyncio.sleep(USES_SECONDS)
        try:
            await loop.run_in_executor(archive.threads, archive.programs.write_uses)
        except LeadglassError as error:
            log.error("last uses of tokens were not written: %s", error.comment)


if __name__ == "__main__":
    main()
