"""Reading in the viewer: from a person at the pages to a session at the viewer's origin, limited to what was opened.

The two origins share no cookie. A code goes from one to the other, once and within 30 seconds; what it becomes there
reads these studies, ends with the session it came from, and is good nowhere else.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass, field
from typing import Final, TypeVar

from leadglass.core.accounts import Account
from leadglass.core.errors import ErrorCode, LeadglassError
from leadglass.core.events import EventKind, JournalEvent
from leadglass.core.people import People
from leadglass.core.ports import Catalog, Journal
from leadglass.core.principal import Principal, Right
from leadglass.core.query import Selection
from leadglass.core.sessions import Audience, OneTimeCode, Purpose, Session
from leadglass.services.admit import Gate, use_case
from leadglass.services.one_time_codes import OneTimeCodes
from leadglass.services.sessions import MAX_AGENT, Known, Person, Sessions

MAX_OPENED: Final = 64  # studies of one viewer's session; with one more only those opened last count

_Result = TypeVar("_Result")


@dataclass(frozen=True, slots=True)
class Opened:
    """A session at the viewer's origin, by the text of its cookie; `studies` are those to be shown now."""

    cookie: str = field(repr=False)
    studies: tuple[str, ...]


class Viewing:
    """Opens studies in the viewer. `now` is in nanoseconds."""

    def __init__(
        self,
        gate: Gate,
        *,
        catalog: Catalog,
        journal: Journal,
        people: People,
        sessions: Sessions,
        codes: OneTimeCodes,
        threads: Executor,
        now: Callable[[], int] = time.time_ns,
    ) -> None:
        self.gate = gate
        self._catalog = catalog
        self._journal = journal
        self._people = people
        self._sessions = sessions
        self._codes = codes
        self._threads = threads
        self._now = now

    @use_case(Right.RETRIEVE, EventKind.USER_AUTHENTICATION)
    async def open(self, principal: Principal, selection: Selection, session: Session) -> str:
        """A code for the studies of `selection`, bound to a session of the pages, which must be the principal's own.

        NOT_FOUND if there are none within reach; USAGE if there are more than a viewer's session may have.
        """
        return await self._apart(lambda: self._code(principal, selection, session))

    async def enter(self, code: str, known: Known, shown: Person | None = None) -> Opened | None:
        """Who brings a good code gets a session; None if it is good no more, or its session or account is not.

        `shown` is whose cookie of the viewer came with it: what was opened before, in the same session of the pages,
        stays open in that browser's other windows.
        """
        return await self._apart(lambda: self._entered(code, known, shown))

    def _code(self, principal: Principal, selection: Selection, session: Session) -> str:
        if session.owner != principal.name or session.audience is not Audience.PAGES:
            raise LeadglassError(ErrorCode.NOT_AUTHORISED, "The viewer is opened from the pages, for oneself.")
        studies = self._catalog.studies_of(selection)
        if not studies:
            raise LeadglassError(ErrorCode.NOT_FOUND, "There is no such study.")
        if len(studies) > MAX_OPENED:
            raise LeadglassError(ErrorCode.USAGE, f"At most {MAX_OPENED} studies are opened at once.")
        for study in studies:
            self._note("viewer-opened", principal.name, principal.address, study)
        details = {"session": session.digest.hex(), "studies": " ".join(studies)}
        return self._codes.make(Purpose.VIEWER, session.owner, details)

    def _entered(self, text: str, known: Known, shown: Person | None) -> Opened | None:
        code = self._codes.take(text, Purpose.VIEWER)
        if code is None:
            return None
        came_from, account = self._still_there(code, known)
        if came_from is None or account is None:
            return None
        studies = tuple(code.details["studies"].split())
        opened = _with_earlier(studies, shown, came_from)
        known = Known(known.address, known.agent, opened, came_from.digest, came_from.emergency)
        cookie = self._sessions.begin(account, Audience.VIEWER, known)
        if self._people.session(came_from.digest) is None:  # it ended meanwhile, before this one could end with it
            self._people.end_sessions(digest=self._sessions.digest(cookie))
            return None
        for study in studies:
            self._note("viewer-entered", account.name, known.address, study)
        return Opened(cookie, studies)

    def _still_there(self, code: OneTimeCode, known: Known) -> tuple[Session | None, Account | None]:
        """The session that the code is of, if it is the same browser's and in force, and its account."""
        session = self._people.session(bytes.fromhex(code.details["session"]))
        if session is None or session.expires <= self._now() or session.owner != code.subject:
            return None, None
        if session.agent and session.agent != known.agent[:MAX_AGENT]:
            return None, None
        account = self._people.account(code.subject)
        return session, None if account is None or account.disabled else account

    def _note(self, what: str, name: str, address: str, study: str) -> None:
        event = JournalEvent(EventKind.USER_AUTHENTICATION, what, name, address, details={"study": study})
        self._journal.record(event)

    async def _apart(self, work: Callable[[], _Result]) -> _Result:
        return await asyncio.get_running_loop().run_in_executor(self._threads, work)


def _with_earlier(studies: tuple[str, ...], shown: Person | None, came_from: Session) -> frozenset[str]:
    """These studies, and those that the same session of the pages opened before, as far as there is room."""
    opened = frozenset(studies)
    if shown is None or shown.session.parent != came_from.digest or shown.session.owner != came_from.owner:
        return opened
    both = opened | shown.session.studies
    return both if len(both) <= MAX_OPENED else opened
