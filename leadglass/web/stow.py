"""STOW-RS, the Store Transaction (PS3.18 10.5): instances go to services.ingest as they arrive.

Strategy: the body is read once, in order. Each part is an instance that streams into a reception; when it is whole it
joins a window of those being made durable, and the next part is read meanwhile. Nothing is buffered but what a
reception holds, and metadata with the bulk data that must wait (model_store). Once an instance was read, whatever
happens to the rest of the body is told in the response.
"""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from typing import Final

from starlette.responses import Response

from leadglass.core.errors import ErrorCode, LeadglassError
from leadglass.web.answers import DICOM_JSON, DICOM_XML
from leadglass.web.body import body_pieces, refuse_coding
from leadglass.web.doorway import Call
from leadglass.web.intake import FileIntake, Sink, Window
from leadglass.web.model_store import Models
from leadglass.web.multipart import MultipartReader, PartBegin, PartData
from leadglass.web.negotiation import MediaRange, accepted, first_offered, media_type
from leadglass.web.store_response import OFFERS, Failed, Outcome, Stored, store_response

DICOM: Final = "application/dicom"
_TAKEN: Final = "application/dicom, or multipart/related of application/dicom, application/dicom+json or +xml"
_METADATA: Final = frozenset({DICOM_JSON, "application/json", DICOM_XML})
_ROOTS: Final = _METADATA | {DICOM, ""}


async def store(call: Call) -> Response:
    """POST /studies and /studies/{study}."""
    request = call.request
    _, offer = first_offered(accepted(request), OFFERS)
    kind = media_type(request.headers.get("content-type", ""))
    refuse_coding(request)
    if kind.kind not in (DICOM, "multipart/related") or kind.part not in _ROOTS:
        raise LeadglassError(ErrorCode.UNSUPPORTED, f"Taken here: {_TAKEN}.")
    parts = Parts(call)
    pieces = body_pieces(request, call.doorway.uploads.body, call.still_valid, call.received)
    try:
        ended = await _read(parts, pieces, kind)
        outcomes = await parts.outcomes(ended)
    finally:
        parts.close()
    if not outcomes:
        raise ended or LeadglassError(ErrorCode.USAGE, "The request holds no instance.")
    _note_failures(call, outcomes)
    return store_response(outcomes, offer, call.origin)


async def _read(parts: Parts, pieces: AsyncIterator[bytes], kind: MediaRange) -> LeadglassError | None:
    """Read the body; why it ended before its end."""
    try:
        await (parts.read_one(pieces) if kind.kind == DICOM else parts.read_all(pieces, kind))
    except LeadglassError as error:
        return error
    return None


class Parts:
    """The parts of one request."""

    def __init__(self, call: Call) -> None:
        uploads = call.doorway.uploads
        self._begin = functools.partial(call.doorway.ingest.begin, call.principal)
        self._study_uid = str(call.request.path_params.get("study", ""))
        self._largest = uploads.instance
        self._window = Window()
        self._models = Models(self._begin, self._study_uid, uploads.memory)
        self._sink: Sink | None = None
        self._length = 0

    async def read_one(self, pieces: AsyncIterator[bytes]) -> None:
        """A body that is one file."""
        self._sink = FileIntake(self._begin, self._study_uid)
        async for piece in pieces:
            await self._content(memoryview(piece))
        if self._length:
            await self._end()

    async def read_all(self, pieces: AsyncIterator[bytes], kind: MediaRange) -> None:
        """A multipart body. Raises LeadglassError when it cannot be followed any further."""
        reader = MultipartReader(kind.parameters.get("boundary", ""))
        async for piece in pieces:
            for event in reader.feed(piece):
                if isinstance(event, PartData):
                    await self._content(event.data)
                elif isinstance(event, PartBegin):
                    self._sink = await self._part(event.headers, kind.part or DICOM)
                    self._length = 0
                else:
                    await self._end()
        reader.finish()

    async def outcomes(self, ended: LeadglassError | None) -> list[Outcome]:
        """What became of the instances; empty if the body ended, for `ended`, before one was read."""
        why = ended or LeadglassError(ErrorCode.UNPARSABLE, "Bulk data that the metadata name did not come.")
        broken: list[Outcome] = [*self._models.unfinished(why)]
        if ended is not None and self._sink is not None:
            broken += self._sink.broken(ended)
            self._sink.abort()
        found = await self._window.outcomes()
        if ended is None:
            return found + broken
        return found and found + (broken or [Failed("", "", ended)])

    def close(self) -> None:
        """Forget what is not whole: no more of the body comes."""
        if self._sink is not None:
            self._sink.abort()
        self._models.close()

    async def _part(self, headers: Mapping[str, str], root: str) -> Sink:
        kind = headers.get("content-type", root).partition(";")[0].strip().lower() or root
        if DICOM in (root, kind):
            return FileIntake(self._begin, self._study_uid)
        if kind in _METADATA:
            return self._models.document(xml=kind == DICOM_XML)
        return await self._models.bulk(headers)

    async def _content(self, data: memoryview) -> None:
        self._length += len(data)
        if self._sink is not None:
            await self._sink.feed(data)
        if self._length > self._largest:
            raise LeadglassError(ErrorCode.TOO_LARGE, "An instance is larger than this archive takes.")

    async def _end(self) -> None:
        sink, self._sink = self._sink, None
        if sink is not None:
            await sink.end(self._window)


def _note_failures(call: Call, outcomes: list[Outcome]) -> None:
    """One line in the journal for each reason."""
    failed = [item.error for item in outcomes if not isinstance(item, Stored)]
    first = {(error.code, error.comment): error for error in reversed(failed)}
    for reason, count in Counter((error.code, error.comment) for error in failed).items():
        call.doorway.ingest.note_failed(call.principal, first[reason], count)
