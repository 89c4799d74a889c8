"""Compressed objects leave native: the same pixels as DCMTK and pydicom give, and a header that says what they are."""

from __future__ import annotations

import importlib.util
import shutil
import struct
import subprocess
import warnings
from collections.abc import Iterator, Sequence
from io import BytesIO
from pathlib import Path

import imagecodecs
import numpy as np
import pydicom
import pytest
from pydicom.filereader import read_dataset
from pydicom.uid import UID

from leadglass.core.errors import ErrorCode, LeadglassError
from leadglass.core.ports import DecodedFrame, PixelDescription
from leadglass.dicom.decompress import decompress
from leadglass.sandbox.codecs import decode_frame
from leadglass.sandbox.pool import SandboxPool

IMPLICIT, EXPLICIT = "1.2.840.10008.1.2", "1.2.840.10008.1.2.1"
DEFLATED, BIG = "1.2.840.10008.1.2.1.99", "1.2.840.10008.1.2.2"
RLE, BASELINE, LOSSLESS, LS = "1.2.840.10008.1.2.5", *(f"1.2.840.10008.1.2.4.{n}" for n in ("50", "70", "80"))
J2K, HTJ2K, XL = (f"1.2.840.10008.1.2.4.{n}" for n in ("90", "201", "110"))


class InProcess:
    """The codecs without their cage, for speed; one test below goes through the pool."""

    def decode(self, description: PixelDescription, frames: Sequence[bytes]) -> Iterator[DecodedFrame]:
        for frame in frames:
            yield DecodedFrame(*decode_frame(description, frame))


def find(name: str) -> Path:
    store = importlib.util.find_spec("data_store")
    folders = [Path(pydicom.data.__file__).parent / "test_files"]
    folders += [Path(place) / "data" for place in store.submodule_search_locations]
    return next(folder / name for folder in folders if (folder / name).is_file())


def data_set_of(path: Path) -> tuple[str, bytes]:
    raw = path.read_bytes()
    with BytesIO(raw) as stream:
        stream.seek(132)
        meta = pydicom.filereader._read_file_meta_info(stream)
        return str(meta.TransferSyntaxUID), raw[stream.tell() :]


def native(ts: str, data: bytes, target: str = EXPLICIT, decoder=None) -> pydicom.Dataset:
    out = b"".join(decompress(lambda at, n: data[at : at + n], ts, target, decoder or InProcess()))
    if target == DEFLATED:
        import zlib

        out = zlib.decompress(out, -15)
    uid = UID(target)
    return read_dataset(BytesIO(out), uid.is_implicit_VR, uid.is_little_endian)


def refused(ts: str, data: bytes) -> None:
    with pytest.raises(LeadglassError) as caught:
        native(ts, data)
    assert caught.value.code is ErrorCode.CANNOT_CONVERT


LOSSLESS_FILES = (
    "693_J2KR.dcm",
    "MR2_J2KR.dcm",
    "US1_J2KR.dcm",
    "RG3_J2KR.dcm",
    "examples_jpeg2k.dcm",
    "emri_small_jpeg_2k_lossless.dcm",
    "MR_small_RLE.dcm",
    "emri_small_RLE.dcm",
    "SC_rgb_rle.dcm",
    "SC_rgb_rle_16bit_2frame.dcm",
    "SC_rgb_rle_32bit_2frame.dcm",
    "OBXXXX1A_rle_2frame.dcm",
    "rtdose_rle.dcm",
)


@pytest.mark.parametrize("name", LOSSLESS_FILES)
def test_pixels_are_those_that_pydicom_decodes(name: str) -> None:
    path = find(name)
    ours = native(*data_set_of(path))
    theirs = pydicom.dcmread(path)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        wanted = pydicom.pixels.pixel_array(path, raw=True)
    size = theirs.BitsAllocated // 8
    got = np.frombuffer(ours.PixelData, f"<u{size}")[: wanted.size].reshape(wanted.shape)
    mask = (1 << theirs.BitsStored) - 1
    assert np.array_equal(got & mask, wanted.view(f"u{wanted.dtype.itemsize}").astype(f"u{size}") & mask)
    assert ours.SOPInstanceUID == theirs.SOPInstanceUID
    assert ours.get("LossyImageCompression") == theirs.get("LossyImageCompression")


TOOLS = {BASELINE: "dcmdjpeg", LOSSLESS: "dcmdjpeg", LS: "dcmdjpls", LS[:-1] + "1": "dcmdjpls", RLE: "dcmdrle"}
TOOLS |= {"1.2.840.10008.1.2.4.51": "dcmdjpeg", "1.2.840.10008.1.2.4.57": "dcmdjpeg"}
DCMTK_FILES = (
    ("MR_small_RLE.dcm", 0),
    ("emri_small_RLE.dcm", 0),
    ("SC_rgb_rle_16bit_2frame.dcm", 0),
    ("MR_small_jpeg_ls_lossless.dcm", 0),
    ("emri_small_jpeg_ls_lossless.dcm", 0),
    ("JPEGLSNearLossless_08.dcm", 0),
    ("JPEGLSNearLossless_16.dcm", 0),
    ("SC_rgb_jls_lossy_line.dcm", 0),
    ("SC_rgb_jls_lossy_sample.dcm", 0),
    ("JPEG-LL.dcm", 0),
    ("JPGLosslessP14SV1_1s_1f_8b.dcm", 0),
    ("JPGExtended.dcm", 3),
    ("SC_rgb_jpeg_dcmtk.dcm", 4),
    ("SC_rgb_small_odd_jpeg.dcm", 4),
    ("color3d_jpeg_baseline.dcm", 6),
)


@pytest.mark.interop
@pytest.mark.parametrize(("name", "tolerance"), DCMTK_FILES)
def test_values_are_those_that_dcmtk_writes(name: str, tolerance: int, tmp_path: Path) -> None:
    """Lossy colour is compared within what two IDCT and upsampling implementations may differ."""
    path, result = find(name), tmp_path / "native.dcm"
    ts, data = data_set_of(path)
    assert shutil.which(TOOLS[ts]), "the tools of DCMTK (package dcmtk) are needed"
    subprocess.run([TOOLS[ts], "+te", path, result], check=True, capture_output=True)
    theirs, ours = pydicom.dcmread(result), native(ts, data)
    for keyword in ("PhotometricInterpretation", "SamplesPerPixel", "BitsAllocated", "BitsStored", "Rows", "Columns"):
        assert ours[keyword].value == theirs[keyword].value
    assert ours.get("NumberOfFrames", 1) == theirs.get("NumberOfFrames", 1)
    assert ours.get("LossyImageCompression", "") == theirs.get("LossyImageCompression", "")
    dtype = f"<u{ours.BitsAllocated // 8}"
    left, right = np.frombuffer(ours.PixelData, dtype), np.frombuffer(theirs.PixelData, dtype)
    if theirs.get("PlanarConfiguration") == 1:
        right = right.reshape(theirs.get("NumberOfFrames", 1), 3, -1).transpose(0, 2, 1).reshape(-1)
    assert ours.get("PlanarConfiguration", 0) == 0
    difference = np.abs(left.astype(np.int64) - right.astype(np.int64))
    assert difference.mean() <= tolerance / 4
    if not tolerance:
        assert not difference.any()


def element(tag: int, vr: str, value: bytes, length: int | None = None) -> bytes:
    size = len(value) if length is None else length
    form = "<HH2s2xL" if vr in ("OB", "OW", "OV", "SQ", "UN") else "<HH2sH"
    return struct.pack(form, tag >> 16, tag & 0xFFFF, vr.encode(), size) + value


def item(value: bytes) -> bytes:
    return struct.pack("<HHL", 0xFFFE, 0xE000, len(value)) + value


END = struct.pack("<HHL", 0xFFFE, 0xE0DD, 0)


def number(value: int) -> bytes:
    return struct.pack("<H", value)


def build(
    frames: list[bytes],
    *,
    rows: int = 8,
    columns: int = 8,
    samples: int = 1,
    bits: int = 16,
    photometric: bytes = b"MONOCHROME2 ",
    planar: int | None = None,
    count: bytes | None = None,
    extended: bool = False,
    icon: bytes = b"",
    tail: bytes = b"",
) -> bytes:
    frames = [frame + b"\0" * (len(frame) % 2) for frame in frames]
    data = element(0x00080018, "UI", b"1.2.3.4\0") + element(0x00280002, "US", number(samples))
    data += element(0x00280004, "CS", photometric)
    data += element(0x00280006, "US", number(planar)) if planar is not None else b""
    data += element(0x00280008, "IS", count if count is not None else str(len(frames)).encode().ljust(2))
    data += element(0x00280010, "US", number(rows)) + element(0x00280011, "US", number(columns))
    data += element(0x00280100, "US", number(bits)) + element(0x00280101, "US", number(bits))
    data += element(0x00280103, "US", number(0)) + icon
    if extended:
        starts = [sum(len(f) + 8 for f in frames[:n]) for n in range(len(frames))]
        data += element(0x7FE00001, "OV", struct.pack(f"<{len(frames)}Q", *starts))
        data += element(0x7FE00002, "OV", struct.pack(f"<{len(frames)}Q", *map(len, frames)))
    return data + element(0x7FE00010, "OB", item(b"") + b"".join(map(item, frames)) + END, 0xFFFFFFFF) + tail


GRAY = (np.arange(64, dtype=np.uint16) * 513).reshape(8, 8)
COLOUR = np.random.default_rng(7).integers(0, 255, (8, 8, 3), np.uint8)


@pytest.mark.parametrize(
    ("ts", "encode"),
    [
        (J2K, lambda a: imagecodecs.jpeg2k_encode(a, reversible=True, codecformat="J2K")),
        (HTJ2K, lambda a: imagecodecs.htj2k_encode(a, reversible=True)),
        (LS, imagecodecs.jpegls_encode),
        (LOSSLESS, imagecodecs.ljpeg_encode),
        (XL, lambda a: imagecodecs.jpegxl_encode(a, lossless=True)),
    ],
)
@pytest.mark.parametrize("target", [IMPLICIT, EXPLICIT, BIG, DEFLATED])
def test_each_codec_into_each_native_syntax(ts: str, encode, target: str) -> None:
    frames = [encode(GRAY), encode(GRAY[::-1].copy())]
    ds = native(ts, build(frames, extended=True, tail=element(0xFFFCFFFC & 0xFFFFFFFF, "OB", b"\0\0")), target)
    order = ">u2" if target == BIG else "<u2"
    assert np.array_equal(np.frombuffer(ds.PixelData, order).reshape(2, 8, 8), [GRAY, GRAY[::-1]])
    assert 0x7FE00001 not in ds
    assert 0x7FE00002 not in ds
    assert ds[0xFFFCFFFC].value == b"\0\0"
    assert ds.SOPInstanceUID == "1.2.3.4"


@pytest.mark.parametrize(("said", "written"), [(b"YBR_RCT ", "RGB"), (b"RGB ", "RGB"), (b"YBR_FULL", "YBR_FULL")])
def test_photometric_interpretation_after_jpeg_2000(said: bytes, written: str) -> None:
    frame = imagecodecs.jpeg2k_encode(COLOUR, reversible=True, codecformat="J2K", mct=said == b"YBR_RCT ")
    ds = native(J2K, build([frame], samples=3, bits=8, photometric=said, planar=1))
    assert (ds.PhotometricInterpretation, ds.PlanarConfiguration) == (written, 0)
    assert ds.PixelData == COLOUR.tobytes()
    assert "LossyImageCompression" not in ds


def test_lossy_jpeg_becomes_rgb_and_says_that_it_was_lossy() -> None:
    frame = imagecodecs.jpeg8_encode(np.full((8, 8, 3), (200, 30, 60), np.uint8), level=100)
    ds = native(BASELINE, build([frame], samples=3, bits=8, photometric=b"YBR_FULL_422", planar=0))
    assert (ds.PhotometricInterpretation, ds.PlanarConfiguration, ds.LossyImageCompression) == ("RGB", 0, "01")
    assert np.abs(np.frombuffer(ds.PixelData, np.uint8).reshape(-1, 3).astype(int) - (200, 30, 60)).max() <= 3


def test_odd_native_length_is_padded() -> None:
    gray = np.arange(9, dtype=np.uint8).reshape(3, 3)
    ds = native(LS, build([imagecodecs.jpegls_encode(gray)], rows=3, columns=3, bits=8))
    assert ds.PixelData == gray.tobytes() + b"\0"


def test_a_compressed_icon_is_left_out_and_a_native_one_stays() -> None:
    frame = imagecodecs.jpegls_encode(GRAY)

    def icon(pixels: bytes) -> bytes:
        return element(0x00880200, "SQ", item(element(0x00280010, "US", number(8)) + pixels))

    packed = icon(element(0x7FE00010, "OB", item(b"") + item(b"\xff\xd8") + END, 0xFFFFFFFF))
    assert "IconImageSequence" not in native(LS, build([frame], icon=packed))
    plain = icon(element(0x7FE00010, "OW", b"\1\2"))
    assert native(LS, build([frame], icon=plain)).IconImageSequence[0].PixelData == b"\1\2"


def test_through_the_sandbox() -> None:
    pool = SandboxPool(1, spares=0)
    frames = [imagecodecs.jpegls_encode(GRAY), imagecodecs.jpegls_encode(GRAY[::-1].copy())]
    ds = native(LS, build(frames), decoder=pool)
    assert np.array_equal(np.frombuffer(ds.PixelData, "<u2").reshape(2, 8, 8), [GRAY, GRAY[::-1]])
    for path in ("693_J2KR.dcm", "JPEG-LL.dcm", "emri_small_RLE.dcm", "SC_rgb_jpeg_dcmtk.dcm"):
        ts, data = data_set_of(find(path))
        assert native(ts, data, decoder=pool).PixelData == native(ts, data).PixelData


RLE_FRAME = struct.pack("<16L", 1, 64, *[0] * 14) + b"\xc1\x07"  # 64 times 7
ENCODERS = {
    J2K: lambda a: imagecodecs.jpeg2k_encode(a, reversible=True, codecformat="J2K"),
    HTJ2K: lambda a: imagecodecs.htj2k_encode(a, reversible=True),
    LS: imagecodecs.jpegls_encode,
    LOSSLESS: imagecodecs.ljpeg_encode,
    BASELINE: lambda a: imagecodecs.jpeg8_encode(a.astype(np.uint8)),
}


@pytest.mark.parametrize("ts", ENCODERS)
@pytest.mark.parametrize(("rows", "columns"), [(8, 16), (16, 8), (4, 8), (65535, 2000)])
def test_a_codec_header_with_other_dimensions_is_refused(ts: str, rows: int, columns: int) -> None:
    bits = 8 if ts == BASELINE else 16
    refused(ts, build([ENCODERS[ts](GRAY)], rows=rows, columns=columns, bits=bits))


@pytest.mark.parametrize("ts", [J2K, HTJ2K, LS, LOSSLESS])
def test_a_codec_header_with_more_bits_or_samples_is_refused(ts: str) -> None:
    refused(ts, build([ENCODERS[ts](GRAY)], bits=8))
    refused(ts, build([ENCODERS[ts](GRAY)], samples=3, photometric=b"RGB "))


@pytest.mark.parametrize("ts", [*ENCODERS, RLE, XL])
@pytest.mark.parametrize(
    "frame", [b"", b"\0\0", b"\xff\xd8\xff\xd9", b"\xff\xff" * 600, b"\xff\x4f\xff\x51" + b"\xff" * 60]
)
def test_frames_of_noise_are_refused(ts: str, frame: bytes) -> None:
    """The worker turns whatever a codec raises into FAILED, so any exception will do here."""
    with pytest.raises(Exception, match=""):
        native(ts, build([frame]))


def test_rle_frames_decode_and_lying_ones_are_refused() -> None:
    assert native(RLE, build([RLE_FRAME], bits=8)).PixelData == b"\7" * 64
    good = RLE_FRAME[64:]
    lies = {
        "two segments": struct.pack("<16L", 2, 64, 65, *[0] * 13) + good,
        "no segments": struct.pack("<16L", *[0] * 16) + good,
        "2^32-1 segments": struct.pack("<16L", 0xFFFFFFFF, 64, *[0] * 14) + good,
        "offset behind the end": struct.pack("<16L", 1, 4000, *[0] * 14) + good,
        "offset into the header": struct.pack("<16L", 1, 0, *[0] * 14) + good,
        "too short": struct.pack("<16L", 1, 64, *[0] * 14) + b"\xc2\x07",
        "literal run beyond the end": struct.pack("<16L", 1, 64, *[0] * 14) + b"\x3f\x07",
    }
    for frame in lies.values():
        refused(RLE, build([frame], bits=8))


@pytest.mark.parametrize("count", [b"0 ", b"-1", b"999999", b"x ", b"1\\2 ", b"\xb2 ", b"9" * 64])
def test_a_lying_number_of_frames_is_refused(count: bytes) -> None:
    refused(RLE, build([RLE_FRAME], bits=8, count=count))


@pytest.mark.parametrize(
    ("rows", "columns", "samples"), [(0, 8, 1), (8, 0, 1), (8, 8, 0), (8, 8, 4), (65535, 65535, 1)]
)
def test_impossible_dimensions_are_refused(rows: int, columns: int, samples: int) -> None:
    refused(RLE, build([RLE_FRAME], bits=8, rows=rows, columns=columns, samples=samples))


def test_more_pixels_than_a_native_length_can_say_are_refused() -> None:
    refused(RLE, build([RLE_FRAME], rows=16000, columns=16000, bits=8, count=b"17"))


def test_pixels_that_are_not_where_they_should_be_are_refused() -> None:
    refused(RLE, element(0x00080018, "UI", b"1.2.3.4\0"))
    refused(RLE, build([RLE_FRAME], bits=8).replace(b"US\2\0" + number(8), b"US\2\0" + number(9)))
    uncompressed = build([RLE_FRAME], bits=8)
    head = uncompressed[: uncompressed.index(b"\xe0\x7f\x10\0OB")]
    refused(RLE, head + element(0x7FE00010, "OB", bytes(64)))
    refused("1.2.840.10008.1.2.4.100", build([RLE_FRAME], bits=8))


def test_a_codestream_whose_size_is_overwritten_is_refused() -> None:
    refused(*data_set_of(find("JPEG2000-embedded-sequence-delimiter.dcm")))
