"""An OpenID provider that is not there: its keys, what it answers, and the tokens it would issue."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from joserfc import jws
from joserfc.jwk import ECKey, RSAKey
from programs_support import Clock

from leadglass.access.openid import OpenIdEntry, OpenIdSettings
from leadglass.core.errors import ErrorCode, LeadglassError
from leadglass.core.reach import EVERYTHING, Reach
from leadglass.core.tokens import Scope

KEY, OTHER = RSAKey.generate_key(2048), RSAKey.generate_key(2048)
ISSUER, AUDIENCE = "https://id.example/realm", "leadglass"
KEYS_URL, USERINFO_URL = f"{ISSUER}/jwks", f"{ISSUER}/me"
NORTH = Reach(institutions=frozenset({"nord"}))
SETTINGS = OpenIdSettings(
    ISSUER,
    AUDIENCE,
    "RS256",
    KEYS_URL,
    USERINFO_URL,
    entries=(
        OpenIdEntry(frozenset({Scope.READ}), EVERYTHING, scope="dicom", group="radiology"),
        OpenIdEntry(frozenset({Scope.READ, Scope.STORE}), NORTH, group="north"),
    ),
)


def public(key: RSAKey | ECKey, kid: str, **changes: str) -> dict[str, Any]:
    return {**key.as_dict(private=False), "kid": kid, "use": "sig", **changes}


class Documents:
    """The provider, as far as it answers questions."""

    def __init__(self) -> None:
        self.answers: dict[str, Any] = {KEYS_URL: {"keys": [public(KEY, "one")]}}
        self.asked: list[str] = []
        self.forms: list[dict[str, str]] = []
        self.shown: list[tuple[str, str]] = []

    def exchanged(self, url: str, fields: Mapping[str, str], name: str = "", secret: str = "") -> bytes:
        self.forms.append(dict(fields))
        self.shown.append((name, secret))
        return self.document(url)

    def document(self, url: str, bearer: str = "") -> bytes:
        self.asked.append(url)
        answer = self.answers.get(url)
        if answer is None:
            raise LeadglassError(ErrorCode.UNAVAILABLE, "not there")
        return answer if isinstance(answer, bytes) else json.dumps(answer).encode()


class AtOnce(ThreadPoolExecutor):
    """Does the work when it is handed in."""

    def submit(self, work: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
        work(*args, **kwargs)


def claims(clock: Clock, **changes: Any) -> dict[str, Any]:
    now = int(clock.now)
    made = {"iss": ISSUER, "aud": AUDIENCE, "sub": "anna", "iat": now, "exp": now + 3600, "scope": "openid dicom"}
    made |= {"groups": ["radiology"], **changes}
    return {name: value for name, value in made.items() if value is not None}


def signed(payload: Mapping[str, Any] | bytes, key: Any = KEY, **header: Any) -> str:
    header = {"alg": "RS256", "kid": "one", **header}
    content = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    header = {name: value for name, value in header.items() if value is not None}
    if {"crit", "b64"} & header.keys():
        registry = jws.JWSRegistry(strict_check_header=False)
        encoded = b".".join(b64(part) for part in (json.dumps(header).encode(), content))
        plain = jws.serialize_compact({"alg": header["alg"]}, content, key, registry=registry).rsplit(".", 1)[1]
        return f"{encoded.decode()}.{plain}"
    return jws.serialize_compact(header, content, key, algorithms=[header["alg"]])


def b64(content: bytes) -> bytes:
    return base64.urlsafe_b64encode(content).rstrip(b"=")


def raw(header: bytes, payload: bytes = b"{}", signature: bytes = b"x" * 256) -> str:
    return b".".join(b64(part) for part in (header, payload, signature)).decode()
