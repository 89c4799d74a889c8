"""The web door's services, put together from an opened archive."""

from __future__ import annotations

from leadglass.app.archive import Archive
from leadglass.app.conformance import texts
from leadglass.services.quotas import Quotas
from leadglass.web.body import BodyLimits
from leadglass.web.doorway import Uploads, WebDoorway


def doorway_of(archive: Archive) -> WebDoorway:
    """What stands behind the web door of this archive."""
    bounds = archive.config.uploads
    return WebDoorway(
        programs=archive.programs,
        find=archive.find,
        retrieve=archive.retrieve,
        metadata=archive.metadata,
        frames=archive.frames,
        render=archive.render,
        ingest=archive.ingest,
        trash=archive.trash,
        uploads=Uploads(BodyLimits(bounds.request), bounds.instance),
        quotas=Quotas(archive.config.web_limits, refusals=archive.refusals),
        conformance=texts(),
        sessions=archive.sessions,
    )
