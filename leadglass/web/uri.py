"""WADO-URI, the URI service (PS3.18 chapter 9): one instance, everything about it said in the query.

It comes as a DICOM file or as a picture; where nothing is said, an image of one frame comes as JPEG and all else as a
file.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from starlette.responses import Response

from leadglass.core.errors import ErrorCode, LeadglassError
from leadglass.core.pictures import JPEG, PICTURE_TYPES
from leadglass.core.query import Level, Selection
from leadglass.dicom.frame_form import has_picture
from leadglass.dicom.layout import InstanceLayout
from leadglass.dicom.uids import is_valid_uid
from leadglass.web.doorway import Call
from leadglass.web.metadata import absent
from leadglass.web.negotiation import MediaRange, accepted, first_offered, parse_accept
from leadglass.web.rendered import one_picture
from leadglass.web.representations import DICOM, InstanceForm
from leadglass.web.uri_pictures import uri_frame, uri_picture
from leadglass.web.wado import instances

_LONGEST: Final = 256  # characters of one value
NAMES: Final = "requestType=WADO&studyUID={study}&seriesUID={series}&objectUID={instance}"  # PS3.18 9.1.2.1
_KEYS: Final = ("studyUID", "seriesUID", "objectUID")


async def retrieve(call: Call) -> Response:
    """GET /wado?requestType=WADO&studyUID=..&seriesUID=..&objectUID=.."""
    query = call.request.query_params
    _refuse(query)
    selection = _selection(query)
    named, ranges = _wanted(call)
    _, kind = first_offered(ranges, (DICOM, *PICTURE_TYPES))
    if kind == DICOM and not named and ranges[0].kind == "*/*" and await _is_single_image(call, selection):
        kind = JPEG
    if kind in PICTURE_TYPES:
        return await _picture(call, selection, kind)
    found = await call.doorway.retrieve.select(call.principal, selection)
    if not found:
        raise absent()
    return await instances(call, found, InstanceForm(DICOM, (_syntax(query),)))


async def _picture(call: Call, selection: Selection, media_type: str) -> Response:
    query = call.request.query_params
    if "transferSyntax" in query:
        raise _usage("A picture has no transferSyntax.")
    layout = await _layout(call, selection)
    request = uri_picture(query, media_type, layout.rows, layout.columns)
    return await one_picture(call, selection, uri_frame(query), request)


async def _is_single_image(call: Call, selection: Selection) -> bool:
    layout = await _layout(call, selection)
    return has_picture(layout) and layout.rows > 0 and layout.number_of_frames == 1


async def _layout(call: Call, selection: Selection) -> InstanceLayout:
    content = await call.doorway.frames.instance(call.principal, selection)
    if content is None:
        raise absent()
    async with content:
        return await content.layout()


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


def _wanted(call: Call) -> tuple[bool, Sequence[MediaRange]]:
    """Whether a contentType is named, and what is accepted: it goes before the Accept header (PS3.18 9.1.2.2.1)."""
    named = call.request.query_params.get("contentType")
    return bool(named), parse_accept(named) if named else accepted(call.request)


def _syntax(query: Mapping[str, str]) -> str:
    """The transfer syntax asked for; empty for the default (PS3.18 9.4.2.4)."""
    syntax = query.get("transferSyntax", "")
    if syntax and syntax != "*" and not is_valid_uid(syntax):
        raise _usage("The transferSyntax must be a UID.")
    return syntax


def _usage(comment: str) -> LeadglassError:
    return LeadglassError(ErrorCode.USAGE, comment)
