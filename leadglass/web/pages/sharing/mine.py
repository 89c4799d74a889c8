"""The pages of who shares: what was shared and what became of it, a new share, taking one back."""

from __future__ import annotations

import time
from functools import partial
from typing import Any, Final

from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from leadglass.core.errors import ErrorCode, LeadglassError
from leadglass.core.principal import Right
from leadglass.core.shares import MOST_MISSES, Share
from leadglass.services.shares import MAX_DAYS, MAX_NOTE, MAX_OPENINGS, MAX_RECIPIENT, USUAL_DAYS, WantedShare
from leadglass.web.pages.page import Form, Page, PageCall
from leadglass.web.pages.rendering import page, seen_other
from leadglass.web.pages.studies.found import studies_found, study_found
from leadglass.web.pages.studies.values import StudyRow
from leadglass.web.pages.trying import UNPROCESSABLE, Wrong, tried

HERE: Final = "/shares"
ALL: Final = "/shares/all"
_MOST_STUDIES: Final = 64
_BLANK: Final = {
    "recipient": "",
    "note": "",
    "days": str(USUAL_DAYS),
    "openings": "0",
    "download": "",
    "later": "",
}


async def own(call: PageCall) -> Response:
    """GET /shares: one's own."""
    shares = await run_in_threadpool(call.doorway.shares.own, call.principal)
    return _listed(call, shares, await studies_found(call, (uid for share in shares for uid in share.studies)))


async def everybodys(call: PageCall) -> Response:
    """GET /shares/all."""
    shares = await run_in_threadpool(call.doorway.shares.shares, call.principal)
    return _listed(call, shares, None)


async def blank(call: PageCall) -> Response:
    """GET /shares/new?study=UID: the form."""
    studies = await _studies(call, call.request.query_params.getlist("study"))
    return _form(call, studies, _BLANK)


async def make(call: PageCall) -> Response:
    """POST /shares/new. Link and passcode are in this answer and nowhere else."""
    form = call.form
    studies = await _studies(call, form.texts("study"))
    origin = call.doorway.shares_site.origin(call.origin)
    if not origin:
        return _form(call, studies, _typed(form))
    wanted = WantedShare(
        form.text("recipient"),
        tuple(study.uid for study in studies),
        _whole(form.text("days")),
        _whole(form.text("openings")),
        download=bool(form.text("download")),
        later=bool(form.text("later")),
        note=form.text("note"),
    )
    try:
        made = await tried(call, partial(call.doorway.shares.create, call.principal, wanted))
    except Wrong as wrong:
        return _form(call, studies, _typed(form), str(wrong))
    values = {"share": made.share, "link": f"{origin}/s/{made.link}", "passcode": made.passcode}
    return page(call, "shares/made.html", values)


async def revoke(call: PageCall) -> Response:
    """POST /shares/{share}/revoke: an own one."""
    await run_in_threadpool(call.doorway.shares.revoke_own, call.principal, call.path("share"))
    return seen_other(call, f"{HERE}?done=revoked")


async def revoke_any(call: PageCall) -> Response:
    """POST /shares/all/{share}/revoke."""
    await run_in_threadpool(call.doorway.shares.revoke, call.principal, call.path("share"))
    return seen_other(call, f"{ALL}?done=revoked")


def _listed(call: PageCall, shares: list[Share], studies: dict[str, StudyRow] | None) -> Response:
    """A list of shares; of one's own with the `studies` that are still there, of everybody's with none."""
    now = time.time_ns()
    values: dict[str, Any] = {
        "rows": [(share, share.state(now).value, share.shows(now)) for share in shares],
        "everybody": studies is None,
        "studies": studies or {},
        "revoked": call.request.query_params.get("done") == "revoked",
        "most_misses": MOST_MISSES,
    }
    return page(call, "shares/list.html", values)


async def _studies(call: PageCall, uids: list[str] | tuple[str, ...]) -> list[StudyRow]:
    """What is to be shared. NOT_FOUND if any of it is not there, or nothing was named."""
    named = list(dict.fromkeys(uids))[: _MOST_STUDIES + 1]
    if not named:
        raise LeadglassError(ErrorCode.NOT_FOUND, "No study is named.")
    return [await study_found(call, uid) for uid in named]


def _form(call: PageCall, studies: list[StudyRow], values: dict[str, str], wrong: str = "") -> Response:
    shown: dict[str, Any] = {
        "studies": studies,
        "values": values,
        "wrong": wrong,
        "listens": bool(call.doorway.shares_site.origin(call.origin)),
        "most": {"days": MAX_DAYS, "openings": MAX_OPENINGS, "recipient": MAX_RECIPIENT, "note": MAX_NOTE},
    }
    return page(call, "shares/new.html", shown, status=UNPROCESSABLE if wrong else 200)


def _typed(form: Form) -> dict[str, str]:
    return {name: form.secret(name) for name in _BLANK}


def _whole(text: str) -> int:
    """A number that was typed; -1, which is in no range, for what is none."""
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 6 else -1


PAGES: Final[tuple[Page, ...]] = (
    Page("GET", HERE, own, right=Right.RETRIEVE),
    Page("GET", ALL, everybodys, right=Right.ADMINISTER),
    Page("GET", HERE + "/new", blank, right=Right.RETRIEVE),
    Page("POST", HERE + "/new", make, right=Right.RETRIEVE),
    Page("POST", HERE + "/{share}/revoke", revoke, right=Right.RETRIEVE),
    Page("POST", ALL + "/{share}/revoke", revoke_any, right=Right.ADMINISTER),
)
