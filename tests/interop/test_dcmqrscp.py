"""The archive's command line as SCU of a foreign archive: dcmqrscp is stored to, queried, and told to move."""

import json
import sys

import interop_studies as studies
import pydicom
import pytest
from collection import specimen

pytestmark = pytest.mark.interop("dcmtk")

MUELLER = studies.MUELLER


@pytest.fixture
def leadglass(run_peer):
    """Run the archive's own command line."""

    def run(*arguments, check=True):
        return run_peer([sys.executable, "-m", "leadglass.app", *arguments], check=check, env={"COLUMNS": "200"})

    return run


@pytest.fixture
def peer(archive, dcmtk, start_peer, free_port, tmp_path):
    """A running dcmqrscp that knows the archive and a storescp."""
    port, store = free_port(), tmp_path / "qrscp"
    store.mkdir()
    (tmp_path / "qrscp.cfg").write_text(
        f"""NetworkTCPPort = {port}
MaxPDUSize = 131072
MaxAssociations = 16
HostTable BEGIN
leadglass = (LEADGLASS, 127.0.0.1, {archive.port})
storescp = (STORESCP, 127.0.0.1, {archive.sinks["STORESCP"]})
HostTable END
VendorTable BEGIN
VendorTable END
AETable BEGIN
QRSCP {store} RW (200, 1024mb) ANY
AETable END
"""
    )
    start_peer([dcmtk.tool("dcmqrscp"), "-c", tmp_path / "qrscp.cfg"], port)
    return f"QRSCP@127.0.0.1:{port}"


@pytest.fixture
def sent(peer, leadglass, tmp_path):
    """Files that `leadglass send` stored at dcmqrscp."""
    files = studies.write(tmp_path / "files")
    said = leadglass("send", peer, *files).stdout
    assert f"Sent {len(files)} of {len(files)}." in said
    return files


def test_echo(peer, leadglass):
    assert "answered 0x0000" in leadglass("echo", peer).stdout


def test_find(peer, sent, leadglass):
    keys = ("-k", "PatientID=M-1", "-k", "StudyInstanceUID", "-k", "PatientName")
    answers = json.loads(leadglass("find", peer, *keys, "--json").stdout)
    assert {item["StudyInstanceUID"] for item in answers} == {f"{studies.ROOT}.1", f"{studies.ROOT}.2"}


def test_get(peer, sent, leadglass, tmp_path):
    leadglass("get", peer, tmp_path / "got", "-k", f"StudyInstanceUID={MUELLER.study_uid}")
    came = {item.SOPInstanceUID: item for item in map(pydicom.dcmread, (tmp_path / "got").iterdir())}
    wanted = [pydicom.dcmread(path) for path in sent]
    assert came == {item.SOPInstanceUID: item for item in wanted if item.StudyInstanceUID == MUELLER.study_uid}


def test_move_to_a_receiver(archive, peer, sent, leadglass, dcmtk, start_peer, tmp_path):
    out, port = tmp_path / "moved", archive.sinks["STORESCP"]
    out.mkdir()
    start_peer([dcmtk.tool("storescp"), "+B", "-aet", "STORESCP", "-od", out, port], port)
    said = leadglass("move", peer, "STORESCP", "-k", f"StudyInstanceUID={MUELLER.study_uid}").stdout
    assert f"Moved {MUELLER.images} objects to STORESCP." in said
    assert len(list(out.iterdir())) == MUELLER.images


def test_move_into_the_archive_and_back(archive, peer, sent, leadglass, tmp_path):
    """dcmqrscp sends to the archive, which is then asked by its own command line; the pixels are the same."""
    leadglass("move", peer, "LEADGLASS", "-k", f"StudyInstanceUID={MUELLER.study_uid}")
    here, title = f"LEADGLASS@127.0.0.1:{archive.port}", ("--title", "LGCLI")
    leadglass("get", here, tmp_path / "back", "-k", f"StudyInstanceUID={MUELLER.study_uid}", *title)
    back = {item.sop_instance: item.data for item in map(specimen, (tmp_path / "back").iterdir())}
    before = {item.sop_instance: item.data for item in map(specimen, sent) if item.study == MUELLER.study_uid}
    assert back.keys() == before.keys()
    for sop_instance, data in back.items():
        assert data[-2048:] == before[sop_instance][-2048:]


def test_find_that_is_refused_ends_with_the_reason(archive, leadglass):
    done = leadglass("find", f"LEADGLASS@127.0.0.1:{archive.port}", "--title", "STRANGER", check=False)
    assert done.returncode != 0
    assert "1/1/3" in done.stdout
    assert "Traceback" not in done.stdout
