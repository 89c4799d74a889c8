"""Answering for pages: which line of the table, who gets there, and refusals that a person can read."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from leadglass.core.errors import ErrorCode, LeadglassError
from leadglass.services.sessions import Person
from leadglass.web.browser import CSRF_HEADER, SAFE, require_csrf, require_own_page
from leadglass.web.doorway import WebDoorway
from leadglass.web.outgoing import Visit
from leadglass.web.pages.forms import is_form, read_form
from leadglass.web.pages.page import Entry, Form, Page, PageCall
from leadglass.web.pages.rendering import page, seen_other
from leadglass.web.pages.trying import in_words
from leadglass.web.paths import Table
from leadglass.web.statuses import STATUS

SIGN_IN: Final = "/sign-in"
CONFIRM: Final = "/confirm"  # where somebody proves once more who it is
_INNER: Final = 500


class Pages:
    """The pages of one listener."""

    def __init__(self, doorway: WebDoorway, lines: Iterable[Page], *, neutral: bool = False) -> None:
        """`neutral` as of web.desk.Desk: there is no way to sign in."""
        self._doorway = doorway
        self._neutral = neutral
        self._table: Table[Page] = Table(lines)

    async def answer(
        self, request: Request, person: Person | None, address: str, origin: str, visit: Visit
    ) -> Response | None:
        """The page that is asked for, or the way to sign in; None if this is no page's business."""
        method = "GET" if request.method == "HEAD" else request.method
        lines = [(line, parts) for line, parts in self._table.at(request.url.path) if line.method == method]
        found = next(((line, parts) for line, parts in lines if person or line.entry is Entry.OPEN), None)
        if found is None:
            return None if person or self._neutral else _sign_in(request)
        line, parts = found
        if request.method not in SAFE:
            require_own_page(request, origin)
        request.scope["path_params"] = parts
        visit.route, visit.method = line.path, line.method
        if person is None or line.entry is Entry.OPEN:
            form = await _form(request, None)
            return await line.handler(PageCall(request, self._doorway, origin, address, person, form))
        call = PageCall(request, self._doorway, origin, address, person, await _form(request, person))
        self._require_right(line, person)
        if line.entry is Entry.FRESH and not self._fresh(person):
            return seen_other(call, f"{CONFIRM}?next={quote(self._place(request), safe='')}")
        visit.lease = self._doorway.quotas.begin(person.principal, export=False)
        return await line.handler(call)

    def refusal(self, request: Request, error: LeadglassError) -> Response | None:
        """`error` as a page, for who reads pages; None for others."""
        if not wants_page(request) or error.code is ErrorCode.NOT_AUTHENTICATED:
            return None
        status = STATUS[error.code]
        if self._neutral:
            call = PageCall(request, self._doorway, "", "")
            return page(call, "shares/refused.html", {"status": status, "detail": error.comment}, status=status)
        call = PageCall(request, self._doorway, "", "", getattr(request.state, "person", None))
        detail = in_words(call, error.comment) if status < _INNER else ""
        return page(call, "refused.html", {"status": status, "detail": detail}, status=status)

    def _require_right(self, line: Page, person: Person) -> None:
        if line.right is not None and not person.principal.may(line.right):
            raise LeadglassError(ErrorCode.NOT_AUTHORISED, f"This needs the right '{line.right.value}'.")

    def _place(self, request: Request) -> str:
        """The page to go on at: the one asked for; for what a form sends, the nearest page above it."""
        if request.method in SAFE:
            return _shown(request)
        path = request.url.path
        while path and not any(line.method == "GET" for line, _ in self._table.at(path)):
            path = path.rpartition("/")[0]
        return path or "/"

    def _fresh(self, person: Person) -> bool:
        return self._doorway.sessions.fresh(person)


def wants_page(request: Request) -> bool:
    """Whether a browser asks for something to show to a person; a program with a token never does."""
    if "authorization" in request.headers:
        return False
    return "text/html" in request.headers.get("accept", "") or "hx-request" in request.headers


async def _form(request: Request, person: Person | None) -> Form:
    """The form of a request; one that changes something for a person must show the token of the session."""
    if request.method in SAFE:
        return Form()
    form = await read_form(request) if is_form(request) else Form()
    if person is not None:
        require_csrf(person.csrf, request.headers.get(CSRF_HEADER) or form.secret("csrf"))
    return form


def _sign_in(request: Request) -> Response | None:
    """The way to sign in, the same whatever was asked for."""
    if not wants_page(request) or request.method not in SAFE:
        return None
    where = f"{SIGN_IN}?next={quote(_shown(request), safe='')}"
    if "hx-request" in request.headers:
        return Response(None, 200, {"hx-redirect": SIGN_IN})
    return RedirectResponse(where, 303)


def _shown(request: Request) -> str:
    """The page that is shown to the person: for a part of it, and for what a form sends, where it stands."""
    if request.method in SAFE and "hx-request" not in request.headers:
        query = request.url.query
        return request.url.path + (f"?{query}" if query else "")
    return "/"
