"""From a study's page into the viewer: a code goes along, and the browser is sent to the viewer's origin with it."""

from __future__ import annotations

from typing import Final
from urllib.parse import quote

from starlette.responses import Response

from leadglass.core.principal import Right
from leadglass.core.query import Level, Selection
from leadglass.web.pages.page import Page, PageCall
from leadglass.web.pages.rendering import page, seen_other


async def open_viewer(call: PageCall) -> Response:
    """POST /studies/{study}/viewer, from a page that allows its forms to lead there (rendering).

    Where there is no viewer, a page that says how to get it.
    """
    site, viewing = call.doorway.viewer, call.doorway.viewing
    origin = site.origin(call.origin)
    if not origin or site.files is None:
        values = {"listens": bool(origin), "study": call.path("study")}
        return page(call, "viewer/missing.html", values, status=404)
    selection = Selection(Level.STUDY, study_uids=(call.path("study"),))
    code = await viewing.open(call.principal, selection, call.who.session)
    return seen_other(call, f"{origin}/open?code={quote(code, safe='')}")


PAGES: Final[tuple[Page, ...]] = (Page("POST", "/studies/{study}/viewer", open_viewer, right=Right.RETRIEVE),)
