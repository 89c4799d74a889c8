"""Fuzz the way from a data set to a picture: it is refused, or shown in the size that was promised; the order for the
worker is read as it was written.

Input: one byte that chooses the transfer syntax, one that chooses what is asked for, and a data set.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from io import BytesIO

from PIL import Image

from leadglass.core.errors import LeadglassError
from leadglass.core.pictures import GIF, PNG, Annotation, PictureOrder, RenderRequest, Viewport, Window, WindowFunction
from leadglass.dicom.native_frames import native_frames
from leadglass.dicom.picture_header import read_picture_header
from leadglass.dicom.picture_order import picture_order
from leadglass.dicom.uids import EXPLICIT_VR_BE, EXPLICIT_VR_LE, IMPLICIT_VR_LE
from leadglass.sandbox.painter import Painter
from leadglass.sandbox.protocol import decode_order, encode_order

SYNTAXES = (EXPLICIT_VR_LE, IMPLICIT_VR_LE, EXPLICIT_VR_BE)
REQUESTS = (
    RenderRequest(PNG),
    RenderRequest(PNG, viewport=Viewport(9, 7, 1, 1, -3, -2), annotation=frozenset(Annotation)),
    RenderRequest(PNG, window=Window(3, 7, WindowFunction.SIGMOID)),
    RenderRequest(GIF),
)
LARGEST = 1 << 14  # values that are painted: more would only take time


def written(order: PictureOrder) -> bytes:
    """The order as it goes to the worker."""
    return b"".join(encode_order(order))


def order_for(data: bytes, syntax: str, request: RenderRequest) -> tuple[PictureOrder, list[bytes]] | None:
    """The order and native frames; None if the data set is refused, encapsulated or large."""

    def read(start: int, length: int) -> bytes:
        return data[start : start + length]

    try:
        header = read_picture_header(read, syntax, len(data))
        frames = range(min(2, header.layout.number_of_frames)) if request.media_type == GIF else range(1)
        order = picture_order(header, read, frames, request, "ISO_IR 100")
        if header.layout.encapsulated:
            return None
        native = native_frames(header.layout)
        pieces = [native.frame(number, read(*native.place(number))) for number in frames]
    except LeadglassError:
        return None
    shown = order.placement
    assert 0 <= shown.left < shown.right <= header.layout.columns, "a region outside the image"
    assert 0 <= shown.top < shown.bottom <= header.layout.rows, "a region outside the image"
    small = max(header.layout.rows * header.layout.columns, shown.width * shown.height) <= LARGEST
    return (order, pieces) if small else None


def check(data: bytes) -> None:
    """Run one input."""
    if len(data) < 2:
        return
    made = order_for(data[2:], SYNTAXES[data[0] % len(SYNTAXES)], REQUESTS[data[1] % len(REQUESTS)])
    if made is None:
        return
    order, frames = made
    assert decode_order(memoryview(written(order))) == order, "the order is not read as it was written"
    painter = Painter(order)
    try:
        for frame in frames:
            painter.add(frame)
    except LeadglassError:
        return
    with Image.open(BytesIO(painter.picture())) as picture:
        assert picture.size == (order.placement.width, order.placement.height), "a picture of another size"


def element(tag: int, vr: str, value: bytes, syntax: str) -> bytes:
    """One element; numbers of 16 bits in `value` are little endian."""
    if syntax == EXPLICIT_VR_BE and vr in ("US", "OW"):
        value = struct.pack(f">{len(value) // 2}H", *struct.unpack(f"<{len(value) // 2}H", value))
    order = ">" if syntax == EXPLICIT_VR_BE else "<"
    head = struct.pack(order + "HH", tag >> 16, tag & 0xFFFF)
    if syntax == IMPLICIT_VR_LE:
        return head + struct.pack("<L", len(value)) + value
    if vr == "OW":
        return head + b"OW\0\0" + struct.pack(order + "L", len(value)) + value
    return head + vr.encode() + struct.pack(order + "H", len(value)) + value


def seeds() -> Iterator[bytes]:
    """A grey image with window, overlay and two frames, and one with a palette, in every syntax and request."""
    us = struct.Struct("<H").pack
    grey: dict[int, tuple[str, bytes]] = {
        0x00100010: ("PN", b"Notreal^Figment "),
        0x00280002: ("US", us(1)), 0x00280004: ("CS", b"MONOCHROME1 "), 0x00280008: ("IS", b"2 "),
        0x00280010: ("US", us(4)), 0x00280011: ("US", us(6)), 0x00280030: ("DS", b"2\\1 "),
        0x00280100: ("US", us(16)), 0x00280101: ("US", us(12)), 0x00280102: ("US", us(11)), 0x00280103: ("US", us(1)),
        0x00280120: ("US", us(5)), 0x00281050: ("DS", b"40"), 0x00281051: ("DS", b"400 "),
        0x00281052: ("DS", b"-9"), 0x00281053: ("DS", b"2 "),
        0x60000010: ("US", us(4)), 0x60000011: ("US", us(6)), 0x60000050: ("US", us(1) + us(1)),
        0x60003000: ("OW", b"\x55\xaa\x0f\0"), 0x7FE00010: ("OW", bytes(range(96))),
    }  # fmt: skip
    coloured = {tag: value for tag, value in grey.items() if tag not in (0x00281050, 0x00281051, 0x00281052)}
    coloured |= {0x00280004: ("CS", b"PALETTE COLOR "), 0x00280103: ("US", us(0))}
    for number in (1, 2, 3):
        coloured[0x00281100 + number] = ("US", us(8) + us(2) + us(16))
        coloured[0x00281220 + number] = ("OW", us(0) + us(2) + us(1) + us(7) + us(1) + us(6) + us(60000))
    for kind, syntax in enumerate(SYNTAXES):
        for image in (grey, coloured):
            body = b"".join(element(tag, *image[tag], syntax) for tag in sorted(image))
            for request in range(len(REQUESTS)):
                yield bytes((kind, request)) + body
