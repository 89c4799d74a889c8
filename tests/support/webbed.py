"""An opened archive with its web door in the test's own process: requests go straight into the application."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import AsyncIterator, Iterable

import httpx

from leadglass.app.archive import Archive
from leadglass.app.web_wiring import doorway_of
from leadglass.core.errors import ErrorCode, LeadglassError
from leadglass.core.principal import Principal, PrincipalKind, Right
from leadglass.core.reach import EVERYTHING, Reach
from leadglass.web.app import WebDoor
from leadglass.web.doorway import Uploads
from leadglass.web.guard import ListenerRules

ALL = frozenset(Right)


class Known:
    """Lets in the principals it was made with, each by its name as bearer token."""

    def __init__(self, principals: Iterable[Principal]) -> None:
        self._by_header = {f"Bearer {principal.name}": principal for principal in principals}

    async def principal(self, authorization: str, address: str) -> Principal:
        try:
            return self._by_header[authorization]
        except KeyError:
            raise LeadglassError(ErrorCode.NOT_AUTHENTICATED, "This needs a valid bearer token.") from None

    def still_valid(self, principal: Principal) -> bool:
        return True


def program(name: str, rights: frozenset[Right] = ALL, reach: Reach = EVERYTHING) -> Principal:
    """A program that may do everything, unless told otherwise."""
    return Principal(PrincipalKind.OPERATOR, name, rights, "127.0.0.1", reach=reach)


@contextlib.asynccontextmanager
async def client(
    archive: Archive, *principals: Principal, uploads: Uploads | None = None
) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the archive's web door, signed in as the first of `principals` (by default one that may all)."""
    known = principals or (program("tester"),)
    made = doorway_of(archive)
    doorway = dataclasses.replace(made, programs=Known(known), uploads=uploads or made.uploads)
    door = WebDoor(doorway, ListenerRules(tls=False, names=frozenset()), lambda: True)
    headers = {"authorization": f"Bearer {known[0].name}"}
    transport = httpx.ASGITransport(door, raise_app_exceptions=True)
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost:8042", headers=headers) as http:
        yield http
