"""Tokens and grants: giving programs and people their rights, and taking them back. Each step is in the journal."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from leadglass.access.tokens import (
    DEFAULT_DAYS,
    MAX_DAYS,
    RANDOM_BYTES,
    is_token_name,
    token_digest,
    token_text,
)
from leadglass.core.errors import ErrorCode, LeadglassError
from leadglass.core.events import EventKind, JournalEvent
from leadglass.core.limits import MAX_REACH_ENTRIES
from leadglass.core.people import People
from leadglass.core.ports import Journal, State
from leadglass.core.principal import Principal, Right
from leadglass.core.reach import EVERYTHING, Reach
from leadglass.core.tokens import ApiToken, Grant, Scope, reach_of
from leadglass.dicom.uids import is_valid_uid
from leadglass.services.admit import Gate, use_case

DAY = 24 * 3600 * 1_000_000_000  # nanoseconds
_MAX_TEXT = 256  # characters of a name, an issuer or a Patient ID (LO has 64; a subject of a provider up to 255)


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a new token is to be. Without `reach` it reaches everything."""

    name: str
    scopes: frozenset[Scope]
    reach: Reach = EVERYTHING
    days: int = DEFAULT_DAYS


@dataclass(frozen=True, slots=True)
class IssuedToken:
    """A new token and its text, which is nowhere else from now on."""

    token: ApiToken
    text: str = field(repr=False)


class Tokens:
    """Issue, list and revoke tokens; grant single studies and patients."""

    def __init__(
        self,
        gate: Gate,
        state: State,
        journal: Journal,
        token_key: bytes,
        *,
        people: People,
        now: Callable[[], int] = time.time_ns,
    ) -> None:
        self.gate = gate
        self._people = people
        self._state = state
        self._journal = journal
        self._token_key = token_key
        self._now = now

    @use_case(Right.ADMINISTER, EventKind.SECURITY_ALERT)
    def issue(self, principal: Principal, wanted: Wanted) -> IssuedToken:
        """A new token. USAGE if the name is taken by one that still lets in, or anything is badly described."""
        now = self._now()
        self._check(wanted, now)
        text = token_text(secrets.token_bytes(RANDOM_BYTES))
        token = ApiToken(
            name=wanted.name,
            scopes=wanted.scopes,
            reach=wanted.reach,
            created=now,
            created_by=principal.name,
            expires=now + wanted.days * DAY,
            digest=token_digest(self._token_key, text),
        )
        scopes = " ".join(sorted(scope.value for scope in token.scopes))
        self._note(principal, "token-issued", token=token.name, scopes=scopes, days=wanted.days)
        self._state.put_token(token)
        return IssuedToken(token, text)

    @use_case(Right.ADMINISTER, EventKind.APPLICATION_ACTIVITY)
    def tokens(self, principal: Principal) -> list[ApiToken]:
        """Every token, revoked and expired ones too, by name."""
        event = JournalEvent(EventKind.APPLICATION_ACTIVITY, "tokens-listed", principal.name, principal.address)
        self._journal.record(event)
        return self._state.tokens()

    @use_case(Right.ADMINISTER, EventKind.SECURITY_ALERT)
    def revoke(self, principal: Principal, name: str) -> None:
        """Let nobody in by this token from the next request on. NOT_FOUND if there is none that still does."""
        self._note(principal, "token-revoked", token=name[:_MAX_TEXT])
        if not self._state.revoke_token(name, self._now()):
            raise LeadglassError(ErrorCode.NOT_FOUND, "There is no token of that name, or it was revoked before.")

    @use_case(Right.ADMINISTER, EventKind.SECURITY_ALERT)
    def grant(self, principal: Principal, grant: Grant) -> None:
        """Let a principal see a study or a patient. USAGE if the grant is badly described."""
        _check_grant(grant)
        if len(self._state.grants(grant.principal)) >= MAX_REACH_ENTRIES:
            raise LeadglassError(ErrorCode.USAGE, f"At most {MAX_REACH_ENTRIES} grants can be given to one name.")
        self._note(principal, "granted", to=grant.principal, study=grant.study_uid, patient=grant.patient_id)
        self._state.put_grant(replace(grant, granted=self._now(), granted_by=principal.name))

    @use_case(Right.ADMINISTER, EventKind.APPLICATION_ACTIVITY)
    def grants(self, principal: Principal, to: str | None = None) -> list[Grant]:
        """Explicit grants, all or those to one name."""
        event = JournalEvent(EventKind.APPLICATION_ACTIVITY, "grants-listed", principal.name, principal.address)
        self._journal.record(event)
        return self._state.grants(to)

    @use_case(Right.ADMINISTER, EventKind.SECURITY_ALERT)
    def withdraw(self, principal: Principal, grant: Grant) -> None:
        """Take back a grant. NOT_FOUND if there is none like it."""
        _check_grant(grant)
        self._note(principal, "grant-withdrawn", to=grant.principal, study=grant.study_uid, patient=grant.patient_id)
        if not self._state.remove_grant(grant):
            raise LeadglassError(ErrorCode.NOT_FOUND, "There is no such grant.")

    def _check(self, wanted: Wanted, now: int) -> None:
        if not is_token_name(wanted.name):
            comment = "A token's name has up to 64 letters, digits, dots, dashes and underscores."
            raise LeadglassError(ErrorCode.USAGE, comment)
        if not wanted.scopes:
            raise LeadglassError(ErrorCode.USAGE, "Say what the token is for: read, store, delete or admin.")
        if not 1 <= wanted.days <= MAX_DAYS:
            raise LeadglassError(ErrorCode.USAGE, f"A token lasts from 1 to {MAX_DAYS} days.")
        if Scope.ADMIN in wanted.scopes and not wanted.reach.everything:
            raise LeadglassError(ErrorCode.USAGE, "The scope admin is about the whole archive: no list goes with it.")
        _check_reach(wanted.reach)
        known = self._state.token(wanted.name)
        if known is not None and known.valid_at(now):
            raise LeadglassError(ErrorCode.USAGE, "There is a token of that name already; revoke it first.")
        if self._state.device(wanted.name) is not None:
            raise LeadglassError(ErrorCode.USAGE, "A device has that name; journals could not tell them apart.")
        if self._people.account(wanted.name.lower()) is not None:
            raise LeadglassError(ErrorCode.USAGE, "An account has that name; journals could not tell them apart.")

    def _note(self, principal: Principal, what: str, **details: str | int) -> None:
        """In the journal, durably, before it counts."""
        given = {key: value for key, value in details.items() if value != ""}
        event = JournalEvent(EventKind.SECURITY_ALERT, what, principal.name, principal.address, details=given)
        self._journal.record(event, durable=True)


def _check_grant(grant: Grant) -> None:
    if not _is_text(grant.principal):
        raise LeadglassError(ErrorCode.USAGE, "Name whom the grant is for.")
    if bool(grant.study_uid) is bool(grant.patient_id):
        raise LeadglassError(ErrorCode.USAGE, "A grant is of one study or of one patient.")
    _check_reach(reach_of([grant]))


def _check_reach(reach: Reach) -> None:
    if reach.everything:
        return
    if not all(is_valid_uid(uid) for uid in reach.studies):
        raise LeadglassError(ErrorCode.USAGE, "A study is named by its Study Instance UID.")
    if not all(_is_text(patient_id) and (not issuer or _is_text(issuer)) for issuer, patient_id in reach.patients):
        raise LeadglassError(ErrorCode.USAGE, "A patient is named by a Patient ID, and an issuer where there is one.")
    if not reach.studies and not reach.patients:
        raise LeadglassError(ErrorCode.USAGE, "The list of studies and patients is empty.")
    if len(reach.studies) + len(reach.patients) > MAX_REACH_ENTRIES:
        raise LeadglassError(ErrorCode.USAGE, f"A list holds at most {MAX_REACH_ENTRIES} studies and patients.")


def _is_text(text: str) -> bool:
    return 0 < len(text) <= _MAX_TEXT and text.isprintable() and text == text.strip()
