"""Signing in at the OpenID provider: off to it, and back.

The browser comes back from another site, and brings only cookies that are lax; so it goes on by a page, not by a
redirect: what a page of ours leads to is sent with the strict ones too.
"""

from __future__ import annotations

from typing import Final
from urllib.parse import quote, unquote

from starlette.responses import RedirectResponse, Response

from leadglass.core.errors import ErrorCode, LeadglassError
from leadglass.core.sessions import Audience
from leadglass.services.provider_sign_in import NOT_LET_IN, ProviderSignIn, Return
from leadglass.services.sign_in import SignedIn
from leadglass.web.browser import named_cookie, put_cookie, set_cookie
from leadglass.web.pages.page import Entry, Page, PageCall
from leadglass.web.pages.rendering import own_path, page
from leadglass.web.pages.sign_in import further, keep_step, known_of, next_of, sign_in_page

COOKIE: Final = "__Host-lgprovider"
_SECONDS: Final = 600
_MAX_NEXT: Final = 1024  # characters of the path to go on to that a cookie holds


async def depart(call: PageCall) -> Response:
    """GET /sign-in/provider: to the provider. Nothing is written but a cookie."""
    left = _provider(call).depart(call.origin, fresh="fresh" in call.request.query_params)
    answer = RedirectResponse(left.address, 303, {"cache-control": "no-store"})
    wanted = quote(next_of(call), safe="")
    kept = wanted if len(wanted) <= _MAX_NEXT else quote("/", safe="")
    put_cookie(answer, COOKIE, f"{left.ticket}.{kept}", same_site="lax", seconds=_SECONDS)
    return answer


async def arrive(call: PageCall) -> Response:
    """GET /sign-in/provider/callback: back from there (RFC 6749 4.1.2)."""
    provider = _provider(call)
    ticket, _, wanted = named_cookie(call.request, COOKIE).partition(".")
    onward = own_path(unquote(wanted))
    told = call.request.query_params
    back = Return(ticket, told.get("state", ""), told.get("code", ""), told.get("iss", ""))
    try:
        if "error" in told:
            raise LeadglassError(ErrorCode.NOT_AUTHENTICATED, NOT_LET_IN)
        step = await provider.arrive(back, call.origin, known_of(call), call.person)
    except LeadglassError as error:
        if error.code is not ErrorCode.NOT_AUTHENTICATED:
            raise
        return _forgotten(sign_in_page(call, wrong=error.comment, status=403))
    if isinstance(step, SignedIn):
        answer = _onward(call, onward)
        set_cookie(answer, Audience.PAGES, step.cookie)
    else:
        path, code = further(step, onward)
        answer = _onward(call, path)
        keep_step(answer, code)
    return _forgotten(answer)


def _onward(call: PageCall, path: str) -> Response:
    return page(call, "sign_in/onward.html", {"onward": path})


def _forgotten(answer: Response) -> Response:
    put_cookie(answer, COOKIE, "", same_site="lax", seconds=0)
    return answer


def _provider(call: PageCall) -> ProviderSignIn:
    if call.doorway.provider is None:
        raise LeadglassError(ErrorCode.NOT_FOUND, "People sign in here with a password or a passkey.")
    return call.doorway.provider


PAGES: Final[tuple[Page, ...]] = (
    Page("GET", "/sign-in/provider", depart, Entry.OPEN),
    Page("GET", "/sign-in/provider/callback", arrive, Entry.OPEN),
)
