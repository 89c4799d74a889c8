"""Sending a study to a device: chosen on the study's page, watched on one of its own."""

from __future__ import annotations

from typing import Final

from starlette.responses import Response

from leadglass.core.errors import ErrorCode, LeadglassError
from leadglass.core.principal import Right
from leadglass.core.query import Level, Selection
from leadglass.services.sending import subject_of
from leadglass.web.pages.page import Page, PageCall
from leadglass.web.pages.rendering import page, seen_other
from leadglass.web.pages.studies.found import study_found
from leadglass.web.pages.studies.study import shown
from leadglass.web.pages.trying import UNPROCESSABLE, in_words


async def begin(call: PageCall) -> Response:
    """POST /studies/{study}/send."""
    selection = _selection(call)
    sessions, person = call.doorway.sessions, call.who
    try:
        job = await call.doorway.sending.begin(
            call.principal, selection, call.form.text("device"), lambda: sessions.still_valid(person)
        )
    except LeadglassError as error:
        if error.code is not ErrorCode.USAGE:
            raise
        return await shown(call, {"refusal": in_words(call, error.comment)}, status=UNPROCESSABLE)
    return seen_other(call, f"/studies/{call.path('study')}/send/{job.identifier}")


async def watch(call: PageCall) -> Response:
    """GET /studies/{study}/send/{job}; the part that changes where htmx asks."""
    job = call.doorway.sending.job(call.principal, call.path("job"))
    if job.subject != subject_of(_selection(call)):
        raise LeadglassError(ErrorCode.NOT_FOUND, "There is no such job here.")
    if call.partial:
        return page(call, "studies/sending_state.html", {"job": job, "address": call.request.url.path})
    study = await study_found(call, call.path("study"))
    return page(call, "studies/sending.html", {"job": job, "address": call.request.url.path, "study": study})


def _selection(call: PageCall) -> Selection:
    return Selection(Level.STUDY, study_uids=(call.path("study"),))


PAGES: Final[tuple[Page, ...]] = (
    Page("POST", "/studies/{study}/send", begin, right=Right.RETRIEVE),
    Page("GET", "/studies/{study}/send/{job}", watch, right=Right.RETRIEVE),
)
