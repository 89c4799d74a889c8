"""Metadata resources of WADO-RS (PS3.18 10.4.1.1.2): what is kept of a series is served as it lies."""

from __future__ import annotations

import gzip
from typing import Final

from blake3 import blake3
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from leadglass.core.errors import ErrorCode, LeadglassError
from leadglass.core.query import Level, Selection
from leadglass.services.metadata import SeriesDocument
from leadglass.web.answers import DICOM_XML, MODEL_OFFERS, NO_CACHE, document, multipart_document, unchanged
from leadglass.web.codings import coding_for
from leadglass.web.doorway import Call
from leadglass.web.negotiation import accepted, first_offered
from leadglass.web.urls import BASE

_ABSENT: Final = "There is no such study, series or instance."


async def study_metadata(call: Call) -> Response:
    """GET /studies/{study}/metadata."""
    return await _metadata(call, Selection(Level.STUDY, study_uids=(call.path("study"),)))


async def series_metadata(call: Call) -> Response:
    """GET /studies/{study}/series/{series}/metadata."""
    return await _metadata(
        call, Selection(Level.SERIES, study_uids=(call.path("study"),), series_uids=(call.path("series"),))
    )


async def instance_metadata(call: Call) -> Response:
    """GET /studies/{study}/series/{series}/instances/{instance}/metadata."""
    _, offer = first_offered(accepted(call.request), MODEL_OFFERS)
    selection = instance_of(call)
    if offer.startswith("multipart"):
        return await _xml(call, selection)
    found = await call.doorway.metadata.instances(call.principal, selection, call.origin + BASE)
    if not found:
        raise absent()
    return await document(call.request, b"[" + b",".join(found) + b"]", offer, call.location)


def instance_of(call: Call) -> Selection:
    """The instance that the path names."""
    study, series, instance = call.path("study"), call.path("series"), call.path("instance")
    return Selection(Level.IMAGE, study_uids=(study,), series_uids=(series,), sop_instance_uids=(instance,))


def absent() -> LeadglassError:
    """What is not there and what is out of reach look the same."""
    return LeadglassError(ErrorCode.NOT_FOUND, _ABSENT)


async def _metadata(call: Call, selection: Selection) -> Response:
    _, offer = first_offered(accepted(call.request), MODEL_OFFERS)
    if offer.startswith("multipart"):
        return await _xml(call, selection)
    found = await call.doorway.metadata.series(call.principal, selection, call.origin + BASE)
    if not found:
        raise absent()
    return await _as_kept(call, found, offer)


async def _xml(call: Call, selection: Selection) -> Response:
    found = await call.doorway.metadata.xml(call.principal, selection, call.origin + BASE)
    if not found:
        raise absent()
    return await multipart_document(call.request, found, DICOM_XML, call.location)


async def _as_kept(call: Call, found: list[SeriesDocument], media_type: str) -> Response:
    """One series as it lies if the client reads gzip; several are joined first."""
    stamps = " ".join(f"{item.state.series_uid} {item.state.stamp}" for item in found)
    tag = f'"{blake3(f"{call.origin} {stamps}".encode()).hexdigest(length=16)}"'
    headers = {"etag": tag, "cache-control": NO_CACHE, "vary": "accept, accept-encoding, authorization"}
    headers |= call.location
    if unchanged(call.request, tag):
        return Response(None, 304, headers)
    if len(found) == 1 and coding_for(call.request, ("gzip",)):
        return Response(found[0].gzip, 200, {**headers, "content-encoding": "gzip"}, media_type)
    whole = await run_in_threadpool(_joined, found)
    return await document(call.request, whole, media_type, {"etag": tag, **call.location})


def _joined(found: list[SeriesDocument]) -> bytes:
    """One array of the instances of all series."""
    arrays = [gzip.decompress(item.gzip)[1:-1] for item in found]
    return b"[" + b",".join(array for array in arrays if array) + b"]"
