"""Bulk data: single values of an instance, as its metadata name them (PS3.18 10.4.1.1.5).

The URL carries the version of the instance, so what it gives may be kept for good. Nothing of it is shown by a browser:
a value may be a page, a drawing or a document with a script in it.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Sequence
from typing import Final

from blake3 import blake3
from starlette.responses import Response

from leadglass.core.errors import ErrorCode, LeadglassError
from leadglass.core.ports import Buffer
from leadglass.dicom.bulk import BulkPlace
from leadglass.dicom.media_types import OCTET_STREAM, media_type_of
from leadglass.dicom.scan_encoding import to_little_endian
from leadglass.services.frames import InstanceContent, Span
from leadglass.services.metadata import version_of
from leadglass.web.answers import unchanged
from leadglass.web.doorway import Call
from leadglass.web.frames import IMMUTABLE, content_of, frames_answer
from leadglass.web.metadata import absent
from leadglass.web.negotiation import MediaRange, accepted
from leadglass.web.problem import problem
from leadglass.web.ranges import UnsatisfiableError, asked_range
from leadglass.web.representations import RELATED, frame_form
from leadglass.web.streams import Streamed, begun, part_head, parts_end, related

_DOCUMENT: Final = "00420011"  # Encapsulated Document
_DOCUMENT_TYPE: Final = "00420012"  # MIME Type of Encapsulated Document
_MEDIA_TYPE: Final = re.compile(r"[a-z]{1,32}/[a-z0-9][a-z0-9.+-]{0,62}", re.ASCII)
_MAX_TURNED: Final = 64 * 1024 * 1024  # bytes of a big endian value, which are turned round in memory
# A value is data, whatever it claims to be: a browser saves it, and would run nothing of it.
_NEVER_SHOWN: Final = {
    "content-disposition": 'attachment; filename="bulkdata.bin"',
    "content-security-policy": "sandbox",
}


async def bulkdata(call: Call) -> Response:
    """GET /studies/{study}/series/{series}/instances/{instance}/bulkdata/{version}/{path}."""
    content = await content_of(call)
    if call.path("version") != version_of(content.stored):
        raise absent()
    path, ranges = call.path("path"), accepted(call.request)
    try:
        if path == f"{(await content.layout()).pixel_tag:08X}" and (await content.layout()).encapsulated:
            return await _pixels(call, content, ranges)
        place = await content.place(path)
        kind, multipart = _form(ranges, await _own_type(content, path))
        return await _value(call, content, place, kind, multipart)
    except BaseException:
        content.close()
        raise


async def _pixels(call: Call, content: InstanceContent, ranges: Sequence[MediaRange]) -> Response:
    """Compressed pixel data: a part for each frame, in the forms that frames have."""
    count = await content.frame_count()
    stored = content.stored.transfer_syntax_uid
    form = frame_form(ranges, stored, single=count == 1)
    if not form.multipart and not form.native and media_type_of(stored).startswith("video/"):
        place = await content.place(call.path("path"))  # a player asks for ranges
        return await _value(call, content, place, form.content_type, multipart=False)
    return await frames_answer(call, content, range(1, count + 1), form, IMMUTABLE)


async def _own_type(content: InstanceContent, path: str) -> str:
    """The type that an encapsulated document says it has; empty for other values."""
    if path != _DOCUMENT:
        return ""
    try:
        place = await content.place(_DOCUMENT_TYPE)
    except LeadglassError:
        return ""
    if place.length > 128:
        return ""
    raw = b"".join([piece async for piece in content.value(await content.spans(place))])
    text = raw.decode("ascii", "replace").strip(" \0").lower()
    return text if _MEDIA_TYPE.fullmatch(text) else ""


def _form(ranges: Sequence[MediaRange], own: str) -> tuple[str, bool]:
    """Media type and whether it is a part of a multipart/related. CANNOT_CONVERT if none is offered."""
    for item in ranges:
        multipart = item.kind in (RELATED, "multipart/*")
        kind = (item.part or "*/*") if multipart else item.kind
        if own and kind == own:
            return own, multipart
        if kind in (OCTET_STREAM, "application/*", "*/*"):
            return OCTET_STREAM, multipart
    raise LeadglassError(ErrorCode.CANNOT_CONVERT, f"Offered here: {', '.join(filter(None, [OCTET_STREAM, own]))}.")


async def _value(call: Call, content: InstanceContent, place: BulkPlace, kind: str, multipart: bool) -> Response:
    named = f"{call.origin} {call.path('path')} {kind} {multipart}"
    tag = blake3(content.stored.digest + named.encode()).hexdigest(length=16)
    etag = f'"{tag}"'
    headers = {"etag": etag, "cache-control": IMMUTABLE, "vary": "accept, authorization"}
    headers |= {**_NEVER_SHOWN, **call.location}
    if unchanged(call.request, etag):
        content.close()
        return Response(None, 304, headers)
    if not place.little and place.length > _MAX_TURNED:
        raise LeadglassError(ErrorCode.CANNOT_CONVERT, "A big endian value is too large to be turned round.")
    spans = await content.spans(place)
    length = sum(size for _, size in spans)
    if multipart:
        own = call.location.get("content-location", "")
        part = _in_part(_bytes_of(content, place, spans), part_head(tag, kind, first=True, location=own), tag)
        return Streamed(call, await begun(_closing(content, part)), 200, headers, related(kind, tag))
    headers["accept-ranges"] = "bytes"
    try:
        asked = asked_range(call.request, length, etag)
    except UnsatisfiableError:
        content.close()
        return problem(416, "The range lies behind the end.", {"content-range": f"bytes */{length}"})
    if asked is not None:
        first, behind = asked
        headers["content-range"] = f"bytes {first}-{behind - 1}/{length}"
    else:
        first, behind = 0, length
    headers["content-length"] = str(behind - first)
    pieces = _bytes_of(content, place, spans, first, behind)
    made = await begun(_closing(content, pieces))
    return Streamed(call, made, 200 if asked is None else 206, headers, kind)


def _bytes_of(
    content: InstanceContent, place: BulkPlace, spans: Sequence[Span], first: int = 0, behind: int | None = None
) -> AsyncIterator[Buffer]:
    """Bytes [first, behind) of a value, its numbers little endian (PS3.18 8.7.3.3.1)."""
    length = sum(size for _, size in spans)
    behind = length if behind is None else behind
    if not place.little and not place.encapsulated:
        return _turned(content, place, first, behind)
    return content.value(_cut(spans, first, behind))


async def _turned(content: InstanceContent, place: BulkPlace, first: int, behind: int) -> AsyncIterator[Buffer]:
    raw = b"".join([piece async for piece in content.value([(place.offset, place.length)])])
    turned = to_little_endian(place.vr, raw)
    yield (turned + raw[len(turned) :])[first:behind]


def _cut(spans: Sequence[Span], first: int, behind: int) -> list[Span]:
    """The parts of `spans` that hold bytes [first, behind) of them together."""
    found: list[Span] = []
    at = 0
    for offset, length in spans:
        start, stop = max(first - at, 0), min(behind - at, length)
        if start < stop:
            found.append((offset + start, stop - start))
        at += length
    return found


async def _in_part(pieces: AsyncIterator[Buffer], head: bytes, boundary: str) -> AsyncIterator[Buffer]:
    first = True
    async for piece in pieces:
        if first:
            yield head
            first = False
        yield piece
    if first:  # a value of no bytes
        yield head
    yield parts_end(boundary)


async def _closing(content: InstanceContent, pieces: AsyncIterator[Buffer]) -> AsyncIterator[Buffer]:
    try:
        async for piece in pieces:
            yield piece
    finally:
        content.close()
