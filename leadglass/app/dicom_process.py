"""The DICOM process: opens the archive with the keys it is given, replays, listens, and drains when told to stop.

Started by the supervisor as `python -m leadglass.app.dicom_process HOME KEY_DESCRIPTOR READY_DESCRIPTOR`.
"""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import logging
import os
import signal
import sys
import time
from pathlib import Path

import uvloop

from leadglass import __version__
from leadglass.access.passcodes import passcode_fits
from leadglass.app.archive import Archive, open_archive
from leadglass.app.certificates import Certificates, authority_of, utc_now
from leadglass.app.config import read_config
from leadglass.app.doors import CLOSED_DOOR, Doors
from leadglass.app.expiry import endings
from leadglass.app.facts import forbid_core_dumps, gather
from leadglass.app.heap import keep_buffers
from leadglass.app.home import Home
from leadglass.app.key_pipe import read_keys
from leadglass.app.live import write_live
from leadglass.app.safety import PLAIN_RETRIEVE
from leadglass.core.errors import LeadglassError
from leadglass.core.events import EventKind, JournalEvent, Outcome
from leadglass.core.principal import SYSTEM
from leadglass.scp.doorway import Doorway
from leadglass.scp.sender import DeviceSender
from leadglass.services.admission import Admission, AdmissionSettings

TEND_SECONDS = 0.5  # with admission's own second: a disabled device's associations end within two
DRAIN_SECONDS = 30.0  # F11: stores in progress are answered before the process ends
LIVE_SECONDS = 2.0
SWITCH_INTERVAL = 0.0005  # seconds: the commit thread must not wait long for a loop that never sleeps

log = logging.getLogger("leadglass")


def main() -> None:
    """Run until SIGTERM or SIGINT."""
    forbid_core_dumps()
    keep_buffers()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    sys.setswitchinterval(SWITCH_INTERVAL)
    home, keys, ready = Home(Path(sys.argv[1])), read_keys(int(sys.argv[2])), int(sys.argv[3])
    config = read_config(home.config)
    try:
        with open_archive(home, config, keys) as archive:
            report = archive.recovery.replay(SYSTEM)
            for damage in report.damage:
                log.error("damage in segment %s at %d: %s", damage.segment, damage.offset, damage.reason)
            all_open = uvloop.run(_serve(archive, ready))
    except LeadglassError as error:
        log.error("%s", error.comment)
        sys.exit(1)
    sys.exit(0 if all_open else CLOSED_DOOR)


async def _serve(archive: Archive, ready: int) -> bool:
    """Until it is told to stop; whether every listener was open then."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    certificates = Certificates(archive.state, archive.keys.ca, archive.config)
    admission = Admission(
        archive.state,
        refusals=archive.refusals,
        settings=_settings(archive),
        matches=certificates.matches,
        passcode_fits=passcode_fits,
    )
    sender = DeviceSender(archive.config.ae_titles[0], certificates.for_dialing)
    doorway = Doorway(admission, archive.ingest, archive.find, archive.retrieve, sender, archive.journal)
    doors = Doors(doorway, certificates, archive.journal)
    await doors.open(archive.config.listeners)
    archive.journal.record(JournalEvent(EventKind.APPLICATION_ACTIVITY, "started", "leadglass"), durable=True)
    started = time.time()
    write_live(archive.home.live, _live(archive, doorway, doors, started))
    os.write(ready, b"1")
    os.close(ready)
    tending = loop.create_task(_tend(archive, doorway, doors, certificates, started))
    stopped = loop.create_task(stop.wait())
    await asyncio.wait((tending, stopped), return_when=asyncio.FIRST_COMPLETED)
    tending.cancel()
    all_open = doors.all_open
    await doors.drain(DRAIN_SECONDS)
    if not stop.is_set():
        tending.result()  # it ended by itself: what it raised goes on
    archive.journal.record(JournalEvent(EventKind.APPLICATION_ACTIVITY, "stopped", "leadglass"))
    with contextlib.suppress(OSError):
        archive.home.live.unlink()
    return all_open


def _settings(archive: Archive) -> AdmissionSettings:
    config = archive.config
    plain_retrieve = [item for item in config.overrides if item.risk == PLAIN_RETRIEVE]
    return AdmissionSettings(
        ae_titles=config.ae_titles,
        internal_networks=config.internal_networks,
        own_gateways=gather().gateways,
        plain_retrieve={item.device: item.until for item in plain_retrieve},
    )


async def _tend(archive: Archive, doorway: Doorway, doors: Doors, certificates: Certificates, started: float) -> None:
    said, warned = 0.0, dt.date.min
    while True:
        doors.recheck()
        if time.monotonic() - said >= LIVE_SECONDS:
            said = time.monotonic()
            _follow(archive, certificates)
            await _tend_doors(doors)
            warned = _warn(archive, warned)
            write_live(archive.home.live, _live(archive, doorway, doors, started))
        await asyncio.sleep(TEND_SECONDS)


def _follow(archive: Archive, certificates: Certificates) -> None:
    """Devices may have changed: trust what they trust from now on. A failure keeps the contexts that worked."""
    for failing in certificates.follow():
        where = f"{failing.item.host}:{failing.item.port}"
        log.error("The listener %s does not present its new certificate: %s", where, failing.renewal)
        details = {"listener": where, "reason": failing.renewal}
        kind, outcome = EventKind.SECURITY_ALERT, Outcome.MINOR_FAILURE
        archive.journal.record(JournalEvent(kind, "certificate-renewal-failed", "leadglass", "", outcome, details))


async def _tend_doors(doors: Doors) -> None:
    """A listener that cannot be opened again now is tried again; the others go on."""
    try:
        await doors.tend()
    except LeadglassError as error:
        log.error("%s", error.comment)


def _warn(archive: Archive, warned: dt.date) -> dt.date:
    """Journal once a day which certificates have expired or soon will; the day for which it was done."""
    now = utc_now()
    if now.date() == warned:
        return warned
    authority_until = authority_of(archive.state, archive.keys.ca).not_after
    try:
        found = endings(archive.config, archive.state.devices(), authority_until, now)
    except LeadglassError as error:  # a file that cannot be read; its listener has said so too
        log.error("%s", error.comment)
        found = []
    for ending in found:
        log.warning("%s", ending.sentence)
        archive.journal.record(ending.event())
    return now.date()


def _live(archive: Archive, doorway: Doorway, doors: Doors, started: float) -> dict[str, object]:
    counters = doorway.counters
    return {
        "pid": os.getpid(),
        "version": __version__,
        "started": started,
        "listeners": doors.facts(),
        "connections": len(doors.connections),
        "associations": counters.associations,
        "failed": counters.failed,
        "refused": counters.refused,
        "journal_writable": archive.journal.writable,
        "ingest": dict(archive.ingest.facts),
        "authority_until": authority_of(archive.state, archive.keys.ca).not_after.isoformat(),
    }


if __name__ == "__main__":
    main()
