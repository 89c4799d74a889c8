"""WADO-URI, the URI service (PS3.18 chapter 9): one instance, everything about it said in the query."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from starlette.responses import Response

from leadglass.core.errors import ErrorCode, LeadglassError
from leadglass.core.query import Level, Selection
from leadglass.dicom.uids import is_valid_uid
from leadglass.web.doorway import Call
from leadglass.web.metadata import absent
from leadglass.web.negotiation import MediaRange, accepted, parse_accept
from leadglass.web.representations import DICOM, InstanceForm
from leadglass.web.wado import instances

_LONGEST: Final = 256  # characters of one value
NAMES: Final = "requestType=WADO&studyUID={study}&seriesUID={series}&objectUID={instance}"  # PS3.18 9.1.2.1
_KEYS: Final = ("studyUID", "seriesUID", "objectUID")


async def retrieve(call: Call) -> Response:
    """GET /wado?requestType=WADO&studyUID=..&seriesUID=..&objectUID=.."""
    query = call.request.query_params
    _refuse(query)
    selection = _selection(query)
    if not any(item.covers(DICOM) for item in _wanted(call)):
        raise LeadglassError(ErrorCode.CANNOT_CONVERT, f"Offered here: {DICOM}.")
    found = await call.doorway.retrieve.select(call.principal, selection)
    if not found:
        raise absent()
    return await instances(call, found, InstanceForm(DICOM, (_syntax(query),)))


def _refuse(query: Mapping[str, str]) -> None:
    """What must not be passed over in silence: somebody who asks for anonymous objects must not be given others."""
    if any(len(value) > _LONGEST for value in query.values()):
        raise _usage("A parameter is too long.")
    if query.get("requestType") != "WADO":
        raise _usage("The requestType must be WADO.")
    if query.get("anonymize", "no") != "no":
        raise LeadglassError(ErrorCode.CANNOT_CONVERT, "Nothing is made anonymous here.")
    if query.get("presentationUID") or query.get("presentationSeriesUID"):
        raise LeadglassError(ErrorCode.CANNOT_CONVERT, "Presentation states are not applied here.")


def _selection(query: Mapping[str, str]) -> Selection:
    uids = [query.get(key, "") for key in _KEYS]
    if not all(is_valid_uid(uid) for uid in uids):
        raise _usage(f"The request must name {', '.join(_KEYS)}, each a UID.")
    study, series, instance = uids
    return Selection(Level.IMAGE, study_uids=(study,), series_uids=(series,), sop_instance_uids=(instance,))


def _wanted(call: Call) -> tuple[MediaRange, ...]:
    """contentType goes before the Accept header (PS3.18 9.1.2.2.1)."""
    named = call.request.query_params.get("contentType")
    return parse_accept(named) if named else accepted(call.request)


def _syntax(query: Mapping[str, str]) -> str:
    """The transfer syntax asked for; empty for the default (PS3.18 9.4.2.4)."""
    syntax = query.get("transferSyntax", "")
    if syntax and syntax != "*" and not is_valid_uid(syntax):
        raise _usage("The transferSyntax must be a UID.")
    return syntax


def _usage(comment: str) -> LeadglassError:
    return LeadglassError(ErrorCode.USAGE, comment)
