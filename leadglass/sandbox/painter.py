"""Makes one picture of the frames of an order. Runs in the confined worker only."""

from __future__ import annotations

from io import BytesIO
from typing import Any, Final

import imagecodecs
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from leadglass.core.pictures import GIF, JPEG, Grey, OverlayPlane, PictureOrder, Placement, Window, WindowFunction
from leadglass.core.ports import PixelDescription
from leadglass.dicom.codestreams import frame_length
from leadglass.dicom.refusal import broken
from leadglass.sandbox import lettering
from leadglass.sandbox.colour import through_palette, to_rgb
from leadglass.sandbox.greyscale import settled, to_grey
from leadglass.sandbox.samples import Samples, samples_of, values_of

Picture = NDArray[np.uint8]

_MONOCHROME: Final = ("MONOCHROME1", "MONOCHROME2")
_PALETTE: Final = "PALETTE COLOR"
_HTJ2K_RPCL, _HTJ2K_LOSSY = "1.2.840.10008.1.2.4.202", "1.2.840.10008.1.2.4.203"


class Painter:
    """Takes the frames of `order` one by one; after the last `picture` gives the bytes."""

    def __init__(self, order: PictureOrder) -> None:
        self._order = order
        self._frames: list[Image.Image] = []
        self._single: Picture | None = None
        self._settled: Grey | None = None

    def add(self, data: bytes | bytearray) -> bool:
        """Take the next frame; True once it was the last."""
        number = len(self._frames)
        painted = self._painted(number, data)
        if self._order.frames == 1:
            self._single = painted
            return True
        image = Image.fromarray(painted)
        colours = image if image.mode == "L" else image.quantize(method=Image.Quantize.FASTOCTREE)
        self._frames.append(colours)
        return len(self._frames) == self._order.frames

    def picture(self) -> bytes:
        """The encoded picture."""
        if self._single is None:
            return _animated(self._frames, self._order.delays)
        return encoded(self._single, self._order.media_type, self._order.quality)

    def _painted(self, number: int, data: bytes | bytearray) -> Picture:
        order = self._order
        form = order.form
        samples, photometric = samples_of(form, data)
        values = values_of(form, samples)
        place = order.placement
        shown = values[place.top : place.bottom, place.left : place.right]
        if photometric in _MONOCHROME:
            grey = order.greys[number]
            if grey.window is None and grey.voi is None:  # one range for all frames: an animation must not flicker
                self._settled = self._settled or settled(grey, values)
                grey = self._settled
            painted = to_grey(grey, shown, form.description.bits_stored)
        elif photometric == _PALETTE:
            painted = through_palette(order.palette, shown)
        else:
            painted = to_rgb(photometric, shown, form.description.bits_stored)
        for plane in order.overlays[number] if order.overlays else ():
            painted = _overlaid(painted, plane, samples, place)
        painted = _placed(painted, place)
        return _written(painted, order) if order.lines or order.captions else painted


def _overlaid(painted: Picture, plane: OverlayPlane, samples: Samples, place: Placement) -> Picture:
    """White where a bit is set (PS3.3 C.9.2)."""
    mask = np.zeros((place.bottom - place.top, place.right - place.left), np.bool_)
    if plane.embedded is not None:
        mask[:] = (samples[place.top : place.bottom, place.left : place.right] >> plane.embedded) & 1
    else:
        count = plane.rows * plane.columns
        raw = np.frombuffer(plane.data, np.uint8)
        bits = np.unpackbits(raw, count=plane.first_bit + count, bitorder="little")[plane.first_bit :]
        bits = bits.reshape(plane.rows, plane.columns)
        top, left = plane.row - place.top, plane.column - place.left
        target = mask[max(top, 0) : max(top + plane.rows, 0), max(left, 0) : max(left + plane.columns, 0)]
        source = bits[max(-top, 0) :, max(-left, 0) :][: target.shape[0], : target.shape[1]]
        target[:] = source
    marked = np.array(painted)
    marked[mask] = 255
    return marked


def _placed(painted: Picture, place: Placement) -> Picture:
    """Mirrored, and scaled to the size it leaves in."""
    if place.mirror_columns:
        painted = painted[:, ::-1]
    if place.mirror_rows:
        painted = painted[::-1]
    rows, columns = painted.shape[:2]
    if (columns, rows) == (place.width, place.height):
        return painted
    smaller = place.width < columns or place.height < rows
    method = Image.Resampling.BILINEAR if smaller else Image.Resampling.BICUBIC
    image = Image.fromarray(np.ascontiguousarray(painted))
    return np.asarray(image.resize((place.width, place.height), method, reducing_gap=3.0 if smaller else None))


def _written(painted: Picture, order: PictureOrder) -> Picture:
    image = Image.fromarray(np.array(painted))
    lettering.write(image, order.lines, order.captions)
    return np.asarray(image)


def encoded(painted: Picture, media_type: str, quality: int) -> bytes:
    """One picture, grey or RGB, as JPEG, PNG or GIF."""
    painted = np.ascontiguousarray(painted)
    if media_type == JPEG:
        colour: dict[str, Any] = {} if painted.ndim == 2 else {"colorspace": "RGB", "outcolorspace": "YCBCR"}
        return bytes(imagecodecs.jpeg8_encode(painted, level=quality, **colour))
    if media_type == GIF:
        return _animated([Image.fromarray(painted)], ())
    return bytes(imagecodecs.png_encode(painted, level=1, strategy=_RUN_LENGTHS, filter=_SUB))


_RUN_LENGTHS: Final = imagecodecs.PNG.STRATEGY.RLE  # made for speed: half again as long as the slowest setting gives
_SUB: Final = imagecodecs.PNG.FILTER.SUB


def _animated(frames: list[Image.Image], delays: tuple[int, ...]) -> bytes:
    if not frames:
        raise broken("there are no frames")
    out = BytesIO()
    more: dict[str, Any] = {}
    if len(frames) > 1:
        more = {"save_all": True, "append_images": frames[1:], "duration": list(delays), "loop": 0}
    frames[0].save(out, "GIF", optimize=False, **more)
    return out.getvalue()


def high_throughput(description: PixelDescription, target: str, data: bytes | bytearray) -> bytes:
    """A native frame as an HTJ2K codestream (PS3.5 A.4.11): lossless but for .203, where it is close to lossless."""
    if len(data) < frame_length(description):
        raise broken("a frame is shorter than the header says")
    kind = "i" if description.pixel_representation else "u"
    flat = np.frombuffer(data[: frame_length(description)], f"<{kind}{description.bits_allocated // 8}")
    shape: tuple[int, ...] = (description.rows, description.columns)
    if description.samples_per_pixel == 3:
        shape += (3,)
    # The encoder's progression is RPCL; .202 must have tile-part lengths as well (PS3.5 A.4.11).
    lossless, rpcl = target != _HTJ2K_LOSSY, target == _HTJ2K_RPCL
    return bytes(imagecodecs.htj2k_encode(flat.reshape(shape), reversible=lossless, tlm=rpcl or None))


def warm_up() -> None:
    """Load all that pictures need, by making some: after this no file may be opened any more."""
    Image.init()
    lettering.load()
    grey = np.arange(256, dtype=np.uint8).reshape(16, 16)
    colour = np.repeat(grey[:, :, None], 3, axis=2)
    for painted in (grey, colour):
        for media_type in (JPEG, GIF, "image/png"):
            encoded(painted, media_type, 85)
    to_rgb("YBR_FULL", colour, 8)
    for values in (grey, grey.astype(np.int16), grey.astype(np.float32)):
        for plain in (Grey(), Grey(padding=(0, 1)), Grey(window=Window(1, 2, WindowFunction.SIGMOID))):
            to_grey(settled(plain, values), values, 16)
    for side in (8, 40):
        _placed(grey, Placement(0, 0, 16, 16, side, side))
    frames = [Image.fromarray(item).quantize(method=Image.Quantize.FASTOCTREE) for item in (colour, colour // 2)]
    _animated(frames, (100, 100))
    imagecodecs.htj2k_encode(grey, reversible=True)
