"""A data set that came by STOW-RS leaves by every way of the web door as it was in its file, byte for byte: all sample
studies, and all files of pydicom and pydicom-data that can be catalogued. The others are refused, for a reason that
is listed."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import archives
import httpx
import multiparts
import pydicom
import pytest
import webbed
from collection import Specimen, collection, rounds, sample_study
from refused import REFUSED_BY_WEB
from stowing import failed, others, stored, stow

from leadglass.app.archive import Archive
from leadglass.app.samples.studies import all_studies
from leadglass.dicom.sop_classes import is_patientless

ANY = "transfer-syntax=*"
SPECIMENS = collection()
TAKEN = rounds(
    [item for item in SPECIMENS if item.identified and item.name not in REFUSED_BY_WEB], lambda item: item.sop_instance
)
PREAMBLE = 128


@pytest.mark.parametrize("number", range(len(TAKEN)))
async def test_files_of_pydicom_come_back_as_they_were(number: int, tmp_path: Path) -> None:
    with archives.opened(archives.make(tmp_path, [])) as archive:
        assert await wrong_of(archive, TAKEN[number]) == []


@pytest.mark.timeout(300)
@pytest.mark.parametrize("key", [study.key for study, _ in all_studies()])
async def test_sample_studies_come_back_as_they_were(key: str, tmp_path: Path) -> None:
    samples = list(sample_study(key, tmp_path))
    assert samples
    with archives.opened(archives.make(tmp_path, [])) as archive:
        assert await wrong_of(archive, samples) == []


async def test_the_others_are_refused_for_the_reason_that_is_listed(tmp_path: Path) -> None:
    wrong = []
    with archives.opened(archives.make(tmp_path, [])) as archive:
        async with webbed.client(archive) as http:
            for item in (item for item in SPECIMENS if item.name in REFUSED_BY_WEB):
                answer = await stow(http, item.path.read_bytes())
                told = answer.headers.get("warning", "")
                not_stored = len(failed(answer)) + len(others(answer))
                if (answer.status_code, not_stored) != (409, 1) or REFUSED_BY_WEB[item.name] not in told:
                    wrong.append((item.name, answer.status_code, told))
            assert (await http.get("/dicom-web/instances")).json() == []
    assert wrong == []


def test_the_list_names_files_of_the_collections_and_none_that_has_all_it_needs() -> None:
    by_name = {item.name: item for item in SPECIMENS}
    assert REFUSED_BY_WEB.keys() <= by_name.keys()
    lacking = {name for name, item in by_name.items() if not item.identified and not is_patientless(item.sop_class)}
    assert lacking <= REFUSED_BY_WEB.keys()


async def wrong_of(archive: Archive, items: list[Specimen]) -> list[tuple[str, str]]:
    """Store all in one request, and fetch each in every way: what did not come back, and by which way."""
    async with webbed.client(archive) as http:
        answer = await stow(http, *(item.path.read_bytes() for item in items))
        assert answer.status_code == 200, answer.headers.get("warning")
        assert sorted(stored(answer)) == sorted(item.sop_instance for item in items)
        wrong = []
        for study in sorted({item.study for item in items}):
            mine = [item for item in items if item.study == study]
            for way, came in (("multipart", await by_multipart(http, study)), ("zip", await by_zip(http, study))):
                assert len(came) == len(mine), (study, way)
                wrong += [(item.name, way) for item in mine if not as_it_was(item, came.get(item.sop_instance))]
        for item in items:
            if not as_it_was(item, await by_uri(http, item)):
                wrong.append((item.name, "uri"))
    return wrong


async def by_multipart(http: httpx.AsyncClient, study: str) -> dict[str, bytes]:
    accept = f'multipart/related; type="application/dicom"; {ANY}'
    answer = await http.get(f"/dicom-web/studies/{study}", headers={"accept": accept}, timeout=60)
    assert answer.status_code == 200, answer.text
    return {named(content): content for _, content in multiparts.parts(answer)}


async def by_zip(http: httpx.AsyncClient, study: str) -> dict[str, bytes]:
    answer = await http.get(f"/dicom-web/studies/{study}", headers={"accept": f"application/zip; {ANY}"}, timeout=60)
    assert answer.status_code == 200, answer.text
    with zipfile.ZipFile(io.BytesIO(answer.content)) as found:
        assert found.testzip() is None
        files = [found.read(name) for name in found.namelist()]
    return {named(content): content for content in files}


async def by_uri(http: httpx.AsyncClient, item: Specimen) -> bytes:
    uids = {"studyUID": item.study, "seriesUID": item.series, "objectUID": item.sop_instance}
    query = {"requestType": "WADO", **uids, "contentType": "application/dicom", "transferSyntax": "*"}
    answer = await http.get("/wado", params=query, timeout=60)
    assert answer.status_code == 200, answer.text
    return answer.content


def named(file: bytes) -> str:
    """Which instance it says that it holds."""
    return str(pydicom.dcmread(io.BytesIO(file), stop_before_pixels=True, specific_tags=[]).file_meta[0x00020003].value)


def as_it_was(item: Specimen, file: bytes | None) -> bool:
    """Whether its data set is, after a preamble of zeros and a File Meta that is ours and true."""
    if file is None or file[:PREAMBLE] != bytes(PREAMBLE) or not file.endswith(item.data):
        return False
    head = io.BytesIO(file[: len(file) - len(item.data)])
    meta = pydicom.dcmread(head).file_meta
    uids = (meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID, meta.TransferSyntaxUID)
    known = {0x00020000, 0x00020001, 0x00020002, 0x00020003, 0x00020010, 0x00020012, 0x00020013}
    return uids == (item.sop_class, item.sop_instance, item.syntax) and {int(element.tag) for element in meta} <= known
