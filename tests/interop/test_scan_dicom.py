"""Audits of real DICOM servers: DCMTK's archive and receiver, Orthanc, pynetdicom, TLS beside openssl."""

import json
import re
import ssl
import subprocess
import time
from dataclasses import replace

import pytest
from archives import device, free_port, make, served
from pynetdicom import AE, evt
from pynetdicom.sop_class import StudyRootQueryRetrieveInformationModelFind, Verification
from tls_server import certificate, context, tls_server
from web_fakes import site_at

from leadglass.app.samples import generate
from leadglass.exposure.facts import Answer, Facts
from leadglass.exposure.findings import Rung
from leadglass.exposure.observing import observe
from leadglass.exposure.registry import PROBES
from leadglass.exposure.rules.judge import judge


async def audited(port, **settings):
    site = site_at(port)
    site = replace(site, scope=replace(site.scope, **settings))
    seen = await observe(site.service, site.scope, site.dialer, probes=PROBES, now=time.time, secret=site.secret)
    return Facts(seen.facts), judge(seen)


def ids(judged):
    return {finding.id for finding in judged.findings if finding.score}


@pytest.mark.interop("dcmtk")
async def test_dcmtks_archive_refuses_made_up_titles_and_takes_its_own(dcmtk, start_peer, tmp_path):
    port, area = free_port(), tmp_path / "area"
    area.mkdir()
    config = tmp_path / "qr.cfg"
    config.write_text(
        f"NetworkTCPPort = {port}\nMaxPDUSize = 16384\nMaxAssociations = 16\nHostTable BEGIN\nHostTable END\n"
        f"VendorTable BEGIN\nVendorTable END\nAETable BEGIN\nCOMMON {area} RW (200, 1024mb) ANY\nAETable END\n"
    )
    start_peer([dcmtk.tool("dcmqrscp"), "-c", config], port)
    facts, judged = await audited(port)
    assert judged.rung is Rung.PDU_ANSWERED
    assert facts.yes("D03")
    assert facts.value("D03", "reason") == 7
    assert facts.get("D05").answer is Answer.SKIPPED
    facts, judged = await audited(port, default_titles=True)
    assert facts.value("D05", "titles") == ("COMMON",)
    assert "default-title" in ids(judged)


@pytest.mark.interop("dcmtk")
async def test_dcmtks_receiver_stores_for_anybody_and_answers_no_query(dcmtk, start_peer, tmp_path):
    port = free_port()
    start_peer([dcmtk.tool("storescp"), "-od", tmp_path, port], port)
    facts, judged = await audited(port)
    assert judged.rung is Rung.ECHO_ANSWERED
    assert {"write-exposure", "any-title"} <= ids(judged)
    assert facts.value("M01", "product") == "DCMTK"
    assert re.fullmatch(r"\d\.\d\.\d", facts.value("M01", "version"))
    assert not list(tmp_path.glob("*.dcm"))  # nothing was stored


@pytest.mark.interop("orthanc")
async def test_orthanc_accepts_contexts_of_anybody_and_answers_none_of_them(orthanc, start_peer, tmp_path):
    port = free_port()
    config = tmp_path / "orthanc.json"
    settings = {"StorageDirectory": str(tmp_path / "db"), "IndexDirectory": str(tmp_path / "db"), "Plugins": []}
    config.write_text(
        json.dumps({**settings, "DicomPort": port, "HttpServerEnabled": False, "DicomAlwaysAllowFind": False})
    )
    start_peer([orthanc.tool("Orthanc"), config], port)
    facts, judged = await audited(port)
    assert judged.rung is Rung.QUERY_CONTEXT_ACCEPTED
    assert facts.get("D08").answer is Answer.NO
    assert "read-exposure" not in ids(judged)
    assert "Orthanc" not in facts.value("M01", "product")  # it says that it is DCMTK, and no more is said for it
    assert any('"DicomAlwaysAllowFind": false' in finding.close for finding in judged.findings)


async def test_pynetdicom_that_answers_every_query_is_counted_exactly():
    studies = {sample.dataset.StudyInstanceUID: sample.dataset for sample in generate()}

    def find(event):
        asked = event.identifier
        for uid, held in studies.items():
            date = asked.get("StudyDate", "")
            first, _, last = date.partition("-")
            inside = not date or (first or "0") <= held.StudyDate <= (last or ("9" if "-" in date else first))
            times = asked.get("StudyTime", "")
            begin, _, end = times.partition("-")
            inside = inside and (not times or begin <= held.StudyTime[:6] <= end)
            if inside and asked.StudyInstanceUID in ("", uid):
                answer = type(asked)()
                answer.StudyInstanceUID = uid
                answer.StudyDate, answer.StudyTime = held.StudyDate, held.StudyTime
                answer.ModalitiesInStudy = held.Modality
                answer.NumberOfStudyRelatedSeries, answer.NumberOfStudyRelatedInstances = 1, 3
                yield 0xFF00, answer
        yield 0x0000, None

    entity = AE("PYNET")
    for uid in (Verification, StudyRootQueryRetrieveInformationModelFind):
        entity.add_supported_context(uid)
    server = entity.start_server(("127.0.0.1", 0), block=False, evt_handlers=[(evt.EVT_C_FIND, find)])
    try:
        facts, judged = await audited(server.socket.getsockname()[1])
    finally:
        server.shutdown()
    assert judged.rung is Rung.COUNTED
    assert facts.value("M01", "product") == "pynetdicom"
    assert facts.value("P01", "studies") == len(studies)
    assert facts.value("P01", "instances") == 3 * len(studies)
    assert facts.value("P01", "exactness") == "exact"
    years = {int(held.StudyDate[:4]) for held in studies.values()}
    assert (facts.value("P02", "first_year"), facts.value("P02", "last_year")) == (min(years), max(years))


async def test_this_archive_looks_closed_in_plain_text_and_in_tls(tmp_path):
    with served(make(tmp_path, [device("ct")], tls=True)) as server:
        facts, judged = await audited(server.port)
        assert judged.rung is Rung.PDU_ANSWERED
        assert not any("/AT:N/" in finding.vector for finding in judged.findings)
        facts, judged = await audited(server.tls_port)
        assert judged.rung is Rung.PORT_OPEN
        assert facts.get("D20").answer is Answer.NO
        assert facts.get("D18").answer is Answer.NO
        assert not any("/AT:N/" in finding.vector for finding in judged.findings)


@pytest.mark.parametrize(
    ("least", "ciphers", "versions", "weak"),
    [
        ("TLSv1.2", "ECDHE+AESGCM", (), False),
        ("TLSv1", "ALL:@SECLEVEL=0", ("TLSv1", "TLSv1.1"), True),
        ("TLSv1.2", "AES128-GCM-SHA256:@SECLEVEL=0", (), True),
    ],
)
async def test_versions_and_suites_are_those_that_openssl_agrees_on(tmp_path, least, ciphers, versions, weak):
    least = {"TLSv1": ssl.TLSVersion.TLSv1, "TLSv1.2": ssl.TLSVersion.TLSv1_2}[least]
    with tls_server(context(certificate(tmp_path / "cert.pem"), ciphers=ciphers, least=least)) as port:
        facts, _ = await audited(port)
        for flag, name in (("-tls1", "TLSv1"), ("-tls1_1", "TLSv1.1"), ("-tls1_2", "TLSv1.2"), ("-tls1_3", "TLSv1.3")):
            assert (name in facts.value("D18", "accepted")) is _openssl_agrees(port, flag), name
    assert facts.value("D18", "versions") == versions
    assert facts.yes("D18") is weak
    assert facts.value("D19", "key") == "RSA 2048"
    assert "self-signed" in facts.value("D19", "problems")
    assert "expired" not in facts.value("D19", "problems")


def _openssl_agrees(port, flag):
    done = subprocess.run(
        ["openssl", "s_client", "-connect", f"127.0.0.1:{port}", flag, "-cipher", "ALL:@SECLEVEL=0"],
        input=b"", capture_output=True, timeout=30, check=False,
    )  # fmt: skip
    return b"Cipher is (NONE)" not in done.stdout and b"New, " in done.stdout
