"""How people sign in: from a password, a second factor, a one-time link to a session, or to one refusal that never says
why. People come in here, and only here; what they may do is in `sessions`.

Whatever is wrong has one answer, which takes the same time for names that there are and names that there are not. What
blocks (hashing takes 64 MiB and some tens of milliseconds) runs in a few threads of its own.
"""

from __future__ import annotations

import asyncio
import functools
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Executor
from dataclasses import dataclass, field, replace
from typing import Final, NoReturn, ParamSpec, TypeAlias, TypeVar

from leadglass.access.accounts import (
    MAX_REASON,
    MIN_REASON,
    AccountRules,
    is_account_name,
    is_display,
    is_line,
    typed_name,
)
from leadglass.access.back_off import SignInGuard
from leadglass.access.passwords import hash_password, password_fits, require_good, should_rehash
from leadglass.core.accounts import Account, Role
from leadglass.core.errors import ErrorCode, LeadglassError
from leadglass.core.events import EventKind, JournalEvent, Outcome
from leadglass.core.people import People
from leadglass.core.ports import Journal
from leadglass.core.principal import Right
from leadglass.core.sessions import Audience, OneTimeCode, Purpose
from leadglass.services.admission import EventSink
from leadglass.services.one_time_codes import ENROL, OWN, PROVE, OneTimeCodes
from leadglass.services.programs import network_of
from leadglass.services.second_factors import SecondFactors, TotpOffer, WrongProof
from leadglass.services.sessions import Known, Person, Sessions

MAX_TRIES: Final = 5  # of one step; then it begins again with the password
MAX_WAITING: Final = 64  # sign-ins of a process that wait for a thread: seconds, not minutes

WRONG: Final = "This name, password or code is not right."
PUT_OFF: Final = "Too many tries have failed; wait some minutes and try again."
TOO_LATE: Final = "This step took too long or was tried too often; sign in again."
NO_LINK: Final = "This link is not good any more; ask for a new one."
BUSY: Final = "Too many people are signing in at this moment; try again."


_Args = ParamSpec("_Args")
_Result = TypeVar("_Result")


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


class SignIn:
    """Lets people in. Not a use case: it is how principals come to be. `now` is in nanoseconds.

    `replacing` is the session that the new one takes the place of (a fresh proof before something dangerous): it must
    be of the same person. Errors are NOT_AUTHENTICATED with a sentence that says nothing of the account; USAGE for
    what somebody who is known may mend.
    """

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
        threads: Executor,
        now: Callable[[], int] = time.time_ns,
    ) -> None:
        self._people = people
        self._sessions = sessions
        self._codes = codes
        self._factors = factors
        self._journal = journal
        self._refusals = refusals
        self._rules = rules
        self._threads = threads
        self._now = now
        self._guard = SignInGuard()
        self._waiting = 0

    # --- password -----------------------------------------------------------------------------------------------------

    async def password(self, name: str, password: str, known: Known, replacing: Person | None = None) -> Step:
        """Sign in with a name and a password."""
        return await self.apart(self._password, name, password, known, replacing)

    async def set_up(self, code: str, name: str, display: str, password: str, known: Known) -> Step:
        """Make the first account, an administrator, by the link that the archive printed."""
        return await self.apart(self._set_up, code, name, display, password, known)

    async def enrol(self, code: str, password: str, known: Known) -> Step:
        """Set a password by the link that an administrator made."""
        return await self.apart(self._enrol, code, password, known)

    async def invited(self, code: str) -> Account:
        """Whom a link is for that an administrator made; it stays good. NOT_AUTHENTICATED if it is not."""
        return await self.apart(self._invited, code)

    async def can_set_up(self, code: str) -> bool:
        """Whether this link makes the first account."""
        return await self.apart(lambda: self._codes.look(code, Purpose.SET_UP) is not None)

    # --- second factor ------------------------------------------------------------------------------------------------

    async def totp(self, code: str, digits: str, known: Known) -> SignedIn:
        """The second step, with the code of an authenticator app."""
        return await self.apart(self._prove, code, known, "totp", lambda name: self._factors.use_totp(name, digits))

    async def recovery(self, code: str, text: str, known: Known) -> SignedIn:
        """The second step, with a recovery code."""
        how = "recovery-code"
        return await self.apart(self._prove, code, known, how, lambda name: self._factors.use_recovery(name, text))

    async def offer_totp(self, code: str) -> TotpOffer:
        """What an authenticator app needs, to whoever is adding one; the same each time it is asked."""
        return await self.apart(self._offer_totp, code)

    async def confirm_totp(self, code: str, digits: str, known: Known) -> SignedIn:
        """Add the authenticator app, which shows by a code that it has the key."""
        return await self.apart(self._confirm_totp, code, digits, known)

    # --- sessions -----------------------------------------------------------------------------------------------------

    async def break_glass(self, person: Person, reason: str, known: Known) -> SignedIn:
        """For an hour, see every study: in an emergency, for a reason of 10 to 500 characters that is journalled and
        shown to administrators. USAGE for a reason that is none, NOT_AUTHORISED to who may see no study at all."""
        return await self.apart(self._break_glass, person, reason, known)

    async def sign_out(self, person: Person) -> None:
        """End the session, and those that came from it."""
        await self.apart(self._sign_out, person)

    async def apart(self, work: Callable[_Args, _Result], *args: _Args.args, **kwargs: _Args.kwargs) -> _Result:
        """Do blocking work on accounts in the threads that are there for it. OUT_OF_RESOURCES if too much waits."""
        if self._waiting >= MAX_WAITING:
            raise LeadglassError(ErrorCode.OUT_OF_RESOURCES, BUSY)
        self._waiting += 1
        try:
            loop = asyncio.get_running_loop()
            return await loop.run_in_executor(self._threads, functools.partial(work, *args, **kwargs))
        finally:
            self._waiting -= 1

    # --- what runs in those threads -----------------------------------------------------------------------------------

    def _password(self, name: str, password: str, known: Known, replacing: Person | None) -> Step:
        typed = typed_name(name)
        self._require_patience(typed, known)
        account = self._people.account(typed)
        fits = password_fits(password, "" if account is None else account.password_hash)
        if account is None or not fits or account.disabled:
            cause = "no-account" if account is None else "disabled" if fits else "password"
            self._refuse(cause, typed, known)
        if replacing is not None and replacing.account.name != account.name:
            self._refuse("another-account", typed, known)
        if should_rehash(account.password_hash):
            self._rehash(account, password)
        return self._step(account, "password", known, b"" if replacing is None else replacing.session.digest)

    def _rehash(self, account: Account, password: str) -> None:
        """Keep it with parameters of today, unless it was changed meanwhile."""
        old, new = account.password_hash, hash_password(password)
        self._people.change_account(
            account.name, lambda one: replace(one, password_hash=new) if one.password_hash == old else one
        )

    def _set_up(self, code: str, name: str, display: str, password: str, known: Known) -> Step:
        if self._codes.look(code, Purpose.SET_UP) is None:
            self._refuse("set-up-link", "", known, NO_LINK)
        typed = name.strip().lower()
        if not is_account_name(typed):
            comment = "A name has up to 64 small letters, digits, dots, dashes and underscores."
            raise LeadglassError(ErrorCode.USAGE, comment)
        if not is_display(display):
            raise LeadglassError(ErrorCode.USAGE, "Say who you are, as others should read it.")
        require_good(password, typed)
        kept = hash_password(password)
        if self._codes.take(code, Purpose.SET_UP) is None or self._people.accounts():
            self._refuse("set-up-link", "", known, NO_LINK)
        made = Account(typed, display, frozenset({Role.ADMINISTRATOR}), self._now(), "set-up", password_hash=kept)
        self._note(EventKind.SECURITY_ALERT, "account-added", typed, known, roles=Role.ADMINISTRATOR.value, by="set-up")
        if not self._people.add_account(made):
            self._refuse("set-up-link", "", known, NO_LINK)
        return self._step(made, "set-up", known)

    def _invited(self, code: str) -> Account:
        found = self._codes.look(code, Purpose.ENROL)
        account = None if found is None else self._people.account(found.subject)
        if account is None or account.disabled:
            raise LeadglassError(ErrorCode.NOT_AUTHENTICATED, NO_LINK)
        return account

    def _enrol(self, code: str, password: str, known: Known) -> Step:
        try:
            account = self._invited(code)
        except LeadglassError:
            self._refuse("enrol-link", "", known, NO_LINK)
        require_good(password, account.name)
        kept = hash_password(password)
        if self._codes.take(code, Purpose.ENROL) is None:
            self._refuse("enrol-link", "", known, NO_LINK)
        self._note(EventKind.SECURITY_ALERT, "password-set", account.name, known, by="enrol-link")
        changed = self._people.change_account(account.name, lambda one: replace(one, password_hash=kept))
        if changed is None or changed.disabled:
            self._refuse("disabled", account.name, known)
        self._people.end_sessions(owner=changed.name)
        return self._step(changed, "enrol-link", known)

    def _prove(self, code: str, known: Known, how: str, use: Callable[[str], Account]) -> SignedIn:
        found = self._taken(code, PROVE, known)
        try:
            account = use(found.subject)
        except WrongProof as wrong:
            self._missed(found, wrong.cause, known)
        return self._begin(account, f"{found.details.get('how', '')} {how}", known, _replaces(found))

    def _offer_totp(self, code: str) -> TotpOffer:
        found = self._enrolling(code)
        if "secret" not in found.details:
            secret = self._factors.new_secret()
            self._changed(code, secret=secret.hex())
        else:
            secret = bytes.fromhex(found.details["secret"])
        return self._factors.offer(found.subject, secret)

    def _enrolling(self, code: str) -> OneTimeCode:
        """The code of somebody who is adding a second factor; it stays good."""
        found = self._codes.look(code, Purpose.SECOND_FACTOR)
        if found is None or found.details.get("stage") != ENROL:
            raise LeadglassError(ErrorCode.NOT_AUTHENTICATED, TOO_LATE)
        return found

    def _changed(self, code: str, **details: str) -> None:
        """Remember something with the code of a step, unless it was used up meanwhile."""
        taken = self._codes.take(code, Purpose.SECOND_FACTOR)
        if taken is None:
            raise LeadglassError(ErrorCode.NOT_AUTHENTICATED, TOO_LATE)
        self._codes.put_back(taken, **details)

    def _confirm_totp(self, code: str, digits: str, known: Known) -> SignedIn:
        found = self._taken(code, ENROL, known)
        secret = bytes.fromhex(found.details.get("secret", ""))
        try:
            step = self._factors.totp_step(secret, digits)
        except WrongProof as wrong:
            self._missed(found, wrong.cause, known)

        def add(account: Account) -> Account:
            return replace(account, totp_secret=secret, totp_step=step)

        return self._added(found, "totp", add, known)

    def _added(self, found: OneTimeCode, kind: str, add: Callable[[Account], Account], known: Known) -> SignedIn:
        """A second factor counts from now on, with recovery codes if there were none."""
        name, how = found.subject, f"{found.details.get('how', '')} {kind}"
        codes, digests = self._factors.recovery(name)
        self._note(EventKind.SECURITY_ALERT, "second-factor-added", name, known, factor=kind)

        def change(account: Account) -> Account:
            # A step that began with the password alone ends once there is a second factor: it was not asked for.
            if account.disabled or (account.second_factor and OWN not in found.details):
                raise WrongProof("enrolled-meanwhile")
            return add(account if account.recovery else replace(account, recovery=digests))

        try:
            changed = self._people.change_account(name, change)
        except WrongProof as wrong:
            self._refuse(wrong.cause, name, known, TOO_LATE)
        if changed is None:
            self._refuse("no-account", name, known, TOO_LATE)
        signed_in = self._begin(changed, how, known, _replaces(found))
        return replace(signed_in, recovery=codes if changed.recovery == digests else ())

    def _break_glass(self, person: Person, reason: str, known: Known) -> SignedIn:
        reason = " ".join(reason.split())
        if not len(reason) >= MIN_REASON or not is_line(reason, MAX_REASON):
            comment = f"Say why, in {MIN_REASON} to {MAX_REASON} characters: it is journalled and will be asked about."
            raise LeadglassError(ErrorCode.USAGE, comment)
        if Right.RETRIEVE not in person.principal.rights or person.session.audience is not Audience.PAGES:
            raise LeadglassError(ErrorCode.NOT_AUTHORISED, "Whoever may see no study breaks no glass.")
        self._note(EventKind.SECURITY_ALERT, "glass-broken", person.account.name, known, reason=reason)
        return self._begin(person.account, "glass-broken", known, person.session.digest, emergency=reason)

    def _sign_out(self, person: Person) -> None:
        self._sessions.end(person)
        known = Known(person.principal.address)
        self._note(EventKind.USER_AUTHENTICATION, "person-signed-out", person.account.name, known)

    # --- steps --------------------------------------------------------------------------------------------------------

    def _step(self, account: Account, how: str, known: Known, replaces: bytes = b"") -> Step:
        """After the first proof: a session, or what is still missing."""
        details = {"how": how, "replaces": replaces.hex()}
        if account.second_factor:
            code = self._codes.make(Purpose.SECOND_FACTOR, account.name, {"stage": PROVE, **details})
            return NeedsSecond(code, bool(account.totp_secret), bool(account.passkeys), bool(account.recovery))
        if self._rules.demands_second(account):
            return MustEnrol(self._codes.enrolment(account.name, **details))
        return self._begin(account, how, known, replaces)

    def _taken(self, code: str, stage: str, known: Known) -> OneTimeCode:
        """The code of a step, used up while it is looked at: of two tries at the same time one counts."""
        seen = self._codes.look(code, Purpose.SECOND_FACTOR)
        if seen is None or seen.details.get("stage") != stage:
            self._refuse("step", "", known, TOO_LATE)
        self._require_patience(seen.subject, known)
        taken, account = self._codes.take(code, Purpose.SECOND_FACTOR), self._people.account(seen.subject)
        if taken is None or account is None or account.disabled:
            self._refuse("step", seen.subject, known, TOO_LATE)
        return taken

    def _missed(self, found: OneTimeCode, cause: str, known: Known) -> NoReturn:
        tries = int(found.details.get("tries", "0")) + 1
        if tries < MAX_TRIES:
            self._codes.put_back(found, tries=str(tries))
        self._refuse(cause, found.subject, known)

    def _begin(
        self, account: Account, how: str, known: Known, replaces: bytes = b"", *, emergency: str = ""
    ) -> SignedIn:
        """A session for somebody who has proved all that is asked for; journalled before it counts."""
        if account.disabled:
            self._refuse("disabled", account.name, known)
        self._guard.note_right(network_of(known.address), account.name)
        self._note(EventKind.USER_AUTHENTICATION, "person-signed-in", account.name, known, how=how)
        plain = Known(known.address, known.agent, emergency=emergency)
        cookie = self._sessions.begin(account, Audience.PAGES, plain)
        if replaces:
            self._sessions.take_over(replaces, cookie, account.name)
        return SignedIn(cookie, account)

    def _require_patience(self, name: str, known: Known) -> None:
        if self._guard.puts_off(network_of(known.address), name, self._seconds()):
            self._tell("put-off", name, known)
            raise LeadglassError(ErrorCode.NOT_AUTHENTICATED, PUT_OFF)

    def _refuse(self, cause: str, name: str, known: Known, sentence: str = WRONG) -> NoReturn:
        if self._guard.note_wrong(network_of(known.address), name, self._seconds()):
            self._tell("guessing", name, known, EventKind.SECURITY_ALERT)
        self._tell(cause, name, known)
        raise LeadglassError(ErrorCode.NOT_AUTHENTICATED, sentence)

    def _tell(self, cause: str, name: str, known: Known, kind: EventKind = EventKind.USER_AUTHENTICATION) -> None:
        """Journalled, repetitions counted. Under a name that there is alone: people type passwords there."""
        account = self._people.account(name) if name else None
        who = "" if account is None else account.name
        details: Mapping[str, str | int] = {"reason": f"{cause} {who}".rstrip()}
        self._refusals.record(JournalEvent(kind, "sign-in-refused", who, known.address, Outcome.MINOR_FAILURE, details))

    def _note(self, kind: EventKind, what: str, name: str, known: Known, **details: str) -> None:
        event = JournalEvent(kind, what, name, known.address, details=details)
        self._journal.record(event, durable=True)

    def _seconds(self) -> float:
        return self._now() / 1_000_000_000


def _replaces(code: OneTimeCode) -> bytes:
    return bytes.fromhex(code.details.get("replaces", ""))
