"""Every image of pydicom and pydicom-data through the whole way, compared with what pydicom itself makes of it."""

from __future__ import annotations

import io
from collections.abc import Iterator

import numpy as np
import objects
import pydicom
import pytest
import webbed
from collection import Specimen, collection
from PIL import Image
from pydicom.pixels import apply_color_lut, apply_modality_lut, apply_voi_lut

from leadglass.app.archive import Archive
from leadglass.core.errors import LeadglassError

# Images of the collection that have no picture, and why.
NO_PICTURE = {
    "JPEG2000-embedded-sequence-delimiter.dcm": "its codestream is broken on purpose",
    "badVR.dcm": "its Number of Frames is 1A",
    "chrJapMulti.dcm": "it has no pixel data",
    "chrKoreanMulti.dcm": "it has no pixel data",
}
# Sizes of pictures that are not those of the pixels: their pixels are not square.
STRETCHED = {"6293": (16, 18), "6924": (16, 18), "color-pl.dcm": (160, 256)}


def images() -> Iterator[tuple[Specimen, pydicom.Dataset]]:
    """Those with the four UIDs, each UID once, which say that they are images."""
    met = set()
    for item in collection():
        ds = pydicom.dcmread(item.path, force=True)
        if item.identified and item.sop_instance not in met and "Rows" in ds:
            met.add(item.sop_instance)
            if "TransferSyntaxUID" not in ds.file_meta:
                ds.file_meta.TransferSyntaxUID = item.syntax
            yield item, ds


def expected(ds: pydicom.Dataset) -> np.ndarray | None:
    """The first frame as 8 bits of grey or RGB; None where pydicom cannot, or nothing says how it is to be shown."""
    try:
        pixels = ds.pixel_array
    except Exception:  # a codec that pydicom lacks: there is nothing to compare with
        return None
    if int(ds.get("NumberOfFrames") or 1) > 1:
        pixels = pixels[0]
    if ds.PhotometricInterpretation == "PALETTE COLOR":
        coloured = apply_color_lut(pixels, ds)
        return coloured if coloured.dtype == np.uint8 else (coloured >> 8).astype(np.uint8)
    if ds.SamplesPerPixel > 1:
        return pixels
    values = apply_modality_lut(pixels, ds)
    if "VOILUTSequence" in ds:
        top = 2.0 ** ds.VOILUTSequence[0].LUTDescriptor[2] - 1
        shown = apply_voi_lut(values, ds) / top
    elif ds.get("WindowCenter") is not None and ds.get("WindowWidth") is not None:
        low, high = bounds(ds)
        shown = (apply_voi_lut(values, ds) - low) / (high - low)
    else:
        return None
    if ds.PhotometricInterpretation == "MONOCHROME1":
        shown = 1 - shown
    return (np.clip(shown, 0, 1) * 255 + 0.5).astype(np.uint8)


def bounds(ds: pydicom.Dataset) -> tuple[float, float]:
    """The range that pydicom's windows map to: that of the values behind the rescale (PS3.3 C.11.2.1.2)."""
    span = 2.0**ds.BitsStored
    low = -span / 2 if ds.PixelRepresentation else 0.0
    slope, intercept = float(ds.get("RescaleSlope", 1)), float(ds.get("RescaleIntercept", 0))
    return low * slope + intercept, (low + span - 1) * slope + intercept


@pytest.mark.timeout(300)
async def test_every_image_of_the_collection_looks_as_pydicom_shows_it(archive: Archive) -> None:
    without, unlike, stretched, compared = set(), {}, {}, 0
    async with webbed.client(archive) as http:
        for item, ds in images():
            if not await stored(archive, item):
                continue
            path = f"/dicom-web/studies/{item.study}/series/{item.series}/instances/{item.sop_instance}/rendered"
            answer = await http.get(path, headers={"accept": "image/png"})
            if answer.status_code != 200:
                assert answer.status_code == 406, (item.name, answer.text)
                without.add(item.name)
                continue
            shown, wanted = np.asarray(Image.open(io.BytesIO(answer.content)), int), expected(ds)
            if shown.shape[:2] != (ds.Rows, ds.Columns):
                stretched[item.name] = shown.shape[:2]
            elif wanted is not None:
                compared += 1
                difference = np.abs(shown - wanted).max()
                if difference > 1:
                    unlike[item.name] = difference
    assert without == NO_PICTURE.keys()
    assert stretched == STRETCHED
    assert unlike == {}
    assert compared > 60


async def stored(archive: Archive, item: Specimen) -> bool:
    """Whether the archive takes it: what it refuses is another test's matter (test_stow)."""
    try:
        await objects.store(archive, item.data, item.sop_instance, syntax=item.syntax, sop_class_uid=item.sop_class)
    except LeadglassError:
        return False
    return True
