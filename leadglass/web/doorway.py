"""What stands behind the web door: the use cases it translates for, handed in by the composition root."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Protocol

from starlette.requests import Request

from leadglass.core.limits import MAX_INSTANCE, MAX_UPLOAD_MEMORY
from leadglass.core.principal import Principal
from leadglass.services.accounts import Accounts
from leadglass.services.budget import BufferBudget
from leadglass.services.credentials import Credentials
from leadglass.services.device_test import DeviceTest
from leadglass.services.devices import DeviceRegister
from leadglass.services.exports import Exports
from leadglass.services.find import Find
from leadglass.services.frames import Frames
from leadglass.services.ingest import Ingest
from leadglass.services.journal_reading import JournalReading
from leadglass.services.maintenance import Maintenance
from leadglass.services.metadata import Metadata
from leadglass.services.oversight import Oversight
from leadglass.services.own_account import OwnAccount
from leadglass.services.provider_sign_in import ProviderSignIn
from leadglass.services.quotas import Lease, Quotas
from leadglass.services.refused import RefusedCallers
from leadglass.services.render import Render
from leadglass.services.retrieve import Retrieve
from leadglass.services.sending import Sending
from leadglass.services.sessions import Person, Sessions
from leadglass.services.share_entrance import ShareEntrance
from leadglass.services.shares import Shares
from leadglass.services.sign_in import SignIn
from leadglass.services.studies import Studies
from leadglass.services.tokens import Tokens
from leadglass.services.trash import Trash
from leadglass.services.viewing import Viewing
from leadglass.web.body import BodyLimits
from leadglass.web.neighbour import Neighbour
from leadglass.web.urls import BASE
from leadglass.web.viewer.site import ViewerSite

_OURS: Final = re.compile(rf"{re.escape(BASE)}/[0-9A-Za-z./,-]{{1,1024}}", re.ASCII)


class Authenticator(Protocol):
    """From the bearer's words to a principal (services.programs)."""

    async def principal(self, authorization: str, address: str) -> Principal:
        """Who sends this Authorization header from `address`. LeadglassError NOT_AUTHENTICATED, always the same."""
        ...

    def still_valid(self, principal: Principal) -> bool:
        """Whether the principal's rights are as they were when it was let in: asked again by long answers."""
        ...


@dataclass(frozen=True, slots=True)
class Uploads:
    """What is taken of a request: bounds of the whole body, of one instance, and of what waits in memory."""

    body: BodyLimits = field(default_factory=BodyLimits)
    instance: int = MAX_INSTANCE
    memory: BufferBudget = field(default_factory=lambda: BufferBudget(MAX_UPLOAD_MEMORY))


@dataclass(frozen=True, slots=True)
class AdminServices:
    """What the pages of the administration stand before."""

    accounts: Accounts
    tokens: Tokens
    journal: JournalReading
    devices: DeviceRegister
    credentials: Credentials
    device_test: DeviceTest
    refused: RefusedCallers
    oversight: Oversight
    maintenance: Maintenance


@dataclass(frozen=True, slots=True)
class WebDoorway:
    """The services of one archive, as the web door uses them."""

    programs: Authenticator
    find: Find
    retrieve: Retrieve
    metadata: Metadata
    frames: Frames
    render: Render
    ingest: Ingest
    trash: Trash
    sessions: Sessions
    sign_in: SignIn
    own_account: OwnAccount
    viewing: Viewing
    studies: Studies
    sending: Sending
    shares: Shares
    share_entrance: ShareEntrance
    exports: Exports
    admin: AdminServices
    uploads: Uploads = field(default_factory=Uploads)
    quotas: Quotas = field(default_factory=Quotas)
    conformance: Mapping[str, bytes] = field(default_factory=dict)  # the statement by media type, the plainest first
    viewer: ViewerSite = field(default_factory=ViewerSite)
    shares_site: Neighbour = field(default_factory=Neighbour)
    provider: ProviderSignIn | None = None  # where people sign in beside here


@dataclass(frozen=True, slots=True)
class Call:
    """One request of somebody who was let in."""

    request: Request
    principal: Principal
    doorway: WebDoorway
    origin: str = ""  # scheme and host as the client sees them, for the URLs in answers
    person: Person | None = None  # who is signed in, if the principal is a person
    lease: Lease | None = None  # what counts against the quota

    def still_valid(self) -> bool:
        """Whether who asks would be let in now, with the same rights: long answers ask again and again."""
        if self.person is not None:
            return self.doorway.sessions.still_valid(self.person)
        return self.doorway.programs.still_valid(self.principal)

    async def received(self, size: int) -> None:
        """So many bytes of the request's body have come; waits until more may."""
        if self.lease is not None:
            await self.lease.moved(size)

    def path(self, name: str) -> str:
        """A part of the path."""
        return str(self.request.path_params[name])

    @property
    def location(self) -> Mapping[str, str]:
        """Content-Location (PS3.18 8.4.3) of an answer that is the very resource that the path names. None of it is
        what a client made up: where the path holds what no URL of ours does there is no such header."""
        path = str(self.request.scope["path"])
        return {"content-location": self.origin + path} if _OURS.fullmatch(path) else {}
