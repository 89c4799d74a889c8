"""Accounts: who there is, what they do here, and taking it back."""

from __future__ import annotations

from functools import partial
from typing import Final

from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from leadglass.core.accounts import Role
from leadglass.core.principal import Right
from leadglass.core.sessions import Purpose
from leadglass.services.accounts import Accounts, Invitation, WantedAccount
from leadglass.services.one_time_codes import PATHS
from leadglass.web.pages.administration.said import go_on, lines, said_of
from leadglass.web.pages.page import Entry, Form, Page, PageCall
from leadglass.web.pages.rendering import page
from leadglass.web.pages.trying import UNPROCESSABLE, Wrong, tried

HERE: Final = "/administration/accounts"
_ROLES: Final = {role.value: role for role in Role}
_NO_VALUES: Final[dict[str, object]] = {"name": "", "display": "", "roles": (), "institutions": "", "referring": ""}


async def listed(call: PageCall) -> Response:
    """GET: everybody."""
    accounts = await run_in_threadpool(_of(call).accounts, call.principal)
    return page(call, "administration/accounts.html", {"accounts": accounts, "said": said_of(call)})


async def blank(call: PageCall) -> Response:
    """GET: the form for a new one."""
    return _form(call, _NO_VALUES)


async def add(call: PageCall) -> Response:
    """POST: a new account; shows the link by which its owner sets a password, this once."""
    form = call.form
    wanted = WantedAccount(
        form.text("name"), form.text("display"), _roles(form), lines(form, "institutions"), lines(form, "referring")
    )
    try:
        invitation = await tried(call, partial(_of(call).add, call.principal, wanted))
    except Wrong as wrong:
        return _form(call, _typed(form), str(wrong))
    return _invited(call, invitation, new=True)


async def one(call: PageCall) -> Response:
    """GET: one account."""
    return await _one(call)


async def change_roles(call: PageCall) -> Response:
    """POST: other roles."""
    roles, name = _roles(call.form), call.path("name")
    try:
        await tried(call, partial(_of(call).change_roles, call.principal, name, roles))
    except Wrong as wrong:
        return await _one(call, wrong=str(wrong), typed={"roles": call.form.texts("role")})
    return go_on(call, f"{HERE}/{name}", "roles")


async def describe(call: PageCall) -> Response:
    """POST: another name to show, another reach."""
    form, name = call.form, call.path("name")
    institutions, referring = lines(form, "institutions"), lines(form, "referring")
    display = form.text("display")
    work = partial(
        _of(call).describe, call.principal, name, display=display, institutions=institutions, referring=referring
    )
    try:
        await tried(call, work)
    except Wrong as wrong:
        typed = {key: value for key, value in _typed(form).items() if key not in ("roles", "name")}
        return await _one(call, wrong=str(wrong), typed=typed)
    return go_on(call, f"{HERE}/{name}", "described")


async def disable(call: PageCall) -> Response:
    """POST: keep somebody out."""
    return await _enable(call, enabled=False)


async def enable(call: PageCall) -> Response:
    """POST: let somebody in again."""
    return await _enable(call, enabled=True)


async def reset(call: PageCall) -> Response:
    """POST: everything that the owner proves who it is with is taken away; shows the link for new ones, this once."""
    try:
        invitation = await tried(call, partial(_of(call).reset, call.principal, call.path("name")))
    except Wrong as wrong:
        return await _one(call, wrong=str(wrong))
    return _invited(call, invitation, new=False)


async def sign_out(call: PageCall) -> Response:
    """POST: end all sessions."""
    name = call.path("name")
    await run_in_threadpool(_of(call).end_sessions, call.principal, name)
    return go_on(call, f"{HERE}/{name}", "signed_out")


async def _enable(call: PageCall, *, enabled: bool) -> Response:
    name = call.path("name")
    try:
        await tried(call, partial(_of(call).enable, call.principal, name, enabled=enabled))
    except Wrong as wrong:
        return await _one(call, wrong=str(wrong))
    return go_on(call, f"{HERE}/{name}", "enabled" if enabled else "disabled")


def _of(call: PageCall) -> Accounts:
    return call.doorway.admin.accounts


def _form(call: PageCall, values: dict[str, object], wrong: str = "") -> Response:
    shown = {"values": values, "roles": tuple(_ROLES), "wrong": wrong}
    return page(call, "administration/account_new.html", shown, status=UNPROCESSABLE if wrong else 200)


async def _one(call: PageCall, *, wrong: str = "", typed: dict[str, object] | None = None) -> Response:
    accounts, name = _of(call), call.path("name")
    account = await run_in_threadpool(accounts.account, call.principal, name)
    sessions = await run_in_threadpool(accounts.sessions, call.principal, name)
    values = {
        "display": account.display,
        "roles": tuple(role.value for role in account.roles),
        "institutions": "\n".join(sorted(account.institutions)),
        "referring": "\n".join(sorted(account.referring)),
        **(typed or {}),
    }
    shown = {"account": account, "sessions": sessions, "values": values, "roles": tuple(_ROLES), "wrong": wrong}
    return page(
        call, "administration/account.html", {**shown, "said": said_of(call)}, status=UNPROCESSABLE if wrong else 200
    )


def _invited(call: PageCall, invitation: Invitation, *, new: bool) -> Response:
    """The link, in this answer and nowhere else."""
    link = f"{call.origin}{PATHS[Purpose.ENROL]}{invitation.code}"
    return page(call, "administration/account_link.html", {"account": invitation.account, "link": link, "new": new})


def _typed(form: Form) -> dict[str, object]:
    texts = {name: form.secret(name) for name in ("name", "display", "institutions", "referring")}
    return {**texts, "roles": form.texts("role")}


def _roles(form: Form) -> frozenset[Role]:
    return frozenset(_ROLES[text] for text in form.texts("role") if text in _ROLES)


_NEEDS: Final = Right.ADMINISTER
PAGES: Final[tuple[Page, ...]] = (
    Page("GET", HERE, listed, right=_NEEDS),
    Page("POST", HERE, add, Entry.FRESH, _NEEDS),
    Page("GET", "/administration/new-account", blank, Entry.FRESH, _NEEDS),
    Page("GET", HERE + "/{name}", one, right=_NEEDS),
    Page("POST", HERE + "/{name}/roles", change_roles, Entry.FRESH, _NEEDS),
    Page("POST", HERE + "/{name}/describe", describe, Entry.FRESH, _NEEDS),
    Page("POST", HERE + "/{name}/disable", disable, Entry.FRESH, _NEEDS),
    Page("POST", HERE + "/{name}/enable", enable, Entry.FRESH, _NEEDS),
    Page("POST", HERE + "/{name}/reset", reset, Entry.FRESH, _NEEDS),
    Page("POST", HERE + "/{name}/sign-out", sign_out, Entry.FRESH, _NEEDS),
)
