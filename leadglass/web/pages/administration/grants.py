"""Grants: single studies and patients for a person or a program, beyond what they see anyway."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Final

from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from leadglass.core.principal import Principal, Right
from leadglass.core.tokens import Grant
from leadglass.web.pages.administration.said import go_on, said_of
from leadglass.web.pages.page import Entry, Form, Page, PageCall
from leadglass.web.pages.rendering import page
from leadglass.web.pages.trying import UNPROCESSABLE, Wrong, tried

HERE: Final = "/administration/grants"
_FIELDS: Final = ("to", "study", "patient", "issuer")


async def listed(call: PageCall) -> Response:
    """GET: every grant, and the form for a further one."""
    return await _shown(call)


async def add(call: PageCall) -> Response:
    """POST: a further one."""
    return await _done(call, call.doorway.admin.tokens.grant, "granted")


async def withdraw(call: PageCall) -> Response:
    """POST: take one back."""
    return await _done(call, call.doorway.admin.tokens.withdraw, "withdrawn")


async def _done(call: PageCall, work: Callable[[Principal, Grant], None], word: str) -> Response:
    try:
        await tried(call, partial(work, call.principal, _grant(call.form)))
    except Wrong as wrong:
        return await _shown(call, str(wrong))
    return go_on(call, HERE, word)


async def _shown(call: PageCall, wrong: str = "") -> Response:
    grants = await run_in_threadpool(call.doorway.admin.tokens.grants, call.principal)
    values = {name: call.form.secret(name) for name in _FIELDS}
    shown = {"grants": grants, "values": values, "wrong": wrong, "said": said_of(call)}
    return page(call, "administration/grants.html", shown, status=UNPROCESSABLE if wrong else 200)


def _grant(form: Form) -> Grant:
    return Grant(form.text("to"), form.text("study"), form.text("patient"), form.text("issuer"))


_NEEDS: Final = Right.ADMINISTER
PAGES: Final[tuple[Page, ...]] = (
    Page("GET", HERE, listed, right=_NEEDS),
    Page("POST", HERE, add, Entry.FRESH, _NEEDS),
    Page("POST", HERE + "/withdraw", withdraw, Entry.FRESH, _NEEDS),
)
