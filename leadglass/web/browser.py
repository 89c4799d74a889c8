"""A browser that asks: its cookies, and whether a request that changes something came from our own pages.

Cookies ignore ports, so each origin has one of its own name, and a session is good at one audience alone.
"""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from leadglass.core.errors import ErrorCode, LeadglassError
from leadglass.core.sessions import Audience

COOKIES: Final[Mapping[Audience, str]] = MappingProxyType(
    {Audience.PAGES: "__Host-lg", Audience.VIEWER: "__Host-lgv", Audience.SHARE: "__Host-lgs"}
)
# Links from a letter shall find who is signed in; nothing else of another site brings the cookie with it.
_SAME_SITE: Final = {Audience.PAGES: "lax", Audience.VIEWER: "strict", Audience.SHARE: "strict"}
SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS"})
CSRF_HEADER: Final = "x-csrf-token"
_FOREIGN: Final = "This was not sent from a page of this archive."
_MAX_COOKIES: Final = 8192  # bytes of all of them that are looked at


def cookie_of(request: Request, audience: Audience) -> str:
    """The cookie of this audience, "" if there is none or more than one."""
    return named_cookie(request, COOKIES[audience])


def named_cookie(request: Request, name: str) -> str:
    """The value of a cookie, "" if there is none or more than one: two may be somebody's attempt."""
    line = "; ".join(request.headers.getlist("cookie"))[:_MAX_COOKIES]
    pairs = [pair.strip().partition("=") for pair in line.split(";")]
    found = [value for key, _, value in pairs if key == name]
    return found[0] if len(found) == 1 else ""


def set_cookie(response: Response, audience: Audience, cookie: str) -> None:
    """Have the browser keep a session's cookie until it is closed."""
    put_cookie(response, COOKIES[audience], cookie, same_site=_SAME_SITE[audience])


def put_cookie(
    response: Response, name: str, value: str, *, same_site: str = "strict", seconds: int | None = None
) -> None:
    """A cookie for this origin alone, out of reach of scripts. Browsers hold loopback to be secure without TLS."""
    age = "" if seconds is None else f"; Max-Age={seconds}"
    text = f"{name}={value}; Path=/; HttpOnly; Secure; SameSite={same_site.title()}{age}"
    response.raw_headers.append((b"set-cookie", text.encode("ascii")))


def drop_cookie(response: Response, audience: Audience) -> None:
    """Have the browser forget it."""
    put_cookie(response, COOKIES[audience], "", same_site=_SAME_SITE[audience], seconds=0)


def require_own_page(request: Request, origin: str) -> None:
    """Nothing is changed for a page of another site. NOT_AUTHORISED; browsers send one of the two headers at least.

    Pages without a referrer have the origin "null" (Fetch standard); the other header must speak for them.
    """
    site = request.headers.getlist("sec-fetch-site")
    named = request.headers.getlist("origin")
    same = site == ["same-origin"]
    ours = named == [origin] or (same and named in ([], ["null"]))
    if not ours or (site and not same):
        raise LeadglassError(ErrorCode.NOT_AUTHORISED, _FOREIGN)


def require_csrf(expected: str, given: str) -> None:
    """The token of the session, which no page of another site can read. NOT_AUTHORISED."""
    if not hmac.compare_digest(expected.encode(), given.encode("utf-8", "replace")):
        raise LeadglassError(ErrorCode.NOT_AUTHORISED, _FOREIGN)
