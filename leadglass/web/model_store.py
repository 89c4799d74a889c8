"""Instances that come as metadata and bulk data (PS3.18 10.5.2): metadata first, then parts by Content-Location.

A part streams into the archive when it is the last that its instance waits for and its length is known before. Others
wait in memory, which all requests of a process share: a bounded spool that never touches a disk.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from starlette.concurrency import run_in_threadpool

from leadglass.core.errors import ErrorCode, LeadglassError
from leadglass.core.limits import MAX_MODEL_DOCUMENT, MAX_PARTS, MIB
from leadglass.dicom.json_reader import read_json
from leadglass.dicom.model_reader import ReadModel
from leadglass.dicom.pixels import PIXEL_DATA
from leadglass.dicom.transfer_syntaxes import lookup
from leadglass.dicom.xml_reader import read_xml
from leadglass.services.budget import BufferBudget
from leadglass.web.bulk_parts import BulkPart, bulk_part
from leadglass.web.intake import Begin, Sink, Window
from leadglass.web.model_intake import Kept, ModelIntake, Stream
from leadglass.web.store_response import Failed

_LARGE: Final = MIB  # a longer document is read, and its instances are written, in a thread
_WEIGHT: Final = 4  # bytes in memory for each of a document


class Models:
    """The instances of one request that came as metadata, and what they wait for."""

    def __init__(self, begin: Begin, study_uid: str, memory: BufferBudget) -> None:
        self._begin = begin
        self._study_uid = study_uid
        self._memory = memory
        self._taken = 0
        self._users: dict[str, list[ModelIntake]] = {}  # who needs the part of a location, come or not
        self._kept: dict[str, Kept] = {}

    def document(self, *, xml: bool) -> Sink:
        """Metadata begin."""
        return _DocumentSink(self, xml=xml)

    async def bulk(self, headers: Mapping[str, str]) -> Sink:
        """A bulk data part begins."""
        try:
            part = bulk_part(headers)
        except LeadglassError as error:
            return _PartSink(self, BulkPart(headers.get("content-location", ""), "", None), error)
        users = self._users.get(part.location, [])
        if users and not part.syntax:
            part = replace(part, syntax=_said(part, users[0].model))
        if len(users) == 1 and users[0].missing == {part.location} and part.location not in self._kept:
            length = users[0].length_of(part)
            if length is not None:
                stream = Stream(length, part.syntax)
                await users[0].write(self._kept, (part.location, stream))
                return _StreamSink(self, users[0], stream)
        return _PartSink(self, part)

    async def read(self, document: bytes, window: Window, *, xml: bool) -> None:
        """Metadata are whole: the instances that wait for nothing are stored."""
        large = len(document) > _LARGE
        try:
            found = await _read(document, xml=xml, large=large)
            if len(found) > MAX_PARTS:
                raise LeadglassError(ErrorCode.UNPARSABLE, "The metadata are of too many instances.")
        except LeadglassError as error:
            window.note(Failed("", "", error))
            return
        for model in found:
            intake = ModelIntake(self._begin, self._study_uid, model, large=large)
            for uri in intake.missing:
                self._users.setdefault(uri, []).append(intake)
            if not intake.missing:
                await self._store(intake, window)

    async def keep(self, part: BulkPart, content: bytes, window: Window) -> None:
        """A part is whole and waits; the instances that waited for it alone are stored."""
        users = self._users.get(part.location)
        if not users:
            self.give_back(len(content))
            return
        kept = self._kept.setdefault(part.location, Kept(part.syntax))
        kept.parts.append(content)
        for intake in list(users):
            if len(kept.parts) >= intake.parts_for(part):
                intake.missing.discard(part.location)
                if not intake.missing:
                    await self._store(intake, window)

    async def _store(self, intake: ModelIntake, window: Window) -> None:
        """An instance whose parts are all there."""
        await intake.write(self._kept)
        self.settled(intake)
        await window.add(intake.finish(), intake.size)

    def settled(self, intake: ModelIntake) -> None:
        """An instance that waits for nothing more: what only it needed is let go."""
        for uri in {reference.uri for reference in intake.model.references}:
            users = self._users.get(uri, [])
            if intake in users:
                users.remove(intake)
            if not users:
                self._users.pop(uri, None)
                kept = self._kept.pop(uri, None)
                self.give_back(sum(map(len, kept.parts)) if kept else 0)

    def refuse(self, location: str, error: LeadglassError, window: Window) -> None:
        """A part cannot be taken, nor the instances that need it."""
        for intake in list(self._users.get(location, ())):
            self.settled(intake)
            window.note(Failed(intake.sop_class, intake.sop_instance, error))

    def unfinished(self, error: LeadglassError) -> list[Failed]:
        """The instances that still wait at the end of the body."""
        waiting = dict.fromkeys(intake for users in self._users.values() for intake in users)
        return [Failed(intake.sop_class, intake.sop_instance, error) for intake in waiting]

    def take(self, size: int) -> None:
        """Count `size` more bytes. OUT_OF_RESOURCES if there is no room."""
        if self._memory.exhausted:
            raise LeadglassError(ErrorCode.OUT_OF_RESOURCES, "The archive's receive buffers are full.")
        self._taken += size
        self._memory.take(size)

    def give_back(self, size: int) -> None:
        """Count `size` bytes less."""
        self._taken -= size
        self._memory.give_back(size)

    def close(self) -> None:
        """Let go of everything."""
        self._kept.clear()
        self._users.clear()
        self.give_back(self._taken)


def _said(part: BulkPart, model: ReadModel) -> str:
    """The compressed syntax that the metadata give for pixel data whose part says nothing of it."""
    known = lookup(model.transfer_syntax_uid)
    pixels = any(item.uri == part.location and item.tag == PIXEL_DATA for item in model.references)
    return known.uid if pixels and known is not None and known.encapsulated else ""


async def _read(document: bytes, *, xml: bool, large: bool) -> list[ReadModel]:
    def read() -> list[ReadModel]:
        return [read_xml(document)] if xml else read_json(document)

    return await run_in_threadpool(read) if large else read()


class _DocumentSink:
    """A part that is metadata."""

    def __init__(self, models: Models, *, xml: bool) -> None:
        self._models = models
        self._xml = xml
        self._document = bytearray()
        self._error: LeadglassError | None = None

    async def feed(self, data: memoryview) -> None:
        """See Sink."""
        try:
            if self._error is None:
                self._models.take(len(data) * _WEIGHT)  # what is read of it stays as long as the request
                self._document += data
                if len(self._document) > MAX_MODEL_DOCUMENT:
                    raise LeadglassError(ErrorCode.UNPARSABLE, "The metadata are longer than their limit.")
        except LeadglassError as error:
            self._error = error
            self._document.clear()

    async def end(self, window: Window) -> None:
        """See Sink."""
        if self._error is not None:
            window.note(Failed("", "", self._error))
            return
        document, self._document = bytes(self._document), bytearray()
        await self._models.read(document, window, xml=self._xml)

    def broken(self, error: LeadglassError) -> list[Failed]:
        """See Sink."""
        return [Failed("", "", error)]

    def abort(self) -> None:
        """See Sink."""


class _PartSink:
    """A bulk data part that waits in memory."""

    def __init__(self, models: Models, part: BulkPart, error: LeadglassError | None = None) -> None:
        self._models = models
        self._part = part
        self._content = bytearray()
        self._error = error

    async def feed(self, data: memoryview) -> None:
        """See Sink."""
        if self._error is None:
            try:
                self._models.take(len(data))
                self._content += data
            except LeadglassError as error:
                self._error = error
                self._models.give_back(len(self._content))
                self._content.clear()

    async def end(self, window: Window) -> None:
        """See Sink."""
        if self._error is not None:
            self._models.refuse(self._part.location, self._error, window)
        else:
            await self._models.keep(self._part, bytes(self._content), window)

    def broken(self, error: LeadglassError) -> list[Failed]:
        """See Sink: who needs it is told with all that wait."""
        return []

    def abort(self) -> None:
        """See Sink."""


class _StreamSink:
    """A bulk data part that passes through."""

    def __init__(self, models: Models, intake: ModelIntake, stream: Stream) -> None:
        self._models = models
        self._intake = intake
        self._stream = stream

    async def feed(self, data: memoryview) -> None:
        """See Sink."""
        if not self._intake.failed:
            self._stream.put(bytes(data))
            await self._intake.pump()

    async def end(self, window: Window) -> None:
        """See Sink."""
        self._stream.end()
        self._models.settled(self._intake)
        await window.add(self._intake.finish(), self._intake.size)

    def broken(self, error: LeadglassError) -> list[Failed]:
        """See Sink: it is told with all that wait."""
        return []

    def abort(self) -> None:
        """See Sink."""
        self._intake.abort()
