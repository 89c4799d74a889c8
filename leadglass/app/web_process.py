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
from typing import Any

import uvloop

from leadglass.app.archive import Archive, open_archive
from leadglass.app.certificates import Certificates
from leadglass.app.config import read_config
from leadglass.app.doors import CLOSED_DOOR
from leadglass.app.facts import forbid_core_dumps
from leadglass.app.heap import keep_buffers
from leadglass.app.home import Home
from leadglass.app.key_pipe import read_keys
from leadglass.app.live import write_live
from leadglass.app.shared_ledger import SharedLedger
from leadglass.app.web_doors import WebDoors
from leadglass.app.web_wiring import doorway_of
from leadglass.core.errors import LeadglassError
from leadglass.services.programs import USES_SECONDS
from leadglass.web.app import WebDoor
from leadglass.web.desk import DESKS
from leadglass.web.traffic import Traffic

TEND_SECONDS = 2.0  # how often certificates are looked at, and told how it goes
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
            all_open = uvloop.run(_serve(archive, ready, int(sys.argv[4])))
    except LeadglassError as error:
        log.error("%s", error.comment)
        sys.exit(1)
    sys.exit(0 if all_open else CLOSED_DOOR)


async def _serve(archive: Archive, ready: int, number: int) -> bool:
    """Until it is told to stop; whether every listener was open then."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for name in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(name, stop.set)
    live, traffic = archive.home.live_web(number), Traffic()
    doors = _doors(archive, traffic, number)
    await doors.open()
    _tell(archive, doors, traffic, live)
    os.write(ready, b"1")
    os.close(ready)
    tasks: list[asyncio.Task[Any]] = [
        loop.create_task(work) for work in (_tend(archive, doors, traffic, live), _write_uses(archive))
    ]
    waiting = [*tasks, loop.create_task(stop.wait())]
    ended, _ = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
    for task in tasks:
        task.cancel()
    all_open = doors.all_open
    await doors.stop()
    live.unlink(missing_ok=True)
    for task in ended:
        task.result()  # one that ended by itself: what it raised goes on
    return all_open


def _doors(archive: Archive, traffic: Traffic, number: int) -> WebDoors:
    """The listeners of this process; the first one serves what cannot be shared (Unix sockets)."""
    first = number == 1
    doorway = doorway_of(archive, SharedLedger(archive.home.quotas, number))
    return WebDoors(
        [item for item in archive.config.web if first or not item.unix],
        Certificates(archive.state, archive.keys.ca, archive.config),
        lambda rules: WebDoor(doorway, rules, lambda: archive.journal.writable, DESKS[rules.serves], traffic),
        archive.journal,
        first=first,
    )


async def _tend(archive: Archive, doors: WebDoors, traffic: Traffic, live: Path) -> None:
    while True:
        await asyncio.sleep(TEND_SECONDS)
        await doors.tend()
        _tell(archive, doors, traffic, live)


def _tell(archive: Archive, doors: WebDoors, traffic: Traffic, live: Path) -> None:
    """Say how it goes, for `status` and the metrics: counts, nothing of anybody."""
    facts = {
        "pid": os.getpid(),
        "listeners": doors.facts(),
        "traffic": traffic.facts(),
        "ingest": dict(archive.ingest.facts),
        "journal_writable": archive.journal.writable,
    }
    with contextlib.suppress(OSError):  # a full disk; the metrics tell of that too
        write_live(live, facts)


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
