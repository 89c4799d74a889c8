"""Metadata over a real archive: agrees with pydicom, follows the series, stays within reach."""

from __future__ import annotations

import json

import objects
import pytest
import webbed
from pydicom.dataset import Dataset

from leadglass.app.archive import Archive
from leadglass.core.reach import Reach

SERIES = f"/dicom-web/studies/{objects.study_uid(1)}/series/{objects.study_uid(1)}.1000"


async def test_each_level_tells_its_instances(archive: Archive) -> None:
    for number in (1, 2, 3):
        await objects.store_one(archive, 1, number)
    async with webbed.client(archive) as http:
        study = (await http.get(f"/dicom-web/studies/{objects.study_uid(1)}/metadata")).json()
        series = (await http.get(f"{SERIES}/metadata")).json()
        one = (await http.get(f"{SERIES}/instances/{objects.uid(1, 2)}/metadata")).json()
    assert study == series
    assert len(series) == 3
    assert one == [series[1]]


async def test_it_says_what_pydicom_says_and_names_the_pixels(archive: Archive) -> None:
    await objects.store_one(archive)
    async with webbed.client(archive) as http:
        (found,) = (await http.get(f"{SERIES}/metadata")).json()
    expected = objects.data_set().to_json_dict()
    pixels = found.pop("7FE00010")
    del expected["7FE00010"]
    found["00080005"] = expected["00080005"]
    assert found == expected
    assert pixels["vr"] == "OW"
    assert pixels["BulkDataURI"].startswith(f"http://localhost:8042{SERIES}/instances/{objects.uid(1, 1)}/bulkdata/")
    assert Dataset.from_json(json.dumps(found)).PatientName == "Rossi^Anna1"


async def test_a_series_that_grows_is_told_whole(archive: Archive) -> None:
    await objects.store_one(archive, 1, 1)
    async with webbed.client(archive) as http:
        first = await http.get(f"{SERIES}/metadata")
        same = await http.get(f"{SERIES}/metadata", headers={"if-none-match": first.headers["etag"]})
        await objects.store_one(archive, 1, 2)
        grown = await http.get(f"{SERIES}/metadata", headers={"if-none-match": first.headers["etag"]})
    assert same.status_code == 304
    assert (grown.status_code, len(grown.json())) == (200, 2)


async def test_what_is_kept_is_served_as_it_lies_and_not_made_again(archive: Archive, monkeypatch) -> None:
    await objects.store_one(archive)
    async with webbed.client(archive) as http:
        first = await http.get(f"{SERIES}/metadata", headers={"accept-encoding": "gzip"})
        monkeypatch.setattr(archive.metadata, "_array", None)
        kept = await http.get(f"{SERIES}/metadata", headers={"accept-encoding": "gzip"})
        plain = await http.get(f"{SERIES}/metadata", headers={"accept-encoding": "identity"})
    assert first.headers["content-encoding"] == kept.headers["content-encoding"] == "gzip"
    assert "content-encoding" not in plain.headers
    assert first.content == kept.content == plain.content


@pytest.mark.parametrize(
    ("header", "coding"),
    [("gzip;q=0", ""), ("gzip;q=0, *", ""), ("*", "gzip"), ("*;q=0", ""), ("br, *;q=0.1", "gzip"), ("ungzip", "")],
)
async def test_what_is_kept_compressed_is_given_so_only_to_who_reads_it(
    archive: Archive, header: str, coding: str
) -> None:
    await objects.store_one(archive)
    async with webbed.client(archive) as http:
        answer = await http.get(f"{SERIES}/metadata", headers={"accept-encoding": header})
    assert answer.headers.get("content-encoding", "") == coding
    assert len(answer.json()) == 1


async def test_absent_and_forbidden_look_the_same(archive: Archive) -> None:
    await objects.store_one(archive, 1)
    await objects.store_one(archive, 2)
    narrow = webbed.program("narrow", reach=Reach(studies=frozenset({objects.study_uid(2)})))
    async with webbed.client(archive, narrow) as http:
        for path in ("", f"/instances/{objects.uid(1, 1)}"):
            foreign = await http.get(f"{SERIES}{path}/metadata")
            absent = await http.get(f"{SERIES}.9{path}/metadata")
            assert foreign.status_code == absent.status_code == 404
            assert foreign.content == absent.content


async def test_reading_is_journalled_before_it_leaves(archive: Archive) -> None:
    await objects.store_one(archive)
    seen = []
    archive.journal.record = lambda event, **kwargs: seen.append((event.what, kwargs.get("durable")))  # type: ignore[method-assign]
    async with webbed.client(archive) as http:
        await http.get(f"{SERIES}/metadata")
    assert any(durable for _, durable in seen), seen


async def test_xml_is_given_where_it_is_asked_for(archive: Archive) -> None:
    await objects.store_one(archive)
    asked = {"accept": 'multipart/related; type="application/dicom+xml"'}
    async with webbed.client(archive) as http:
        answer = await http.get(f"{SERIES}/metadata", headers=asked)
    assert answer.headers["content-type"].startswith('multipart/related; type="application/dicom+xml"')
    assert "Rossi" in answer.text
