"""WADO-RS, the Retrieve Transaction (PS3.18 10.4): whole instances as DICOM files, in parts, alone, or in a ZIP."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence

from blake3 import blake3
from starlette.responses import Response

from leadglass.core.errors import ErrorCode, LeadglassError
from leadglass.core.ports import Buffer
from leadglass.core.query import Level, Selection
from leadglass.core.records import StoredInstance
from leadglass.web.answers import NO_CACHE, unchanged
from leadglass.web.doorway import Call
from leadglass.web.files import Files, file_header
from leadglass.web.metadata import absent, instance_of
from leadglass.web.negotiation import accepted
from leadglass.web.representations import DICOM, RELATED, ZIP, InstanceForm, instance_form
from leadglass.web.streams import CutOffError, Streamed, joined, part_head, parts_end, related
from leadglass.web.urls import instance_url
from leadglass.web.zipped import zip_of


async def study(call: Call) -> Response:
    """GET /studies/{study}."""
    return await _retrieve(call, Selection(Level.STUDY, study_uids=(call.path("study"),)))


async def series(call: Call) -> Response:
    """GET /studies/{study}/series/{series}."""
    return await _retrieve(
        call, Selection(Level.SERIES, study_uids=(call.path("study"),), series_uids=(call.path("series"),))
    )


async def instance(call: Call) -> Response:
    """GET /studies/{study}/series/{series}/instances/{instance}."""
    return await _retrieve(call, instance_of(call))


async def _retrieve(call: Call, selection: Selection) -> Response:
    form = instance_form(accepted(call.request), single=selection.level is Level.IMAGE)
    found = await call.doorway.retrieve.select(call.principal, selection)
    if not found:
        raise absent()
    return await instances(call, found, form)


async def instances(call: Call, found: Sequence[StoredInstance], form: InstanceForm) -> Response:
    """`found` (at least one) in the form that was asked for. 206 where some of them cannot be had so."""
    going = [stored for stored in found if form.syntax_for(stored.transfer_syntax_uid)]
    if not going:
        raise LeadglassError(ErrorCode.CANNOT_CONVERT, "What is stored cannot be had in the transfer syntax asked for.")
    tag = _tag(going, form, call.origin)
    headers = {"etag": f'"{tag}"', "cache-control": NO_CACHE, "vary": "accept, authorization", **call.location}
    if unchanged(call.request, headers["etag"]):
        return Response(None, 304, headers)
    files = await opened_files(call, going, form)
    status = 200 if len(going) == len(found) else 206
    if form.container == RELATED:
        return Streamed(call, joined(_parts(files, tag, call.origin)), status, headers, related(DICOM, tag))
    if form.container == ZIP:
        headers["content-disposition"] = 'attachment; filename="dicom.zip"'
        return Streamed(call, joined(zip_of(files)), status, headers, ZIP)
    headers["content-disposition"] = 'attachment; filename="image.dcm"'
    kind = f"{DICOM}; transfer-syntax={files.first_syntax}"
    return Streamed(call, joined(_alone(files)), status, headers, kind)


async def opened_files(call: Call, found: Sequence[StoredInstance], form: InstanceForm) -> Files:
    """`found` as files, the first one opened. What is wrong with it is raised if none can be read."""
    source = call.doorway.retrieve.source(call.principal, small_pieces=True)
    opened = source.open_all(found, lambda stored: [form.syntax_for(stored.transfer_syntax_uid) or ""])
    files = Files(opened)
    await files.open_first()
    return files


def _tag(found: Sequence[StoredInstance], form: InstanceForm, origin: str) -> str:
    """Names exactly these bytes of these instances; no content can hold it, so it is the boundary too."""
    hashed = blake3(f"{form.container} {origin}".encode())
    for stored in found:
        hashed.update(stored.digest + (form.syntax_for(stored.transfer_syntax_uid) or "").encode())
    return hashed.hexdigest(length=16)


async def _parts(files: Files, boundary: str, origin: str) -> AsyncIterator[Buffer]:
    first = True
    async for stored, outgoing in files.each():
        syntax = outgoing.transfer_syntax_uid
        kind = f"{DICOM}; transfer-syntax={syntax}"
        location = instance_url(origin, stored.identity)
        yield part_head(boundary, kind, first=first, location=location) + file_header(stored, syntax)
        first = False
        async for piece in outgoing.chunks():
            yield piece
    if files.missing:  # the others were sent: whoever reads to the end is told that it is not the end
        raise CutOffError(f"{len(files.missing)} instances cannot be read")
    yield parts_end(boundary)


async def _alone(files: Files) -> AsyncIterator[Buffer]:
    async for stored, outgoing in files.each():
        yield file_header(stored, outgoing.transfer_syntax_uid)
        async for piece in outgoing.chunks():
            yield piece
