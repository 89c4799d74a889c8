"""The steps between the first proof and a session: what is still missing, what is refused, and what is journalled.

A step is a one-time code of Purpose.SECOND_FACTOR: it says who it is, which way was come, how often it was missed.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Final, NoReturn, TypeAlias

from leadglass.access.accounts import AccountRules
from leadglass.access.back_off import SignInGuard
from leadglass.core.accounts import Account
from leadglass.core.errors import ErrorCode, LeadglassError
from leadglass.core.events import EventKind, JournalEvent, Outcome
from leadglass.core.people import People
from leadglass.core.ports import Journal
from leadglass.core.sessions import Audience, OneTimeCode, Purpose
from leadglass.services.admission import EventSink
from leadglass.services.one_time_codes import ENROL, OWN, PROVE, OneTimeCodes
from leadglass.services.programs import network_of
from leadglass.services.second_factors import SecondFactors, WrongProof
from leadglass.services.sessions import Known, Sessions

MAX_TRIES: Final = 5  # of one step; then it begins again with the password

WRONG: Final = "This name, password or code is not right."
PUT_OFF: Final = "Too many tries have failed; wait some minutes and try again."
TOO_LATE: Final = "This step took too long or was tried too often; sign in again."
BUSY: Final = "Too many people are signing in at this moment; try again."
NO_LINK: Final = "This link is not good any more; ask for a new one."


@dataclass(frozen=True, slots=True)
class SignedIn:
    """Somebody has proved who it is. `cookie` begins the session; `recovery` are new codes, shown this once."""

    cookie: str = field(repr=False)
    account: Account
    recovery: tuple[str, ...] = field(default=(), repr=False)


@dataclass(frozen=True, slots=True)
class NeedsSecond:
    """The password is right; one of these is asked for. `code` is held in a cookie for five minutes."""

    code: str = field(repr=False)
    totp: bool
    passkey: bool
    recovery: bool


@dataclass(frozen=True, slots=True)
class MustEnrol:
    """The password is right; the account's role needs a second factor, which is added now. `code` as above."""

    code: str = field(repr=False)


Step: TypeAlias = "SignedIn | NeedsSecond | MustEnrol"


class SignInSteps:
    """What all ways of signing in have in common. A part of SignIn; `now` is in nanoseconds."""

    def __init__(
        self,
        people: People,
        sessions: Sessions,
        codes: OneTimeCodes,
        factors: SecondFactors,
        *,
        journal: Journal,
        refusals: EventSink,
        rules: AccountRules,
        now: Callable[[], int] = time.time_ns,
    ) -> None:
        self.guard = SignInGuard()
        self._people = people
        self._sessions = sessions
        self._codes = codes
        self._factors = factors
        self._journal = journal
        self._refusals = refusals
        self._rules = rules
        self._now = now

    def step(
        self,
        account: Account,
        how: str,
        known: Known,
        replaces: bytes = b"",
        *,
        proved: bool = False,
        raised: int | None = None,
    ) -> Step:
        """After the first proof: a session, or what is still missing. `proved`: it was two factors already; `raised`:
        when that was, if not just now."""
        details = {"how": how, "replaces": replaces.hex()}
        if proved or account.disabled:
            return self.begin(account, how, known, replaces, raised=raised)
        if account.second_factor:
            code = self._codes.make(Purpose.SECOND_FACTOR, account.name, {"stage": PROVE, **details})
            return NeedsSecond(code, bool(account.totp_secret), bool(account.passkeys), bool(account.recovery))
        if self._rules.demands_second(account):
            return MustEnrol(self._codes.enrolment(account.name, **details))
        return self.begin(account, how, known, replaces, raised=raised)

    def taken(self, code: str, stage: str, known: Known, *, patient: bool = True) -> OneTimeCode:
        """The code of a step, used up while it is looked at: of two tries at the same time one counts. What cannot be
        guessed needs no patience."""
        seen = self._codes.look(code, Purpose.SECOND_FACTOR)
        if seen is None or seen.details.get("stage") != stage:
            self.refuse("step", "", known, TOO_LATE)
        if patient:
            self.require_patience(seen.subject, known)
        taken, account = self._codes.take(code, Purpose.SECOND_FACTOR), self._people.account(seen.subject)
        if taken is None or account is None or account.disabled:
            self.refuse("step", seen.subject, known, TOO_LATE)
        return taken

    def missed(self, found: OneTimeCode, cause: str, known: Known) -> NoReturn:
        """A step was missed: it can be tried again, a few times."""
        tries = int(found.details.get("tries", "0")) + 1
        if tries < MAX_TRIES:
            self._codes.put_back(found, tries=str(tries))
        self.refuse(cause, found.subject, known)

    def begin(
        self,
        account: Account,
        how: str,
        known: Known,
        replaces: bytes = b"",
        *,
        emergency: str = "",
        raised: int | None = None,
    ) -> SignedIn:
        """A session for somebody who has proved all that is asked for; journalled before it counts."""
        if account.disabled:
            self.refuse("disabled", account.name, known)
        self.guard.note_right(network_of(known.address), account.name)
        self.note(EventKind.USER_AUTHENTICATION, "person-signed-in", account.name, known, how=how)
        plain = Known(known.address, known.agent, emergency=emergency, raised=raised)
        cookie = self._sessions.begin(account, Audience.PAGES, plain)
        if replaces:
            self._sessions.take_over(replaces, cookie, account.name)
        return SignedIn(cookie, account)

    def require_patience(self, name: str, known: Known) -> None:
        """NOT_AUTHENTICATED while this name is guessed at, right or wrong."""
        if self.guard.puts_off(network_of(known.address), name, self._seconds()):
            self.tell("put-off", name, known)
            raise LeadglassError(ErrorCode.NOT_AUTHENTICATED, PUT_OFF)

    def refuse(self, cause: str, name: str, known: Known, sentence: str = WRONG) -> NoReturn:
        """Count and journal the refusal; raise NOT_AUTHENTICATED."""
        if self.guard.note_wrong(network_of(known.address), name, self._seconds()):
            self.tell("guessing", name, known, EventKind.SECURITY_ALERT)
        self.tell(cause, name, known)
        raise LeadglassError(ErrorCode.NOT_AUTHENTICATED, sentence)

    def tell(self, cause: str, name: str, known: Known, kind: EventKind = EventKind.USER_AUTHENTICATION) -> None:
        """Journalled, repetitions counted. Under a name that there is alone: people type passwords there."""
        account = self._people.account(name) if name else None
        who = "" if account is None else account.name
        details: Mapping[str, str | int] = {"reason": f"{cause} {who}".rstrip()}
        self._refusals.record(JournalEvent(kind, "sign-in-refused", who, known.address, Outcome.MINOR_FAILURE, details))

    def note(self, kind: EventKind, what: str, name: str, known: Known, **details: str) -> None:
        """In the journal, durably, before it counts."""
        event = JournalEvent(kind, what, name, known.address, details=details)
        self._journal.record(event, durable=True)

    def _seconds(self) -> float:
        return self._now() / 1_000_000_000

    def enrolling(self, code: str) -> OneTimeCode:
        """The code of somebody who is adding a second factor; it stays good. NOT_AUTHENTICATED if it is none."""
        return self._seen(code, ENROL)

    def proving(self, code: str) -> OneTimeCode:
        """The code of somebody who is to prove a second factor; it stays good. NOT_AUTHENTICATED if it is none."""
        return self._seen(code, PROVE)

    def _seen(self, code: str, stage: str) -> OneTimeCode:
        found = self._codes.look(code, Purpose.SECOND_FACTOR)
        if found is None or found.details.get("stage") != stage:
            raise LeadglassError(ErrorCode.NOT_AUTHENTICATED, TOO_LATE)
        return found

    def changed(self, code: str, **details: str) -> None:
        """Remember something with the code of a step, unless it was used up meanwhile."""
        taken = self._codes.take(code, Purpose.SECOND_FACTOR)
        if taken is None:
            raise LeadglassError(ErrorCode.NOT_AUTHENTICATED, TOO_LATE)
        self._codes.put_back(taken, **details)

    def added(self, found: OneTimeCode, kind: str, add: Callable[[Account], Account], known: Known) -> SignedIn:
        """A second factor counts from now on, with recovery codes if there were none."""
        name, how = found.subject, f"{found.details.get('how', '')} {kind}"
        codes, digests = self._factors.recovery(name)
        self.note(EventKind.SECURITY_ALERT, "second-factor-added", name, known, factor=kind)

        def change(account: Account) -> Account:
            # A step that began with the password alone ends once there is a second factor: it was not asked for.
            if account.disabled or (account.second_factor and OWN not in found.details):
                raise WrongProof("enrolled-meanwhile")
            return add(account if account.recovery else replace(account, recovery=digests))

        try:
            changed = self._people.change_account(name, change)
        except WrongProof as wrong:
            self.refuse(wrong.cause, name, known, TOO_LATE)
        if changed is None:
            self.refuse("no-account", name, known, TOO_LATE)
        signed_in = self.begin(changed, how, known, replaced_by(found))
        return replace(signed_in, recovery=codes if changed.recovery == digests else ())


def replaced_by(code: OneTimeCode) -> bytes:
    """The session that the one this step leads to takes the place of."""
    return bytes.fromhex(code.details.get("replaces", ""))
