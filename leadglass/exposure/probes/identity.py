"""Whether a user identity that nobody issued is refused (D14; PS3.7 D.3.3.7). At most three connections.

A user's name without any passcode; if that is refused, a SAML assertion and a JWT: well-formed, made up for this
service, signed by nobody. No login is tried: no password (type 2) is sent, and no Kerberos ticket (type 3), which one
would have to ask a ticket server for. The next kind is tried only while all before were refused.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterable

from leadglass.exposure.asking import line, unknown_title
from leadglass.exposure.facts import Answer, Fact
from leadglass.exposure.proposal import LITTLE
from leadglass.exposure.site import Probe, Site
from leadglass.exposure.upper_layer import Talk, associate, request
from leadglass.wire.ul.pdu import AssociateRJ, UserIdentity

USERNAME, SAML, JWT = 1, 4, 5  # user identity types (PS3.7 table D.3-14)

_ASSERTION = (
    '<saml:Assertion xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion" Version="2.0" ID="_{name}" '
    'IssueInstant="2020-01-01T00:00:00Z"><saml:Issuer>urn:invented:{name}</saml:Issuer><saml:Subject><saml:NameID>{name}'
    '</saml:NameID></saml:Subject><saml:Conditions NotOnOrAfter="2020-01-02T00:00:00Z"/></saml:Assertion>'
)


def made_up(kind: int, name: str, secret: bytes) -> UserIdentity:
    """An identity of this type (1, 4 or 5) that nobody issued: of `name`, long over, its signature by no key."""
    if kind == USERNAME:
        primary = name.encode()
    elif kind == SAML:
        primary = _ASSERTION.format(name=name).encode()
    else:
        primary = _token(name, secret)
    return UserIdentity(kind, response_requested=True, primary=primary)


def _token(name: str, secret: bytes) -> bytes:
    """A JWT (RFC 7519) that ended in 2020."""
    head = {"alg": "HS256", "typ": "JWT"}
    claims = {"iss": f"urn:invented:{name}", "sub": name, "exp": 1577836800}
    signed = b".".join(_base64url(json.dumps(part, separators=(",", ":")).encode()) for part in (head, claims))
    return signed + b"." + _base64url(hashlib.sha256(secret + signed).digest())


def _base64url(data: bytes) -> bytes:
    return base64.urlsafe_b64encode(data).rstrip(b"=")


async def _run(site: Site) -> Iterable[Fact]:
    refused: list[int] = []
    for kind in (USERNAME, SAML, JWT):
        taken = await _taken(site, kind)
        if taken is None:
            break
        if taken:
            return [Fact("D14", Answer.YES, "", {"types": (kind,), "refused": tuple(refused)})]
        refused.append(kind)
    else:
        return [Fact("D14", Answer.NO, "It was refused.", {"refused": tuple(refused)})]
    return [Fact("D14", Answer.UNKNOWN, "The association was neither accepted nor refused.")]


async def _taken(site: Site, kind: int) -> bool | None:
    """Whether it was let in with an identity of this type, None if that was not said."""
    title = unknown_title(site)
    identity = made_up(kind, title.lower(), site.secret)
    async with line(site, site.deadline()) as stream:
        answer = await associate(stream, request(title, site.scope.calling_title, LITTLE, identity))
        if isinstance(answer, Talk):
            await answer.release()
            return True
    return False if isinstance(answer, AssociateRJ) else None


PROBE = Probe("identity", ("D14",), lambda facts: facts.yes("D02"), _run)
