"""Orthanc as sender, as receiver of a C-MOVE, and as the one who queries and retrieves."""

import json
import threading
import urllib.request

import interop_studies as studies
import pydicom
import pytest

pytestmark = pytest.mark.interop("orthanc")

MUELLER = studies.MUELLER


class Rest:
    """Orthanc's REST interface."""

    def __init__(self, port):
        self.base = f"http://127.0.0.1:{port}"

    def ask(self, path, body=None, method=None):
        data = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.base + path, data=data, method=method)
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.loads(answer.read() or b"null")

    def file(self, instance):
        with urllib.request.urlopen(f"{self.base}/instances/{instance}/file", timeout=60) as answer:
            return pydicom.dcmread(pydicom.filebase.DicomBytesIO(answer.read()))


@pytest.fixture
def orthanc_server(archive, orthanc, start_peer, free_port, tmp_path):
    """A running Orthanc that knows the archive, and listens where the archive expects it."""
    http = free_port()
    settings = {
        "Name": "peer",
        "StorageDirectory": str(tmp_path / "orthanc"),
        "IndexDirectory": str(tmp_path / "orthanc"),
        "Plugins": [],
        "HttpPort": http,
        "RemoteAccessAllowed": False,
        "AuthenticationEnabled": False,
        "DicomAet": "ORTHANC",
        "DicomPort": archive.sinks["ORTHANC"],
        "DicomModalities": {"leadglass": {"AET": "LEADGLASS", "Host": "127.0.0.1", "Port": archive.port}},
        "DicomModalitiesInMemory": True,
    }
    (tmp_path / "orthanc.json").write_text(json.dumps(settings))
    start_peer([orthanc.tool("Orthanc"), tmp_path / "orthanc.json"], http)
    rest = Rest(http)
    _until(lambda: rest.ask("/system")["DicomAet"] == "ORTHANC")
    return rest


def _until(true):
    pause = threading.Event()
    for _ in range(200):
        try:
            if true():
                return
        except OSError:
            pass
        pause.wait(0.1)
    raise AssertionError("it did not come to pass in time")


@pytest.fixture
def sent(orthanc_server, tmp_path):
    """Images that were given to Orthanc and that Orthanc sent to the archive."""
    made = studies.write(tmp_path / "files", (MUELLER,))
    ids = [orthanc_server.ask("/instances", path.read_bytes())["ID"] for path in made]
    job = orthanc_server.ask("/modalities/leadglass/store", {"Resources": ids, "Synchronous": True})
    assert job["FailedInstancesCount"] == 0
    assert job["InstancesCount"] == len(made)
    return {item.SOPInstanceUID: item for item in map(pydicom.dcmread, made)}


def test_echo(orthanc_server):
    assert orthanc_server.ask("/modalities/leadglass/echo", {}) == {}


def test_orthanc_sends_queries_and_retrieves(orthanc_server, sent):
    """What Orthanc sent, it finds at the archive and, after forgetting it, has moved back to itself unchanged."""
    for instance in orthanc_server.ask("/instances"):
        orthanc_server.ask(f"/instances/{instance}", method="DELETE")
    assert orthanc_server.ask("/instances") == []
    question = {"Level": "Study", "Query": {"PatientName": "MULLER*", "StudyInstanceUID": ""}}
    query = orthanc_server.ask("/modalities/leadglass/query", question)["ID"]
    answers = orthanc_server.ask(f"/queries/{query}/answers?expand&simplify")
    assert [item["StudyInstanceUID"] for item in answers] == [MUELLER.study_uid]
    orthanc_server.ask(f"/queries/{query}/retrieve", {"TargetAet": "ORTHANC", "Synchronous": True})
    back = [orthanc_server.file(instance) for instance in orthanc_server.ask("/instances")]
    assert {item.SOPInstanceUID: item for item in back} == sent


@pytest.mark.interop("dcmtk")
def test_orthanc_is_sent_what_another_asks_to_move(archive, orthanc_server, sent, dcmtk, run_peer):
    for instance in orthanc_server.ask("/instances"):
        orthanc_server.ask(f"/instances/{instance}", method="DELETE")
    keys = ["-k", "QueryRetrieveLevel=STUDY", "-k", f"StudyInstanceUID={MUELLER.study_uid}"]
    command = [dcmtk.tool("movescu"), "-S", "-aec", "LEADGLASS", "-aem", "ORTHANC", *keys, "127.0.0.1", archive.port]
    run_peer(command)
    back = [orthanc_server.file(instance) for instance in orthanc_server.ask("/instances")]
    assert {item.SOPInstanceUID: item for item in back} == sent
