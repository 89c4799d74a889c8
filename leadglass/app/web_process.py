"""A web process: opens the archive with the keys it is given and answers DICOMweb on every web listener.

Started by the supervisor as `python -m leadglass.app.web_process HOME KEY_DESCRIPTOR READY_DESCRIPTOR NUMBER`, as many
times as there are processors to feed (two at most); they share the ports. The HTTP server is
Granian (docs/decisions/0009).
"""

from __future__ import annotations

import asyncio
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
from leadglass.app.web_server import WebServers
from leadglass.app.web_wiring import doorway_of
from leadglass.core.errors import LeadglassError
from leadglass.services.programs import USES_SECONDS

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
            uvloop.run(_serve(archive, ready, first=int(sys.argv[4]) == 1))
    except LeadglassError as error:
        log.error("%s", error.comment)
        sys.exit(1)


async def _serve(archive: Archive, ready: int, *, first: bool) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    servers = WebServers(archive, doorway_of(archive), first=first)
    await servers.start()
    os.write(ready, b"1")
    os.close(ready)
    tasks = [loop.create_task(_renew(servers)), loop.create_task(_write_uses(archive))]
    await stop.wait()
    for task in tasks:
        task.cancel()
    await servers.stop()


async def _renew(servers: WebServers) -> None:
    while True:
        await asyncio.sleep(RENEWAL_SECONDS)
        await servers.renew()


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
