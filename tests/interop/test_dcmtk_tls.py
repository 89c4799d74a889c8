"""DCMTK's programs over mutual TLS, with the certificate that the command line handed over and nothing else.

In the distributions' releases movescu and getscu have no TLS: they call through a tunnel, as hospitals have it."""

from __future__ import annotations

import ssl
import stat
import subprocess
import threading

import archives
import interop_studies as studies
import pydicom
import pytest
from collection import specimen
from enrolling import enrol_with_certificate, leadglass
from pydicom.uid import CTImageStorage
from pynetdicom import AE, build_role, evt
from pynetdicom.sop_class import StudyRootQueryRetrieveInformationModelGet as GET
from tunnel import tunnel

pytestmark = pytest.mark.interop("dcmtk")

MUELLER = studies.MUELLER
PASSCODE = "orange battery staple"
STUDY = ("-k", "QueryRetrieveLevel=STUDY", "-k", f"StudyInstanceUID={MUELLER.study_uid}")
CALL = ("-aet", "WORKSTATION", "-aec", "LEADGLASS")


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    """A served archive that knows nobody."""
    home = archives.make(tmp_path_factory.mktemp("served"), [], tls=True)
    with archives.served(home) as server:
        yield server


@pytest.fixture(scope="module")
def sink():
    return archives.free_port()


@pytest.fixture(scope="module")
def papers(served, sink, tmp_path_factory):
    """A workstation, enrolled over the command line while the archive runs; it also listens, over TLS."""
    folder = tmp_path_factory.mktemp("papers")
    listens = ("--listens", f"WORKSTATION@127.0.0.1:{sink}", "--listens-tls")
    return enrol_with_certificate(served.home, folder, "WORKSTATION", *listens)


@pytest.fixture(scope="module")
def locked(served, tmp_path_factory):
    """A device that must carry a passcode over TLS as well."""
    folder = tmp_path_factory.mktemp("locked")
    (folder / "passcode").write_text(PASSCODE + "\n")
    return enrol_with_certificate(served.home, folder, "LOCKED", "--passcode-file", folder / "passcode")


@pytest.fixture(scope="module")
def filled(served, papers, dcmtk, tmp_path_factory):
    files = studies.write(tmp_path_factory.mktemp("studies"))
    command = [dcmtk.tool("storescu"), *papers.dcmtk, "-R", *CALL, "127.0.0.1", served.tls_port, *files]
    subprocess.run([str(part) for part in command], check=True, capture_output=True, timeout=60)
    return served


def written(folder):
    """The series as storescu sent it: data sets by SOP Instance UID."""
    return {item.sop_instance: item.data for item in map(specimen, studies.write(folder, (MUELLER,)))}


def test_the_files_are_for_their_owner_alone(papers):
    for path in (papers.key, papers.certificate, papers.authority):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.mark.parametrize("profile", ["+py", "+px", "+pz"])
def test_echo_in_every_profile_of_bcp_195(served, papers, dcmtk, run_peer, profile):
    run_peer([dcmtk.tool("echoscu"), *papers.dcmtk, profile, *CALL, "127.0.0.1", served.tls_port])


def test_store_then_find(filled, papers, dcmtk, run_peer, tmp_path):
    keys = ["-k", "QueryRetrieveLevel=STUDY", "-k", "PatientID=M-1", "-k", "StudyInstanceUID"]
    command = [dcmtk.tool("findscu"), "-S", *papers.dcmtk, *CALL, "-X", "-od", tmp_path, *keys]
    run_peer([*command, "127.0.0.1", filled.tls_port])
    answers = [pydicom.dcmread(path, force=True) for path in tmp_path.glob("rsp*")]
    assert MUELLER.study_uid in {answer.StudyInstanceUID for answer in answers}


def test_move_to_itself_with_both_ways_over_tls(filled, papers, sink, dcmtk, run_peer, start_peer, tmp_path):
    out = tmp_path / "came"
    out.mkdir()
    start_peer([dcmtk.tool("storescp"), *papers.dcmtk, "+B", "-aet", "WORKSTATION", "-od", out, sink], sink)
    with tunnel(filled.tls_port, papers) as port:
        run_peer([dcmtk.tool("movescu"), "-S", *CALL, "-aem", "WORKSTATION", *STUDY, "127.0.0.1", port])
    assert {item.sop_instance: item.data for item in map(specimen, out.iterdir())} == written(tmp_path / "sent")


def test_get(filled, papers, dcmtk, run_peer, tmp_path):
    out = tmp_path / "came"
    out.mkdir()
    with tunnel(filled.tls_port, papers) as port:
        run_peer([dcmtk.tool("getscu"), "-S", *CALL, "+B", "-od", out, *STUDY, "127.0.0.1", port])
    assert {item.sop_instance: item.data for item in map(specimen, out.iterdir())} == written(tmp_path / "sent")


def test_the_archive_calls_it_over_tls(served, papers, sink, dcmtk, start_peer):
    start_peer([dcmtk.tool("storescp"), *papers.dcmtk, "-aet", "WORKSTATION", sink], sink)
    assert "0x0000" in leadglass(served.home, "device", "test", "workstation").stdout


@pytest.mark.parametrize(
    ("options", "why"),
    [
        (("+tla", "-ic"), "peer did not return a certificate"),
        ((), "wrong version number"),
    ],
)
def test_without_the_certificate_nothing_is_said(served, papers, dcmtk, run_peer, options, why):
    done = run_peer([dcmtk.tool("echoscu"), *options, *CALL, "127.0.0.1", served.tls_port], check=False)
    assert done.returncode != 0
    assert "Rejected" not in done.stdout  # it ended before DICOM began
    assert why in leadglass(served.home, "device", "refused", "--json").stdout


def test_a_certificate_is_good_for_its_own_title_only(served, papers, dcmtk, run_peer, tmp_path):
    other = enrol_with_certificate(served.home, tmp_path, "OTHER")
    for title, theirs in (("OTHER", papers), ("WORKSTATION", other), ("STRANGER", papers)):
        call = ("-aet", title, "-aec", "LEADGLASS")
        done = run_peer([dcmtk.tool("echoscu"), *theirs.dcmtk, *call, "127.0.0.1", served.tls_port], check=False)
        assert "Calling AE Title Not Recognized" in done.stdout


@pytest.mark.parametrize(("given", "stored"), [(PASSCODE, True), ("something else", False), (None, False)])
def test_store_with_a_passcode(served, locked, dcmtk, run_peer, tmp_path, given, stored):
    file = studies.write(tmp_path, (MUELLER,))[0]
    identity = ["-usr", "anybody", "-pwd", given] if given else []
    call = ("-aet", "LOCKED", "-aec", "LEADGLASS", "127.0.0.1", served.tls_port)
    done = run_peer([dcmtk.tool("storescu"), *locked.dcmtk, *identity, *call, file], check=False)
    assert (done.returncode == 0) is stored
    assert stored or "Calling AE Title Not Recognized" in done.stdout


def test_pynetdicom_gets_over_tls(filled, papers):
    context = ssl.create_default_context(cafile=str(papers.authority))  # verifies the archive's name too
    context.load_cert_chain(papers.certificate, papers.key)
    ae = AE("WORKSTATION")
    ae.add_requested_context(GET)
    ae.add_requested_context(CTImageStorage)
    came = []

    def keep(event):
        came.append(event.dataset)
        return 0

    assoc = ae.associate(
        "127.0.0.1",
        filled.tls_port,
        ae_title="LEADGLASS",
        ext_neg=[build_role(CTImageStorage, scp_role=True)],
        evt_handlers=[(evt.EVT_C_STORE, keep)],
        tls_args=(context, "127.0.0.1"),
    )
    assert assoc.is_established
    wanted = pydicom.Dataset()
    wanted.QueryRetrieveLevel, wanted.StudyInstanceUID = "STUDY", MUELLER.study_uid
    threading.Event().wait(0.05)  # pynetdicom's reactor comes to rest
    statuses = [status.Status for status, _ in assoc.send_c_get(wanted, GET)]
    assoc.release()
    assert statuses[-1] == 0
    assert len(came) == MUELLER.images
