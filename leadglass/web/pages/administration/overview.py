"""The overview: what runs, how full it is, and what somebody should look at. And the processes, one by one."""

from __future__ import annotations

from typing import Final

from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from leadglass.core.principal import Right
from leadglass.services.oversight import ALARM_DAYS
from leadglass.web.pages.page import Page, PageCall
from leadglass.web.pages.rendering import page

FULL: Final = 0.9  # of the disk: somebody should look for room now


async def overview(call: PageCall) -> Response:
    """GET /administration."""
    services = call.doorway.admin
    standing = await run_in_threadpool(services.oversight.standing, call.principal)
    alarms = await run_in_threadpool(services.oversight.alarms, call.principal)
    counts = await run_in_threadpool(services.maintenance.statistics, call.principal)
    used = standing.room.total - standing.room.free
    values = {
        "standing": standing,
        "alarms": alarms,
        "days": ALARM_DAYS,
        "counts": counts,
        "used": used,
        "full": used >= FULL * standing.room.total,
        "calls": sum(one.times for one in alarms.refused),
    }
    return page(call, "administration/overview.html", values)


async def jobs(call: PageCall) -> Response:
    """GET /administration/jobs."""
    standing = await run_in_threadpool(call.doorway.admin.oversight.standing, call.principal)
    return page(call, "administration/jobs.html", {"standing": standing})


PAGES: Final[tuple[Page, ...]] = (
    Page("GET", "/administration", overview, right=Right.ADMINISTER),
    Page("GET", "/administration/jobs", jobs, right=Right.ADMINISTER),
)
