"""Second factors of an account: proved, added, taken away. Each proof is used up in the transaction that accepts it."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Final

from leadglass.access.totp import (
    RECOVERY_CODES,
    RECOVERY_RANDOM,
    SECRET_BYTES,
    provisioning_uri,
    recovery_codes,
    recovery_digest,
    secret_text,
    step_of,
)
from leadglass.core.accounts import Account
from leadglass.core.people import People

ISSUER: Final = "Leadglass"  # what an authenticator app shows above the account's name


class WrongProof(Exception):  # noqa: N818 - what the rooms call it
    """Why a proof was not accepted; for the journal alone."""

    def __init__(self, cause: str) -> None:
        super().__init__(cause)
        self.cause = cause


@dataclass(frozen=True, slots=True)
class TotpOffer:
    """A key for an authenticator app: as it is typed, and as the address of a QR code."""

    secret: str = field(repr=False)
    uri: str = field(repr=False)


class SecondFactors:
    """What accounts prove themselves with beside the password. Not a use case: who calls has asked. `now` is in
    nanoseconds."""

    def __init__(self, people: People, token_key: bytes, now: Callable[[], int] = time.time_ns) -> None:
        self._people = people
        self._key = token_key
        self._now = now

    def use_totp(self, name: str, code: str) -> Account:
        """The account, its authenticator's code used up. WrongProof if it does not fit, or fitted before."""

        def use(account: Account) -> Account:
            step = step_of(account.totp_secret, code, self._seconds(), account.totp_step)
            if step is None:
                raise WrongProof("totp")
            return replace(account, totp_step=step)

        return self._changed(name, use)

    def use_recovery(self, name: str, code: str) -> Account:
        """The account, one of its recovery codes used up. WrongProof if it is none."""
        digest = recovery_digest(self._key, name, code)

        def use(account: Account) -> Account:
            if digest not in account.recovery:
                raise WrongProof("recovery-code")
            return replace(account, recovery=account.recovery - {digest})

        return self._changed(name, use)

    def new_secret(self) -> bytes:
        """A key for an authenticator app."""
        return secrets.token_bytes(SECRET_BYTES)

    def offer(self, name: str, secret: bytes) -> TotpOffer:
        """How the key is handed to the app."""
        return TotpOffer(secret_text(secret), provisioning_uri(secret, name, ISSUER))

    def totp_step(self, secret: bytes, code: str) -> int:
        """The time step of the code that shows that the app has the key. WrongProof if it does not fit."""
        step = step_of(secret, code, self._seconds(), 0)
        if step is None:
            raise WrongProof("totp")
        return step

    def recovery(self, name: str) -> tuple[tuple[str, ...], frozenset[bytes]]:
        """New recovery codes, which are nowhere else, and what is kept of them."""
        codes = recovery_codes([secrets.token_bytes(RECOVERY_RANDOM) for _ in range(RECOVERY_CODES)])
        return tuple(codes), frozenset(recovery_digest(self._key, name, code) for code in codes)

    def _seconds(self) -> float:
        return self._now() / 1_000_000_000

    def _changed(self, name: str, change: Callable[[Account], Account]) -> Account:
        account = self._people.change_account(name, change)
        if account is None:
            raise WrongProof("no-account")
        return account
