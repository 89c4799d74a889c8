"""dicomweb-client of PyPI, over plain HTTP on loopback and over TLS of the archive's own CA: its whole interface.

Streams, ranges and uploads of many: test_stow_clients.py, test_wado_clients.py.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import interop_studies as studies
import numpy as np
import pydicom
import pytest
import requests
from collection import collection
from dicomweb_client.api import DICOMwebClient
from interop_studies import ALL_SERIES, MUELLER, MUELLER_MR, YAMADA
from pydicom.dataset import Dataset
from pydicom.encaps import generate_frames
from requests.exceptions import HTTPError, SSLError
from web_site import WebSite, web_site

COMPRESSED = {  # file of pydicom -> media type of its frames
    "emri_small_jpeg_2k_lossless.dcm": "image/jp2",
    "emri_small_jpeg_ls_lossless.dcm": "image/jls",
    "emri_small_RLE.dcm": "image/dicom-rle",
}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WebSite]:
    with web_site(tmp_path_factory.mktemp("site")) as made:
        yield made


@pytest.fixture(scope="module", params=["plain", "tls"])
def client(request: pytest.FixtureRequest, site: WebSite) -> DICOMwebClient:
    session = requests.Session()
    session.trust_env = False  # a bundle of authorities that the environment names would go before ours
    session.verify = str(site.authority)
    made = DICOMwebClient(site.roots[request.param], session, headers={"Authorization": site.bearer})
    made.set_http_retry_params(retry=False)
    return made


@pytest.fixture(scope="module")
def sent(client: DICOMwebClient, tmp_path_factory: pytest.TempPathFactory) -> list[Dataset]:
    """What the client stored. Sent over the other listener again, it is the same as before."""
    made = [pydicom.dcmread(path) for path in studies.write(tmp_path_factory.mktemp("files"))]
    answer = client.store_instances(made)
    told = [item.ReferencedSOPInstanceUID for item in answer.ReferencedSOPSequence]
    assert (told, "FailedSOPSequence" in answer) == ([item.SOPInstanceUID for item in made], False)
    return made


def of(sent: list[Dataset], series: studies.Series) -> list[Dataset]:
    return [item for item in sent if item.SeriesInstanceUID == series.uid]


def by_number(found: list[Dataset]) -> list[Dataset]:
    return sorted(found, key=lambda item: item.InstanceNumber)


def uids(found: list[dict], tag: str) -> list[str]:
    return sorted(item[tag]["Value"][0] for item in found)


# --- search ---------------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("sent")
def test_it_finds_studies_by_keyword_tag_range_and_fuzzy_name(client: DICOMwebClient) -> None:
    def found(fuzzy: bool | None = None, **keys: str) -> set[str]:
        return set(uids(client.search_for_studies(search_filters=keys, fuzzymatching=fuzzy), "0020000D"))

    assert found(PatientID="M-1") == {MUELLER.study_uid, MUELLER_MR.study_uid}
    assert found(**{"00100020": "M-1", "StudyDate": "20240201-20240401"}) == {MUELLER_MR.study_uid}
    assert found(True, PatientName="jurgen mul") == {MUELLER.study_uid, MUELLER_MR.study_uid}
    assert found(PatientName="jurgen mul") == set()
    assert found(PatientName="*山田*") == {YAMADA.study_uid}
    assert found(StudyDescription="頭部") == {YAMADA.study_uid}
    assert found(ModalitiesInStudy="MR", PatientID="M-1") == {MUELLER_MR.study_uid}
    assert found(StudyInstanceUID=f"{MUELLER.study_uid},{YAMADA.study_uid}") == {MUELLER.study_uid, YAMADA.study_uid}


@pytest.mark.usefixtures("sent")
def test_names_come_in_all_their_writings(client: DICOMwebClient) -> None:
    (found,) = client.search_for_studies(search_filters={"PatientID": "Y-1"})
    alphabetic, ideographic, phonetic = YAMADA.name.split("=")
    wanted = {"Alphabetic": alphabetic, "Ideographic": ideographic, "Phonetic": phonetic}
    assert found["00100010"]["Value"] == [wanted]
    assert Dataset.from_json(found).PatientName == YAMADA.name


@pytest.mark.usefixtures("sent")
def test_it_finds_series_and_instances_of_a_study_and_of_all(client: DICOMwebClient) -> None:
    everything = {series.uid for series in ALL_SERIES}
    assert everything <= set(uids(client.search_for_series(), "0020000E"))
    assert uids(client.search_for_series(MUELLER.study_uid), "0020000E") == [MUELLER.uid]
    of_patient = client.search_for_series(search_filters={"Modality": "MR", "PatientID": "M-1"})
    assert uids(of_patient, "0020000E") == [MUELLER_MR.uid]
    instances = [f"{MUELLER.uid}.{number}" for number in (1, 2, 3)]
    assert uids(client.search_for_instances(MUELLER.study_uid, MUELLER.uid), "00080018") == instances
    assert uids(client.search_for_instances(MUELLER.study_uid), "00080018") == instances
    keys = {"InstanceNumber": "2", "SeriesInstanceUID": YAMADA.uid}
    assert uids(client.search_for_instances(search_filters=keys), "00080018") == [f"{YAMADA.uid}.2"]


@pytest.mark.usefixtures("sent")
def test_it_asks_for_fields_and_pages(client: DICOMwebClient) -> None:
    keys = {"StudyInstanceUID": MUELLER.study_uid}
    (plain,) = client.search_for_studies(search_filters=keys)
    (more,) = client.search_for_studies(search_filters=keys, fields=["SOPClassesInStudy", "00080062"])
    assert Dataset.from_json(plain).NumberOfStudyRelatedInstances == MUELLER.images
    assert ("00080062" in plain, "00080062" in more) == (False, True)
    pages = [client.search_for_instances(MUELLER.study_uid, limit=1, offset=offset) for offset in range(4)]
    assert [len(page) for page in pages] == [1, 1, 1, 0]
    whole = client.search_for_instances(MUELLER.study_uid, limit=1, get_remaining=True)
    assert whole == [item for page in pages for item in page]
    assert len(set(uids(whole, "00080018"))) == MUELLER.images


def test_a_search_that_nobody_can_mean_is_refused(client: DICOMwebClient) -> None:
    with pytest.raises(HTTPError) as refused:
        client.search_for_studies(search_filters={"0010002g": "1"})
    assert refused.value.response.status_code == 400
    assert refused.value.response.headers["content-type"] == "application/problem+json"


# --- retrieve -------------------------------------------------------------------------------------------------------


def test_it_retrieves_studies_series_and_instances(client: DICOMwebClient, sent: list[Dataset]) -> None:
    images = of(sent, MUELLER)
    assert by_number(client.retrieve_study(MUELLER.study_uid)) == images
    assert by_number(client.retrieve_series(MUELLER.study_uid, MUELLER.uid)) == images
    assert by_number(client.iter_study(MUELLER.study_uid)) == images
    place = (MUELLER.study_uid, MUELLER.uid, images[1].SOPInstanceUID)
    for types in (None, (("application/dicom", "*"),), (("application/dicom", "1.2.840.10008.1.2.1"),)):
        asked = {} if types is None else {"media_types": types}
        assert client.retrieve_instance(*place, **asked) == images[1]


def test_its_metadata_are_the_data_sets(client: DICOMwebClient, sent: list[Dataset]) -> None:
    images = of(sent, YAMADA)
    of_study = client.retrieve_study_metadata(YAMADA.study_uid)
    assert of_study == client.retrieve_series_metadata(YAMADA.study_uid, YAMADA.uid)
    assert client.retrieve_instance_metadata(YAMADA.study_uid, YAMADA.uid, images[0].SOPInstanceUID) in of_study

    def fetched(tag: str, vr: str, uri: str) -> bytes:
        (value,) = client.retrieve_bulkdata(uri)
        return bytes(value)

    assert by_number(Dataset.from_json(item, bulk_data_uri_handler=fetched) for item in of_study) == [
        Dataset(item) for item in images
    ]


@pytest.fixture(scope="module", params=COMPRESSED)
def compressed(request: pytest.FixtureRequest, client: DICOMwebClient) -> Dataset:
    """One of them as an instance of its own, which the client stored."""
    made = pydicom.dcmread(path_of(request.param))
    made.SOPInstanceUID = made.file_meta.MediaStorageSOPInstanceUID = (
        f"{studies.ROOT}.9.{made.file_meta.TransferSyntaxUID}"
    )
    client.store_instances([made])
    return made


def path_of(name: str) -> Path:
    return next(item.path for item in collection() if item.name == name)


@pytest.fixture(scope="module")
def pixels() -> np.ndarray:
    """What all of them decode to."""
    return pydicom.dcmread(path_of("emri_small.dcm")).pixel_array


def place_of(made: Dataset) -> tuple[str, str, str]:
    return made.StudyInstanceUID, made.SeriesInstanceUID, made.SOPInstanceUID


def test_it_retrieves_frames_in_the_media_types_it_knows(client: DICOMwebClient, compressed: Dataset, pixels) -> None:
    syntax, numbers = str(compressed.file_meta.TransferSyntaxUID), [10, 1, 4]
    own = next(kind for name, kind in COMPRESSED.items() if str(compressed.filename).endswith(name))
    frames = [bytes(frame) for frame in generate_frames(compressed.PixelData, number_of_frames=len(pixels))]
    as_stored = [frames[number - 1] for number in numbers]
    native = [pixels[number - 1].tobytes() for number in numbers]
    octets = ("application/octet-stream", "1.2.840.10008.1.2.1")
    for types, wanted in (
        (None, native),
        (("application/octet-stream",), native),
        ((octets,), native),
        (((own, syntax),), as_stored),
        ((("image/*", "*"),), as_stored),
        (((own, syntax), octets), as_stored),
    ):
        assert client.retrieve_instance_frames(*place_of(compressed), numbers, media_types=types) == wanted, types


def test_it_decodes_pixels_that_metadata_name(client: DICOMwebClient, compressed: Dataset, pixels) -> None:
    metadata = client.retrieve_instance_metadata(*place_of(compressed))
    frames = client.retrieve_bulkdata(metadata["7FE00010"]["BulkDataURI"], media_types=("application/octet-stream",))
    assert b"".join(frames) == pixels.tobytes()


@pytest.mark.usefixtures("sent")
def test_it_retrieves_pictures(client: DICOMwebClient) -> None:
    place = (MUELLER.study_uid, MUELLER.uid, f"{MUELLER.uid}.1")
    assert client.retrieve_instance_rendered(*place, media_types=("image/png",)).startswith(b"\x89PNG")
    assert client.retrieve_instance_rendered(*place, media_types=("image/jpeg",)).startswith(b"\xff\xd8\xff")
    assert client.retrieve_instance_frames_rendered(*place, [1], media_types=("image/png",)).startswith(b"\x89PNG")


# --- delete, and who is not let in ----------------------------------------------------------------------------------


def test_what_it_deleted_is_not_there_until_it_is_stored_again(client: DICOMwebClient, sent: list[Dataset]) -> None:
    client.delete_study(MUELLER_MR.study_uid)
    assert client.search_for_studies(search_filters={"StudyInstanceUID": MUELLER_MR.study_uid}) == []
    with pytest.raises(HTTPError) as absent:
        client.retrieve_study(MUELLER_MR.study_uid)
    assert absent.value.response.status_code == 404
    client.store_instances(of(sent, MUELLER_MR))
    assert by_number(client.retrieve_study(MUELLER_MR.study_uid)) == of(sent, MUELLER_MR)


def test_without_a_token_or_the_authority_it_gets_nothing(site: WebSite) -> None:
    stranger = DICOMwebClient(site.plain)
    with pytest.raises(HTTPError) as refused:
        stranger.search_for_studies()
    assert refused.value.response.status_code == 401
    trusting_others = DICOMwebClient(site.tls, headers={"Authorization": site.bearer})
    trusting_others.set_http_retry_params(retry=False)
    with pytest.raises(SSLError):
        trusting_others.search_for_studies()
