"""One instance that is written from its metadata and bulk data (PS3.18 10.5.2), one value of which may stream."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from starlette.concurrency import run_in_threadpool

from leadglass.core.errors import ErrorCode, LeadglassError
from leadglass.dicom.model_reader import BulkReference, ReadModel
from leadglass.dicom.model_writer import Bulk, Fragments, data_set_pieces
from leadglass.dicom.pixels import PIXEL_DATA
from leadglass.dicom.sop_classes import STORAGE_SOP_CLASSES
from leadglass.dicom.uids import EXPLICIT_VR_LE
from leadglass.web.bulk_parts import BulkPart, frame_count, native_length
from leadglass.web.intake import Begin, Intake

_SOP_CLASS_UID: Final = 0x00080016
_SOP_INSTANCE_UID: Final = 0x00080018


class Stream:
    """A bulk data part that passes through while it comes. `starved` says that its pieces wait for more."""

    def __init__(self, length: int, syntax: str) -> None:
        self.length = length
        self.syntax = syntax
        self.starved = False
        self._waiting: list[bytes] = []
        self._ended = False

    def put(self, data: bytes) -> None:
        """The next bytes."""
        self._waiting.append(data)
        self.starved = False

    def end(self) -> None:
        """That was all."""
        self._ended = True
        self.starved = False

    def pieces(self) -> Iterator[bytes]:
        """What has come; an empty piece whenever more is needed first."""
        while True:
            waiting, self._waiting = self._waiting, []
            yield from waiting
            if self._waiting:
                continue
            if self._ended:
                return
            self.starved = True
            yield b""


@dataclass(slots=True)
class Kept:
    """Parts with one location that wait in memory: several for the frames of compressed pixel data."""

    syntax: str
    parts: list[bytes] = field(default_factory=list)


class ModelIntake(Intake):
    """One instance that is written from its model."""

    def __init__(self, begin: Begin, study_uid: str, model: ReadModel, *, large: bool) -> None:
        super().__init__(begin, study_uid)
        self.model = model
        self.missing = {reference.uri for reference in model.references}
        self.sop_class, self.sop_instance = (_text(model, tag) for tag in (_SOP_CLASS_UID, _SOP_INSTANCE_UID))
        self._large = large
        self._pieces: Iterator[bytes] = iter(())
        self._stream: Stream | None = None

    def parts_for(self, part: BulkPart) -> int:
        """How many parts have this location: one per frame of compressed pixel data that are no video."""
        pixels = any(item.uri == part.location and item.path == f"{PIXEL_DATA:08X}" for item in self.model.references)
        return frame_count(self.model.attributes) if pixels and part.syntax and not part.video else 1

    def length_of(self, part: BulkPart) -> int | None:
        """The length of the value, if it can be known before it has come and the value may pass through."""
        users = [item for item in self.model.references if item.uri == part.location]
        if len(users) != 1 or "/" in users[0].path or self.parts_for(part) != 1:
            return None
        if part.length is not None or part.syntax or users[0].tag != PIXEL_DATA:
            return part.length
        return native_length(self.model.attributes)

    async def write(self, kept: Mapping[str, Kept], stream: tuple[str, Stream] | None = None) -> None:
        """Begin to store it, from what was kept and what streams. Errors are told by `finish`."""
        try:
            if self.sop_class and self.sop_class not in STORAGE_SOP_CLASSES:
                comment = "not an object of a storage SOP class"
                raise LeadglassError(ErrorCode.UNSUPPORTED, comment, tags=(_SOP_CLASS_UID,))
            self.start(self._syntax(kept, stream))
        except LeadglassError as error:
            self.fail(error)
            return
        self._stream = stream[1] if stream else None
        self._pieces = data_set_pieces(self.model, lambda reference: _value(reference, kept, stream))
        await self.pump()

    @property
    def failed(self) -> bool:
        """Whether what still comes of it can be dropped."""
        return self._error is not None

    async def last(self) -> None:
        """See Intake."""
        await self.pump()

    async def pump(self) -> None:
        """Write on, until the stream has to bring more."""
        try:
            while self._error is None:
                piece = await run_in_threadpool(next, self._pieces, None) if self._large else next(self._pieces, None)
                if piece is None or (self._stream is not None and self._stream.starved):
                    return
                if piece:
                    await self.give(piece)
        except LeadglassError as error:
            self.fail(error)

    def _syntax(self, kept: Mapping[str, Kept], stream: tuple[str, Stream] | None) -> str:
        """The transfer syntax of the data set: Explicit VR Little Endian unless its pixel data are compressed."""
        syntaxes = {uri: item.syntax for uri, item in kept.items()} | ({stream[0]: stream[1].syntax} if stream else {})
        for reference in self.model.references:
            if reference.path == f"{PIXEL_DATA:08X}" and syntaxes.get(reference.uri):
                return syntaxes[reference.uri]
        return EXPLICIT_VR_LE


def _text(model: ReadModel, tag: int) -> str:
    attribute = model.attributes.get(tag)
    return str(attribute.values[0]).strip(" \0") if attribute is not None and attribute.values else ""


def _value(reference: BulkReference, kept: Mapping[str, Kept], stream: tuple[str, Stream] | None) -> Bulk | Fragments:
    if stream is not None and stream[0] == reference.uri:
        bulk = Bulk(stream[1].length, stream[1].pieces())
        return Fragments([bulk]) if stream[1].syntax else bulk
    found = kept[reference.uri]
    bulks = [Bulk(len(part), [part]) for part in found.parts]
    return Fragments(bulks) if found.syntax else bulks[0]
