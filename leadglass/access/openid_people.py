"""People who sign in at an OpenID provider: what it is asked, what its ID token says, which roles its groups are. Pure.

Authorization code with PKCE (RFC 7636), state and nonce (OpenID Connect Core 3.1). All three are made of one ticket
that the browser keeps in a cookie, so that nothing is written for somebody who is not known yet.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final
from urllib.parse import urlencode

from leadglass.access.accounts import MAX_DISPLAY, is_account_name
from leadglass.access.one_time import derived
from leadglass.access.openid import UnacceptableError, groups_of, subject_of
from leadglass.core.accounts import Role

CALLBACK: Final = "/sign-in/provider/callback"  # below an origin of ours: what is registered with the provider
MAX_AGE: Final = 12 * 3600  # seconds: as long as a session here
MAX_CODE: Final = 4096  # characters of an authorization code
_MANY_FACTORS: Final = "mfa"  # RFC 8176: the provider asked for more than one
_NOT_IN_NAMES: Final = re.compile(r"[^a-z0-9._-]+")
_LONGEST_NAME: Final = 40  # of a name that is taken from the provider: room for what tells it apart


@dataclass(frozen=True, slots=True)
class RoleEntry:
    """Who is in this group has this role, and this reach beside what other groups give. Names are normalised."""

    group: str
    role: Role
    institutions: frozenset[str] = frozenset()
    referring: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class PeopleSettings:
    """`[openid.people]`: how people sign in at the provider. `asks_second_factor`: it asks everybody for one."""

    client_id: str
    authorization_url: str
    token_url: str
    entries: tuple[RoleEntry, ...]
    secret: str = field(default="", repr=False)
    scopes: tuple[str, ...] = ("openid", "profile")
    asks_second_factor: bool = False


@dataclass(frozen=True, slots=True)
class Entitled:
    """What groups give."""

    roles: frozenset[Role]
    institutions: frozenset[str]
    referring: frozenset[str]


@dataclass(frozen=True, slots=True)
class Identity:
    """Who somebody is, by the provider. `groups` is None where the ID token does not tell them; `proved_at` (seconds)
    is when it was proved, 0 if that is not told."""

    subject: str
    display: str
    wanted_name: str
    many_factors: bool
    groups: frozenset[str] | None
    proved_at: int = 0

    @property
    def is_complete(self) -> bool:
        """Whether the userinfo endpoint need not be asked. Many providers tell groups and names only there."""
        return self.groups is not None and bool(self.wanted_name)


def authorization_address(
    settings: PeopleSettings, token_key: bytes, ticket: str, origin: str, *, fresh: bool = False
) -> str:
    """Where a browser with this ticket is sent. `fresh`: whoever is signed in there proves once more who it is.

    With a `max_age` the ID token has to say when that was (OpenID Connect Core 3.1.2.1).
    """
    challenge = _b64(hashlib.sha256(verifier(token_key, ticket).encode("ascii")).digest())
    query = {
        "response_type": "code",
        "client_id": settings.client_id,
        "redirect_uri": origin + CALLBACK,
        "scope": " ".join(settings.scopes),
        "state": state(token_key, ticket),
        "nonce": nonce(token_key, ticket),
        "code_challenge": challenge,
        "code_challenge_method": "S256",
        "max_age": "0" if fresh else str(MAX_AGE),
    } | ({"prompt": "login"} if fresh else {})
    joined = "&" if "?" in settings.authorization_url else "?"
    return f"{settings.authorization_url}{joined}{urlencode(query)}"


def code_fields(settings: PeopleSettings, token_key: bytes, ticket: str, origin: str, code: str) -> dict[str, str]:
    """What the provider is shown for its code (RFC 6749 4.1.3, RFC 7636 4.5)."""
    return {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": origin + CALLBACK,
        "client_id": settings.client_id,
        "code_verifier": verifier(token_key, ticket),
    }


def state(token_key: bytes, ticket: str) -> str:
    """What comes back with the answer, so that it is of this browser (RFC 6749 10.12)."""
    return _b64(derived(token_key, "openid-state", ticket))


def nonce(token_key: bytes, ticket: str) -> str:
    """What the ID token repeats, so that it is of this sign-in."""
    return _b64(derived(token_key, "openid-nonce", ticket))


def verifier(token_key: bytes, ticket: str) -> str:
    """What shows that the code was asked for here (RFC 7636 4.1)."""
    return _b64(derived(token_key, "openid-verifier", ticket))


def is_state(token_key: bytes, ticket: str, text: str) -> bool:
    """Whether `text` is the state of this ticket."""
    return hmac.compare_digest(state(token_key, ticket).encode(), text.encode("utf-8", "replace"))


def identity_of(
    claims: Mapping[str, Any], settings: PeopleSettings, groups_claim: str, expected_nonce: str
) -> Identity:
    """Who an ID token is about, whose signature, issuer, audience and times hold. UnacceptableError unless it is for us
    alone and of this sign-in (OpenID Connect Core 3.1.3.7)."""
    given = claims.get("nonce")
    if not isinstance(given, str) or not hmac.compare_digest(given.encode("utf-8", "replace"), expected_nonce.encode()):
        raise UnacceptableError("nonce")
    audience, party = claims.get("aud"), claims.get("azp", settings.client_id)
    if party != settings.client_id or (isinstance(audience, list) and len(audience) > 1 and "azp" not in claims):
        raise UnacceptableError("party")
    methods = claims.get("amr")
    return Identity(
        subject_of(claims),
        _display(claims),
        _wanted_name(claims),
        isinstance(methods, list) and _MANY_FACTORS in methods,
        _groups(claims, groups_claim),
        _proved_at(claims),
    )


def completed(
    identity: Identity, claims: Mapping[str, Any], userinfo: Mapping[str, Any], groups_claim: str
) -> Identity:
    """The same with names and groups that the userinfo endpoint tells of this subject; what the ID token says counts
    more, and how it was proved is said by that alone."""
    both = {**userinfo, **claims}
    return replace(identity, display=_display(both), wanted_name=_wanted_name(both), groups=_groups(both, groups_claim))


def entitled(settings: PeopleSettings, groups: frozenset[str]) -> Entitled:
    """Roles and reach of all groups together; without a role nobody is let in."""
    fitting = [entry for entry in settings.entries if entry.group in groups]
    return Entitled(
        frozenset(entry.role for entry in fitting),
        frozenset(name for entry in fitting for name in entry.institutions),
        frozenset(name for entry in fitting for name in entry.referring),
    )


def account_names(identity: Identity, subject: str) -> tuple[str, str]:
    """What somebody's account may be called: as the provider says, or with what tells it apart from any other."""
    mark = hashlib.sha256(subject.encode("utf-8", "replace")).hexdigest()[:8]
    wanted = identity.wanted_name
    return (wanted, f"{wanted}-{mark}") if is_account_name(wanted) else (f"provider-{mark}", f"provider-{mark}")


def _groups(claims: Mapping[str, Any], groups_claim: str) -> frozenset[str] | None:
    told = groups_claim in claims or groups_claim.split(".", maxsplit=1)[0] in claims
    return groups_of(claims, groups_claim) if told else None


def _proved_at(claims: Mapping[str, Any]) -> int:
    moment = claims.get("auth_time")
    return moment if isinstance(moment, int) and not isinstance(moment, bool) and 0 < moment < 2**40 else 0


def _wanted_name(claims: Mapping[str, Any]) -> str:
    for claim in ("preferred_username", "email"):
        value = claims.get(claim)
        if isinstance(value, str):
            plain = unicodedata.normalize("NFKD", value[:256].partition("@")[0]).encode("ascii", "ignore").decode()
            name = _NOT_IN_NAMES.sub("-", plain.lower()).strip("._-")[:_LONGEST_NAME]
            if is_account_name(name):
                return name
    return ""


def _display(claims: Mapping[str, Any]) -> str:
    for claim in ("name", "preferred_username", "sub"):
        value = claims.get(claim)
        if isinstance(value, str):
            shown = "".join(character for character in " ".join(value.split()) if character.isprintable())
            if shown:
                return shown[:MAX_DISPLAY].strip()
    return "-"


def _b64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode("ascii")
