"""Small studies for peers to store and ask for: two patients with names in their own character sets, three series."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, MRImageStorage

ROOT = "1.2.826.0.1.3680043.10.999"


@dataclass(frozen=True)
class Series:
    """One series to be made."""

    study: int
    series: int
    patient_id: str
    name: str
    charset: str
    modality: str
    date: str
    images: int
    description: str = ""

    @property
    def study_uid(self) -> str:
        return f"{ROOT}.{self.study}"

    @property
    def uid(self) -> str:
        return f"{ROOT}.{self.study}.{self.series}"


MUELLER = Series(1, 1, "M-1", "Müller^Jürgen", "ISO_IR 100", "CT", "20240115", 3, "Schädel")
MUELLER_MR = Series(2, 1, "M-1", "Müller^Jürgen", "ISO_IR 100", "MR", "20240320", 2, "Knie")
YAMADA = Series(3, 1, "Y-1", "Yamada^Tarou=山田^太郎=やまだ^たろう", "ISO_IR 192", "CT", "20250601", 2, "頭部")
ALL_SERIES = (MUELLER, MUELLER_MR, YAMADA)


def write(folder: Path, wanted: tuple[Series, ...] = ALL_SERIES) -> list[Path]:
    """The files of `wanted` below `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    return [_image(folder, series, number) for series in wanted for number in range(1, series.images + 1)]


def _image(folder: Path, series: Series, number: int) -> Path:
    made = Dataset()
    made.SpecificCharacterSet = series.charset
    made.SOPClassUID = CTImageStorage if series.modality == "CT" else MRImageStorage
    made.SOPInstanceUID = f"{series.uid}.{number}"
    made.StudyDate, made.StudyTime = series.date, "101500"
    made.AccessionNumber, made.StudyID = f"A{series.study}", str(series.study)
    made.Modality = series.modality
    made.ReferringPhysicianName = ""
    made.StudyDescription = series.description
    made.PatientName, made.PatientID = series.name, series.patient_id
    made.PatientBirthDate, made.PatientSex = "19700101", "O"
    made.StudyInstanceUID, made.SeriesInstanceUID = series.study_uid, series.uid
    made.SeriesNumber, made.InstanceNumber = series.series, number
    made.Rows = made.Columns = 32
    made.SamplesPerPixel, made.PhotometricInterpretation = 1, "MONOCHROME2"
    made.BitsAllocated, made.BitsStored, made.HighBit, made.PixelRepresentation = 16, 16, 15, 0
    made.RescaleIntercept, made.RescaleSlope = 0, 1
    made.PixelData = (numpy.arange(1024, dtype="<u2") * number).tobytes()
    made.file_meta = FileMetaDataset()
    made.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    path = folder / f"{series.study}-{series.series}-{number}.dcm"
    made.save_as(path, enforce_file_format=True)
    return path
