"""Bearer tokens of the configured OpenID provider: its keys, and whether groups still hold.

Keys are fetched once and kept; a token that names an unknown key has them fetched again, once a minute at most, however
many such tokens come. A token older than ten minutes is taken only while the provider's userinfo endpoint, asked every
five minutes at most for one subject, still tells the groups: so a group that was taken away is gone within ten minutes.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from typing import Any, Final

from leadglass.access.openid import (
    SKEW_SECONDS,
    Claims,
    Key,
    OpenIdSettings,
    UnacceptableError,
    groups_of,
    key_for,
    key_id_of,
    parse_document,
    verified,
    verified_document,
)
from leadglass.access.study_policy import Given, Who
from leadglass.core.errors import LeadglassError
from leadglass.core.ports import ProviderDocuments
from leadglass.services.programs import Proved, Refusal

REFETCH_SECONDS: Final = 60.0  # between two fetches of the keys
KEYS_SECONDS: Final = 3600.0  # after this long they are fetched again; if that fails the old ones serve on ...
MAX_KEYS_SECONDS: Final = 24 * 3600.0  # ... up to here
FRESH_SECONDS: Final = 600.0  # a token this young says itself which groups there are
EARLY_SECONDS: Final = 150.0  # before a token is too old for that, the provider is asked: streams go on
CONFIRM_SECONDS: Final = 300.0  # between two questions to the userinfo endpoint about one subject
HOLD_SECONDS: Final = 480.0  # its answer holds this long, so that the next one comes in time
MAX_SUBJECTS: Final = 4096
_STRIPES: Final = 64  # questions about subjects that are asked side by side


@dataclass(frozen=True, slots=True)
class _Confirmed:
    at: float
    groups: frozenset[str] | None  # None: the provider did not confirm


@dataclass(slots=True)
class _Renewal:
    ended: bool = False
    proved: Proved | None = None


class OpenId:
    """Proves tokens of one provider. May block for the seconds that a fetch may take; for any thread."""

    def __init__(
        self,
        settings: OpenIdSettings,
        documents: ProviderDocuments,
        threads: Executor,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._settings = settings
        self._documents = documents
        self._threads = threads
        self._now = now
        self._lock = threading.Lock()
        self._keys: Mapping[str, Any] = {}
        self._fetched = self._tried = -MAX_KEYS_SECONDS
        self._subjects: OrderedDict[str, _Confirmed] = OrderedDict()
        self._asking = [threading.Lock() for _ in range(_STRIPES)]
        self._renewals: OrderedDict[str, _Renewal] = OrderedDict()

    def prove(self, bearer: str) -> Proved:
        """What `bearer` is; raises services.programs.Refusal."""
        try:
            key = self._key(key_id_of(bearer, self._settings))
            return self._proved(bearer, verified(bearer, key, self._settings, self._now()))
        except UnacceptableError as error:
            raise Refusal(f"openid-{error.cause}") from None

    @property
    def issuer(self) -> str:
        """The provider's `iss`."""
        return self._settings.issuer

    @property
    def groups_claim(self) -> str:
        """Where groups stand."""
        return self._settings.groups_claim

    def id_token(self, token: str, client_id: str) -> Mapping[str, Any]:
        """The claims of an ID token for this client. UnacceptableError unless signature, issuer and times hold."""
        settings = replace(self._settings, audience=client_id)
        return verified_document(token, self._key(key_id_of(token, settings)), settings, self._now())

    def userinfo(self, bearer: str, subject: str) -> Mapping[str, Any] | None:
        """What the userinfo endpoint tells of this subject; None if nothing."""
        if not self._settings.userinfo_url:
            return None
        try:
            told = parse_document(self._documents.document(self._settings.userinfo_url, bearer))
        except (LeadglassError, UnacceptableError):
            return None
        return told if told.get("sub") == subject else None  # OpenID Connect Core 5.3.2

    def renewed(self, bearer: str) -> Proved | None:
        """What `bearer` was last proved to be, and have it proved again in the background. Never blocks."""
        with self._lock:
            renewal = self._renewals.get(bearer)
            if renewal is not None:
                return self._renewals.pop(bearer).proved if renewal.ended else None
            renewal = self._renewals[bearer] = _Renewal()
            if len(self._renewals) > MAX_SUBJECTS:
                self._renewals.popitem(last=False)
        self._threads.submit(self._renew, bearer, renewal)
        return None

    def _renew(self, bearer: str, renewal: _Renewal) -> None:
        try:
            renewal.proved = self.prove(bearer)
        except Refusal:
            renewal.proved = None
        finally:
            renewal.ended = True

    def _proved(self, bearer: str, claims: Claims) -> Proved:
        now = self._now()
        age, until = now - claims.issued_at, claims.issued_at + FRESH_SECONDS
        if age >= FRESH_SECONDS - EARLY_SECONDS:
            confirmed = self._confirmed(bearer, claims)
            if confirmed.groups is not None:
                claims = replace(claims, groups=claims.groups & confirmed.groups)
                until = confirmed.at + HOLD_SECONDS
            elif age >= FRESH_SECONDS:
                raise UnacceptableError("not-confirmed")
        until = min(until, claims.expires + SKEW_SECONDS, now + CONFIRM_SECONDS)
        entry = self._settings.entry_for(claims)
        if entry is None:
            raise UnacceptableError("no-entry")
        name = f"{claims.subject}@{self._settings.issuer}"
        return Proved(name, Who.OPENID, Given(scopes=entry.scopes, reach=entry.reach), until)

    # --- keys --------------------------------------------------------------------------------------------------------

    def _key(self, key_id: str) -> Key:
        algorithm = self._settings.algorithm
        with self._lock:
            if self._now() - self._fetched >= KEYS_SECONDS:
                self._fetch()
            key = key_for(self._keys, key_id, algorithm)
            if key is None:
                self._fetch()
                key = key_for(self._keys, key_id, algorithm)
        if key is None:
            raise UnacceptableError("key")
        return key

    def _fetch(self) -> None:
        """Fetch the keys, unless that was tried within the minute."""
        now = self._now()
        if now - self._tried < REFETCH_SECONDS:
            return
        self._tried = now
        try:
            self._keys = parse_document(self._documents.document(self._settings.keys_url))
            self._fetched = now
        except (LeadglassError, UnacceptableError):
            if now - self._fetched >= MAX_KEYS_SECONDS:
                self._keys = {}

    # --- groups ------------------------------------------------------------------------------------------------------

    def _confirmed(self, bearer: str, claims: Claims) -> _Confirmed:
        """What the userinfo endpoint says of the subject, asked now or within the last minutes."""
        subject = claims.subject
        with self._asking[hash(subject) % _STRIPES]:
            known = self._subjects.get(subject)
            if known is not None and self._now() - known.at < CONFIRM_SECONDS:
                return known
            asked = _Confirmed(self._now(), self._ask(bearer, subject))
            with self._lock:
                self._subjects[subject] = asked
                self._subjects.move_to_end(subject)
                if len(self._subjects) > MAX_SUBJECTS:
                    self._subjects.popitem(last=False)
            return asked

    def _ask(self, bearer: str, subject: str) -> frozenset[str] | None:
        told = self.userinfo(bearer, subject)
        return None if told is None else groups_of(told, self._settings.groups_claim)
