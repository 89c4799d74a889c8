"""WADO-URI: one object by its UIDs in the query; what is asked for and cannot be done is never passed over."""

from __future__ import annotations

import httpx
import objects
import pytest
import webbed

from leadglass.app.archive import Archive
from leadglass.core.reach import Reach
from leadglass.dicom.part10 import split_file
from leadglass.dicom.uids import DEFLATED_EXPLICIT_VR_LE, EXPLICIT_VR_LE, IMPLICIT_VR_LE

WANTED = {
    "requestType": "WADO",
    "studyUID": objects.study_uid(1),
    "seriesUID": f"{objects.study_uid(1)}.1000",
    "objectUID": objects.uid(1, 1),
    "contentType": "application/dicom",
}


async def get(http: httpx.AsyncClient, **changes: str | None) -> httpx.Response:
    asked = {**WANTED, **changes}
    return await http.get("/wado", params={key: value for key, value in asked.items() if value is not None})


async def test_an_object_comes_as_a_file(archive: Archive) -> None:
    sent = await objects.store_one(archive)
    async with webbed.client(archive) as http:
        answer = await get(http)
        unnamed = await get(http, contentType=None, anonymize="no")
        same = await http.get("/wado", params=WANTED, headers={"if-none-match": answer.headers["etag"]})
    assert answer.headers["content-type"] == f"application/dicom; transfer-syntax={EXPLICIT_VR_LE}"
    assert answer.content[split_file(answer.content).data_set_offset :] == sent
    assert unnamed.content == answer.content
    assert same.status_code == 304


async def test_the_transfer_syntax_is_explicit_unless_another_is_asked_for(archive: Archive) -> None:
    data = objects.encoded(objects.data_set(), IMPLICIT_VR_LE)
    await objects.store(archive, data, objects.uid(1, 1), syntax=IMPLICIT_VR_LE)
    async with webbed.client(archive) as http:
        kinds = [
            (await get(http, transferSyntax=asked)).headers["content-type"].rpartition("=")[2]
            for asked in (None, "*", DEFLATED_EXPLICIT_VR_LE, IMPLICIT_VR_LE)
        ]
        other = await get(http, transferSyntax="1.2.840.10008.1.2.4.90")
    assert kinds == [EXPLICIT_VR_LE, IMPLICIT_VR_LE, DEFLATED_EXPLICIT_VR_LE, IMPLICIT_VR_LE]
    assert other.status_code == 406


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"requestType": None}, 400),
        ({"requestType": "wado"}, 400),
        ({"studyUID": None}, 400),
        ({"seriesUID": ""}, 400),
        ({"objectUID": "../../etc/passwd"}, 400),
        ({"objectUID": "1" * 65}, 400),
        ({"objectUID": "1.2\0"}, 400),
        ({"objectUID": "1.9"}, 404),
        ({"studyUID": "1.9"}, 404),
        ({"transferSyntax": "evil"}, 400),
        ({"contentType": "text/html"}, 406),
        ({"contentType": "x" * 10_000}, 400),
        ({"contentType": "no type"}, 406),
        ({"anonymize": "yes"}, 406),
        ({"anonymize": ""}, 406),
        ({"presentationUID": "1.2"}, 406),
    ],
)
async def test_what_cannot_be_done_is_refused(archive: Archive, changes: dict[str, str | None], status: int) -> None:
    await objects.store_one(archive)
    async with webbed.client(archive) as http:
        answer = await get(http, **changes)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"


async def test_absent_and_forbidden_look_the_same(archive: Archive) -> None:
    await objects.store_one(archive)
    narrow = webbed.program("narrow", reach=Reach(studies=frozenset({objects.study_uid(2)})))
    async with webbed.client(archive, narrow) as http:
        foreign, absent = await get(http), await get(http, objectUID="1.9")
    assert foreign.status_code == absent.status_code == 404
    assert foreign.content == absent.content
