"""Neutral icons for what has no picture: drawn from rectangles, the same for every object of a kind."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Final, TypeAlias

import imagecodecs
import numpy as np

from leadglass.dicom.picture_kinds import PictureKind

SMALLEST, LARGEST = 8, 1024  # sides of an icon in pixels: a larger box gets the largest

_Box: TypeAlias = "tuple[float, float, float, float, int]"  # left, top, right, bottom of a unit square; grey
_GROUND, _DARK, _PAPER, _LINE, _INK = 40, 70, 225, 165, 110


def _lines(tops: tuple[float, ...], left: float = 0.34, right: float = 0.66) -> tuple[_Box, ...]:
    return tuple((left, top, right, top + 0.03, _LINE) for top in tops)


_PAGE: Final[_Box] = (0.26, 0.16, 0.74, 0.84, _PAPER)
_ICONS: Final[Mapping[PictureKind, tuple[_Box, ...]]] = {
    PictureKind.DOCUMENT: (_PAGE, *_lines((0.28, 0.38, 0.48, 0.58, 0.68))),
    PictureKind.REPORT: (
        _PAGE,
        (0.34, 0.25, 0.54, 0.32, _INK),
        *_lines((0.42, 0.50, 0.58)),
        *_lines((0.68,), 0.34, 0.5),
    ),
    PictureKind.WAVEFORM: (
        *((0.12, 0.49, 0.34, 0.52, _PAPER), (0.34, 0.40, 0.37, 0.52, _PAPER), (0.37, 0.40, 0.45, 0.43, _PAPER)),
        *((0.45, 0.20, 0.48, 0.43, _PAPER), (0.48, 0.20, 0.52, 0.23, _PAPER), (0.52, 0.20, 0.55, 0.78, _PAPER)),
        *((0.55, 0.75, 0.61, 0.78, _PAPER), (0.61, 0.49, 0.64, 0.78, _PAPER), (0.64, 0.49, 0.88, 0.52, _PAPER)),
    ),
    PictureKind.FILM: (
        (0.14, 0.24, 0.86, 0.76, _PAPER),
        *(
            (0.18 + 0.12 * hole, edge, 0.24 + 0.12 * hole, edge + 0.06, _GROUND)
            for hole in range(6)
            for edge in (0.27, 0.67)
        ),
        (0.18, 0.37, 0.82, 0.63, _LINE),
    ),
    PictureKind.PLAN: (
        *((0.20, 0.20, 0.80, 0.80, _LINE), (0.24, 0.24, 0.76, 0.76, _GROUND), (0.38, 0.38, 0.62, 0.62, _LINE)),
        *((0.42, 0.42, 0.58, 0.58, _GROUND), (0.485, 0.14, 0.515, 0.86, _PAPER), (0.14, 0.485, 0.86, 0.515, _PAPER)),
    ),
    PictureKind.STATE: tuple(
        box
        for row, knob in enumerate((0.36, 0.62, 0.46))
        for box in (
            (0.20, 0.29 + 0.2 * row, 0.80, 0.32 + 0.2 * row, _LINE),
            (knob, 0.24 + 0.2 * row, knob + 0.08, 0.37 + 0.2 * row, _PAPER),
        )
    ),
    PictureKind.MODEL: (
        *((0.34, 0.18, 0.80, 0.64, _LINE), (0.38, 0.22, 0.76, 0.60, _DARK)),
        *((0.20, 0.34, 0.64, 0.80, _PAPER), (0.24, 0.38, 0.60, 0.76, _GROUND)),
    ),
}
_BLANK: Final = (_PAGE, (0.46, 0.46, 0.54, 0.54, _LINE))


def icon(kind: PictureKind, side: int, *, png: bool) -> bytes:
    """An icon of `side` x `side` pixels (within SMALLEST and LARGEST) as PNG, else as JPEG."""
    return _drawn(kind, min(max(side, SMALLEST), LARGEST), png)


@functools.lru_cache(maxsize=64)
def _drawn(kind: PictureKind, side: int, png: bool) -> bytes:
    pixels = np.full((side, side), _GROUND, np.uint8)
    for left, top, right, bottom, shade in _ICONS.get(kind, _BLANK):
        rows = slice(round(top * side), max(round(bottom * side), round(top * side) + 1))
        columns = slice(round(left * side), max(round(right * side), round(left * side) + 1))
        pixels[rows, columns] = shade
    encoded = imagecodecs.png_encode(pixels) if png else imagecodecs.jpeg8_encode(pixels, level=90)
    return bytes(encoded)
