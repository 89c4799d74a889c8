"""Rendered resources and thumbnails over a real archive and its sandbox: for whom, in which form, of hostile pixels."""

from __future__ import annotations

import io
from typing import Any

import httpx
import imagecodecs
import multiparts
import numpy as np
import objects
import pytest
import webbed
from PIL import Image
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate

from leadglass.app.archive import Archive
from leadglass.core.events import EventKind
from leadglass.core.reach import Reach
from leadglass.dicom.uids import EXPLICIT_VR_LE, JPEG_BASELINE, JPEG_LS_LOSSLESS, RLE_LOSSLESS

STUDY = f"/dicom-web/studies/{objects.study_uid(1)}"
SERIES = f"{STUDY}/series/{objects.study_uid(1)}.1000"
ONE = f"{SERIES}/instances/{objects.uid(1, 1)}"
HALVES = np.repeat(np.array([[100, 1100]], np.uint16), 8, axis=1).repeat(8, axis=0)  # dark left, bright right
REPORT = "1.2.840.10008.5.1.4.1.1.88.11"
CAPTURE = "1.2.840.10008.5.1.4.1.1.7"


def image(study: int = 1, number: int = 1, pixels: np.ndarray = HALVES, **changes: Any) -> Dataset:
    """A monochrome image with a window from 0 to 1,200; more than two dimensions are frames."""
    fields = {
        "SamplesPerPixel": 1,
        "PhotometricInterpretation": "MONOCHROME2",
        "Rows": pixels.shape[-2],
        "Columns": pixels.shape[-1],
        "BitsAllocated": 8 * pixels.itemsize,
        "BitsStored": 8 * pixels.itemsize,
        "HighBit": 8 * pixels.itemsize - 1,
        "PixelRepresentation": 0,
        "WindowCenter": 600,
        "WindowWidth": 1200,
        "PixelData": pixels.tobytes(),
    }
    if pixels.ndim == 3:
        fields["NumberOfFrames"] = len(pixels)
    wanted = {**fields, **changes}
    return objects.data_set(study, number, **{key: value for key, value in wanted.items() if value is not None})


def without_pixels(number: int, sop_class: str) -> Dataset:
    return objects.data_set(
        1, number, SOPClassUID=sop_class, SeriesInstanceUID=f"{objects.study_uid(1)}.99", PixelData=None
    )


async def put(archive: Archive, made: Dataset, syntax: str = EXPLICIT_VR_LE) -> None:
    data = objects.encoded(made)
    await objects.store(archive, data, made.SOPInstanceUID, syntax=syntax, sop_class_uid=made.SOPClassUID)


async def get(http: httpx.AsyncClient, path: str, accept: str = "image/png", **parameters: str) -> httpx.Response:
    return await http.get(path, headers={"accept": accept}, params=parameters)


def seen(content: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(content)), int)


def kinds(answer: httpx.Response) -> list[str]:
    return [kind for kind, _ in multiparts.parts(answer)]


async def test_an_instance_is_a_picture_in_the_window_of_its_data_set(archive: Archive) -> None:
    await put(archive, image())
    async with webbed.client(archive) as http:
        png = await get(http, f"{ONE}/rendered")
        jpeg = await get(http, f"{ONE}/rendered", "*/*")
        framed = await get(http, f"{ONE}/frames/1/rendered")
    assert (png.status_code, png.headers["content-type"]) == (200, "image/png")
    assert jpeg.headers["content-type"] == "image/jpeg"
    left, right = round(100 / 1200 * 255), round(1100 / 1200 * 255)
    assert np.abs(seen(png.content) - np.repeat([[left, right]], 8, axis=1).repeat(8, axis=0)).max() <= 1
    assert np.abs(seen(jpeg.content) - seen(png.content)).max() <= 4
    assert framed.content == png.content


async def test_an_image_without_a_window_is_shown_by_its_values(archive: Archive) -> None:
    await put(archive, image(WindowCenter=None, WindowWidth=None))
    async with webbed.client(archive) as http:
        picture = await get(http, f"{ONE}/rendered")
    assert picture.status_code == 200, picture.text
    assert (seen(picture.content).min(), seen(picture.content).max()) == (0, 255)


async def test_the_parameters_reach_the_picture(archive: Archive) -> None:
    await put(archive, image(pixels=np.kron(HALVES, np.ones((8, 8), np.uint16))))
    async with webbed.client(archive) as http:
        windowed = await get(http, f"{ONE}/rendered", window="600,2,linear-exact")
        mirrored = await get(http, f"{ONE}/rendered", viewport="16,16,0,0,-128,64")
        coarse = await get(http, f"{ONE}/rendered", "image/jpeg", quality="1")
        fine = await get(http, f"{ONE}/rendered", "image/jpeg", quality="100")
        named = await get(http, f"{ONE}/rendered", viewport="256,256", annotation="patient")
        plain = await get(http, f"{ONE}/rendered", viewport="256,256")
    assert set(np.unique(seen(windowed.content))) == {0, 255}
    assert seen(mirrored.content).shape[1] == 16
    assert seen(mirrored.content)[0, 0] > seen(mirrored.content)[0, -1]
    assert len(coarse.content) < len(fine.content)
    assert not np.array_equal(seen(named.content), seen(plain.content))


@pytest.mark.parametrize(
    "parameters",
    [
        {"window": "1,0,linear"},
        {"window": "nan,1"},
        {"window": "1,1e308,linear"},
        {"viewport": "0,0"},
        {"viewport": "9999999,1"},
        {"quality": "0"},
    ],
)
async def test_d7_parameters_beyond_reason_are_refused(archive: Archive, parameters: dict[str, str]) -> None:
    await put(archive, image())
    async with webbed.client(archive) as http:
        answer = await get(http, f"{ONE}/rendered", **parameters)
    assert answer.status_code == 400
    assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize(
    ("frames", "status"), [("2", 404), ("0", 400), ("-1", 400), ("1,1", 400), ("9999999999", 404), ("1,", 400)]
)
async def test_frames_that_are_not_there_are_told(archive: Archive, frames: str, status: int) -> None:
    """`0` may be refused as unreadable or as not there, never answered."""
    await put(archive, image())
    async with webbed.client(archive) as http:
        for resource in ("rendered", "thumbnail"):
            answer = await get(http, f"{ONE}/frames/{frames}/{resource}")
            assert answer.status_code in {status, 404}, resource


async def test_a_study_and_a_series_are_all_their_pictures_in_parts(archive: Archive) -> None:
    for number in (1, 2, 3):
        await put(archive, image(number=number))
    await put(archive, without_pixels(4, REPORT))
    async with webbed.client(archive) as http:
        for path in (STUDY, SERIES):
            anything = await get(http, f"{path}/rendered", "*/*")
            pngs = await get(http, f"{path}/rendered", 'multipart/related; type="image/png"')
            alone = await get(http, f"{path}/rendered", "image/png")
            assert kinds(anything) == ["image/jpeg"] * 3
            assert kinds(pngs) == ["image/png"] * 3
            assert alone.headers["content-type"] == "image/png"
        report = await get(http, f"{STUDY}/series/{objects.study_uid(1)}.99/rendered", "*/*")
    assert report.status_code == 406


async def test_frames_come_in_parts_or_as_one_animation(archive: Archive) -> None:
    stack = np.stack([HALVES, HALVES[:, ::-1], HALVES])
    await put(archive, image(pixels=stack))
    async with webbed.client(archive) as http:
        parts = await get(http, f"{ONE}/frames/2,1/rendered", 'multipart/related; type="image/png"')
        cine = await get(http, f"{ONE}/rendered", "image/gif")
        some = await get(http, f"{ONE}/frames/1,2/rendered", "image/gif")
        single = await get(http, f"{ONE}/frames/1,2/rendered", "image/png")
    first, second = (seen(content) for _, content in multiparts.parts(parts))
    assert first[0, 0] > first[0, -1]
    assert second[0, 0] < second[0, -1]
    assert [Image.open(io.BytesIO(answer.content)).n_frames for answer in (cine, some)] == [3, 2]
    assert single.status_code == 406


async def test_an_unchanged_picture_is_not_sent_again(archive: Archive) -> None:
    await put(archive, image())
    async with webbed.client(archive) as http:
        for path in (f"{ONE}/rendered", f"{ONE}/thumbnail", f"{SERIES}/thumbnail"):
            first = await get(http, path)
            again = await http.get(path, headers={"accept": "image/png", "if-none-match": first.headers["etag"]})
            assert (again.status_code, again.content) == (304, b"")
            assert first.headers["cache-control"] == "no-cache"


async def test_absent_and_forbidden_look_the_same_though_the_picture_is_kept(archive: Archive) -> None:
    await put(archive, image())
    allowed = webbed.program("allowed")
    narrow = webbed.program("narrow", reach=Reach(studies=frozenset({objects.study_uid(2)})))
    paths = (STUDY, SERIES, ONE, f"{ONE}/frames/1")
    async with webbed.client(archive, allowed) as http:
        for path in paths:
            assert (await get(http, f"{path}/rendered")).status_code == 200
            assert (await get(http, f"{path}/thumbnail")).status_code == 200
    async with webbed.client(archive, narrow) as http:
        for path in paths:
            for resource in ("rendered", "thumbnail"):
                foreign = await get(http, f"{path}/{resource}")
                absent = await get(http, f"{path.replace(objects.study_uid(1), objects.study_uid(3))}/{resource}")
                assert foreign.status_code == absent.status_code == 404
                assert foreign.content == absent.content


@pytest.mark.parametrize("path", [STUDY, SERIES, ONE, f"{ONE}/frames/1"])
@pytest.mark.parametrize("resource", ["rendered", "thumbnail"])
async def test_seeing_is_journalled(
    archive: Archive, monkeypatch: pytest.MonkeyPatch, path: str, resource: str
) -> None:
    await put(archive, image())
    events: list[EventKind] = []
    record = archive.journal.record
    monkeypatch.setattr(
        archive.journal, "record", lambda event, **how: (events.append(event.kind), record(event, **how))[1]
    )
    async with webbed.client(archive) as http:
        assert (await get(http, f"{path}/{resource}")).status_code == 200
    assert EventKind.INSTANCES_ACCESSED in events


async def test_a_thumbnail_is_small_and_of_an_image(archive: Archive) -> None:
    await put(archive, image(number=1, pixels=np.kron(HALVES, np.ones((40, 20), np.uint16))))
    capture = image(number=2, pixels=HALVES[:, ::-1].copy(), SOPClassUID=CAPTURE, SeriesInstanceUID="1.2.826.7")
    await put(archive, capture)
    await put(archive, without_pixels(3, REPORT))
    async with webbed.client(archive) as http:
        default = await get(http, f"{STUDY}/thumbnail", "*/*")
        small = await get(http, f"{STUDY}/thumbnail", viewport="32,32")
        report = await get(http, f"{STUDY}/series/{objects.study_uid(1)}.99/thumbnail")
    assert default.headers["content-type"] == "image/jpeg"
    assert max(seen(default.content).shape) <= 128
    shown = seen(small.content)
    assert max(shown.shape) == 32
    assert shown[0, 0] < shown[0, -1]  # the image, not the capture, which is its mirror image
    assert report.status_code == 200
    assert seen(report.content).ndim == 2


async def test_what_has_no_picture_is_refused_in_a_sentence(archive: Archive) -> None:
    await put(archive, without_pixels(1, REPORT))
    async with webbed.client(archive) as http:
        answer = await get(http, f"{STUDY}/series/{objects.study_uid(1)}.99/instances/{objects.uid(1, 1)}/rendered")
    assert answer.status_code == 406
    assert "no pixels" in answer.json()["detail"]


# --- hostile pixels (D1 to D7) ---------------------------------------------------------------------------------------


def compressed(made: Dataset, *frames: bytes) -> Dataset:
    """With fragments instead of native pixels: one for each frame, behind an empty offset table if there is none."""
    made.PixelData = encapsulate(list(frames)) if frames else b"\xfe\xff\x00\xe0" + bytes(4)
    made["PixelData"].VR = "OB"
    made["PixelData"].is_undefined_length = True
    return made


GREY8 = np.arange(64, dtype=np.uint8).reshape(8, 8)
JPEG8 = imagecodecs.jpeg8_encode(GREY8)
HUGE = imagecodecs.jpegls_encode(np.zeros((4000, 4000), np.uint8))  # a few hundred bytes


def of_bytes(**changes: Any) -> Dataset:
    return image(pixels=GREY8, **changes)


def palette(**changes: Any) -> Dataset:
    tables = {
        f"{colour}PaletteColorLookupTable{part}": value
        for colour in ("Red", "Green", "Blue")
        for part, value in (("Descriptor", [16, 0, 16]), ("Data", bytes(32)))
    }
    return of_bytes(PhotometricInterpretation="PALETTE COLOR", **{**tables, **changes})


HOSTILE = {
    "D1 rows and columns of 65535 squared": (image(Rows=65535, Columns=65535), EXPLICIT_VR_LE),
    "D1 more frames than 2^63 bytes": (image(Rows=65535, Columns=65535, NumberOfFrames=2**31 - 1), EXPLICIT_VR_LE),
    "D1 no rows": (image(Rows=0), EXPLICIT_VR_LE),
    "D1 no samples": (image(SamplesPerPixel=0), EXPLICIT_VR_LE),
    "D1 65535 samples": (image(SamplesPerPixel=65535), EXPLICIT_VR_LE),
    "D2 no frames": (image(NumberOfFrames=0), EXPLICIT_VR_LE),
    "D2 frames below none": (image(NumberOfFrames=-1), EXPLICIT_VR_LE),
    "D2 more frames than there are pixels": (image(NumberOfFrames=999_999), EXPLICIT_VR_LE),
    "D3 no fragments": (compressed(of_bytes()), JPEG_BASELINE),
    "D3 more frames than fragments": (compressed(of_bytes(NumberOfFrames=5), JPEG8, JPEG8), JPEG_BASELINE),
    "D4 a palette without tables": (of_bytes(PhotometricInterpretation="PALETTE COLOR"), EXPLICIT_VR_LE),
    "D4 a table that is shorter than it says": (
        palette(RedPaletteColorLookupTableDescriptor=[0, 0, 16]),
        EXPLICIT_VR_LE,
    ),
    "D4 a table of 99 bits": (palette(RedPaletteColorLookupTableDescriptor=[16, 0, 99]), EXPLICIT_VR_LE),
    "D5 a frame of other dimensions": (compressed(of_bytes(Rows=9), JPEG8), JPEG_BASELINE),
    "D5 a frame that grows": (compressed(of_bytes(), HUGE), JPEG_LS_LOSSLESS),
    "D5 a frame of another syntax": (compressed(of_bytes(), JPEG8), JPEG_LS_LOSSLESS),
    "D5 an RLE header that lies": (compressed(of_bytes(), b"\xff" * 64), RLE_LOSSLESS),
    "bits that cannot be": (image(BitsAllocated=24), EXPLICIT_VR_LE),
    "more bits stored than allocated": (image(BitsStored=17), EXPLICIT_VR_LE),
}


@pytest.mark.parametrize("name", HOSTILE)
async def test_d1_d2_d3_d4_d5_hostile_pixels_fail_alone(archive: Archive, name: str) -> None:
    made, syntax = HOSTILE[name]
    await put(archive, made, syntax)
    await put(archive, image(number=2))
    async with webbed.client(archive) as http:
        for path in ("rendered", "frames/1/rendered", "thumbnail"):
            answer = await get(http, f"{ONE}/{path}")
            if path == "thumbnail":
                assert (answer.status_code, seen(answer.content).shape) == (200, (128, 128)), "no icon"
            else:
                assert (answer.status_code, answer.headers["content-type"]) == (406, "application/problem+json"), path
        good = await get(http, f"{SERIES}/instances/{objects.uid(1, 2)}/rendered")
    assert good.status_code == 200


@pytest.mark.parametrize(
    ("center", "width"), [("0", "0"), ("NaN", "NaN"), ("1e308", "1e308"), ("-1e308", "1e-308"), ("a", "b"), ("1", "-5")]
)
async def test_d7_a_window_that_makes_no_sense_is_as_if_absent(archive: Archive, center: str, width: str) -> None:
    """The data set is as it came, and the picture is there."""
    made = image(WindowCenter=None, WindowWidth=None)
    plain = objects.encoded(made)
    made.add_new(0x00281050, "LO", center)
    made.add_new(0x00281051, "LO", width)
    data = objects.encoded(made)
    assert len(data) > len(plain)
    await objects.store(archive, data, made.SOPInstanceUID)
    async with webbed.client(archive) as http:
        picture = await get(http, f"{ONE}/rendered")
    assert picture.status_code == 200
    assert (seen(picture.content).min(), seen(picture.content).max()) == (0, 255)


async def test_d4_palette_indices_beyond_the_table_take_its_end(archive: Archive) -> None:
    ramp = (np.arange(16, dtype=np.uint16) * 4096).tobytes()
    tables = {f"{colour}PaletteColorLookupTableData": ramp for colour in ("Red", "Green", "Blue")}
    await put(archive, palette(**tables))
    async with webbed.client(archive) as http:
        shown = seen((await get(http, f"{ONE}/rendered")).content)
    assert shown.shape == (8, 8, 3)
    assert (shown[2:] == shown[1, 7]).all()
