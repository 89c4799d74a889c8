"""Delete to the trash, and back: whole studies, for those who hold the right (PS3.18 has no Delete transaction; this is
the DELETE of other archives, and one that can be undone)."""

from __future__ import annotations

from typing import Final

from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from leadglass.core.query import Level, Selection
from leadglass.web.doorway import Call

_REASON: Final = "over DICOMweb"


async def delete_study(call: Call) -> Response:
    """DELETE /studies/{study}: 204 once it lies in the trash, 404 if there is none."""
    selection = Selection(Level.STUDY, study_uids=(call.path("study"),))
    await run_in_threadpool(call.doorway.trash.delete, call.principal, selection, _REASON)
    return Response(status_code=204)


async def undelete_study(call: Call) -> Response:
    """POST /studies/{study}/undelete: 204 once it is back, 404 if it does not lie in the trash."""
    await run_in_threadpool(call.doorway.trash.undelete, call.principal, [call.path("study")])
    return Response(status_code=204)
