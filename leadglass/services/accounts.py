"""Accounts of people: who there is, what they may do, and taking it back. Decisions in state, each in the journal."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from leadglass.access.accounts import is_account_name, is_display
from leadglass.core.accounts import Account, Role
from leadglass.core.errors import ErrorCode, LeadglassError
from leadglass.core.events import EventKind, JournalEvent
from leadglass.core.limits import MAX_REACH_ENTRIES
from leadglass.core.people import People
from leadglass.core.ports import Journal, State
from leadglass.core.principal import Principal, Right
from leadglass.core.sessions import Purpose, Session
from leadglass.dicom.names import name_groups, normalise_text
from leadglass.services.account_names import is_taken
from leadglass.services.admit import Gate, use_case
from leadglass.services.one_time_codes import OneTimeCodes


@dataclass(frozen=True, slots=True)
class WantedAccount:
    """What a new account is to be. `institutions` and `referring` are as people write them."""

    name: str
    display: str
    roles: frozenset[Role]
    institutions: tuple[str, ...] = ()
    referring: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Invitation:
    """An account, and the code of the link by which its owner sets a password: good for a day, and nowhere else."""

    account: Account
    code: str = field(repr=False)


class Accounts:
    """Add, list, disable, enable and reset accounts; say what they may do."""

    def __init__(
        self,
        gate: Gate,
        people: People,
        state: State,
        codes: OneTimeCodes,
        *,
        journal: Journal,
        now: Callable[[], int] = time.time_ns,
    ) -> None:
        self.gate = gate
        self._people = people
        self._state = state
        self._codes = codes
        self._journal = journal
        self._now = now

    @use_case(Right.ADMINISTER, EventKind.APPLICATION_ACTIVITY)
    def accounts(self, principal: Principal) -> list[Account]:
        """All accounts, disabled ones too, by name."""
        self._note(principal, "accounts-listed", EventKind.APPLICATION_ACTIVITY)
        return self._people.accounts()

    @use_case(Right.ADMINISTER, EventKind.APPLICATION_ACTIVITY)
    def account(self, principal: Principal, name: str) -> Account:
        """One account. NOT_FOUND if there is none of that name."""
        self._note(principal, "account-read", EventKind.APPLICATION_ACTIVITY, account=name[:64])
        return self._known(name)

    @use_case(Right.ADMINISTER, EventKind.SECURITY_ALERT)
    def add(self, principal: Principal, wanted: WantedAccount) -> Invitation:
        """A new account. USAGE if the name is taken, by whatever kind, or anything is badly described."""
        account = Account(
            wanted.name,
            wanted.display,
            wanted.roles,
            created=self._now(),
            created_by=principal.name,
            institutions=_institutions(wanted.institutions),
            referring=_referring(wanted.referring),
        )
        self._check(account)
        self._require_free(wanted.name)
        self._note(principal, "account-added", account=account.name, roles=_words(account.roles))
        if not self._people.add_account(account):
            raise LeadglassError(ErrorCode.USAGE, "There is an account of that name already.")
        return Invitation(account, self._codes.make_only(Purpose.ENROL, account.name))

    @use_case(Right.ADMINISTER, EventKind.SECURITY_ALERT)
    def enable(self, principal: Principal, name: str, *, enabled: bool) -> None:
        """Let somebody in again, or keep somebody out from the next request on, links that were made too. USAGE for
        the last administrator."""
        moment = 0 if enabled else self._now()

        def change(account: Account) -> Account:
            return replace(account, disabled=moment)

        self._change(principal, "account-enabled" if enabled else "account-disabled", name, change)
        if not enabled:
            self._sign_out(name)

    @use_case(Right.ADMINISTER, EventKind.SECURITY_ALERT)
    def change_roles(self, principal: Principal, name: str, roles: frozenset[Role]) -> None:
        """Other roles; the person signs in anew. USAGE if the last administrator would be none."""

        def change(account: Account) -> Account:
            return replace(account, roles=roles)

        self._change(principal, "account-roles-changed", name, change, roles=_words(roles))
        self._sign_out(name)

    @use_case(Right.ADMINISTER, EventKind.SECURITY_ALERT)
    def describe(
        self,
        principal: Principal,
        name: str,
        *,
        display: str | None = None,
        institutions: tuple[str, ...] | None = None,
        referring: tuple[str, ...] | None = None,
    ) -> None:
        """Another name to show, another reach; what is None stays."""

        def change(account: Account) -> Account:
            return replace(
                account,
                display=account.display if display is None else display,
                institutions=account.institutions if institutions is None else _institutions(institutions),
                referring=account.referring if referring is None else _referring(referring),
            )

        self._change(principal, "account-described", name, change)

    @use_case(Right.ADMINISTER, EventKind.SECURITY_ALERT)
    def reset(self, principal: Principal, name: str) -> Invitation:
        """Take away password, second factors and sessions of somebody who lost them (or should), and make a link for
        a new password."""

        def change(account: Account) -> Account:
            return replace(account, password_hash="", totp_secret=b"", totp_step=0, recovery=frozenset(), passkeys=())

        account = self._change(principal, "account-reset", name, change)
        self._sign_out(name)
        return Invitation(account, self._codes.make_only(Purpose.ENROL, name))

    @use_case(Right.ADMINISTER, EventKind.SECURITY_ALERT)
    def end_sessions(self, principal: Principal, name: str) -> int:
        """Sign somebody out everywhere; how many sessions ended."""
        self._known(name)
        self._note(principal, "account-signed-out", account=name)
        return self._people.end_sessions(owner=name)

    @use_case(Right.ADMINISTER, EventKind.APPLICATION_ACTIVITY)
    def sessions(self, principal: Principal, name: str) -> list[Session]:
        """Where somebody is signed in at the moment, the newest first. NOT_FOUND if there is no such account."""
        self._known(name)
        self._note(principal, "account-sessions-read", EventKind.APPLICATION_ACTIVITY, account=name)
        now = self._now()
        return [one for one in self._people.sessions(name) if not one.share and now < one.expires]

    @use_case(Right.ADMINISTER, EventKind.APPLICATION_ACTIVITY)
    def emergencies(self, principal: Principal) -> list[Session]:
        """Sessions in which the glass is broken at the moment, the newest first; older ones are in the journal."""
        self._note(principal, "emergencies-listed", EventKind.APPLICATION_ACTIVITY)
        now = self._now()
        found = [
            session
            for account in self._people.accounts()
            for session in self._people.sessions(account.name)
            if session.emergency and not session.share and now < session.expires
        ]
        return sorted(found, key=lambda session: -session.created)

    def _known(self, name: str) -> Account:
        account = self._people.account(name)
        if account is None:
            raise LeadglassError(ErrorCode.NOT_FOUND, "There is no account of that name.")
        return account

    def _change(
        self, principal: Principal, what: str, name: str, change: Callable[[Account], Account], **details: str
    ) -> Account:
        def checked(account: Account) -> Account:
            changed = change(account)
            self._check(changed)
            if _administers(account) and not _administers(changed):
                self._require_another(name)
            return changed

        checked(self._known(name))  # what is refused is not journalled as done
        self._note(principal, what, EventKind.SECURITY_ALERT, account=name, **details)
        changed = self._people.change_account(name, checked)  # once more, nobody else changing anything
        if changed is None:
            raise LeadglassError(ErrorCode.NOT_FOUND, "There is no account of that name.")
        return changed

    def _sign_out(self, name: str) -> None:
        self._codes.drop(name)
        self._people.end_sessions(owner=name)

    def _require_another(self, name: str) -> None:
        if not any(_administers(other) for other in self._people.accounts() if other.name != name):
            comment = "This is the last enabled administrator: make another one first."
            raise LeadglassError(ErrorCode.USAGE, comment)

    def _require_free(self, name: str) -> None:
        if self._people.account(name) is not None:
            raise LeadglassError(ErrorCode.USAGE, "There is an account of that name already.")
        if is_taken(name, self._people, self._state):
            comment = "A device or a token has that name; journals could not tell them apart."
            raise LeadglassError(ErrorCode.USAGE, comment)

    def _check(self, account: Account) -> None:
        if not is_account_name(account.name):
            comment = "A name has up to 64 small letters, digits, dots, dashes and underscores."
            raise LeadglassError(ErrorCode.USAGE, comment)
        if not is_display(account.display):
            raise LeadglassError(ErrorCode.USAGE, "Say who it is, in a line of up to 128 characters.")
        if not account.roles:
            raise LeadglassError(ErrorCode.USAGE, "An account needs a role.")
        if len(account.institutions) + len(account.referring) > MAX_REACH_ENTRIES:
            raise LeadglassError(ErrorCode.USAGE, f"At most {MAX_REACH_ENTRIES} institutions and physicians.")

    def _note(
        self, principal: Principal, what: str, kind: EventKind = EventKind.SECURITY_ALERT, **details: str
    ) -> None:
        """In the journal, durably, before it counts."""
        event = JournalEvent(kind, what, principal.name, principal.address, details=details)
        self._journal.record(event, durable=kind is EventKind.SECURITY_ALERT)


def _administers(account: Account) -> bool:
    return Role.ADMINISTRATOR in account.roles and not account.disabled


def _words(roles: frozenset[Role]) -> str:
    return " ".join(sorted(role.value for role in roles))


def _institutions(names: tuple[str, ...]) -> frozenset[str]:
    return frozenset(text for name in names if (text := normalise_text(name)))


def _referring(names: tuple[str, ...]) -> frozenset[str]:
    groups = {name: [group for group in name_groups(name) if group] for name in names}
    if not all(groups.values()):
        raise LeadglassError(ErrorCode.USAGE, "A physician is named as DICOM writes names: Rossi^Anna.")
    return frozenset(group for found in groups.values() for group in found)
