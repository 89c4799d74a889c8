"""Files to send: CT slices of 525 kB and MR slices of 33 kB, deterministic, with UIDs of their own."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, MRImageStorage

PREFIX = "1.2.826.0.1.3680043.10.1511"
PER_SERIES = 100
PER_STUDY = 400


def ct_files(folder: Path, count: int, root: int = 1, *, one_series: bool = False) -> list[Path]:
    """`count` CT images of 512 x 512 x 16 bit."""
    return _files(folder, count, CTImageStorage, "CT", 512, root, one_series)


def mr_files(folder: Path, count: int, root: int = 2, *, one_series: bool = False) -> list[Path]:
    """`count` MR images of 128 x 128 x 16 bit."""
    return _files(folder, count, MRImageStorage, "MR", 128, root, one_series)


def series_path(root: int) -> str:
    """Where DICOMweb has the first series of what was made with `root`."""
    return f"/studies/{PREFIX}.{root}.1/series/{PREFIX}.{root}.1.1"


def pixels(number: int, side: int = 512) -> bytes:
    """Pixel Data of image `number` of a folder (from 0)."""
    return np.roll(_noise(side), number, axis=1).tobytes()


def _noise(side: int) -> np.ndarray:
    return np.random.default_rng(7).integers(0, 4096, (side, side), dtype=np.uint16)


def _files(
    folder: Path, count: int, sop_class: str, modality: str, side: int, root: int, one_series: bool
) -> list[Path]:
    folder.mkdir(parents=True, exist_ok=True)
    noise = _noise(side)
    paths = []
    for number in range(count):
        path = folder / f"{modality}{number:06d}.dcm"
        image = _image(noise, number, sop_class, modality, root, count if one_series else PER_SERIES)
        image.save_as(path, enforce_file_format=True)
        paths.append(path)
    return paths


def _image(noise: np.ndarray, number: int, sop_class: str, modality: str, root: int, per_series: int) -> Dataset:
    study, series = number // max(PER_STUDY, per_series) + 1, number // per_series + 1
    prefix = f"{PREFIX}.{root}"
    image = Dataset()
    image.file_meta = FileMetaDataset()
    image.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    image.SpecificCharacterSet = "ISO_IR 100"
    image.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
    image.SOPClassUID = sop_class
    image.SOPInstanceUID = f"{prefix}.{study}.{series}.{number + 1}"
    image.StudyDate = image.SeriesDate = image.ContentDate = "20240229"
    image.StudyTime = image.SeriesTime = image.ContentTime = "101500"
    image.AccessionNumber = f"A{root}{study:05d}"
    image.Modality = modality
    image.Manufacturer = "Bench"
    image.InstitutionName = "Invented Hospital"
    image.ReferringPhysicianName = "Referrer^Invented"
    image.StudyDescription = "Bench study"
    image.SeriesDescription = f"Bench series {series}"
    image.StationName = "BENCH"
    image.PatientName = f"Bench^Patient{study}"
    image.PatientID = f"BENCH-{root}-{study}"
    image.PatientBirthDate = "19700101"
    image.PatientSex = "O"
    image.SliceThickness = "1.0"
    image.KVP = "120"
    image.StudyInstanceUID = f"{prefix}.{study}"
    image.SeriesInstanceUID = f"{prefix}.{study}.{series}"
    image.StudyID = str(study)
    image.SeriesNumber = series
    image.InstanceNumber = number % per_series + 1
    image.ImagePositionPatient = [0, 0, number]
    image.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
    image.FrameOfReferenceUID = f"{prefix}.{study}.0"
    image.SamplesPerPixel = 1
    image.PhotometricInterpretation = "MONOCHROME2"
    image.Rows, image.Columns = noise.shape
    image.PixelSpacing = [0.7, 0.7]
    image.BitsAllocated, image.BitsStored, image.HighBit, image.PixelRepresentation = 16, 12, 11, 0
    image.WindowCenter, image.WindowWidth = "40", "400"
    image.RescaleIntercept, image.RescaleSlope = "-1024", "1"
    image.PixelData = np.roll(noise, number, axis=1).tobytes()
    return image
