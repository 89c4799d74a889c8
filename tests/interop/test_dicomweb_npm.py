"""The npm package dicomweb-client, on which browsers' viewers are built: it stores, searches and retrieves."""

from __future__ import annotations

import base64
import json
import shutil
import subprocess
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import interop_studies as studies
import pydicom
import pytest
from collection import Specimen, collection
from interop_studies import MUELLER, YAMADA
from pydicom.encaps import generate_frames
from web_site import WebSite, web_site

from leadglass.dicom.part10 import split_file

pytestmark = pytest.mark.interop("dicomweb-client")

NPM = Path(__file__).parent / "npm"
COMPRESSED = "emri_small_jpeg_2k_lossless.dcm"  # ten frames of JPEG 2000
J2K = "1.2.840.10008.1.2.4.90"
JP2 = {"mediaType": "image/jp2", "transferSyntaxUID": J2K}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WebSite]:
    with web_site(tmp_path_factory.mktemp("site")) as made:
        yield made


def called(site: WebSite, *calls: tuple[str, dict[str, Any]], root: str = "plain") -> list[dict[str, Any]]:
    """What each call gave."""
    node = shutil.which("node")
    assert node is not None
    given = {"url": site.roots[root], "authorization": site.bearer, "calls": calls}
    done = subprocess.run(
        [node, "dicomweb.mjs"],
        cwd=NPM,
        input=json.dumps(given) + "\n",
        capture_output=True,
        text=True,
        timeout=60,
        env={"PATH": str(Path(node).parent), "NODE_EXTRA_CA_CERTS": str(site.authority)},
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def called_one(site: WebSite, method: str, root: str = "plain", **options: Any) -> Any:
    (result,) = called(site, (method, options), root=root)
    return result["value"]


@pytest.fixture(scope="module")
def files(site: WebSite, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """What the client stored: over plain HTTP and TLS, into any study and into a named one."""
    made = studies.write(tmp_path_factory.mktemp("files"), (MUELLER, YAMADA))
    named = [path for path in made if pydicom.dcmread(path).StudyInstanceUID == YAMADA.study_uid]
    every = called_one(site, "storeInstances", datasets=encoded(made))
    again = called_one(site, "storeInstances", "tls", datasets=encoded(named), studyInstanceUID=YAMADA.study_uid)
    assert (len(stored(every)), stored(again)) == (5, [uid_of(path) for path in named])
    return made


@pytest.fixture(scope="module")
def compressed(site: WebSite) -> Specimen:
    item = next(item for item in collection() if item.name == COMPRESSED)
    answer = called_one(site, "storeInstances", datasets=encoded([item.path]))
    assert stored(answer) == [item.sop_instance]
    return item


def encoded(paths: Iterable[Path]) -> list[str]:
    return [base64.b64encode(path.read_bytes()).decode() for path in paths]


def uid_of(path: Path) -> str:
    return str(pydicom.dcmread(path).SOPInstanceUID)


def stored(answer: str) -> list[str]:
    """The client gives the text of the Store Instances Response."""
    response = json.loads(answer)
    assert "00081198" not in response
    return [item["00081155"]["Value"][0] for item in response["00081199"]["Value"]]


def bytes_of(part: dict[str, str]) -> bytes:
    return base64.b64decode(part["base64"])


def data_set_of(part: dict[str, str]) -> bytes:
    file = bytes_of(part)
    return file[split_file(file).data_set_offset :]


def uids(found: list[dict[str, Any]], tag: str) -> list[str]:
    return [item[tag]["Value"][0] for item in found]


@pytest.mark.usefixtures("files")
@pytest.mark.parametrize("root", ["plain", "tls"])
def test_it_searches_at_every_level(site: WebSite, root: str) -> None:
    study = {"studyInstanceUID": MUELLER.study_uid}
    series_of = {**study, "seriesInstanceUID": MUELLER.uid}
    found = called(
        site,
        ("searchForStudies", {"queryParams": {"PatientName": "muller jur", "fuzzymatching": "true"}}),
        ("searchForSeries", {**study, "queryParams": {"Modality": "CT", "includefield": "all"}}),
        ("searchForInstances", {**series_of, "queryParams": {"limit": 2}}),
        ("searchForInstances", {**series_of, "queryParams": {"limit": 2, "offset": 2}}),
        ("searchForStudies", {"queryParams": {"PatientID": "nobody"}}),
        root=root,
    )
    by_name, series, first_page, second_page, nothing = (result["value"] for result in found)
    assert uids(by_name, "0020000D") == [MUELLER.study_uid]
    assert by_name[0]["00100010"]["Value"] == [{"Alphabetic": MUELLER.name}]
    assert uids(by_name, "00081190") == [f"{site.roots[root]}/studies/{MUELLER.study_uid}"]
    assert uids(series, "0020000E") == [MUELLER.uid]
    assert uids(series, "00081030") == [MUELLER.description]
    assert (len(first_page), len(second_page)) == (2, 1)
    assert sorted(uids(first_page + second_page, "00080018")) == [f"{MUELLER.uid}.{number}" for number in (1, 2, 3)]
    assert nothing == []


@pytest.mark.parametrize("root", ["plain", "tls"])
def test_it_retrieves_a_study_a_series_and_an_instance(site: WebSite, files: list[Path], root: str) -> None:
    series = {"studyInstanceUID": MUELLER.study_uid, "seriesInstanceUID": MUELLER.uid}
    results = called(
        site,
        ("retrieveStudy", {"studyInstanceUID": MUELLER.study_uid}),
        ("retrieveSeries", series),
        ("retrieveInstance", {**series, "sopInstanceUID": f"{MUELLER.uid}.2"}),
        root=root,
    )
    whole, of_series, alone = (result["value"] for result in results)
    sent = [file[split_file(file).data_set_offset :] for file in (path.read_bytes() for path in files[:3])]
    assert [data_set_of(part) for part in whole] == sent
    assert [data_set_of(part) for part in of_series] == sent
    assert data_set_of(alone) == sent[1]


def frames_of(item: Specimen) -> list[bytes]:
    return [bytes(frame) for frame in generate_frames(pydicom.dcmread(item.path).PixelData, number_of_frames=10)]


@pytest.mark.filterwarnings("ignore::UserWarning:pydicom")
def test_it_retrieves_metadata_and_follows_their_bulk_data(site: WebSite, compressed: Specimen) -> None:
    series = {"studyInstanceUID": compressed.study, "seriesInstanceUID": compressed.series}
    results = called(
        site,
        ("retrieveStudyMetadata", {"studyInstanceUID": compressed.study}),
        ("retrieveSeriesMetadata", series),
        ("retrieveInstanceMetadata", {**series, "sopInstanceUID": compressed.sop_instance}),
    )
    of_study, of_series, alone = (result["value"] for result in results)
    assert of_study == of_series == alone
    assert uids(of_study, "00080018") == [compressed.sop_instance]
    where = {"BulkDataURI": of_study[0]["7FE00010"]["BulkDataURI"]}
    as_stored = [{"mediaType": "application/octet-stream", "transferSyntaxUID": "*"}]
    bulk = called(site, ("retrieveBulkData", where), ("retrieveBulkData", {**where, "mediaTypes": as_stored}))
    decoded, kept = ([bytes_of(part) for part in result["value"]] for result in bulk)
    assert b"".join(decoded) == pydicom.dcmread(compressed.path).pixel_array.tobytes()
    assert kept == frames_of(compressed)


def test_it_retrieves_frames_compressed_and_not(site: WebSite, compressed: Specimen) -> None:
    one = {"studyInstanceUID": compressed.study, "seriesInstanceUID": compressed.series}
    one |= {"sopInstanceUID": compressed.sop_instance, "frameNumbers": [3, 1]}
    any_of = [JP2, {"mediaType": "application/octet-stream", "transferSyntaxUID": "1.2.840.10008.1.2.1"}]
    results = called(
        site,
        ("retrieveInstanceFrames", one),
        ("retrieveInstanceFrames", {**one, "mediaTypes": [JP2]}),
        ("retrieveInstanceFrames", {**one, "mediaTypes": any_of}),
    )
    native, as_stored, preferred = (result["value"] for result in results)
    frames, pixels = frames_of(compressed), pydicom.dcmread(compressed.path).pixel_array
    assert [bytes_of(part) for part in native] == [pixels[2].tobytes(), pixels[0].tobytes()]
    assert [bytes_of(part) for part in as_stored] == [frames[2], frames[0]]
    assert [(part["type"], part["syntax"]) for part in as_stored] == [("image/jp2", J2K)] * 2
    assert preferred == as_stored


@pytest.mark.usefixtures("files")
def test_it_retrieves_pictures_and_thumbnails(site: WebSite) -> None:
    one = {"studyInstanceUID": MUELLER.study_uid, "seriesInstanceUID": MUELLER.uid}
    one |= {"sopInstanceUID": f"{MUELLER.uid}.1"}
    results = called(
        site,
        ("retrieveInstanceRendered", {**one, "mediaTypes": [{"mediaType": "image/png"}]}),
        ("retrieveInstanceFramesRendered", {**one, "frameNumbers": [1], "mediaTypes": [{"mediaType": "image/jpeg"}]}),
        ("retrieveInstanceThumbnail", one),
    )
    png, jpeg, thumbnail = (result["value"] for result in results)
    assert bytes_of(png[0]).startswith(b"\x89PNG")
    assert bytes_of(jpeg[0]).startswith(b"\xff\xd8\xff")
    assert bytes_of(thumbnail[0]).startswith((b"\xff\xd8\xff", b"\x89PNG"))


def test_what_is_not_there_is_not_found(site: WebSite) -> None:
    assert called(site, ("retrieveStudyMetadata", {"studyInstanceUID": "1.2.3"})) == [{"status": 404}]
