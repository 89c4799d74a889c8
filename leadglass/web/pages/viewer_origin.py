"""The viewer's origin: the way in with a code, OHIF's page and files, and a page for whom it is closed.

Beside these there are DICOMweb's GET routes (web.desk), and nothing else.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Final

from starlette.responses import RedirectResponse, Response

from leadglass.core.errors import ErrorCode, LeadglassError
from leadglass.core.principal import Principal, Right
from leadglass.core.query import Level, Selection
from leadglass.core.sessions import Audience
from leadglass.services.sessions import Known
from leadglass.services.viewing import Opened
from leadglass.web.browser import set_cookie
from leadglass.web.pages.page import Entry, Page, PageCall
from leadglass.web.pages.rendering import page
from leadglass.web.urls import BASE
from leadglass.web.viewer.files import PAGE, send

log = logging.getLogger(__name__)

MAX_PREPARING: Final = 4  # of a process; more studies than that are made ready when they are asked for
_preparing: Final[set[asyncio.Task[None]]] = set()


async def enter(call: PageCall) -> Response:
    """GET /open?code=...: the code becomes a session. It is kept for a browser that shows the page to somebody."""
    viewing, request = call.doorway.viewing, call.request
    if request.method != "GET" or _unasked(call):
        return await closed(call)
    known = Known(call.address, request.headers.get("user-agent", ""))
    opened = await viewing.enter(request.query_params.get("code", ""), known, call.person)
    if opened is None:
        return await closed(call)
    answer = _forward(call, f"/viewer?StudyInstanceUIDs={','.join(opened.studies)}")
    set_cookie(answer, Audience.VIEWER, opened.cookie)
    _prepare(call, opened)
    return answer


def _unasked(call: PageCall) -> bool:
    """Whether a browser looks ahead, or another site leads here: the pages are of this one, unless the viewer has an
    address of its own. A stranger's code would put a stranger's study in place of what is open."""
    headers = call.request.headers
    foreign = headers.get("sec-fetch-site") == "cross-site" and not call.doorway.viewer.public
    return foreign or "prefetch" in headers.get("sec-purpose", "")


def _forward(call: PageCall, path: str) -> Response:
    """Lead on to a path of ours. Where another site began, a redirect would come without the strict cookie: there a
    page of ours leads on."""
    if call.request.headers.get("sec-fetch-site") in ("same-site", "same-origin", "none"):
        return RedirectResponse(path, 303)
    answer = page(call, "viewer/forward.html", {"address": path})
    answer.headers["referrer-policy"] = "no-referrer"  # the code is in the address
    return answer


def _prepare(call: PageCall, opened: Opened) -> None:
    """Have the metadata made while OHIF starts: it takes seconds, and asks for them then."""
    sessions = call.doorway.sessions
    person = sessions.person(opened.cookie, Audience.VIEWER, call.address) if sessions else None
    if person is None or len(_preparing) >= MAX_PREPARING:
        return
    task = asyncio.get_running_loop().create_task(_made(call, person.principal, opened.studies))
    _preparing.add(task)
    task.add_done_callback(_preparing.discard)


async def _made(call: PageCall, principal: Principal, studies: tuple[str, ...]) -> None:
    selection = Selection(Level.STUDY, study_uids=studies)
    try:
        await call.doorway.metadata.series(principal, selection, call.origin + BASE)
    except Exception as error:  # whoever asks for them is told; its text may hold a patient's data
        log.warning("metadata were not made ready: %s", type(error).__name__)


async def closed(call: PageCall) -> Response:
    """GET /sign-in, where who is not let in ends up: studies are opened from the pages."""
    return page(call, "viewer/closed.html", status=403)


async def show(call: PageCall) -> Response:
    """GET /viewer: OHIF's page."""
    return await _sent(call, PAGE)


async def file(call: PageCall) -> Response:
    """A file of OHIF."""
    return await _sent(call, call.request.url.path.removeprefix("/"))


async def _sent(call: PageCall, name: str) -> Response:
    files = call.doorway.viewer.files
    found = files.find(name) if files is not None else None
    if found is None:
        raise LeadglassError(ErrorCode.NOT_FOUND, "There is no such file.")
    return await send(call.request, found)


VIEWER_PAGES: Final[tuple[Page, ...]] = (
    Page("GET", "/sign-in", closed, Entry.OPEN),
    Page("GET", "/open", enter, Entry.OPEN),
    Page("GET", "/viewer", show, right=Right.RETRIEVE),
    Page("GET", "/{name}", file, right=Right.RETRIEVE),
    Page("GET", "/assets/{name}", file, right=Right.RETRIEVE),
    Page("GET", "/assets/images/{name}", file, right=Right.RETRIEVE),
    Page("GET", "/dicom-microscopy-viewer/{name}", file, right=Right.RETRIEVE),
)
