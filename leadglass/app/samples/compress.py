"""Sample images in the compressed forms that a hospital meets."""

from __future__ import annotations

import struct
from collections.abc import Callable

import imagecodecs
import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate
from pydicom.uid import UID

from leadglass.dicom import uids

Pixels = NDArray[np.uint8] | NDArray[np.uint16]


def _jpeg_2000(frame: Pixels, bits: int) -> bytes:
    return bytes(imagecodecs.jpeg2k_encode(frame, codecformat="j2k", reversible=True, level=0, bitspersample=bits))


def _high_throughput(frame: Pixels, bits: int) -> bytes:
    return bytes(imagecodecs.htj2k_encode(frame, reversible=True))


def _jpeg_ls(frame: Pixels, bits: int) -> bytes:
    return bytes(imagecodecs.jpegls_encode(frame))


def _jpeg_baseline(frame: Pixels, bits: int) -> bytes:
    if frame.ndim == 2:
        return bytes(imagecodecs.jpeg8_encode(frame, level=90))
    return bytes(imagecodecs.jpeg8_encode(frame, level=90, colorspace="RGB", outcolorspace="YCBCR", subsampling="422"))


def _rle(frame: Pixels, bits: int) -> bytes:
    """PS3.5 annex G: one segment per sample and byte, the most significant byte first, PackBits row by row."""
    samples = frame[..., None] if frame.ndim == 2 else frame
    segments = []
    for sample in range(samples.shape[2]):
        for shift in range(8 * frame.itemsize - 8, -8, -8):
            plane = (samples[..., sample] >> shift).astype(np.uint8)
            data = b"".join(imagecodecs.packbits_encode(row.tobytes()) for row in plane)
            segments.append(data + b"\0" * (len(data) % 2))
    starts = [64 + sum(map(len, segments[:number])) for number in range(len(segments))]
    header = struct.pack("<16L", len(segments), *starts, *[0] * (15 - len(starts)))
    return header + b"".join(segments)


_ENCODERS: dict[str, Callable[[Pixels, int], bytes]] = {
    uids.JPEG_2000_LOSSLESS: _jpeg_2000,
    uids.HTJ2K_LOSSLESS: _high_throughput,
    uids.JPEG_LS_LOSSLESS: _jpeg_ls,
    uids.JPEG_BASELINE: _jpeg_baseline,
    uids.RLE_LOSSLESS: _rle,
}
# These encoders write the precision of the container, 16 bits, into the stream: Bits Stored must say the same
# (PS3.5 8.2.3 and 8.2.4).
_CONTAINER_PRECISION = {uids.HTJ2K_LOSSLESS, uids.JPEG_LS_LOSSLESS}


def compressed(image: Dataset, transfer_syntax_uid: str) -> Dataset:
    """`image` (Explicit VR Little Endian, native) changed in place to `transfer_syntax_uid`, and returned."""
    if transfer_syntax_uid in _ENCODERS:
        _encode(image, transfer_syntax_uid)
    elif transfer_syntax_uid == uids.EXPLICIT_VR_BE and image.BitsAllocated == 16:
        image.PixelData = np.frombuffer(image.PixelData, "<u2").astype(">u2").tobytes()  # pydicom turns headers only
    image.file_meta.TransferSyntaxUID = UID(transfer_syntax_uid)
    return image


def _encode(image: Dataset, transfer_syntax_uid: str) -> None:
    colour = image.SamplesPerPixel == 3
    container = np.dtype("<u2" if image.BitsAllocated == 16 else "u1")
    shape = (int(image.get("NumberOfFrames", 1)), image.Rows, image.Columns, *((3,) if colour else ()))
    frames = np.frombuffer(image.PixelData, container)[: int(np.prod(shape))].reshape(shape)
    if transfer_syntax_uid in _CONTAINER_PRECISION:
        image.BitsStored, image.HighBit = image.BitsAllocated, image.BitsAllocated - 1
    encode = _ENCODERS[transfer_syntax_uid]
    streams = [encode(np.ascontiguousarray(frame), image.BitsStored) for frame in frames]
    if transfer_syntax_uid == uids.JPEG_BASELINE:
        _lossy(image, len(image.PixelData) / sum(map(len, streams)), "ISO_10918_1")
        if colour:
            image.PhotometricInterpretation = "YBR_FULL_422"
    elif colour and transfer_syntax_uid == uids.JPEG_2000_LOSSLESS:
        image.PhotometricInterpretation = "YBR_RCT"
    image.PixelData = encapsulate(streams)
    image["PixelData"].VR = "OB"
    image["PixelData"].is_undefined_length = True


def _lossy(image: Dataset, ratio: float, method: str) -> None:
    image.LossyImageCompression = "01"
    image.LossyImageCompressionRatio = f"{ratio:.2f}"
    image.LossyImageCompressionMethod = method
    image.ImageType = ["DERIVED", *list(image.ImageType)[1:]]
