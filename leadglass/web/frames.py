"""Frames of an instance (PS3.18 10.4.1.1.6)."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Final

from blake3 import blake3
from starlette.responses import Response

from leadglass.core.errors import ErrorCode, LeadglassError
from leadglass.core.ports import Buffer
from leadglass.services.frames import InstanceContent
from leadglass.services.metadata import version_of
from leadglass.web.answers import NO_CACHE, unchanged
from leadglass.web.doorway import Call
from leadglass.web.metadata import absent, instance_of
from leadglass.web.negotiation import accepted
from leadglass.web.representations import FrameForm, frame_form
from leadglass.web.streams import Pieces, Streamed, begun, part_head, parts_end, related
from leadglass.web.urls import instance_url

MAX_LISTED: Final = 4096  # frames named in one request: as many as a URL of usual length has room for
IMMUTABLE: Final = "private, max-age=31536000, immutable"  # RFC 8246; only where the URL carries the version
_VARY: Final = "accept, authorization"


async def frames(call: Call) -> Response:
    """GET /studies/{study}/series/{series}/instances/{instance}/frames/{list}."""
    numbers = frame_list(call.path("list"))
    content = await content_of(call)
    form = frame_form(accepted(call.request), content.stored.transfer_syntax_uid, single=len(numbers) == 1)
    return await frames_answer(call, content, numbers, form, cache_of(call, content))


async def content_of(call: Call) -> InstanceContent:
    """The content of the instance that the path names. NOT_FOUND if it is not there or out of reach."""
    content = await call.doorway.frames.instance(call.principal, instance_of(call))
    if content is None:
        raise absent()
    return content


def cache_of(call: Call, content: InstanceContent) -> str:
    """How long an answer may be kept: for good if the URL names the version (?v=), which must be the served one."""
    asked = call.request.query_params.get("v")
    if asked is None:
        return NO_CACHE
    if asked != version_of(content.stored):
        raise absent()
    return IMMUTABLE


def frame_list(text: str) -> list[int]:
    """The frame numbers of a URL. USAGE (400) unless they are positive, each named once, and not too many."""
    items = text.split(",", MAX_LISTED)
    if len(items) > MAX_LISTED:
        raise _bad(f"At most {MAX_LISTED} frames can be asked for at once.")
    if not all(item.isascii() and item.isdigit() and len(item) <= 10 and int(item) for item in items):
        raise _bad("Frames are named by numbers from 1, separated by commas.")
    numbers = [int(item) for item in items]
    if len(set(numbers)) != len(numbers):
        raise _bad("A frame is named twice.")
    return numbers


async def frames_answer(
    call: Call, content: InstanceContent, numbers: Sequence[int], form: FrameForm, cache: str
) -> Response:
    """Frames in the form that was asked for; the first one is read before anything is answered."""
    tag = _tag(call.origin, content, numbers, form)
    headers = {"etag": f'"{tag}"', "cache-control": cache, "vary": _VARY, **call.location}
    if unchanged(call.request, headers["etag"]):
        return Response(None, 304, headers)
    try:
        if len(numbers) == 1:
            pieces = await content.frame(numbers[0], native=form.native, target=form.target)
            if form.multipart:
                pieces = [_head(call, content, numbers[0], form, tag), *pieces, parts_end(tag)]
            content.close()
            return Pieces(pieces, 200, headers, related(form.media_type, tag) if form.multipart else form.content_type)
        parts = await begun(_parts(call, content, numbers, form, tag))
    except BaseException:
        content.close()
        raise
    return Streamed(call, parts, 200, headers, related(form.media_type, tag))


async def _parts(
    call: Call, content: InstanceContent, numbers: Sequence[int], form: FrameForm, boundary: str
) -> AsyncIterator[Buffer]:
    current = 0
    try:
        async for number, pieces in content.frames(numbers, native=form.native, target=form.target):
            if number != current:
                yield _head(call, content, number, form, boundary, first=not current)
                current = number
            for piece in pieces:
                yield piece
        yield parts_end(boundary)
    finally:
        content.close()


def _head(
    call: Call, content: InstanceContent, number: int, form: FrameForm, boundary: str, *, first: bool = True
) -> bytes:
    location = f"{instance_url(call.origin, content.stored.identity)}/frames/{number}"
    return part_head(boundary, form.content_type, first=first, location=location)


def _tag(origin: str, content: InstanceContent, numbers: Sequence[int], form: FrameForm) -> str:
    """Names these frames in this form; no content can hold it, so it is the boundary too."""
    asked = f"{origin} {form.multipart} {form.content_type} {numbers if len(numbers) < MAX_LISTED else len(numbers)}"
    return blake3(content.stored.digest + asked.encode()).hexdigest(length=16)


def _bad(comment: str) -> LeadglassError:
    return LeadglassError(ErrorCode.USAGE, comment)
