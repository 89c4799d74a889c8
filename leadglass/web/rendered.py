"""Rendered resources and thumbnails (PS3.18 10.4.1.1.3, 10.4.1.1.4).

An instance or frame is one picture. Of a study, a series or several frames each is a part of a multipart/related; a
client that takes a picture only is given the one that stands for a study or series.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Final, TypeAlias

from blake3 import blake3
from starlette.responses import Response

from leadglass.core.errors import ErrorCode, LeadglassError
from leadglass.core.pictures import GIF, RenderRequest
from leadglass.core.ports import Buffer
from leadglass.core.query import Level, Selection
from leadglass.core.records import StoredInstance
from leadglass.dicom.picture_kinds import PICTURED, picture_kind
from leadglass.services.render import Picture
from leadglass.services.representative import representatives
from leadglass.web.answers import NO_CACHE, unchanged
from leadglass.web.doorway import Call
from leadglass.web.frames import frame_list
from leadglass.web.metadata import absent, instance_of
from leadglass.web.negotiation import accepted
from leadglass.web.render_request import picture_type, render_request, thumbnail_request, thumbnail_type
from leadglass.web.streams import Streamed, part_head, parts_end, related
from leadglass.web.urls import instance_url

_VARY: Final = "accept, authorization"
Placed: TypeAlias = tuple[Picture, str]  # and its URL, "" where that says too little
_NO_PICTURE: Final = "Nothing of this can be shown as a picture."


async def study(call: Call) -> Response:
    """GET /studies/{study}/rendered."""
    return await _several(call, _study_of(call))


async def series(call: Call) -> Response:
    """GET /studies/{study}/series/{series}/rendered."""
    return await _several(call, _series_of(call))


async def instance(call: Call) -> Response:
    """GET /studies/{study}/series/{series}/instances/{instance}/rendered: the first frame, or all in a GIF."""
    kind, in_parts = picture_type(accepted(call.request))
    return await one_picture(
        call, instance_of(call), (), render_request(call.request.query_params, kind), in_parts=in_parts
    )


async def frames(call: Call) -> Response:
    """GET /studies/{study}/series/{series}/instances/{instance}/frames/{list}/rendered."""
    numbers = frame_list(call.path("list"))
    kind, in_parts = picture_type(accepted(call.request), several=len(numbers) > 1)
    request = render_request(call.request.query_params, kind)
    if len(numbers) == 1 or (kind == GIF and not in_parts):
        return await one_picture(call, instance_of(call), numbers, request, in_parts=in_parts)
    if not in_parts:
        comment = "Several frames come as multipart/related, or together as image/gif."
        raise LeadglassError(ErrorCode.CANNOT_CONVERT, comment)
    wanted = [(instance_of(call), (number,)) for number in numbers]
    return await _in_parts(call, _each(call, wanted, request, skip=False), request)


async def study_thumbnail(call: Call) -> Response:
    """GET /studies/{study}/thumbnail."""
    return await _thumbnail(call, _study_of(call))


async def series_thumbnail(call: Call) -> Response:
    """GET /studies/{study}/series/{series}/thumbnail."""
    return await _thumbnail(call, _series_of(call))


async def instance_thumbnail(call: Call) -> Response:
    """GET /studies/{study}/series/{series}/instances/{instance}/thumbnail."""
    return await _thumbnail(call, instance_of(call))


async def frame_thumbnail(call: Call) -> Response:
    """GET /studies/{study}/series/{series}/instances/{instance}/frames/{list}/thumbnail: of the first one named."""
    return await _thumbnail(call, instance_of(call), frame_list(call.path("list"))[0])


def _study_of(call: Call) -> Selection:
    return Selection(Level.STUDY, study_uids=(call.path("study"),))


def _series_of(call: Call) -> Selection:
    return Selection(Level.SERIES, study_uids=(call.path("study"),), series_uids=(call.path("series"),))


def _selection_of(stored: StoredInstance) -> Selection:
    identity = stored.identity
    return Selection(
        Level.IMAGE,
        study_uids=(identity.study_uid,),
        series_uids=(identity.series_uid,),
        sop_instance_uids=(identity.sop_instance_uid,),
    )


async def _thumbnail(call: Call, selection: Selection, frame: int | None = None) -> Response:
    kind = thumbnail_type(accepted(call.request))
    request = thumbnail_request(call.request.query_params, kind)
    picture = await call.doorway.render.thumbnail(call.principal, selection, frame, request)
    if picture is None:
        raise absent()
    return _answer(call, picture)


async def one_picture(
    call: Call, selection: Selection, numbers: Sequence[int], request: RenderRequest, *, in_parts: bool = False
) -> Response:
    """The picture of one instance; `numbers` are its frames, none for the first, or for all in a GIF."""
    picture = await call.doorway.render.rendered(call.principal, selection, numbers, request)
    if picture is None:
        raise absent()
    return _answer(call, picture, in_parts=in_parts)


async def _several(call: Call, selection: Selection) -> Response:
    kind, in_parts = picture_type(accepted(call.request), several=True)
    request = render_request(call.request.query_params, kind)
    found = await call.doorway.retrieve.select(call.principal, selection)
    if not found:
        raise absent()
    if not in_parts:
        return await one_picture(call, _selection_of(representatives(found)[0]), (), request)
    pictured = [stored for stored in found if picture_kind(stored.identity.sop_class_uid) in PICTURED]
    wanted = [(_selection_of(stored), ()) for stored in pictured]
    return await _in_parts(call, _each(call, wanted, request, skip=True), request)


async def _each(
    call: Call, wanted: Sequence[tuple[Selection, Sequence[int]]], request: RenderRequest, *, skip: bool
) -> AsyncIterator[Placed]:
    """The pictures of instances and frames, in order, each with its URL; with `skip` without what cannot be shown."""
    for selection, numbers in wanted:
        try:
            picture = await call.doorway.render.rendered(call.principal, selection, numbers, request)
        except LeadglassError as error:
            if not skip or error.code is not ErrorCode.CANNOT_CONVERT:
                raise
            continue
        if picture is not None:
            yield picture, _url(call, picture, numbers)


async def _in_parts(call: Call, pictures: AsyncIterator[Placed], request: RenderRequest) -> Response:
    """Pictures as they are made. The first one is made before anything is answered."""
    first = await anext(pictures, None)
    if first is None:
        raise LeadglassError(ErrorCode.CANNOT_CONVERT, _NO_PICTURE)
    boundary = blake3(first[0].content + call.request.url.path.encode()).hexdigest(length=16)
    headers = {"cache-control": NO_CACHE, "vary": _VARY, **_location(call)}
    return Streamed(call, _parts(first, pictures, boundary), 200, headers, related(request.media_type, boundary))


async def _parts(first: Placed, rest: AsyncIterator[Placed], boundary: str) -> AsyncIterator[Buffer]:
    picture, location = first
    yield part_head(boundary, picture.media_type, first=True, location=location)
    yield picture.content
    async for picture, location in rest:
        yield part_head(boundary, picture.media_type, first=False, location=location)
        yield picture.content
    yield parts_end(boundary)


def _as_usual(call: Call) -> bool:
    """Whether nothing is said of how the picture is wanted: only then its URL alone names it."""
    return set(call.request.query_params) <= {"accept"}


def _location(call: Call) -> Mapping[str, str]:
    return call.location if _as_usual(call) else {}


def _url(call: Call, picture: Picture, numbers: Sequence[int]) -> str:
    frame = f"/frames/{numbers[0]}" if numbers else ""
    return f"{instance_url(call.origin, picture.stored.identity)}{frame}/rendered" if _as_usual(call) else ""


def _answer(call: Call, picture: Picture, *, in_parts: bool = False) -> Response:
    tag = blake3(picture.content).hexdigest(length=16)
    headers = {"etag": f'"{tag}"', "cache-control": NO_CACHE, "vary": _VARY, **_location(call)}
    if unchanged(call.request, headers["etag"]):
        return Response(None, 304, headers)
    if not in_parts:
        return Response(picture.content, 200, headers, picture.media_type)
    location = _location(call).get("content-location", "")
    body = part_head(tag, picture.media_type, first=True, location=location) + picture.content + parts_end(tag)
    return Response(body, 200, headers, related(picture.media_type, tag))
