"""Passkeys of accounts: asked for, proved, made. A proof is used up in the transaction that accepts it."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from leadglass.access.one_time import TICKET_RANDOM, code_digest, derived, ticket, ticket_ends
from leadglass.access.passkeys import (
    Site,
    UnacceptableAnswer,
    creation_options,
    credential_of,
    registered,
    request_options,
    sign_count_of,
)
from leadglass.core.accounts import Account, Passkey
from leadglass.core.people import People
from leadglass.core.sessions import OneTimeCode, Purpose
from leadglass.services.second_factors import WrongProof

MAX_PASSKEYS: Final = 20  # of one account
TICKET_LIFETIME: Final = 300 * 1_000_000_000  # nanoseconds
CHALLENGE_BYTES: Final = 32
_PURPOSE: Final = "passkey"


@dataclass(frozen=True, slots=True)
class PasskeyRequest:
    """What a browser is given to ask for a passkey, as JSON; `ticket` is held in a cookie until the answer comes."""

    options: str
    ticket: str = field(repr=False)


class Passkeys:
    """A part of SignIn. Nothing is written for somebody who is not known yet: the challenge is made of a ticket."""

    def __init__(self, people: People, token_key: bytes, now: Callable[[], int] = time.time_ns) -> None:
        self._people = people
        self._key = token_key
        self._now = now

    def request(self, site: Site, allowed: Sequence[Passkey]) -> PasskeyRequest:
        """A new challenge, for one of `allowed`, or for whatever passkey there is."""
        text = ticket(self._key, _PURPOSE, secrets.token_bytes(TICKET_RANDOM), self._now() + TICKET_LIFETIME)
        return PasskeyRequest(request_options(site, self._challenge(text), allowed), text)

    def use(self, site: Site, text: str, answer: str, name: str = "") -> Account:
        """The account whose passkey answered, of `name` where there is one; its counter moved on, the challenge used
        up. WrongProof if the answer does not hold, or was given before."""
        ends = ticket_ends(self._key, _PURPOSE, text, self._now())
        if ends is None:
            raise WrongProof("passkey-late")
        try:
            credential = credential_of(answer)
        except UnacceptableAnswer:
            raise WrongProof("passkey") from None
        owner = name or self._owner(credential)

        def prove(account: Account) -> Account:
            proved = tuple(
                self._proved(site, text, answer, one) if one.credential_id == credential else one
                for one in account.passkeys
            )
            if all(one.credential_id != credential for one in account.passkeys):
                raise WrongProof("passkey-unknown")
            return replace(account, passkeys=proved)

        account = self._people.change_account(owner, prove)
        if account is None:
            raise WrongProof("passkey-unknown")
        used = OneTimeCode(code_digest(self._key, text), Purpose.USED, owner, ends)
        if not self._people.use_once(used):
            raise WrongProof("passkey-again")
        return account

    def new_challenge(self) -> bytes:
        """A challenge for making a passkey."""
        return secrets.token_bytes(CHALLENGE_BYTES)

    def creation(self, site: Site, account: Account, challenge: bytes) -> str:
        """What a browser is given to make a passkey, as JSON."""
        return creation_options(site, challenge, account, derived(self._key, "passkey-user", account.name))

    def made(self, site: Site, challenge: bytes, answer: str, label: str) -> Passkey:
        """The passkey that a browser made. WrongProof if the answer does not hold."""
        try:
            return registered(site, challenge, answer, label, self._now())
        except UnacceptableAnswer:
            raise WrongProof("passkey") from None

    def _proved(self, site: Site, text: str, answer: str, passkey: Passkey) -> Passkey:
        try:
            return replace(passkey, sign_count=sign_count_of(site, self._challenge(text), answer, passkey))
        except UnacceptableAnswer:
            raise WrongProof("passkey") from None

    def _owner(self, credential: bytes) -> str:
        """Whose it is. Accounts are few; what their owners show is looked for in all of them."""
        for account in self._people.accounts():
            if any(passkey.credential_id == credential for passkey in account.passkeys):
                return account.name
        raise WrongProof("passkey-unknown")

    def _challenge(self, text: str) -> bytes:
        return derived(self._key, "passkey-challenge", text)
