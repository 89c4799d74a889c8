"""How strangers get in by a share: a link and its passcode make a session that reads what the share shows, no more.

Whoever brings a wrong passcode gets one answer, whatever the link is: never made, over, revoked, locked. Each passcode
is hashed, where there is nothing to compare it with too, so that the time tells nothing either; every miss at a share
that there is, in whatever state, is counted by the same write. Only who has the passcode is told why nothing is shown.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass, field, replace
from typing import Final, NoReturn

from leadglass.access.passwords import password_fits
from leadglass.access.share_links import link_digest, plain_passcode
from leadglass.core.errors import ErrorCode, LeadglassError
from leadglass.core.events import EventKind, JournalEvent, Outcome
from leadglass.core.people import People
from leadglass.core.ports import Journal
from leadglass.core.shares import MOST_MISSES, MOST_SHOWN, Opening, Share, ShareState
from leadglass.services.admission import EventSink
from leadglass.services.programs import network_of
from leadglass.services.sessions import MAX_AGENT, Known, Person, Sessions

MAX_WAITING: Final = 32  # passcodes that wait to be hashed, all together
MAX_OF_ONE: Final = 4  # of one network: nobody keeps the others waiting

WRONG: Final = "This link or passcode is not right, or nothing is shared by it any more."
BUSY: Final = "Too many people are opening shares at this moment; try again."
REVOKED: Final = "This share was taken back by who made it."
LOCKED: Final = "This share was locked because a wrong passcode was tried too often; ask for a new one."
EXPIRED: Final = "This share has expired; ask for a new one."
USED_UP: Final = "This share was opened as often as it may be; ask for a new one."
OVER: Final = {
    ShareState.REVOKED: REVOKED,
    ShareState.LOCKED: LOCKED,
    ShareState.EXPIRED: EXPIRED,
    ShareState.USED_UP: USED_UP,
}
GONE: Final = "What was shared is not to be seen at this time; ask who sent you the link."


@dataclass(frozen=True, slots=True)
class OpenedShare:
    """A share that was opened. `cookie` is its session's, and nowhere else."""

    share: Share
    cookie: str = field(repr=False)


class ShareEntrance:
    """Lets in who holds a share's link and passcode. Not a use case: it is how principals come to be."""

    def __init__(
        self,
        people: People,
        sessions: Sessions,
        *,
        journal: Journal,
        refusals: EventSink,
        token_key: bytes,
        threads: Executor,
        now: Callable[[], int] = time.time_ns,
    ) -> None:
        """`threads` are for passcodes alone: strangers must not keep people from signing in. `now` in nanoseconds."""
        self._people = people
        self._sessions = sessions
        self._journal = journal
        self._refusals = refusals
        self._key = token_key
        self._threads = threads
        self._now = now
        self._waiting: Counter[str] = Counter()

    async def open(self, link: str, passcode: str, known: Known) -> OpenedShare:
        """Open a share, which counts. NOT_AUTHENTICATED, always the same, for what is wrong; NOT_AUTHORISED, with the
        reason, if the passcode is right and the share shows nothing; OUT_OF_RESOURCES if too much waits."""
        network = network_of(known.address)
        if self._waiting.total() >= MAX_WAITING or self._waiting[network] >= MAX_OF_ONE:
            raise LeadglassError(ErrorCode.OUT_OF_RESOURCES, BUSY)
        self._waiting[network] += 1
        try:
            loop = asyncio.get_running_loop()
            return await loop.run_in_executor(self._threads, self._opened, link, passcode, known)
        finally:
            self._waiting[network] -= 1
            if not self._waiting[network]:
                del self._waiting[network]

    def download(self, person: Person, study_uid: str) -> None:
        """Return if the share of `person` may be downloaded: it is in the journal then. NOT_AUTHORISED otherwise."""
        share = person.share
        if share is None or not share.download:
            raise LeadglassError(ErrorCode.NOT_AUTHORISED, "This was shared to be looked at, not to be downloaded.")
        self._note(EventKind.DATA_EXPORT, "share-downloaded", share, person.principal.address, study_uid=study_uid)

    def _opened(self, link: str, passcode: str, known: Known) -> OpenedShare:
        share = self._people.share_by_link(link_digest(self._key, link))
        fits = password_fits(plain_passcode(passcode), "" if share is None else share.passcode)
        if share is None:
            self._refuse("unknown", known)
        if not fits:
            self._missed(share, known)
        why = share.state(self._now())
        if why is not ShareState.OPEN:
            self._note(EventKind.SECURITY_ALERT, "share-not-open", share, known.address, state=why.value)
            raise LeadglassError(ErrorCode.NOT_AUTHORISED, OVER[why])
        return self._counted(share, known)

    def _counted(self, share: Share, known: Known) -> OpenedShare:
        """Nothing is shown before it is in the journal."""
        if not self._sessions.share_shows(share):
            self._note(EventKind.SECURITY_ALERT, "share-not-open", share, known.address, state="sharer")
            raise LeadglassError(ErrorCode.NOT_AUTHORISED, GONE)
        for study in share.studies:
            self._note(EventKind.DATA_EXPORT, "share-opened", share, known.address, study_uid=study)
        opening = Opening(self._now(), known.address, known.agent[:MAX_AGENT])
        counted = self._people.change_share(share.identifier, lambda kept: _opened_once_more(kept, opening))
        if counted is None:
            raise LeadglassError(ErrorCode.NOT_AUTHENTICATED, WRONG)
        return OpenedShare(counted, self._sessions.begin_shared(counted, known))

    def _missed(self, share: Share, known: Known) -> NoReturn:
        def count(kept: Share) -> Share:
            return replace(kept, misses=min(kept.misses + 1, MOST_MISSES))

        counted = self._people.change_share(share.identifier, count)
        if counted is not None and counted.misses >= MOST_MISSES > share.misses:
            self._note(EventKind.SECURITY_ALERT, "share-locked", share, known.address)
        self._refuse("passcode", known, share=share.identifier)

    def _refuse(self, reason: str, known: Known, **details: str) -> NoReturn:
        kind, what = EventKind.USER_AUTHENTICATION, "share-refused"
        event = JournalEvent(
            kind, what, "unknown", known.address, Outcome.SERIOUS_FAILURE, {"reason": reason, **details}
        )
        self._refusals.record(event)
        raise LeadglassError(ErrorCode.NOT_AUTHENTICATED, WRONG)

    def _note(self, kind: EventKind, what: str, share: Share, address: str, **details: str) -> None:
        outcome = Outcome.SUCCESS if kind is EventKind.DATA_EXPORT else Outcome.SERIOUS_FAILURE
        details = {"share": share.identifier, **details}
        event = JournalEvent(kind, what, f"share:{share.identifier}", address, outcome, details)
        self._journal.record(event, durable=True)


def _opened_once_more(kept: Share, opening: Opening) -> Share:
    """The share with one opening more, if it is still open: somebody else may have used the last one up meanwhile."""
    why = kept.state(opening.at)
    if why is not ShareState.OPEN:
        raise LeadglassError(ErrorCode.NOT_AUTHORISED, OVER[why])
    opened = (*kept.opened, opening)[-MOST_SHOWN:]
    return replace(kept, openings=kept.openings + 1, opened=opened, misses=0)
