"""Uploading from a browser: one file a request, said in words why one is refused, and only who may store gets there."""

from __future__ import annotations

import httpx
import pytest
from objects import data_set, encoded, store_one, study_uid
from signed_in import Somebody, client, signed_in

from leadglass.app.archive import Archive
from leadglass.core.accounts import Role
from leadglass.core.principal import SYSTEM
from leadglass.dicom.part10 import build_file_header
from leadglass.dicom.uids import EXPLICIT_VR_LE

DICOM = {"content-type": "application/dicom"}


def file_of(study: int, number: int = 1) -> bytes:
    made = data_set(study, number)
    return build_file_header(made.SOPClassUID, made.SOPInstanceUID, EXPLICIT_VR_LE) + encoded(made)


def technologist(archive: Archive) -> Somebody:
    return signed_in(archive, "tech", Role.TECHNOLOGIST, institutions=frozenset({"nord"}))


async def sent(archive: Archive, who: Somebody, body: bytes, **headers: str) -> httpx.Response:
    async with client(archive) as http:
        return await http.post("/upload/file", content=body, headers={**who.changing, **DICOM, **headers})


async def test_a_file_is_stored_and_may_be_sent_again(archive: Archive) -> None:
    who = technologist(archive)
    for _ in range(2):
        answer = await sent(archive, who, file_of(1))
        assert (answer.status_code, answer.json()) == (200, {"study": study_uid(1)})
    assert archive.catalog.statistics()["instances"] == 1
    assert archive.maintenance.statistics(SYSTEM)["versions"] == 0


@pytest.mark.parametrize(
    "body", [b"", b"nothing of DICOM" * 20, b"PK\x03\x04" + b"x" * 300, file_of(1)[:400], b"\0" * 128 + b"DICM"]
)
async def test_what_is_no_dicom_is_refused_with_a_reason(archive: Archive, body: bytes) -> None:
    answer = await sent(archive, technologist(archive), body)
    assert answer.status_code == 422 and len(answer.json()["why"]) > 5
    assert archive.catalog.statistics()["instances"] == 0


async def test_who_may_not_store_uploads_nothing(archive: Archive) -> None:
    who = signed_in(archive, "rossi", Role.CLINICIAN)
    assert (await sent(archive, who, file_of(1))).status_code == 403
    tech = technologist(archive)
    assert (await sent(archive, tech, file_of(1), **{"x-csrf-token": who.csrf})).status_code == 403
    assert (await sent(archive, tech, file_of(1), **{"content-type": "text/plain"})).status_code == 415
    assert (await sent(archive, tech, file_of(1), **{"content-encoding": "gzip"})).status_code == 415
    assert archive.catalog.statistics()["instances"] == 0


async def test_what_a_technologist_uploads_is_of_the_institution_and_no_others_is_touched(archive: Archive) -> None:
    who = technologist(archive)
    await store_one(archive, 2)
    assert (await sent(archive, who, file_of(1))).status_code == 200
    refused = await sent(archive, who, file_of(2, 7))
    assert refused.status_code == 422 and "may not be stored" in refused.json()["why"]
    nowhere = signed_in(archive, "other", Role.TECHNOLOGIST)
    two = signed_in(archive, "both", Role.TECHNOLOGIST, institutions=frozenset({"nord", "sud"}))
    for somebody in (nowhere, two):
        assert (await sent(archive, somebody, file_of(3))).status_code == 422
    async with client(archive) as http:
        shown = (await http.get("/studies", headers=who.headers)).text
    assert study_uid(1) in shown and study_uid(2) not in shown


async def test_the_page_tells_the_script_its_words_and_bounds(archive: Archive) -> None:
    who = technologist(archive)
    async with client(archive) as http:
        english = (await http.get("/upload", headers=who.headers)).text
        italian = (await http.get("/upload", headers={**who.headers, "accept-language": "it"})).text
    assert 'data-going="%1 of %2 files stored."' in english and "data-largest=" in english
    assert "Trascini qui" in italian and 'data-bad-zip="' in italian
