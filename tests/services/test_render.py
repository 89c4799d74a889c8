"""Pictures leave after rights were asked and reading was journalled, whether they are made or lie in memory."""

from __future__ import annotations

import zlib
from io import BytesIO
from typing import Any

import numpy as np
import pytest
from archives import opened as opened_archive
from objects import data_set, encoded, image, store, study_uid, uid, whole_study
from pictures import InProcess, opened
from PIL import Image

from leadglass.app.archive import Archive
from leadglass.app.home import Home
from leadglass.core.errors import ErrorCode, LeadglassError
from leadglass.core.events import EventKind
from leadglass.core.pictures import GIF, JPEG, PNG, Owner, RenderRequest, Viewport
from leadglass.core.principal import SYSTEM, Principal, PrincipalKind, Right
from leadglass.core.query import Level, Selection
from leadglass.core.reach import Reach
from leadglass.dicom.uids import BASIC_TEXT_SR, DEFLATED_EXPLICIT_VR_LE, SECONDARY_CAPTURE_IMAGE
from leadglass.journal.reader import read_journal
from leadglass.services.cache import BoundedCache

READER = Principal(PrincipalKind.PROGRAM, "viewer", frozenset({Right.RETRIEVE}), "10.0.0.7")
NARROW = Principal(
    PrincipalKind.PROGRAM,
    "narrow",
    frozenset({Right.RETRIEVE}),
    "10.0.0.8",
    reach=Reach(studies=frozenset({study_uid(2)})),
)
SHOWN = RenderRequest(PNG)


@pytest.fixture
def maker(archive: Archive) -> InProcess:
    maker = InProcess()
    archive.render._maker = maker
    return maker


async def stored(archive: Archive, study: int = 1, number: int = 1, value: int = 7, **changes: Any) -> None:
    pixels = np.full((8, 8), value, np.uint8)
    pixels[0, 0] = 255
    fields = {
        "SamplesPerPixel": 1,
        "PhotometricInterpretation": "MONOCHROME2",
        "Rows": 8,
        "Columns": 8,
        "BitsAllocated": 8,
        "BitsStored": 8,
        "HighBit": 7,
        "PixelRepresentation": 0,
        "PixelData": pixels.tobytes(),
        **changes,
    }
    made = data_set(study, number, **fields)
    await store(archive, encoded(made), uid(study, number), sop_class_uid=made.SOPClassUID)


async def test_a_picture_of_an_instance(archive: Archive, maker: InProcess) -> None:
    await stored(archive)
    picture = await archive.render.rendered(READER, image(1, 1), (), SHOWN)
    assert picture is not None
    assert (picture.media_type, picture.stored.identity.sop_instance_uid) == (PNG, uid(1, 1))
    assert opened(picture.content)[3, 3] == 7
    assert maker.made == [Owner("program viewer 10.0.0.7", study_uid(1))]


async def test_the_same_again_comes_from_memory_and_another_wish_does_not(archive: Archive, maker: InProcess) -> None:
    await stored(archive)
    for _ in range(3):
        await archive.render.rendered(READER, image(1, 1), (1,), SHOWN)
    assert len(maker.made) == 1
    await archive.render.rendered(READER, image(1, 1), (1,), RenderRequest(PNG, viewport=Viewport(4, 4)))
    assert len(maker.made) == 2


async def test_a_kept_picture_is_for_those_only_who_may_see_it(archive: Archive, maker: InProcess) -> None:
    await stored(archive)
    assert await archive.render.rendered(READER, image(1, 1), (1,), SHOWN)
    assert await archive.render.rendered(NARROW, image(1, 1), (1,), SHOWN) is None
    assert await archive.render.thumbnail(NARROW, whole_study(1)) is None
    nobody = Principal(PrincipalKind.PROGRAM, "nobody", frozenset({Right.FIND}))
    with pytest.raises(LeadglassError) as refused:
        await archive.render.rendered(nobody, image(1, 1), (1,), SHOWN)
    assert refused.value.code is ErrorCode.NOT_AUTHORISED
    archive.trash.delete(SYSTEM, whole_study(1), "test")
    assert await archive.render.rendered(READER, image(1, 1), (1,), SHOWN) is None


async def test_every_reader_is_journalled_also_of_kept_pictures(home: Home) -> None:
    with opened_archive(home) as archive:
        archive.render._maker = InProcess()
        await stored(archive)
        other = Principal(PrincipalKind.PROGRAM, "other", frozenset({Right.RETRIEVE}), "10.0.0.9")
        for who in (READER, other):
            await archive.render.rendered(who, image(1, 1), (1,), SHOWN)
        entries = [entry.event for entry in read_journal(home.journal, archive.keys.journal)]
    accessed = {(event.principal, event.address) for event in entries if event.kind is EventKind.INSTANCES_ACCESSED}
    assert accessed == {("viewer", "10.0.0.7"), ("other", "10.0.0.9")}


async def test_nothing_is_shown_that_cannot_be_journalled(
    archive: Archive, maker: InProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    await stored(archive)
    await archive.render.rendered(READER, image(1, 1), (1,), SHOWN)

    def unwritable(*_: object, **__: object) -> None:
        raise LeadglassError(ErrorCode.UNAVAILABLE, "The journal cannot be written.")

    monkeypatch.setattr(archive.journal, "record", unwritable)
    other = Principal(PrincipalKind.PROGRAM, "other", frozenset({Right.RETRIEVE}))
    with pytest.raises(LeadglassError) as refused:
        await archive.render.rendered(other, image(1, 1), (1,), SHOWN)
    assert refused.value.code is ErrorCode.UNAVAILABLE


async def test_another_version_of_an_instance_has_its_own_picture(archive: Archive, maker: InProcess) -> None:
    """The cache goes by the bytes of the record, never by its UID."""
    await stored(archive, value=7)
    await stored(archive, 1, 2, value=99)
    first = await archive.render.rendered(READER, image(1, 1), (1,), SHOWN)
    second = await archive.render.rendered(READER, image(1, 2), (1,), SHOWN)
    assert first is not None
    assert second is not None
    assert (opened(first.content)[3, 3], opened(second.content)[3, 3]) == (7, 99)


@pytest.mark.parametrize(
    ("frames", "code"),
    [
        ((2,), ErrorCode.NOT_FOUND),
        ((0,), ErrorCode.NOT_FOUND),
        ((-1,), ErrorCode.NOT_FOUND),
        ((2**63,), ErrorCode.NOT_FOUND),
        ((1, 1), ErrorCode.USAGE),
    ],
)
async def test_frames_that_there_are_not(
    archive: Archive, maker: InProcess, frames: tuple[int, ...], code: ErrorCode
) -> None:
    await stored(archive)
    with pytest.raises(LeadglassError) as refused:
        await archive.render.rendered(READER, image(1, 1), frames, SHOWN)
    assert refused.value.code is code
    assert not maker.made


async def test_an_animation_has_all_frames_unless_some_are_named(archive: Archive, maker: InProcess) -> None:
    frames = np.stack([np.full((8, 8), value, np.uint8) for value in (0, 100, 200)])
    await stored(archive, NumberOfFrames=3, PixelData=frames.tobytes())
    whole = await archive.render.rendered(READER, image(1, 1), (), RenderRequest(GIF))
    part = await archive.render.rendered(READER, image(1, 1), (3, 1), RenderRequest(GIF))
    assert whole is not None
    assert part is not None
    assert Image.open(BytesIO(whole.content)).n_frames == 3  # type: ignore[attr-defined]
    assert Image.open(BytesIO(part.content)).n_frames == 2  # type: ignore[attr-defined]
    first = await archive.render.rendered(READER, image(1, 1), (), SHOWN)
    assert first is not None
    assert opened(first.content)[4, 4] == 0


async def test_deflated_objects_have_pictures(archive: Archive, maker: InProcess) -> None:
    frames = np.stack([np.full((8, 8), value, np.uint8) for value in (0, 100, 200)])
    made = data_set(
        SamplesPerPixel=1,
        PhotometricInterpretation="MONOCHROME2",
        Rows=8,
        Columns=8,
        BitsAllocated=8,
        BitsStored=8,
        HighBit=7,
        PixelRepresentation=0,
        NumberOfFrames=3,
        PixelData=frames.tobytes(),
    )
    packer = zlib.compressobj(wbits=-15)
    data = packer.compress(encoded(made)) + packer.flush()
    await store(archive, data, uid(1, 1), syntax=DEFLATED_EXPLICIT_VR_LE)
    for number, value in ((3, 200), (1, 0), (2, 100)):
        picture = await archive.render.rendered(READER, image(1, 1), (number,), SHOWN)
        assert picture is not None
        assert opened(picture.content)[4, 4] == value


async def test_what_has_no_pixels_is_refused_and_has_an_icon(archive: Archive, maker: InProcess) -> None:
    made = data_set(SOPClassUID=BASIC_TEXT_SR, Modality="SR", PixelData=None)
    await store(archive, encoded(made), uid(1, 1), sop_class_uid=BASIC_TEXT_SR)
    with pytest.raises(LeadglassError) as refused:
        await archive.render.rendered(READER, image(1, 1), (), SHOWN)
    assert refused.value.code is ErrorCode.CANNOT_CONVERT
    for media_type in (PNG, JPEG):
        wanted = RenderRequest(media_type, viewport=Viewport(50, 70))
        icon = await archive.render.thumbnail(READER, whole_study(1), None, wanted)
        assert icon is not None
        assert icon.media_type == media_type
        assert opened(icon.content).shape == (50, 50)
    assert not maker.made


async def test_an_image_without_pixel_data_of_an_image_class_is_refused_too(archive: Archive, maker: InProcess) -> None:
    await store(archive, encoded(data_set(PixelData=None)), uid(1, 1))
    with pytest.raises(LeadglassError) as refused:
        await archive.render.rendered(READER, image(1, 1), (), SHOWN)
    assert refused.value.code is ErrorCode.CANNOT_CONVERT


async def test_a_thumbnail_shows_the_middle_of_the_images_and_no_localiser(archive: Archive, maker: InProcess) -> None:
    scout = {"SeriesInstanceUID": "1.2.3.7", "ImageType": ["ORIGINAL", "PRIMARY", "LOCALIZER"]}
    for number in range(1, 6):
        await stored(archive, number=number, value=1, **scout)
    for number in range(6, 9):
        await stored(archive, number=number, value=number * 10)
    await stored(archive, number=20, value=2, SOPClassUID=SECONDARY_CAPTURE_IMAGE, SeriesInstanceUID="1.2.3.8")
    shown = await archive.render.thumbnail(READER, whole_study(1))
    assert shown is not None
    assert shown.stored.identity.sop_instance_uid == uid(1, 7)
    series = Selection(Level.SERIES, study_uids=(study_uid(1),), series_uids=("1.2.3.7",))
    only = await archive.render.thumbnail(READER, series)
    assert only is not None
    assert only.stored.identity.sop_instance_uid == uid(1, 3)


async def test_a_thumbnail_of_several_frames_is_the_middle_or_the_named_one(archive: Archive, maker: InProcess) -> None:
    frames = np.stack([np.full((8, 8), value, np.uint8) for value in (0, 100, 200)])
    await stored(archive, NumberOfFrames=3, PixelData=frames.tobytes())
    for frame, value in ((None, 100), (3, 200)):
        shown = await archive.render.thumbnail(READER, image(1, 1), frame, RenderRequest(PNG, viewport=Viewport(4, 4)))
        assert shown is not None
        assert opened(shown.content)[2, 2] == value
    for frame in (0, 4):
        with pytest.raises(LeadglassError) as refused:
            await archive.render.thumbnail(READER, image(1, 1), frame)
        assert refused.value.code is ErrorCode.NOT_FOUND


async def test_absent_is_none(archive: Archive, maker: InProcess) -> None:
    assert await archive.render.rendered(READER, image(9, 9), (), SHOWN) is None
    assert await archive.render.thumbnail(READER, whole_study(9)) is None


async def test_through_the_sandbox(archive: Archive) -> None:
    await stored(archive)
    picture = await archive.render.rendered(READER, image(1, 1), (), SHOWN)
    assert picture is not None
    assert opened(picture.content)[3, 3] == 7


def test_the_cache_is_bounded_and_forgets_what_was_used_longest_ago() -> None:
    cache: BoundedCache[str] = BoundedCache(100)
    for number in range(10):
        cache.put(number, str(number), 20)
        assert cache.get(0) == "0"
    assert [cache.get(number) for number in range(10)] == ["0", *[None] * 5, "6", "7", "8", "9"]
    assert cache.size == 100
    cache.put("large", "large", 26)
    assert cache.get("large") is None
    cache.put(0, "again", 10)
    assert (cache.get(0), cache.size) == ("again", 90)
