"""Data sets for tests, encoded by pydicom, and the way they go into and come out of an opened archive."""

from __future__ import annotations

from typing import Any

from pydicom.dataset import Dataset
from pynetdicom.dsutils import encode

from leadglass.app.archive import Archive
from leadglass.core.device import DuplicatePolicy
from leadglass.core.principal import SYSTEM, Principal
from leadglass.core.query import Level, Selection
from leadglass.core.records import StoredInstance
from leadglass.dicom.uids import EXPLICIT_VR_BE, EXPLICIT_VR_LE, IMPLICIT_VR_LE
from leadglass.services.ingest import Announced, StoreResult

CT = "1.2.840.10008.5.1.4.1.1.2"
PIECE = 30_000


def uid(study: int, number: int) -> str:
    """The SOP Instance UID of an object made here."""
    return f"1.2.826.0.1.3680043.2.{study}.{number}"


def study_uid(study: int) -> str:
    return f"1.2.826.0.1.3680043.2.{study}"


def data_set(study: int = 1, number: int = 1, size: int = 2_000, **changes: Any) -> Dataset:
    """A small CT image; `changes` replace attributes by keyword, None removes them."""
    made = Dataset()
    made.SpecificCharacterSet = "ISO_IR 100"
    made.SOPClassUID = CT
    made.SOPInstanceUID = uid(study, number)
    made.StudyDate = f"2024{study % 12 + 1:02}15"
    made.Modality = "CT"
    made.PatientName = f"Rossi^Anna{study}"
    made.PatientID = f"P{study}"
    made.StudyInstanceUID = study_uid(study)
    made.SeriesInstanceUID = f"{study_uid(study)}.1000"
    made.InstanceNumber = number
    made.PixelData = bytes((study + number + index) % 251 for index in range(251)) * (size // 251 + 2)
    made["PixelData"].VR = "OW"
    made.PixelData = made.PixelData[: size // 2 * 2]
    for keyword, value in changes.items():
        if value is None:
            delattr(made, keyword)
        else:
            setattr(made, keyword, value)
    return made


def encoded(made: Dataset, syntax: str = EXPLICIT_VR_LE) -> bytes:
    """The bytes of a data set in a native transfer syntax."""
    data = encode(made, syntax == IMPLICIT_VR_LE, syntax != EXPLICIT_VR_BE)
    assert data is not None
    return data


async def store(
    archive: Archive,
    data: bytes,
    sop_instance_uid: str,
    *,
    syntax: str = EXPLICIT_VR_LE,
    principal: Principal = SYSTEM,
    sop_class_uid: str = CT,
    duplicates: DuplicatePolicy = DuplicatePolicy.VERSION,
) -> StoreResult:
    """Store as a door does: in pieces, with back-pressure."""
    announced = Announced(sop_class_uid, sop_instance_uid, syntax, duplicates=duplicates)
    reception = archive.ingest.begin(principal, announced)
    try:
        for start in range(0, len(data), PIECE):
            reception.feed(data[start : start + PIECE])
            while reception.congested:
                await reception.relieve()
        return await reception.complete()
    finally:
        reception.abort()


async def store_one(archive: Archive, study: int = 1, number: int = 1, **changes: Any) -> bytes:
    """Store `data_set(study, number)`; its bytes."""
    data = encoded(data_set(study, number, **changes))
    await store(archive, data, uid(study, number))
    return data


def image(study: int, number: int) -> Selection:
    return Selection(Level.IMAGE, sop_instance_uids=(uid(study, number),))


def whole_study(study: int) -> Selection:
    return Selection(Level.STUDY, study_uids=(study_uid(study),))


def read_back(archive: Archive, stored: StoredInstance) -> bytes:
    """The data set bytes of a stored instance."""
    reader = archive.vault.open(stored.location, stored.identity)
    try:
        return b"".join(reader.chunks())
    finally:
        reader.close()
