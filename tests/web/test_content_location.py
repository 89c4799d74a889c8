"""What is sent says by Content-Location where it is from (PS3.18 8.4.3): where GET gives just that again."""

from __future__ import annotations

import re

import httpx
import objects
import pytest
import webbed

from leadglass.app.archive import Archive
from tests.web.test_every_route import IMAGE

STUDY = f"/dicom-web/studies/{objects.study_uid(1)}"
SERIES = f"{STUDY}/series/{objects.study_uid(1)}.1000"
HOST = "http://localhost:8042"
OCTETS = 'multipart/related; type="application/octet-stream"'
INSTANCES = 'multipart/related; type="application/dicom"'
PICTURES = 'multipart/related; type="image/png"'


def one(number: int) -> str:
    return f"{SERIES}/instances/{objects.uid(1, number)}"


def of_parts(answer: httpx.Response) -> list[str]:
    return [found.decode() for found in re.findall(rb"\r\nContent-Location: ([^\r\n]+)\r\n", answer.content)]


async def filled(archive: Archive) -> None:
    for number in (1, 2):
        await objects.store_one(archive, 1, number, **IMAGE)


@pytest.mark.parametrize(
    ("path", "accept"),
    [
        (STUDY, INSTANCES),
        (SERIES, "application/zip"),
        (one(1), "application/dicom"),
        (f"{STUDY}/metadata", ""),
        (f"{SERIES}/metadata", "application/json"),
        (f"{one(1)}/metadata", 'multipart/related; type="application/dicom+xml"'),
        (f"{one(1)}/frames/1", "application/octet-stream"),
        (f"{one(1)}/rendered", "image/png"),
        (f"{STUDY}/thumbnail", "image/png"),
    ],
)
async def test_a_resource_says_its_url(archive: Archive, path: str, accept: str) -> None:
    await filled(archive)
    async with webbed.client(archive) as http:
        answer = await http.get(path, headers={"accept": accept} if accept else {})
    assert (answer.status_code, answer.headers["content-location"]) == (200, HOST + path)


@pytest.mark.parametrize(
    ("path", "accept", "parts"),
    [
        (STUDY, INSTANCES, [one(1), one(2)]),
        (one(2), INSTANCES, [one(2)]),
        (f"{one(2)}/frames/1", OCTETS, [f"{one(2)}/frames/1"]),
        (f"{STUDY}/rendered", PICTURES, [f"{one(1)}/rendered", f"{one(2)}/rendered"]),
    ],
)
async def test_each_part_says_its_url(archive: Archive, path: str, accept: str, parts: list[str]) -> None:
    await filled(archive)
    async with webbed.client(archive) as http:
        answer = await http.get(path, headers={"accept": accept})
        assert of_parts(answer) == [HOST + part for part in parts]
        for url in of_parts(answer):
            assert (await http.get(url)).status_code == 200


async def test_a_value_has_the_url_that_its_metadata_name(archive: Archive) -> None:
    await filled(archive)
    async with webbed.client(archive) as http:
        (found,) = (await http.get(f"{one(1)}/metadata")).json()
        url = found["7FE00010"]["BulkDataURI"]
        assert (await http.get(url)).headers["content-location"] == url
        assert of_parts(await http.get(url, headers={"accept": OCTETS})) == [url]


@pytest.mark.parametrize(
    "path",
    [f"{one(1)}/rendered?quality=50", f"{STUDY}/rendered?viewport=8,8&accept=multipart/related", "/dicom-web/studies"],
)
async def test_what_its_url_alone_does_not_name_says_none(archive: Archive, path: str) -> None:
    await filled(archive)
    async with webbed.client(archive) as http:
        answer = await http.get(path)
    assert answer.status_code == 200
    assert "content-location" not in answer.headers
    assert of_parts(answer) == []


async def test_wado_uri_says_none_of_its_own(archive: Archive) -> None:
    await filled(archive)
    query = f"requestType=WADO&studyUID={objects.study_uid(1)}&seriesUID={objects.study_uid(1)}.1000"
    async with webbed.client(archive) as http:
        answer = await http.get(f"/wado?{query}&objectUID={objects.uid(1, 1)}&contentType=application/dicom")
    assert answer.status_code == 200
    assert "content-location" not in answer.headers


@pytest.mark.parametrize("tail", ["%0d%0aset-cookie:%20a=b", "%20", "%00", "%ff", "%c3%a9"])
async def test_e6_nothing_of_a_path_becomes_a_header_of_its_own(archive: Archive, tail: str) -> None:
    await filled(archive)
    async with webbed.client(archive) as http:
        for path in (f"{STUDY}{tail}", f"{STUDY}{tail}/metadata", f"{one(1)}{tail}/rendered"):
            answer = await http.get(path)
            assert answer.status_code in (400, 404)
            assert not {"set-cookie", "content-location"} & set(answer.headers)
