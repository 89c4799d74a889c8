"""Pictures over WADO-URI: the same as over WADO-RS, asked for in other words."""

from __future__ import annotations

import io

import httpx
import numpy as np
import objects
import pytest
import webbed
from PIL import Image

from leadglass.app.archive import Archive
from leadglass.core.reach import Reach

WANTED = {
    "requestType": "WADO",
    "studyUID": objects.study_uid(1),
    "seriesUID": f"{objects.study_uid(1)}.1000",
    "objectUID": objects.uid(1, 1),
}
RENDERED = (
    f"/dicom-web/studies/{objects.study_uid(1)}/series/{objects.study_uid(1)}.1000"
    f"/instances/{objects.uid(1, 1)}/rendered"
)
QUARTERS = np.kron(np.array([[100, 200], [300, 400]], np.uint16), np.ones((20, 40), np.uint16))


async def put(archive: Archive, pixels: np.ndarray = QUARTERS) -> None:
    await objects.store_one(
        archive,
        SamplesPerPixel=1,
        PhotometricInterpretation="MONOCHROME2",
        Rows=pixels.shape[-2],
        Columns=pixels.shape[-1],
        NumberOfFrames=len(pixels) if pixels.ndim == 3 else 1,
        BitsAllocated=16,
        BitsStored=16,
        HighBit=15,
        PixelRepresentation=0,
        WindowCenter=250,
        WindowWidth=400,
        PixelData=pixels.tobytes(),
    )


async def get(http: httpx.AsyncClient, **changes: str) -> httpx.Response:
    return await http.get("/wado", params={**WANTED, **changes})


def seen(answer: httpx.Response) -> np.ndarray:
    assert answer.status_code == 200, answer.text
    return np.asarray(Image.open(io.BytesIO(answer.content)), int)


async def test_an_image_comes_as_jpeg_unless_something_else_is_said(archive: Archive) -> None:
    await put(archive)
    async with webbed.client(archive) as http:
        kinds = [
            (await get(http, **asked)).headers["content-type"].partition(";")[0]
            for asked in ({}, {"contentType": "image/png"}, {"contentType": "application/dicom"})
        ]
        accepted = await http.get("/wado", params=WANTED, headers={"accept": "application/dicom"})
    assert kinds == ["image/jpeg", "image/png", "application/dicom"]
    assert accepted.headers["content-type"].startswith("application/dicom")


async def test_several_frames_come_as_a_file_unless_a_picture_is_asked_for(archive: Archive) -> None:
    await put(archive, np.stack([QUARTERS, QUARTERS[::-1]]))
    async with webbed.client(archive) as http:
        plain = await get(http)
        second = await get(http, contentType="image/png", frameNumber="2")
        cine = await get(http, contentType="image/gif")
        none = await get(http, contentType="image/png", frameNumber="3")
    assert plain.headers["content-type"].startswith("application/dicom")
    assert seen(second)[0, 0] > seen(second)[-1, 0]
    assert Image.open(io.BytesIO(cine.content)).n_frames == 2
    assert none.status_code == 404


async def test_it_is_the_picture_of_wado_rs(archive: Archive) -> None:
    await put(archive)
    words = {"windowCenter": "200", "windowWidth": "50", "columns": "64", "rows": "500", "imageQuality": "40"}
    async with webbed.client(archive) as http:
        by_uri = await get(http, contentType="image/jpeg", **words)
        by_rs = await http.get(
            RENDERED,
            params={"window": "200,50,linear", "viewport": "64,500", "quality": "40"},
            headers={"accept": "image/jpeg"},
        )
    assert by_uri.content == by_rs.content
    assert seen(by_uri).shape == (32, 64)


@pytest.mark.parametrize(
    ("changes", "shape"),
    [({"rows": "10"}, (10, 20)), ({"columns": "10"}, (5, 10)), ({"region": "0.5,0,1,0.5"}, (20, 40))],
)
async def test_sizes_and_regions(archive: Archive, changes: dict[str, str], shape: tuple[int, int]) -> None:
    await put(archive)
    async with webbed.client(archive) as http:
        shown = seen(await get(http, contentType="image/png", **changes))
        whole = seen(await get(http, contentType="image/png"))
    assert shown.shape == shape
    if "region" in changes:
        np.testing.assert_array_equal(shown, whole[:20, 40:])


@pytest.mark.parametrize(
    "changes",
    [
        {"rows": "0"},
        {"rows": "-1"},
        {"columns": "99999999999"},
        {"columns": "16385"},
        {"windowCenter": "40"},
        {"windowCenter": "40", "windowWidth": "0"},
        {"windowCenter": "1,1", "windowWidth": "1"},
        {"windowCenter": "nan", "windowWidth": "nan"},
        {"region": "0,0,1"},
        {"region": "0.5,0.5,0.5,0.5"},
        {"region": "0,0,1,2"},
        {"region": "nan,nan,nan,nan"},
        {"imageQuality": "0"},
        {"frameNumber": "0"},
        {"frameNumber": "1,1"},
        {"annotation": "everything"},
        {"transferSyntax": "1.2.840.10008.1.2.1"},
    ],
)
async def test_what_cannot_be_meant_is_refused(archive: Archive, changes: dict[str, str]) -> None:
    await put(archive)
    async with webbed.client(archive) as http:
        answer = await get(http, contentType="image/png", **changes)
    assert (answer.status_code, answer.headers["content-type"]) == (400, "application/problem+json")


async def test_absent_and_forbidden_look_the_same(archive: Archive) -> None:
    await put(archive)
    narrow = webbed.program("narrow", reach=Reach(studies=frozenset({objects.study_uid(2)})))
    async with webbed.client(archive, narrow) as http:
        for kind in ("image/png", "*/*"):
            foreign, absent = await get(http, contentType=kind), await get(http, contentType=kind, objectUID="1.9")
            assert foreign.status_code == absent.status_code == 404
            assert foreign.content == absent.content
