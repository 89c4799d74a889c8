"""Clients that others wrote retrieve over HTTP from a served archive: dicomweb-client, curl and unzip."""

from __future__ import annotations

import asyncio
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import archives
import pytest
from dicomweb_client.api import DICOMwebClient
from objects import data_set, encoded, store, study_uid, uid
from pydicom.dataset import Dataset
from requests.exceptions import HTTPError

from leadglass.app.cli.opening import operator
from leadglass.core.tokens import Scope
from leadglass.dicom.part10 import split_file
from leadglass.services.tokens import Wanted

COUNT = 5
SERIES = f"{study_uid(1)}.1000"


def made(number: int) -> Dataset:
    pixels = {"Rows": 300, "Columns": 400, "SamplesPerPixel": 1, "PhotometricInterpretation": "MONOCHROME2"}
    depth = {"BitsAllocated": 16, "BitsStored": 16, "HighBit": 15, "PixelRepresentation": 0, "NumberOfFrames": 2}
    return data_set(1, number, size=480_000, **pixels, **depth)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str]]:
    """URL and token of a served archive with one study."""
    port = archives.free_port()
    home = archives.make(tmp_path_factory.mktemp("site"), [], web_port=port)
    with archives.opened(home) as archive:
        token = archive.tokens.issue(operator(), Wanted("viewer", frozenset({Scope.READ}))).text

        async def fill() -> None:
            for number in range(1, COUNT + 1):
                await store(archive, encoded(made(number)), uid(1, number))

        asyncio.run(fill())
    with archives.served(home):
        yield f"http://127.0.0.1:{port}/dicom-web", token


@pytest.fixture
def client(site: tuple[str, str]) -> DICOMwebClient:
    return DICOMwebClient(site[0], headers={"Authorization": f"Bearer {site[1]}"})


def test_dicomweb_client_retrieves_a_study_and_a_series(client: DICOMwebClient) -> None:
    for found in (client.retrieve_study(study_uid(1)), client.retrieve_series(study_uid(1), SERIES)):
        assert [item.to_json() for item in found] == [made(number).to_json() for number in range(1, COUNT + 1)]
        assert all("MediaStorageSOPInstanceUID" in item.file_meta for item in found)


def test_dicomweb_client_retrieves_an_instance_and_its_frames(client: DICOMwebClient) -> None:
    place = (study_uid(1), SERIES, uid(1, 2))
    assert client.retrieve_instance(*place) == made(2)
    frames = client.retrieve_instance_frames(*place, frame_numbers=[2, 1])
    pixels = bytes(made(2).PixelData)
    assert frames == [pixels[240_000:], pixels[:240_000]]
    streamed = list(client.iter_series(study_uid(1), SERIES))
    assert len(streamed) == COUNT


def test_dicomweb_client_follows_bulk_data_of_the_metadata(client: DICOMwebClient) -> None:
    metadata = client.retrieve_instance_metadata(study_uid(1), SERIES, uid(1, 3))
    (pixels,) = client.retrieve_bulkdata(metadata["7FE00010"]["BulkDataURI"])
    assert pixels == made(3).PixelData
    (part,) = client.retrieve_bulkdata(metadata["7FE00010"]["BulkDataURI"], byte_range=(100, 199))
    assert pixels.startswith(part[:100])


def test_what_is_not_there_is_not_found(client: DICOMwebClient) -> None:
    with pytest.raises(HTTPError) as refused:
        client.retrieve_instance(study_uid(1), SERIES, uid(1, 99))
    assert refused.value.response.status_code == 404


def test_curl_takes_a_zip_that_unzip_opens(site: tuple[str, str], tmp_path: Path) -> None:
    curl, unzip = shutil.which("curl"), shutil.which("unzip")
    if curl is None or unzip is None:
        pytest.skip("needs curl and unzip")
    config = f'header = "Authorization: Bearer {site[1]}"\nheader = "Accept: application/zip"\n'
    target = tmp_path / "study.zip"
    command = [curl, "-sSf", "-K", "-", "-o", str(target), f"{site[0]}/studies/{study_uid(1)}"]
    subprocess.run(command, input=config.encode(), check=True, timeout=60)
    subprocess.run([unzip, "-q", str(target), "-d", str(tmp_path)], check=True, timeout=60)
    files = sorted((tmp_path / "STUDY001" / "SERIES001").iterdir())
    found = [path.read_bytes() for path in files]
    assert [file[split_file(file).data_set_offset :] for file in found] == [
        encoded(made(number)) for number in range(1, COUNT + 1)
    ]
