"""The DICOM files of pydicom and pydicom-data (both are packages: no network), and what is known of each."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import data_store
import pydicom
import pydicom.data
from pydicom.filereader import _read_file_meta_info

from leadglass.app.samples.studies import all_studies

IMPLICIT_VR_LE = "1.2.840.10008.1.2"
NATIVE = {  # (implicit VR, little endian) -> transfer syntax
    (True, True): IMPLICIT_VR_LE,
    (False, True): "1.2.840.10008.1.2.1",
    (False, False): "1.2.840.10008.1.2.2",
}
FOUR_UIDS = ("SOPClassUID", "SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID")


@dataclass(frozen=True)
class Specimen:
    """A file: its transfer syntax, its data set as the bytes lie in it, and its four UIDs (empty where missing)."""

    path: Path
    syntax: str
    data: bytes
    sop_class: str
    sop_instance: str
    study: str
    series: str

    @property
    def name(self) -> str:
        """How lists call it."""
        return self.path.name

    @property
    def identified(self) -> bool:
        """Whether it has the four UIDs."""
        return all((self.sop_class, self.sop_instance, self.study, self.series))


def collection() -> list[Specimen]:
    """Every DICOM file of both packages, those without preamble included, in the order of names."""
    roots = (Path(pydicom.data.__file__).parent, Path(data_store.__file__).parent / "data")
    files = (path for root in roots for path in root.rglob("*") if path.is_file() and path.suffix in ("", ".dcm"))
    found = (specimen(path) for path in files if _is_part10(path) or path.suffix == ".dcm")
    return sorted(found, key=lambda item: (item.name, str(item.path)))


def sample_study(key: str, folder: Path) -> Iterator[Specimen]:
    """The files of one sample study, written below `folder`."""
    for number, dataset in enumerate(next(datasets for study, datasets in all_studies() if study.key == key)):
        path = folder / f"{number}.dcm"
        dataset.save_as(path, enforce_file_format=True)
        yield specimen(path)


def rounds(items: Iterable[Specimen], instance: Callable[[Specimen], str]) -> list[list[Specimen]]:
    """In groups in which no SOP Instance UID comes twice: many files are variants of one instance. Of files that are
    alike one is kept."""
    groups: list[dict[str, Specimen]] = []
    for item in items:
        for group in groups:
            other = group.get(instance(item))
            if other is None or (other.data, other.syntax) == (item.data, item.syntax):
                break
        else:
            group = {}
            groups.append(group)
        group.setdefault(instance(item), item)
    return [list(group.values()) for group in groups]


def specimen(path: Path) -> Specimen:
    """One file, read by pydicom."""
    raw = path.read_bytes()
    found = pydicom.dcmread(path, force=True, stop_before_pixels=True, specific_tags=list(FOUR_UIDS))
    start, syntax = 0, NATIVE[found.original_encoding]
    if _is_part10(path):
        stream = io.BytesIO(raw)
        stream.seek(132)
        syntax = str(_read_file_meta_info(stream).get("TransferSyntaxUID", IMPLICIT_VR_LE))
        start = stream.tell()
    uids = (str(found.get(keyword) or "") for keyword in FOUR_UIDS)
    return Specimen(path, syntax, raw[start:], *uids)


def _is_part10(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(132)[128:] == b"DICM"
