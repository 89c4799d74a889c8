"""What a page is: a line of a table, as a route is, for people in a browser."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from types import MappingProxyType
from typing import TypeAlias

from starlette.requests import Request
from starlette.responses import Response

from leadglass.core.errors import ErrorCode, LeadglassError
from leadglass.core.principal import Principal, Right
from leadglass.services.sessions import Person
from leadglass.web.doorway import WebDoorway


class Entry(Enum):
    """Who gets to a page."""

    OPEN = "open"  # everybody who reaches the listener: signing in, style sheets
    PERSON = "person"  # whoever is signed in
    FRESH = "fresh"  # whoever has proved who it is within the last five minutes


@dataclass(frozen=True, slots=True)
class Form:
    """The fields of a form, as they were typed. A name may come several times."""

    fields: Mapping[str, tuple[str, ...]] = field(default_factory=lambda: MappingProxyType({}))

    def text(self, name: str) -> str:
        """The first value, without outer white space; "" if there is none."""
        return self.secret(name).strip()

    def secret(self, name: str) -> str:
        """The first value as it is: white space is part of a password."""
        return self.fields.get(name, ("",))[0]

    def texts(self, name: str) -> tuple[str, ...]:
        """All values."""
        return self.fields.get(name, ())


@dataclass(frozen=True, slots=True)
class PageCall:
    """One request for a page. `person` is who is signed in; None only on open pages."""

    request: Request
    doorway: WebDoorway
    origin: str
    address: str
    person: Person | None = None
    form: Form = Form()

    @property
    def principal(self) -> Principal:
        """Who acts. INTERNAL on an open page: it has nobody to act for."""
        return self.who.principal

    @property
    def who(self) -> Person:
        """Who is signed in. INTERNAL on an open page."""
        if self.person is None:
            raise LeadglassError(ErrorCode.INTERNAL, "An open page acts for nobody.")
        return self.person

    def path(self, name: str) -> str:
        """A part of the path."""
        return str(self.request.path_params[name])

    @property
    def partial(self) -> bool:
        """Whether a part of a page is asked for, by htmx, to be put into the one that is shown."""
        return self.request.headers.get("hx-request") == "true" and "hx-history-restore-request" not in (
            self.request.headers
        )


PageHandler: TypeAlias = Callable[[PageCall], Awaitable[Response]]


@dataclass(frozen=True, slots=True)
class Page:
    """A method and a path (Starlette's template), who answers, and who gets there.

    `right` is needed beside being signed in, where there is one. What changes something is a POST with the session's
    CSRF token, in the form or in the header X-CSRF-Token.
    """

    method: str
    path: str
    handler: PageHandler
    entry: Entry = Entry.PERSON
    right: Right | None = None
