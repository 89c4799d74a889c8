"""People for tests: accounts with a password, and what their authenticator app shows."""

from __future__ import annotations

import base64
from concurrent.futures import ThreadPoolExecutor

from programs_support import Sink

from leadglass.access.accounts import AccountRules
from leadglass.access.passwords import hash_password
from leadglass.access.totp import totp
from leadglass.app.archive import Archive
from leadglass.core.accounts import Account, Role
from leadglass.services.one_time_codes import OneTimeCodes
from leadglass.services.second_factors import SecondFactors
from leadglass.services.sessions import Known, Sessions
from leadglass.services.sign_in import SignIn

PASSWORD = "tramonto viola sul lago"
HASH = hash_password(PASSWORD)
SECRET = bytes(range(20))
HERE = Known("192.0.2.7", "a browser")
ELSEWHERE = Known("198.51.100.9", "another browser")


class Moments:
    """A clock in nanoseconds that goes when it is told to."""

    def __init__(self) -> None:
        self.now = 1_800_000_000_000_000_000

    def __call__(self) -> int:
        return self.now

    def pass_seconds(self, seconds: float) -> None:
        self.now += int(seconds * 1_000_000_000)


class PeopleOf:
    """The services that let people in, with a clock of the test's own, over an archive."""

    def __init__(self, archive: Archive, rules: AccountRules | None = None) -> None:
        self.clock, self.sink = Moments(), Sink()
        people, key = archive.state.people, archive.keys.token
        self.people = people
        self.sessions = Sessions(people, archive.state, key, self.clock)
        self.codes = OneTimeCodes(people, key, self.clock)
        self.threads = ThreadPoolExecutor(2)
        self.factors = SecondFactors(people, key, self.clock)
        self.sign_in = SignIn(
            people,
            self.sessions,
            self.codes,
            self.factors,
            token_key=key,
            journal=archive.journal,
            refusals=self.sink,
            rules=rules or AccountRules(),
            threads=self.threads,
            now=self.clock,
        )

    def add(self, name: str, *roles: Role, **changes: object) -> Account:
        fields: dict[str, object] = {"password_hash": HASH, **changes}
        made = Account(name, name.title(), frozenset(roles or {Role.CLINICIAN}), 1, "set-up", **fields)  # type: ignore[arg-type]
        assert self.people.add_account(made)
        return made

    def digits(self, secret: bytes | str = SECRET) -> str:
        """What an authenticator app shows now."""
        if isinstance(secret, str):
            secret = base64.b32decode(secret + "=" * (-len(secret) % 8))
        return totp(secret, self.clock.now // 1_000_000_000 // 30)

    @property
    def causes(self) -> list[object]:
        return [event.details["reason"] for event in self.sink.events]
