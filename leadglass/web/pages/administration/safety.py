"""Safety: every listener and who can reach it, certificates, risks that are taken. Shown, and changed nowhere here."""

from __future__ import annotations

from typing import Final

from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from leadglass.core.principal import Right
from leadglass.web.pages.page import Page, PageCall
from leadglass.web.pages.rendering import page

SOON: Final = 14  # days: an override that ends is to be thought of


async def safety(call: PageCall) -> Response:
    """GET /administration/safety."""
    standing = await run_in_threadpool(call.doorway.admin.oversight.standing, call.principal)
    devices = await run_in_threadpool(call.doorway.admin.devices.devices, call.principal)
    bound = [(device, item) for device in devices for item in device.certificates]
    values = {"standing": standing, "bound": bound, "soon": SOON}
    return page(call, "administration/safety.html", values)


PAGES: Final[tuple[Page, ...]] = (Page("GET", "/administration/safety", safety, right=Right.ADMINISTER),)
