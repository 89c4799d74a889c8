"""From a frame's bytes to samples: an array of rows, columns (and red, green, blue) of one frame.

Runs in the confined worker only. Sizes were compared with the description before; here they are compared with what
there is.
"""

from __future__ import annotations

from typing import Any, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from leadglass.core.pictures import FrameForm
from leadglass.dicom.refusal import broken
from leadglass.sandbox.codecs import decode_frame

Samples: TypeAlias = NDArray[Any]

_HALVED: Final = "YBR_FULL_422"


def samples_of(form: FrameForm, data: bytes | bytearray) -> tuple[Samples, str]:
    """The samples of a frame as they are stored, and their photometric interpretation."""
    description = form.description
    photometric = description.photometric_interpretation
    if description.bits_allocated == 1:
        return _single_bits(form, data), photometric
    if form.encapsulated:
        data, photometric = decode_frame(description, bytes(data))
    size = description.bits_allocated // 8
    flat = np.frombuffer(data[: len(data) // size * size], f"<{'f' if form.floating else 'u'}{size}")
    return _shaped(form, flat, photometric), photometric


def _shaped(form: FrameForm, flat: Samples, photometric: str) -> Samples:
    description = form.description
    rows, columns, samples = description.rows, description.columns, description.samples_per_pixel
    if samples == 1:
        return _exact(flat, rows * columns).reshape(rows, columns)
    if form.encapsulated:  # decoders give colour by pixel
        return _exact(flat, rows * columns * 3).reshape(rows, columns, 3)
    if photometric == _HALVED:
        return _whole_chrominance(_exact(flat, rows * columns * 2), rows, columns)
    flat = _exact(flat, rows * columns * 3)
    if description.planar_configuration:
        return np.ascontiguousarray(flat.reshape(3, rows, columns).transpose(1, 2, 0))
    return flat.reshape(rows, columns, 3)


def _exact(flat: Samples, count: int) -> Samples:
    if flat.size < count:
        raise broken("a frame is shorter than the header says")
    return flat[:count]


def _single_bits(form: FrameForm, data: bytes | bytearray) -> Samples:
    """One bit per pixel, the first in the least significant (PS3.5 8.1.1)."""
    count = form.description.rows * form.description.columns
    if len(data) * 8 < count:
        raise broken("a frame is shorter than the header says")
    bits = np.unpackbits(np.frombuffer(data, np.uint8), count=count, bitorder="little")
    return bits.reshape(form.description.rows, form.description.columns)


def _whole_chrominance(flat: Samples, rows: int, columns: int) -> Samples:
    """Y1 Y2 CB CR for each pair of pixels (PS3.3 C.7.6.3.1.2)."""
    pairs = flat.reshape(rows, columns // 2, 4)
    out = np.empty((rows, columns // 2, 2, 3), flat.dtype)
    out[..., 0] = pairs[..., :2]
    out[..., 1] = pairs[..., 2:3]
    out[..., 2] = pairs[..., 3:4]
    return out.reshape(rows, columns, 3)


def values_of(form: FrameForm, samples: Samples) -> Samples:
    """Stored values out of allocated bits: those below Bits Stored, with their sign (PS3.5 8.1.1)."""
    description = form.description
    if form.floating or description.bits_allocated == 1:
        return samples
    stored, allocated = description.bits_stored, description.bits_allocated
    shift = form.high_bit + 1 - stored
    signed = bool(description.pixel_representation)
    if stored == allocated:
        return samples.view(samples.dtype.str.replace("u", "i")) if signed else samples
    if signed:  # the sign goes to the top, and back with the value
        up = samples << (allocated - stored - shift)
        return up.view(up.dtype.str.replace("u", "i")) >> (allocated - stored)
    moved = samples >> shift if shift else samples
    return moved & moved.dtype.type((1 << stored) - 1)
