"""What a compressed frame says of itself, read before any codec sees it (ISO 10918-1 B.2.2, 14495-1, 15444-1 A.5.1)."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Final

from leadglass.core.ports import PixelDescription
from leadglass.dicom.refusal import broken

_SOF: Final = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC} | {0xF7}  # start of frame; F7: JPEG-LS
_ALONE: Final = frozenset({0x01, *range(0xD0, 0xD8)})  # markers without a length
_APP0, _APP14, _SOS, _EOI = 0xE0, 0xEE, 0xDA, 0xD9
_MAX_SEGMENTS: Final = 10_000  # before the frame header; files carry a few


@dataclass(frozen=True, slots=True)
class CodestreamHeader:
    """Dimensions of a compressed frame. `ycbcr` is what a JPEG says of its own colour, None if it says nothing."""

    rows: int
    columns: int
    samples: int
    precision: int
    ycbcr: bool | None = None
    subsampled: bool = False


def read_jpeg_header(data: bytes) -> CodestreamHeader:
    """The header of a JPEG or JPEG-LS frame. Raises CANNOT_CONVERT if there is none."""
    if data[:2] != b"\xff\xd8":
        raise broken("a compressed frame does not begin as its transfer syntax says")
    position, ycbcr = 2, None
    for _ in range(_MAX_SEGMENTS):
        while data[position : position + 2] == b"\xff\xff":
            position += 1  # fill bytes
        if len(data) < position + 4 or data[position] != 0xFF:
            break
        marker = data[position + 1]
        if marker in _ALONE:
            position += 2
            continue
        if marker in (_SOS, _EOI):
            break
        length = int.from_bytes(data[position + 2 : position + 4], "big")
        segment = data[position + 4 : position + 2 + length]
        if marker in _SOF:
            return _frame_header(segment, ycbcr)
        if marker == _APP0 and segment[:5] == b"JFIF\0" and ycbcr is None:
            ycbcr = True
        if marker == _APP14 and segment[:5] == b"Adobe" and len(segment) >= 12:
            ycbcr = segment[11] == 1
        position += 2 + max(length, 2)
    raise broken("a compressed frame has no frame header")


def _frame_header(segment: bytes, ycbcr: bool | None) -> CodestreamHeader:
    if len(segment) < 6 or len(segment) < 6 + 3 * segment[5]:
        raise broken("a compressed frame has a malformed header")
    precision, rows, columns, samples = struct.unpack(">BHHB", segment[:6])
    factors = {segment[6 + 3 * n + 1] for n in range(samples)}
    return CodestreamHeader(rows, columns, samples, precision, ycbcr, len(factors) > 1)


def read_jpeg2000_header(data: bytes) -> CodestreamHeader:
    """The header of a JPEG 2000 or HTJ2K codestream, in a JP2 box or bare. Raises CANNOT_CONVERT if there is none."""
    start = 0
    if data[:4] != b"\xff\x4f\xff\x51":
        start = data.find(b"\xff\x4f\xff\x51", 0, 1 << 16) if data[4:8] == b"jP  " else -1
    siz = data[start + 6 : start + 6 + 36] if start >= 0 else b""
    if len(siz) < 36:
        raise broken("a compressed frame does not begin as its transfer syntax says")
    _, x1, y1, x0, y0, *_, samples = struct.unpack(">H8LH", siz)
    parts = data[start + 42 : start + 42 + 3 * samples]
    if x1 <= x0 or y1 <= y0 or not samples or len(parts) < 3 * samples:
        raise broken("a compressed frame has a malformed header")
    precision = max((parts[3 * n] & 0x7F) + 1 for n in range(samples))
    factors = {bytes(parts[3 * n + 1 : 3 * n + 3]) for n in range(samples)}
    return CodestreamHeader(y1 - y0, x1 - x0, samples, precision, None, factors != {b"\1\1"})


def frame_length(description: PixelDescription) -> int:
    """Bytes of one native frame (8 bits and more per sample)."""
    samples = description.rows * description.columns * description.samples_per_pixel
    return samples * (description.bits_allocated // 8)
