"""Images made for tests of rendering: small data sets, and the way from bytes to a picture without the archive."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from io import BytesIO
from typing import Any

import numpy as np
from numpy.typing import NDArray
from objects import encoded
from PIL import Image
from pydicom.dataset import Dataset

from leadglass.core.pictures import PNG, Owner, PictureOrder, RenderRequest
from leadglass.core.ports import PixelDescription
from leadglass.dicom.frames import FrameLocator
from leadglass.dicom.native_frames import native_frames
from leadglass.dicom.picture_header import read_picture_header
from leadglass.dicom.picture_order import picture_order
from leadglass.dicom.uids import EXPLICIT_VR_LE
from leadglass.sandbox.painter import Painter, high_throughput
from leadglass.sandbox.protocol import decode_order, encode_order


def grey_image(pixels: NDArray[Any], **changes: Any) -> Dataset:
    """A data set of one monochrome frame (or several: three dimensions) with `pixels`."""
    made = Dataset()
    made.set_original_encoding(False, True)  # for pydicom's own arithmetic on tables
    made.SamplesPerPixel, made.PhotometricInterpretation = 1, "MONOCHROME2"
    made.Rows, made.Columns = pixels.shape[-2:]
    if pixels.ndim == 3:
        made.NumberOfFrames = len(pixels)
    made.BitsAllocated = made.BitsStored = 8 * pixels.dtype.itemsize
    made.HighBit, made.PixelRepresentation = made.BitsStored - 1, int(pixels.dtype.kind == "i")
    made.PixelData = pixels.tobytes() + b"\0" * (pixels.nbytes % 2)
    made["PixelData"].VR = "OW"
    return changed(made, changes)


def colour_image(pixels: NDArray[np.uint8], **changes: Any) -> Dataset:
    """A data set of one colour frame, by pixel."""
    made = grey_image(pixels[..., 0])
    made.SamplesPerPixel, made.PhotometricInterpretation, made.PlanarConfiguration = 3, "RGB", 0
    made.PixelData = pixels.tobytes() + b"\0" * (pixels.nbytes % 2)
    return changed(made, changes)


def changed(made: Dataset, changes: dict[str, Any]) -> Dataset:
    if "BitsStored" in changes:
        changes = {"HighBit": max(changes["BitsStored"] - 1, 0), **changes}
    for keyword, value in changes.items():
        setattr(made, keyword, value)
    return made


def order_of(
    data: bytes, syntax: str, frames: Sequence[int], request: RenderRequest
) -> tuple[PictureOrder, list[bytes]]:
    """The order for the data set bytes, and its frames."""

    def read(offset: int, length: int) -> bytes:
        return data[offset : offset + length]

    header = read_picture_header(read, syntax, len(data))
    order = picture_order(header, read, frames, request, "ISO_IR 100")
    layout = header.layout
    if layout.encapsulated:
        located = FrameLocator(read, layout.value_offset, layout.number_of_frames)
        return order, [located.frame(number) for number in frames]
    native = native_frames(layout)
    return order, [native.frame(number, read(*native.place(number))) for number in frames]


def painted(made: Dataset | bytes, syntax: str = EXPLICIT_VR_LE, frame: int = 0, **request: Any) -> NDArray[np.uint8]:
    """The picture of a frame, in this process, over the protocol's own encoding of the order."""
    data = made if isinstance(made, bytes) else encoded(made, syntax)
    order, frames = order_of(data, syntax, [frame], RenderRequest(media_type=PNG, **request))
    painter = Painter(decode_order(memoryview(b"".join(encode_order(order)))))
    for piece in frames:
        painter.add(piece)
    return opened(painter.picture())


def opened(picture: bytes) -> NDArray[np.uint8]:
    with Image.open(BytesIO(picture)) as image:
        return np.array(image)


class InProcess:
    """A PictureMaker without a cage, for tests of what stands above it. Counts its pictures."""

    def __init__(self) -> None:
        self.made: list[Owner] = []

    def picture(self, owner: Owner, order: PictureOrder, frames: Iterable[bytes]) -> bytes:
        self.made.append(owner)
        painter = Painter(order)
        for frame in frames:
            painter.add(frame)
        return painter.picture()

    def encode(self, owner: Owner, description: PixelDescription, target: str, frame: bytes) -> bytes:
        return high_throughput(description, target, frame)
