"""Writing a DICOMDIR (PS3.3 annex F, PS3.10): what a folder of exported files holds, for software that reads discs.

pydicom's FileSet writes every object anew and keeps a copy of it in the machine's temporary folder; here the files stay
as they are, and only their headers are looked at. Which keys the record of an object has is pydicom's knowledge.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import zip_longest
from pathlib import Path

import pydicom
from pydicom.dataset import Dataset
from pydicom.filebase import DicomBytesIO
from pydicom.fileset import _FOUR_LEVEL_SOP_CLASSES, _SINGLE_LEVEL_SOP_CLASSES, DIRECTORY_RECORDERS
from pydicom.filewriter import write_dataset
from pydicom.uid import generate_uid

from leadglass.dicom import uids
from leadglass.dicom.part10 import build_file_header

HEADER_VALUE = 64 * 1024  # longer values stay in the file: an encapsulated PDF is not read for its record
_IN_USE = 0xFFFF
_ITEM = struct.Struct("<HHI")
_UL = struct.Struct("<I")
# Where the values of (0004,1400) and (0004,1420) lie in a record: both come first, their lengths never change.
_NEXT, _LOWER = 8, 30
_LEVELS = {
    "PATIENT": ("PatientName", "PatientID"),
    "STUDY": ("StudyDate", "StudyTime", "StudyDescription", "StudyInstanceUID", "StudyID", "AccessionNumber"),
    "SERIES": ("Modality", "SeriesInstanceUID", "SeriesNumber"),
}


@dataclass(slots=True)
class _Node:
    content: bytes = b""
    children: dict[str, _Node] = field(default_factory=dict)
    offset: int = 0


class DirectoryBuilder:
    """Gathers records; `encode` gives the file."""

    def __init__(self) -> None:
        self._root = _Node()

    def add(self, file: Path, file_id: tuple[str, ...]) -> bool:
        """Add the object in `file`, which the DICOMDIR calls `file_id` (up to 8 components of up to 8 characters).

        Gives False if it cannot be listed: it is no image, and its class has no directory record.
        """
        header = pydicom.dcmread(file, stop_before_pixels=True, defer_size=HEADER_VALUE, force=True)
        single = _SINGLE_LEVEL_SOP_CLASSES.get(header.SOPClassUID)
        kind = single or _FOUR_LEVEL_SOP_CLASSES.get(header.SOPClassUID) or ("IMAGE" if "Rows" in header else "")
        if not kind:
            return False
        node = self._root
        if single is None:
            for level, key in _levels(header):
                node = self._below(node, level + key, level, header)
        leaf = _record(kind, header)
        leaf.ReferencedFileID = list(file_id)
        leaf.ReferencedSOPClassUIDInFile = header.SOPClassUID
        leaf.ReferencedSOPInstanceUIDInFile = header.SOPInstanceUID
        leaf.ReferencedTransferSyntaxUIDInFile = header.file_meta.TransferSyntaxUID
        node.children["/".join(file_id)] = _Node(_encoded(leaf))
        return True

    def encode(self) -> bytes:
        """The whole DICOMDIR file."""
        start = build_file_header(uids.MEDIA_STORAGE_DIRECTORY, generate_uid(prefix=None), uids.EXPLICIT_VR_LE)
        head = len(start) + 8 + 12 + 12 + 10 + 12  # the five elements below, without the records
        records = list(_walk(self._root))
        at = head
        for node, _ in records:
            node.offset, at = at, at + _ITEM.size + len(node.content)
        body = b"".join(_with_offsets(node, following) for node, following in records)
        tops = [node.offset for node in self._root.children.values()] or [0]
        elements = (
            struct.pack("<HH2sH", 4, 0x1130, b"CS", 0),
            struct.pack("<HH2sHI", 4, 0x1200, b"UL", 4, tops[0]),
            struct.pack("<HH2sHI", 4, 0x1202, b"UL", 4, tops[-1]),
            struct.pack("<HH2sHH", 4, 0x1212, b"US", 2, 0),
            struct.pack("<HH2sHI", 4, 0x1220, b"SQ", 0, len(body)),
        )
        return b"".join((start, *elements, body))

    @staticmethod
    def _below(node: _Node, key: str, kind: str, header: Dataset) -> _Node:
        if key not in node.children:
            node.children[key] = _Node(_encoded(_record(kind, header)))
        return node.children[key]


def _levels(header: Dataset) -> tuple[tuple[str, str], ...]:
    study = str(header.get("StudyInstanceUID", ""))
    # An empty Patient ID joins no two studies.
    patient = f"{header.PatientID}\0{header.get('PatientName', '')}" if header.get("PatientID") else study
    return ("PATIENT", patient), ("STUDY", study), ("SERIES", str(header.get("SeriesInstanceUID", "")))


def _record(kind: str, header: Dataset) -> Dataset:
    """A record of `kind`. What the standard wants and the object does not have stays empty: nothing is made up."""
    if kind in _LEVELS:
        record = _copied(header, _LEVELS[kind])
    else:
        try:
            record = DIRECTORY_RECORDERS[kind](header)
        except (ValueError, AttributeError, KeyError):
            record = _copied(header, ("InstanceNumber",))
    record.OffsetOfTheNextDirectoryRecord = 0
    record.RecordInUseFlag = _IN_USE
    record.OffsetOfReferencedLowerLevelDirectoryEntity = 0
    record.DirectoryRecordType = kind
    if "SpecificCharacterSet" in header:
        record.SpecificCharacterSet = header.SpecificCharacterSet
    return record


def _copied(header: Dataset, keywords: tuple[str, ...]) -> Dataset:
    record = Dataset()
    for keyword in keywords:
        try:
            setattr(record, keyword, header.get(keyword))
        except (ValueError, TypeError):  # not a value of its VR
            setattr(record, keyword, None)
    return record


def _encoded(record: Dataset) -> bytes:
    out = DicomBytesIO()
    out.is_little_endian, out.is_implicit_VR = True, False
    write_dataset(out, record)
    content: bytes = out.getvalue()
    return content


def _walk(root: _Node) -> Iterator[tuple[_Node, _Node | None]]:
    """Each node with the one after it on its level, parents before children."""
    children = list(root.children.values())
    for node, following in zip_longest(children, children[1:]):
        yield node, following
        yield from _walk(node)


def _with_offsets(node: _Node, following: _Node | None) -> bytes:
    content = bytearray(node.content)
    _UL.pack_into(content, _NEXT, following.offset if following else 0)
    _UL.pack_into(content, _LOWER, next(iter(node.children.values())).offset if node.children else 0)
    return _ITEM.pack(0xFFFE, 0xE000, len(content)) + bytes(content)
