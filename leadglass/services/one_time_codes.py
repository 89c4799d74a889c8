"""One-time codes: made, looked at, used up. The state keeps their digests, so that it alone opens nothing."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Final

from leadglass.access.one_time import RANDOM_BYTES, code_digest, code_text, is_code
from leadglass.core.people import People
from leadglass.core.sessions import OneTimeCode, Purpose

SECOND: Final = 1_000_000_000  # nanoseconds
LIFETIMES: Final[Mapping[Purpose, int]] = {
    Purpose.SET_UP: 30 * 60 * SECOND,
    Purpose.ENROL: 24 * 3600 * SECOND,
    Purpose.SECOND_FACTOR: 5 * 60 * SECOND,
    Purpose.VIEWER: 30 * SECOND,
}
ENROLMENT: Final = 20 * 60 * SECOND  # for getting an authenticator app
PROVE: Final = "prove"  # stages of Purpose.SECOND_FACTOR: prove one ...
ENROL: Final = "enrol"  # ... or add one
OWN: Final = "own"  # marks a step that began in a session of its owner
PATHS: Final[Mapping[Purpose, str]] = {Purpose.SET_UP: "/set-up/", Purpose.ENROL: "/enrol/"}
FIRST_ACCOUNT: Final = ""  # the subject of a set-up code: there is nobody yet


class OneTimeCodes:
    """Makes codes and takes them in again. Not a use case: it lets in who holds one. `now` is in nanoseconds."""

    def __init__(self, people: People, token_key: bytes, now: Callable[[], int] = time.time_ns) -> None:
        self._people = people
        self._key = token_key
        self._now = now

    def make(self, purpose: Purpose, subject: str, details: Mapping[str, str] | None = None) -> str:
        """The text of a new code, which is nowhere else."""
        return self._made(purpose, subject, LIFETIMES[purpose], details or {})

    def enrolment(self, name: str, **details: str) -> str:
        """A code for adding a second factor to an account."""
        return self._made(Purpose.SECOND_FACTOR, name, ENROLMENT, {"stage": ENROL, **details})

    def make_only(self, purpose: Purpose, subject: str) -> str:
        """The same, and none that was made before for this is good any more."""
        self._people.drop_codes(purpose, subject)
        return self.make(purpose, subject)

    def set_up(self) -> str | None:
        """A code for making the first account, the only one that is good; None if there is an account."""
        return None if self._people.accounts() else self.make_only(Purpose.SET_UP, FIRST_ACCOUNT)

    def look(self, text: str, purpose: Purpose) -> OneTimeCode | None:
        """The code, which stays good; None if it is not good for this."""
        return self._people.code(self._digest(text), purpose, self._now()) if is_code(text) else None

    def take(self, text: str, purpose: Purpose) -> OneTimeCode | None:
        """The code, which is good no more; None if it was not good for this."""
        return self._people.take_code(self._digest(text), purpose, self._now()) if is_code(text) else None

    def put_back(self, code: OneTimeCode, **details: str) -> None:
        """A code that was taken is good again until it ends, with some details changed."""
        self._people.put_code(replace(code, details={**code.details, **details}))

    def drop(self, subject: str) -> None:
        """No code that is about this account is good any more."""
        for purpose in (Purpose.ENROL, Purpose.SECOND_FACTOR):
            self._people.drop_codes(purpose, subject)

    def _made(self, purpose: Purpose, subject: str, lifetime: int, details: Mapping[str, str]) -> str:
        text = code_text(secrets.token_bytes(RANDOM_BYTES))
        kept = OneTimeCode(self._digest(text), purpose, subject, self._now() + lifetime, dict(details))
        self._people.put_code(kept)
        return text

    def _digest(self, text: str) -> bytes:
        return code_digest(self._key, text)
