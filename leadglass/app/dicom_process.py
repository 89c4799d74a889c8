"""The DICOM process: opens the archive with the keys it is given, replays, listens, and drains when told to stop.

Started by the supervisor as `python -m leadglass.app.dicom_process HOME KEY_DESCRIPTOR READY_DESCRIPTOR`.
"""

from __future__ import annotations

import asyncio
import contextlib
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
from leadglass.app.certificates import Certificates
from leadglass.app.config import ListenerConfig, read_config
from leadglass.app.facts import forbid_core_dumps, gather
from leadglass.app.home import Home
from leadglass.app.key_pipe import read_keys
from leadglass.app.live import write_live
from leadglass.core.errors import LeadglassError
from leadglass.core.events import EventKind, JournalEvent
from leadglass.core.principal import SYSTEM
from leadglass.net.listener import Listener, ListenOptions, listen
from leadglass.scp.association import AssociationHandler
from leadglass.scp.doorway import Doorway
from leadglass.scp.sender import DeviceSender
from leadglass.services.admission import Admission, AdmissionSettings

DRAIN_SECONDS = 30.0  # F11: stores in progress are answered before the process ends
LIVE_SECONDS = 2.0
SWITCH_INTERVAL = 0.0005  # seconds: the commit thread must not wait long for a loop that never sleeps

log = logging.getLogger("leadglass")


def main() -> None:
    """Run until SIGTERM or SIGINT."""
    forbid_core_dumps()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    sys.setswitchinterval(SWITCH_INTERVAL)
    home, keys, ready = Home(Path(sys.argv[1])), read_keys(int(sys.argv[2])), int(sys.argv[3])
    config = read_config(home.config)
    try:
        with open_archive(home, config, keys) as archive:
            report = archive.recovery.replay(SYSTEM)
            for damage in report.damage:
                log.error("damage in segment %s at %d: %s", damage.segment, damage.offset, damage.reason)
            uvloop.run(_serve(archive, ready))
    except LeadglassError as error:
        log.error("%s", error.comment)
        sys.exit(1)


async def _serve(archive: Archive, ready: int) -> None:
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
    listeners = [await _listen(item, doorway, certificates) for item in archive.config.listeners]
    archive.journal.record(JournalEvent(EventKind.APPLICATION_ACTIVITY, "started", "leadglass"), durable=True)
    os.write(ready, b"1")
    os.close(ready)
    says = loop.create_task(_say(archive, doorway, listeners, certificates))
    await stop.wait()
    await asyncio.gather(*(listener.drain(DRAIN_SECONDS) for listener in listeners))
    says.cancel()
    archive.journal.record(JournalEvent(EventKind.APPLICATION_ACTIVITY, "stopped", "leadglass"))
    with contextlib.suppress(OSError):
        archive.home.live.unlink()


def _settings(archive: Archive) -> AdmissionSettings:
    config = archive.config
    plain_retrieve = [item for item in config.overrides if item.risk == "plain-retrieve"]
    return AdmissionSettings(
        ae_titles=config.ae_titles,
        internal_networks=config.internal_networks,
        own_gateways=gather().gateways,
        plain_retrieve={item.device: item.until for item in plain_retrieve},
    )


async def _listen(item: ListenerConfig, doorway: Doorway, certificates: Certificates) -> Listener:
    options = ListenOptions(
        ssl_context=certificates.for_listening(item) if item.tls else None,
        admission=doorway.admission.is_device_address,
    )
    return await listen(item.host, item.port, lambda: AssociationHandler(doorway), options)


def _follow(certificates: Certificates) -> None:
    """Devices may have changed: trust what they trust from now on. A failure keeps the contexts that worked."""
    try:
        certificates.follow()
    except (LeadglassError, OSError, ValueError) as error:
        log.error("certificates were not renewed: %s", type(error).__name__)


async def _say(archive: Archive, doorway: Doorway, listeners: list[Listener], certificates: Certificates) -> None:
    started = time.time()
    while True:
        _follow(certificates)
        counters = doorway.counters
        write_live(
            archive.home.live,
            {
                "pid": os.getpid(),
                "version": __version__,
                "started": started,
                "listeners": [[listener.host, listener.port] for listener in listeners],
                "connections": sum(len(listener.connections) for listener in listeners),
                "associations": counters.associations,
                "stored": counters.stored,
                "failed": counters.failed,
                "refused": counters.refused,
                "journal_writable": archive.journal.writable,
            },
        )
        await asyncio.sleep(LIVE_SECONDS)


if __name__ == "__main__":
    main()
