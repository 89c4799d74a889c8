"""From a browser's cookie to a Person, or to nobody. People come in here once they have proved who they are.

What was found out is remembered until the rights epoch changes, so that a request costs one point look-up: a session
that is ended, or an account that is disabled, in whatever process, lets nobody in from the next request on.
"""

from __future__ import annotations

import base64
import functools
import hmac
import operator
import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import Final

from leadglass.access.study_policy import Decision, Given, Who, decide
from leadglass.core.accounts import Account
from leadglass.core.people import People
from leadglass.core.ports import State
from leadglass.core.principal import Principal, PrincipalKind, Right
from leadglass.core.reach import EVERYTHING, NOTHING, Reach
from leadglass.core.sessions import Audience, Session
from leadglass.core.shares import Share
from leadglass.core.tokens import reach_of

SECOND: Final = 1_000_000_000  # nanoseconds
COOKIE_BYTES: Final = 32
IDLE: Final = 30 * 60 * SECOND  # without a request
ABSOLUTE: Final = 12 * 3600 * SECOND  # a working day
EMERGENCY: Final = 3600 * SECOND  # how long a broken glass stays broken
RAISED: Final = 300 * SECOND  # how long a proof is good for what needs a fresh one
SEEN: Final = 60 * SECOND  # how exactly times of last use are known to other processes
MAX_REMEMBERED: Final = 4096
MAX_AGENT: Final = 200  # characters of User-Agent that are kept

_READ: Final = frozenset({Right.FIND, Right.RETRIEVE})


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who is signed in: the principal, the session and the account. `csrf` goes into every form.

    Who was let in by a share is a stranger: `share` is given then, and `account` is that of who made it.
    """

    principal: Principal
    session: Session
    account: Account
    csrf: str = field(repr=False)
    share: Share | None = None


@dataclass(frozen=True, slots=True)
class Known:
    """What a person is known by besides the account: from where, with what, and what the session is limited to.

    `raised` is when the person proved who it is (nanoseconds), where that was not just now."""

    address: str = ""
    agent: str = ""
    studies: frozenset[str] = frozenset()
    parent: bytes = b""
    emergency: str = ""
    raised: int | None = None


class Sessions:
    """Begins, knows and ends sessions. Not a use case: it is how principals come to be. `now` is in nanoseconds."""

    def __init__(self, people: People, state: State, token_key: bytes, now: Callable[[], int] = time.time_ns) -> None:
        self._people = people
        self._state = state
        self._key = token_key
        self._now = now
        self._lock = threading.Lock()
        self._known: OrderedDict[bytes, tuple[int, Person]] = OrderedDict()
        self._seen: dict[bytes, int] = {}
        self._written = 0

    def begin(self, account: Account, audience: Audience, known: Known) -> str:
        """A new session of somebody who has just proved who it is; the text of its cookie, which is nowhere else.

        One that came from another (`known.parent`) lasts no longer than that one.
        """
        cookie = _new_cookie()
        now = self._now()
        self._people.put_session(
            Session(
                self.digest(cookie),
                audience,
                account.name,
                created=now,
                expires=self._end_of(known, now),
                last_seen=now,
                raised=now if known.raised is None else min(known.raised, now),
                address=known.address,
                agent=known.agent[:MAX_AGENT],
                studies=known.studies,
                parent=known.parent,
                emergency=known.emergency,
            )
        )
        return cookie

    def begin_shared(self, share: Share, known: Known) -> str:
        """A new session of a stranger who has just opened `share`; the text of its cookie. It ends with the share."""
        cookie, now = _new_cookie(), self._now()
        self._people.put_session(
            Session(
                self.digest(cookie),
                Audience.SHARE,
                share.identifier,
                created=now,
                expires=min(now + ABSOLUTE, share.expires),
                last_seen=now,
                address=known.address,
                agent=known.agent[:MAX_AGENT],
                share=True,
            )
        )
        return cookie

    def share_shows(self, share: Share) -> bool:
        """Whether who has opened `share` is let in now: it is in force, and its sharer may still see studies."""
        return self._sharer(share) is not None

    def person(self, cookie: str, audience: Audience, address: str) -> Person | None:
        """Who shows this cookie at an origin of `audience`; None if nobody who is signed in there."""
        if not cookie or len(cookie) > 64 or not cookie.isascii():
            return None
        digest = self.digest(cookie)
        person = self._remembered(digest) or self._looked_up(digest, cookie)
        now = self._now()
        if person is None or person.session.audience is not audience or now >= person.session.expires:
            return None
        last = max(person.session.last_seen, self._seen.get(digest, 0))
        if now - last >= IDLE:
            last = self._last_seen_elsewhere(digest, last)
        if now - last >= IDLE:
            self._people.end_sessions(digest=digest)
            return None
        self._note_seen((digest, person.session.parent), now)
        return replace(person, principal=replace(person.principal, address=address))

    def digest(self, cookie: str) -> bytes:
        """What is kept of a cookie, or of any other secret of a session."""
        return hmac.digest(self._key, b"session:" + cookie.encode("ascii"), "sha256")

    def fresh(self, person: Person) -> bool:
        """Whether its owner proved who it is within the last five minutes."""
        return self._now() - person.session.raised < RAISED

    def still_valid(self, person: Person) -> bool:
        """Whether a person who was let in would be let in now, with the same rights and reach. For long answers."""
        found = self._remembered(person.session.digest) or self._found(person.session.digest, person.csrf)
        if found is None or self._now() >= found.session.expires:
            return False
        return (found.principal.rights, found.principal.reach) == (person.principal.rights, person.principal.reach)

    def end(self, person: Person) -> None:
        """Sign out: this session, and those that came from it."""
        self._people.end_sessions(digest=person.session.digest)

    def take_over(self, old: bytes, cookie: str, owner: str) -> None:
        """The session of `cookie` takes the place of an older one of its owner; what came from that goes on, but not
        what saw more than it does, for an emergency that is over."""
        session, new = self._people.session(old), self._people.session(self.digest(cookie))
        if session is None or new is None or session.share or session.owner != owner:
            return
        for child in self._people.sessions(owner):
            if child.parent == old and child.emergency in ("", new.emergency):
                self._people.put_session(replace(child, parent=new.digest))
        self._people.end_sessions(digest=old)

    def _remembered(self, digest: bytes) -> Person | None:
        known = self._known.get(digest)
        if known is None or known[0] != self._people.rights_epoch():
            return None
        return known[1]

    def _looked_up(self, digest: bytes, cookie: str) -> Person | None:
        return self._found(digest, hmac.digest(self._key, b"csrf:" + cookie.encode("ascii"), "sha256").hex()[:32])

    def _found(self, digest: bytes, csrf: str) -> Person | None:
        epoch = self._people.rights_epoch()  # before the look-up: what changes meanwhile is looked up again
        session = self._people.session(digest)
        person = None if session is None else self._person_of(session, csrf)
        if person is None:
            return None
        with self._lock:
            self._known[digest] = (epoch, person)
            self._known.move_to_end(digest)
            while len(self._known) > MAX_REMEMBERED:
                self._known.popitem(last=False)
        return person

    def _person_of(self, session: Session, csrf: str) -> Person | None:
        if session.share:
            return self._stranger(session, csrf)
        account = self._people.account(session.owner)
        if account is None or account.disabled:
            return None
        grants = reach_of(self._state.grants(account.name))
        return Person(principal_of(account, session, grants), session, account, csrf)

    def _stranger(self, session: Session, csrf: str) -> Person | None:
        """Who opened a share: it needs the share and what its sharer may see now, each time."""
        share = self._people.share(session.owner)
        sharer = None if share is None else self._sharer(share)
        if share is None or sharer is None:
            return None
        account, reach = sharer
        principal = Principal(
            PrincipalKind.SHARE, f"share:{share.identifier}", _READ, session.address, secured=True, reach=reach
        )
        return Person(principal, session, account, csrf, share)

    def _sharer(self, share: Share) -> tuple[Account, Reach] | None:
        """Who made a share that is in force, and what it reaches; None if that is nobody who sees studies now."""
        account = self._people.account(share.sharer)
        if account is None or account.disabled or not share.shows(self._now()):
            return None
        decision = decision_of(account, reach_of(self._state.grants(account.name)))
        if not decision.rights >= _READ:
            return None
        studies = frozenset(share.studies)
        if share.later:
            return account, decision.reach.narrowed(studies)
        return account, decision.reach.limited(studies, share.instances)

    def _last_seen_elsewhere(self, digest: bytes, last: int) -> int:
        """Another process may have answered the requests of the last half hour."""
        session = self._people.session(digest)
        return last if session is None else max(last, session.last_seen)

    def _end_of(self, known: Known, now: int) -> int:
        expires = now + (EMERGENCY if known.emergency else ABSOLUTE)
        if not known.parent:
            return expires
        parent = self._people.session(known.parent)
        return now if parent is None else min(expires, parent.expires)

    def _note_seen(self, digests: Iterable[bytes], now: int) -> None:
        """Who reads in the viewer is not away from the pages that it was opened from."""
        with self._lock:
            self._seen.update(dict.fromkeys(filter(None, digests), now))
            if now - self._written < SEEN:
                return
            self._written, seen, self._seen = now, self._seen, {}
            self._seen = {key: moment for key, moment in seen.items() if now - moment < SEEN}
        self._people.note_sessions_seen(seen)
        self._people.sweep_sessions(now)


def _new_cookie() -> str:
    return base64.urlsafe_b64encode(secrets.token_bytes(COOKIE_BYTES)).rstrip(b"=").decode("ascii")


def principal_of(account: Account, session: Session, grants: Reach = NOTHING) -> Principal:
    """What the roles of `account` make of its owner, within what the session is limited to."""
    decision = decision_of(account, grants)
    rights, reach = decision.rights, decision.reach
    if session.emergency and Right.RETRIEVE in rights:
        reach = EVERYTHING
    if session.audience is not Audience.PAGES:
        rights &= _READ
    if session.studies or session.audience is not Audience.PAGES:
        reach = reach.narrowed(session.studies)
    institution = (
        next(iter(account.institutions)) if len(account.institutions) == 1 else ""
    )  # whose is what is uploaded
    return Principal(
        PrincipalKind.PERSON,
        account.name,
        rights,
        session.address,
        secured=True,
        institution=institution,
        reach=reach,
    )


def decision_of(account: Account, grants: Reach) -> Decision:
    """Rights and reach of all roles together."""
    given = Given(reach=Reach(institutions=account.institutions, referring=account.referring), grants=grants)
    decisions = [decide(Who(role.value), given) for role in sorted(account.roles, key=lambda role: role.value)]
    rights: frozenset[Right] = frozenset().union(*(decision.rights for decision in decisions))
    reach = functools.reduce(operator.or_, (decision.reach for decision in decisions), NOTHING)
    return Decision(rights, reach)
