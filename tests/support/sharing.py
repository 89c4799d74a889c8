"""A person who shares, and strangers who open, for tests: with a clock of the test's own over an archive."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

from objects import study_uid
from people_support import Moments
from programs_support import Sink

from leadglass.app.archive import Archive
from leadglass.core.accounts import Account, Role
from leadglass.core.principal import Principal
from leadglass.core.sessions import Audience
from leadglass.core.shares import Share
from leadglass.core.tokens import Grant
from leadglass.services.sessions import Known, Person, Sessions
from leadglass.services.share_entrance import ShareEntrance
from leadglass.services.shares import MadeShare, Shares, WantedShare

STRANGER = Known("198.51.100.9", "a stranger's browser")


class Sharing:
    """One archive, one person (`rossi`) who was granted studies 1 and 2."""

    def __init__(self, archive: Archive) -> None:
        self.archive, self.clock, self.sink = archive, Moments(), Sink()
        self.people, key = archive.state.people, archive.keys.token
        self.sessions = Sessions(self.people, archive.state, key, self.clock)
        self.shares = Shares(
            archive.gate,
            people=self.people,
            state=archive.state,
            catalog=archive.catalog,
            journal=archive.journal,
            token_key=key,
            now=self.clock,
        )
        self.entrance = ShareEntrance(
            self.people,
            self.sessions,
            journal=archive.journal,
            refusals=self.sink,
            token_key=key,
            threads=ThreadPoolExecutor(2),
            now=self.clock,
        )
        made = Account("rossi", "Anna Rossi", frozenset({Role.CLINICIAN}), 1, "set-up")
        assert self.people.add_account(made)
        for number in (1, 2):
            archive.state.put_grant(Grant("rossi", study_uid(number)))
        self.account = made

    def sharer(self) -> Principal:
        """Who shares, as a session at the pages makes it."""
        cookie = self.sessions.begin(self.account, Audience.PAGES, Known("192.0.2.7"))
        person = self.sessions.person(cookie, Audience.PAGES, "192.0.2.7")
        assert person is not None
        return person.principal

    def make(self, *numbers: int, **changes: object) -> MadeShare:
        """A share of these studies (1 unless said)."""
        wanted = WantedShare("Dr. Verdi, Studio Est", tuple(study_uid(number) for number in numbers or (1,)))
        return self.shares.create(self.sharer(), replace(wanted, **changes))  # type: ignore[arg-type]

    async def opened(self, made: MadeShare) -> str:
        """The cookie of a stranger who opened it."""
        return (await self.entrance.open(made.link, made.passcode, STRANGER)).cookie

    def stranger(self, cookie: str) -> Person | None:
        """Who this cookie is now."""
        return self.sessions.person(cookie, Audience.SHARE, "198.51.100.9")

    def kept(self, made: MadeShare) -> Share:
        """The share as it is kept."""
        share = self.people.share(made.share.identifier)
        assert share is not None
        return share
