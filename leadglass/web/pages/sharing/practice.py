"""A study for another practice, as an encrypted ZIP: the passphrase is shown first, apart from the file."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Final

from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from leadglass.core.ports import Buffer
from leadglass.core.principal import Right
from leadglass.core.query import Level, Selection
from leadglass.services.quotas import Lease
from leadglass.web.doorway import Call
from leadglass.web.metadata import absent
from leadglass.web.negotiation import ANY_SYNTAX
from leadglass.web.pages.page import Page, PageCall
from leadglass.web.pages.rendering import page
from leadglass.web.pages.studies.found import study_found
from leadglass.web.representations import ZIP, InstanceForm
from leadglass.web.streams import Streamed, joined
from leadglass.web.wado import opened_files
from leadglass.web.zipped import zip_of

HERE: Final = "/studies/{study}/export"


async def explain(call: PageCall) -> Response:
    """GET: what is made, and the way on."""
    study = await study_found(call, call.path("study"))
    return page(call, "shares/practice.html", {"study": study, "offer": None})


async def offer(call: PageCall) -> Response:
    """POST: a passphrase, in this answer and nowhere else."""
    study = await study_found(call, call.path("study"))
    offered = await run_in_threadpool(call.doorway.exports.offer, call.principal, _selection(call))
    return page(call, "shares/practice.html", {"study": study, "offer": offered})


async def fetch(call: PageCall) -> Response:
    """POST .../file, with the ticket: the file, made while it is sent."""
    found = await call.doorway.retrieve.select(call.principal, _selection(call))
    if not found:
        raise absent()
    ticket = call.form.text("ticket")
    passphrase = await run_in_threadpool(call.doorway.exports.redeem, call.principal, _selection(call), ticket)
    lease = call.doorway.quotas.begin(call.principal, export=True)
    try:
        asked = Call(call.request, call.principal, call.doorway, call.origin, call.person)
        files = await opened_files(asked, found, InstanceForm(ZIP, (ANY_SYNTAX,)))
    except BaseException:
        lease.end()
        raise
    headers = {"content-disposition": 'attachment; filename="dicom-encrypted.zip"', "cache-control": "no-store"}
    pieces = _leased(lease, joined(zip_of(files, passphrase.encode("ascii"))))
    return Streamed(asked, pieces, 200, headers, ZIP)


async def _leased(lease: Lease, pieces: AsyncIterator[Buffer]) -> AsyncIterator[Buffer]:
    try:
        async for piece in pieces:
            yield piece
    finally:
        lease.end()


def _selection(call: PageCall) -> Selection:
    return Selection(Level.STUDY, study_uids=(call.path("study"),))


PAGES: Final[tuple[Page, ...]] = (
    Page("GET", HERE, explain, right=Right.RETRIEVE),
    Page("POST", HERE, offer, right=Right.RETRIEVE),
    Page("POST", HERE + "/file", fetch, right=Right.RETRIEVE),
)
