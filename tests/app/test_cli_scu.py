"""The command line as SCU: devices by name, folders and ZIPs sent, everything fetched in the syntax it is stored in."""

import zipfile
from dataclasses import replace

import archives
import dicom_files
import interop_studies as studies
import pydicom
import pytest
from commanding import leadglass

from leadglass.app.asking import common_classes
from leadglass.app.samples import generate
from leadglass.core.device import Endpoint
from leadglass.core.limits import MAX_PRESENTATION_CONTEXTS
from leadglass.dicom import uids


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    """A served archive that is enrolled at itself, so that its own command line can call it by name."""
    folder = tmp_path_factory.mktemp("scu")
    port = archives.free_port()
    me = archives.device(
        "me", "ME", destinations=("me", "away"), listens=Endpoint("127.0.0.1", port, "LEADGLASS", False)
    )
    me = replace(me, ae_titles=("ME", "LEADGLASS"))
    with archives.served(archives.make(folder, [me, archives.sink("away", archives.free_port())], port)) as server:
        files = dicom_files.write(folder / "files")
        assert (
            leadglass("send", "me", folder / "files", home=server.home).out == f"Sent {len(files)} of {len(files)}.\n"
        )
        yield server


def call(server, *words):
    return leadglass(*words, home=server.home)


def test_a_device_is_called_by_its_name(served):
    done = call(served, "echo", "me")
    assert (done.code, done.out) == (0, f"LEADGLASS@127.0.0.1:{served.port} answered 0x0000.\n")


def test_an_unknown_title_is_told_what_it_means(served):
    done = call(served, "echo", f"LEADGLASS@127.0.0.1:{served.port}", "--title", "STRANGER")
    assert done.code == 6
    assert "does not know our AE title" in done.err


def test_folders_and_zips_are_sent_and_what_is_no_object_is_listed(served, tmp_path):
    files = dicom_files.write(tmp_path / "files")
    (tmp_path / "files" / "note.txt").write_text("hello")
    with zipfile.ZipFile(tmp_path / "some.zip", "w") as archive:
        for path in files:
            archive.write(path, f"../{path.name}")
    done = call(served, "send", "me", tmp_path / "files", tmp_path / "some.zip", tmp_path / "absent", "--json")
    assert done.code == 10
    assert done.json["stored"] == 2 * len(files)
    assert [item["comment"] for item in done.json["failed"]] == ["This is not a DICOM file", "is not there"]


def test_columns_come_in_the_order_they_were_asked_for(served):
    done = call(served, "find", "me", "-k", "StudyDescription", "-k", "0010,0010", "-k", "PatientID=M-1")
    header = done.out.splitlines()[1].split()
    assert header == ["StudyDescription", "PatientName", "PatientID"]
    assert "Müller^Jürgen" in done.out


@pytest.mark.parametrize("level", ["PATIENT", "STUDY", "SERIES", "IMAGE"])
def test_every_level_can_be_asked(served, level):
    keys = {
        "PATIENT": ("PatientID=M-1",),
        "STUDY": (f"StudyInstanceUID={studies.MUELLER.study_uid}",),
        "SERIES": (f"StudyInstanceUID={studies.MUELLER.study_uid}", "SeriesInstanceUID"),
        "IMAGE": (
            f"StudyInstanceUID={studies.MUELLER.study_uid}",
            f"SeriesInstanceUID={studies.MUELLER.uid}",
            "SOPInstanceUID",
        ),
    }[level]
    words = [word for key in keys for word in ("-k", key)]
    assert len(call(served, "find", "me", "--level", level, *words, "--json").json) == (3 if level == "IMAGE" else 1)


def test_reports_and_compressed_images_are_fetched_as_they_are_stored(served, tmp_path):
    wanted = {}
    for sample in generate():
        if sample.path_name.split("/")[0] in ("zh-mr", "ko-us", "ar-dx"):
            path = tmp_path / "in" / sample.path_name
            path.parent.mkdir(parents=True, exist_ok=True)
            sample.dataset.save_as(path, enforce_file_format=True)
            wanted[str(sample.dataset.SOPInstanceUID)] = path
    assert call(served, "send", "me", tmp_path / "in").code == 0
    patients = sorted({str(pydicom.dcmread(path, stop_before_pixels=True).PatientID) for path in wanted.values()})
    got = {}
    for patient in patients:
        folder = tmp_path / patient
        assert call(served, "get", "me", folder, "--level", "PATIENT", "-k", f"PatientID={patient}").code == 0
        assert folder.stat().st_mode & 0o777 == 0o700
        got |= {str(pydicom.dcmread(path).SOPInstanceUID): path for path in folder.iterdir()}
    assert got.keys() == wanted.keys()
    for instance, path in wanted.items():
        assert dicom_files.data_set(got[instance].read_bytes()) == dicom_files.data_set(path.read_bytes())
        assert pydicom.filereader.read_file_meta_info(got[instance]).TransferSyntaxUID == (
            pydicom.filereader.read_file_meta_info(path).TransferSyntaxUID
        )


def test_a_move_that_fails_says_why_and_how_many(served):
    key = ("-k", f"StudyInstanceUID={studies.YAMADA.study_uid}")
    done = call(served, "move", "me", "NOBODY", *key)
    assert (done.code, "0xA801" in done.out) == (10, True)
    done = call(served, "move", "me", "AWAY", *key)
    assert done.code == 10
    assert f"{studies.YAMADA.images} failed" in done.out


def test_an_association_has_room_for_what_hospitals_use():
    common = common_classes()
    assert len(common) < MAX_PRESENTATION_CONTEXTS
    assert {uids.CT_IMAGE, uids.BASIC_TEXT_SR, uids.ENCAPSULATED_PDF, uids.SECONDARY_CAPTURE_IMAGE} <= set(common)
