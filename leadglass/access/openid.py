"""Bearer tokens of a configured OpenID provider: what makes a JWT acceptable (RFC 7519, 8725, 9068). Pure.

The algorithm is the one that the configuration pins; the token's own `alg` is compared with it and chooses nothing.
Keys come from the provider's key set alone: `jwk`, `jku` and `x5u` of a header are not looked at.
"""

from __future__ import annotations

import base64
import binascii
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, RSAKey

from leadglass.core.reach import NOTHING, Reach
from leadglass.core.tokens import Scope

SKEW_SECONDS: Final = 300.0
MAX_HEADER: Final = 2048  # characters of the encoded header: a kid, an alg, a typ
MAX_SUBJECT: Final = 255  # OpenID Connect Core 2
MAX_KEYS: Final = 64  # of one provider; more are not looked at
MIN_RSA_BITS: Final = 2048  # RFC 7518 3.3

# What may be pinned: key type, and curve where it has one. No HMAC: whoever could verify could sign.
ALGORITHMS: Final[Mapping[str, tuple[str, str]]] = {
    "RS256": ("RSA", ""),
    "PS256": ("RSA", ""),
    "ES256": ("EC", "P-256"),
    "ES384": ("EC", "P-384"),
}
_TYPES: Final = frozenset({"", "jwt", "at+jwt", "application/at+jwt"})  # RFC 9068 2.1; not logout+jwt and the like

Key: TypeAlias = "RSAKey | ECKey"


class UnacceptableError(ValueError):
    """Why a token is not accepted; for the journal alone."""

    def __init__(self, cause: str) -> None:
        super().__init__(cause)
        self.cause = cause


@dataclass(frozen=True, slots=True)
class OpenIdEntry:
    """Who has this provider scope and this group (where named) has these scopes here, and this reach."""

    scopes: frozenset[Scope]
    reach: Reach = NOTHING
    scope: str = ""
    group: str = ""


@dataclass(frozen=True, slots=True)
class OpenIdSettings:
    """What the configuration says of the provider. Entries are looked at from the top: the first that fits decides
    alone, so that the rights of one never meet the reach of another."""

    issuer: str
    audience: str
    algorithm: str
    keys_url: str
    userinfo_url: str = ""
    groups_claim: str = "groups"  # dots lead into objects
    entries: tuple[OpenIdEntry, ...] = ()

    def entry_for(self, claims: Claims) -> OpenIdEntry | None:
        """The entry that decides, or None: then nobody is let in."""
        for entry in self.entries:
            if entry.scope and entry.scope not in claims.scopes:
                continue
            if entry.group and entry.group not in claims.groups:
                continue
            return entry
        return None


@dataclass(frozen=True, slots=True)
class Claims:
    """What a verified token says. Times are seconds since the epoch, by the provider's clock."""

    subject: str
    issued_at: float
    expires: float
    scopes: frozenset[str]
    groups: frozenset[str]


def key_id_of(bearer: str, settings: OpenIdSettings) -> str:
    """The `kid` of a token's header, empty if it has none; UnacceptableError unless the header is one we take."""
    encoded = bearer.partition(".")[0]
    if len(encoded) > MAX_HEADER:
        raise UnacceptableError("header")
    header = _document(_decoded(encoded), "header")
    if header.get("alg") != settings.algorithm:
        raise UnacceptableError("algorithm")
    if "crit" in header or "b64" in header:
        raise UnacceptableError("header")
    kind, key_id = header.get("typ", ""), header.get("kid", "")
    if not isinstance(kind, str) or kind.lower() not in _TYPES or not isinstance(key_id, str):
        raise UnacceptableError("header")
    return key_id


def key_for(key_set: Mapping[str, Any], key_id: str, algorithm: str) -> Key | None:
    """The public key of a provider's set (RFC 7517 5) that a token names; without a name the only one that fits."""
    listed = key_set.get("keys")
    if not isinstance(listed, list):
        return None
    fitting = [item for item in listed[:MAX_KEYS] if _fits(item, algorithm)]
    if key_id:
        fitting = [item for item in fitting if item.get("kid") == key_id]
    return _key(fitting[0]) if len(fitting) == 1 else None


def verified(bearer: str, key: Key, settings: OpenIdSettings, now: float) -> Claims:
    """The claims of `bearer`, its signature checked with `key`. UnacceptableError unless every one of them holds."""
    claims = verified_document(bearer, key, settings, now)
    scopes = _words(claims.get("scope")) | _words(claims.get("scp"))
    issued_at, expires = _moment(claims, "iat"), _moment(claims, "exp")
    return Claims(subject_of(claims), issued_at, expires, scopes, groups_of(claims, settings.groups_claim))


def verified_document(bearer: str, key: Key, settings: OpenIdSettings, now: float) -> Mapping[str, Any]:
    """What `bearer` says, its signature checked with `key`, and issuer, audience and times; UnacceptableError else."""
    try:
        payload = jws.deserialize_compact(bearer.encode("ascii"), key, algorithms=[settings.algorithm]).payload
    except (JoseError, ValueError, TypeError, KeyError):
        raise UnacceptableError("signature") from None
    claims = _document(payload, "claims")
    if claims.get("iss") != settings.issuer:
        raise UnacceptableError("issuer")
    audience = claims.get("aud")
    if settings.audience not in (audience if isinstance(audience, list) else [audience]):
        raise UnacceptableError("audience")
    expires, issued_at = _moment(claims, "exp"), _moment(claims, "iat")
    if not now < expires + SKEW_SECONDS:
        raise UnacceptableError("expired")
    begins = max(issued_at, _moment(claims, "nbf") if "nbf" in claims else issued_at)
    if not begins <= now + SKEW_SECONDS:
        raise UnacceptableError("not-yet-valid")
    return claims


def groups_of(claims: Mapping[str, Any], path: str) -> frozenset[str]:
    """The groups that a token, or the userinfo endpoint, tells under `path`."""
    found: Any = claims
    if path in claims:
        return _words(claims[path])
    for name in path.split("."):
        if not isinstance(found, dict):
            return frozenset()
        found = found.get(name)
    return _words(found)


def parse_document(content: bytes) -> Mapping[str, Any]:
    """A JSON object that came from the provider. UnacceptableError if it is none."""
    return _document(content, "document")


def subject_of(claims: Mapping[str, Any]) -> str:
    """The subject of a document of the provider. UnacceptableError if it names none."""
    subject = claims.get("sub")
    if not isinstance(subject, str) or not 0 < len(subject) <= MAX_SUBJECT or not subject.isprintable():
        raise UnacceptableError("subject")
    return subject


def _moment(claims: Mapping[str, Any], name: str) -> float:
    """A NumericDate; not NaN, which no comparison would ever refuse."""
    value = claims.get(name)
    try:
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            raise UnacceptableError("claims")
        return float(value)
    except OverflowError:
        raise UnacceptableError("claims") from None


def _words(value: Any) -> frozenset[str]:
    """Words of a text, or the texts of a list."""
    if isinstance(value, str):
        return frozenset(value.split())
    if isinstance(value, list):
        return frozenset(item for item in value if isinstance(item, str))
    return frozenset()


def _decoded(encoded: str) -> bytes:
    try:
        return base64.b64decode(encoded.encode("ascii") + b"=" * (-len(encoded) % 4), b"-_", validate=True)
    except (binascii.Error, ValueError):
        raise UnacceptableError("header") from None


def _document(content: bytes, cause: str) -> Mapping[str, Any]:
    """A JSON object in which no name stands twice: two readers could disagree on which one counts."""

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        made = dict(pairs)
        if len(made) != len(pairs):
            raise ValueError
        return made

    try:
        document = json.loads(content, object_pairs_hook=once)
    except (ValueError, RecursionError):
        raise UnacceptableError(cause) from None
    if not isinstance(document, dict):
        raise UnacceptableError(cause)
    return document


def _fits(item: Any, algorithm: str) -> bool:
    kind, curve = ALGORITHMS[algorithm]
    return (
        isinstance(item, dict)
        and item.get("kty") == kind
        and (not curve or item.get("crv") == curve)
        and item.get("use", "sig") == "sig"
        and item.get("alg", algorithm) == algorithm
    )


def _key(item: dict[str, Any]) -> Key | None:
    public: dict[str, Any] = {name: item[name] for name in ("kty", "crv", "n", "e", "x", "y") if name in item}
    try:
        if item["kty"] == "RSA":
            key = RSAKey.import_key(public)
            return key if key.public_key.key_size >= MIN_RSA_BITS else None
        return ECKey.import_key(public)
    except (JoseError, ValueError, TypeError, KeyError):
        return None
