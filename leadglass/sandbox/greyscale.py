"""From stored values to 8 bits of grey: modality, VOI and presentation (PS3.3 C.11.1, C.11.2, C.11.6).

Strategy: a window on rescaled values is one multiplication and one addition, done in blocks that stay in the cache.
Everything else on integers of up to 16 bits is one look-up in a table of all their values, which is made by the same
arithmetic as wider and floating point values are.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from leadglass.core.pictures import Grey, LookupTable, Window, WindowFunction
from leadglass.dicom.refusal import broken
from leadglass.sandbox.samples import Samples

Grey8 = NDArray[np.uint8]
Reals = NDArray[np.float64]

_BLOCK: Final = 1 << 16  # values at a time
_PERCENTILES: Final = (0.1, 99.9)  # of the values, where nothing says how they are shown
_LOOKED_AT: Final = 1 << 18  # values that the percentiles are taken of
_MAX_REAL: Final = 1e37  # coefficients of single precision stay below
_TABLE_BITS: Final = 16


def settled(grey: Grey, values: Samples) -> Grey:
    """`grey` with a window where the data set has none: the range of `values` behind the modality transformation."""
    if grey.window is not None or grey.voi is not None:
        return grey
    flat = values.reshape(-1)
    some = flat[:: max(1, flat.size // _LOOKED_AT)]
    if grey.padding is not None:
        some = some[(some < grey.padding[0]) | (some > grey.padding[1])]
    reals = _modality(grey, some)
    reals = reals[np.isfinite(reals)]
    if not reals.size:
        return replace(grey, window=Window(0.5, 1.0, WindowFunction.LINEAR_EXACT))
    low, high = (float(value) for value in np.percentile(reals, _PERCENTILES))
    if high <= low:
        low, high = float(reals.min()), float(reals.max())
    width = high - low if high > low else 1.0
    return replace(grey, window=Window(low + width / 2, width, WindowFunction.LINEAR_EXACT))


def to_grey(grey: Grey, values: Samples, bits: int) -> Grey8:
    """`values` (of `bits` significant bits) as 0, black, to 255, white. `grey` is settled."""
    line = _line(grey)
    if line is not None and values.dtype.itemsize <= 2:
        return _by_line(line, values, grey.padding)
    if values.dtype.kind in "iu" and bits <= _TABLE_BITS:
        return _by_table(grey, values, bits)
    return _in_blocks(grey, values)


def _line(grey: Grey) -> tuple[float, float] | None:
    """Slope and intercept from stored values to 0..255 and a half, where it is a line."""
    window = grey.window
    if window is None or grey.modality is not None or window.function is WindowFunction.SIGMOID:
        return None
    center, width = window.center, window.width
    if window.function is WindowFunction.LINEAR:  # C.11.2.1.2.1
        center, width = center - 0.5, width - 1
    if width <= 0:
        return None
    factor = 255 / width
    slope, intercept = grey.slope * factor, (grey.intercept - center) * factor + 127.5
    if grey.inverse:
        slope, intercept = -slope, 255 - intercept
    if not max(abs(slope), abs(intercept)) < _MAX_REAL:
        return None
    return slope, intercept + 0.5


def _by_line(line: tuple[float, float], values: Samples, padding: tuple[float, float] | None) -> Grey8:
    slope, intercept = np.float32(line[0]), np.float32(line[1])
    flat = np.ascontiguousarray(values).reshape(-1)
    out = np.empty(flat.size, np.uint8)
    room = np.empty(min(_BLOCK, flat.size), np.float32)
    for start in range(0, flat.size, _BLOCK):
        piece = flat[start : start + _BLOCK]
        reals = room[: piece.size]
        np.multiply(piece, slope, out=reals, dtype=np.float32)
        reals += intercept
        np.clip(reals, 0, 255, out=reals)
        out[start : start + piece.size] = reals  # cuts the fraction off
        if padding is not None:
            out[start : start + piece.size][(piece >= padding[0]) & (piece <= padding[1])] = 0
    return out.reshape(values.shape)


def _by_table(grey: Grey, values: Samples, bits: int) -> Grey8:
    signed = values.dtype.kind == "i"
    low = -(1 << bits - 1) if signed else 0
    every = np.arange(low, low + (1 << bits), dtype=np.int32)
    table = _shown(grey, every)
    places = values.astype(np.int32) - low if signed else values
    return np.take(table, places, mode="clip")


def _in_blocks(grey: Grey, values: Samples) -> Grey8:
    flat = np.ascontiguousarray(values).reshape(-1)
    out = np.empty(flat.size, np.uint8)
    for start in range(0, flat.size, _BLOCK):
        piece = flat[start : start + _BLOCK]
        out[start : start + piece.size] = _shown(grey, piece)
    return out.reshape(values.shape)


def _shown(grey: Grey, values: Samples) -> Grey8:
    """Any values, by the full arithmetic."""
    with np.errstate(all="ignore"):
        reals = _voi(grey, _modality(grey, values))
    reals = np.nan_to_num(reals, nan=0.0, posinf=1.0, neginf=0.0)
    np.clip(reals, 0, 1, out=reals)
    if grey.inverse:
        np.subtract(1, reals, out=reals)
    out = (reals * 255 + 0.5).astype(np.uint8)
    if grey.padding is not None:
        out[(values >= grey.padding[0]) & (values <= grey.padding[1])] = 0
    return out


def _modality(grey: Grey, values: Samples) -> Reals:
    if grey.modality is not None:
        return _looked_up(grey.modality, values).astype(np.float64)
    return values.astype(np.float64) * grey.slope + grey.intercept


def _looked_up(table: LookupTable, values: Samples) -> NDArray[np.uint16]:
    entries = np.frombuffer(table.data, "<u2")
    places = np.clip(np.nan_to_num(values.astype(np.float64)) - table.first, 0, entries.size - 1)
    return entries[places.astype(np.intp)]


def _voi(grey: Grey, reals: Reals) -> Reals:
    if grey.voi is not None:
        return _looked_up(grey.voi, np.rint(reals)) / ((1 << grey.voi.bits) - 1)
    if grey.window is None:
        raise broken("there is no window")
    center, width = grey.window.center, grey.window.width
    if grey.window.function is WindowFunction.SIGMOID:  # C.11.2.1.3.1
        return 1 / (1 + np.exp(-4 * (reals - center) / width))
    if grey.window.function is WindowFunction.LINEAR:
        center, width = center - 0.5, width - 1
    if width <= 0:
        return (reals > center).astype(np.float64)
    return (reals - center) / width + 0.5
