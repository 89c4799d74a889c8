"""The start: where somebody goes by what the account is for. And signing out."""

from __future__ import annotations

from typing import Final

from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from leadglass.core.principal import Right
from leadglass.core.sessions import Audience
from leadglass.web.browser import drop_cookie
from leadglass.web.pages.page import Page, PageCall
from leadglass.web.pages.rendering import page, seen_other


async def start(call: PageCall) -> Response:
    """GET /: whose share was locked is told so first."""
    if call.principal.may(Right.RETRIEVE):
        locked = await run_in_threadpool(call.doorway.shares.locked, call.principal)
        if locked:
            return page(call, "shares/locked.html", {"locked": locked})
    if call.principal.may(Right.FIND):
        return seen_other(call, "/studies")
    return page(call, "home.html")


async def sign_out(call: PageCall) -> Response:
    """POST /sign-out: the session ends, and the browser forgets what it kept of us."""
    await call.doorway.sign_in.sign_out(call.who)
    answer = seen_other(call, "/sign-in")
    drop_cookie(answer, Audience.PAGES)
    answer.headers["clear-site-data"] = '"cache", "storage"'
    return answer


PAGES: Final[tuple[Page, ...]] = (
    Page("GET", "/", start),
    Page("POST", "/sign-out", sign_out),
)
