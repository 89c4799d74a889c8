"""Render: pictures of stored images (PS3.18 8.3.5), made in the sandbox, kept in memory for a while.

Rights are asked, and reading is journalled, before a kept picture is looked for: the cache knows pictures by the
digest of their record and by how they were wanted, and nobody by name.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Final, TypeVar

from leadglass.core.errors import ErrorCode, LeadglassError
from leadglass.core.events import EventKind
from leadglass.core.limits import MAX_CINE_FRAMES, PICTURE_CACHE_BYTES, PICTURE_FACTS_BYTES
from leadglass.core.pictures import GIF, JPEG, PNG, Owner, PictureMaker, RenderRequest, Viewport
from leadglass.core.ports import Catalog
from leadglass.core.principal import Principal, Right
from leadglass.core.query import Level, Selection
from leadglass.core.records import StoredInstance
from leadglass.dicom.frame_form import has_picture, is_video
from leadglass.dicom.frames import ReadAt
from leadglass.dicom.picture_header import PictureHeader, read_picture_header
from leadglass.dicom.picture_kinds import PictureKind, picture_kind
from leadglass.dicom.picture_order import check_request, picture_order
from leadglass.dicom.presentation import is_localiser
from leadglass.services.admit import Gate, use_case
from leadglass.services.cache import BoundedCache
from leadglass.services.icons import icon
from leadglass.services.open_records import OpenRecord, OpenRecords
from leadglass.services.read_ahead import AccessJournal
from leadglass.services.representative import representatives

ICON_SIDE: Final = 128  # pixels
THUMBNAIL: Final = RenderRequest(viewport=Viewport(ICON_SIDE, ICON_SIDE, enlarge=False))
T = TypeVar("T")
_ALL: Final = -1  # in a key: every frame of an image


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture and of which instance it is; `stored` tells the version."""

    content: bytes
    media_type: str
    stored: StoredInstance


class Render:
    """The use case behind rendered and thumbnail resources."""

    def __init__(
        self,
        gate: Gate,
        *,
        records: OpenRecords,
        catalog: Catalog,
        accesses: AccessJournal,
        maker: PictureMaker,
        threads: ThreadPoolExecutor,
        cache_bytes: int = PICTURE_CACHE_BYTES,
    ) -> None:
        """`threads` are those that wait for the sandbox, so that nobody else waits for it."""
        self.gate = gate
        self._records = records
        self._catalog = catalog
        self._accesses = accesses
        self._maker = maker
        self._threads = threads
        self._pictures: BoundedCache[bytes] = BoundedCache(cache_bytes)
        self._headers: BoundedCache[PictureHeader] = BoundedCache(PICTURE_FACTS_BYTES)

    @use_case(Right.RETRIEVE, EventKind.INSTANCES_ACCESSED)
    async def rendered(
        self, principal: Principal, selection: Selection, frames: Sequence[int], request: RenderRequest
    ) -> Picture | None:
        """The picture of the one instance that `selection` names; None if it is not there or out of reach.

        `frames` count from 1; none stands for all in a GIF and for the first otherwise. Raises LeadglassError USAGE for
        a request that makes no sense, NOT_FOUND for a frame that there is not, CANNOT_CONVERT for what has no picture
        or cannot be decoded, UNAVAILABLE if reading cannot be journalled or the sandbox is busy.
        """
        check_request(request)
        found = self._catalog.select(replace(selection, reach=principal.reach))  # a point look-up
        if not found:
            return None
        if any(frame < 1 for frame in frames):
            raise LeadglassError(ErrorCode.NOT_FOUND, "Frames count from 1.")
        await self._journalled(principal, found[0])
        numbers = tuple(frame - 1 for frame in frames) or ((_ALL,) if request.media_type == GIF else (0,))
        return await self._picture(principal, found[0], numbers, request)

    @use_case(Right.RETRIEVE, EventKind.INSTANCES_ACCESSED)
    async def thumbnail(
        self, principal: Principal, selection: Selection, frame: int | None = None, request: RenderRequest = THUMBNAIL
    ) -> Picture | None:
        """A small picture of a study, series or instance; None if nothing is there or within reach.

        Of a series the middle image, of a study that of its largest series of images that is no localiser, of a
        multi-frame image the frame in the middle unless `frame` (from 1) is named. What has no picture, or one that
        cannot be decoded, gets an icon, JPEG or PNG. Otherwise raises as `rendered` does.
        """
        check_request(request)
        narrowed = replace(selection, reach=principal.reach)
        if selection.level is Level.IMAGE:
            found = self._catalog.select(narrowed)[:1]  # a point look-up
        else:
            found = representatives(await self._in_thread(lambda: self._catalog.select(narrowed)))
        if not found:
            return None
        for stored in found:
            await self._journalled(principal, stored)
        stored, count = await self._in_thread(lambda: self._best(found))
        if not count:
            return _icon(stored, request)
        number = (count - 1) // 2 if frame is None else frame - 1
        if number < 0:
            raise LeadglassError(ErrorCode.NOT_FOUND, "Frames count from 1.")
        try:
            return await self._picture(principal, stored, (number,), request)
        except LeadglassError as error:
            if error.code is not ErrorCode.CANNOT_CONVERT:
                raise
            return _icon(stored, request)

    async def _journalled(self, principal: Principal, stored: StoredInstance) -> None:
        who = (principal.name, principal.address, stored.identity.study_uid)
        if not self._accesses.is_open(*who):
            await self._in_thread(lambda: self._accesses.begin(*who))
        self._accesses.note(*who, 1)

    async def _picture(
        self, principal: Principal, stored: StoredInstance, numbers: tuple[int, ...], request: RenderRequest
    ) -> Picture:
        key = (stored.digest, stored.transfer_syntax_uid, numbers, request)
        content = self._pictures.get(key)
        if content is None:
            content = await self._in_thread(lambda: self._made(principal, stored, numbers, request))
            self._pictures.put(key, content, len(content))
        return Picture(content, request.media_type, stored)

    def _made(
        self, principal: Principal, stored: StoredInstance, numbers: tuple[int, ...], request: RenderRequest
    ) -> bytes:
        owner = Owner.of(principal, stored.identity.study_uid)
        record = self._records.borrow(stored)
        try:
            header = self._header(record)
            if not header.layout.pixel_tag:
                raise LeadglassError(ErrorCode.CANNOT_CONVERT, "The instance has no pixels, so there is no picture.")
            if numbers == (_ALL,):
                numbers = tuple(range(min(header.layout.number_of_frames, MAX_CINE_FRAMES + 1)))
            assumed = record.reader.trailer.assumed_character_set
            order = picture_order(header, record.read(), numbers, request, assumed)
            return self._maker.picture(owner, order, _frames(record, numbers))
        finally:
            self._records.give_back(record)

    def _best(self, found: Sequence[StoredInstance]) -> tuple[StoredInstance, int]:
        """The first with a picture that is no localiser, else the first with a picture, else the first; and how many
        frames it has, 0 if it has no picture."""
        localiser: tuple[StoredInstance, int] | None = None
        for stored in found:
            record = self._records.borrow(stored)
            try:
                header = self._header(record)
            finally:
                self._records.give_back(record)
            if has_picture(header.layout):
                if not is_localiser(header):
                    return stored, max(header.layout.number_of_frames, 1)
                localiser = localiser or (stored, max(header.layout.number_of_frames, 1))
        return localiser or (found[0], 0)

    def _header(self, record: OpenRecord) -> PictureHeader:
        key = (record.stored.digest, record.stored.transfer_syntax_uid)
        header = self._headers.get(key)
        if header is None:
            length = None if record.layout.deflated else record.reader.data_set_length
            header = read_picture_header(record.reader.read, record.stored.transfer_syntax_uid, length)
            self._headers.put(key, header, header.size)
        return header

    async def _in_thread(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._threads, work)


def _icon(stored: StoredInstance, request: RenderRequest) -> Picture:
    """What stands for an instance without a picture."""
    film = is_video(stored.transfer_syntax_uid)
    kind = PictureKind.FILM if film else picture_kind(stored.identity.sop_class_uid)
    side = min(request.viewport.width, request.viewport.height) if request.viewport else ICON_SIDE
    png = request.media_type == PNG
    return Picture(icon(kind, side, png=png), PNG if png else JPEG, stored)


def _frames(record: OpenRecord, numbers: Sequence[int]) -> Iterable[bytes]:
    """The bytes of frames; a single one is read at once, so that its errors come before a worker is taken."""
    if len(numbers) == 1:
        return [_frame(record, numbers[0], record.read())]
    read = record.read()  # one for all: a deflated data set is read forwards
    return (_frame(record, number, read) for number in numbers)


def _frame(record: OpenRecord, number: int, read: ReadAt) -> bytes:
    """Frame `number` (from 0) as it is stored, a native one little endian."""
    if record.layout.encapsulated:
        return record.located().frame(number)
    native = record.native()
    offset, length = native.place(number)
    raw = read(offset, length)
    if len(raw) != length:
        raise LeadglassError(ErrorCode.CANNOT_CONVERT, "The pixel data are cut short.")
    return native.frame(number, raw)
