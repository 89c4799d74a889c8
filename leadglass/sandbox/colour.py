"""Colour samples as red, green and blue of 8 bits (PS3.3 C.7.6.3.1.2)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from leadglass.core.pictures import LookupTable
from leadglass.dicom.refusal import broken
from leadglass.sandbox.samples import Samples

Colour8 = NDArray[np.uint8]


def to_rgb(photometric: str, values: Samples, bits: int) -> Colour8:
    """Three samples of `bits` significant bits as RGB. Raises CANNOT_CONVERT for a colour space that is not known."""
    if photometric not in ("RGB", "YBR_FULL", "YBR_FULL_422", "YBR_PARTIAL_422", "YBR_PARTIAL_420"):
        raise broken("the colour space of the image is not known")
    if values.dtype.kind != "u":
        raise broken("colour samples have a sign")
    eight = np.ascontiguousarray(_eight(values, bits))
    if photometric == "RGB":
        return eight
    if photometric.startswith("YBR_PARTIAL"):
        eight = _full_range(eight)
    return np.asarray(Image.fromarray(eight, "YCbCr").convert("RGB"))


def _eight(values: Samples, bits: int) -> Colour8:
    if bits > 8:
        return (values >> (bits - 8)).astype(np.uint8)
    if bits == 8:
        return values.astype(np.uint8, copy=False)
    return (values.astype(np.uint16) * 255 // ((1 << bits) - 1)).astype(np.uint8)


def _full_range(samples: Colour8) -> Colour8:
    """Luminance of 16 to 235 and chrominance of 16 to 240 on the whole of 8 bits."""
    reals = samples.astype(np.float32)
    reals[..., 0] = (reals[..., 0] - 16) * (255 / 219)
    reals[..., 1:] = (reals[..., 1:] - 128) * (255 / 224) + 128
    return np.clip(np.rint(reals), 0, 255).astype(np.uint8)


def through_palette(tables: Sequence[LookupTable], values: Samples) -> Colour8:
    """Indices as RGB; those outside a table take its first or last entry (C.7.6.3.1.5)."""
    out = np.empty((*values.shape, 3), np.uint8)
    for channel, table in enumerate(tables):
        entries = np.frombuffer(table.data, "<u2")
        eight = _eight(entries, table.bits)
        places = np.clip(values.astype(np.int64) - table.first, 0, entries.size - 1)
        out[..., channel] = eight[places]
    return out
