"""Storage: how full, how it grows, what lies in the trash and what is in conflict."""

from __future__ import annotations

import time
from functools import partial
from typing import Final

from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from leadglass.core.principal import Right
from leadglass.services.trash import RETENTION_DAYS
from leadglass.web.pages.administration.chart import HEIGHT, WIDTH, bars
from leadglass.web.pages.administration.said import go_on, said_of
from leadglass.web.pages.page import Page, PageCall
from leadglass.web.pages.rendering import page
from leadglass.web.pages.trying import UNPROCESSABLE, Wrong, tried

HERE: Final = "/administration/storage"
DAYS: Final = 30
_DAY: Final = 24 * 3600 * 1_000_000_000  # nanoseconds
_MOST: Final = 200  # conflicts that are shown


async def storage(call: PageCall) -> Response:
    """GET: all of it."""
    return await _shown(call)


async def undelete(call: PageCall) -> Response:
    """POST: a study comes back from the trash."""
    study = call.form.text("study")
    try:
        await tried(call, partial(call.doorway.trash.undelete, call.principal, [study]))
    except Wrong as wrong:
        return await _shown(call, str(wrong))
    return go_on(call, HERE, "undeleted")


async def _shown(call: PageCall, wrong: str = "") -> Response:
    services = call.doorway.admin
    standing = await run_in_threadpool(services.oversight.standing, call.principal)
    holdings = await run_in_threadpool(services.oversight.holdings, call.principal, DAYS)
    trash = await run_in_threadpool(call.doorway.trash.entries, call.principal)
    conflicts = await run_in_threadpool(services.maintenance.conflicts, call.principal)
    grown = sum(size for _, _, size in holdings.days)
    values = {
        "room": standing.room,
        "used": standing.room.total - standing.room.free,
        "counts": holdings.counts,
        "bars": bars(holdings.days, time.time_ns() // _DAY, DAYS),
        "size_of_chart": (WIDTH, HEIGHT),
        "most": max((size for _, _, size in holdings.days), default=0),
        "days": DAYS,
        "grown": grown,
        "days_left": standing.room.free * DAYS // grown if grown else None,
        "trash": trash,
        "retention": RETENTION_DAYS,
        "conflicts": conflicts[:_MOST],
        "more_conflicts": max(0, len(conflicts) - _MOST),
        "wrong": wrong,
        "said": said_of(call),
    }
    return page(call, "administration/storage.html", values, status=UNPROCESSABLE if wrong else 200)


_NEEDS: Final = Right.ADMINISTER
PAGES: Final[tuple[Page, ...]] = (
    Page("GET", HERE, storage, right=_NEEDS),
    Page("POST", HERE + "/undelete", undelete, right=_NEEDS),
)
