"""The web door's services, put together from an opened archive."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict

from leadglass.app.archive import Archive
from leadglass.app.conformance import texts
from leadglass.app.web_config import WebListener
from leadglass.services.quota_ledger import Ledger
from leadglass.services.quotas import Quotas
from leadglass.web.body import BodyLimits
from leadglass.web.doorway import AdminServices, Uploads, WebDoorway
from leadglass.web.neighbour import Neighbour
from leadglass.web.viewer.files import read_viewer
from leadglass.web.viewer.site import ViewerSite


def doorway_of(archive: Archive, ledger: Ledger | None = None) -> WebDoorway:
    """What stands behind the web door of this archive; quotas are kept in `ledger`, by default one of our own."""
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
        quotas=Quotas(archive.config.web_limits, refusals=archive.refusals, ledger=ledger),
        conformance=texts(),
        sessions=archive.sessions,
        viewing=archive.viewing,
        studies=archive.studies,
        sending=archive.sending,
        shares=archive.shares,
        share_entrance=archive.share_entrance,
        exports=archive.exports,
        shares_site=_beside(archive.config.web, "shares"),
        viewer=_viewer(archive.config.web),
        admin=_admin(archive),
        sign_in=archive.sign_in,
        own_account=archive.own_account,
        provider=archive.provider_sign_in,
    )


def _viewer(listeners: Iterable[WebListener]) -> ViewerSite:
    """OHIF's files, and where they are served."""
    beside = _beside(listeners, "viewer")
    return ViewerSite(read_viewer(), **asdict(beside)) if beside.listens else ViewerSite()


def _beside(listeners: Iterable[WebListener], serves: str) -> Neighbour:
    """The first listener that is for this."""
    item = next((item for item in listeners if item.serves == serves), None)
    return Neighbour() if item is None else Neighbour(listens=True, tls=item.tls, port=item.port, public=item.public)


def _admin(archive: Archive) -> AdminServices:
    return AdminServices(
        accounts=archive.accounts,
        tokens=archive.tokens,
        journal=archive.journal_reading,
        devices=archive.devices,
        credentials=archive.credentials,
        device_test=archive.device_test,
        refused=archive.refused,
        oversight=archive.oversight,
        maintenance=archive.maintenance,
    )
