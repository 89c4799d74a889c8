"""What people do with their own accounts: password, second factors, sessions. Each step is in the journal."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Final

from leadglass.access.accounts import AccountRules
from leadglass.access.passwords import hash_password, require_good
from leadglass.core.accounts import Account
from leadglass.core.errors import ErrorCode, LeadglassError
from leadglass.core.events import EventKind, JournalEvent
from leadglass.core.people import People
from leadglass.core.ports import Journal
from leadglass.core.sessions import Session
from leadglass.services.admit import Gate
from leadglass.services.one_time_codes import OWN, OneTimeCodes
from leadglass.services.oneself import of_oneself
from leadglass.services.second_factors import SecondFactors
from leadglass.services.sessions import Person, Sessions

LANGUAGES: Final = frozenset({"", "en", "it"})  # empty: as the browser says


class OwnAccount:
    """For somebody who is signed in. All of it may block for as long as a password is hashed: off the event loop,
    by SignIn.apart."""

    def __init__(
        self,
        gate: Gate,
        people: Sessions,
        accounts: People,
        codes: OneTimeCodes,
        factors: SecondFactors,
        *,
        journal: Journal,
        rules: AccountRules,
    ) -> None:
        self.gate = gate
        self.people = people
        self._accounts = accounts
        self._codes = codes
        self._factors = factors
        self._journal = journal
        self._rules = rules

    @of_oneself(EventKind.SECURITY_ALERT, fresh=True)
    def change_password(self, person: Person, password: str) -> None:
        """Another password from now on; the person's other sessions end. USAGE if it is a poor one, or for somebody who
        signs in at the provider alone: whom the provider lets in no more has no other way."""
        if person.account.at_provider_alone:
            raise LeadglassError(ErrorCode.USAGE, "You sign in at your organisation: there is no password here.")
        require_good(password, person.account.name)
        kept = hash_password(password)
        self._note(person, "password-changed")
        self._change(person, lambda account: replace(account, password_hash=kept))
        self._codes.drop(person.account.name)
        self._accounts.end_sessions(owner=person.account.name, keep=person.session.digest)

    @of_oneself(EventKind.SECURITY_ALERT, fresh=True)
    def add_second_factor(self, person: Person) -> str:
        """A code with which SignIn adds an authenticator app or a passkey; it replaces this session by a new one."""
        self._note(person, "second-factor-begun")
        return self._codes.enrolment(
            person.account.name, **{OWN: "1", "how": "own-account", "replaces": person.session.digest.hex()}
        )

    @of_oneself(EventKind.SECURITY_ALERT, fresh=True)
    def remove_totp(self, person: Person) -> None:
        """Take away the authenticator app. USAGE if there is none, or the role needs one and there is no passkey."""
        if not person.account.totp_secret:
            raise LeadglassError(ErrorCode.USAGE, "There is no authenticator app.")
        self._take_away(person, "totp", lambda account: replace(account, totp_secret=b"", totp_step=0))

    @of_oneself(EventKind.SECURITY_ALERT, fresh=True)
    def remove_passkey(self, person: Person, credential_id: bytes) -> None:
        """Take away a passkey. USAGE if there is none like it, or it is the last factor and the role needs one."""
        if all(passkey.credential_id != credential_id for passkey in person.account.passkeys):
            raise LeadglassError(ErrorCode.USAGE, "There is no such passkey.")

        def without(account: Account) -> Account:
            left = tuple(passkey for passkey in account.passkeys if passkey.credential_id != credential_id)
            return replace(account, passkeys=left)

        self._take_away(person, "passkey", without)

    @of_oneself(EventKind.SECURITY_ALERT, fresh=True)
    def new_recovery_codes(self, person: Person) -> tuple[str, ...]:
        """New recovery codes, shown this once; the old ones are good no more. USAGE without a second factor."""
        if not person.account.second_factor:
            raise LeadglassError(ErrorCode.USAGE, "Recovery codes stand in for a second factor: add one first.")
        codes, digests = self._factors.recovery(person.account.name)
        self._note(person, "recovery-codes-made")
        self._change(person, lambda account: replace(account, recovery=digests))
        return codes

    @of_oneself(EventKind.APPLICATION_ACTIVITY, fresh=False)
    def sessions(self, person: Person) -> list[Session]:
        """Where the person is signed in, the newest first."""
        self._note(person, "own-sessions-listed", EventKind.APPLICATION_ACTIVITY)
        return [session for session in self._accounts.sessions(person.account.name) if not session.share]

    @of_oneself(EventKind.SECURITY_ALERT, fresh=False)
    def end_session(self, person: Person, digest: bytes) -> None:
        """Sign out elsewhere. NOT_FOUND if the person has no such session."""
        session = self._accounts.session(digest)
        if session is None or session.share or session.owner != person.account.name:
            raise LeadglassError(ErrorCode.NOT_FOUND, "There is no such session.")
        self._note(person, "session-ended")
        self._accounts.end_sessions(digest=digest)

    @of_oneself(EventKind.SECURITY_ALERT, fresh=False)
    def end_other_sessions(self, person: Person) -> int:
        """Sign out everywhere but here; how many sessions ended."""
        self._note(person, "sessions-ended")
        return self._accounts.end_sessions(owner=person.account.name, keep=person.session.digest)

    @of_oneself(EventKind.APPLICATION_ACTIVITY, fresh=False)
    def choose_language(self, person: Person, language: str) -> None:
        """The language of the pages; empty: what the browser prefers. USAGE for one that there is not."""
        if language not in LANGUAGES:
            raise LeadglassError(ErrorCode.USAGE, "The pages are not in that language.")
        self._note(person, "language-chosen", EventKind.APPLICATION_ACTIVITY, language=language)
        self._change(person, lambda account: replace(account, language=language))

    def _take_away(self, person: Person, factor: str, without: Callable[[Account], Account]) -> None:
        def change(account: Account) -> Account:
            left = without(account)
            if not left.second_factor and self._rules.demands_second(account):
                raise LeadglassError(ErrorCode.USAGE, "Your role needs a second factor: add another one first.")
            return left if left.second_factor else replace(left, recovery=frozenset())

        change(person.account)  # what is refused is not journalled as done
        self._note(person, "second-factor-removed", factor=factor)
        self._change(person, change)

    def _change(self, person: Person, change: Callable[[Account], Account]) -> None:
        self._accounts.change_account(person.account.name, change)

    def _note(self, person: Person, what: str, kind: EventKind = EventKind.SECURITY_ALERT, **details: str) -> None:
        """In the journal, durably, before it counts."""
        event = JournalEvent(kind, what, person.principal.name, person.principal.address, details=details)
        self._journal.record(event, durable=kind is EventKind.SECURITY_ALERT)
