"""The list of studies: searched as somebody types, in steps of a page, with searches that are kept.

What is looked for is posted: addresses stand in histories and logs, and a name does not belong there.
"""

from __future__ import annotations

import re
from dataclasses import asdict, replace
from typing import Any, Final

from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from leadglass.core.errors import ErrorCode, LeadglassError
from leadglass.core.listing import MAX_COUNTED, StudyOrder, StudyPage, StudySearch
from leadglass.core.principal import Right
from leadglass.services.studies import SavedSearch
from leadglass.web.pages.page import Form, Page, PageCall
from leadglass.web.pages.rendering import page
from leadglass.web.pages.studies.values import study_of
from leadglass.web.pages.trying import UNPROCESSABLE, in_words

PAGE_SIZE: Final = 50
_LIST, _FOUND = "studies/list.html", "studies/found.html"
_BETWEEN: Final = re.compile(r"[\s,;\\/]+")


async def start(call: PageCall) -> Response:
    """GET /studies: the newest."""
    return await _answer(call, StudySearch(limit=PAGE_SIZE))


async def search(call: PageCall) -> Response:
    """POST /studies: what the form asks, or a search that was kept; a part of the page where htmx asks."""
    title = call.form.text("saved")
    if title:
        kept = await run_in_threadpool(call.doorway.studies.saved, call.principal)
        found = next((one.search for one in kept if one.title == title), StudySearch())
        return await _answer(call, replace(found, limit=PAGE_SIZE))
    return await _answer(call, search_of(call.form))


async def save(call: PageCall) -> Response:
    """POST /studies/saved: keep a search under a title."""
    wanted = search_of(call.form)
    try:
        saved = SavedSearch(call.form.text("title"), replace(wanted, offset=0))
        await run_in_threadpool(call.doorway.studies.save, call.principal, saved)
    except LeadglassError as error:
        if error.code is not ErrorCode.USAGE:
            raise
        return await _answer(call, wanted, {"wrong": in_words(call, error.comment), "title": call.form.text("title")})
    return await _answer(call, wanted)


async def forget(call: PageCall) -> Response:
    """POST /studies/saved/remove: keep it no longer."""
    await run_in_threadpool(call.doorway.studies.forget, call.principal, call.form.text("title"))
    return await _answer(call, StudySearch(limit=PAGE_SIZE))


def search_of(form: Form) -> StudySearch:
    """What a form asks for. INVALID_QUERY if its dates or numbers are none."""
    order = form.text("order")
    offset = form.text("offset") or "0"
    if not (offset.isascii() and offset.isdigit() and len(offset) < 7):
        raise LeadglassError(ErrorCode.INVALID_QUERY, "The place in the list is no number.")
    return StudySearch(
        form.text("text"),
        form.text("name"),
        form.text("patient_id"),
        form.text("accession"),
        form.text("description"),
        tuple(part for part in _BETWEEN.split(form.text("modalities").upper()) if part),
        form.text("since").replace("-", ""),
        form.text("until").replace("-", ""),
        StudyOrder(order) if order in {one.value for one in StudyOrder} else StudyOrder.NEWEST,
        int(offset),
        PAGE_SIZE,
    )


async def _answer(call: PageCall, wanted: StudySearch, more: dict[str, Any] | None = None) -> Response:
    wrong, found = "", StudyPage()
    try:
        found = await call.doorway.studies.search(call.principal, wanted)
    except LeadglassError as error:
        if error.code is not ErrorCode.INVALID_QUERY:
            raise
        wrong = in_words(call, error.comment)
    values = {
        "search": wanted,
        "fields": _fields(wanted),
        "narrowed": bool(set(wanted.given) - {"text"}) or wanted.order is not StudyOrder.NEWEST,
        "studies": [study_of(match) for match in found.matches],
        "found": found,
        "first": wanted.offset + 1,
        "last": wanted.offset + len(found.matches),
        "page_size": PAGE_SIZE,
        "counted_to": MAX_COUNTED,
        "everything": call.principal.reach.everything,
        "wrong": wrong,
        "title": "",
        **(more or {}),
    }
    status = UNPROCESSABLE if values["wrong"] and not call.partial else 200
    if call.partial:
        return page(call, _FOUND, values)
    saved = await run_in_threadpool(call.doorway.studies.saved, call.principal)
    return page(call, _LIST, {**values, "saved": [one.title for one in saved]}, status=status)


def _fields(wanted: StudySearch) -> dict[str, str]:
    """The fields of the form as they are filled."""
    known = asdict(wanted)
    fields = {name: str(known[name]) for name in ("text", "name", "patient_id", "accession", "description")}
    days = {name: _day(known[name]) for name in ("since", "until")}
    return {**fields, **days, "modalities": ", ".join(wanted.modalities), "order": wanted.order.value}


def _day(text: str) -> str:
    return f"{text[:4]}-{text[4:6]}-{text[6:]}" if len(text) == 8 else text


PAGES: Final[tuple[Page, ...]] = (
    Page("GET", "/studies", start, right=Right.FIND),
    Page("POST", "/studies", search, right=Right.FIND),
    Page("POST", "/studies/saved", save, right=Right.FIND),
    Page("POST", "/studies/saved/remove", forget, right=Right.FIND),
)
