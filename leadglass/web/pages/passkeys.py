"""Passkeys: signing in with one, alone or as the second step; proving oneself once more; adding one (WebAuthn Level 3).

A script of ours talks to the browser and puts its answer into a form; what is asked comes as JSON, with a ticket in a
short cookie.
"""

from __future__ import annotations

from typing import Any, Final
from urllib.parse import quote, urlsplit

from starlette.responses import Response

from leadglass.access.passkeys import Site
from leadglass.core.errors import ErrorCode, LeadglassError
from leadglass.services.sign_in import SignedIn
from leadglass.web.browser import named_cookie, put_cookie
from leadglass.web.pages.page import Entry, Page, PageCall
from leadglass.web.pages.rendering import page
from leadglass.web.pages.sign_in import CONFIRM, SECOND, begun, entered, known_of, next_of, sign_in_page, step_of, tried

TICKET_COOKIE: Final = "__Host-lgpasskey"
_TICKET_SECONDS: Final = 300
_NEW: Final = "sign_in/passkey.html"
_ACCOUNT: Final = "/account"


async def request(call: PageCall) -> Response:
    """POST /sign-in/passkey/request: what the browser needs to ask for a passkey; for the second step where the form
    says so."""
    made = await call.doorway.sign_in.passkey_request(_site(call), _step(call))
    answer = _json(made.options)
    put_cookie(answer, TICKET_COOKIE, made.ticket, seconds=_TICKET_SECONDS)
    return answer


async def use(call: PageCall) -> Response:
    """POST /sign-in/passkey."""
    code = _step(call)

    async def work() -> SignedIn:
        return await call.doorway.sign_in.passkey(_site(call), _ticket(call), _answer(call), known_of(call), code=code)

    values = {"next": next_of(call)}
    if code:
        _, factors = step_of(call)
        return _forgotten(await tried(call, work, SECOND, {**values, **factors}))
    try:
        return _forgotten(entered(call, await work()))
    except LeadglassError as error:
        if error.code is not ErrorCode.NOT_AUTHENTICATED:
            raise
        return _forgotten(sign_in_page(call, wrong=error.comment, status=403))


async def confirm(call: PageCall) -> Response:
    """POST /confirm/passkey: a fresh proof makes a new session, which takes the place of this one."""

    async def work() -> SignedIn:
        site, ticket = _site(call), _ticket(call)
        return await call.doorway.sign_in.passkey(site, ticket, _answer(call), known_of(call), replacing=call.who)

    return _forgotten(await tried(call, work, CONFIRM, {"next": next_of(call)}))


async def begin(call: PageCall) -> Response:
    """POST /account/passkeys: on to the page that adds one."""
    code = await call.doorway.sign_in.apart(call.doorway.own_account.add_second_factor, call.who)
    return begun(call, code, f"/sign-in/passkey/new?next={quote(_ACCOUNT, safe='')}")


async def new_form(call: PageCall) -> Response:
    """GET /sign-in/passkey/new: what the passkey is to be called."""
    return _new(call)


async def options(call: PageCall) -> Response:
    """POST /sign-in/passkey/options: what the browser needs to make one."""
    code, _ = step_of(call)
    return _json(await call.doorway.sign_in.offer_passkey(code, _site(call)))


async def new(call: PageCall) -> Response:
    """POST /sign-in/passkey/new: the browser has made one."""
    code, _ = step_of(call)
    label = call.form.text("label")
    try:
        made = await call.doorway.sign_in.confirm_passkey(code, _site(call), _answer(call), label, known_of(call))
    except LeadglassError as error:
        if error.code not in (ErrorCode.USAGE, ErrorCode.NOT_AUTHENTICATED):
            raise
        return _new(call, label, error.comment, 400 if error.code is ErrorCode.USAGE else 403)
    return entered(call, made)


def _new(call: PageCall, label: str = "", wrong: str = "", status: int = 200) -> Response:
    values: dict[str, Any] = {"next": next_of(call), "label": label, "wrong": wrong}
    return page(call, _NEW, values, status=status)


def _site(call: PageCall) -> Site:
    """The origin that the browser sees, and its host; both were compared with the listener's names."""
    return Site(call.origin, urlsplit(call.origin).hostname or "")


def _step(call: PageCall) -> str:
    """The code of the second step, where the form is of one."""
    return step_of(call)[0] if call.form.text("second") else ""


def _ticket(call: PageCall) -> str:
    return named_cookie(call.request, TICKET_COOKIE)


def _answer(call: PageCall) -> str:
    return call.form.text("answer")


def _forgotten(answer: Response) -> Response:
    """A ticket is good once: the browser keeps none."""
    put_cookie(answer, TICKET_COOKIE, "", seconds=0)
    return answer


def _json(text: str) -> Response:
    return Response(text.encode(), 200, {"cache-control": "no-store"}, "application/json")


PAGES: Final[tuple[Page, ...]] = (
    Page("POST", "/sign-in/passkey/request", request, Entry.OPEN),
    Page("POST", "/sign-in/passkey", use, Entry.OPEN),
    Page("GET", "/sign-in/passkey/new", new_form, Entry.OPEN),
    Page("POST", "/sign-in/passkey/options", options, Entry.OPEN),
    Page("POST", "/sign-in/passkey/new", new, Entry.OPEN),
    Page("POST", "/confirm/passkey", confirm),
    Page("POST", "/account/passkeys", begin, Entry.FRESH),
)
