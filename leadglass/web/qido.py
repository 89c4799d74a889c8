"""QIDO-RS, the Search Transaction (PS3.18 10.6)."""

from __future__ import annotations

from typing import Final

from starlette.responses import Response

from leadglass.core.attributes import Attribute, AttributeSet
from leadglass.core.limits import DEFAULT_QUERY_LIMIT
from leadglass.core.query import Level
from leadglass.dicom.dictionary import tag_of
from leadglass.dicom.json_model import attributes_json
from leadglass.dicom.xml_model import attributes_xml
from leadglass.web.answers import DICOM_JSON, DICOM_XML, MODEL_OFFERS, document, multipart_document
from leadglass.web.doorway import Call
from leadglass.web.negotiation import accepted, first_offered
from leadglass.web.search_request import search_request
from leadglass.web.urls import BASE

_RETRIEVE_URL: Final = tag_of("RetrieveURL")
_STUDY, _SERIES, _SOP = (tag_of(name) for name in ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID"))


async def search_studies(call: Call) -> Response:
    """GET /studies."""
    return await _search(call, Level.STUDY)


async def search_series(call: Call) -> Response:
    """GET /series and /studies/{study}/series."""
    return await _search(call, Level.SERIES)


async def search_instances(call: Call) -> Response:
    """GET /instances, below a study, below a series."""
    return await _search(call, Level.IMAGE)


async def _search(call: Call, level: Level) -> Response:
    request, path = call.request, call.request.path_params
    _, offer = first_offered(accepted(request), MODEL_OFFERS)
    parameters = [pair for pair in request.query_params.multi_items() if pair[0] != "accept"]
    search = search_request(level, path.get("study"), path.get("series"), parameters)
    page = await call.doorway.find.find(call.principal, search.query)
    base = f"{call.origin}{BASE}"
    found = [_with_url(match, base) for match in page.matches]
    headers = {}
    if page.truncated and search.capped:
        headers["warning"] = f'299 leadglass "There are more than {DEFAULT_QUERY_LIMIT} results; ask with offset."'
    if not found and offer not in (DICOM_JSON, "application/json"):
        return Response(None, 204, headers)
    if offer in (DICOM_JSON, "application/json"):
        body = b"[" + b",".join(map(attributes_json, found)) + b"]"
        return await document(request, body, offer, headers)
    return await multipart_document(request, [attributes_xml(match) for match in found], DICOM_XML, headers)


def _with_url(match: AttributeSet, base: str) -> AttributeSet:
    """The answer with its Retrieve URL (0008,1190), from its own UIDs."""
    url = base
    for tag, name in ((_STUDY, "studies"), (_SERIES, "series"), (_SOP, "instances")):
        values = match[tag].values if tag in match else ()
        if not values:
            break
        url += f"/{name}/{values[0]!s}"
    return dict(sorted({**match, _RETRIEVE_URL: Attribute("UR", (url,))}.items()))
