"""Devices: who may call, how each proves who it is, whether it answers when it is called, and who was turned away."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import partial
from types import MappingProxyType
from typing import Final
from urllib.parse import urlencode

from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from leadglass.access.policy import REFUSAL_HINTS
from leadglass.access.titles import is_valid_title
from leadglass.core.device import Device
from leadglass.core.errors import LeadglassError
from leadglass.core.principal import Right
from leadglass.services.device_test import Answered
from leadglass.services.refused import Refusal
from leadglass.web.pages.administration.device_form import RIGHTS, Values, blank_values, device_of, typed, values_of
from leadglass.web.pages.administration.said import go_on, said_of
from leadglass.web.pages.page import Entry, Page, PageCall
from leadglass.web.pages.rendering import page
from leadglass.web.pages.trying import UNPROCESSABLE, Wrong, in_words, tried

HERE: Final = "/administration/devices"
REFUSED_DAYS: Final = 7
_NEW: Final = "/administration/new-device"
_NOTHING_TYPED: Final = {"request": "", "certificate": "", "subject": ""}
_NOTHING_KEPT: Final[Mapping[str, str]] = MappingProxyType({})
_LETS_IN: Final = frozenset({"unknown-address", "unknown-title"})  # causes that enrolling mends


async def listed(call: PageCall) -> Response:
    """GET: every device."""
    devices = await run_in_threadpool(call.doorway.admin.devices.devices, call.principal)
    return page(call, "administration/devices.html", {"devices": devices, "said": said_of(call)})


async def blank(call: PageCall) -> Response:
    """GET: the form for a new one; title and address may come from the list of those who were refused."""
    query = call.request.query_params
    title, network = query.get("title", "")[:16], query.get("network", "")[:64]
    name = re.sub(r"[^a-z0-9._-]+", "-", title.lower()).strip("-._")
    known = {"name": name, "titles": title, "networks": network, "plain": query.get("plain") == "1"}
    return _form(call, {**blank_values(), **known} if title or network else blank_values())


async def enrol(call: PageCall) -> Response:
    """POST: a new device."""
    try:
        device = await tried(call, partial(device_of, call, None))
        await tried(call, partial(call.doorway.admin.devices.enrol, call.principal, device))
    except Wrong as wrong:
        return _form(call, typed(call.form), str(wrong))
    return go_on(call, f"{HERE}/{device.name}", "enrolled")


async def one(call: PageCall) -> Response:
    """GET: one device."""
    return await show(call)


async def form(call: PageCall) -> Response:
    """GET: the form that changes it."""
    device = await known_device(call)
    return _form(call, values_of(device), known=device)


async def change(call: PageCall) -> Response:
    """POST: another description of it."""
    known = await known_device(call)
    try:
        device = await tried(call, partial(device_of, call, known))
        await tried(call, partial(call.doorway.admin.devices.change, call.principal, device))
    except Wrong as wrong:
        return _form(call, {**typed(call.form), "name": known.name}, str(wrong), known)
    return go_on(call, f"{HERE}/{device.name}", "device_changed")


async def disable(call: PageCall) -> Response:
    """POST: keep it out."""
    return await _enable(call, enabled=False)


async def enable(call: PageCall) -> Response:
    """POST: let it in again."""
    return await _enable(call, enabled=True)


async def remove(call: PageCall) -> Response:
    """POST: forget it."""
    await run_in_threadpool(call.doorway.admin.devices.remove, call.principal, call.path("name"))
    return go_on(call, HERE, "removed")


async def test(call: PageCall) -> Response:
    """POST: call it, and say what came of it: in its place on the page, or with the whole page."""
    wrong, answered = "", None
    try:
        answered = await call.doorway.admin.device_test.echo(call.principal, call.path("name"))
    except LeadglassError as error:
        wrong = in_words(call, error.comment)
    if call.partial:
        return page(call, "administration/device_answer.html", {"answered": answered, "no_answer": wrong})
    return await show(call, answered=answered, no_answer=wrong)


async def refused(call: PageCall) -> Response:
    """GET: who was turned away within the last days."""
    found = await run_in_threadpool(call.doorway.admin.refused.lately, call.principal, REFUSED_DAYS)
    rows = [(one, _way_in(one.caller)) for one in found]
    shown = {"rows": rows, "days": REFUSED_DAYS, "known_causes": REFUSAL_HINTS}
    return page(call, "administration/refused.html", shown)


async def authority(call: PageCall) -> Response:
    """GET: the certificate of the archive's own CA, as a file."""
    pem = await run_in_threadpool(call.doorway.admin.credentials.authority, call.principal)
    headers = {"content-disposition": 'attachment; filename="leadglass-ca.pem"', "cache-control": "no-store"}
    return Response(pem, 200, headers, "application/x-pem-file")


async def known_device(call: PageCall) -> Device:
    """The device that the path names. NOT_FOUND."""
    return await run_in_threadpool(call.doorway.admin.devices.device, call.principal, call.path("name"))


async def show(
    call: PageCall,
    *,
    wrong: str = "",
    answered: Answered | None = None,
    no_answer: str = "",
    kept: Mapping[str, str] = _NOTHING_KEPT,
) -> Response:
    """The page of one device; `kept` is what was typed into the forms of its certificates."""
    shown = {
        "device": await known_device(call),
        "wrong": wrong,
        "answered": answered,
        "no_answer": no_answer,
        "kept": {**_NOTHING_TYPED, **kept},
        "said": said_of(call),
    }
    return page(call, "administration/device.html", shown, status=UNPROCESSABLE if wrong else 200)


async def _enable(call: PageCall, *, enabled: bool) -> Response:
    name = call.path("name")
    try:
        await tried(call, partial(call.doorway.admin.devices.enable, call.principal, name, enabled=enabled))
    except Wrong as wrong:
        return await show(call, wrong=str(wrong))
    return go_on(call, f"{HERE}/{name}", "enabled" if enabled else "disabled")


def _form(call: PageCall, values: Values, wrong: str = "", known: Device | None = None) -> Response:
    shown = {"values": values, "rights": tuple(RIGHTS), "wrong": wrong, "known": known}
    return page(call, "administration/device_form.html", shown, status=UNPROCESSABLE if wrong else 200)


def _way_in(caller: Refusal) -> str:
    """Where it can be let in; "" if nothing should: a public address over plain DICOM, a title that cannot be one."""
    if caller.cause in _LETS_IN and is_valid_title(caller.title):
        plain = "" if caller.tls else "1"
        return f"{_NEW}?{urlencode({'title': caller.title, 'network': caller.address, 'plain': plain})}"
    return ""


_NEEDS: Final = Right.ADMINISTER
PAGES: Final[tuple[Page, ...]] = (
    Page("GET", HERE, listed, right=_NEEDS),
    Page("POST", HERE, enrol, Entry.FRESH, _NEEDS),
    Page("GET", _NEW, blank, Entry.FRESH, _NEEDS),
    Page("GET", "/administration/refused", refused, right=_NEEDS),
    Page("GET", "/administration/authority.pem", authority, right=_NEEDS),
    Page("GET", HERE + "/{name}", one, right=_NEEDS),
    Page("GET", HERE + "/{name}/change", form, Entry.FRESH, _NEEDS),
    Page("POST", HERE + "/{name}/change", change, Entry.FRESH, _NEEDS),
    Page("POST", HERE + "/{name}/disable", disable, Entry.FRESH, _NEEDS),
    Page("POST", HERE + "/{name}/enable", enable, Entry.FRESH, _NEEDS),
    Page("POST", HERE + "/{name}/remove", remove, Entry.FRESH, _NEEDS),
    Page("POST", HERE + "/{name}/test", test, right=_NEEDS),
)
