"""Every frame of the files of pydicom and pydicom-data, and of the sample studies, over WADO-RS: as stored, and decoded
as pydicom decodes it."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any, TypeAlias

import archives
import httpx
import multiparts
import numpy as np
import objects
import pydicom
import pytest
import webbed
from collection import Specimen, collection, sample_study
from pydicom.encaps import generate_frames
from pydicom.pixels import get_decoder
from refused import REFUSED

from leadglass.app.archive import Archive
from leadglass.app.samples.studies import all_studies
from leadglass.dicom.transfer_syntaxes import DECODABLE, lookup
from leadglass.dicom.uids import HTJ2K_LOSSLESS, JPEG_LS_LOSSLESS

Frame: TypeAlias = "np.ndarray[Any, Any]"

BATCH = 100
# Images that pydicom, with the decoders that are installed, does not decode.
UNDECODED = {
    "GDCMJ2K_TextGBR.dcm",
    "J2K_pixelrep_mismatch.dcm",
    "JPEG2000-embedded-sequence-delimiter.dcm",  # nobody can: it holds a few bytes that are no frame
    "JPEG-lossy.dcm",
    "JPGExtended.dcm",
}
NO_FRAMES = {"badVR.dcm"}  # it says that it has "1A" of them
NO_DECODER = {JPEG_LS_LOSSLESS, HTJ2K_LOSSLESS}  # pydicom has none without further packages; test_pixels has others
LOSSY = {f"1.2.840.10008.1.2.4.{number}" for number in ("50", "51")}


def with_pixels() -> list[Specimen]:
    """Those that are images; of several files with one SOP Instance UID each is tried."""
    found = []
    for item in collection():
        if item.identified and item.name not in REFUSED and item.name not in NO_FRAMES:
            read = pydicom.dcmread(item.path, force=True, defer_size=1024)
            if "PixelData" in read and read.get("Rows"):
                found.append(item)
    return found


SPECIMENS = with_pixels()


@pytest.fixture(scope="module", params=range(len(SPECIMENS)), ids=[item.name for item in SPECIMENS])
def item(request: pytest.FixtureRequest) -> Specimen:
    return SPECIMENS[request.param]


async def asked(http: httpx.AsyncClient, item: Specimen, count: int, accept: str) -> list[bytes]:
    """All frames, in requests of some."""
    url = f"/dicom-web/studies/{item.study}/series/{item.series}/instances/{item.sop_instance}/frames/"
    found: list[bytes] = []
    for first in range(1, count + 1, BATCH):
        numbers = ",".join(map(str, range(first, min(first + BATCH, count + 1))))
        answer = await http.get(url + numbers, headers={"accept": accept}, timeout=60)
        assert answer.status_code == 200, answer.text
        found += [content for _, content in multiparts.parts(answer)]
    return found


async def test_frames_are_pydicoms(item: Specimen, tmp_path: Path) -> None:
    with archives.opened(archives.make(tmp_path, [])) as archive:
        await check(archive, item)


@pytest.mark.timeout(300)
@pytest.mark.parametrize("key", [study.key for study, _ in all_studies()])
async def test_frames_of_sample_studies_are_pydicoms(key: str, tmp_path: Path) -> None:
    with archives.opened(archives.make(tmp_path, [])) as archive:
        for item in sample_study(key, tmp_path):
            compared = await check(archive, item)
            assert compared > 0 or item.syntax in NO_DECODER or "PixelData" not in pydicom.dcmread(item.path)


async def check(archive: Archive, item: Specimen) -> int:
    """Store one, and compare all its frames; how many were compared with decoded ones."""
    read = pydicom.dcmread(item.path, force=True)
    if "PixelData" not in read:
        return 0
    read.file_meta = getattr(read, "file_meta", None) or pydicom.dataset.FileMetaDataset()
    read.file_meta.TransferSyntaxUID = item.syntax
    count = int(read.get("NumberOfFrames") or 1)
    syntax = lookup(item.syntax)
    assert syntax is not None
    await objects.store(archive, item.data, item.sop_instance, syntax=item.syntax, sop_class_uid=item.sop_class)
    async with webbed.client(archive) as http:
        if syntax.encapsulated:
            stored = await asked(http, item, count, "multipart/related; transfer-syntax=*")
            assert stored == [bytes(frame) for frame in generate_frames(read.PixelData, number_of_frames=count)]
        if syntax.encapsulated and item.syntax not in DECODABLE:
            return 0
        theirs = decoded(read, item.syntax)
        if theirs is None:
            return 0  # pydicom does not decode it
        ours = await asked(http, item, count, 'multipart/related; type="application/octet-stream"')
    if not syntax.encapsulated and syntax.little_endian and read.BitsAllocated > 1:
        assert bytes(read.PixelData).startswith(b"".join(ours))
    assert len(ours) == len(theirs) == count
    for mine, wanted in zip(ours, theirs, strict=True):
        compare(read, item.syntax, mine, wanted)
    return count


def decoded(read: pydicom.Dataset, syntax: str) -> list[Frame] | None:
    """The frames by pydicom; None if it cannot decode them."""
    decoder = get_decoder(syntax)
    known = lookup(syntax)
    if known is not None and known.encapsulated and not decoder.is_available:
        return None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return [frame for frame, _ in decoder.iter_array(read, raw=syntax not in LOSSY)]
        except (RuntimeError, ValueError, TypeError):
            assert Path(str(read.filename)).name in UNDECODED
            return None


def compare(read: pydicom.Dataset, syntax: str, mine: bytes, wanted: Frame) -> None:
    bits = read.BitsAllocated
    known = lookup(syntax)
    assert known is not None
    if bits == 1:
        assert mine == np.packbits(wanted.astype(np.uint8).reshape(-1), bitorder="little").tobytes()
        return
    if not known.encapsulated and wanted.ndim == 3 and read.get("PlanarConfiguration") == 1:
        wanted = wanted.transpose(2, 0, 1)
    if not known.encapsulated and read.PhotometricInterpretation == "YBR_FULL_422":
        mine = np.frombuffer(mine, "u1").reshape(-1, 4)[:, (0, 2, 3, 1, 2, 3)].tobytes()  # colour of two pixels
    got = np.frombuffer(mine, f"<u{bits // 8}").reshape(wanted.shape)
    whole = wanted.astype(wanted.dtype.newbyteorder("="))
    same = whole.view(f"u{whole.dtype.itemsize}").astype(f"u{bits // 8}")
    if syntax in LOSSY:
        assert np.abs(got.astype(int) - same.astype(int)).mean() < 2
    else:
        mask = (1 << read.BitsStored) - 1
        assert np.array_equal(got & mask, same & mask)
