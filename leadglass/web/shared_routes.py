"""What the listener for shares serves beside its pages: pictures of what was shared, and all of it where allowed."""

from __future__ import annotations

from typing import Final

from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from leadglass.core.errors import ErrorCode, LeadglassError
from leadglass.core.principal import Right
from leadglass.core.query import Level, Selection
from leadglass.web.doorway import Call
from leadglass.web.metadata import absent
from leadglass.web.negotiation import ANY_SYNTAX
from leadglass.web.representations import ZIP, InstanceForm
from leadglass.web.route import Route
from leadglass.web.routes import ROUTES
from leadglass.web.urls import INSTANCE, SERIES, STUDY
from leadglass.web.wado import instances

_PICTURES: Final = frozenset(
    {
        STUDY + "/thumbnail",
        SERIES + "/thumbnail",
        INSTANCE + "/thumbnail",
        INSTANCE + "/rendered",
        INSTANCE + "/frames/{list}/rendered",
    }
)


async def download(call: Call) -> Response:
    """GET /studies/{study}/zip: the DICOM files as they are stored, if whoever shared them allowed that."""
    if call.person is None:
        raise LeadglassError(ErrorCode.NOT_AUTHORISED, "Only who has opened a share downloads it.")
    study = call.path("study")
    found = await call.doorway.retrieve.select(call.principal, Selection(Level.STUDY, study_uids=(study,)))
    if not found:
        raise absent()
    await run_in_threadpool(call.doorway.share_entrance.download, call.person, study)
    return await instances(call, found, InstanceForm(ZIP, (ANY_SYNTAX,)))


SHARED_ROUTES: Final[tuple[Route, ...]] = (
    *(route for route in ROUTES if route.method == "GET" and route.path in _PICTURES),
    Route("GET", "/studies/{study}/zip", Right.RETRIEVE, download, export=True),
)
