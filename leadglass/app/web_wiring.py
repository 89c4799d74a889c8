"""The web door's services, put together from an opened archive."""

from __future__ import annotations

from leadglass.app.archive import Archive
from leadglass.core.errors import ErrorCode, LeadglassError
from leadglass.core.principal import Principal
from leadglass.web.doorway import WebDoorway


class Nobody:
    """Lets nobody in: there are no tokens yet."""

    async def principal(self, authorization: str, address: str) -> Principal:
        """NOT_AUTHENTICATED."""
        raise LeadglassError(ErrorCode.NOT_AUTHENTICATED, "This needs a valid bearer token.")

    def still_valid(self, principal: Principal) -> bool:
        """Nobody is."""
        return False


def doorway_of(archive: Archive) -> WebDoorway:
    """What stands behind the web door of this archive."""
    return WebDoorway(
        programs=Nobody(),
        find=archive.find,
        retrieve=archive.retrieve,
        ingest=archive.ingest,
        trash=archive.trash,
    )
