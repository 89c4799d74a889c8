"""Orthanc's DICOMweb plugin: as a client of the archive over plain HTTP and TLS, and as the server beside it.

Leadglass has no DICOMweb client of its own: in the other direction what one serves is posted to the other as it is.
"""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import archives
import httpx
import interop_studies as studies
import pydicom
import pytest
from interop_studies import MUELLER, YAMADA
from pydicom.dataset import Dataset
from pydicom.filebase import DicomBytesIO
from web_site import WebSite, web_site

pytestmark = pytest.mark.interop("orthanc-dicomweb")

PART_SYNTAX = re.compile(rb"(?<=application/dicom); transfer-syntax=[0-9.]+")
AS_STORED = {"accept": 'multipart/related; type="application/dicom"; transfer-syntax=*'}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WebSite]:
    with web_site(tmp_path_factory.mktemp("site")) as made:
        yield made


@pytest.fixture
def orthanc_web(site: WebSite, orthanc_dicomweb, start_peer, tmp_path: Path) -> httpx.Client:
    """A running, empty Orthanc. It knows the archive as `plain` and `tls`, and as `stranger` with a wrong token."""
    port = archives.free_port()
    known = {
        name: {"Url": root, "HttpHeaders": {"Authorization": site.bearer}, "HasDelete": True, "ChunkedTransfers": True}
        for name, root in site.roots.items()
    }
    known["stranger"] = {"Url": site.plain, "HttpHeaders": {"Authorization": "Bearer lg_nobody"}}
    settings = {
        "StorageDirectory": str(tmp_path / "orthanc"),
        "IndexDirectory": str(tmp_path / "orthanc"),
        "Plugins": [str(orthanc_dicomweb.library)],
        "HttpPort": port,
        "DicomPort": archives.free_port(),
        "RemoteAccessAllowed": False,
        "AuthenticationEnabled": False,
        "HttpsVerifyPeers": True,
        "HttpsCACertificates": str(site.authority),
        "DicomWeb": {"Enable": True, "Root": "/dicom-web/", "Servers": known},
    }
    (tmp_path / "orthanc.json").write_text(json.dumps(settings))
    start_peer([orthanc_dicomweb.tool("Orthanc"), tmp_path / "orthanc.json"], port)
    http = httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60)
    until(lambda: http.get("/system").status_code == 200)
    return http


def until(true: Callable[[], bool]) -> None:
    pause = threading.Event()
    for _ in range(200):
        try:
            if true():
                return
        except httpx.TransportError:
            pass
        pause.wait(0.1)
    raise AssertionError("it did not come to pass in time")


def asked(http: httpx.Client, path: str, body: dict[str, Any]) -> Any:
    answer = http.post(path, json=body)
    assert answer.status_code == 200, answer.text
    return answer.json()


def given(http: httpx.Client, folder: Path, series: studies.Series) -> tuple[list[str], dict[str, Dataset]]:
    """Images that Orthanc was given: its own names for them, and the data sets."""
    made = studies.write(folder, (series,))
    ids = [http.post("/instances", content=path.read_bytes()).json()["ID"] for path in made]
    return ids, {item.SOPInstanceUID: item for item in map(pydicom.dcmread, made)}


def held(http: httpx.Client) -> dict[str, Dataset]:
    """What is in Orthanc."""
    contents = (http.get(f"/instances/{name}/file").content for name in http.get("/instances").json())
    return {item.SOPInstanceUID: item for item in (pydicom.dcmread(DicomBytesIO(content)) for content in contents)}


def forget(http: httpx.Client) -> None:
    for name in http.get("/instances").json():
        http.delete(f"/instances/{name}")


@pytest.mark.parametrize("server", ["plain", "tls"])
def test_orthanc_stores_searches_and_retrieves(orthanc_web: httpx.Client, server: str, tmp_path: Path) -> None:
    """What it stored, it finds at the archive and, after forgetting it, has back unchanged."""
    ids, sent = given(orthanc_web, tmp_path / "files", MUELLER)
    job = asked(orthanc_web, f"/dicom-web/servers/{server}/stow", {"Resources": ids, "Synchronous": True})
    assert int(job["InstancesCount"]) == len(sent), job
    forget(orthanc_web)
    keys = {"PatientName": "MULLER*", "00100020": "M-1"}
    found = asked(orthanc_web, f"/dicom-web/servers/{server}/qido", {"Uri": "/studies", "Arguments": keys})
    assert [item["0020000D"]["Value"] for item in found] == [MUELLER.study_uid], found
    question = {"Uri": f"/studies/{MUELLER.study_uid}/instances", "HttpHeaders": {"Accept": "application/dicom+json"}}
    raw = asked(orthanc_web, f"/dicom-web/servers/{server}/get", question)
    assert {item["00080018"]["Value"][0] for item in raw} == set(sent)
    one = {"Study": MUELLER.study_uid, "Series": MUELLER.uid, "Instance": f"{MUELLER.uid}.2"}
    for resources, wanted in (
        ([one], {one["Instance"]}),
        ([{"Study": MUELLER.study_uid, "Series": MUELLER.uid}], set(sent)),
        ([{"Study": MUELLER.study_uid}], set(sent)),
    ):
        asked(orthanc_web, f"/dicom-web/servers/{server}/retrieve", {"Resources": resources, "Synchronous": True})
        assert held(orthanc_web) == {uid: sent[uid] for uid in wanted}
        forget(orthanc_web)


def test_orthanc_deletes_at_the_archive(orthanc_web: httpx.Client, tmp_path: Path) -> None:
    ids, _ = given(orthanc_web, tmp_path / "files", YAMADA)
    keys = {"Uri": "/studies", "Arguments": {"StudyInstanceUID": YAMADA.study_uid}}
    asked(orthanc_web, "/dicom-web/servers/plain/stow", {"Resources": ids, "Synchronous": True})
    assert len(asked(orthanc_web, "/dicom-web/servers/plain/qido", keys)) == 1
    gone = {"Level": "Study", "StudyInstanceUID": YAMADA.study_uid}
    assert orthanc_web.post("/dicom-web/servers/plain/delete", json=gone).status_code == 200
    assert asked(orthanc_web, "/dicom-web/servers/plain/qido", keys) == []


def test_orthanc_with_a_token_that_is_none_gets_nothing(orthanc_web: httpx.Client) -> None:
    refused = orthanc_web.post("/dicom-web/servers/stranger/qido", json={"Uri": "/studies"})
    assert refused.status_code >= 400
    assert orthanc_web.post("/dicom-web/servers/plain/qido", json={"Uri": "/studies"}).status_code == 200


def test_what_either_serves_the_other_stores(orthanc_web: httpx.Client, site: WebSite, tmp_path: Path) -> None:
    """The multipart answers of WADO-RS are bodies of STOW-RS: Orthanc's posted here, ours posted there."""
    _, sent = given(orthanc_web, tmp_path / "files", YAMADA)
    with httpx.Client(headers={"authorization": site.bearer}, timeout=60) as ours:
        theirs = orthanc_web.get(f"/dicom-web/studies/{YAMADA.study_uid}", headers=AS_STORED)
        kind = {"content-type": theirs.headers["content-type"]}
        answer = ours.post(f"{site.plain}/studies", content=theirs.content, headers=kind)
        assert (answer.status_code, len(answer.json()["00081199"]["Value"])) == (200, len(sent))
        forget(orthanc_web)
        served = ours.get(f"{site.plain}/studies/{YAMADA.study_uid}", headers=AS_STORED)
        kind = {"content-type": served.headers["content-type"], "accept": "application/dicom+json"}
        # Orthanc (plugin 1.7) passes over a part whose media type has parameters, and says nothing.
        plain = PART_SYNTAX.sub(b"", served.content)
        back = orthanc_web.post("/dicom-web/studies", content=plain, headers=kind)
    assert (back.status_code, held(orthanc_web)) == (200, sent)
