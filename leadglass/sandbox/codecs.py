"""Decodes one frame. Runs in the confined worker only; nothing here is trusted by the process that reads its answer."""

from __future__ import annotations

import contextlib
import struct
import zlib
from collections.abc import Callable
from typing import Any, Final, TypeAlias

import imagecodecs
import numpy as np
from numpy.typing import NDArray

from leadglass.core.ports import PixelDescription
from leadglass.dicom import uids
from leadglass.dicom.codestreams import CodestreamHeader, frame_length, read_jpeg2000_header, read_jpeg_header
from leadglass.dicom.refusal import broken

Pixels: TypeAlias = NDArray[Any]
Decoded: TypeAlias = tuple[bytes, str]
Decode: TypeAlias = Callable[[PixelDescription, bytes], Decoded]

_JPEG: Final = "1.2.840.10008.1.2.4."
_DEFLATED_FRAMES: Final = "1.2.840.10008.1.2.8.1"
_RLE_MAX_SEGMENTS: Final = 15  # PS3.5 G.5
_RGB_AFTER_TRANSFORM: Final = frozenset({"YBR_RCT", "YBR_ICT"})


def decode_frame(description: PixelDescription, data: bytes) -> Decoded:
    """One frame as native little-endian bytes, colour by pixel, and its photometric interpretation.

    Raises LeadglassError CANNOT_CONVERT, or whatever a codec raises, if it cannot.
    """
    decode = _DECODERS.get(description.transfer_syntax_uid)
    if decode is None:
        raise broken("there is no decoder for the transfer syntax")
    return decode(description, data)


def _agree(description: PixelDescription, header: CodestreamHeader) -> None:
    """Refuse before anything is allocated: a frame that is larger than the data set says (D5)."""
    said = (description.rows, description.columns, description.samples_per_pixel)
    if (header.rows, header.columns, header.samples) != said or header.precision > description.bits_allocated:
        raise broken("a compressed frame has other dimensions than the data set")


def _native(description: PixelDescription, pixels: Pixels) -> bytes:
    samples = description.samples_per_pixel
    shape = (description.rows, description.columns) + ((samples,) if samples > 1 else ())
    size = description.bits_allocated // 8
    if pixels.shape != shape or pixels.dtype.kind not in "iu" or pixels.dtype.itemsize > size:
        raise broken("a frame decodes to another size than the header says")
    return pixels.astype(f"<{pixels.dtype.kind}{size}", copy=False).tobytes()


def _jpeg_lossy(description: PixelDescription, data: bytes) -> Decoded:
    """Baseline and extended. What the stream says of its colour goes before what the data set says."""
    header = read_jpeg_header(data)
    _agree(description, header)
    if description.samples_per_pixel == 1:
        return _native(description, imagecodecs.jpeg8_decode(data)), description.photometric_interpretation
    said = description.photometric_interpretation.startswith("YBR")
    ycbcr = header.ycbcr if header.ycbcr is not None else said
    space = "YCBCR" if ycbcr else "RGB"
    return _native(description, imagecodecs.jpeg8_decode(data, colorspace=space, outcolorspace="RGB")), "RGB"


def _jpeg_lossless(description: PixelDescription, data: bytes) -> Decoded:
    _agree(description, read_jpeg_header(data))
    if description.samples_per_pixel == 1:
        return _native(description, imagecodecs.ljpeg_decode(data)), description.photometric_interpretation
    # The same colour space in and out: lossless pixels are not transformed.
    pixels = imagecodecs.jpegsof3_decode(data)
    return _native(description, pixels), description.photometric_interpretation


def _jpeg_ls(description: PixelDescription, data: bytes) -> Decoded:
    _agree(description, read_jpeg_header(data))
    return _native(description, imagecodecs.jpegls_decode(data)), description.photometric_interpretation


def _after_transform(description: PixelDescription) -> str:
    said = description.photometric_interpretation
    return "RGB" if said in _RGB_AFTER_TRANSFORM else said


def _jpeg_2000(description: PixelDescription, data: bytes) -> Decoded:
    header = read_jpeg2000_header(data)
    _agree(description, header)
    if header.subsampled:
        raise broken("a compressed frame has subsampled colour")
    return _native(description, imagecodecs.jpeg2k_decode(data, numthreads=1)), _after_transform(description)


def _htj2k(description: PixelDescription, data: bytes) -> Decoded:
    header = read_jpeg2000_header(data)
    _agree(description, header)
    if header.subsampled:
        raise broken("a compressed frame has subsampled colour")
    return _native(description, imagecodecs.htj2k_decode(data)), _after_transform(description)


def _jpeg_xl(description: PixelDescription, data: bytes) -> Decoded:
    pixels = imagecodecs.jpegxl_decode(data, numthreads=1)
    return _native(description, pixels), "RGB" if description.samples_per_pixel == 3 else _after_transform(description)


def _rle(description: PixelDescription, data: bytes) -> Decoded:
    """PS3.5 annex G: one PackBits segment per byte of each sample, most significant first."""
    size, samples = description.bits_allocated // 8, description.samples_per_pixel
    plane = description.rows * description.columns
    if len(data) < 64:
        raise broken("an RLE frame has no header")
    count, *offsets = struct.unpack("<16L", data[:64])
    ends = [*offsets[1:count], len(data)]
    if count != size * samples or count > _RLE_MAX_SEGMENTS or offsets[0] != 64:
        raise broken("an RLE frame has another number of segments than the data set needs")
    out = np.empty((plane, samples, size), np.uint8)
    for number, (start, end) in enumerate(zip(offsets, ends, strict=False)):
        if not 64 <= start <= end <= len(data):
            raise broken("an RLE frame's offsets are out of order")
        segment = _segment(data[start:end], plane)
        out[:, number // size, size - 1 - number % size] = np.frombuffer(segment, np.uint8)
    return out.tobytes(), description.photometric_interpretation


def _segment(data: bytes, length: int) -> bytes | bytearray:
    """A segment through the fast decoder where it ends as it should, else through the tolerant one."""
    with contextlib.suppress(imagecodecs.PackbitsError):
        out = imagecodecs.packbits_decode(data, out=length)
        if len(out) == length:
            return out
    return unpack_bits(data, length)


def unpack_bits(data: bytes, length: int) -> bytearray:
    """`length` bytes of a PackBits segment; what follows may be padding. Raises CANNOT_CONVERT if there are fewer."""
    out = bytearray()
    position, end = 0, len(data)
    while len(out) < length and position < end:
        code = data[position]
        if code < 128:
            out += data[position + 1 : position + 2 + code]
            position += code + 2
        elif code > 128:
            out += data[position + 1 : position + 2] * (257 - code)
            position += 2
        else:
            position += 1
    if len(out) < length:
        raise broken("an RLE segment is too short")
    del out[length:]
    return out


def _raw(description: PixelDescription, data: bytes) -> Decoded:
    wanted = frame_length(description)
    if len(data) not in (wanted, wanted + wanted % 2):
        raise broken("a frame has another size than the header says")
    return _by_pixel(description, data[:wanted]), description.photometric_interpretation


def _deflated(description: PixelDescription, data: bytes) -> Decoded:
    pixels = zlib.decompressobj(-zlib.MAX_WBITS).decompress(data, frame_length(description) + 1)
    return _raw(description, pixels)


def _by_pixel(description: PixelDescription, data: bytes) -> bytes:
    if description.samples_per_pixel == 1 or description.planar_configuration == 0:
        return data
    size = description.bits_allocated // 8
    planes = np.frombuffer(data, f"<u{size}").reshape(description.samples_per_pixel, -1)
    return planes.T.tobytes()


_DECODERS: Final[dict[str, Decode]] = {
    **dict.fromkeys((_JPEG + "50", _JPEG + "51", _JPEG + "53", _JPEG + "55"), _jpeg_lossy),
    **dict.fromkeys((_JPEG + "57", _JPEG + "70"), _jpeg_lossless),
    **dict.fromkeys((_JPEG + "80", _JPEG + "81"), _jpeg_ls),
    **dict.fromkeys((_JPEG + "90", _JPEG + "91"), _jpeg_2000),
    **dict.fromkeys((_JPEG + "201", _JPEG + "202", _JPEG + "203"), _htj2k),
    **dict.fromkeys((_JPEG + "110", _JPEG + "111", _JPEG + "112"), _jpeg_xl),
    uids.RLE_LOSSLESS: _rle,
    uids.ENCAPSULATED_UNCOMPRESSED: _raw,
    _DEFLATED_FRAMES: _deflated,
}
DECODABLE: Final = frozenset(_DECODERS)


def warm_up() -> None:
    """Load every codec and run it once: after this no file may be opened any more."""
    gray = np.arange(64, dtype=np.uint8).reshape(8, 8)
    wide = gray.astype(np.uint16) * 64
    colour = np.repeat(gray[:, :, None], 3, axis=2)
    imagecodecs.jpeg8_decode(imagecodecs.jpeg8_encode(colour), colorspace="YCBCR", outcolorspace="RGB")
    imagecodecs.ljpeg_decode(imagecodecs.ljpeg_encode(wide))
    imagecodecs.jpegls_decode(imagecodecs.jpegls_encode(wide))
    imagecodecs.jpeg2k_decode(imagecodecs.jpeg2k_encode(wide, numthreads=1), numthreads=1)
    imagecodecs.jpegxl_decode(imagecodecs.jpegxl_encode(wide, numthreads=1), numthreads=1)
    imagecodecs.htj2k_decode(imagecodecs.htj2k_encode(wide))
    imagecodecs.packbits_decode(b"\x01ab", out=2)
    with contextlib.suppress(imagecodecs.Jpegsof3Error):
        imagecodecs.jpegsof3_decode(b"\xff\xd8\xff\xd9")
    wide.astype("<u4").tobytes()
