"""DCMTK's programs against a served archive: echo, store in every manner, query, move and get."""

import asyncio
import re
import subprocess
from pathlib import Path

import interop_studies as studies
import pydicom
import pytest
from asking import Asker, Given
from collection import collection, specimen

pytestmark = pytest.mark.interop("dcmtk")

MUELLER, YAMADA = studies.MUELLER, studies.YAMADA
SPECIMENS = {item.name: item for item in collection()}
EXPLICIT_VR_LE = "1.2.840.10008.1.2.1"
COMPRESSED = {  # storescu's option, and whether it is stored so: it is, unless something native is offered beside it
    "JPEG-LL.dcm": ("-xs", True),
    "JPEG2000.dcm": ("-xw", True),
    "MR_small_RLE.dcm": ("-xr", True),
    "693_J2KR.dcm": ("-xv", True),
    "SC_rgb_jpeg_dcmtk.dcm": ("-xy", True),
    "image_dfl.dcm": ("-xd", False),
    "MR_small_bigendian.dcm": ("-xb", False),
}


@pytest.fixture(scope="module")
def filled(archive, dcmtk, tmp_path_factory):
    """The archive with the small studies in it, stored by storescu."""
    files = studies.write(tmp_path_factory.mktemp("studies"))
    command = [dcmtk.tool("storescu"), "-R", "-aec", "LEADGLASS", "127.0.0.1", archive.port, *files]
    subprocess.run([str(part) for part in command], check=True, capture_output=True, timeout=60)
    return archive


@pytest.fixture
def find(filled, dcmtk, run_peer, tmp_path):
    """Ask with findscu; the answers as data sets."""

    def ask(*keys, root="-S", check=True):
        out = tmp_path / f"answers-{len(list(tmp_path.iterdir()))}"
        out.mkdir()
        options = [part for key in keys for part in ("-k", key)]
        command = [dcmtk.tool("findscu"), root, "-aec", "LEADGLASS", "-X", "-od", out, *options]
        run_peer([*command, "127.0.0.1", filled.port], check=check)
        return [pydicom.dcmread(path, force=True) for path in sorted(out.iterdir())]

    return ask


# --- echo and store -----------------------------------------------------------------------------------------------


def test_echo(archive, dcmtk, run_peer):
    run_peer([dcmtk.tool("echoscu"), "-aec", "LEADGLASS", "127.0.0.1", archive.port])


@pytest.mark.parametrize("titles", [("-aet", "STRANGER", "-aec", "LEADGLASS"), ("-aec", "ELSEWHERE")])
def test_strangers_are_refused(archive, dcmtk, run_peer, titles):
    done = run_peer([dcmtk.tool("echoscu"), *titles, "127.0.0.1", archive.port], check=False)
    assert done.returncode != 0
    expected = "Calling AE Title Not Recognized" if "STRANGER" in titles else "Called AE Title Not Recognized"
    assert expected in done.stdout


@pytest.mark.parametrize(
    "options", [(), ("-R",), ("-x=",), ("-xe",), ("-xb",), ("-xi",), ("-pdu", "4096"), ("+C",)], ids=" ".join
)
def test_store(archive, dcmtk, run_peer, tmp_path, options):
    files = studies.write(tmp_path / "files")
    run_peer([dcmtk.tool("storescu"), *options, "-aec", "LEADGLASS", "127.0.0.1", archive.port, *files])


@pytest.mark.parametrize("name", COMPRESSED)
def test_store_compressed_files(archive, dcmtk, run_peer, name):
    item = SPECIMENS[name]
    option, kept = COMPRESSED[name]
    run_peer([dcmtk.tool("storescu"), option, "-aec", "LEADGLASS", "127.0.0.1", archive.port, item.path])
    syntax = item.syntax if kept else EXPLICIT_VR_LE
    wanted = Given(item.sop_class, item.sop_instance, syntax, b"")
    came = asyncio.run(Asker(archive.port, "LGCLI").get([wanted]))[item.sop_instance]
    assert came.syntax == syntax
    if kept:
        assert pydicom.dcmread(item.path).PixelData in came.data


# --- find ---------------------------------------------------------------------------------------------------------


def values(answers, keyword):
    return sorted(str(answer.get(keyword, "")) for answer in answers)


def test_find_studies_of_a_patient(find):
    answers = find("QueryRetrieveLevel=STUDY", "PatientID=M-1", "StudyInstanceUID", "ModalitiesInStudy", "PatientName")
    assert values(answers, "StudyInstanceUID") == [f"{studies.ROOT}.1", f"{studies.ROOT}.2"]
    assert values(answers, "ModalitiesInStudy") == ["CT", "MR"]
    assert {str(answer.PatientName) for answer in answers} == {"Müller^Jürgen"}


@pytest.mark.parametrize("level", ["PATIENT", "STUDY", "SERIES", "IMAGE"])
def test_find_at_every_level_of_the_patient_root(find, level):
    keys = {
        "PATIENT": ["PatientID=M-1", "NumberOfPatientRelatedStudies", "NumberOfPatientRelatedInstances"],
        "STUDY": ["PatientID=M-1", "StudyInstanceUID", "NumberOfStudyRelatedInstances"],
        "SERIES": ["PatientID=M-1", f"StudyInstanceUID={MUELLER.study_uid}", "SeriesInstanceUID", "Modality"],
        "IMAGE": [
            "PatientID=M-1",
            f"StudyInstanceUID={MUELLER.study_uid}",
            f"SeriesInstanceUID={MUELLER.uid}",
            "SOPInstanceUID",
            "InstanceNumber",
        ],
    }
    answers = find(f"QueryRetrieveLevel={level}", *keys[level], root="-P")
    assert len(answers) == {"PATIENT": 1, "STUDY": 2, "SERIES": 1, "IMAGE": 3}[level]
    if level == "PATIENT":
        assert (int(answers[0].NumberOfPatientRelatedStudies), int(answers[0].NumberOfPatientRelatedInstances)) == (
            2,
            5,
        )
    if level == "IMAGE":
        assert values(answers, "InstanceNumber") == ["1", "2", "3"]


@pytest.mark.parametrize(
    ("key", "found"),
    [
        ("StudyDate=20240115", {1}),
        ("StudyDate=20240101-20240401", {1, 2}),
        ("StudyDate=20240301-", {2, 3}),
        ("StudyDate=-20240201", {1}),
        ("PatientID=?-1", {1, 2, 3}),
        ("PatientID=M*", {1, 2}),
        ("PatientID=m-1", set()),
        ("AccessionNumber=A2", {2}),
        ("PatientName=MULLER*", {1, 2}),
        ("PatientName=muller^jurgen", {1, 2}),
        ("PatientName=yamada^tarou", {3}),
        ("PatientName=*tarou*", {3}),
        ("ModalitiesInStudy=MR", {2}),
        (f"StudyInstanceUID={studies.ROOT}.1\\{studies.ROOT}.3", {1, 3}),
    ],
)
def test_find_matches(find, key, found):
    keys = ["QueryRetrieveLevel=STUDY", "PatientID", "StudyInstanceUID"]
    keys = [item for item in keys if item != key.split("=")[0]] + [key]
    mine = {f"{studies.ROOT}.{number}": number for number in (1, 2, 3)}
    answers = find(*keys)
    assert {mine[answer.StudyInstanceUID] for answer in answers if answer.StudyInstanceUID in mine} == found


@pytest.mark.parametrize(
    ("charset", "pattern"), [("ISO_IR 100", "Müll*".encode("latin-1")), ("ISO_IR 192", "MÜLLER*".encode())]
)
def test_find_a_name_in_the_character_set_of_the_question(filled, dcmtk, run_peer, tmp_path, charset, pattern):
    question = pydicom.Dataset()
    question.SpecificCharacterSet, question.QueryRetrieveLevel = charset, "STUDY"
    question.PatientName, question.StudyInstanceUID = (
        pattern.decode("latin-1" if charset[-3:] == "100" else "utf-8"),
        "",
    )
    question.save_as(tmp_path / "question.dcm", implicit_vr=False, little_endian=True)
    out = tmp_path / "out"
    out.mkdir()
    command = [dcmtk.tool("findscu"), "-S", "-aec", "LEADGLASS", "-X", "-od", out]
    run_peer([*command, "127.0.0.1", filled.port, tmp_path / "question.dcm"])
    answers = [pydicom.dcmread(path, force=True) for path in out.iterdir()]
    assert values(answers, "StudyInstanceUID") == [f"{studies.ROOT}.1", f"{studies.ROOT}.2"]
    assert {(str(answer.PatientName), answer.SpecificCharacterSet) for answer in answers} == {
        ("Müller^Jürgen", charset)
    }


def test_find_answers_in_utf8_what_the_question_cannot_carry(find):
    (answer,) = find("QueryRetrieveLevel=STUDY", "PatientID=Y-1", "StudyInstanceUID", "PatientName")
    assert answer.SpecificCharacterSet == "ISO_IR 192"
    assert str(answer.PatientName) == YAMADA.name


# --- move and get -------------------------------------------------------------------------------------------------


def test_find_cancelled_by_findscu(filled, dcmtk, run_peer):
    keys = ["-k", "QueryRetrieveLevel=IMAGE", "-k", "SOPInstanceUID"]
    command = [dcmtk.tool("findscu"), "-v", "-S", "-aec", "LEADGLASS", "--cancel", "1", *keys]
    done = run_peer([*command, "127.0.0.1", filled.port])
    assert re.search("Cancel|Success", done.stdout), done.stdout[-2000:]
    assert "Releasing Association" in done.stdout


@pytest.mark.parametrize(
    ("key", "found"),
    [
        ("SOPClassesInStudy=1.2.840.10008.5.1.4.1.1.4", {2}),
        ("PatientBirthDate=19600101-19801231", {1, 2, 3}),
        ("StudyTime=1000-1030", {1, 2, 3}),
        ("StudyTime=1030-", set()),
        ("PatientName=山田*", {3}),
        ("PatientName=*=やまだ^たろう", {3}),
        ("PatientName=yamada*=山田*=やまだ*", {3}),
        ("PatientName=Ya?ada^*", {3}),
        ("StudyDescription=*KNIE*", set()),
        ("StudyDescription=Kn?e", {2}),
        ("NumberOfStudyRelatedInstances=3", {1}),
    ],
)
def test_find_by_what_workstations_ask_for(find, key, found):
    keys = ["QueryRetrieveLevel=STUDY", "StudyInstanceUID", "SpecificCharacterSet=ISO_IR 192", key]
    ours = [uid for uid in values(find(*keys), "StudyInstanceUID") if uid.startswith(f"{studies.ROOT}.")]
    assert ours == sorted(f"{studies.ROOT}.{number}" for number in found)


def test_move_to_a_bit_preserving_receiver(filled, dcmtk, run_peer, start_peer, tmp_path):
    out = tmp_path / "received"
    out.mkdir()
    port = filled.sinks["STORESCP"]
    start_peer([dcmtk.tool("storescp"), "+B", "-aet", "STORESCP", "-od", out, port], port)
    _move(filled, dcmtk, run_peer, "STORESCP", MUELLER)
    sent = {item.sop_instance: item.data for item in map(specimen, studies.write(tmp_path / "sent", (MUELLER,)))}
    assert {item.sop_instance: item.data for item in map(specimen, out.iterdir())} == sent


def test_move_converts_for_a_receiver_with_implicit_vr_only(filled, dcmtk, run_peer, start_peer, tmp_path):
    out = tmp_path / "received"
    out.mkdir()
    port = filled.sinks["STORESCP"]
    start_peer([dcmtk.tool("storescp"), "+xi", "-aet", "STORESCP", "-od", out, port], port)
    _move(filled, dcmtk, run_peer, "STORESCP", MUELLER)
    wanted = {item.SOPInstanceUID: item for item in map(pydicom.dcmread, studies.write(tmp_path / "s", (MUELLER,)))}
    came = [pydicom.dcmread(path) for path in out.iterdir()]
    assert {item.file_meta.TransferSyntaxUID for item in came} == {"1.2.840.10008.1.2"}
    assert {item.SOPInstanceUID: item for item in came} == wanted


@pytest.mark.parametrize(
    ("destination", "status"),
    [
        ("UNKNOWN", "MoveDestinationUnknown"),
        ("NOBODY", "SubOperationsOutOfResources|OutOfResourcesSubOperations|0xa702"),
    ],
)
def test_move_that_cannot_be_done(filled, dcmtk, run_peer, destination, status):
    done = _move(filled, dcmtk, run_peer, destination, MUELLER, "-d", check=False)
    assert re.search(status, done.stdout, re.IGNORECASE), done.stdout[-3000:]


def test_get_a_study(filled, dcmtk, run_peer, tmp_path):
    came = _get(filled, dcmtk, run_peer, tmp_path / "out", pydicom.dcmread(studies.write(tmp_path / "s")[0]), "+B")
    sent = {item.sop_instance: item.data for item in map(specimen, studies.write(tmp_path / "s", (MUELLER,)))}
    assert {item.sop_instance: item.data for item in came} == sent


LOSSLESS = ("JPEG2000.dcm", "MR_small_RLE.dcm", "693_J2KR.dcm")


@pytest.mark.parametrize("name", [*LOSSLESS, "SC_rgb_jpeg_dcmtk.dcm"])
def test_get_of_compressed_images_by_a_peer_without_codecs(filled, dcmtk, run_peer, tmp_path, name):
    """They come decompressed, with the pixels that pydicom decodes and a header that says how they lie now."""
    item = SPECIMENS[name]
    run_peer([dcmtk.tool("storescu"), COMPRESSED[name][0], "-aec", "LEADGLASS", "127.0.0.1", filled.port, item.path])
    sent = pydicom.dcmread(item.path)
    _get(filled, dcmtk, run_peer, tmp_path / "out", sent)
    (came,) = [c for c in map(pydicom.dcmread, (tmp_path / "out").iterdir()) if c.SOPInstanceUID == sent.SOPInstanceUID]
    assert came.file_meta.TransferSyntaxUID == EXPLICIT_VR_LE
    wanted = sent.pixel_array.astype(int)
    apart = abs(came.pixel_array.astype(int) - wanted).max()
    assert apart <= (0 if name in LOSSLESS else 3)  # decoders of lossy JPEG differ in rounding
    assert came.PhotometricInterpretation == ("RGB" if sent.SamplesPerPixel == 3 else sent.PhotometricInterpretation)
    assert came.get("PlanarConfiguration", 0) == 0
    assert came.get("LossyImageCompression") == ("01" if name not in LOSSLESS else sent.get("LossyImageCompression"))


def _move(served, dcmtk, run_peer, destination, series, *options, check=True):
    keys = ["-k", "QueryRetrieveLevel=STUDY", "-k", f"StudyInstanceUID={series.study_uid}"]
    command = [dcmtk.tool("movescu"), "-S", "-aec", "LEADGLASS", "-aem", destination, *options, *keys]
    return run_peer([*command, "127.0.0.1", served.port], check=check)


def _get(served, dcmtk, run_peer, out: Path, wanted, *options):
    out.mkdir()
    keys = ["-k", "QueryRetrieveLevel=STUDY", "-k", f"StudyInstanceUID={wanted.StudyInstanceUID}"]
    command = [dcmtk.tool("getscu"), "-S", "-aec", "LEADGLASS", "-od", out, *options, *keys]
    run_peer([*command, "127.0.0.1", served.port])
    return [specimen(path) for path in out.iterdir()]
