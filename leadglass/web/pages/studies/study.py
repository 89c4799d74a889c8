"""A study's page: who it is about, its series, and what can be done with it."""

from __future__ import annotations

from typing import Any, Final

from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from leadglass.core.principal import Right
from leadglass.core.query import Level, Selection
from leadglass.web.pages.page import Page, PageCall
from leadglass.web.pages.rendering import page, seen_other
from leadglass.web.pages.studies.found import series_found, study_found
from leadglass.web.pages.trying import UNPROCESSABLE

_MAX_REASON: Final = 200


async def study(call: PageCall) -> Response:
    """GET /studies/{study}."""
    return await shown(call)


async def shown(call: PageCall, more: dict[str, Any] | None = None, *, status: int = 200) -> Response:
    """The page of the study that the path names, with `more` values for its forms. NOT_FOUND."""
    found = await study_found(call, call.path("study"))
    series = await series_found(call, call.path("study"))
    devices: list[str] = []
    if call.principal.may(Right.RETRIEVE):
        devices = await run_in_threadpool(call.doorway.sending.destinations, call.principal)
    kept = {"wrong": "", "refusal": "", "reason": "", "said": ""}
    values = {"study": found, "series": series, "devices": devices, **kept, **(more or {})}
    return page(call, "studies/study.html", values, status=status)


async def trash(call: PageCall) -> Response:
    """POST /studies/{study}/trash, with a reason: it can be brought back for 30 days."""
    await study_found(call, call.path("study"))
    reason = call.form.text("reason")
    if not reason or len(reason) > _MAX_REASON or not reason.isprintable():
        return await shown(call, {"wrong": "study.reason_wrong", "reason": reason}, status=UNPROCESSABLE)
    selection = Selection(Level.STUDY, study_uids=(call.path("study"),))
    await run_in_threadpool(call.doorway.trash.delete, call.principal, selection, reason)
    return seen_other(call, "/studies")


PAGES: Final[tuple[Page, ...]] = (
    Page("GET", "/studies/{study}", study, right=Right.FIND),
    Page("POST", "/studies/{study}/trash", trash, right=Right.DELETE),
)
