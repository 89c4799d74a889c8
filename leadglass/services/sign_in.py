"""How people sign in: from a password, a second factor, a one-time link to a session, or to one refusal that never says
why. People come in here, and only here; what they may do is in `sessions`.

Whatever is wrong has one answer, which takes the same time for names that there are and names that there are not. What
blocks (hashing takes 64 MiB and some tens of milliseconds) runs in a few threads of its own.
"""

from __future__ import annotations

import asyncio
import functools
import time
from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import replace
from typing import Final, ParamSpec, TypeVar

from leadglass.access.accounts import (
    MAX_LABEL,
    MAX_REASON,
    MIN_REASON,
    AccountRules,
    is_account_name,
    is_display,
    is_line,
    typed_name,
)
from leadglass.access.passkeys import Site
from leadglass.access.passwords import hash_password, password_fits, require_good, should_rehash
from leadglass.core.accounts import Account, Role
from leadglass.core.errors import ErrorCode, LeadglassError
from leadglass.core.events import EventKind
from leadglass.core.people import People
from leadglass.core.ports import Journal
from leadglass.core.principal import Right
from leadglass.core.sessions import Audience, Purpose
from leadglass.services.admission import EventSink
from leadglass.services.one_time_codes import ENROL, PROVE, OneTimeCodes
from leadglass.services.passkeys import MAX_PASSKEYS, PasskeyRequest, Passkeys
from leadglass.services.second_factors import SecondFactors, TotpOffer, WrongProof
from leadglass.services.sessions import Known, Person, Sessions
from leadglass.services.sign_in_steps import (
    BUSY,
    NO_LINK,
    TOO_LATE,
    MustEnrol,
    NeedsSecond,
    SignedIn,
    SignInSteps,
    Step,
    replaced_by,
)

__all__ = ["MustEnrol", "NeedsSecond", "SignIn", "SignedIn", "Step"]

MAX_WAITING: Final = 64  # sign-ins of a process that wait for a thread: seconds, not minutes


_Args = ParamSpec("_Args")
_Result = TypeVar("_Result")


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
        token_key: bytes,
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
        self._threads = threads
        self._now = now
        self._passkeys = Passkeys(people, token_key, now)
        self.steps = SignInSteps(
            people, sessions, codes, factors, journal=journal, refusals=refusals, rules=rules, now=now
        )
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

    # --- passkeys -----------------------------------------------------------------------------------------------------

    async def passkey_request(self, site: Site, code: str = "") -> PasskeyRequest:
        """What a browser needs to ask for a passkey: for the second step, of whose account `code` is; without a code
        for signing in with nothing else."""
        return await self.apart(self._passkey_request, site, code)

    async def passkey(
        self, site: Site, ticket: str, answer: str, known: Known, *, code: str = "", replacing: Person | None = None
    ) -> SignedIn:
        """Sign in with a passkey, which is two factors by itself, or take the second step with one (`code`). `answer`
        is the browser's, as JSON; `ticket` came with the request."""
        return await self.apart(self._passkey, site, ticket, answer, known, code=code, replacing=replacing)

    async def offer_passkey(self, code: str, site: Site) -> str:
        """The options, as JSON, with which a browser makes a passkey for whoever is adding one."""
        return await self.apart(self._offer_passkey, code, site)

    async def confirm_passkey(self, code: str, site: Site, answer: str, label: str, known: Known) -> SignedIn:
        """Add the passkey that the browser made. `label` is what its owner calls it; USAGE if it is no name."""
        return await self.apart(self._confirm_passkey, code, site, answer, label, known)

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
        self.steps.require_patience(typed, known)
        account = self._people.account(typed)
        fits = password_fits(password, "" if account is None else account.password_hash)
        if account is None or not fits or account.disabled:
            cause = "no-account" if account is None else "disabled" if fits else "password"
            self.steps.refuse(cause, typed, known)
        if replacing is not None and replacing.account.name != account.name:
            self.steps.refuse("another-account", typed, known)
        if should_rehash(account.password_hash):
            self._rehash(account, password)
        return self.steps.step(account, "password", known, b"" if replacing is None else replacing.session.digest)

    def _rehash(self, account: Account, password: str) -> None:
        """Keep it with parameters of today, unless it was changed meanwhile."""
        old, new = account.password_hash, hash_password(password)
        self._people.change_account(
            account.name, lambda one: replace(one, password_hash=new) if one.password_hash == old else one
        )

    def _set_up(self, code: str, name: str, display: str, password: str, known: Known) -> Step:
        if self._codes.look(code, Purpose.SET_UP) is None:
            self.steps.refuse("set-up-link", "", known, NO_LINK)
        typed = name.strip().lower()
        if not is_account_name(typed):
            comment = "A name has up to 64 small letters, digits, dots, dashes and underscores."
            raise LeadglassError(ErrorCode.USAGE, comment)
        if not is_display(display):
            raise LeadglassError(ErrorCode.USAGE, "Say who you are, as others should read it.")
        require_good(password, typed)
        kept = hash_password(password)
        if self._codes.take(code, Purpose.SET_UP) is None or self._people.accounts():
            self.steps.refuse("set-up-link", "", known, NO_LINK)
        made = Account(typed, display, frozenset({Role.ADMINISTRATOR}), self._now(), "set-up", password_hash=kept)
        self.steps.note(
            EventKind.SECURITY_ALERT, "account-added", typed, known, roles=Role.ADMINISTRATOR.value, by="set-up"
        )
        if not self._people.add_account(made):
            self.steps.refuse("set-up-link", "", known, NO_LINK)
        return self.steps.step(made, "set-up", known)

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
            self.steps.refuse("enrol-link", "", known, NO_LINK)
        require_good(password, account.name)
        kept = hash_password(password)
        if self._codes.take(code, Purpose.ENROL) is None:
            self.steps.refuse("enrol-link", "", known, NO_LINK)
        self.steps.note(EventKind.SECURITY_ALERT, "password-set", account.name, known, by="enrol-link")
        changed = self._people.change_account(account.name, lambda one: replace(one, password_hash=kept))
        if changed is None or changed.disabled:
            self.steps.refuse("disabled", account.name, known)
        self._people.end_sessions(owner=changed.name)
        return self.steps.step(changed, "enrol-link", known)

    def _prove(self, code: str, known: Known, how: str, use: Callable[[str], Account]) -> SignedIn:
        found = self.steps.taken(code, PROVE, known)
        try:
            account = use(found.subject)
        except WrongProof as wrong:
            self.steps.missed(found, wrong.cause, known)
        return self.steps.begin(account, f"{found.details.get('how', '')} {how}", known, replaced_by(found))

    def _offer_totp(self, code: str) -> TotpOffer:
        found = self.steps.enrolling(code)
        if "secret" not in found.details:
            secret = self._factors.new_secret()
            self.steps.changed(code, secret=secret.hex())
        else:
            secret = bytes.fromhex(found.details["secret"])
        return self._factors.offer(found.subject, secret)

    def _confirm_totp(self, code: str, digits: str, known: Known) -> SignedIn:
        found = self.steps.taken(code, ENROL, known)
        secret = bytes.fromhex(found.details.get("secret", ""))
        try:
            step = self._factors.totp_step(secret, digits)
        except WrongProof as wrong:
            self.steps.missed(found, wrong.cause, known)

        def add(account: Account) -> Account:
            return replace(account, totp_secret=secret, totp_step=step)

        return self.steps.added(found, "totp", add, known)

    def _passkey_request(self, site: Site, code: str) -> PasskeyRequest:
        if not code:
            return self._passkeys.request(site, ())
        found = self.steps.proving(code)
        account = self._people.account(found.subject)
        return self._passkeys.request(site, () if account is None else account.passkeys)

    def _passkey(
        self, site: Site, ticket: str, answer: str, known: Known, *, code: str, replacing: Person | None
    ) -> SignedIn:
        found = self.steps.taken(code, PROVE, known, patient=False) if code else None
        try:
            account = self._passkeys.use(site, ticket, answer, "" if found is None else found.subject)
        except WrongProof as wrong:
            if found is not None:
                self.steps.missed(found, wrong.cause, known)
            self.steps.refuse(wrong.cause, "", known)
        if replacing is not None and replacing.account.name != account.name:
            self.steps.refuse("another-account", account.name, known)
        if found is None and replacing is None and account.at_provider_alone:
            self.steps.refuse("provider-alone", account.name, known)
        if found is not None:
            how = f"{found.details.get('how', '')} passkey"
            return self.steps.begin(account, how, known, replaced_by(found))
        return self.steps.begin(account, "passkey", known, b"" if replacing is None else replacing.session.digest)

    def _offer_passkey(self, code: str, site: Site) -> str:
        found = self.steps.enrolling(code)
        account = self._people.account(found.subject)
        if account is None:
            raise LeadglassError(ErrorCode.NOT_AUTHENTICATED, TOO_LATE)
        challenge = self._passkeys.new_challenge()
        self.steps.changed(code, challenge=challenge.hex())
        return self._passkeys.creation(site, account, challenge)

    def _confirm_passkey(self, code: str, site: Site, answer: str, label: str, known: Known) -> SignedIn:
        label = label.strip()
        if not is_line(label, MAX_LABEL):
            raise LeadglassError(ErrorCode.USAGE, f"Give the passkey a name of up to {MAX_LABEL} characters.")
        found = self.steps.taken(code, ENROL, known)
        try:
            passkey = self._passkeys.made(site, bytes.fromhex(found.details.get("challenge", "")), answer, label)
        except WrongProof as wrong:
            self.steps.missed(found, wrong.cause, known)

        def add(account: Account) -> Account:
            if any(other.credential_id == passkey.credential_id for other in account.passkeys):
                raise WrongProof("passkey-known")
            if len(account.passkeys) >= MAX_PASSKEYS:
                raise LeadglassError(ErrorCode.USAGE, f"An account has {MAX_PASSKEYS} passkeys at most.")
            return replace(account, passkeys=(*account.passkeys, passkey))

        return self.steps.added(found, "passkey", add, known)

    def _break_glass(self, person: Person, reason: str, known: Known) -> SignedIn:
        reason = " ".join(reason.split())
        if not len(reason) >= MIN_REASON or not is_line(reason, MAX_REASON):
            comment = f"Say why, in {MIN_REASON} to {MAX_REASON} characters: it is journalled and will be asked about."
            raise LeadglassError(ErrorCode.USAGE, comment)
        if Right.RETRIEVE not in person.principal.rights or person.session.audience is not Audience.PAGES:
            raise LeadglassError(ErrorCode.NOT_AUTHORISED, "Whoever may see no study breaks no glass.")
        self.steps.note(EventKind.SECURITY_ALERT, "glass-broken", person.account.name, known, reason=reason)
        return self.steps.begin(person.account, "glass-broken", known, person.session.digest, emergency=reason)

    def _sign_out(self, person: Person) -> None:
        self._sessions.end(person)
        known = Known(person.principal.address)
        self.steps.note(EventKind.USER_AUTHENTICATION, "person-signed-out", person.account.name, known)
