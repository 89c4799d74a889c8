"""An archive with its DICOM door open in the test's own process and event loop: new ones are cheap."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator

from archives import opened

from leadglass.app.home import Home
from leadglass.net.listener import ListenOptions, listen
from leadglass.scp.association import AssociationHandler
from leadglass.scp.doorway import Doorway
from leadglass.scp.sender import DeviceSender
from leadglass.services.admission import Admission, AdmissionSettings


@contextlib.asynccontextmanager
async def hosted(home: Home) -> AsyncIterator[int]:
    """Listen on a free port of loopback for plain DICOM; the port. Every device may retrieve."""
    with opened(home) as archive:
        settings = AdmissionSettings(
            ae_titles=archive.config.ae_titles,
            internal_networks=(),
            own_gateways=(),
            plain_retrieve={item.device: item.until for item in archive.config.overrides if item.device},
        )
        admission = Admission(
            archive.state,
            refusals=archive.refusals,
            settings=settings,
            matches=lambda certificate, device: False,
            passcode_fits=lambda passcode, stored: False,
        )
        sender = DeviceSender(archive.config.ae_titles[0], lambda device: None)
        doorway = Doorway(admission, archive.ingest, archive.find, archive.retrieve, sender, archive.journal)
        options = ListenOptions(admission=admission.is_device_address)
        listener = await listen("127.0.0.1", 0, lambda: AssociationHandler(doorway), options)
        try:
            yield listener.port
        finally:
            await listener.drain(5)
