"""From a bearer's words to a Principal, or to one refusal that never says why. Programs come in here, and only here.

What was found out is remembered until the rights epoch changes, so that a request costs one point look-up: a token
that is revoked, in whatever process, lets nobody in from the next request on.
"""

from __future__ import annotations

import asyncio
import hashlib
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, replace
from ipaddress import IPv6Address, ip_address
from typing import Final, Protocol, TypeAlias, TypeVar

from leadglass.access.limits import TitleGuard
from leadglass.access.study_policy import Given, Who, decide
from leadglass.access.tokens import is_token_text, token_digest
from leadglass.core.errors import ErrorCode, LeadglassError
from leadglass.core.events import EventKind, JournalEvent, Outcome
from leadglass.core.limits import MAX_BEARER_LENGTH
from leadglass.core.ports import State
from leadglass.core.principal import Principal, PrincipalKind, Right
from leadglass.core.reach import Reach
from leadglass.core.tokens import ApiToken, reach_of
from leadglass.services.admission import EventSink

_Identity: TypeAlias = "tuple[str, frozenset[Right], Reach]"

MAX_REMEMBERED: Final = 4096  # bearers; a long reach is shared by all that have it
RENEW_SECONDS: Final = 120.0  # before a provider's token has to be proved again
USES_SECONDS: Final = 60.0  # last uses are written this often at most
NANOSECONDS: Final = 1_000_000_000

_Key = TypeVar("_Key")
_Value = TypeVar("_Value")

REFUSAL: Final = "This needs a valid bearer token."


class Refusal(Exception):  # noqa: N818 - what the rooms call it
    """Why a bearer is not let in; for the journal alone."""

    def __init__(self, cause: str) -> None:
        super().__init__(cause)
        self.cause = cause


@dataclass(frozen=True, slots=True)
class Proved:
    """What a bearer was found to be: a name, what it was given, and until when (seconds) that holds."""

    name: str
    who: Who
    given: Given
    until: float


class Provider(Protocol):
    """Bearer tokens that somebody else issues (services.openid). May block: called off the event loop."""

    def prove(self, bearer: str) -> Proved:
        """What `bearer` is; raises Refusal."""
        ...

    def renewed(self, bearer: str) -> Proved | None:
        """What `bearer` was last proved to be, and have it proved again in the background. Never blocks."""
        ...


@dataclass(slots=True)
class _Admitted:
    proved: Proved
    principal: Principal
    bearer: str
    epoch: int


class Programs:
    """Lets bearers in. Not a use case: it is how principals come to be. `now` is seconds since the epoch."""

    def __init__(
        self,
        state: State,
        token_key: bytes,
        *,
        refusals: EventSink,
        provider: Provider | None = None,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._state = state
        self._token_key = token_key
        self._refusals = refusals
        self._provider = provider
        self._now = now
        self._guesses = TitleGuard()  # counts different bearers as it counts different titles
        self._lock = threading.Lock()
        self._known: OrderedDict[bytes, _Admitted] = OrderedDict()
        self._streams: OrderedDict[_Identity, bytes] = OrderedDict()
        self._uses: dict[str, int] = {}
        self._written = now()

    async def principal(self, authorization: str, address: str) -> Principal:
        """Who sends this Authorization header from `address`; NOT_AUTHENTICATED, always the same, if nobody."""
        bearer = _bearer_of(authorization)
        digest = hashlib.sha256(bearer.encode("utf-8", "replace")).digest()
        try:
            admitted = self._remembered(digest)
            if admitted is None:
                self._require_no_guessing(address, digest)
                admitted = await self._admit(bearer, digest, address)
        except Refusal as refusal:
            self._refuse(refusal.cause, address, digest if bearer else b"")
            raise LeadglassError(ErrorCode.NOT_AUTHENTICATED, REFUSAL) from None
        if admitted.proved.who is Who.TOKEN:
            self._uses[admitted.proved.name] = int(self._now() * NANOSECONDS)
        return replace(admitted.principal, address=address)

    def still_valid(self, principal: Principal) -> bool:
        """Whether a principal that was let in here would be let in now, with the same rights and reach.

        For streams, to be asked about every second: it costs a point look-up.
        """
        digest = self._streams.get((principal.name, principal.rights, principal.reach))
        known = None if digest is None else self._known.get(digest)
        if digest is None or known is None:
            return False
        try:
            self._renew(known, digest)
            admitted = self._remembered(digest) or self._token_again(known, digest)
        except (Refusal, LeadglassError):
            return False
        return admitted.principal.rights == principal.rights and admitted.principal.reach == principal.reach

    def write_uses(self, *, at_once: bool = False) -> None:
        """Write when tokens were last used, once a minute at most unless `at_once`."""
        if not at_once and self._now() - self._written < USES_SECONDS:
            return
        self._written = self._now()
        uses, self._uses = self._uses, {}
        if uses:
            self._state.note_token_uses(uses)

    def _remembered(self, digest: bytes) -> _Admitted | None:
        """What is known of a bearer and holds now; its rights anew if any right has changed."""
        known = self._known.get(digest)
        if known is None or self._now() >= known.proved.until:
            return None
        epoch = self._state.rights_epoch()
        if known.epoch == epoch:
            return known
        if known.proved.who is Who.TOKEN:
            return None  # to be looked up again
        return self._keep(known.proved, known.bearer, digest, epoch)

    def _renew(self, known: _Admitted, digest: bytes) -> None:
        """Have a provider's token proved again in good time, so that a long stream does not end for it."""
        if self._provider is None or known.proved.who is not Who.OPENID:
            return
        if known.proved.until - self._now() < RENEW_SECONDS:
            proved = self._provider.renewed(known.bearer)
            if proved is not None and proved.until > known.proved.until:
                self._keep(proved, known.bearer, digest, self._state.rights_epoch())

    def _token_again(self, known: _Admitted, digest: bytes) -> _Admitted:
        if known.proved.who is not Who.TOKEN:
            raise Refusal("expired")
        return self._keep(self._token(known.bearer), known.bearer, digest, self._state.rights_epoch())

    async def _admit(self, bearer: str, digest: bytes, address: str) -> _Admitted:
        epoch = self._state.rights_epoch()  # before the look-up: what changes meanwhile is looked up again
        if not bearer:
            raise Refusal("no-bearer")
        if len(bearer) > MAX_BEARER_LENGTH:
            raise Refusal("too-long")
        if is_token_text(bearer):
            proved = self._token(bearer)
        elif self._provider is not None and bearer.count(".") == 2:
            proved = await asyncio.get_running_loop().run_in_executor(None, self._provider.prove, bearer)
        else:
            raise Refusal("no-token")
        admitted = self._keep(proved, bearer, digest, epoch)
        self._guesses.note_admitted(network_of(address), digest.hex())
        self._note_admitted(proved, address)
        return admitted

    def _token(self, bearer: str) -> Proved:
        digest = token_digest(self._token_key, bearer)
        token = self._state.token_by_digest(digest)
        if token is None:
            raise Refusal("unknown-token")
        if not token.valid_at(int(self._now() * NANOSECONDS)):
            raise Refusal("revoked" if token.revoked else "expired")
        return Proved(token.name, Who.TOKEN, _given(token), token.expires / NANOSECONDS)

    def _keep(self, proved: Proved, bearer: str, digest: bytes, epoch: int) -> _Admitted:
        grants = reach_of(self._state.grants(proved.name))
        decision = decide(proved.who, replace(proved.given, grants=grants))
        principal = Principal(PrincipalKind.PROGRAM, proved.name, decision.rights, reach=decision.reach)
        admitted = _Admitted(proved, principal, bearer, epoch)
        with self._lock:
            _put(self._known, digest, admitted)
            _put(self._streams, (principal.name, principal.rights, principal.reach), digest)
        return admitted

    def _require_no_guessing(self, address: str, digest: bytes) -> None:
        if self._guesses.puts_off(network_of(address), digest.hex(), self._now()):
            raise Refusal("guessing")

    def _refuse(self, cause: str, address: str, digest: bytes) -> None:
        if digest and cause != "guessing":
            self._guesses.note_refused(network_of(address), digest.hex(), self._now())
        details: dict[str, str | int] = {"reason": cause}
        kind, what = EventKind.USER_AUTHENTICATION, "program-refused"
        self._refusals.record(JournalEvent(kind, what, "", address, Outcome.MINOR_FAILURE, details))

    def _note_admitted(self, proved: Proved, address: str) -> None:
        details: dict[str, str | int] = {"reason": proved.name, "how": proved.who.value}
        kind, what = EventKind.USER_AUTHENTICATION, "program-admitted"
        self._refusals.record(JournalEvent(kind, what, proved.name, address, Outcome.SUCCESS, details))


def _given(token: ApiToken) -> Given:
    return Given(scopes=token.scopes, reach=token.reach)


def _bearer_of(authorization: str) -> str:
    """The token of an Authorization header (RFC 6750 2.1); empty if it has none."""
    scheme, _, rest = authorization.partition(" ")
    return rest.strip(" ") if scheme.lower() == "bearer" else ""


def network_of(address: str) -> str:
    """What guesses are counted by: an IPv4 address, an IPv6 /64 (one caller has all of it)."""
    try:
        parsed = ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(parsed, IPv6Address):
        return str(parsed.ipv4_mapped or IPv6Address(int(parsed) >> 64 << 64))
    return str(parsed)


def _put(kept: OrderedDict[_Key, _Value], key: _Key, value: _Value) -> None:
    kept[key] = value
    kept.move_to_end(key)
    if len(kept) > MAX_REMEMBERED:
        kept.popitem(last=False)
