"""QIDO-RS over a real archive: what is found, in which form, and that reach holds."""

from __future__ import annotations

import xml.etree.ElementTree as ET

import objects
import pytest
import webbed

from leadglass.app.archive import Archive
from leadglass.core.principal import Right
from leadglass.core.reach import Reach


@pytest.fixture
async def filled(archive: Archive) -> Archive:
    for study in (1, 2, 3):
        for number in (1, 2):
            await objects.store_one(archive, study, number)
    return archive


def uids(answer, tag="0020000D"):
    return [match[tag]["Value"][0] for match in answer.json()]


async def test_studies_are_found_by_patient_and_told_whole(filled: Archive) -> None:
    async with webbed.client(filled) as http:
        answer = await http.get("/dicom-web/studies", params={"PatientID": "P2"})
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/dicom+json"
    (match,) = answer.json()
    assert match["00100010"] == {"vr": "PN", "Value": [{"Alphabetic": "Rossi^Anna2"}]}
    assert match["00201208"] == {"vr": "IS", "Value": [2]}
    assert match["00080061"]["Value"] == ["CT"]
    assert match["00081190"]["Value"] == [f"http://localhost:8042/dicom-web/studies/{objects.study_uid(2)}"]


@pytest.mark.parametrize(
    ("path", "count"),
    [("/studies", 3), ("/series", 3), ("/instances", 6), (f"/studies/{objects.study_uid(1)}/series", 1),
     (f"/studies/{objects.study_uid(1)}/instances", 2),
     (f"/studies/{objects.study_uid(1)}/series/{objects.study_uid(1)}.1000/instances", 2),
     (f"/studies/{objects.study_uid(2)}/series/{objects.study_uid(1)}.1000/instances", 0),
     ("/studies/1.2.3/series", 0)],
)  # fmt: skip
async def test_each_level_is_searched_within_its_path(filled: Archive, path: str, count: int) -> None:
    async with webbed.client(filled) as http:
        answer = await http.get("/dicom-web" + path)
    assert (answer.status_code, len(answer.json())) == (200, count)


async def test_pages_follow_one_another(filled: Archive) -> None:
    async with webbed.client(filled) as http:
        whole = uids(await http.get("/dicom-web/studies"))
        parts = [uids(await http.get("/dicom-web/studies", params={"limit": 1, "offset": n}))[0] for n in range(3)]
        beyond = await http.get("/dicom-web/studies", params={"offset": 3})
    assert parts == whole
    assert beyond.json() == []


async def test_xml_parts_hold_the_same(filled: Archive) -> None:
    asked = {"accept": 'multipart/related; type="application/dicom+xml"'}
    async with webbed.client(filled) as http:
        answer = await http.get("/dicom-web/studies", params={"PatientID": "P2"}, headers=asked)
        again = await http.get("/dicom-web/studies", params={"PatientID": "P2"}, headers=asked)
        none = await http.get("/dicom-web/studies", params={"PatientID": "none"}, headers=asked)
    boundary = answer.headers["content-type"].rpartition("boundary=")[2]
    (part,) = [piece for piece in answer.text.split(f"--{boundary}") if "<NativeDicomModel" in piece]
    root = ET.fromstring(part.partition("\r\n\r\n")[2].strip())
    assert [v.text for v in root.iterfind(".//{*}DicomAttribute[@keyword='PatientID']/{*}Value")] == ["P2"]
    assert answer.headers["etag"] == again.headers["etag"]
    assert none.status_code == 204


async def test_an_answer_that_the_client_has_is_not_sent_again(filled: Archive) -> None:
    async with webbed.client(filled) as http:
        first = await http.get("/dicom-web/studies")
        again = await http.get("/dicom-web/studies", headers={"if-none-match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert first.headers["cache-control"] == "no-cache"


async def test_what_lies_outside_the_reach_looks_absent(filled: Archive) -> None:
    narrow = webbed.program("narrow", reach=Reach(studies=frozenset({objects.study_uid(2)})))
    async with webbed.client(filled, narrow) as http:
        assert uids(await http.get("/dicom-web/studies")) == [objects.study_uid(2)]
        foreign = await http.get(f"/dicom-web/studies/{objects.study_uid(1)}/series")
        absent = await http.get("/dicom-web/studies/9.9.9/series")
    assert (foreign.status_code, foreign.content) == (absent.status_code, absent.content)


async def test_who_may_only_store_finds_nothing_out(filled: Archive) -> None:
    sender = webbed.program("sender", frozenset({Right.STORE}))
    async with webbed.client(filled, sender) as http:
        assert (await http.get("/dicom-web/studies")).status_code == 403


async def test_a_bad_query_is_a_problem_document(filled: Archive) -> None:
    async with webbed.client(filled) as http:
        answer = await http.get("/dicom-web/studies", params={"Foo": "1"})
        html = await http.get("/dicom-web/studies", headers={"accept": "text/html"})
    assert (answer.status_code, answer.headers["content-type"]) == (400, "application/problem+json")
    assert html.status_code == 406
