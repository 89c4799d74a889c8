"""Messages between the archive and a decoding worker: one byte of kind, eight of length, the body.

The archive trusts nothing that comes back: kinds, lengths and words are checked against what it asked for.
"""

from __future__ import annotations

import json
import struct
from dataclasses import asdict, fields, is_dataclass
from enum import Enum
from typing import Any, Final

from leadglass.core.errors import ErrorCode, LeadglassError
from leadglass.core.limits import MAX_FRAME_BYTES
from leadglass.core.pictures import (
    FrameForm,
    Grey,
    LookupTable,
    OverlayPlane,
    PictureOrder,
    Placement,
    Window,
    WindowFunction,
)
from leadglass.core.ports import PixelDescription

HEADER: Final = struct.Struct("<BQ")

READY: Final = 1  # worker: confined and waiting; body: JSON of the layers that hold
DESCRIPTION: Final = 2  # archive: body: JSON of a PixelDescription
FRAME: Final = 3  # archive: one compressed frame
PIXELS: Final = 4  # worker: one byte of length, photometric interpretation, native bytes
FAILED: Final = 5  # worker: the frame cannot be decoded; no body
ORDER: Final = 6  # archive: body: a PictureOrder, whose frames follow
PICTURE: Final = 7  # worker, behind the last frame of an order: the encoded picture
ENCODE: Final = 8  # archive: body: JSON of a PixelDescription and the target syntax; one native frame follows
ENCODED: Final = 9  # worker: the codestream

MAX_TEXT: Final = 4096  # READY and DESCRIPTION
_LENGTH: Final = struct.Struct("<L")
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


def encode_target(description: PixelDescription, target: str) -> bytes:
    """What an ENCODE message says."""
    return json.dumps([asdict(description), target]).encode()


def decode_target(body: bytes) -> tuple[PixelDescription, str]:
    """The reverse of `encode_target`."""
    description, target = json.loads(body)
    return PixelDescription(**description), target


def decode_description(body: bytes) -> PixelDescription:
    """The reverse of `encode_description`."""
    return PixelDescription(**json.loads(body))


def encode_order(order: PictureOrder) -> list[bytes]:
    """An order as pieces of one body: length of the JSON, JSON, and the bytes of tables and overlays behind it."""
    blobs: list[bytes] = []

    def plain(value: object) -> object:
        if isinstance(value, bytes):
            blobs.append(value)
            return {"bytes": len(value)}
        raise TypeError

    text = json.dumps(_fields(order), default=plain).encode()
    return [_LENGTH.pack(len(text)), text, *blobs]


def decode_order(body: memoryview) -> PictureOrder:
    """The reverse of `encode_order`."""
    (length,) = _LENGTH.unpack_from(body)
    at = _LENGTH.size + length

    def blob(value: dict[str, Any]) -> Any:
        nonlocal at
        if value.keys() != {"bytes"}:
            return value
        at += value["bytes"]
        return bytes(body[at - value["bytes"] : at])

    read = json.loads(bytes(body[_LENGTH.size : _LENGTH.size + length]), object_hook=blob)
    return PictureOrder(
        form=FrameForm(**{**read["form"], "description": PixelDescription(**read["form"]["description"])}),
        frames=read["frames"],
        placement=Placement(**read["placement"]),
        media_type=read["media_type"],
        quality=read["quality"],
        greys=tuple(_grey(item) for item in read["greys"]),
        palette=tuple(LookupTable(**item) for item in read["palette"]),
        overlays=tuple(tuple(OverlayPlane(**plane) for plane in planes) for planes in read["overlays"]),
        lines=tuple(read["lines"]),
        captions=tuple(read["captions"]),
        delays=tuple(read["delays"]),
    )


def _grey(item: dict[str, Any]) -> Grey:
    window, padding = item["window"], item["padding"]
    if window is not None:
        window = Window(window["center"], window["width"], WindowFunction(window["function"]))
    tables = {name: LookupTable(**item[name]) if item[name] else None for name in ("modality", "voi")}
    return Grey(**{**item, **tables, "window": window, "padding": tuple(padding) if padding else None})


def _fields(value: Any) -> Any:
    """Dataclasses as dictionaries; what JSON knows stays (asdict would copy the bytes)."""
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, tuple):
        return [_fields(item) for item in value]
    if is_dataclass(value):
        return {item.name: _fields(getattr(value, item.name)) for item in fields(value)}
    return value


def split_pixels(body: bytearray, expected: int) -> tuple[str, bytes]:
    """Photometric interpretation and pixels of a PIXELS body that must hold exactly `expected` bytes of them."""
    end = 1 + body[0] if body else 0
    photometric = bytes(body[1:end]).decode("ascii", "replace")
    if not body or len(body) - end != expected or photometric not in PHOTOMETRICS:
        raise LeadglassError(ErrorCode.CANNOT_CONVERT, "the decoder's answer does not fit the question")
    return photometric, bytes(memoryview(body)[end:])
