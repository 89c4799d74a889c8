"""Tokens for programs: what there is, a new one whose text is shown once, and an end to one."""

from __future__ import annotations

import time
from collections.abc import Mapping
from functools import partial
from typing import Final

from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from leadglass.access.tokens import DEFAULT_DAYS, MAX_DAYS
from leadglass.core.principal import Right
from leadglass.core.reach import EVERYTHING, Reach
from leadglass.core.tokens import ApiToken, Scope
from leadglass.services.tokens import Wanted
from leadglass.web.pages.administration.said import go_on, lines, said_of
from leadglass.web.pages.page import Entry, Form, Page, PageCall
from leadglass.web.pages.rendering import page
from leadglass.web.pages.trying import UNPROCESSABLE, Wrong, tried

HERE: Final = "/administration/tokens"
_SCOPES: Final = {scope.value: scope for scope in Scope}
_FIELDS: Final = ("name", "days", "reach", "studies", "patients", "issuer")
_NO_VALUES: Final[Mapping[str, object]] = {
    **dict.fromkeys(_FIELDS, ""),
    "days": str(DEFAULT_DAYS),
    "reach": "all",
    "scopes": (),
}


async def listed(call: PageCall) -> Response:
    """GET: every token, those that still let in first."""
    tokens = await run_in_threadpool(call.doorway.admin.tokens.tokens, call.principal)
    now = time.time_ns()
    rows = sorted(((token, _state(token, now)) for token in tokens), key=lambda row: (row[1] != "valid", row[0].name))
    return page(call, "administration/tokens.html", {"rows": rows, "said": said_of(call)})


async def blank(call: PageCall) -> Response:
    """GET: the form for a new one."""
    return _form(call, _NO_VALUES)


async def issue(call: PageCall) -> Response:
    """POST: a new token; its text is in this answer and nowhere else."""
    form = call.form
    wanted = Wanted(form.text("name"), _scopes(form), _reach(form), _days(form))
    try:
        issued = await tried(call, partial(call.doorway.admin.tokens.issue, call.principal, wanted))
    except Wrong as wrong:
        return _form(call, {**{key: form.secret(key) for key in _FIELDS}, "scopes": form.texts("scope")}, str(wrong))
    return page(call, "administration/token_text.html", {"token": issued.token, "text": issued.text})


async def revoke(call: PageCall) -> Response:
    """POST: it lets nobody in any more."""
    await run_in_threadpool(call.doorway.admin.tokens.revoke, call.principal, call.path("name"))
    return go_on(call, HERE, "token_revoked")


def _form(call: PageCall, values: Mapping[str, object], wrong: str = "") -> Response:
    shown = {"values": values, "scopes": tuple(_SCOPES), "wrong": wrong, "most_days": MAX_DAYS}
    return page(call, "administration/token_new.html", shown, status=UNPROCESSABLE if wrong else 200)


def _scopes(form: Form) -> frozenset[Scope]:
    return frozenset(_SCOPES[text] for text in form.texts("scope") if text in _SCOPES)


def _reach(form: Form) -> Reach:
    """Everything only where that was chosen: an empty list is none, and is refused."""
    if form.text("reach") == "all":
        return EVERYTHING
    issuer = form.text("issuer")
    patients = frozenset((issuer, patient) for patient in lines(form, "patients"))
    return Reach(studies=frozenset(lines(form, "studies")), patients=patients)


def _days(form: Form) -> int:
    text = form.text("days")
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 6 else 0


def _state(token: ApiToken, now: int) -> str:
    return "valid" if token.valid_at(now) else "revoked" if token.revoked else "expired"


_NEEDS: Final = Right.ADMINISTER
PAGES: Final[tuple[Page, ...]] = (
    Page("GET", HERE, listed, right=_NEEDS),
    Page("POST", HERE, issue, Entry.FRESH, _NEEDS),
    Page("GET", "/administration/new-token", blank, Entry.FRESH, _NEEDS),
    Page("POST", HERE + "/{name}/revoke", revoke, Entry.FRESH, _NEEDS),
)
