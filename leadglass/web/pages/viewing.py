"""From a study's page into the viewer: a code goes along, and the browser is sent to the viewer's origin with it."""

from __future__ import annotations

from typing import Final
from urllib.parse import quote

from starlette.responses import Response

from leadglass.core.principal import Right
from leadglass.core.query import Level, Selection
from leadglass.web.pages.page import Page, PageCall
from leadglass.web.pages.rendering import page

FORWARD: Final = "viewer/forward.html"


async def open_viewer(call: PageCall) -> Response:
    """POST /studies/{study}/viewer. Where there is no viewer, a page that says how to get it."""
    site, viewing = call.doorway.viewer, call.doorway.viewing
    origin = site.origin(call.origin)
    if not origin or site.files is None:
        values = {"listens": bool(origin), "study": call.path("study")}
        return page(call, "viewer/missing.html", values, status=404)
    selection = Selection(Level.STUDY, study_uids=(call.path("study"),))
    code = await viewing.open(call.principal, selection, call.who.session)
    return forward(call, f"{origin}/open?code={quote(code, safe='')}")


def forward(call: PageCall, address: str) -> Response:
    """A page that leads on at once.

    No redirect: a form may lead to its own origin only (form-action), and browsers keep a strict cookie back on a
    request that another site began.
    """
    if call.partial:
        return Response(None, 200, {"hx-redirect": address})
    answer = page(call, FORWARD, {"address": address})
    answer.headers["referrer-policy"] = "no-referrer"  # the code is in one of the addresses
    return answer


PAGES: Final[tuple[Page, ...]] = (Page("POST", "/studies/{study}/viewer", open_viewer, right=Right.RETRIEVE),)
