"""Bulk data over WADO-RS: what the metadata name is what is got, in ranges too, and no browser shows it."""

from __future__ import annotations

import httpx
import multiparts
import objects
import pytest
import webbed
from pydicom.dataset import Dataset

from leadglass.app.archive import Archive
from leadglass.core.reach import Reach
from leadglass.dicom.uids import EXPLICIT_VR_BE, EXPLICIT_VR_LE, IMPLICIT_VR_LE

SERIES = f"/dicom-web/studies/{objects.study_uid(1)}/series/{objects.study_uid(1)}.1000"
INSTANCE = f"{SERIES}/instances/{objects.uid(1, 1)}"
PAGE = b"<html><script>alert(1)</script></html>" * 100
OCTETS = {"accept": "application/octet-stream"}


def made() -> Dataset:
    whole = objects.data_set(size=300_000, EncapsulatedDocument=PAGE, MIMETypeOfEncapsulatedDocument="text/HTML")
    item = Dataset()
    item.add_new(0x00091001, "UN", bytes(range(256)) * 20)
    item.add_new(0x00090010, "LO", "EXAMPLE")
    whole.ReferencedImageSequence = [Dataset(), item]
    return whole


async def put(archive: Archive, syntax: str = EXPLICIT_VR_LE) -> Dataset:
    whole = made()
    await objects.store(archive, objects.encoded(whole, syntax), objects.uid(1, 1), syntax=syntax)
    return whole


async def uri_of(http: httpx.AsyncClient, tag: str) -> str:
    (found,) = (await http.get(f"{SERIES}/metadata")).json()
    return str(found[tag]["BulkDataURI"])


@pytest.mark.parametrize("syntax", [EXPLICIT_VR_LE, IMPLICIT_VR_LE, EXPLICIT_VR_BE])
async def test_every_value_that_metadata_name_comes_back(archive: Archive, syntax: str) -> None:
    whole = await put(archive, syntax)
    async with webbed.client(archive) as http:
        (found,) = (await http.get(f"{SERIES}/metadata")).json()
        pixels = await http.get(found["7FE00010"]["BulkDataURI"], headers=OCTETS)
        page = await http.get(found["00420011"]["BulkDataURI"])
        nested = found["00081140"]["Value"][1]["00091001"]["BulkDataURI"]
        private = await http.get(nested, headers={"accept": 'multipart/related; type="application/octet-stream"'})
    if syntax != EXPLICIT_VR_BE:  # where words are turned round
        assert pixels.content == whole.PixelData
    assert len(pixels.content) == len(whole.PixelData)
    assert page.content == PAGE
    assert multiparts.parts(private) == [("application/octet-stream", bytes(range(256)) * 20)]


@pytest.mark.parametrize(
    ("asked", "first", "behind"),
    [
        ("bytes=0-9", 0, 10),
        ("bytes=65530-70000", 65530, 70001),
        ("bytes=299990-", 299990, 300_000),
        ("bytes=-10", 299990, 300_000),
        ("bytes=299990-999999999999", 299990, 300_000),
        ("bytes=-999999999", 0, 300_000),
    ],
)
async def test_a_range_is_given(archive: Archive, asked: str, first: int, behind: int) -> None:
    whole = await put(archive)
    async with webbed.client(archive) as http:
        uri = await uri_of(http, "7FE00010")
        answer = await http.get(uri, headers={**OCTETS, "range": asked})
    assert answer.status_code == 206
    assert answer.headers["content-range"] == f"bytes {first}-{behind - 1}/300000"
    assert answer.headers["content-length"] == str(behind - first)
    assert answer.content == bytes(whole.PixelData)[first:behind]


@pytest.mark.parametrize(
    "asked",
    [
        "bytes=0-1,5-6",
        "bytes=" + ",".join(["0-"] * 10_000),
        "bytes=9-2",
        "bytes=-",
        "items=0-1",
        "bytes=a-b",
        "bytes=-1-2",
        "bytes=\xb2-",
        "bytes=0-" + "9" * 40,
    ],
)
async def test_e5_several_ranges_and_none_give_the_whole_once(archive: Archive, asked: str) -> None:
    await put(archive)
    async with webbed.client(archive) as http:
        uri = await uri_of(http, "7FE00010")
        answer = await http.get(uri, headers={**OCTETS, "range": asked.encode("latin-1")})
    assert (answer.status_code, len(answer.content)) == (200, 300_000)


@pytest.mark.parametrize("asked", ["bytes=300000-", "bytes=300000-300001", "bytes=-0", "bytes=999999999999999999-"])
async def test_e5_a_range_behind_the_end_is_refused(archive: Archive, asked: str) -> None:
    await put(archive)
    async with webbed.client(archive) as http:
        uri = await uri_of(http, "7FE00010")
        answer = await http.get(uri, headers={**OCTETS, "range": asked})
    assert (answer.status_code, answer.headers["content-range"]) == (416, "bytes */300000")


async def test_a_range_of_another_version_gives_the_whole(archive: Archive) -> None:
    await put(archive)
    async with webbed.client(archive) as http:
        uri = await uri_of(http, "7FE00010")
        tag = (await http.get(uri, headers=OCTETS)).headers["etag"]
        same = await http.get(uri, headers={**OCTETS, "range": "bytes=0-9", "if-range": tag})
        other = await http.get(uri, headers={**OCTETS, "range": "bytes=0-9", "if-range": '"other"'})
        known = await http.get(uri, headers={**OCTETS, "if-none-match": tag})
    assert (same.status_code, other.status_code, known.status_code) == (206, 200, 304)


@pytest.mark.parametrize("accept", ["*/*", "text/html", "text/html, application/xhtml+xml, */*;q=0.8"])
async def test_a_document_is_never_shown(archive: Archive, accept: str) -> None:
    """C12: whatever type it claims and whoever asks, it is a file to be saved, and no script of it runs."""
    await put(archive)
    async with webbed.client(archive) as http:
        answer = await http.get(await uri_of(http, "00420011"), headers={"accept": accept})
    assert answer.headers["content-type"].partition(";")[0] == (
        "text/html" if accept.startswith("text/html") else "application/octet-stream"
    )
    assert answer.headers["content-disposition"].startswith("attachment")
    assert answer.headers.get_list("content-security-policy")[0].split(",")[0] == "sandbox"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["cache-control"] == "private, max-age=31536000, immutable"


@pytest.mark.parametrize("claimed", ["text/html\r\nset-cookie: a=b", "", "x" * 64, "text/html; charset=evil", "é/é"])
async def test_a_type_that_is_none_is_not_repeated(archive: Archive, claimed: str) -> None:
    """E6."""
    whole = made()
    whole.add_new(0x00420012, "LO", claimed)
    await objects.store(archive, objects.encoded(whole), objects.uid(1, 1))
    async with webbed.client(archive) as http:
        uri = await uri_of(http, "00420011")
        plain, asked = await http.get(uri), await http.get(uri, headers={"accept": "text/html"})
    assert plain.headers["content-type"] == "application/octet-stream"
    assert "set-cookie" not in plain.headers
    assert asked.status_code == 406


@pytest.mark.parametrize(
    "path",
    [
        "7FE00010/1/7FE00010",
        "7fe00010",
        "00081140/3/00091001",
        "00081140/0/00091001",
        "00081140/99999999999999999999/00091001",
        "/".join(["00081140/1"] * 3000 + ["00091001"]),
        "..%2f..%2fetc%2fpasswd",
        "%00",
        "",
    ],
)
async def test_what_is_not_there_is_not_found(archive: Archive, path: str) -> None:
    await put(archive)
    async with webbed.client(archive) as http:
        uri = await uri_of(http, "7FE00010")
        answer = await http.get(f"{uri.removesuffix('7FE00010')}{path}")
    assert answer.status_code == 404


async def test_another_version_and_what_is_out_of_reach_look_absent(archive: Archive) -> None:
    await put(archive)
    narrow = webbed.program("narrow", reach=Reach(studies=frozenset({objects.study_uid(2)})))
    async with webbed.client(archive, webbed.program("tester"), narrow) as http:
        uri = await uri_of(http, "7FE00010")
        version = uri.split("/")[-2]
        other = await http.get(uri.replace(version, "0" * 16))
        foreign = await http.get(uri, headers={"authorization": "Bearer narrow"})
        absent = await http.get(uri.replace("/instances/1", "/instances/9"))
    assert other.status_code == foreign.status_code == absent.status_code == 404
    assert other.content == foreign.content == absent.content
