"""Audits of real web archives: Orthanc open and closed, this archive, and a directory that a web server lists."""

from __future__ import annotations

import json
import sys
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path

import interop_studies as studies
import pytest
from web_fakes import site_at
from web_site import web_site

from leadglass.exposure.facts import Answer, Facts, Observation, to_plain
from leadglass.exposure.findings import Assessment, Rung
from leadglass.exposure.observing import observe
from leadglass.exposure.registry import PROBES
from leadglass.exposure.rules.judge import judge

SERIES = (studies.MUELLER, studies.YAMADA)


@pytest.fixture
def start_orthanc(orthanc_dicomweb, start_peer, free_port, tmp_path) -> Callable[..., int]:
    """Start Orthanc with DICOMweb and these settings; gives its port."""

    def start(**settings: object) -> int:
        port, folder = free_port(), tmp_path / f"orthanc-{len(list(tmp_path.iterdir()))}"
        usual = {
            "StorageDirectory": str(folder),
            "IndexDirectory": str(folder),
            "Plugins": [str(orthanc_dicomweb.library)],
            "HttpPort": port,
            "DicomServerEnabled": False,
            "RemoteAccessAllowed": True,
            "AuthenticationEnabled": False,
            "DicomWeb": {"Enable": True, "Root": "/dicom-web/"},
        }
        config = tmp_path / f"{folder.name}.json"
        config.write_text(json.dumps({**usual, **settings}))
        start_peer([orthanc_dicomweb.tool("Orthanc"), config], port)
        return port

    return start


async def audited(port: int, **settings) -> tuple[Observation, Assessment]:
    """The whole audit of what listens there."""
    site = site_at(port, **settings)
    seen = await observe(site.service, site.scope, site.dialer, probes=PROBES, now=time.time, secret=site.secret)
    return seen, judge(seen)


def said(seen: Observation, answer: Answer) -> set[str]:
    return {fact.check for fact in seen.facts if fact.answer is answer and fact.check[0] == "W"}


@pytest.mark.interop("orthanc-dicomweb")
async def test_an_open_orthanc_is_counted_and_nobody_in_it_is_named(start_orthanc, tmp_path: Path) -> None:
    port = start_orthanc()
    files = studies.write(tmp_path / "files", SERIES)
    for path in files:
        request = urllib.request.Request(f"http://127.0.0.1:{port}/instances", data=path.read_bytes(), method="POST")
        urllib.request.urlopen(request, timeout=60).close()
    seen, judged = await audited(port)
    facts = Facts(seen.facts)
    assert said(seen, Answer.YES) == {"W00", "W01", "W02", "W03", "W04", "W07", "W08"}
    assert facts.value("W01", "roots") == ("/dicom-web",)
    assert facts.value("W08", "viewers") == ("orthanc-explorer",)
    counted = [facts.value("P01", name) for name in ("patients", "studies", "instances", "exactness")]
    assert counted == [2, 2, len(files), "exact"]
    assert judged.rung is Rung.COUNTED
    assert {finding.id for finding in judged.findings} >= {"read-exposure", "write-exposure", "viewer-open"}
    written = json.dumps([to_plain(seen), [vars_of(finding) for finding in judged.findings]])
    for secret in secrets_of(files):
        assert secret not in written


def vars_of(finding) -> dict:
    return {name: str(getattr(finding, name)) for name in finding.__slots__}


def secrets_of(files: list[Path]) -> set[str]:
    """Every value of the files that could tell who it is."""
    pydicom = pytest.importorskip("pydicom")
    wanted = ("PatientName", "PatientID", "PatientBirthDate", "StudyInstanceUID", "SOPInstanceUID", "AccessionNumber")
    read = [pydicom.dcmread(path, stop_before_pixels=True) for path in files]
    found = {str(value) for item in read for name in wanted if (value := getattr(item, name, ""))}
    assert len(found) > 6
    return found


@pytest.mark.interop("orthanc-dicomweb")
async def test_a_closed_orthanc_is_closed_and_known_by_name(start_orthanc) -> None:
    port = start_orthanc(AuthenticationEnabled=True, RegisteredUsers={"somebody": "made up for this test"})
    seen, judged = await audited(port)
    assert said(seen, Answer.YES) == {"W00", "W07"}
    assert not said(seen, Answer.UNKNOWN)
    assert judged.rung is Rung.PORT_OPEN
    assert Facts(seen.facts).value("M01", "product") == "Orthanc"


@pytest.mark.parametrize("door", ["plain", "tls"])
async def test_this_archive_looks_closed(door: str, tmp_path: Path) -> None:
    with web_site(tmp_path / "site") as site:
        port = int(site.roots[door].split(":")[2].partition("/")[0])
        seen, judged = await audited(port)
    assert said(seen, Answer.YES) == ({"W00"} if door == "tls" else {"W00", "W07"})
    assert not said(seen, Answer.UNKNOWN)
    assert judged.rung is Rung.PORT_OPEN
    assert {finding.id for finding in judged.findings} <= {"certificate-unsound"}
    assert Facts(seen.facts).value("W00", "tls") is (door == "tls")


async def test_a_directory_that_python_lists_is_found_and_no_name_in_it_kept(start_peer, free_port, tmp_path) -> None:
    folder = tmp_path / "served" / "DICOM"
    folder.mkdir(parents=True)
    for number in range(12):
        (folder / f"CANARY^ZEBEDEE {number}.dcm").write_bytes(b"")
    port = free_port()
    server = [sys.executable, "-m", "http.server", str(port), "--bind", "127.0.0.1", "--directory", folder.parent]
    start_peer(server, port)
    seen, judged = await audited(port)
    assert "W09" in said(seen, Answer.YES)
    assert Facts(seen.facts).value("W09", "files") == 12
    assert not said(seen, Answer.UNKNOWN)
    assert "listing-open" in {finding.id for finding in judged.findings}
    assert "ZEBEDEE" not in json.dumps(to_plain(seen))
    log = next(tmp_path.glob("peer-*.log")).read_text()
    assert ".dcm" not in log
