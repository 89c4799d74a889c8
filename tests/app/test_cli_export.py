"""`leadglass export`: files leave as they came, under our own names, with a DICOMDIR that others read."""

import io
import subprocess
import zipfile
from pathlib import Path

import archives
import dicom_files
import interop_studies as studies
import pydicom
import pytest
from commanding import leadglass
from pydicom.fileset import FileSet

SR = "1.2.840.10008.5.1.4.1.1.88.11"


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    folder = tmp_path_factory.mktemp("export")
    home = archives.make(folder, [])
    assert leadglass("import", *dicom_files.write(folder / "files"), home=home).code == 0
    return home


@pytest.fixture(scope="module")
def originals(tmp_path_factory):
    found = {}
    for path in dicom_files.write(tmp_path_factory.mktemp("originals")):
        found[str(pydicom.dcmread(path).SOPInstanceUID)] = dicom_files.data_set(path.read_bytes())
    return found


def written(folder):
    return {path for path in folder.rglob("*") if path.is_file()}


def data_sets(files):
    return {
        str(pydicom.dcmread(io.BytesIO(content)).SOPInstanceUID): dicom_files.data_set(content) for content in files
    }


@pytest.mark.parametrize(
    ("words", "series"),
    [
        (("--patient", "M-1"), (studies.MUELLER, studies.MUELLER_MR)),
        (("--study", studies.YAMADA.study_uid), (studies.YAMADA,)),
        (("--series", studies.MUELLER_MR.uid), (studies.MUELLER_MR,)),
        (
            ("--study", studies.YAMADA.study_uid, "--study", studies.MUELLER.study_uid),
            (studies.YAMADA, studies.MUELLER),
        ),
    ],
)
def test_a_folder_holds_what_was_asked_for_byte_for_byte(home, originals, tmp_path, words, series):
    done = leadglass("export", tmp_path / "out", *words, "--json", home=home)
    assert done.code == 0, done.err
    files = written(tmp_path / "out") - {tmp_path / "out" / "DICOMDIR"}
    wanted = {f"{item.uid}.{number}" for item in series for number in range(1, item.images + 1)}
    assert done.json["written"] == len(files) == len(wanted)
    assert data_sets(path.read_bytes() for path in files) == {uid: originals[uid] for uid in wanted}
    assert (tmp_path / "out").stat().st_mode & 0o777 == 0o700


def test_the_dicomdir_is_a_file_set(home, tmp_path):
    leadglass("export", tmp_path / "all", "--patient", "M-1", home=home)
    listing = FileSet(tmp_path / "all" / "DICOMDIR")
    assert {str(item.load().SOPInstanceUID) for item in listing} == {
        f"{item.uid}.{number}" for item in (studies.MUELLER, studies.MUELLER_MR) for number in range(1, item.images + 1)
    }
    assert listing.find_values("PatientName") == ["Müller^Jürgen"]
    assert sorted(listing.find_values("StudyDescription")) == ["Knie", "Schädel"]


@pytest.mark.interop("dcmtk")
def test_dcmtk_reads_the_dicomdir(home, dcmtk, tmp_path):
    leadglass("export", tmp_path / "all", "--patient", "Y-1", home=home)
    command = [dcmtk.tool("dcmdump"), "+U8", tmp_path / "all" / "DICOMDIR"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    assert done.stderr == ""
    assert done.stdout.count('"Directory Record" IMAGE') == studies.YAMADA.images
    assert "山田^太郎" in done.stdout
    assert r'refFileID="DICOM\00000001\00000001\00000001"' in done.stdout


def test_a_zip_holds_the_same(home, originals, tmp_path):
    done = leadglass("export", tmp_path / "out.zip", "--patient", "M-1", home=home)
    assert done.code == 0
    assert written(tmp_path) == {tmp_path / "out.zip"}  # no plain copy stays beside it
    assert (tmp_path / "out.zip").stat().st_mode & 0o777 == 0o600
    with zipfile.ZipFile(tmp_path / "out.zip") as archive:
        names = archive.namelist()
        files = [archive.read(name) for name in names if name != "DICOMDIR"]
        archive.extractall(tmp_path / "unpacked")
    assert "DICOMDIR" in names
    assert data_sets(files) == {uid: data for uid, data in originals.items() if not uid.startswith(studies.YAMADA.uid)}
    assert len(list(FileSet(tmp_path / "unpacked" / "DICOMDIR"))) == len(files)


def test_what_was_exported_can_be_imported(home, tmp_path):
    leadglass("export", tmp_path / "out", "--patient", "M-1", home=home)
    other = archives.make(tmp_path / "other", [])
    done = leadglass("import", tmp_path / "out" / "DICOMDIR", "--json", home=other)
    assert (done.code, done.json["stored"]) == (0, studies.MUELLER.images + studies.MUELLER_MR.images)


def test_nothing_is_overwritten_and_nothing_is_left_for_nothing(home, tmp_path):
    (tmp_path / "there").mkdir()
    assert leadglass("export", tmp_path / "there", "--patient", "M-1", home=home).code == 2
    assert leadglass("export", tmp_path / "no" / "folder", "--patient", "M-1", home=home).code == 2
    assert leadglass("export", tmp_path / "out", home=home).code == 2
    assert leadglass("export", tmp_path / "out", "--patient", "nobody", home=home).code == 5
    assert leadglass("export", tmp_path / "out.zip", "--patient", "nobody", home=home).code == 5
    assert list(tmp_path.iterdir()) == [tmp_path / "there"]


def test_odd_objects_are_exported_and_listed_as_far_as_they_go(tmp_path):
    """Type 1 attributes of directory records are missing in real objects: Study ID, dates, numbers, even patients."""
    home = archives.make(tmp_path, [])
    paths = dicom_files.write(tmp_path / "files")[:3]
    for number, path in enumerate(paths):
        odd = pydicom.dcmread(path)
        del odd.StudyID, odd.StudyDate, odd.SeriesNumber
        odd.InstanceNumber, odd.PatientID = None, ""
        odd.StudyInstanceUID = f"1.2.3.{number}"
        if number == 2:
            odd.SOPClassUID = odd.file_meta.MediaStorageSOPClassUID = SR
        odd.save_as(path)
    assert leadglass("import", *paths, home=home).code == 0
    words = [word for number in range(3) for word in ("--study", f"1.2.3.{number}")]
    done = leadglass("export", tmp_path / "out", *words, "--json", home=home)
    assert (done.code, done.json["written"], done.json["unlisted"]) == (0, 3, 0)
    listing = FileSet(tmp_path / "out" / "DICOMDIR")
    assert len(list(listing)) == 3
    records = pydicom.dcmread(tmp_path / "out" / "DICOMDIR").DirectoryRecordSequence
    kinds = [record.DirectoryRecordType for record in records]
    assert kinds.count("PATIENT") == 3  # an empty Patient ID joins nobody
    assert kinds.count("SR DOCUMENT") == 1


def test_a_damaged_image_is_named_and_the_others_leave(tmp_path):
    home = archives.make(tmp_path, [])
    leadglass("import", *dicom_files.write(tmp_path / "files"), home=home)
    marked = max((path for path in Path(home.vault).rglob("*") if path.is_file()), key=lambda path: path.stat().st_size)
    content = bytearray(marked.read_bytes())
    content[4096 + 1500] ^= 1
    marked.write_bytes(content)
    done = leadglass("export", tmp_path / "out", "--patient", "M-1", "--json", home=home)
    assert done.code == 10
    assert len(done.json["failed"]) == 1
    assert done.json["written"] == studies.MUELLER.images + studies.MUELLER_MR.images - 1
    assert len(list(FileSet(tmp_path / "out" / "DICOMDIR"))) == done.json["written"]
    assert not [path for path in (tmp_path / "out").iterdir() if path.name.startswith(".")]
