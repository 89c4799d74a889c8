"""Data sets with patient, study, series and equipment filled in, ready for an image or a document."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import UID, ExplicitVRLittleEndian

from leadglass.app.samples.identifiers import uid_for
from leadglass.app.samples.patients import Patient
from leadglass.dicom.uids import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME

HOSPITAL = "Leadglass Sample Hospital"
MAKER = "Leadglass sample generator"


@dataclass(frozen=True, slots=True)
class Study:
    """One sample study. `date` is YYYYMMDD, `time` HHMMSS."""

    key: str
    patient: Patient
    date: str
    time: str
    description: str

    @property
    def uid(self) -> str:
        """StudyInstanceUID."""
        return uid_for("study", self.key)

    @property
    def accession(self) -> str:
        """AccessionNumber: at most 16 characters, the same each time."""
        return f"A{int(uid_for('accession', self.key)[5:]) % 10**8:08d}"


@dataclass(frozen=True, slots=True)
class Series:
    """One series of a sample study."""

    study: Study
    number: int
    modality: str
    description: str
    body_part: str = ""

    @property
    def uid(self) -> str:
        """SeriesInstanceUID."""
        return uid_for("series", self.study.key, self.number)

    @property
    def frame_of_reference(self) -> str:
        """FrameOfReferenceUID: one per study and modality, so that series can be shown over each other."""
        return uid_for("frame of reference", self.study.key, self.modality)


def blank(series: Series, sop_class_uid: str, number: int) -> Dataset:
    """A data set of `series` without content, as Explicit VR Little Endian, with its File Meta Information."""
    study, patient = series.study, series.study.patient
    dataset = Dataset()
    if patient.character_set:
        dataset.SpecificCharacterSet = (
            patient.character_set if isinstance(patient.character_set, str) else list(patient.character_set)
        )
    dataset.SOPClassUID = UID(sop_class_uid)
    dataset.SOPInstanceUID = UID(uid_for("instance", study.key, series.number, number))
    dataset.StudyDate = dataset.SeriesDate = dataset.ContentDate = study.date
    dataset.StudyTime = dataset.SeriesTime = study.time
    dataset.ContentTime = f"{int(study.time) + min(number, 50):06d}" if study.time.endswith("00") else study.time
    dataset.AccessionNumber = study.accession
    dataset.Modality = series.modality
    dataset.Manufacturer = MAKER
    dataset.InstitutionName = HOSPITAL
    dataset.ReferringPhysicianName = patient.physician
    dataset.StationName = f"SAMPLE_{series.modality}"
    dataset.StudyDescription = study.description
    dataset.SeriesDescription = series.description
    dataset.ManufacturerModelName = "Phantom"
    dataset.PatientName = patient.name
    dataset.PatientID = patient.patient_id
    dataset.IssuerOfPatientID = "LEADGLASS-SAMPLES"
    dataset.PatientBirthDate = patient.birth_date
    dataset.PatientSex = patient.sex
    dataset.PatientAge = f"{(int(study.date) - int(patient.birth_date)) // 10000:03d}Y"
    dataset.SoftwareVersions = "1"
    dataset.StudyInstanceUID = study.uid
    dataset.SeriesInstanceUID = series.uid
    dataset.StudyID = study.accession[-4:]
    dataset.SeriesNumber = series.number
    dataset.InstanceNumber = number
    if series.body_part:
        dataset.BodyPartExamined = series.body_part
    dataset.file_meta = _file_meta(dataset)
    return dataset


def _file_meta(dataset: Dataset) -> FileMetaDataset:
    meta = FileMetaDataset()
    meta.FileMetaInformationVersion = b"\x00\x01"
    meta.MediaStorageSOPClassUID = dataset.SOPClassUID
    meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.ImplementationClassUID = UID(IMPLEMENTATION_CLASS_UID)
    meta.ImplementationVersionName = IMPLEMENTATION_VERSION_NAME
    return meta


def add_grey(dataset: Dataset, pixels: NDArray[np.uint16], bits: int = 12) -> None:
    """Put `pixels` (rows, columns) or (frames, rows, columns) in, unsigned, MONOCHROME2, with `bits` stored."""
    dataset.SamplesPerPixel = 1
    dataset.PhotometricInterpretation = "MONOCHROME2"
    if pixels.ndim == 3:
        dataset.NumberOfFrames = pixels.shape[0]
    dataset.Rows, dataset.Columns = pixels.shape[-2:]
    dataset.BitsAllocated = 16
    dataset.BitsStored = bits
    dataset.HighBit = bits - 1
    dataset.PixelRepresentation = 0
    dataset.PixelData = pixels.astype("<u2").tobytes()


def add_colour(dataset: Dataset, pixels: NDArray[np.uint8]) -> None:
    """Put RGB `pixels` (rows, columns, 3) or (frames, rows, columns, 3) in, 8 bits, colour by pixel."""
    dataset.SamplesPerPixel = 3
    dataset.PhotometricInterpretation = "RGB"
    dataset.PlanarConfiguration = 0
    if pixels.ndim == 4:
        dataset.NumberOfFrames = pixels.shape[0]
    dataset.Rows, dataset.Columns = pixels.shape[-3:-1]
    dataset.BitsAllocated = dataset.BitsStored = 8
    dataset.HighBit = 7
    dataset.PixelRepresentation = 0
    data = pixels.tobytes()
    dataset.PixelData = data + b"\0" * (len(data) % 2)


def item(**attributes: Any) -> Dataset:
    """A sequence item of the given attributes."""
    dataset = Dataset()
    for keyword, value in attributes.items():
        setattr(dataset, keyword, value)
    return dataset


def code(value: str, scheme: str, meaning: str) -> Dataset:
    """A code sequence item (PS3.3 8.8)."""
    return item(CodeValue=value, CodingSchemeDesignator=scheme, CodeMeaning=meaning)
