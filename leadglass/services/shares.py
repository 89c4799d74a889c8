"""Shares: making a link for a named recipient, seeing what became of it, taking it back. Each step is in the journal.

A share shows what its sharer may see: it is made of studies within the sharer's reach, and each of its requests asks
for the sharer's rights of that moment again (services.sessions).
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Final

from leadglass.access.accounts import is_line
from leadglass.access.passwords import hash_password
from leadglass.access.share_links import link_digest, new_identifier, new_link, new_passcode, plain_passcode
from leadglass.core.accounts import Account
from leadglass.core.errors import ErrorCode, LeadglassError
from leadglass.core.events import EventKind, JournalEvent
from leadglass.core.people import People
from leadglass.core.ports import Catalog, Journal, State
from leadglass.core.principal import Principal, PrincipalKind, Right
from leadglass.core.query import Level, Selection
from leadglass.core.shares import Share, ShareState
from leadglass.core.tokens import reach_of
from leadglass.services.admit import Gate, use_case
from leadglass.services.sessions import decision_of

DAY: Final = 24 * 3600 * 1_000_000_000  # nanoseconds
MAX_DAYS: Final = 90
USUAL_DAYS: Final = 14
MAX_OPENINGS: Final = 100
MAX_STUDIES: Final = 64  # of one share
MAX_INSTANCES: Final = 20_000  # of one share: a year of follow-up CTs
MAX_SHARES: Final = 500  # of one person that are not over: more are a mistake, or somebody who empties the archive
MAX_RECIPIENT: Final = 128  # characters
MAX_NOTE: Final = 500

NOT_THERE: Final = "One of these studies is not there."
NO_SHARE: Final = "There is no such share."


@dataclass(frozen=True, slots=True)
class WantedShare:
    """What a new share is to be. `most_openings` of 0 stands for any number."""

    recipient: str
    studies: tuple[str, ...]
    days: int = USUAL_DAYS
    most_openings: int = 0
    download: bool = False
    later: bool = False
    note: str = ""


@dataclass(frozen=True, slots=True)
class MadeShare:
    """A new share, with the text of its link and its passcode, which are nowhere else from now on."""

    share: Share
    link: str = field(repr=False)
    passcode: str = field(repr=False)


class Shares:
    """Make, list and revoke shares. `now` is in nanoseconds."""

    def __init__(
        self,
        gate: Gate,
        *,
        people: People,
        state: State,
        catalog: Catalog,
        journal: Journal,
        token_key: bytes,
        now: Callable[[], int] = time.time_ns,
    ) -> None:
        self.gate = gate
        self._people = people
        self._state = state
        self._catalog = catalog
        self._journal = journal
        self._token_key = token_key
        self._now = now

    @use_case(Right.RETRIEVE, EventKind.DATA_EXPORT)
    def create(self, principal: Principal, wanted: WantedShare) -> MadeShare:
        """A new share of studies that the principal, a person, reaches. Hashing the passcode takes some tens of
        milliseconds. USAGE for what is badly described, NOT_FOUND if there is no such study within reach."""
        account = self._sharer(principal)
        wanted = replace(wanted, studies=tuple(dict.fromkeys(wanted.studies)))
        _check(wanted)
        now = self._now()
        living = [share for share in self._people.shares(account.name) if share.shows(now)]
        if len(living) >= MAX_SHARES:
            raise LeadglassError(ErrorCode.USAGE, f"At most {MAX_SHARES} shares are in force at once; revoke some.")
        instances = self._instances(principal, wanted)
        link, passcode = new_link(), new_passcode()
        share = Share(
            new_identifier(),
            account.name,
            wanted.recipient,
            wanted.studies,
            instances,
            link=link_digest(self._token_key, link),
            passcode=hash_password(plain_passcode(passcode)),
            created=now,
            expires=now + wanted.days * DAY,
            most_openings=wanted.most_openings,
            download=wanted.download,
            later=wanted.later,
            note=wanted.note,
        )
        for study in share.studies:
            kind, what = EventKind.DATA_EXPORT, "share-made"
            self._note(principal, kind, what, share=share.identifier, study_uid=study, days=wanted.days)
        self._people.put_share(share)
        return MadeShare(share, link, passcode)

    @use_case(Right.RETRIEVE, EventKind.APPLICATION_ACTIVITY)
    def own(self, principal: Principal) -> list[Share]:
        """The shares of the principal, a person, the newest first."""
        owner = self._person(principal)
        self._note(principal, EventKind.APPLICATION_ACTIVITY, "own-shares-listed", durable=False)
        return self._people.shares(owner)

    @use_case(Right.RETRIEVE, EventKind.APPLICATION_ACTIVITY)
    def locked(self, principal: Principal) -> list[Share]:
        """Those of the principal's own shares that were locked: somebody tried passcodes. A person is told at once,
        until the share is revoked or has expired."""
        owner, now = self._person(principal), self._now()
        self._note(principal, EventKind.APPLICATION_ACTIVITY, "own-shares-listed", durable=False)
        found = self._people.shares(owner)
        return [share for share in found if share.state(now) is ShareState.LOCKED and now < share.expires]

    @use_case(Right.RETRIEVE, EventKind.SECURITY_ALERT)
    def revoke_own(self, principal: Principal, identifier: str) -> Share:
        """Take an own share back: it shows nothing from the next request on. NOT_FOUND for another's."""
        return self._revoked(principal, identifier, self._person(principal))

    @use_case(Right.ADMINISTER, EventKind.APPLICATION_ACTIVITY)
    def shares(self, principal: Principal) -> list[Share]:
        """Everybody's shares, the newest first."""
        self._note(principal, EventKind.APPLICATION_ACTIVITY, "shares-listed")
        return self._people.shares()

    @use_case(Right.ADMINISTER, EventKind.SECURITY_ALERT)
    def revoke(self, principal: Principal, identifier: str) -> Share:
        """Take back a share, whoever made it. NOT_FOUND if there is none."""
        return self._revoked(principal, identifier, None)

    def _revoked(self, principal: Principal, identifier: str, owner: str | None) -> Share:
        share = self._people.share(identifier)
        if share is None or owner not in (None, share.sharer):
            raise LeadglassError(ErrorCode.NOT_FOUND, NO_SHARE)
        self._note(principal, EventKind.SECURITY_ALERT, "share-revoked", share=share.identifier)
        now = self._now()
        changed = self._people.change_share(identifier, lambda kept: replace(kept, revoked=kept.revoked or now))
        self._people.end_sessions(owner=share.identifier)
        return changed or share

    def _person(self, principal: Principal) -> str:
        """The account of a person who acts for himself or herself."""
        if principal.kind is not PrincipalKind.PERSON:
            raise LeadglassError(ErrorCode.NOT_AUTHORISED, "Only people share studies, at the pages.")
        return principal.name

    def _sharer(self, principal: Principal) -> Account:
        """Who shares, with the reach that lasts: what somebody sees for an hour cannot be given away for weeks."""
        account = self._people.account(self._person(principal))
        if account is None or account.disabled:
            raise LeadglassError(ErrorCode.NOT_AUTHORISED, "This account cannot share.")
        lasting = decision_of(account, reach_of(self._state.grants(account.name)))
        if lasting.reach != principal.reach:
            raise LeadglassError(ErrorCode.NOT_AUTHORISED, "Nothing is shared while more is seen than usually.")
        return account

    def _instances(self, principal: Principal, wanted: WantedShare) -> frozenset[str]:
        selection = Selection(Level.STUDY, study_uids=wanted.studies, reach=principal.reach)
        found = self._catalog.select(selection)
        if {stored.identity.study_uid for stored in found} != set(wanted.studies):
            raise LeadglassError(ErrorCode.NOT_FOUND, NOT_THERE)
        if len(found) > MAX_INSTANCES:
            raise LeadglassError(ErrorCode.USAGE, f"A share has at most {MAX_INSTANCES} images; share fewer studies.")
        return frozenset(stored.identity.sop_instance_uid for stored in found)

    def _note(
        self, principal: Principal, kind: EventKind, what: str, *, durable: bool = True, **details: str | int
    ) -> None:
        event = JournalEvent(kind, what, principal.name, principal.address, details=details)
        self._journal.record(event, durable=durable)


def _check(wanted: WantedShare) -> None:
    """USAGE, with one sentence of what is wrong."""
    if not is_line(wanted.recipient, MAX_RECIPIENT):
        raise LeadglassError(ErrorCode.USAGE, f"Say who the recipient is, in up to {MAX_RECIPIENT} characters.")
    if not 1 <= wanted.days <= MAX_DAYS:
        raise LeadglassError(ErrorCode.USAGE, f"A share lasts from 1 to {MAX_DAYS} days.")
    if not 0 <= wanted.most_openings <= MAX_OPENINGS:
        raise LeadglassError(ErrorCode.USAGE, f"A share is opened up to {MAX_OPENINGS} times, or without a limit (0).")
    if not 1 <= len(wanted.studies) <= MAX_STUDIES:
        raise LeadglassError(ErrorCode.USAGE, f"A share has 1 to {MAX_STUDIES} studies.")
    if wanted.note and not is_line(wanted.note, MAX_NOTE):
        raise LeadglassError(ErrorCode.USAGE, f"The note is one line of up to {MAX_NOTE} characters.")
