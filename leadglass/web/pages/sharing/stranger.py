"""The pages of the listener for shares: a passcode, then the studies that were shared, as pictures or as files.

A link is looked at by programs that read letters before people do: to fetch it shows a page that is the same for every
link, and counts nothing. What a stranger is shown stands under paths that carry no link.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from starlette.responses import Response

from leadglass.core.errors import ErrorCode, LeadglassError
from leadglass.core.principal import Right
from leadglass.core.sessions import Audience
from leadglass.core.shares import Share
from leadglass.services.sessions import Known
from leadglass.web.browser import drop_cookie, set_cookie
from leadglass.web.pages import static
from leadglass.web.pages.page import Entry, Page, PageCall
from leadglass.web.pages.rendering import page, seen_other
from leadglass.web.pages.studies.found import series_found, study_found
from leadglass.web.pages.studies.look import look
from leadglass.web.pages.studies.values import StudyRow
from leadglass.web.pages.trying import in_words
from leadglass.web.statuses import STATUS

LINK: Final = "/s/{token}"
HOME: Final = "/shared"
_SHOWN: Final = frozenset({ErrorCode.NOT_AUTHENTICATED, ErrorCode.NOT_AUTHORISED, ErrorCode.OUT_OF_RESOURCES})


async def door(call: PageCall) -> Response:
    """GET /s/{token}: the same for every link, good or not."""
    return page(call, "shares/door.html", {"wrong": ""})


async def enter(call: PageCall) -> Response:
    """POST /s/{token}, with the passcode."""
    known = Known(call.address, call.request.headers.get("user-agent", ""))
    try:
        opened = await call.doorway.share_entrance.open(call.path("token"), call.form.secret("passcode"), known)
    except LeadglassError as error:
        if error.code not in _SHOWN:
            raise
        status = 403 if error.code is ErrorCode.NOT_AUTHENTICATED else STATUS[error.code]
        return page(call, "shares/door.html", {"wrong": in_words(call, error.comment)}, status=status)
    answer = seen_other(call, HOME)
    set_cookie(answer, Audience.SHARE, opened.cookie)
    return answer


async def studies(call: PageCall) -> Response:
    """GET /shared: what was shared, as far as its sharer sees it now."""
    share = share_of(call)
    found = [await _study(call, study) for study in share.studies]
    return page(call, "shares/studies.html", {"share": share, "studies": [one for one in found if one is not None]})


async def study(call: PageCall) -> Response:
    """GET /studies/{study}: its series."""
    share, found = share_of(call), await study_found(call, call.path("study"))
    values: Mapping[str, Any] = {"share": share, "study": found, "series": await series_found(call, found.uid)}
    return page(call, "shares/study.html", values)


async def leave(call: PageCall) -> Response:
    """POST /leave: the session ends, and the browser forgets what it kept."""
    call.doorway.sessions.end(call.who)
    answer = page(call, "shares/left.html", {"stranger": None})
    drop_cookie(answer, Audience.SHARE)
    answer.headers["clear-site-data"] = '"cache", "storage"'
    return answer


def share_of(call: PageCall) -> Share:
    """The share that let in who asks."""
    if call.who.share is None:
        raise _absent()
    return call.who.share


async def _study(call: PageCall, study_uid: str) -> StudyRow | None:
    try:
        return await study_found(call, study_uid)
    except LeadglassError as error:
        if error.code is not ErrorCode.NOT_FOUND:
            raise
        return None


def _absent() -> LeadglassError:
    return LeadglassError(ErrorCode.NOT_FOUND, "There is nothing here.")


SHARE_PAGES: Final[tuple[Page, ...]] = (
    Page("GET", "/static/{digest}/{name}", static.static_file, Entry.OPEN),
    Page("GET", "/favicon.ico", static.icon, Entry.OPEN),
    Page("GET", LINK, door, Entry.OPEN),
    Page("POST", LINK, enter, Entry.OPEN),
    Page("GET", HOME, studies, right=Right.RETRIEVE),
    Page("GET", "/studies/{study}", study, right=Right.RETRIEVE),
    Page("GET", "/studies/{study}/series/{series}/look", look, right=Right.RETRIEVE),
    Page("POST", "/leave", leave),
)
