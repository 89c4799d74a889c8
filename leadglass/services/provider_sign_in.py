"""Signing in at the OpenID provider: there and back, and the account that the subject has here.

An account is linked by its subject alone, never by a name or an address that the provider tells: whoever may choose
those there must not get into somebody's account here. Roles and reach are what the groups give at each sign-in.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, Final, Protocol

from leadglass.access.one_time import TICKET_RANDOM, code_digest, ticket, ticket_ends
from leadglass.access.openid import UnacceptableError, parse_document
from leadglass.access.openid_people import (
    MAX_CODE,
    Entitled,
    Identity,
    PeopleSettings,
    account_names,
    authorization_address,
    code_fields,
    completed,
    entitled,
    identity_of,
    is_state,
    nonce,
)
from leadglass.core.accounts import Account, Role
from leadglass.core.errors import ErrorCode, LeadglassError
from leadglass.core.events import EventKind
from leadglass.core.people import People
from leadglass.core.ports import ProviderDocuments, State
from leadglass.core.sessions import OneTimeCode, Purpose
from leadglass.services.account_names import is_taken
from leadglass.services.sessions import Known, Person
from leadglass.services.sign_in import SignIn
from leadglass.services.sign_in_steps import BUSY, Step

LIFETIME: Final = 600 * 1_000_000_000  # nanoseconds: signing in there, with a second factor
MAX_ASKING: Final = 8  # answers that are looked into at a time: each may wait for the provider some seconds
NOT_LET_IN: Final = "The sign-in at the provider lets nobody in here; begin again, or ask your administrator."
_PURPOSE: Final = "openid"


class TokenReader(Protocol):
    """Reads the provider's tokens (services.openid)."""

    @property
    def issuer(self) -> str:
        """The provider's `iss`."""
        ...

    @property
    def groups_claim(self) -> str:
        """Where groups stand."""
        ...

    def id_token(self, token: str, client_id: str) -> Mapping[str, Any]:
        """The claims of an ID token for this client. UnacceptableError unless signature, issuer and times hold."""
        ...

    def userinfo(self, bearer: str, subject: str) -> Mapping[str, Any] | None:
        """What the userinfo endpoint tells of this subject; None if nothing."""
        ...


@dataclass(frozen=True, slots=True)
class Departure:
    """Where the browser is sent; `ticket` is held in a cookie until it comes back."""

    address: str
    ticket: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Return:
    """What the browser brings back from the provider (RFC 6749 4.1.2, RFC 9207)."""

    ticket: str = field(repr=False)
    state: str = field(repr=False)
    code: str = field(repr=False)
    issuer: str = ""


class ProviderSignIn:
    """Lets people in who sign in at the provider. Not a use case: it is how principals come to be. `now` is in
    nanoseconds; `origin` is the origin of ours that the browser sees."""

    def __init__(
        self,
        settings: PeopleSettings,
        tokens: TokenReader,
        documents: ProviderDocuments,
        sign_in: SignIn,
        *,
        people: People,
        state: State,
        token_key: bytes,
        now: Callable[[], int] = time.time_ns,
    ) -> None:
        self._settings = settings
        self._tokens = tokens
        self._documents = documents
        self._sign_in = sign_in
        self._people = people
        self._state = state
        self._key = token_key
        self._now = now
        self._asking = 0

    def depart(self, origin: str, *, fresh: bool = False) -> Departure:
        """On to the provider, to prove once more who it is if `fresh`. Nothing is written."""
        text = ticket(self._key, _PURPOSE, secrets.token_bytes(TICKET_RANDOM), self._now() + LIFETIME)
        return Departure(authorization_address(self._settings, self._key, text, origin, fresh=fresh), text)

    async def arrive(self, back: Return, origin: str, known: Known, replacing: Person | None = None) -> Step:
        """Back from the provider. NOT_AUTHENTICATED, with one sentence, whatever does not hold. `replacing` is who is
        signed in already: its session ends, if it is the same person."""
        ends = ticket_ends(self._key, _PURPOSE, back.ticket, self._now())
        try:
            if ends is None or not is_state(self._key, back.ticket, back.state):
                raise UnacceptableError("state")
            if back.issuer and back.issuer != self._tokens.issuer:  # RFC 9207 2.4: of another provider
                raise UnacceptableError("issuer")
            identity = await self._asked(back, origin)
        except UnacceptableError as error:
            cause = f"provider-{error.cause}"
            return await self._sign_in.apart(self._sign_in.steps.refuse, cause, "", known, NOT_LET_IN)
        return await self._sign_in.apart(self._let_in, back.ticket, ends, identity, known, replacing)

    async def _asked(self, back: Return, origin: str) -> Identity:
        """Ask the provider, beside the threads in which passwords are hashed: it may be slow."""
        if self._asking >= MAX_ASKING:
            raise LeadglassError(ErrorCode.OUT_OF_RESOURCES, BUSY)
        self._asking += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(None, partial(self._identity, back, origin))
        finally:
            self._asking -= 1

    def _identity(self, back: Return, origin: str) -> Identity:
        if not back.code or len(back.code) > MAX_CODE:
            raise UnacceptableError("code")
        fields = code_fields(self._settings, self._key, back.ticket, origin, back.code)
        name, secret = self._settings.client_id, self._settings.secret
        try:
            answer = parse_document(self._documents.exchanged(self._settings.token_url, fields, name, secret))
        except LeadglassError:
            raise UnacceptableError("exchange") from None
        token, bearer = answer.get("id_token"), answer.get("access_token")
        if not isinstance(token, str):
            raise UnacceptableError("no-id-token")
        claims = self._tokens.id_token(token, self._settings.client_id)
        expected = nonce(self._key, back.ticket)
        identity = identity_of(claims, self._settings, self._tokens.groups_claim, expected)
        if identity.is_complete or not isinstance(bearer, str):
            return identity
        told = self._tokens.userinfo(bearer, identity.subject) or {}
        return completed(identity, claims, told, self._tokens.groups_claim)

    # --- what runs in the threads of signing in -----------------------------------------------------------------------

    def _let_in(self, text: str, ends: int, identity: Identity, known: Known, replacing: Person | None) -> Step:
        subject = f"{identity.subject}@{self._tokens.issuer}"
        if not self._people.use_once(OneTimeCode(code_digest(self._key, text), Purpose.USED, subject, ends)):
            self._sign_in.steps.refuse("provider-again", "", known, NOT_LET_IN)
        gives = entitled(self._settings, identity.groups or frozenset())
        account = self._people.account_of(subject)
        if not gives.roles:
            if account is not None:
                self._people.end_sessions(owner=account.name)
            self._sign_in.steps.refuse("provider-no-role", "" if account is None else account.name, known, NOT_LET_IN)
        if account is None:
            account = self._added(subject, identity, gives, known)
        else:
            account = self._brought_up_to_date(account, identity, gives, known)
        proved = identity.many_factors or self._settings.asks_second_factor
        same = replacing is not None and replacing.account.name == account.name
        replaces = replacing.session.digest if replacing is not None and same else b""
        # Somebody who was signed in there for hours has proved nothing now.
        raised = identity.proved_at * 1_000_000_000
        return self._sign_in.steps.step(account, "provider", known, replaces, proved=proved, raised=raised)

    def _added(self, subject: str, identity: Identity, gives: Entitled, known: Known) -> Account:
        names = account_names(identity, subject)
        name = next((name for name in names if not is_taken(name, self._people, self._state)), "")
        made = Account(
            name,
            identity.display,
            gives.roles,
            self._now(),
            "provider",
            institutions=gives.institutions,
            referring=gives.referring,
            subject=subject,
        )
        roles = _words(gives.roles)
        if not name:
            self._sign_in.steps.refuse("provider-name", "", known, NOT_LET_IN)
        self._sign_in.steps.note(EventKind.SECURITY_ALERT, "account-added", name, known, roles=roles, by="provider")
        if not self._people.add_account(made):
            self._sign_in.steps.refuse("provider-name", "", known, NOT_LET_IN)
        return made

    def _brought_up_to_date(self, account: Account, identity: Identity, gives: Entitled, known: Known) -> Account:
        def change(one: Account) -> Account:
            return replace(
                one,
                display=identity.display,
                roles=gives.roles,
                institutions=gives.institutions,
                referring=gives.referring,
            )

        if change(account) == account:
            return account
        if account.roles != gives.roles:
            roles = _words(gives.roles)
            kind, what = EventKind.SECURITY_ALERT, "account-roles-changed"
            self._sign_in.steps.note(kind, what, account.name, known, roles=roles, by="provider")
            self._people.end_sessions(owner=account.name)
        return self._people.change_account(account.name, change) or account


def _words(roles: frozenset[Role]) -> str:
    return " ".join(sorted(role.value for role in roles))
