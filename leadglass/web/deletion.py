"""Delete to the trash, and back: studies, series and instances, for those who hold the right (PS3.18 has no Delete
transaction; this is the DELETE of other archives, and one that can be undone)."""

from __future__ import annotations

from typing import Final

from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from leadglass.core.errors import ErrorCode, LeadglassError
from leadglass.core.query import Level, Selection
from leadglass.web.doorway import Call
from leadglass.web.metadata import instance_of

_REASON: Final = "over DICOMweb"


async def delete_study(call: Call) -> Response:
    """DELETE /studies/{study}: 204 once it lies in the trash, 404 if there is none."""
    await run_in_threadpool(call.doorway.trash.delete, call.principal, _study(call), _REASON)
    return Response(status_code=204)


async def delete_series(call: Call) -> Response:
    """DELETE /studies/{study}/series/{series}: 204 once its instances lie in the trash, 404 if there is none."""
    return await _delete(call, _series(call))


async def delete_instance(call: Call) -> Response:
    """DELETE /studies/{study}/series/{series}/instances/{instance}: as of a series."""
    return await _delete(call, instance_of(call))


async def undelete_study(call: Call) -> Response:
    """POST /studies/{study}/undelete: 204 once it is back, or what was taken out of it where it does not lie in the
    trash itself; 404 if there is neither."""
    try:
        await run_in_threadpool(call.doorway.trash.undelete, call.principal, [call.path("study")])
    except LeadglassError as error:
        if error.code is not ErrorCode.NOT_FOUND:
            raise
        return await _undelete(call, _study(call))
    return Response(status_code=204)


async def undelete_series(call: Call) -> Response:
    """POST /studies/{study}/series/{series}/undelete: 204 once what was deleted of it is back, 404 if nothing was, or
    the whole study lies in the trash."""
    return await _undelete(call, _series(call))


async def undelete_instance(call: Call) -> Response:
    """POST /studies/{study}/series/{series}/instances/{instance}/undelete: as of a series."""
    return await _undelete(call, instance_of(call))


async def _delete(call: Call, selection: Selection) -> Response:
    await run_in_threadpool(call.doorway.trash.delete_instances, call.principal, selection, _REASON)
    return Response(status_code=204)


async def _undelete(call: Call, selection: Selection) -> Response:
    await run_in_threadpool(call.doorway.trash.undelete_instances, call.principal, selection)
    return Response(status_code=204)


def _study(call: Call) -> Selection:
    return Selection(Level.STUDY, study_uids=(call.path("study"),))


def _series(call: Call) -> Selection:
    return Selection(Level.SERIES, study_uids=(call.path("study"),), series_uids=(call.path("series"),))
