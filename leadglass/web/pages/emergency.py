"""Breaking the glass: every study for an hour, with a reason that is journalled and shown to administrators."""

from __future__ import annotations

from typing import Final

from starlette.responses import Response

from leadglass.core.errors import ErrorCode, LeadglassError
from leadglass.core.principal import Right
from leadglass.web.pages.page import Page, PageCall
from leadglass.web.pages.rendering import page
from leadglass.web.pages.sign_in import entered, known_of, next_of


async def form(call: PageCall) -> Response:
    """GET /emergency."""
    return page(call, "account/emergency.html", {"reason": "", "wrong": "", "next": next_of(call)})


async def break_glass(call: PageCall) -> Response:
    """POST /emergency: a new session takes the place of this one."""
    reason = call.form.text("reason")
    try:
        signed_in = await call.doorway.sign_in.break_glass(call.who, reason, known_of(call))
    except LeadglassError as error:
        if error.code is not ErrorCode.USAGE:
            raise
        values = {"reason": reason, "wrong": error.comment, "next": next_of(call)}
        return page(call, "account/emergency.html", values, status=400)
    return entered(call, signed_in)


PAGES: Final[tuple[Page, ...]] = (
    Page("GET", "/emergency", form, right=Right.RETRIEVE),
    Page("POST", "/emergency", break_glass, right=Right.RETRIEVE),
)
