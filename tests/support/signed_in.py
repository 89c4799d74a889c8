"""People for tests: accounts made in the state, sessions begun without a password, a client with the cookie."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import httpx

from leadglass.app.archive import Archive
from leadglass.app.web_wiring import doorway_of
from leadglass.core.accounts import Account, Role
from leadglass.core.sessions import Audience
from leadglass.services.sessions import Known, Person
from leadglass.web.app import WebDoor
from leadglass.web.browser import COOKIES
from leadglass.web.desk import ARCHIVE, Desk
from leadglass.web.guard import ListenerRules

ORIGIN = "http://localhost:8042"
RULES = ListenerRules(tls=False, names=frozenset())
FROM_HERE = {"origin": ORIGIN, "sec-fetch-site": "same-origin"}
HTML = {"accept": "text/html"}


@dataclass(frozen=True)
class Somebody:
    """Somebody who is signed in: the text of the cookie and the CSRF token."""

    account: Account
    cookie: str
    csrf: str

    @property
    def headers(self) -> dict[str, str]:
        """What their browser sends with every request."""
        return {"cookie": f"{COOKIES[Audience.PAGES]}={self.cookie}", **HTML}

    @property
    def changing(self) -> dict[str, str]:
        """What their browser sends with a form of ours."""
        return {**self.headers, **FROM_HERE, "x-csrf-token": self.csrf}


def account(archive: Archive, name: str, *roles: Role, **changes: object) -> Account:
    """A new account; where there is one of that name, another name like it."""
    for number in itertools.count(1):
        called = name if number == 1 else f"{name}-{number}"
        made = Account(called, name.title(), frozenset(roles), 1, "test", **changes)  # type: ignore[arg-type]
        if archive.state.people.add_account(made):
            return made
    raise AssertionError


def signed_in(archive: Archive, name: str, *roles: Role, **changes: object) -> Somebody:
    """A new account, signed in."""
    return again(archive, account(archive, name, *roles, **changes))


def again(
    archive: Archive, owner: Account, audience: Audience = Audience.PAGES, known: Known | None = None
) -> Somebody:
    """A further session of an account."""
    cookie = archive.sessions.begin(owner, audience, known or Known())
    person = archive.sessions.person(cookie, audience, "")
    assert isinstance(person, Person)
    return Somebody(owner, cookie, person.csrf)


def client(archive: Archive, desk: Desk = ARCHIVE, address: str = "192.0.2.9") -> httpx.AsyncClient:
    """A client of the web door without any cookie; it follows no redirect."""
    door = WebDoor(doorway_of(archive), RULES, lambda: True, desk)
    return httpx.AsyncClient(transport=httpx.ASGITransport(door, client=(address, 40_000)), base_url=ORIGIN)
