"""Messages between the archive and a decoding worker: one byte of kind, eight of length, the body.

The archive trusts nothing that comes back: kinds, lengths and words are checked against what it asked for.
"""

from __future__ import annotations

import json
import struct
from dataclasses import asdict
from typing import Final

from leadglass.core.errors import ErrorCode, LeadglassError
from leadglass.core.limits import MAX_FRAME_BYTES
from leadglass.core.ports import PixelDescription

HEADER: Final = struct.Struct("<BQ")

READY: Final = 1  # worker: confined and waiting; body: JSON of the layers that hold
DESCRIPTION: Final = 2  # archive: body: JSON of a PixelDescription
FRAME: Final = 3  # archive: one compressed frame
PIXELS: Final = 4  # worker: one byte of length, photometric interpretation, native bytes
FAILED: Final = 5  # worker: the frame cannot be decoded; no body

MAX_TEXT: Final = 4096  # READY and DESCRIPTION
MAX_REQUEST: Final = MAX_FRAME_BYTES
PHOTOMETRICS: Final = frozenset(
    {
        "MONOCHROME1",
        "MONOCHROME2",
        "PALETTE COLOR",
        "RGB",
        "YBR_FULL",
        "YBR_FULL_422",
        "YBR_PARTIAL_422",
        "YBR_PARTIAL_420",
        "YBR_ICT",
        "YBR_RCT",
        "XYB",
    }
)


def message(kind: int, length: int) -> bytes:
    """The header of a message."""
    return HEADER.pack(kind, length)


def parse_header(header: bytes, limit: int) -> tuple[int, int]:
    """Kind and length; CANNOT_CONVERT if the length is over `limit`."""
    kind, length = HEADER.unpack(header)
    if length > limit:
        raise LeadglassError(ErrorCode.CANNOT_CONVERT, "a message of the decoder is too long")
    return kind, length


def encode_description(description: PixelDescription) -> bytes:
    """A description as JSON."""
    return json.dumps(asdict(description)).encode()


def decode_description(body: bytes) -> PixelDescription:
    """The reverse of `encode_description`."""
    return PixelDescription(**json.loads(body))


def split_pixels(body: bytearray, expected: int) -> tuple[str, bytes]:
    """Photometric interpretation and pixels of a PIXELS body that must hold exactly `expected` bytes of them."""
    end = 1 + body[0] if body else 0
    photometric = bytes(body[1:end]).decode("ascii", "replace")
    if not body or len(body) - end != expected or photometric not in PHOTOMETRICS:
        raise LeadglassError(ErrorCode.CANNOT_CONVERT, "the decoder's answer does not fit the question")
    return photometric, bytes(memoryview(body)[end:])
