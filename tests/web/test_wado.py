"""Whole instances over WADO-RS: byte for byte what came in, in every container, and nothing that is not to be seen."""

from __future__ import annotations

import io
import subprocess
import zipfile
import zlib
from pathlib import Path

import httpx
import multiparts
import objects
import pydicom
import pytest
import webbed
from pydicom.filebase import DicomBytesIO

from leadglass.app.archive import Archive
from leadglass.core.reach import Reach
from leadglass.dicom.part10 import split_file
from leadglass.dicom.uids import DEFLATED_EXPLICIT_VR_LE, EXPLICIT_VR_BE, EXPLICIT_VR_LE, IMPLICIT_VR_LE
from leadglass.web.streams import CutOffError

STUDY = f"/dicom-web/studies/{objects.study_uid(1)}"
SERIES = f"{STUDY}/series/{objects.study_uid(1)}.1000"
ONE = f"{SERIES}/instances/{objects.uid(1, 1)}"
RELATED = 'multipart/related; type="application/dicom"'
AS_STORED = RELATED + "; transfer-syntax=*"


def data_set_of(file: bytes) -> bytes:
    assert file[:132] == bytes(128) + b"DICM"
    return file[split_file(file).data_set_offset :]


async def get(http: httpx.AsyncClient, path: str, accept: str = "") -> httpx.Response:
    return await http.get(path, headers={"accept": accept} if accept else {})


@pytest.mark.parametrize("path", [STUDY, SERIES])
async def test_a_study_and_a_series_come_back_as_they_came(archive: Archive, path: str) -> None:
    sent = [await objects.store_one(archive, 1, number) for number in (1, 2, 3)]
    await objects.store_one(archive, 2)
    async with webbed.client(archive) as http:
        answer = await get(http, path, AS_STORED)
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith('multipart/related; type="application/dicom"; boundary=')
    found = multiparts.parts(answer)
    assert [kind for kind, _ in found] == [f"application/dicom; transfer-syntax={EXPLICIT_VR_LE}"] * 3
    assert [data_set_of(file) for _, file in found] == sent
    assert pydicom.dcmread(io.BytesIO(found[0][1])).SOPInstanceUID == objects.uid(1, 1)


async def test_one_instance_comes_alone_where_that_is_asked_for(archive: Archive) -> None:
    sent = await objects.store_one(archive)
    async with webbed.client(archive) as http:
        alone = await get(http, ONE, "application/dicom")
        in_parts = await get(http, ONE)
        refused = await get(http, STUDY, "application/dicom")
    assert alone.headers["content-type"] == f"application/dicom; transfer-syntax={EXPLICIT_VR_LE}"
    assert alone.headers["content-disposition"] == 'attachment; filename="image.dcm"'
    assert data_set_of(alone.content) == sent
    assert multiparts.parts(in_parts)[0][1] == alone.content
    assert refused.status_code == 406


@pytest.mark.parametrize("stored", [IMPLICIT_VR_LE, EXPLICIT_VR_BE, DEFLATED_EXPLICIT_VR_LE])
async def test_the_default_is_explicit_little_endian(archive: Archive, stored: str) -> None:
    made = objects.data_set()
    data = objects.encoded(made, IMPLICIT_VR_LE if stored == IMPLICIT_VR_LE else EXPLICIT_VR_BE)
    if stored == DEFLATED_EXPLICIT_VR_LE:
        deflate = zlib.compressobj(wbits=-15)
        data = deflate.compress(objects.encoded(made)) + deflate.flush()
        data += b"\0" * (len(data) % 2)
    await objects.store(archive, data, objects.uid(1, 1), syntax=stored)
    async with webbed.client(archive) as http:
        plain = await get(http, ONE, "application/dicom")
        raw = await get(http, ONE, "application/dicom; transfer-syntax=*")
        deflated = await get(http, ONE, f"application/dicom; transfer-syntax={DEFLATED_EXPLICIT_VR_LE}")
    assert data_set_of(raw.content) == data
    assert raw.headers["content-type"].endswith(f"transfer-syntax={stored}")
    for answer in (plain, raw, deflated):
        read = pydicom.dcmread(DicomBytesIO(answer.content))
        assert read.file_meta.TransferSyntaxUID == answer.headers["content-type"].rpartition("=")[2]
        assert read.PatientName == made.PatientName
    if stored != EXPLICIT_VR_BE:  # pydicom writes pixels of 16 bits as they are given, whatever the byte order
        assert data_set_of(plain.content) == objects.encoded(made)


@pytest.mark.parametrize("asked", [IMPLICIT_VR_LE, EXPLICIT_VR_BE, "1.2.840.10008.1.2.4.90", "1.2.3", "evil\x00"])
async def test_what_cannot_be_had_is_not_acceptable(archive: Archive, asked: str) -> None:
    await objects.store_one(archive)
    async with webbed.client(archive) as http:
        answer = await get(http, ONE, f'application/dicom; transfer-syntax="{asked}"')
        better = await get(http, ONE, f'application/dicom; transfer-syntax="{asked}", application/dicom; q=0.1')
    assert answer.status_code == 406
    assert answer.headers["content-type"] == "application/problem+json"
    assert better.status_code == 200


async def test_quality_chooses_and_the_accept_parameter_goes_before_the_header(archive: Archive) -> None:
    await objects.store_one(archive)
    async with webbed.client(archive) as http:
        answer = await get(http, ONE, "application/zip; q=0.2, application/dicom; q=0.3, image/png")
        asked = await http.get(ONE, params={"accept": "application/zip"}, headers={"accept": "application/dicom"})
    assert answer.headers["content-type"].startswith("application/dicom")
    assert asked.headers["content-type"] == "application/zip"


async def test_a_zip_of_files_tells_nothing_in_its_names(archive: Archive, tmp_path: Path) -> None:
    sent = [await objects.store_one(archive, 1, number, size=3_000_000) for number in (1, 2)]
    async with webbed.client(archive) as http:
        answer = await get(http, STUDY, "application/zip; transfer-syntax=*")
    (tmp_path / "got.zip").write_bytes(answer.content)
    with zipfile.ZipFile(tmp_path / "got.zip") as got:
        assert got.testzip() is None
        assert got.namelist() == ["STUDY001/SERIES001/00001.dcm", "STUDY001/SERIES001/00002.dcm"]
        assert {item.compress_type for item in got.infolist()} == {zipfile.ZIP_STORED}
        assert [data_set_of(got.read(name)) for name in got.namelist()] == sent
    assert answer.headers["content-disposition"] == 'attachment; filename="dicom.zip"'
    subprocess.run(["python3", "-m", "zipfile", "-t", str(tmp_path / "got.zip")], check=True, capture_output=True)


async def test_nothing_that_a_file_came_with_is_in_front_of_it(archive: Archive) -> None:
    """C11: a preamble is not kept, so no file passes for another format."""
    await objects.store_one(archive)
    async with webbed.client(archive) as http:
        answer = await get(http, ONE, "application/dicom")
    meta = pydicom.dcmread(io.BytesIO(answer.content)).file_meta
    assert sorted(element.keyword for element in meta) == [
        "FileMetaInformationGroupLength",
        "FileMetaInformationVersion",
        "ImplementationClassUID",
        "ImplementationVersionName",
        "MediaStorageSOPClassUID",
        "MediaStorageSOPInstanceUID",
        "TransferSyntaxUID",
    ]


async def test_absent_and_forbidden_look_the_same(archive: Archive) -> None:
    await objects.store_one(archive, 1)
    await objects.store_one(archive, 2)
    narrow = webbed.program("narrow", reach=Reach(studies=frozenset({objects.study_uid(2)})))
    async with webbed.client(archive, narrow) as http:
        for path in ("", f"/series/{objects.study_uid(1)}.1000", ONE.removeprefix(STUDY)):
            foreign, absent = await get(http, STUDY + path), await get(http, f"{STUDY}.9{path}")
            assert foreign.status_code == absent.status_code == 404
            assert foreign.content == absent.content


async def test_an_instance_is_not_found_below_another_study(archive: Archive) -> None:
    await objects.store_one(archive, 1)
    await objects.store_one(archive, 2)
    async with webbed.client(archive) as http:
        answer = await get(http, ONE.replace(objects.study_uid(1), objects.study_uid(2), 1))
    assert answer.status_code == 404


async def test_who_has_it_already_is_told_so(archive: Archive) -> None:
    await objects.store_one(archive)
    async with webbed.client(archive) as http:
        first = await get(http, STUDY, AS_STORED)
        same = await http.get(STUDY, headers={"accept": AS_STORED, "if-none-match": first.headers["etag"]})
        await objects.store_one(archive, 1, 2)
        grown = await http.get(STUDY, headers={"accept": AS_STORED, "if-none-match": first.headers["etag"]})
    assert (same.status_code, grown.status_code) == (304, 200)


async def test_one_that_cannot_be_read_does_not_pass_for_complete(archive: Archive) -> None:
    """All others are sent, and the answer has no end: nobody takes it for the whole study."""
    sent = [await objects.store_one(archive, 1, number) for number in (1, 2, 3)]
    await _spoil(archive, 2)
    async with webbed.client(archive) as http:
        with pytest.raises(CutOffError):
            await get(http, STUDY, AS_STORED)
        zipped = await get(http, STUDY, "application/zip; transfer-syntax=*")
        alone = await get(http, f"{SERIES}/instances/{objects.uid(1, 2)}", "application/dicom")
    with zipfile.ZipFile(io.BytesIO(zipped.content)) as got:
        assert got.namelist()[-1] == "MISSING.txt"
        assert objects.uid(1, 2) in got.read("MISSING.txt").decode()
        assert [data_set_of(got.read(name)) for name in got.namelist()[:-1]] == [sent[0], sent[2]]
    assert alone.status_code == 500
    assert b"authenticate" not in alone.content


async def _spoil(archive: Archive, number: int) -> None:
    """Turn a bit of a stored record round."""
    (stored,) = await archive.retrieve.select(webbed.program("tester"), objects.image(1, number))
    location = stored.location
    path = archive.home.vault / "segments" / location.segment[:2] / location.segment
    with path.open("r+b") as file:
        file.seek(location.offset + 200)
        byte = file.read(1)
        file.seek(location.offset + 200)
        file.write(bytes([byte[0] ^ 1]))


async def test_a_long_answer_ends_when_its_reader_is_let_in_no_more(
    archive: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in (1, 2):
        await objects.store_one(archive, 1, number)
    monkeypatch.setattr("leadglass.web.streams.ASK_SECONDS", 0.0)
    monkeypatch.setattr(webbed.Known, "still_valid", lambda self, principal: False)
    async with webbed.client(archive) as http:
        with pytest.raises(CutOffError):
            await get(http, STUDY)
