"""Frames encoded as HTJ2K on their way out: what is lossless decodes to the very pixels."""

from __future__ import annotations

from typing import Any

import imagecodecs
import multiparts
import numpy as np
import objects
import pytest
import webbed
from pydicom.encaps import encapsulate

from leadglass.app.archive import Archive
from leadglass.dicom.uids import EXPLICIT_VR_BE, EXPLICIT_VR_LE, JPEG_LS_LOSSLESS

LOSSLESS, RPCL, LOSSY = (f"1.2.840.10008.1.2.4.{number}" for number in (201, 202, 203))
FRAMES = (
    f"/dicom-web/studies/{objects.study_uid(1)}/series/{objects.study_uid(1)}.1000/instances/{objects.uid(1, 1)}/frames"
)
ROWS, COLUMNS = 48, 40
GREY = np.random.default_rng(1).integers(0, 4096, (2, ROWS, COLUMNS), np.uint16)
SIGNED = (GREY.astype(np.int16) - 1024)[:1]
COLOUR = np.random.default_rng(2).integers(0, 256, (1, ROWS, COLUMNS, 3), np.uint8)


async def put(archive: Archive, pixels: np.ndarray, syntax: str = EXPLICIT_VR_LE, **changes: Any) -> None:
    samples = pixels.shape[3] if pixels.ndim == 4 else 1
    fields = {
        "SamplesPerPixel": samples,
        "PhotometricInterpretation": "RGB" if samples == 3 else "MONOCHROME2",
        "NumberOfFrames": len(pixels),
        "Rows": ROWS,
        "Columns": COLUMNS,
        "BitsAllocated": 8 * pixels.itemsize,
        "BitsStored": 8 * pixels.itemsize,
        "HighBit": 8 * pixels.itemsize - 1,
        "PixelRepresentation": int(pixels.dtype.kind == "i"),
        "PixelData": pixels.tobytes(),
    }
    if samples == 3:
        fields["PlanarConfiguration"] = 0
    made = objects.data_set(1, 1, **{**fields, **changes})
    if syntax == JPEG_LS_LOSSLESS:
        made.PixelData = encapsulate([imagecodecs.jpegls_encode(frame) for frame in pixels])
        made["PixelData"].VR = "OB"
        made["PixelData"].is_undefined_length = True
    data = objects.encoded(made, EXPLICIT_VR_BE if syntax == EXPLICIT_VR_BE else EXPLICIT_VR_LE)
    await objects.store(archive, data, made.SOPInstanceUID, syntax=syntax)


async def encoded(archive: Archive, numbers: str, syntax: str) -> list[bytes]:
    kind = f'multipart/related; type="image/jphc"; transfer-syntax={syntax}'
    async with webbed.client(archive) as http:
        answer = await http.get(f"{FRAMES}/{numbers}", headers={"accept": kind})
    assert answer.status_code == 200, answer.text
    found = multiparts.parts(answer)
    assert {part for part, _ in found} == {f"image/jphc; transfer-syntax={syntax}"}
    return [content for _, content in found]


@pytest.mark.parametrize("stored", [EXPLICIT_VR_LE, EXPLICIT_VR_BE, JPEG_LS_LOSSLESS])
@pytest.mark.parametrize("syntax", [LOSSLESS, RPCL])
async def test_grey_frames_keep_every_pixel(archive: Archive, stored: str, syntax: str) -> None:
    turned = GREY.byteswap() if stored == EXPLICIT_VR_BE else GREY
    await put(archive, GREY, stored, **({"PixelData": turned.tobytes()} if stored == EXPLICIT_VR_BE else {}))
    second, first = await encoded(archive, "2,1", syntax)
    np.testing.assert_array_equal(imagecodecs.htj2k_decode(first), GREY[0])
    np.testing.assert_array_equal(imagecodecs.htj2k_decode(second), GREY[1])


async def test_signed_frames_keep_every_pixel(archive: Archive) -> None:
    await put(archive, SIGNED)
    (frame,) = await encoded(archive, "1", LOSSLESS)
    np.testing.assert_array_equal(imagecodecs.htj2k_decode(frame), SIGNED[0])


@pytest.mark.parametrize("planar", [0, 1])
async def test_colour_frames_keep_every_pixel(archive: Archive, planar: int) -> None:
    stored = COLOUR if not planar else COLOUR.transpose(0, 3, 1, 2)
    await put(archive, COLOUR, PlanarConfiguration=planar, PixelData=stored.tobytes())
    (frame,) = await encoded(archive, "1", LOSSLESS)
    np.testing.assert_array_equal(imagecodecs.htj2k_decode(frame), COLOUR[0])


async def test_the_lossy_one_is_near_and_the_rpcl_one_is_rpcl(archive: Archive) -> None:
    smooth = np.add.outer(np.arange(ROWS), np.arange(COLUMNS)).astype(np.uint16)[None] * 40
    await put(archive, smooth)
    (near,) = await encoded(archive, "1", LOSSY)
    (ordered,) = await encoded(archive, "1", RPCL)
    assert np.abs(imagecodecs.htj2k_decode(near).astype(int) - smooth[0]).max() < 64
    cod = ordered.index(b"\xff\x52")
    assert ordered[cod + 5] == 2  # progression order RPCL (ISO 15444-1 table A.16)
    assert b"\xff\x55" in ordered[: ordered.index(b"\xff\x93")]  # tile-part lengths (PS3.5 A.4.11)


async def test_the_type_alone_asks_for_the_lossless_one(archive: Archive) -> None:
    await put(archive, GREY)
    async with webbed.client(archive) as http:
        alone = await http.get(f"{FRAMES}/1", headers={"accept": "image/jphc"})
        other = await http.get(f"{FRAMES}/1", headers={"accept": "image/jp2"})
    assert alone.headers["content-type"] == f"image/jphc; transfer-syntax={LOSSLESS}"
    np.testing.assert_array_equal(imagecodecs.htj2k_decode(alone.content), GREY[0])
    assert other.status_code == 406
    assert "image/jphc" in other.json()["detail"]


@pytest.mark.parametrize(
    "changes", [{"Rows": 0}, {"Rows": 60_000, "Columns": 60_000}, {"BitsAllocated": 12}, {"SamplesPerPixel": 2}]
)
async def test_what_the_header_lies_about_is_refused(archive: Archive, changes: dict[str, int]) -> None:
    await put(archive, GREY, **changes)
    async with webbed.client(archive) as http:
        answer = await http.get(f"{FRAMES}/1", headers={"accept": "image/jphc"})
    assert answer.status_code == 406
