"""The sample studies: what the demo and many tests stand on."""

from __future__ import annotations

import hashlib
import re
import subprocess
import sys
from collections import Counter, defaultdict
from io import BytesIO
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset
from pydicom.encaps import generate_frames

from leadglass.app.samples import write_samples
from leadglass.app.samples.blank import Series, Study, add_colour, add_grey, blank
from leadglass.app.samples.compress import compressed
from leadglass.app.samples.patients import PATIENTS
from leadglass.app.samples.studies import all_studies
from leadglass.dicom import uids
from leadglass.dicom.sop_classes import STORAGE_SOP_CLASSES

LOSSLESS = (
    *(uids.IMPLICIT_VR_LE, uids.EXPLICIT_VR_LE, uids.EXPLICIT_VR_BE, uids.DEFLATED_EXPLICIT_VR_LE),
    *(uids.JPEG_LS_LOSSLESS, uids.JPEG_2000_LOSSLESS, uids.HTJ2K_LOSSLESS, uids.RLE_LOSSLESS),
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("samples")
    write_samples(path)
    return path


@pytest.fixture(scope="module")
def headers(folder: Path) -> list[Dataset]:
    return [pydicom.dcmread(path, stop_before_pixels=True) for path in sorted(folder.rglob("*.dcm"))]


def pixels(dataset: Dataset) -> np.ndarray[Any, Any]:
    """Stored values, decoded by pydicom or, where it has no decoder of its own, by imagecodecs."""
    decoders = {uids.JPEG_LS_LOSSLESS: imagecodecs.jpegls_decode, uids.HTJ2K_LOSSLESS: imagecodecs.htj2k_decode}
    syntax = str(dataset.file_meta.TransferSyntaxUID)
    if syntax not in decoders:
        return dataset.pixel_array
    count = int(dataset.get("NumberOfFrames", 1))
    frames = [decoders[syntax](frame) for frame in generate_frames(dataset.PixelData, number_of_frames=count)]
    return np.stack(frames) if count > 1 else frames[0]


def test_there_are_enough_people_studies_and_kinds(headers: list[Dataset]) -> None:
    assert len({header.PatientID for header in headers}) >= 12
    assert len({header.StudyInstanceUID for header in headers}) >= 20
    assert {header.Modality for header in headers} >= {"CT", "MR", "DX", "US", "OT", "SR", "DOC"}
    assert {header.file_meta.TransferSyntaxUID for header in headers} >= {*LOSSLESS, uids.JPEG_BASELINE}
    assert {header.SOPClassUID for header in headers} >= {uids.ENHANCED_CT_IMAGE, uids.ENCAPSULATED_PDF}
    assert {header.SOPClassUID for header in headers} <= STORAGE_SOP_CLASSES.keys()


def test_no_instance_comes_twice_and_every_uid_is_valid(headers: list[Dataset]) -> None:
    assert max(Counter(header.SOPInstanceUID for header in headers).values()) == 1
    for header in headers:
        for uid in (header.StudyInstanceUID, header.SeriesInstanceUID, header.SOPInstanceUID):
            assert re.fullmatch(r"2\.25\.[1-9][0-9]{0,38}", uid)


def test_a_study_belongs_to_one_patient_and_has_one_date(headers: list[Dataset]) -> None:
    studies: dict[str, set[tuple[str, ...]]] = defaultdict(set)
    for header in headers:
        studies[header.StudyInstanceUID].add(
            (
                header.PatientID,
                str(header.PatientName),
                header.PatientBirthDate,
                header.StudyDate,
                header.AccessionNumber,
            )
        )
    assert all(len(values) == 1 for values in studies.values())


def test_every_name_comes_back_from_its_own_character_set(headers: list[Dataset]) -> None:
    names = {patient.patient_id: patient.name for patient in PATIENTS.values()}
    seen = {header.PatientID: header for header in headers}
    assert {patient: str(header.PatientName) for patient, header in seen.items()} == names
    sets = {str(header.get("SpecificCharacterSet", "")) for header in seen.values()}
    assert {f"ISO_IR {number}" for number in (100, 126, 144, 127, 166, 192)} <= sets
    japanese = seen[PATIENTS["ja"].patient_id].PatientName
    assert all((japanese.alphabetic, japanese.ideographic, japanese.phonetic))
    assert b"\x1b$B" in japanese.original_string


def test_the_long_ct_is_a_volume_with_lung_soft_tissue_and_bone(folder: Path) -> None:
    slices = [pydicom.dcmread(path) for path in sorted((folder / "it-ct" / "02-CT").glob("*.dcm"))]
    assert len(slices) >= 120
    assert len({image.FrameOfReferenceUID for image in slices}) == 1
    heights = [float(image.ImagePositionPatient[2]) for image in slices]
    assert set(np.round(np.diff(heights), 3)) == {3.0}
    volume = np.stack([image.pixel_array for image in slices[::10]]).astype(int) + int(slices[0].RescaleIntercept)
    assert volume.shape[1:] == (512, 512)
    for low, high, share in ((-950, -700, 0.03), (-150, -60, 0.02), (20, 140, 0.05), (300, 1000, 0.003)):
        assert ((volume > low) & (volume < high)).mean() > share, (low, high)
    assert list(slices[0].WindowWidth) == [400, 1500]


def test_every_image_decodes_to_its_size_and_shows_something(folder: Path) -> None:
    for path in sorted(folder.rglob("*.dcm")):
        dataset = pydicom.dcmread(path)
        if "PixelData" not in dataset:
            continue
        values = pixels(dataset)
        colour = (3,) if dataset.SamplesPerPixel == 3 else ()
        frames = (dataset.NumberOfFrames,) if "NumberOfFrames" in dataset else ()
        assert values.shape == (*frames, dataset.Rows, dataset.Columns, *colour), path.name
        still = np.asarray(values, float).reshape(-1, dataset.Rows, dataset.Columns, *colour)[0]
        # Neighbours are alike in a picture and not in bytes that were read in the wrong order.
        assert np.abs(np.diff(still, axis=0)).mean() < 0.9 * still.std(), path.name


@pytest.mark.parametrize("syntax", LOSSLESS)
@pytest.mark.parametrize("kind", ["grey", "colour"])
def test_lossless_forms_hold_the_same_values(syntax: str, kind: str) -> None:
    study = Study("test", PATIENTS["el"], "20240101", "120000", "Test")
    image = blank(Series(study, 1, "OT", "Test"), uids.SECONDARY_CAPTURE_IMAGE, 1)
    image.ImageType = ["DERIVED", "SECONDARY"]
    random = np.random.default_rng(7)
    if kind == "grey":
        original = random.integers(0, 4096, (3, 33, 47)).astype(np.uint16)
        add_grey(image, original)
    else:
        original = random.integers(0, 256, (3, 33, 47, 3)).astype(np.uint8)
        add_colour(image, original)
    file = BytesIO()
    compressed(image, syntax).save_as(file, enforce_file_format=True)
    file.seek(0)
    assert np.array_equal(pixels(pydicom.dcmread(file)), original)


def test_the_heart_beats_under_a_name_that_stays(folder: Path) -> None:
    image = pydicom.dcmread(folder / "ru-us" / "01-US" / "0001.dcm")
    frames = image.pixel_array.astype(int)
    heading, sector = frames[:, :36], frames[:, 60:400, 120:520]
    assert image.BurnedInAnnotation == "YES"
    assert (heading == heading[0]).all()
    assert (heading[0].min(axis=2) > 180).sum() > 400
    assert all((sector[n] != sector[n - 1]).any() for n in range(1, len(sector)))
    assert np.abs(sector[len(sector) // 2] - sector[0]).mean() > 2
    assert (np.ptp(sector, axis=3) > 90).any()
    assert image.SequenceOfUltrasoundRegions[0].RegionLocationMaxX1 < image.Columns


def test_the_report_refers_to_images_of_its_study(headers: list[Dataset]) -> None:
    known = {(header.StudyInstanceUID, header.SOPInstanceUID) for header in headers}
    reports = [header for header in headers if header.Modality == "SR"]
    assert reports
    for report in reports:
        (evidence,) = report.CurrentRequestedProcedureEvidenceSequence
        for series in evidence.ReferencedSeriesSequence:
            for reference in series.ReferencedSOPSequence:
                assert (evidence.StudyInstanceUID, reference.ReferencedSOPInstanceUID) in known


def test_the_pdf_s_cross_references_are_right(headers: list[Dataset]) -> None:
    documents = [bytes(header.EncapsulatedDocument) for header in headers if header.Modality == "DOC"]
    assert documents
    for pdf in documents:
        start = int(re.search(rb"startxref\n(\d+)\n%%EOF", pdf)[1])  # type: ignore[index] # absent: the test fails
        assert pdf[start:].startswith(b"xref\n0 6\n")
        offsets = [int(line[:10]) for line in re.findall(rb"\d{10} 00000 n \n", pdf[start:])]
        assert [pdf[at : at + 7] for at in offsets] == [b"%d 0 obj" % number for number in range(1, 6)]


def _digest(key: str) -> str:
    digest = hashlib.sha256()
    for study, datasets in all_studies():
        if study.key == key:
            for dataset in datasets:
                file = BytesIO()
                dataset.save_as(file, enforce_file_format=True)
                digest.update(file.getvalue())
    return digest.hexdigest()


@pytest.mark.parametrize("key", ["he-mr", "tr-page"])
def test_another_process_makes_the_same_bytes(key: str, folder: Path) -> None:
    files = sorted((folder / key).rglob("*.dcm"))
    assert hashlib.sha256(b"".join(path.read_bytes() for path in files)).hexdigest() == _digest(key)
    program = f"import runpy; print(runpy.run_path({__file__!r})['_digest']({key!r}))"
    fresh = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert fresh.stdout.strip() == _digest(key)


def test_the_samples_stay_small(folder: Path) -> None:
    assert sum(path.stat().st_size for path in folder.rglob("*.dcm")) < 200_000_000


@pytest.mark.interop("dcmtk")
def test_dcmtk_reads_every_file(folder: Path, dcmtk: Any) -> None:
    files = [str(path) for path in sorted(folder.rglob("*.dcm"))]
    tested = subprocess.run([dcmtk.tool("dcmftest"), *files], capture_output=True, text=True, check=False)
    assert [line for line in tested.stdout.splitlines() if not line.startswith("yes:")] == []
    dumped = subprocess.run(
        [dcmtk.tool("dcmdump"), "--quiet", *files], capture_output=True, text=True, errors="replace", check=False
    )
    assert (dumped.returncode, dumped.stderr) == (0, "")
