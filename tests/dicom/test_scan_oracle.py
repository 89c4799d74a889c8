"""The scan finds in every file of pydicom's collections what pydicom finds, whatever the size of the pieces."""

import io
from pathlib import Path

import pydicom
import pytest
from pydicom.data import get_testdata_files
from pydicom.filebase import DicomBytesIO
from pydicom.filereader import read_partial
from pydicom.filewriter import write_dataset

from leadglass.core.errors import ErrorCode, LeadglassError
from leadglass.core.limits import MAX_INDEXED_VALUE
from leadglass.dicom import index_keys
from leadglass.dicom.dictionary import vr_of
from leadglass.dicom.scan import HeaderScanner
from leadglass.dicom.transfer_syntaxes import lookup


def collection() -> list[Path]:
    """All files of pydicom and, where it is installed, of pydicom-data (both are packages; no network)."""
    import data_store  # pydicom-data

    roots = {Path(p) for p in get_testdata_files()}
    roots |= {p for p in (Path(data_store.__file__).parent / "data").rglob("*") if p.is_file()}
    return sorted(p for p in roots if p.is_file() and p.suffix in {"", ".dcm"} and b"DICM" in p.read_bytes()[128:132])


FILES = collection()


def body(path: Path) -> tuple[str, bytes]:
    """Transfer syntax and data set bytes of a Part 10 file, by pydicom's reading of the File Meta Information."""
    raw = path.read_bytes()
    stream = io.BytesIO(raw)
    meta = read_partial(stream, lambda tag, vr, length: tag.group > 2, force=True).file_meta
    stream.seek(132)
    pydicom.filereader._read_file_meta_info(stream)
    return str(meta.get("TransferSyntaxUID", "1.2.840.10008.1.2")), raw[stream.tell() :]


def scan(uid: str, data: bytes, piece: int = 0):
    scanner = HeaderScanner(uid)
    for start in range(0, len(data), piece or max(len(data), 1)):
        scanner.feed(memoryview(data)[start : start + (piece or len(data))])
    return scanner.finish()


def neutral(dataset: pydicom.Dataset) -> list:
    """Values of a data set in a form that does not depend on how they were written."""
    out = []
    for element in dataset:
        if element.tag.element == 0:
            continue
        if element.VR == "SQ":
            out.append((int(element.tag), [neutral(item) for item in element.value]))
        else:
            value = element.value
            out.append((int(element.tag), [str(v) for v in value] if element.VM > 1 else str(value or "")))
    return out


def expected(element: pydicom.DataElement, charset) -> bytes:
    """The value of one element as Explicit VR Little Endian bytes, as pydicom writes it."""
    out = DicomBytesIO()
    out.is_implicit_VR, out.is_little_endian = False, True
    dataset = pydicom.Dataset()
    dataset.add(element)
    write_dataset(out, dataset, charset)
    written = out.getvalue()
    return written[12:] if element.VR in ("UT", "UC", "UR", "OB", "OW", "UN") else written[8:]


def compare(values, dataset):
    charset = dataset.original_character_set
    for tag in index_keys.ALL:
        if tag not in dataset:
            assert tag not in values
            continue
        raw = dataset.get_item(tag)
        if vr_of(tag) == "SQ":
            if tag in values:
                item = pydicom.filereader.read_sequence(
                    io.BytesIO(values[tag].raw), False, True, len(values[tag].raw), charset
                )
                assert [neutral(i) for i in item] == [neutral(i) for i in dataset[tag].value]
            continue
        if isinstance(raw, pydicom.dataelem.RawDataElement) and raw.is_little_endian:
            if raw.length <= MAX_INDEXED_VALUE:
                assert values[tag].raw == (raw.value or b""), hex(tag)
        else:
            assert values[tag].raw.strip(b" \0") == expected(dataset[tag], charset).strip(b" \0"), hex(tag)


# What the scan refuses among them, and why.
REFUSED = {
    "DICOMDIR-nooffset": "longer than the sequence",
    "MR_truncated.dcm": "cut short",
    "SC_rgb_jpeg.dcm": "not in the transfer syntax",
    "emri_small_jpeg_2k_lossless_too_short.dcm": "cut short",
    "rtplan_truncated.dcm": "cut short",
}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("path", FILES, ids=lambda p: p.name)
def test_same_as_pydicom(path):
    uid, data = body(path)
    if lookup(uid) is None:
        pytest.fail(f"unknown transfer syntax {uid}")
    if path.name in REFUSED:
        with pytest.raises(LeadglassError) as caught:
            scan(uid, data)
        assert caught.value.code is ErrorCode.UNPARSABLE
        assert REFUSED[path.name] in caught.value.comment
        return
    found = scan(uid, data)
    compare(found.values, pydicom.dcmread(path, force=True))


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("piece", [1, 7, 100, 16_384, 65_537])
def test_pieces_do_not_matter(piece):
    small = [p for p in FILES if p.stat().st_size < (20_000 if piece < 100 else 400_000) and p.name not in REFUSED]
    assert len(small) > 20
    for path in small[:: 6 if piece == 1 else 2]:
        uid, data = body(path)
        assert scan(uid, data, piece) == scan(uid, data), path.name
